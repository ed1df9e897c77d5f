package memory

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"sort"

	"github.com/scimhub/scimhub/model/scim"
)

// sorted returns the records in the order of by, which leaves list alone.
func (s *Store) sorted(tb *table, list []*record, by *scim.Sort) []*record {
	type keyed struct {
		key any
		rec *record
	}
	all := make([]keyed, len(list))
	for i, rec := range list {
		all[i] = keyed{by.Key(s.document(tb, rec)), rec}
	}
	slices.SortFunc(all, func(x, y keyed) int {
		return cmp.Or(by.Compare(x.key, y.key), cmp.Compare(x.rec.seq, y.rec.seq))
	})
	out := make([]*record, len(all))
	for i, k := range all {
		out[i] = k.rec
	}
	return out
}

// spot is a position in a list: where a record is, or was. One of the first four is
// the key of a sorted list; none is set where the record has no value there.
type spot struct {
	Text  *string  `json:"t,omitempty"`
	Int   *int64   `json:"i,omitempty"`
	Float *float64 `json:"f,omitempty"`
	Bool  *bool    `json:"b,omitempty"`
	Seq   uint64   `json:"s"`
}

func (s *Store) positionOf(tb *table, rec *record, by *scim.Sort) spot {
	p := spot{Seq: rec.seq}
	if by == nil {
		return p
	}
	switch key := by.Key(s.document(tb, rec)).(type) {
	case string:
		p.Text = &key
	case int64:
		p.Int = &key
	case float64:
		p.Float = &key
	case bool:
		p.Bool = &key
	}
	return p
}

func (p spot) key() any {
	switch {
	case p.Text != nil:
		return *p.Text
	case p.Int != nil:
		return *p.Int
	case p.Float != nil:
		return *p.Float
	case p.Bool != nil:
		return *p.Bool
	}
	return nil
}

func (p spot) encode() (string, error) {
	text, err := json.Marshal(p)
	return string(text), err
}

// behind finds the first record behind the position that q names: 400 invalidCursor
// if it is none.
func (s *Store) behind(tb *table, list []*record, q scim.Query) (int, error) {
	var p spot
	if err := json.Unmarshal([]byte(q.After), &p); err != nil {
		return 0, &scim.Error{Status: http.StatusBadRequest, Type: scim.InvalidCursor, Detail: "cursor: no position of this service", Err: err}
	}
	key := p.key()
	return sort.Search(len(list), func(i int) bool {
		if q.Sort != nil {
			if c := q.Sort.Compare(q.Sort.Key(s.document(tb, list[i])), key); c != 0 {
				return c > 0
			}
		}
		return list[i].seq > p.Seq
	}), nil
}
