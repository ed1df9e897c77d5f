package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const managerRef = "manager.value"

func isManagerRef(path string) bool { return path == managerRef }

// settled stores an account as made; id empty: as gone.
func settled(t *testing.T, db *storetest.DB, identity, id string) {
	t.Helper()
	row := accountNow(t, db, identity)
	verb := model.Create
	row.RemoteID, row.Owned, row.State, row.Due = id, model.OwnedCreated, model.StateInSync, false
	row.Applied = row.Desired
	if id == "" {
		verb, row.Owned, row.Applied, row.State = model.Delete, "", nil, model.StateDeleted
	}
	row.NextAttempt = db.Now()
	if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: row, Done: []model.Change{{Verb: verb, Identity: identity}}}}); err != nil {
		t.Fatal(err)
	}
}

func accountNow(t *testing.T, db *storetest.DB, identity string) model.AccountRow {
	t.Helper()
	rows, err := db.Accounts(t.Context(), "git", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r model.AccountRow) bool { return r.Identity == identity })
	if i < 0 {
		t.Fatalf("no account of %s", identity)
	}
	return rows[i]
}

func TestReferencesAreDue(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			for _, id := range []string{"ann", "bob", "cid"} {
				if err := tx.AddIdentity(id, id); err != nil {
					return err
				}
				row := model.AccountRow{Target: "git", Identity: id, Desired: &model.Account{UserName: id, Active: true}, Due: true, State: model.StatePending}
				if err := tx.SetDesired(row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		resolve := func(value string, want store.AccountReference) {
			t.Helper()
			got, err := db.ResolveReferences(t.Context(), "git", []string{"ann"}, []store.AccountReference{{Identity: "ann", Path: managerRef, Value: value}}, isManagerRef, true)
			want.Identity, want.Path, want.Value = "ann", managerRef, value
			if diff := cmp.Diff([]store.AccountReference{want}, got); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
		}
		due := func(want bool, when string) {
			t.Helper()
			if r := accountNow(t, db, "ann"); r.Due != want {
				t.Errorf("%s: due %v, state %s", when, r.Due, r.State)
			}
		}
		resolve("bob", store.AccountReference{Referred: "bob"})
		settled(t, db, "ann", "1")
		due(false, "settled without the manager")
		settled(t, db, "cid", "3")
		due(false, "somebody else came")
		settled(t, db, "bob", "2")
		due(true, "the manager came")
		resolve("bob", store.AccountReference{Referred: "bob", RemoteID: "2"})
		settled(t, db, "ann", "1")
		due(false, "settled with the manager")
		settled(t, db, "bob", "2")
		due(false, "the manager was settled again")
		settled(t, db, "bob", "")
		due(true, "the manager went")
		resolve("bob", store.AccountReference{Referred: "bob"})

		// The manager comes while the account is worked on: its own settlement notices.
		settled(t, db, "bob", "4")
		settled(t, db, "ann", "1")
		due(true, "the manager came meanwhile")

		// The hub learns that somebody else is meant.
		resolve("nobody yet", store.AccountReference{})
		settled(t, db, "ann", "1")
		due(false, "nobody is found")
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.SetManagers([]store.ManagerSet{{Identity: "ann", Manager: "cid", Named: store.NamedForm("nobody yet")}})
		})
		if err != nil {
			t.Fatal(err)
		}
		due(true, "the manager is known by now")
		resolve("nobody yet", store.AccountReference{Referred: "cid", RemoteID: "3"})
	})
}

func TestNewTenant(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.SetDesired(model.AccountRow{Target: "git", Identity: "ann", Desired: &model.Account{UserName: "ann", Active: true}, Due: true, State: model.StatePending}); err != nil {
				return err
			}
			return tx.SetDesired(model.AccountRow{Target: "git", Identity: "bob", Desired: &model.Account{UserName: "bob", Active: true}, Due: true, State: model.StatePending})
		})
		if err != nil {
			t.Fatal(err)
		}
		settled(t, db, "ann", "1")
		settled(t, db, "bob", "2")
		known, err := db.Canaries(t.Context(), "git", db.Now().Add(time.Hour), 5)
		if err != nil || len(known) != 2 || known[0].RemoteID != "1" {
			t.Fatalf("known: %+v, %v", known, err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.SetDesired(model.AccountRow{Target: "git", Identity: "bob", Due: true, State: model.StatePending}); err != nil {
				return err
			}
			return tx.NewTenant("git", "b.example/scim")
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := accountNow(t, db, "ann"); r.RemoteID != "" || r.Owned != "" || r.Applied != nil || !r.Due || r.State != model.StatePending {
			t.Errorf("ann: %+v", r)
		}
		if r := accountNow(t, db, "bob"); r.RemoteID != "" || r.Due || r.State != model.StateDeleted {
			t.Errorf("bob: %+v", r)
		}
		if st, err := db.TargetState(t.Context(), "git"); err != nil || st.Base != "b.example/scim" {
			t.Errorf("state: %+v, %v", st, err)
		}
	})
}

func TestIntentsKeepTheirBeginning(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		want := &model.Account{UserName: "ann", Active: true}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.SetDesired(model.AccountRow{Target: "git", Identity: "ann", Desired: want, Due: true, State: model.StatePending})
		})
		if err != nil {
			t.Fatal(err)
		}
		intent := store.Intent{Identity: "ann", Generation: 1, Create: true, Sent: []model.Account{*want}}
		var began time.Time
		for n := range 2 {
			if _, err := db.SaveIntents(t.Context(), "git", []store.Intent{intent}); err != nil {
				t.Fatal(err)
			}
			r := accountNow(t, db, "ann")
			if r.CreatingAt == nil || r.SentAt == nil {
				t.Fatalf("%+v", r)
			}
			if n == 0 {
				began = *r.CreatingAt
			} else if !r.CreatingAt.Equal(began) || r.SentAt.Before(began) {
				t.Errorf("began %s, then %s; sent %s", began, r.CreatingAt, r.SentAt)
			}
		}
		making, err := db.AccountsBeingMade(t.Context(), "git", []string{"bob", "ann"})
		if err != nil || len(making) != 1 {
			t.Errorf("being made: %+v, %v", making, err)
		}
		if err := db.WithdrawIntent(t.Context(), "git", store.Intent{Identity: "ann", Generation: 1}); err != nil {
			t.Fatal(err)
		}
		if r := accountNow(t, db, "ann"); r.Owned != "" || len(r.Sent) != 0 {
			t.Errorf("withdrawn: owned %q, sent %v", r.Owned, r.Sent)
		}
	})
}
