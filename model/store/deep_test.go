package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// idAt is a UUID of version 7 of a moment.
func idAt(at time.Time, n int) string {
	ms := at.UnixMilli()
	var id uuid.UUID
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[7] = 0x70|byte(n>>8&0xf), byte(n)
	id[8] = 0x80
	return id.String()
}

// TestDeepPages: whatever two stores on one database create and delete, a page found
// by an anchor is the page that counting finds.
func TestDeepPages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		clock := storetest.NewClock(noon())
		stores := []*storetest.DB{storetest.OpenURL(t, db.Dialect, db.URL, store.Options{Now: clock.Now}), storetest.OpenURL(t, db.Dialect, db.URL, store.Options{Now: clock.Now})}
		for _, s := range stores {
			s.AnchorDeepPages(7, 10)
		}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		var alive []string
		made := 0
		add := func() {
			made++
			id := idAt(clock.Now().Add(-time.Duration(random.IntN(90))*time.Second), made) // not quite in order, as with several hosts
			create(t, stores[random.IntN(2)], newUser(t, id, fmt.Sprint("user", made), nil))
			alive = append(alive, id)
			slices.Sort(alive)
		}
		remove := func(i int) {
			w := newUser(t, alive[i], "", nil)
			w.Action = "delete"
			update(t, stores[random.IntN(2)], func(tx *store.Tx) error { return tx.DeleteResource(w) })
			alive = slices.Delete(alive, i, i+1)
		}
		for range 120 {
			clock.Add(time.Second)
			add()
		}
		byAnchor := 0
		for round := range 120 {
			clock.Add(time.Duration(random.IntN(40)) * time.Second)
			switch n := random.IntN(10); {
			case n < 4:
				add()
			case n < 7 && len(alive) > 40:
				remove(random.IntN(len(alive)))
			case n == 7 && round%3 == 0: // a deletion that is not told in time
				db.Exec(t, `DELETE FROM resource_tombstones`)
			}
			for i, s := range stores {
				start := 1 + random.IntN(len(alive)+5)
				page, err := s.Resources(t.Context(), "hr", userType(t), scim.Query{StartIndex: start, Count: 1 + random.IntN(9)})
				if err != nil {
					t.Fatal(err)
				}
				if s.Anchors("hr", "User") > 0 {
					byAnchor++
				}
				if page.Total != len(alive) {
					t.Fatalf("round %d: total %d, want %d", round, page.Total, len(alive))
				}
				for j, r := range page.Resources {
					if r.ID != alive[start-1+j] {
						t.Fatalf("round %d, store %d: at %d+%d is %s, want %s", round, i, start, j, r.ID, alive[start-1+j])
					}
				}
				if len(page.Resources) == 0 && start <= len(alive) {
					t.Fatalf("round %d: nothing at %d of %d", round, start, len(alive))
				}
			}
		}
		if byAnchor < 100 {
			t.Errorf("only %d pages were found with anchors about", byAnchor)
		}
	})
}

// TestDeepPagesTogether: pages that many read at once while resources go are whole and
// in order, and in the end exact.
func TestDeepPagesTogether(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		db.AnchorDeepPages(7, 10)
		const people = 120
		ids := make([]string, people)
		update(t, db, func(tx *store.Tx) error {
			for i := range people {
				ids[i] = idAt(noon().AddDate(-10, 0, 0).Add(time.Duration(i)*time.Minute), i)
				if err := tx.CreateResource(newUser(t, ids[i], fmt.Sprint("user", i), nil)); err != nil {
					return err
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for start := 15; start < 60; start++ {
					page, err := db.Resources(t.Context(), "hr", userType(t), scim.Query{StartIndex: start, Count: 5})
					if err != nil || len(page.Resources) != 5 || !slices.IsSortedFunc(page.Resources, func(a, b scim.Resource) int { return strings.Compare(a.ID, b.ID) }) {
						t.Errorf("at %d: %d resources, %v", start, len(page.Resources), err)
					}
				}
			})
		}
		for i := range 40 {
			w := newUser(t, ids[3*i], "", nil)
			w.Action = "delete"
			update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(w) })
		}
		wg.Wait()
		var alive []string
		for i, id := range ids {
			if i%3 != 0 {
				alive = append(alive, id)
			}
		}
		for start := 11; start <= len(alive); start++ {
			page, err := db.Resources(t.Context(), "hr", userType(t), scim.Query{StartIndex: start, Count: 1})
			if err != nil || len(page.Resources) != 1 || page.Resources[0].ID != alive[start-1] || page.Total != len(alive) {
				t.Fatalf("at %d: %v, %v", start, page, err)
			}
		}
		if db.Anchors("hr", "User") == 0 {
			t.Error("there were no anchors")
		}
	})
}
