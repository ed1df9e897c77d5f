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

func desired(identity string) model.AccountRow {
	return model.AccountRow{Target: "git", Identity: identity, State: model.StatePending, Due: true,
		Desired: &model.Account{UserName: identity + "@x", Active: true, Groups: []string{"eng"},
			Attrs: map[string]any{"title": "ünï \"q\"", "level": int64(1<<53 + 1), "half": 0.5, "list": []any{int64(1), "a"}}},
		Because: map[string][]model.Reason{"": {{Role: "employee", Facts: map[string]any{"active": true}, Version: 3}}}}
}

func setDesired(t testing.TB, db *storetest.DB, rows ...model.AccountRow) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for _, r := range rows {
			if err := tx.SetDesired(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func accountOf(t testing.TB, db *storetest.DB, identity string) model.AccountRow {
	t.Helper()
	var out model.AccountRow
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.AccountsOf([]string{identity})
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("%d accounts of %s", len(rows), identity)
		}
		if err == nil {
			out = rows[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dueIDs(t testing.TB, db *storetest.DB, lane store.Lane) []string {
	t.Helper()
	rows, err := db.DueAccounts(t.Context(), "git", lane, 100)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Identity)
	}
	return out
}

func TestDesiredComesBack(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		want := desired("i1")
		setDesired(t, db, want)
		want.Generation, want.NextAttempt, want.UpdatedAt = 1, noon(), noon()
		if diff := cmp.Diff(want, accountOf(t, db, "i1")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		clock.Add(time.Second)
		leftAt := clock.Now()
		next := model.AccountRow{Target: "git", Identity: "i1", State: model.StatePending, Due: true, Leaver: true, LeaverAt: &leftAt, LeaverHeld: true}
		setDesired(t, db, next)
		next.Generation, next.NextAttempt, next.UpdatedAt = 2, clock.Now(), clock.Now()
		if diff := cmp.Diff(next, accountOf(t, db, "i1")); diff != "" {
			t.Errorf("changed (-want +got)\n%s", diff)
		}
	})
}

func TestDueLanes(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		add := func(id string, leaver bool) {
			t.Helper()
			r := desired(id)
			r.Leaver = leaver
			setDesired(t, db, r)
			clock.Add(time.Second)
		}
		add("b", false)
		add("a", false)
		add("l", true)
		idle := desired("idle")
		idle.Due = false
		setDesired(t, db, idle)
		later := accountOf(t, db, "a")
		later.NextAttempt, later.State, later.LastError, later.ErrorClass = clock.Now().Add(time.Minute), model.StateFailed, "no", "server"
		if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: later}}); err != nil {
			t.Fatal(err)
		}
		for lane, want := range map[store.Lane][]string{store.LaneAll: {"l", "b"}, store.LaneUrgent: {"l"}, store.LaneNormal: {"b"}} {
			if diff := cmp.Diff(want, dueIDs(t, db, lane)); diff != "" {
				t.Errorf("lane %d:\n%s", lane, diff)
			}
		}
		if at, ok, err := db.NextDue(t.Context(), "git"); !ok || err != nil || !at.Equal(noon()) {
			t.Errorf("next due %v %v %v", at, ok, err)
		}
		if _, ok, err := db.NextDue(t.Context(), "none"); ok || err != nil {
			t.Errorf("a target without accounts is due: %v", err)
		}
		clock.Add(time.Minute)
		if diff := cmp.Diff([]string{"l", "b", "a"}, dueIDs(t, db, store.LaneAll)); diff != "" {
			t.Errorf("a minute later:\n%s", diff)
		}
		counts, err := db.StateCounts(t.Context())
		if diff := cmp.Diff(map[string]map[model.AccountState]int{"git": {model.StatePending: 3, model.StateFailed: 1}}, counts); diff != "" || err != nil {
			t.Errorf("states: %v\n%s", err, diff)
		}
		errs, err := db.ErrorCounts(t.Context(), "git")
		if diff := cmp.Diff(map[string]int{"server": 1}, errs); diff != "" || err != nil {
			t.Errorf("errors: %v\n%s", err, diff)
		}
	})
}

