package scimserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// maxSorted bounds how deep a sorted search over several resource types goes: up to
// there, every type is read from its beginning and merged.
const maxSorted = 1000

// search is a query bound to resource types.
type search struct {
	x        *exchange
	types    []*scim.ResourceType
	queries  []scim.Query // one for each type: filter, order, fields
	order    *scim.Sort   // of any type that has it; nil if the search is not sorted
	shown    scim.Fields
	start    int // 1-based
	count    int
	byCursor bool
	at       place
	bound    []byte
}

// newSearch checks a request against the types that it is for.
func (x *exchange) newSearch(level string, types []*scim.ResourceType, r scim.SearchRequest) (*search, error) {
	s := &search{x: x, types: types, queries: make([]scim.Query, len(types)), start: 1, count: x.DefaultPage}
	if x.NoSort {
		r.SortBy = ""
	}
	if x.NoCursor {
		r.Cursor = nil
	}
	if err := s.page(r); err != nil {
		return nil, err
	}
	var err error
	if len(r.Attributes)+len(r.ExcludedAttributes) > 0 {
		if s.shown, err = r.Fields(); err != nil {
			return nil, err
		}
	}
	if err := s.bind(r); err != nil {
		return nil, err
	}
	if s.byCursor {
		err = s.locate(level, r)
	}
	return s, err
}

// page reads which page is wanted (RFC 7644 §3.4.2.4, RFC 9865 §2).
func (s *search) page(r scim.SearchRequest) error {
	s.byCursor = r.Cursor != nil
	if r.StartIndex != nil {
		if s.byCursor {
			return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "startIndex and cursor cannot be used together")
		}
		s.start = max(1, *r.StartIndex)
	}
	if r.Count != nil {
		s.count = min(max(0, *r.Count), s.x.MaxPage)
	}
	return nil
}

// bind resolves filter, order and fields for each type.
func (s *search) bind(r scim.SearchRequest) error {
	filters, err := s.filters(r.Filter)
	if err != nil {
		return err
	}
	sorts, err := s.sorts(r.SortBy, r.SortOrder)
	if err != nil {
		return err
	}
	for i, t := range s.types {
		q := scim.Query{StartIndex: 1, Fields: passOn(s.shown, t)}
		if s.oneByOne(t) {
			q.Fields = onlyID()
		}
		if filters != nil {
			q.Filter = filters[i]
		}
		if sorts != nil {
			q.Sort = sorts[i]
		}
		if s.order != nil && len(s.types) > 1 {
			q.Fields.PassOn = false
			q.Fields = alsoRead(q.Fields, q.Sort) // merging looks into the resources
		}
		s.queries[i] = q
	}
	return nil
}

// oneByOne reports whether the resources of a page are read one at a time while they
// are encoded: groups with their members, of which there can be any number. Where
// several types are merged, many are read to show even one.
func (s *search) oneByOne(t *scim.ResourceType) bool {
	merged := s.order != nil && len(s.types) > 1
	return t.Name == "Group" && (s.count > 1 || merged) && s.shown.Wants("members")
}

// filters are the types' own readings of one filter; nil without one. In a search
// over several types an attribute that a type does not define has no value there
// (RFC 7644 §3.4.2.1); asked of one type alone it is a mistake.
func (s *search) filters(text string) ([]scim.Filter, error) {
	if text == "" {
		return nil, nil
	}
	d := s.x.client.Dialect
	if len(s.types) != 1 {
		return d.ParseFilterFor(text, s.types)
	}
	f, err := d.ParseFilter(text, s.types[0])
	return []scim.Filter{f}, err
}

// sorts are the orders of the types; nil without one. A type that does not define
// the attribute has no value there, like in a filter.
func (s *search) sorts(by, order string) ([]*scim.Sort, error) {
	if by == "" {
		return nil, nil
	}
	list, err := scim.SortFor(s.types, by, order)
	for _, o := range list {
		if s.order == nil {
			s.order = o
		}
	}
	return list, err
}

