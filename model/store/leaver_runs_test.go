package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// leaves makes rows of somebody who left, at targets where something was made.
func leaves(t testing.TB, db *storetest.DB, identity string, at time.Time, held bool, targets ...string) {
	t.Helper()
	var made, gone []model.AccountRow
	for _, target := range targets {
		a := desired(identity)
		a.Target = target
		made = append(made, a)
		gone = append(gone, model.AccountRow{Target: target, Identity: identity, Leaver: true, LeaverAt: &at, LeaverHeld: held, Due: true, State: model.StatePending})
	}
	setDesired(t, db, made...)
	update(t, db, func(tx *store.Tx) error { return tx.SetDesiredAll(gone) })
}

func runOf(t testing.TB, db *storetest.DB, identity string) (run model.LeaverRun) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) (err error) {
		run, _, err = tx.LastLeaverRun(identity, "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func settleLeaver(t testing.TB, db *storetest.DB, target, identity string, p store.LeaverProgress, change func(*model.AccountRow)) {
	t.Helper()
	rows, err := db.Accounts(t.Context(), target, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r model.AccountRow) bool { return r.Identity == identity })
	row := rows[i]
	row.Due = false
	if change != nil {
		change(&row)
	}
	if err := db.Settle(t.Context(), target, []store.Settlement{{Row: row, Leaver: &p}}); err != nil {
		t.Fatal(err)
	}
}

// One run for a leaver's fact, from waiting to verified everywhere.
func TestLeaverRun(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		left := clock.Now()
		leaves(t, db, "i1", left, false, "chat", "git")
		clock.Add(time.Second)
		sent := clock.Now()
		rows, err := db.Accounts(t.Context(), "git", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		intent := store.Intent{Identity: "i1", Generation: rows[0].Generation, LeaverAt: &left, Sent: []model.Account{{UserName: "i1@x"}}}
		if _, err := db.SaveIntents(t.Context(), "git", []store.Intent{intent}); err != nil {
			t.Fatal(err)
		}
		clock.Add(time.Second)
		next := clock.Now().Add(12 * time.Second)
		settleLeaver(t, db, "git", "i1", store.LeaverProgress{State: model.LeaverFailed, Status: 429}, func(r *model.AccountRow) {
			r.State, r.Due, r.NextAttempt, r.Attempts, r.LastError, r.ErrorClass = model.StateFailed, true, next, 1, "throttled (429)", "throttled"
		})
		chatAt := clock.Now()
		settleLeaver(t, db, "chat", "i1", store.LeaverProgress{State: model.LeaverVerified, Accepted: &chatAt, Verified: &chatAt, Note: "left eng"}, nil)
		want := model.LeaverRun{ID: model.LeaverRunID("i1", left), Identity: "i1", Kind: model.RunLeaver, ReceivedAt: left, Targets: []model.LeaverTarget{
			{Target: "chat", State: model.LeaverVerified, AcceptedAt: &chatAt, VerifiedAt: &chatAt, Note: "left eng"},
			{Target: "git", State: model.LeaverFailed, SentAt: &sent, Attempts: 1, NextAt: &next, LastError: "throttled (429)", ErrorClass: "throttled", Status: 429},
		}}
		got := runOf(t, db, "i1")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if text, want := got.Summary(clock.Now()), "1 of 2 verified disabled in 2 s; git pending: 429, next try in 12 s"; text != want {
			t.Errorf("summary %q, want %q", text, want)
		}
		clock.Add(time.Minute)
		gitAt := clock.Now()
		settleLeaver(t, db, "git", "i1", store.LeaverProgress{State: model.LeaverVerified, Accepted: &gitAt, Verified: &gitAt}, nil)
		got = runOf(t, db, "i1")
		if got.EndedAt == nil || !got.EndedAt.Equal(gitAt) || got.Outcome != model.OutcomeVerified {
			t.Errorf("ended %v %q", got.EndedAt, got.Outcome)
		}
		// What comes later changes nothing of what was verified.
		clock.Add(time.Hour)
		settleLeaver(t, db, "git", "i1", store.LeaverProgress{State: model.LeaverFailed}, func(r *model.AccountRow) { r.LastError = "deleting fails" })
		if diff := cmp.Diff(got, runOf(t, db, "i1")); diff != "" {
			t.Errorf("after the end (-want +got)\n%s", diff)
		}
	})
}

// Nothing to take away, held by the guard, released, back again.
func TestLeaverRunStates(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		left := clock.Now()
		state := func(want model.LeaverState, ended bool) {
			t.Helper()
			run := runOf(t, db, "i1")
			if len(run.Targets) != 1 || run.Targets[0].State != want || (run.EndedAt != nil) != ended {
				t.Errorf("run %+v, want %s, ended %v", run, want, ended)
			}
		}
		gone := model.AccountRow{Target: "git", Identity: "i1", Leaver: true, LeaverAt: &left, State: model.StateDeleted}
		update(t, db, func(tx *store.Tx) error { return tx.SetDesiredAll([]model.AccountRow{gone}) })
		state(model.LeaverNotNeeded, true)
		// A create had begun after all.
		db.Exec(t, `UPDATE accounts SET owned = 'creating' WHERE identity_id = 'i1'`)
		gone.LeaverHeld = true
		update(t, db, func(tx *store.Tx) error { return tx.SetDesiredAll([]model.AccountRow{gone}) })
		state(model.LeaverHeld, false)
		if risk := model.RiskOf(runOf(t, db, "i1").Targets[0], left, time.Minute, left.Add(time.Hour)); risk != model.RiskNone {
			t.Errorf("held by the source's guard is %s", risk)
		}
		gone.LeaverHeld = false
		update(t, db, func(tx *store.Tx) error { return tx.SetDesiredAll([]model.AccountRow{gone}) })
		state(model.LeaverWaiting, false)
		endReturned := func(want int64) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error {
				n, err := tx.EndReturned()
				if n != want {
					t.Errorf("%d runs of people who came back, want %d", n, want)
				}
				return err
			})
		}
		endReturned(0)
		setDesired(t, db, desired("i1"))
		endReturned(1)
		if run := runOf(t, db, "i1"); run.Outcome != model.OutcomeReturned {
			t.Errorf("outcome %q", run.Outcome)
		}
		if returned, err := db.AnyReturned(t.Context()); returned || err != nil {
			t.Errorf("returned: %v %v", returned, err)
		}
	})
}