// TestSettleGeneration: facts about the target are always kept, what is to be done
// only where nobody decided anew meanwhile.
func TestSettleGeneration(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		setDesired(t, db, desired("i1"))
		stored, err := db.SaveIntents(t.Context(), "git", []store.Intent{{Identity: "i1", Generation: 1, Create: true}, {Identity: "nobody", Generation: 1, Create: true}})
		if err != nil || len(stored) != 1 || !stored["i1"] {
			t.Fatal(stored, err)
		}
		worked := accountOf(t, db, "i1")
		if worked.Owned != model.OwnedCreating {
			t.Errorf("owned %q after the intent", worked.Owned)
		}
		newer := desired("i1")
		newer.Desired.UserName = "renamed@x"
		setDesired(t, db, newer) // while the create is under way
		clock.Add(time.Second)
		verified := clock.Now()
		worked.Applied, worked.Observed, worked.RemoteID, worked.Owned, worked.VerifiedAt = worked.Desired, worked.Desired, "r1", model.OwnedCreated, &verified
		worked.State, worked.Due, worked.Attempts = model.StateInSync, false, 1
		change := model.Change{Verb: model.Create, Identity: "i1", UserName: "i1@x", RemoteID: "r1", Because: []string{"role employee"}}
		if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: worked, Done: []model.Change{change}}}); err != nil {
			t.Fatal(err)
		}
		got := accountOf(t, db, "i1")
		if got.RemoteID != "r1" || got.Owned != model.OwnedCreated || got.Applied == nil || got.VerifiedAt == nil {
			t.Errorf("facts were lost: %+v", got)
		}
		if !got.Due || got.State != model.StatePending || got.Generation != 2 || got.Desired.UserName != "renamed@x" || got.Attempts != 0 {
			t.Errorf("a newer decision was overwritten: %+v", got)
		}
		if n := db.Int(t, `SELECT count(*) FROM accounts WHERE user_name = ?`, "renamed@x"); n != 1 {
			t.Error("the name of the newer decision was overwritten")
		}
		got.Applied, got.State, got.Due = got.Desired, model.StateInSync, false
		if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: got}}); err != nil {
			t.Fatal(err)
		}
		if got = accountOf(t, db, "i1"); got.Due || got.State != model.StateInSync {
			t.Errorf("not settled: %+v", got)
		}
		page, _, err := db.AuditPage(t.Context(), store.AuditFilter{Identity: "i1", Limit: 9})
		if err != nil || len(page) != 1 || page[0].Action != "target.create" || page[0].Object != "target/git" {
			t.Errorf("audit %v %v", page, err)
		}
		if _, err := db.SaveIntents(t.Context(), "git", []store.Intent{{Identity: "i1", Generation: 2, Create: true}}); err != nil || accountOf(t, db, "i1").Owned != model.OwnedCreated {
			t.Errorf("an intent overwrote what is ours: %v", err)
		}
		if n, err := db.Population(t.Context(), "git", db.Now().Add(-time.Hour)); n != 1 || err != nil {
			t.Errorf("population %d %v", n, err)
		}
	})
}

func TestSettleFailureAndRemovals(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		setDesired(t, db, desired("i1"), desired("i2"))
		settle := func(id string, done []model.Change, failed *model.Change) {
			t.Helper()
			row := accountOf(t, db, id)
			row.LastError = "the target said no"
			if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: row, Done: done, Failed: failed}}); err != nil {
				t.Fatal(err)
			}
		}
		settle("i1", []model.Change{{Verb: model.Part, Identity: "i1", Group: "eng"}, {Verb: model.Disable, Identity: "i1"}}, nil)
		clock.Add(30 * time.Minute)
		settle("i2", []model.Change{{Verb: model.Join, Identity: "i2", Group: "eng"}}, &model.Change{Verb: model.Delete, Identity: "i2"})
		settle("i1", []model.Change{{Verb: model.Delete, Identity: "i1"}}, nil)
		for since, want := range map[time.Duration]int{time.Hour: 1, 30 * time.Minute: 1, time.Second: 1, 0: 0} {
			if n, err := db.Removals(t.Context(), "git", clock.Now().Add(-since)); n != want || err != nil {
				t.Errorf("%d people lost access in the last %s, want %d: %v", n, since, want, err)
			}
		}
		settle("i2", []model.Change{{Verb: model.Part, Identity: "i2", Group: "eng"}}, nil)
		if n, err := db.Removals(t.Context(), "git", noon()); n != 2 || err != nil {
			t.Errorf("%d, want 2: %v", n, err)
		}
		for _, enabled := range []bool{false, true} { // parted and still in, an account counts once
			db.Exec(t, `UPDATE accounts SET enabled = `+map[bool]string{false: "FALSE", true: "TRUE"}[enabled]+` WHERE identity_id = 'i2'`)
			if n, err := db.Population(t.Context(), "git", noon()); n != 2 || err != nil {
				t.Errorf("population %d, want 2: %v", n, err)
			}
		}
		if n, err := db.Removals(t.Context(), "chat", noon().Add(-time.Hour)); n != 0 || err != nil {
			t.Errorf("%d at another target: %v", n, err)
		}
		failed := db.Strings(t, `SELECT action FROM audit WHERE data LIKE '%"result":"failed"%' AND data LIKE '%the target said no%'`)
		if diff := cmp.Diff([]string{"target.delete"}, failed); diff != "" {
			t.Errorf("failures in the audit trail:\n%s", diff)
		}
		verifyAudit(t, db)
	})
}

