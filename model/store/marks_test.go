package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// withClock runs a test on every dialect with a clock of its own that stands still.
func withClock(t *testing.T, run func(t *testing.T, db *storetest.DB, clock *storetest.Clock)) {
	t.Helper()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock(noon())
			run(t, storetest.Open(t, dialect, store.Options{Now: clock.Now}), clock)
		})
	}
}

func claim(t *testing.T, db *storetest.DB, limit int) []store.Mark {
	t.Helper()
	marks, err := db.ClaimMarks(t.Context(), limit, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func identitiesOf(marks []store.Mark) []string {
	out := make([]string, len(marks))
	for i, m := range marks {
		out[i] = m.Identity
	}
	return out
}

func TestMarksAreLevels(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		mark := func(urgent bool, ids ...string) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error { return tx.Mark(urgent, ids...) })
		}
		unmark := func(m store.Mark) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error { return tx.Unmark(m) })
		}
		mark(false, "a", "a", "b")
		got := claim(t, db, 1)
		if len(got) != 1 || got[0].Identity != "a" || !got[0].MarkedAt.Equal(noon()) || got[0].Urgent {
			t.Fatalf("claimed %v", got)
		}
		if again := identitiesOf(claim(t, db, 9)); !slices.Equal(again, []string{"b"}) {
			t.Errorf("claimed %v while a is taken", again)
		}
		mark(true, "a") // raised while worked on, in the same microsecond
		unmark(got[0])
		got = claim(t, db, 9)
		if len(got) != 1 || got[0].Identity != "a" || !got[0].Urgent {
			t.Fatalf("the mark raised meanwhile is lost: %v", got)
		}
		unmark(got[0])
		if n, oldest, err := db.Marks(t.Context()); n != 1 || oldest == nil || err != nil {
			t.Errorf("%d marks, oldest %v, %v; want b alone", n, oldest, err)
		}
		clock.Add(time.Minute) // b's claim ends
		got = claim(t, db, 9)
		if !slices.Equal(identitiesOf(got), []string{"b"}) {
			t.Errorf("claimed %v after the claim ended", got)
		}
		unmark(got[0])
		if n, oldest, err := db.Marks(t.Context()); n != 0 || oldest != nil || err != nil {
			t.Errorf("%d marks, oldest %v, %v", n, oldest, err)
		}
	})
}

func TestUrgentMarksFirst(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		for _, m := range []struct {
			id     string
			urgent bool
		}{{"z-old", false}, {"b-new", false}, {"y-leaver", true}, {"a-leaver", true}} {
			clock.Add(time.Second)
			update(t, db, func(tx *store.Tx) error { return tx.Mark(m.urgent, m.id) })
		}
		if got, want := identitiesOf(claim(t, db, 3)), []string{"y-leaver", "a-leaver", "z-old"}; !slices.Equal(got, want) {
			t.Errorf("claimed %v, want %v", got, want)
		}
	})
}

// TestClaimsNeverOverlap: many workers, each mark to one of them, none left out.
func TestClaimsNeverOverlap(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		const n, workers = 300, 5
		ids := make([]string, n)
		for i := range ids {
			ids[i] = numbered("i", i)
		}
		update(t, db, func(tx *store.Tx) error { return tx.Mark(false, ids...) })
		var mu sync.Mutex
		var errs []error
		taken := map[string]int{}
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for {
					marks, err := db.ClaimMarks(t.Context(), 7, time.Hour)
					mu.Lock()
					if err != nil || len(marks) > 7 {
						errs = append(errs, err, fmt.Errorf("%d marks claimed, at most 7 asked for", len(marks)))
					}
					for _, m := range marks {
						taken[m.Identity]++
					}
					mu.Unlock()
					if err != nil || len(marks) == 0 {
						return
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		// A worker that saw only locked rows went home early; the rest is free.
		for _, m := range claim(t, db, n) {
			taken[m.Identity]++
		}
		for _, id := range ids {
			if taken[id] != 1 {
				t.Errorf("%s was claimed %d times", id, taken[id])
			}
		}
	})
}

func TestMarkTimed(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		for i := range 4 {
			w := newUser(t, numbered("u", i), numbered("n", i), nil)
			w.Marks = nil
			create(t, db, w)
		}
		soon, later := noon().Add(time.Hour), noon().Add(2*time.Hour)
		update(t, db, func(tx *store.Tx) error {
			for i, at := range []*time.Time{&later, &soon, nil, &soon} {
				row, err := tx.Identity("i-" + numbered("u", i))
				if err != nil {
					return err
				}
				row.NextAt = at
				if err := tx.SaveIdentity(row); err != nil {
					return err
				}
			}
			return nil
		})
		if n, err := db.MarkTimed(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("%d marked before their time: %v", n, err)
		}
		clock.Set(soon)
		if n, err := db.MarkTimed(t.Context(), 10); n != 2 || err != nil {
			t.Errorf("%d marked, want 2: %v", n, err)
		}
		if n, err := db.MarkTimed(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("%d marked again: %v", n, err)
		}
		marks := claim(t, db, 10)
		if diff := cmp.Diff([]string{"i-u000001", "i-u000003"}, identitiesOf(marks)); diff != "" || !marks[0].Urgent {
			t.Errorf("marks %v\n%s", marks, diff)
		}
	})
}

func TestLease(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		lease := func(holder string) bool {
			t.Helper()
			ok, err := db.LeaseTarget(t.Context(), "git", holder, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		var wg sync.WaitGroup
		won := make([]bool, 8)
		errs := make([]error, 8)
		for i := range won {
			wg.Go(func() { won[i], errs[i] = db.LeaseTarget(t.Context(), "git", fmt.Sprint("r", i), time.Minute) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		holder := fmt.Sprint("r", slices.Index(won, true))
		if n := len(slices.DeleteFunc(slices.Clone(won), func(b bool) bool { return !b })); n != 1 {
			t.Fatalf("%d of 8 have the lease", n)
		}
		clock.Add(30 * time.Second)
		if !lease(holder) {
			t.Error("the holder could not renew")
		}
		clock.Add(59 * time.Second)
		if lease("other") {
			t.Error("taken although it was renewed")
		}
		if err := db.ReleaseTarget(t.Context(), "git", "other"); err != nil || lease("other") {
			t.Errorf("given back by somebody else: %v", err)
		}
		clock.Add(time.Second)
		if !lease("other") {
			t.Error("not free after its time")
		}
		if lease(holder) {
			t.Error("the old holder renewed what it has lost")
		}
		if err := db.ReleaseTarget(t.Context(), "git", "other"); err != nil || !lease(holder) {
			t.Errorf("not free after it was given back: %v", err)
		}
		if ok, err := db.LeaseTarget(t.Context(), "chat", "other", time.Minute); !ok || err != nil {
			t.Errorf("another target: %v %v", ok, err)
		}
	})
}
