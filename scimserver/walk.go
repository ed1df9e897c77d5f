package scimserver

import (
	"net/http"

	"github.com/scimhub/scimhub/model/scim"
)

// locate finds out where a walk by cursor stands.
func (s *search) locate(level string, r scim.SearchRequest) error {
	s.bound = binding(s.x.client.Source, level, r)
	if *r.Cursor == "" {
		s.at = begun(len(s.types), s.count)
		return nil
	}
	var err error
	if s.at, err = s.x.cursors.open(*r.Cursor, s.bound, len(s.types)); err != nil {
		return err
	}
	// A client that leaves count out goes on with that of the first page.
	if r.Count != nil && s.count != s.at.Count {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidCount, "count: must stay the same on every page of a cursor")
	}
	s.count = s.at.Count
	return nil
}

// first reports whether the walk has just begun: then totals are counted.
func (s *search) first() bool { return s.at.Expires == 0 }

// query asks the type with number i for what comes next.
func (s *search) query(i, count int) scim.Query {
	q := s.queries[i]
	q.ByCursor, q.After, q.Count = true, *s.at.Positions[i], count
	return q
}

// after reads a page by cursor, one type behind the other.
func (s *search) after() (result, error) {
	var out result
	room := s.count
	for i := range s.types {
		if s.at.Positions[i] == nil {
			continue
		}
		if room == 0 {
			more, err := s.peek(i, &out)
			if err != nil {
				return out, err
			}
			if more && !s.first() {
				break
			}
			continue
		}
		page, err := s.list(i, s.query(i, room))
		if err != nil {
			return out, err
		}
		out.add(i, page.Resources)
		out.total += max(0, page.Total)
		room -= len(page.Resources)
		s.advance(i, page.Next)
		if page.Next != "" && room > 0 {
			room = 0 // a backend may stop early; the next page goes on there
		}
	}
	return s.finish(out)
}

// peek finds out whether a type that a full page leaves over holds anything, and
// how much on a first page: the last page must not promise another.
func (s *search) peek(i int, out *result) (more bool, err error) {
	begun := *s.at.Positions[i] != ""
	if begun && !s.first() {
		return true, nil // a backend gives no position with nothing behind it
	}
	q := s.query(i, min(1, s.count))
	q.Fields = scim.Fields{Include: []scim.Path{{Attr: "id"}}}
	page, err := s.list(i, q)
	if err != nil {
		return false, err
	}
	out.total += max(0, page.Total)
	if len(page.Resources) == 0 {
		s.advance(i, "")
	}
	return len(page.Resources) > 0, nil
}

func (s *search) advance(i int, next string) {
	s.at.Positions[i] = nil
	if next != "" {
		s.at.Positions[i] = &next
	}
}

// mergedAfter reads a page by cursor of several types in one order.
func (s *search) mergedAfter() (result, error) {
	var out result
	pages := make([]scim.Page, len(s.types))
	lists := make([][]scim.Resource, len(s.types))
	for i := range s.types {
		if s.at.Positions[i] == nil {
			continue
		}
		var err error
		if pages[i], err = s.list(i, s.query(i, s.count)); err != nil {
			return out, err
		}
		lists[i] = pages[i].Resources
		out.total += max(0, pages[i].Total)
	}
	taken := make([]int, len(s.types))
	for _, f := range s.merge(lists, s.count) {
		taken[f.of]++
	}
	for i := range s.types {
		switch {
		case s.at.Positions[i] == nil:
			continue
		case taken[i] == 0 && len(lists[i]) > 0:
			lists[i] = nil // another page has them
			continue
		case taken[i] < len(lists[i]):
			// The position behind the last one taken is known to the backend only.
			page, err := s.list(i, s.query(i, taken[i]))
			if err != nil {
				return out, err
			}
			pages[i], lists[i] = page, page.Resources
		}
		s.advance(i, pages[i].Next)
	}
	out.resources = s.merge(lists, s.count)
	return s.finish(out)
}

// finish adds the cursor for the next page, if there is one.
func (s *search) finish(out result) (result, error) {
	if s.first() {
		s.at.Total = out.total
	}
	out.total = s.at.Total
	if s.count == 0 || s.at.done() {
		return out, nil
	}
	var err error
	out.next, err = s.x.cursors.seal(s.at, s.bound)
	return out, err
}