func TestSaveObserved(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		setDesired(t, db, desired("i1"))
		seen := accountOf(t, db, "i1")
		seen.Observed = &model.Account{UserName: "i1@x", Active: false}
		seen.State, seen.Drift, seen.RemoteID, seen.Applied = model.StateDrifted, "changed", "r1", seen.Desired
		stale := seen
		stale.Generation = 7
		foreign := model.AccountRow{Target: "git", Identity: "?r9", RemoteID: "r9", State: model.StateUnknown, Drift: "unknown", Observed: &model.Account{UserName: "stranger", Active: true}}
		observe := func(rows ...model.AccountRow) {
			t.Helper()
			if err := db.SaveObserved(t.Context(), "git", rows); err != nil {
				t.Fatal(err)
			}
		}
		observe(stale)
		if got := accountOf(t, db, "i1"); got.State != model.StatePending || got.Observed != nil {
			t.Errorf("a look older than the decision was kept: %+v", got)
		}
		observe(seen, foreign)
		if got := accountOf(t, db, "i1"); got.State != model.StateDrifted || got.Drift != "changed" || got.Observed == nil || got.Desired == nil {
			t.Errorf("not kept: %+v", got)
		}
		foreign.Drift, foreign.Observed.UserName = "", "stranger2"
		observe(foreign)
		got := accountOf(t, db, "?r9")
		if got.State != model.StateUnknown || got.Observed.UserName != "stranger2" || got.Due || got.Owned != "" {
			t.Errorf("foreign account: %+v", got)
		}
		byRemote, err := db.AccountsByRemote(t.Context(), "git", []string{"r1", "r9", "r0"})
		if err != nil || len(byRemote) != 2 || byRemote[0].Identity != "?r9" {
			t.Errorf("by remote id: %v %v", byRemote, err)
		}
		page, err := db.Accounts(t.Context(), "git", "?r9", 10)
		if err != nil || len(page) != 1 || page[0].Identity != "i1" {
			t.Errorf("behind ?r9: %v %v", page, err)
		}
		foreign.State = ""
		observe(foreign)
		if n := db.Int(t, `SELECT count(*) FROM accounts`); n != 1 {
			t.Errorf("%d accounts after the foreign one went", n)
		}
	})
}

func TestReleases(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		setDesired(t, db, desired("i1"), desired("i2"))
		for _, id := range []string{"i1", "i2"} {
			held := accountOf(t, db, id)
			held.State, held.Due = model.StateHeld, false
			if err := db.Settle(t.Context(), "git", []store.Settlement{{Row: held}}); err != nil {
				t.Fatal(err)
			}
		}
		update(t, db, func(tx *store.Tx) error {
			return tx.Release("git", "ops", []store.Approval{{Identity: "i1", Digest: "d1"}, {Identity: "i1", Digest: "d2"}})
		})
		update(t, db, func(tx *store.Tx) error {
			return tx.Release("git", "boss", []store.Approval{{Identity: "i1", Digest: "d2"}})
		})
		got, err := db.Approved(t.Context(), "git", []string{"d1", "d2", "d3"})
		if diff := cmp.Diff(map[string]string{"d1": "ops", "d2": "boss"}, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if got, err := db.Approved(t.Context(), "chat", []string{"d1"}); len(got) != 0 || err != nil {
			t.Errorf("approved at another target: %v %v", got, err)
		}
		if diff := cmp.Diff([]string{"i1"}, dueIDs(t, db, store.LaneAll)); diff != "" {
			t.Error(diff)
		}
		setDesired(t, db, desired("i1")) // the world moved
		if got, err := db.Approved(t.Context(), "git", []string{"d1", "d2"}); len(got) != 0 || err != nil {
			t.Errorf("an approval outlived what it was given for: %v %v", got, err)
		}
	})
}