// Two targets settled at the same time: one of both sees that it was the last.
func TestLeaverRunEndsWithTheLastOfMany(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		targets := []string{"a", "b", "c", "d"}
		for round := range 5 {
			person, left := fmt.Sprint("p", round), clock.Now()
			leaves(t, db, person, left, false, targets...)
			at := clock.Now()
			failed := make(chan error, len(targets))
			for _, target := range targets {
				go func() {
					failed <- db.Settle(t.Context(), target, []store.Settlement{{Row: model.AccountRow{Target: target, Identity: person, Generation: 2, Leaver: true, LeaverAt: &left, State: model.StateDisabled},
						Leaver: &store.LeaverProgress{State: model.LeaverVerified, Verified: &at}}})
				}()
			}
			for range targets {
				if err := <-failed; err != nil {
					t.Fatal(err)
				}
			}
			if run := runOf(t, db, person); run.EndedAt == nil {
				t.Fatalf("round %d: %s, and still open", round, run.Summary(clock.Now()))
			}
		}
	})
}

func TestLeaverListsAndNumbers(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		began := clock.Now()
		for i := range 20 { // verified after 1, 2, … 20 s at chat; git stays open for the last five
			clock.Set(began.Add(time.Duration(i) * time.Minute))
			id, left := fmt.Sprintf("p%02d", i), clock.Now()
			leaves(t, db, id, left, false, "chat", "git")
			clock.Add(time.Duration(i+1) * time.Second)
			at := clock.Now()
			settleLeaver(t, db, "chat", id, store.LeaverProgress{State: model.LeaverVerified, Verified: &at}, nil)
			if i < 15 {
				settleLeaver(t, db, "git", id, store.LeaverProgress{State: model.LeaverVerified, Verified: &at}, nil)
			}
		}
		list := func(f store.LeaverFilter) (ids []string) {
			t.Helper()
			f.Limit = 3
			for range 20 {
				runs, next, err := db.LeaverRuns(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range runs {
					if len(r.Targets) != 2 {
						t.Errorf("%s has %d targets", r.ID, len(r.Targets))
					}
					ids = append(ids, r.Identity)
				}
				if f.After = next; next == "" {
					return ids
				}
			}
			t.Fatal("the list does not end")
			return nil
		}
		if got := list(store.LeaverFilter{}); len(got) != 20 || got[0] != "p19" || got[19] != "p00" {
			t.Errorf("all: %v", got)
		}
		if got := strings.Join(list(store.LeaverFilter{Open: true}), " "); got != "p19 p18 p17 p16 p15" {
			t.Errorf("open: %s", got)
		}
		if got := strings.Join(list(store.LeaverFilter{Since: began.Add(18 * time.Minute)}), " "); got != "p19 p18" {
			t.Errorf("since: %s", got)
		}
		all, at, err := db.LeaverQuantiles(t.Context(), began)
		if err != nil {
			t.Fatal(err)
		}
		sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
		if want := (store.Quantiles{N: 15, P50: sec(8), P95: sec(15), P99: sec(15)}); all != want {
			t.Errorf("all: %+v, want %+v", all, want)
		}
		if want := (store.Quantiles{N: 20, P50: sec(10), P95: sec(19), P99: sec(20)}); at["chat"] != want {
			t.Errorf("chat: %+v, want %+v", at["chat"], want)
		}
		for risk, first := range map[model.Risk]bool{model.RiskRisk: true, model.RiskLate: true} {
			for range 2 {
				update(t, db, func(tx *store.Tx) error {
					got, err := tx.NoteRisk(model.LeaverRunID("p19", began.Add(19*time.Minute)), "git", risk)
					if got != first {
						t.Errorf("%s: first %v", risk, got)
					}
					first = false
					return err
				})
			}
		}
		open, risky, err := db.LeaverCounts(t.Context())
		if err != nil || open["git"] != 5 || open["chat"] != 0 || risky != 1 {
			t.Errorf("open %v, at risk %d, %v", open, risky, err)
		}
		if due, err := db.LeaversDue(t.Context()); err != nil || strings.Join(due, " ") != "git" {
			t.Errorf("due at %v, %v", due, err)
		}
		if _, more, err := db.PruneBatch(t.Context(), "r1", "leaver_runs", clock.Now(), 10); !more || err != nil {
			t.Errorf("prune: %v %v", more, err)
		}
		if _, more, err := db.PruneBatch(t.Context(), "r1", "leaver_runs", clock.Now(), 10); more || err != nil {
			t.Errorf("prune: %v %v", more, err)
		}
		if got := strings.Join(list(store.LeaverFilter{}), " "); got != "p19 p18 p17 p16 p15" {
			t.Errorf("after pruning: %s", got)
		}
		if n := db.Int(t, `SELECT count(*) FROM leaver_targets`); n != 10 {
			t.Errorf("%d targets are left", n)
		}
	})
}
