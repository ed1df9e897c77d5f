package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestFindAudit: every entry that fits is found once, the newest first, whatever the
// size of a page and however little is looked through for one.
func TestFindAudit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		begin := db.Now().Add(-time.Hour)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			for n := range 60 {
				e := store.AuditEntry{At: begin.Add(time.Duration(n/3) * time.Minute), Actor: []string{"Ada", "bob_1", "bobx1"}[n%3], Action: []string{"test.one", "test.two"}[n%2],
					Object: fmt.Sprintf("thing/%d%%", n), Identity: []string{"i1", ""}[n%2]}
				if err := tx.Audit(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			q    store.AuditSearch
			want int
		}{
			"all":          {store.AuditSearch{Action: "test."}, 60},
			"no text":      {store.AuditSearch{Since: begin, Until: begin.Add(59 * time.Minute)}, 60},
			"actor":        {store.AuditSearch{Actor: "aDA"}, 20},
			"underscore":   {store.AuditSearch{Actor: "bob_"}, 20},
			"percent":      {store.AuditSearch{Object: "9%"}, 6},
			"both":         {store.AuditSearch{Actor: "ada", Action: "one"}, 10},
			"somebody":     {store.AuditSearch{Identities: []string{"i1"}}, 30},
			"somebody and": {store.AuditSearch{Identities: []string{"i1", "i2"}, Actor: "bob_1"}, 10},
			"span":         {store.AuditSearch{Since: begin.Add(5 * time.Minute), Until: begin.Add(6 * time.Minute)}, 6},
			"nobody":       {store.AuditSearch{Actor: "'; --"}, 0},
			"no identity":  {store.AuditSearch{Identities: []string{"i3"}}, 0},
		} {
			for _, limit := range []int{1, 7, 100} {
				q := c.q
				q.Limit, q.Look = limit, 9
				seen, last := map[string]bool{}, begin.Add(24*time.Hour)
				for turns := 0; ; turns++ {
					found, err := db.FindAudit(t.Context(), q)
					if err != nil || turns > 200 {
						t.Fatalf("%s: %v after %d pages", name, err, turns)
					}
					for _, e := range found.Entries {
						if seen[e.Object] || e.At.After(last) {
							t.Errorf("%s, %d a page: %s twice or out of order", name, limit, e.Object)
						}
						seen[e.Object], last = true, e.At
					}
					if q.After = found.Next; q.After == "" {
						break
					}
				}
				if len(seen) != c.want {
					t.Errorf("%s, %d a page: %d found, want %d", name, limit, len(seen), c.want)
				}
			}
		}
		if _, err := db.FindAudit(t.Context(), store.AuditSearch{After: "x", Limit: 1}); model.CodeOf(err) != model.Invalid {
			t.Errorf("a cursor that is none: %v", err)
		}
	})
}