// alsoRead makes sure that the attribute to sort by is read.
func alsoRead(f scim.Fields, by *scim.Sort) scim.Fields {
	if by == nil {
		return f
	}
	whole := scim.Path{URI: by.Path.URI, Attr: by.Path.Attr}
	if len(f.Include) > 0 {
		f.Include = append(slices.Clip(f.Include), whole)
	}
	f.Exclude = slices.DeleteFunc(slices.Clone(f.Exclude), func(p scim.Path) bool {
		return strings.EqualFold(p.Attr, by.Path.Attr) || p.Attr == "" || strings.EqualFold(p.URI+":"+p.Attr, by.Path.URI)
	})
	return f
}

func (s *search) run() (result, error) {
	switch several := len(s.types) > 1; {
	case s.byCursor && several && s.order != nil && s.count > 0:
		return s.mergedAfter()
	case s.byCursor:
		return s.after()
	case several && s.order != nil && s.count > 0:
		return s.merged()
	}
	return s.numbered()
}

// list reads a page of the type with number i.
func (s *search) list(i int, q scim.Query) (scim.Page, error) {
	if err := s.x.ctx.Err(); err != nil {
		return scim.Page{}, err
	}
	return s.x.Backend.List(s.x.ctx, s.types[i], q)
}

// numbered reads a page by startIndex. Several types are one list, one type behind
// the other.
func (s *search) numbered() (result, error) {
	var out result
	skip, room := s.start-1, s.count
	for i := range s.types {
		q := s.queries[i]
		q.StartIndex, q.Count = skip+1, room
		page, err := s.list(i, q)
		if err != nil {
			return out, err
		}
		if page.Stream != nil && len(s.types) == 1 {
			out.stream, out.counted = page.Stream, page.Counted
			return out, nil
		}
		if page.Stream != nil {
			if page, err = gathered(page); err != nil {
				return out, err
			}
		}
		out.add(i, page.Resources)
		out.total += page.Total
		skip = max(0, skip-page.Total)
		room -= len(page.Resources)
	}
	return out, nil
}

// gathered is a page that comes one by one, read to its end.
func gathered(p scim.Page) (scim.Page, error) {
	for res, err := range p.Stream {
		if err != nil {
			return p, err
		}
		p.Resources = append(p.Resources, res)
	}
	p.Total = p.Counted()
	return p, nil
}

func (r *result) add(of int, list []scim.Resource) {
	r.resources = slices.Grow(r.resources, len(list))
	for _, res := range list {
		r.resources = append(r.resources, found{res, of})
	}
}

// merged reads a page by startIndex of several types in one order.
func (s *search) merged() (result, error) {
	last := s.start - 1 + s.count
	if last > maxSorted {
		return result{}, scim.Errorf(http.StatusBadRequest, scim.TooMany,
			"a sorted search over several resource types ends at number %d; ask one type, or use a cursor", maxSorted)
	}
	var out result
	pages := make([][]scim.Resource, len(s.types))
	for i := range s.types {
		q := s.queries[i]
		q.Count = last
		page, err := s.list(i, q)
		if err != nil {
			return out, err
		}
		pages[i] = page.Resources
		out.total += page.Total
	}
	all := s.merge(pages, last)
	out.resources = all[min(s.start-1, len(all)):]
	return out, nil
}

// merge joins lists that are in order each into one of at most limit. What is equal
// stays in the order of the types.
func (s *search) merge(pages [][]scim.Resource, limit int) []found {
	keys := make([][]any, len(pages))
	for i, list := range pages {
		keys[i] = make([]any, len(list))
		if by := s.queries[i].Sort; by != nil {
			for n, res := range list {
				keys[i][n] = by.Key(s.types[i].SearchDoc(res))
			}
		}
	}
	var out []found
	next := make([]int, len(pages))
	for len(out) < limit {
		first := -1
		for i := range pages {
			if next[i] < len(pages[i]) && (first < 0 || s.order.Compare(keys[i][next[i]], keys[first][next[first]]) < 0) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		out = append(out, found{pages[first][next[first]], first})
		next[first]++
	}
	return out
}
