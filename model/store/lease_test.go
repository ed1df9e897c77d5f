package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// Who lost a lease and did not notice must not renew it, however it stands by now, nor
// store anything under it.
func TestLeaseIsFenced(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		lease := func(holder string) {
			t.Helper()
			if ok, err := db.LeaseTarget(t.Context(), "git", holder, time.Minute); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		renew := func(holder string) bool {
			t.Helper()
			ok, err := db.RenewTarget(t.Context(), "git", holder, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		write := func(holder string) error {
			return db.Update(store.UnderLease(t.Context(), "git", holder), func(tx *store.Tx) error { return tx.Mark(false, "i-"+holder) })
		}
		if err := write("a"); !errors.Is(err, store.ErrLeaseLost) || model.CodeOf(err) != model.Conflict {
			t.Errorf("written under a lease that nobody took: %v", err)
		}
		lease("a")
		if err := write("a"); err != nil {
			t.Error(err)
		}
		clock.Add(2 * time.Minute)
		if err := write("a"); err != nil {
			t.Errorf("nobody else has it: %v", err)
		}
		if !renew("a") {
			t.Error("a lease that nobody took cannot be renewed")
		}
		clock.Add(2 * time.Minute)
		lease("b")
		if renew("a") {
			t.Error("renewed though another has it")
		}
		if err := write("a"); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("written though another has it: %v", err)
		}
		if err := db.ReleaseTarget(t.Context(), "git", "b"); err != nil {
			t.Fatal(err)
		}
		if renew("a") {
			t.Error("renewed though another had it meanwhile")
		}
		if err := write("a"); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("written though another had it meanwhile: %v", err)
		}
		for _, m := range claim(t, db, 9) {
			if m.Identity != "i-a" {
				t.Errorf("marked %s", m.Identity)
			}
		}
	})
}

// Who takes a lease that has run out waits for what is being stored under it.
func TestLeaseWaitsForWriters(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.Postgres)
	if ok, err := db.LeaseTarget(t.Context(), "git", "a", time.Millisecond); !ok || err != nil {
		t.Fatal(ok, err)
	}
	inside, finish, wrote, took := make(chan bool), make(chan bool), make(chan error, 1), make(chan error, 1)
	go func() {
		wrote <- db.Update(store.UnderLease(t.Context(), "git", "a"), func(tx *store.Tx) error {
			inside <- true
			<-finish
			return tx.Mark(false, "late")
		})
	}()
	<-inside
	go func() {
		ok, err := false, error(nil)
		for err == nil && !ok { // until it has run out by the server's clock
			ok, err = db.LeaseTarget(t.Context(), "git", "b", time.Minute)
		}
		took <- err
	}()
	select {
	case err := <-took:
		t.Errorf("taken under the hands of a writer: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(finish)
	if err := errors.Join(<-wrote, <-took); err != nil {
		t.Error(err)
	}
}

// Leases go by the server's clock: a replica whose own is an hour ahead takes none early,
// and one that is behind does not keep its own for ever.
func TestLeaseClocksDiffer(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		clock := storetest.NewClock(time.Now().Add(ahead))
		db := storetest.Open(t, storetest.Postgres, store.Options{Now: clock.Now})
		db.GoByServer()
		if ok, err := db.LeaseTarget(t.Context(), "git", "a", time.Minute); !ok || err != nil {
			t.Fatal(ok, err)
		}
		clock.Add(2 * ahead)
		if ok, err := db.LeaseTarget(t.Context(), "git", "b", time.Minute); ok || err != nil {
			t.Errorf("%s ahead: taken by somebody else: %t %v", ahead, ok, err)
		}
		if left := db.Int(t, `SELECT leased_until / 1000000 - CAST(extract(epoch FROM clock_timestamp()) AS bigint) FROM targets`); left < 50 || left > 60 {
			t.Errorf("%s ahead: %d s left of a minute", ahead, left)
		}
	}
}

// What was sent without a lease makes an account due, to be read, and changes no fact.
func TestDoubt(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		old, late := model.Account{UserName: "ann", Active: true}, model.Account{UserName: "ann", Active: false}
		update(t, db, func(tx *store.Tx) error {
			return tx.SetDesiredAll([]model.AccountRow{{Target: "git", Identity: "i", Desired: &old, State: model.StatePending, Due: true}, {Target: "git", Identity: "n", Desired: &old, State: model.StatePending, Due: true}})
		})
		rows, err := db.Accounts(t.Context(), "git", "", 9)
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		settled := rows[0]
		settled.RemoteID, settled.Owned, settled.Applied, settled.State, settled.Due = "r1", model.OwnedCreated, &old, model.StateInSync, false
		if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: settled}}); err != nil {
			t.Fatal(err)
		}
		if err := db.Doubt(t.Context(), "git", map[string][]model.Account{"i": {late}, "n": {old}, "nobody": {old}}); err != nil {
			t.Fatal(err)
		}
		rows, err = db.Accounts(t.Context(), "git", "", 9)
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		for _, r := range rows {
			if !r.Due || r.State != model.StatePending || len(r.Sent) != 1 || r.SentAt == nil {
				t.Errorf("%+v", r)
			}
		}
		if rows[0].Applied == nil || !rows[0].Applied.Active || rows[0].Owned != model.OwnedCreated || rows[1].Owned != model.OwnedCreating {
			t.Errorf("%+v", rows)
		}
	})
}
