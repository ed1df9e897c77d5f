package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const drills = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 0%, window: 1h, floor: 0}}
identity: {drill: [Test.Person, other]}
roles:
  employee: {when: user.active, grants: [{target: chat}, {target: git, group: eng}, {target: rude}]}
targets:
  chat: {url: http://127.0.0.1:1}
  git: {url: http://127.0.0.1:2, leaver: {goal: 1m}}
  rude: {url: http://127.0.0.1:3, leaver: {first: delete}}
`

// applied makes the targets hold what is wanted, as the fan-out would.
func (w *world) applied(person string) {
	w.t.Helper()
	for _, target := range []string{"chat", "git", "rude"} {
		rows, err := w.db.Accounts(w.t.Context(), target, "", 100)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, row := range rows {
			if row.Identity != person || !row.Due {
				continue
			}
			now := w.clock.Now()
			outcome := store.Settlement{Row: row}
			a := &outcome.Row
			a.Due, a.RemoteID, a.Owned, a.VerifiedAt = false, "r-"+target, model.OwnedCreated, &now
			if row.Desired != nil {
				applied := *row.Desired
				a.Applied, a.State = &applied, model.StateInSync
				if row.Drill {
					outcome.Leaver = &store.LeaverProgress{Back: &now}
				}
			} else {
				a.Applied, a.State = &model.Account{UserName: person}, model.StateDisabled
				outcome.Leaver = &store.LeaverProgress{State: model.LeaverVerified, Accepted: &now, Verified: &now}
			}
			if err := w.db.Settle(w.t.Context(), target, []store.Settlement{outcome}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) evaluateAll() {
	w.t.Helper()
	for range 50 {
		n, err := w.EvaluateBatch(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("the evaluation does not end")
}

func (w *world) lookAtLeavers() {
	w.t.Helper()
	if err := w.LookAtLeavers(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// drilled makes the test person, in sync everywhere, and gives their id.
func (w *world) drilled(name string) (identity, resource string) {
	w.t.Helper()
	r := w.person(name)
	w.evaluateAll()
	var row store.IdentityRow
	err := w.db.View(w.t.Context(), func(tx *store.Tx) (err error) { row, err = tx.FindIdentity(name); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	w.applied(row.ID)
	return row.ID, r.ID
}

func (w *world) runNow(identity, kind string) (run model.LeaverRun) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx *store.Tx) (err error) { run, _, err = tx.LastLeaverRun(identity, kind); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) accountsBy(identity string) map[string]model.AccountRow {
	w.t.Helper()
	out := map[string]model.AccountRow{}
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.AccountsOf([]string{identity})
		for _, r := range rows {
			out[r.Target] = r
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) trail(identity, prefix string) string {
	w.t.Helper()
	return strings.Join(w.db.Strings(w.t, `SELECT action FROM audit WHERE identity_id = '`+identity+`' AND action LIKE '`+prefix+`%' ORDER BY at, action`), " ")
}

// A whole drill: off and verified, back and verified; roles stay, the one target that
// would delete is left out.
func TestDrill(t *testing.T) {
	t.Parallel()
	each(t, drills, func(w *world) {
		id, _ := w.drilled("test.person")
		run, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, "test.person")
		if err != nil {
			t.Fatal(err)
		}
		if text := run.Summary(w.clock.Now()); text != "0 of 2 verified disabled; chat pending; git pending" {
			t.Errorf("summary %q", text)
		}
		if _, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, "test.person"); model.CodeOf(err) != model.Conflict {
			t.Errorf("a second drill: %v", err)
		}
		w.evaluateAll()
		rows := w.accountsBy(id)
		for target, off := range map[string]bool{"chat": true, "git": true, "rude": false} {
			a := rows[target]
			if a.Leaver != off || a.Drill != off || (a.Desired == nil) != off || a.LeaverHeld || off && !a.LeaverAt.Equal(run.ReceivedAt) {
				t.Errorf("%s during the drill: %+v", target, a)
			}
		}
		if n := w.db.Int(t, `SELECT count(*) FROM grants WHERE ended_at IS NULL`); n == 0 {
			t.Error("the drill ended grants")
		}
		w.clock.Add(2 * time.Second)
		w.applied(id)
		w.lookAtLeavers()
		w.evaluateAll()
		rows = w.accountsBy(id)
		for _, target := range []string{"chat", "git"} {
			if a := rows[target]; a.Leaver || !a.Drill || a.Desired == nil || !a.Due {
				t.Errorf("%s after it turned: %+v", target, a)
			}
		}
		w.clock.Add(3 * time.Second)
		w.applied(id)
		w.lookAtLeavers()
		w.evaluateAll()
		run = w.runNow(id, "")
		if run.Outcome != model.OutcomeBack || run.Summary(w.clock.Now()) != "2 of 2 verified disabled in 2 s" {
			t.Errorf("run %+v", run)
		}
		for target, a := range w.accountsBy(id) {
			if a.Drill || a.Leaver || a.Due || a.State != model.StateInSync {
				t.Errorf("%s in the end: %+v", target, a)
			}
		}
		if got := w.trail(id, "drill."); got != "drill.start drill.back drill.end" {
			t.Errorf("audit: %s", got)
		}
		if got := w.trail(id, "identity.leaver"); got != "" {
			t.Errorf("the drill made a leaver: %s", got)
		}
	})
}

// Whoever dies meanwhile, the drill's time ends it; what does not come back is said.
func TestDrillEndsByItself(t *testing.T) {
	t.Parallel()
	each(t, drills, func(w *world) {
		id, _ := w.drilled("test.person")
		if _, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, id); err != nil {
			t.Fatal(err)
		}
		w.evaluateAll()
		w.clock.Add(hub.DrillLimit)
		w.evaluateAll() // and nobody looked at leavers
		for target, a := range w.accountsBy(id) {
			if a.Leaver || a.Desired == nil {
				t.Errorf("%s after the drill's time: %+v", target, a)
			}
		}
		w.lookAtLeavers()
		w.clock.Add(hub.DrillLimit)
		w.lookAtLeavers()
		if run := w.runNow(id, ""); run.Outcome != model.OutcomeLate || run.EndedAt == nil {
			t.Errorf("run: %+v", run)
		}
	})
}

// Whoever leaves during a drill has left.
func TestDrillAndLeave(t *testing.T) {
	t.Parallel()
	each(t, drills, func(w *world) {
		id, resource := w.drilled("test.person")
		drill, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, id)
		if err != nil {
			t.Fatal(err)
		}
		w.evaluateAll()
		w.applied(id)
		w.clock.Add(time.Second)
		w.remove("hr", w.user, resource)
		w.evaluateAll()
		w.lookAtLeavers()
		w.evaluateAll()
		for target, a := range w.accountsBy(id) {
			if !a.Leaver || a.Drill || a.Desired != nil || a.LeaverAt.Equal(drill.ReceivedAt) {
				t.Errorf("%s of who left during a drill: %+v", target, a)
			}
		}
		if run := w.runNow(id, model.RunDrill); run.Outcome != model.OutcomeLeft {
			t.Errorf("drill: %+v", run)
		}
		if run := w.runNow(id, model.RunLeaver); len(run.Targets) != 3 || run.EndedAt != nil {
			t.Errorf("leaver: %+v", run)
		}
	})
}

func TestDrillRefused(t *testing.T) {
	t.Parallel()
	each(t, drills, func(w *world) {
		w.drilled("somebody")
		w.person("other", "active", false)
		w.evaluateAll()
		for person, part := range map[string]string{"somebody": "identity.drill", "other": "not active"} {
			if _, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, person); model.CodeOf(err) != model.Refused || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v", person, err)
			}
		}
		if _, err := w.StartDrill(w.t.Context(), hub.Actor{Name: "ops"}, "nobody"); model.CodeOf(err) != model.NotFound {
			t.Errorf("nobody: %v", err)
		}
		if n := w.db.Int(t, `SELECT count(*) FROM leaver_runs WHERE kind = 'drill'`); n != 0 {
			t.Errorf("%d drills", n)
		}
	})
}

// A goal at risk, and one that is missed, are said once each; coming back ends the run.
func TestLeaverLate(t *testing.T) {
	t.Parallel()
	each(t, strings.Replace(drills, "floor: 0", "floor: 9", 1), func(w *world) {
		id, resource := w.drilled("zoe")
		w.patch(w.user, resource, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluateAll()
		said := func(want string) {
			t.Helper()
			w.lookAtLeavers()
			w.lookAtLeavers()
			got := strings.Join(w.db.Strings(t, `SELECT object FROM audit WHERE identity_id = '`+id+`' AND action = 'leaver.late' ORDER BY at, object`), " ")
			if got != want {
				t.Errorf("after %s said of %q, want %q", w.clock.Now().Sub(noon()), got, want)
			}
		}
		said("")
		w.clock.Add(37 * time.Second) // git: goal 1m
		said("target/git")
		w.clock.Add(25 * time.Second)
		said("target/git target/git")
		w.clock.Add(10 * time.Minute) // the others' goal, 5m, is missed at once
		said("target/git target/git target/chat target/rude")
		if n := w.db.Int(t, `SELECT count(*) FROM events WHERE type = 'leaver.late'`); n != 4 {
			t.Errorf("%d events", n)
		}
		if _, risky, err := w.db.LeaverCounts(t.Context()); risky != 1 || err != nil {
			t.Errorf("at risk: %d %v", risky, err)
		}
		w.patch(w.user, resource, `[{"op":"replace","path":"active","value":true}]`)
		w.evaluateAll()
		w.lookAtLeavers()
		if run := w.runNow(id, ""); run.Outcome != model.OutcomeReturned {
			t.Errorf("run: %+v", run)
		}
	})
}

// Whom the source's guard holds is no alarm: the guard itself says so.
func TestHeldLeaverIsNotLate(t *testing.T) {
	t.Parallel()
	each(t, drills, func(w *world) {
		id, resource := w.drilled("zoe")
		w.patch(w.user, resource, `[{"op":"replace","path":"active","value":false}]`)
		w.evaluateAll()
		w.clock.Add(time.Hour)
		w.lookAtLeavers()
		run := w.runNow(id, "")
		if got := w.trail(id, "leaver.late"); got != "" || run.Targets[0].State != model.LeaverHeld {
			t.Errorf("said %q of %+v", got, run)
		}
		if text := run.Summary(w.clock.Now()); !strings.Contains(text, "chat held: more leavers at the source") {
			t.Error(text)
		}
	})
}
