package memory

import (
	"context"

	"github.com/scimhub/scimhub/model/scim"
)

// List returns a page in order of creation or, with q.Sort, in its order; equal
// resources are in order of creation.
func (s *Store) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tb, err := s.table(t)
	if err != nil {
		return scim.Page{}, err
	}
	matches := tb.order
	if q.Filter != nil {
		if matches, err = s.search(ctx, tb, q.Filter); err != nil {
			return scim.Page{}, err
		}
	}
	if q.Sort != nil {
		matches = s.sorted(tb, matches, q.Sort)
	}
	page := scim.Page{StartIndex: max(1, q.StartIndex), Total: len(matches)}
	from := min(page.StartIndex-1, len(matches))
	if q.ByCursor && q.After != "" {
		page.Total = -1 // of another moment than the first page's
		if from, err = s.behind(tb, matches, q); err != nil {
			return scim.Page{}, err
		}
	}
	matches = matches[from:]
	shown := matches[:min(max(0, q.Count), len(matches))]
	for _, rec := range shown {
		page.Resources = append(page.Resources, s.complete(rec, q.Fields))
	}
	if n := len(shown); q.ByCursor && n > 0 && n < len(matches) {
		page.Next, err = s.positionOf(tb, shown[n-1], q.Sort).encode()
	}
	return page, err
}

// search returns the records that match, in order.
func (s *Store) search(ctx context.Context, tb *table, f scim.Filter) ([]*record, error) {
	var out []*record
	for i, rec := range tb.candidates(f) {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Match(s.document(tb, rec)) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// document is the search document of a record with its computed attributes.
func (s *Store) document(tb *table, rec *record) map[string]any {
	if doc := rec.doc.Load(); doc != nil {
		return *doc
	}
	doc := tb.kind.SearchDoc(s.complete(rec, scim.Fields{}))
	rec.doc.Store(&doc)
	return doc
}

// candidates narrows a search down to what an index says may match: all records,
// or those with the value of one equality that every match must satisfy.
func (tb *table) candidates(f scim.Filter) []*record {
	switch f := f.(type) {
	case scim.Compare:
		if found, ok := tb.equal(f); ok {
			return found
		}
	case scim.And:
		for _, term := range f.Terms {
			if c, ok := term.(scim.Compare); ok {
				if found, ok := tb.equal(c); ok {
					return found
				}
			}
		}
	}
	return tb.order
}

func (tb *table) equal(c scim.Compare) ([]*record, bool) {
	if c.Op != scim.Eq || c.Value == nil || c.Path.URI != "" || c.Path.Sub != "" || c.Path.Filter != nil {
		return nil, false
	}
	if c.Path.Attr == "id" {
		id, _ := c.Value.(string)
		if rec, ok := tb.byID[id]; ok {
			return []*record{rec}, true
		}
		return nil, true
	}
	for _, k := range tb.keys {
		if k.name == c.Path.Attr {
			return tb.lookup[k.name][c.Value], true
		}
	}
	return nil, false
}
