package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// swept makes n people without marks and a version to sweep for.
func swept(t *testing.T, db *storetest.DB, n int) {
	t.Helper()
	for i := range n {
		w := newUser(t, numbered("u", i), numbered("n", i), nil)
		w.Marks = nil
		create(t, db, w)
	}
	newVersion(t, db, 0)
}

func newVersion(t *testing.T, db *storetest.DB, after int64) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		_, err := tx.AddConfig(after, "digest", "body", "ops")
		return err
	})
}

func claimSweep(t *testing.T, db *storetest.DB, version int64, limit int) (store.SweepChunk, bool) {
	t.Helper()
	c, ok, err := db.ClaimSweep(t.Context(), version, limit, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return c, ok
}

func endSweep(t *testing.T, db *storetest.DB, c store.SweepChunk, differ ...string) {
	t.Helper()
	if err := db.EndSweepChunk(t.Context(), c, differ); err != nil {
		t.Fatal(err)
	}
}

func pending(t *testing.T, db *storetest.DB) int {
	t.Helper()
	n, oldest, err := db.Marks(t.Context())
	if err != nil || (n > 0) != (oldest != nil) {
		t.Fatalf("%d pending since %v: %v", n, oldest, err)
	}
	return n
}

// TestSweep: everybody is looked at once, in order, and only those marked are left.
func TestSweep(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		swept(t, db, 5)
		db.Exec(t, `UPDATE identities SET erased_at = 1 WHERE id = ?`, "i-u000001")
		began := clock.Now()
		if n := pending(t, db); n != 4 {
			t.Errorf("%d people are pending before anybody was looked at, want 4", n)
		}
		if _, ok := claimSweep(t, db, 2, 2); ok {
			t.Error("a sweep for a version that there is not")
		}
		first, ok := claimSweep(t, db, 1, 2)
		if !ok || first.Last || !slices.Equal(first.IDs, []string{"i-u000000", "i-u000002"}) {
			t.Fatalf("first chunk: %v %v", ok, first)
		}
		if _, ok := claimSweep(t, db, 1, 2); ok {
			t.Error("two have a chunk at one time")
		}
		clock.Add(30 * time.Second)
		endSweep(t, db, first, "i-u000002")
		if n := pending(t, db); n != 3 { // one marked, two not looked at
			t.Errorf("%d people are pending, want 3", n)
		}
		second, _ := claimSweep(t, db, 1, 3)
		endSweep(t, db, second)
		if _, ok := claimSweep(t, db, 1, 3); ok || !second.Last {
			t.Errorf("the sweep goes on after the last: %v", second)
		}
		marks := claim(t, db, 10)
		if diff := cmp.Diff([]string{"i-u000002"}, identitiesOf(marks)); diff != "" || !marks[0].MarkedAt.Equal(began) || marks[0].Urgent {
			t.Errorf("marks %v, the sweep began %s\n%s", marks, began, diff)
		}
	})
}

// TestSweepInterrupted: what somebody held who was killed, or whom a newer version
// overtook, is done again.
func TestSweepInterrupted(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		swept(t, db, 4)
		dead, _ := claimSweep(t, db, 1, 3)
		clock.Add(time.Minute)
		again, ok := claimSweep(t, db, 1, 3)
		if !ok || !slices.Equal(dead.IDs, again.IDs) {
			t.Fatalf("after the claim ran out: %v %v", ok, again.IDs)
		}
		endSweep(t, db, dead, "i-u000000") // it was only slow
		if got := claim(t, db, 10); len(got) != 0 {
			t.Errorf("marked by one who had lost the chunk: %v", got)
		}
		if n := pending(t, db); n != 4 {
			t.Errorf("%d pending, want 4", n)
		}
		newVersion(t, db, 1)
		endSweep(t, db, again, "i-u000001")
		if got := claim(t, db, 10); len(got) != 0 {
			t.Errorf("marked for a version that is in force no more: %v", got)
		}
		if _, ok := claimSweep(t, db, 1, 3); ok {
			t.Error("swept for an old version")
		}
		if c, ok := claimSweep(t, db, 2, 3); !ok || !slices.Equal(c.IDs, dead.IDs) {
			t.Errorf("the new version begins with %v", c.IDs)
		}
		if err := db.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, ok := claimSweep(t, db, 2, 3); ok != (db.Dialect == "sqlite") {
			t.Errorf("free after a restart on %s: %v", db.Dialect, ok)
		}
	})
}

// TestSweepRaisesMarks: who works on somebody under an older version does not clear
// the mark when the sweep has looked at them meanwhile.
func TestSweepRaisesMarks(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		swept(t, db, 3)
		update(t, db, func(tx *store.Tx) error { return tx.Mark(false, "i-u000000", "i-u000002") })
		old := claim(t, db, 10)
		c, _ := claimSweep(t, db, 1, 2)
		endSweep(t, db, c)
		update(t, db, func(tx *store.Tx) error {
			for _, m := range old {
				if err := tx.Unmark(m); err != nil {
					return err
				}
			}
			return nil
		})
		if diff := cmp.Diff([]string{"i-u000000"}, identitiesOf(claim(t, db, 10))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSweepTogether: many who want the next chunk get each person once.
func TestSweepTogether(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		const people = 40
		swept(t, db, people)
		var mu sync.Mutex
		var wg sync.WaitGroup
		seen := map[string]int{}
		for range 4 {
			wg.Go(func() {
				for range 2000 {
					c, ok, err := db.ClaimSweep(t.Context(), 1, 3, time.Minute)
					if err != nil {
						t.Error(err)
						return
					}
					if !ok {
						if n, _, err := db.Marks(t.Context()); n == 0 || err != nil {
							return
						}
						continue
					}
					mu.Lock()
					for _, id := range c.IDs {
						seen[id]++
					}
					mu.Unlock()
					if err := db.EndSweepChunk(t.Context(), c, nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was looked at %d times", id, n)
			}
		}
		if len(seen) != people || pending(t, db) != 0 {
			t.Errorf("%d of %d were looked at", len(seen), people)
		}
	})
}
