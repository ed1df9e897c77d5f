package store_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func tellOf(t *testing.T, db *storetest.DB, list ...store.Notice) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.Notify(list...) }); err != nil {
		t.Fatal(err)
	}
}

// TestNotices: told once by key, listed in pages, expanded by one replica each.
func TestNotices(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for range 3 {
			tellOf(t, db, store.Notice{Type: "plan.held", Subject: "target/git", Key: "git/1"}, store.Notice{Type: "plan.released", Subject: "target/git", Key: "git/1"},
				store.Notice{Type: "plan.held", Subject: "target/git"})
		}
		if n := db.Int(t, `SELECT count(*) FROM notices`); n != 5 {
			t.Errorf("%d notices, want one for each key and all without", n)
		}
		var seen []string
		for after := ""; ; {
			var list []store.Notice
			err := db.View(t.Context(), func(tx *store.Tx) (err error) {
				list, after, err = tx.Notices(store.NoticeFilter{Type: "plan.held", After: after, Limit: 2})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				seen = append(seen, n.ID)
			}
			if after == "" {
				break
			}
		}
		if len(seen) != 4 || !slices.IsSortedFunc(seen, func(a, b string) int { return cmp.Compare(b, a) }) || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 4 {
			t.Errorf("pages %v", seen)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for more := true; more; {
					var err error
					more, err = db.Expand(t.Context(), 2, func(_ *store.Tx, n store.Notice) ([]store.NewDelivery, error) {
						return []store.NewDelivery{{Notice: n.ID, Receiver: "ops", At: noon()}, {Notice: n.ID, Receiver: "ops", At: noon()}}, nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for more := true; more; { // what another had taken when the last of the three looked
			more, _ = db.Expand(t.Context(), 10, func(*store.Tx, store.Notice) ([]store.NewDelivery, error) { return nil, nil })
		}
		if n := db.Int(t, `SELECT count(*) FROM deliveries`); n != 5 {
			t.Errorf("%d deliveries", n)
		}
	})
}

// TestDeliveriesAreTakenOnce: by many at once, and what is old goes.
func TestDeliveriesAreTakenOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, fresh *storetest.DB) {
		clock := storetest.NewClock(noon())
		db := storetest.OpenURL(t, fresh.Dialect, fresh.URL, store.Options{Now: clock.Now})
		for range 30 {
			tellOf(t, db, store.Notice{Type: "plan.held", Subject: "target/git"})
		}
		if _, err := db.Expand(t.Context(), 100, func(_ *store.Tx, n store.Notice) ([]store.NewDelivery, error) {
			return []store.NewDelivery{{Notice: n.ID, Receiver: "ops", At: noon()}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		taken := map[string]int{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					list, err := db.ClaimDeliveries(t.Context(), "ops", 4, time.Minute)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					for _, d := range list {
						taken[d.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range taken {
			if n != 1 {
				t.Errorf("%s was taken %d times", id, n)
			}
		}
		if pending, err := db.PendingDeliveries(t.Context()); len(taken) != 30 || err != nil || pending["ops"] != 30 {
			t.Errorf("%d taken, pending %v, %v", len(taken), pending, err)
		}
		clock.Add(2 * time.Hour)
		if err := db.AbandonDeliveries(t.Context(), []string{"ops"}, clock.Now(), "gone"); err != nil {
			t.Fatal(err)
		}
		if pending, _ := db.PendingDeliveries(t.Context()); pending["ops"] != 30 {
			t.Error("what is for a receiver that is there was given up")
		}
		if err := db.AbandonDeliveries(t.Context(), nil, clock.Now(), "gone"); err != nil {
			t.Fatal(err)
		}
		if pending, _ := db.PendingDeliveries(t.Context()); pending["ops"] != 0 {
			t.Errorf("pending %v", pending)
		}
		if _, more, err := db.PruneBatch(t.Context(), "r1", "notices", noon(), 20); err != nil || more || db.Int(t, `SELECT count(*) FROM notices`) != 30 {
			t.Errorf("what is not old is gone: %v, %v", more, err)
		}
		if _, more, err := db.PruneBatch(t.Context(), "r1", "notices", clock.Now(), 20); err != nil || !more || db.Int(t, `SELECT count(*) FROM deliveries`) != 10 {
			t.Errorf("the oldest are not gone: %v, %v", more, err)
		}
	})
}

// TestWhatIsHeldIsToldOnce: with the first account, and again after all were let go.
func TestWhatIsHeldIsToldOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		told := func() int { return db.Int(t, `SELECT count(*) FROM notices WHERE type = 'plan.held'`) }
		settle := func(id string, state model.AccountState) {
			t.Helper()
			row := model.AccountRow{Target: "git", Identity: id, State: state, LastError: "removal 6 of at most 5", NextAttempt: noon()}
			if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: row}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"i-1", "i-2"} {
			if err := db.Update(t.Context(), func(tx *store.Tx) error {
				return tx.SetDesiredAll([]model.AccountRow{{Target: "git", Identity: id, State: model.StatePending, NextAttempt: noon()}})
			}); err != nil {
				t.Fatal(err)
			}
			db.Exec(t, `UPDATE accounts SET generation = 0 WHERE identity_id = ?`, id)
		}
		settle("i-1", model.StateHeld)
		settle("i-2", model.StateHeld)
		settle("i-1", model.StateHeld)
		if told() != 1 {
			t.Errorf("told %d times while it lasts", told())
		}
		settle("i-1", model.StateInSync)
		settle("i-2", model.StateInSync)
		db.Exec(t, `UPDATE notices SET key = 'earlier'`) // of another minute
		settle("i-1", model.StateHeld)
		if told() != 2 {
			t.Errorf("told %d times when it begins again", told())
		}
	})
}
