package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestOrderInterpretersAgree holds the two interpreters of a sort together: whatever
// is sorted by, pages by number and by position are those of Sort.Key and
// Sort.Compare over the search documents, with and without a filter.
func TestOrderInterpretersAgree(t *testing.T) {
	t.Parallel()
	registry := oddRegistry(t)
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		sorted, differ := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			p := drawPopulation(rt, registry)
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				for _, w := range p.writes {
					if err := tx.CreateResource(w); err != nil {
						return fmt.Errorf("create %s %s: %w", w.Type.Name, sketch(w.Resource.Attrs), err)
					}
				}
				return nil
			})
			if err != nil {
				rt.Fatal(err)
			}
			for range 12 {
				typ := rapid.SampledFrom(registry.Types).Draw(rt, "type")
				q := scim.Query{StartIndex: 1, Sort: drawSort(rt, typ)}
				if q.Sort == nil && rapid.Bool().Draw(rt, "sorted after all") {
					continue
				}
				if rapid.Bool().Draw(rt, "filtered") {
					q.Filter = p.filter(rt, typ)
				}
				want := p.sorted(typ, q)
				sorted++
				if q.Sort != nil && len(want) > 1 && !slices.IsSorted(want) {
					differ++
				}
				q.Count = rapid.IntRange(1, 4).Draw(rt, "count")
				sketch := fmt.Sprintf("sort %+v, filter %v, %d a page", q.Sort, q.Filter, q.Count)
				if got := pagesByNumber(rt, db, p.source, typ, q); !slices.Equal(got, want) {
					rt.Fatalf("%s, by number:\n got  %v\n want %v\n%s", sketch, got, want, p)
				}
				if got := pagesByPosition(rt, db, p.source, typ, q, len(want)); !slices.Equal(got, want) {
					rt.Fatalf("%s, by position:\n got  %v\n want %v\n%s", sketch, got, want, p)
				}
			}
		})
		if differ*20 < sorted {
			t.Errorf("only %d of %d orders are not that of the ids: the test sees too little", differ, sorted)
		}
	})
}

func drawSort(t *rapid.T, rt *scim.ResourceType) *scim.Sort {
	p, _ := drawPath(t, rt, nil)
	s, err := rt.ParseSort(p.String(), rapid.SampledFrom([]string{"", "ascending", "descending"}).Draw(t, "order"))
	if err != nil {
		return nil
	}
	return s
}

func (p *population) sorted(rt *scim.ResourceType, q scim.Query) []string {
	ids := []string{}
	for _, w := range p.writes {
		if doc := p.docs[w.Resource.ID]; doc != nil && w.Type == rt && (q.Filter == nil || q.Filter.Match(doc)) {
			ids = append(ids, w.Resource.ID)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if q.Sort != nil {
			if c := q.Sort.Compare(q.Sort.Key(p.docs[a]), q.Sort.Key(p.docs[b])); c != 0 {
				return c
			}
		}
		return strings.Compare(a, b)
	})
	return ids
}

func pagesByNumber(t *rapid.T, db *storetest.DB, source string, rt *scim.ResourceType, q scim.Query) []string {
	out := []string{}
	for {
		page, err := db.Resources(t.Context(), source, rt, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Resources {
			out = append(out, r.ID)
		}
		if len(page.Resources) < q.Count {
			return out
		}
		q.StartIndex += q.Count
	}
}

func pagesByPosition(t *rapid.T, db *storetest.DB, source string, rt *scim.ResourceType, q scim.Query, total int) []string {
	out := []string{}
	q.ByCursor = true
	for {
		page, err := db.Resources(t.Context(), source, rt, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Resources {
			out = append(out, r.ID)
		}
		if q.After == "" && page.Total != total {
			t.Fatalf("total %d, want %d", page.Total, total)
		}
		if q.After = page.Next; q.After == "" {
			return out
		}
		if len(page.Resources) != q.Count {
			t.Fatalf("%d resources on a page of %d that is not the last", len(page.Resources), q.Count)
		}
	}
}
