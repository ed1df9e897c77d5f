package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestIntents: what is about to be sent is kept as it was given until a settlement
// replaces it, for many accounts at once, and changes nothing else of them.
func TestIntents(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		var intents []store.Intent
		for i := range 250 {
			row := desired(fmt.Sprint("i", i))
			setDesired(t, db, row)
			intents = append(intents, store.Intent{Identity: row.Identity, Generation: 1, Create: i%2 == 0, Sent: []model.Account{*row.Desired, {}}})
		}
		intents = append(intents, store.Intent{Identity: "i249", Generation: 7, Create: true})
		stored, err := db.SaveIntents(t.Context(), "git", intents)
		if err != nil || len(stored) != 250 {
			t.Fatal(len(stored), err)
		}
		setDesired(t, db, desired("i5"))
		if stored, err := db.SaveIntents(t.Context(), "git", intents[5:7]); err != nil || len(stored) != 1 || !stored["i6"] {
			t.Errorf("decided anew: %v %v", stored, err)
		}
		for i, owned := range map[int]string{0: model.OwnedCreating, 248: model.OwnedCreating, 249: ""} {
			got, want := accountOf(t, db, fmt.Sprint("i", i)), desired(fmt.Sprint("i", i))
			if diff := cmp.Diff([]model.Account{*want.Desired, {}}, got.Sent); diff != "" || got.Owned != owned || !got.Due {
				t.Errorf("i%d: %+v\n%s", i, got, diff)
			}
		}
		row := accountOf(t, db, "i0")
		row.Sent = nil
		if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: row}}); err != nil {
			t.Fatal(err)
		}
		if got := accountOf(t, db, "i0"); got.Sent != nil {
			t.Errorf("settled: %+v", got.Sent)
		}
	})
}

// TestReclaim: a process that starts on SQLite need not wait for what its
// predecessor held; on PostgreSQL that may be another replica's.
func TestReclaim(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		update(t, db, func(tx *store.Tx) error { return tx.Mark(false, "a") })
		if got := claim(t, db, 9); len(got) != 1 {
			t.Fatal(got)
		}
		if ok, err := db.LeaseTarget(t.Context(), "git", "crashed", time.Minute); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := db.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		free := db.Dialect == storetest.SQLite
		if got := claim(t, db, 9); (len(got) == 1) != free {
			t.Errorf("claimed %v", got)
		}
		if ok, err := db.LeaseTarget(t.Context(), "git", "new", time.Minute); ok != free || err != nil {
			t.Errorf("leased %t %v", ok, err)
		}
	})
}

// TestDesiredAfterIntent: who takes a wish back has read a row for which nothing was
// made yet, and meanwhile a create has begun: there is something to do all the same.
func TestDesiredAfterIntent(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		setDesired(t, db, desired("i1"), desired("i2"))
		if _, err := db.SaveIntents(t.Context(), "git", []store.Intent{{Identity: "i1", Generation: 1, Create: true, Sent: []model.Account{*desired("i1").Desired}}}); err != nil {
			t.Fatal(err)
		}
		for id, due := range map[string]bool{"i1": true, "i2": false} {
			setDesired(t, db, model.AccountRow{Target: "git", Identity: id, State: model.StateDeleted, Due: false})
			got := accountOf(t, db, id)
			if state := map[bool]model.AccountState{true: model.StatePending, false: model.StateDeleted}[due]; got.Due != due || got.State != state {
				t.Errorf("%s: due %t, %s", id, got.Due, got.State)
			}
		}
	})
}
