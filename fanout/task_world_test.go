package fanout

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// byPeople runs a test with a manual target on every database.
func byPeople(t *testing.T, change func(*model.Target), run func(w *world)) {
	t.Helper()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		target := model.Target{Name: "wiki", Mode: model.ModeEnforce, Adopt: "auto", Leaver: model.LeaverPolicy{First: "disable"},
			Manual: &model.Manual{Due: 72 * time.Hour, DueLeave: 4 * time.Hour}, Guard: model.Guard{Percent: 100, Floor: 1000, Window: time.Hour},
			Drift: model.DriftPolicy{Changed: "revert", Missing: "recreate", Unknown: "report"}}
		if change != nil {
			change(&target)
		}
		w := &world{t: t, store: db.Store, target: target}
		snapshot := &Snapshot{Version: 1, Targets: []model.Target{target}}
		w.worker = &Worker{Store: db.Store, Current: func() *Snapshot { return snapshot }, Holder: "test", Now: time.Now,
			Log: slog.New(slog.DiscardHandler), Poll: 20 * time.Millisecond}
		w.start()
		run(w)
	})
}

// open lists the open tasks about somebody.
func (w *world) open(identity string) []model.Task {
	w.t.Helper()
	list, err := w.store.TasksAbout(w.t.Context(), w.target.Name, false, identity)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// task waits until exactly one task about somebody is open that says all the words.
func (w *world) task(identity string, words ...string) model.Task {
	w.t.Helper()
	var found []model.Task
	w.until("a task about "+identity+" that says "+strings.Join(words, ", "), func(map[string]model.AccountRow) bool {
		found = w.open(identity)
		return len(found) == 1 && !slices.ContainsFunc(words, func(s string) bool { return !strings.Contains(found[0].What, s) })
	})
	return found[0]
}

// finish closes a task as the hub does.
func (w *world) finish(t model.Task, outcome model.TaskOutcome, words string) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		now, err := tx.LockTask(t.ID)
		if err != nil {
			return err
		}
		now.DoneAt, now.DoneBy, now.Outcome, now.Proof, now.Auto, now.NextAt = &tx.Now, "ops", outcome, words, false, nil
		if err := tx.SaveTask(now); err != nil {
			return err
		}
		return tx.TaskClosed(now)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
}

func (w *world) inState(identity string, state model.AccountState) model.AccountRow {
	w.t.Helper()
	return w.until(identity+" is "+string(state), func(rows map[string]model.AccountRow) bool { return rows[identity].State == state })[identity]
}

func leaverNow() model.AccountRow {
	at := time.Now()
	return model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at}
}

// The whole life of an account at an application that people look after.
func TestManualTarget(t *testing.T) {
	t.Parallel()
	byPeople(t, nil, func(w *world) {
		w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng", "ops")})
		made := w.task("i", "at wiki: make the account anna", `title "Engineer"`, `put anna into the groups "eng", "ops"`)
		row := w.until("it waits", func(rows map[string]model.AccountRow) bool { return rows["i"].ErrorClass == string(AwaitsPerson) })["i"]
		if !strings.Contains(row.LastError, "waits for a person: task "+made.ID+", due ") || row.State != model.StatePending || row.Attempts != 0 {
			w.t.Fatalf("while it waits: %+v", row)
		}
		if made.Urgent || made.Due.Before(time.Now().Add(71*time.Hour)) {
			w.t.Errorf("due %v", made.Due)
		}
		w.finish(made, model.TaskDone, "")
		row = w.inState("i", model.StateInSync)
		if row.Applied == nil || !row.Applied.Active || !slices.Equal(row.Applied.Groups, []string{"eng", "ops"}) || row.LastError != "" {
			w.t.Fatalf("confirmed: %+v", row)
		}
		w.want(model.AccountRow{Identity: "i", Desired: retitled(account("anna", "eng"), "Boss")})
		w.finish(w.task("i", `change the account anna: title: "Engineer" -> "Boss"`, `take anna out of the group "ops"`), model.TaskDone, "")
		w.until("the change is in the books", func(rows map[string]model.AccountRow) bool {
			return rows["i"].State == model.StateInSync && slices.Equal(rows["i"].Applied.Groups, []string{"eng"})
		})
		w.want(leaverNow())
		off := w.task("i", "switch the account anna off", "because leaver since")
		if !off.Urgent || off.Due.After(time.Now().Add(4*time.Hour+time.Minute)) {
			w.t.Errorf("a leaver's task: %+v", off)
		}
		w.finish(off, model.TaskDone, "")
		if row = w.inState("i", model.StateDisabled); row.VerifiedAt == nil || row.Applied.Active {
			w.t.Errorf("confirmed: %+v", row)
		}
		// What was confirmed once counts once.
		w.want(model.AccountRow{Identity: "i", Desired: retitled(account("anna", "eng"), "Boss")})
		w.finish(w.task("i", "switch it on"), model.TaskDone, "")
		w.inState("i", model.StateInSync)
		w.want(leaverNow())
		if again := w.task("i", "switch the account anna off"); again.ID == off.ID {
			w.t.Error("the task of the first time stands for the second")
		}
	})
}

func TestManualRefusedAndTakenBack(t *testing.T) {
	t.Parallel()
	byPeople(t, nil, func(w *world) {
		w.want(model.AccountRow{Identity: "i", Desired: account("anna")}, model.AccountRow{Identity: "j", Desired: account("bob")})
		w.finish(w.task("i", "make the account anna"), model.TaskRefused, "no seats left")
		row := w.inState("i", model.StateFailed)
		if !strings.Contains(row.LastError, "ops refused it: no seats left") {
			w.t.Errorf("refused: %q", row.LastError)
		}
		w.want(model.AccountRow{Identity: "i", Desired: retitled(account("anna"), "Boss")})
		w.task("i", `title "Boss"`) // something else is wanted: asked anew

		// Another wish makes the task of the first one obsolete.
		first := w.task("j", "make the account bob")
		w.want(model.AccountRow{Identity: "j", Desired: retitled(account("bob"), "Boss")})
		second := w.task("j", `title "Boss"`)
		if first.ID == second.ID {
			w.t.Error("one task for two wishes")
		}
		// Nobody said whether bob's account was made: when he leaves somebody has to look.
		w.want(model.AccountRow{Identity: "j", Leaver: true})
		look := w.task("j", "make sure that the account bob does not exist or is switched off")
		w.finish(look, model.TaskDone, "")
		w.inState("j", model.StateDisabled)
		list := w.open("j")
		if len(list) != 0 {
			w.t.Errorf("still open: %+v", list)
		}
	})
}

// What was asked for and taken back before anybody said that it was done may have been
// done: somebody takes it back.
func TestManualMembershipTakenBack(t *testing.T) {
	t.Parallel()
	byPeople(t, nil, func(w *world) {
		w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
		w.finish(w.task("i", "make"), model.TaskDone, "")
		w.inState("i", model.StateInSync)
		w.want(model.AccountRow{Identity: "i", Desired: account("anna", "admins")})
		w.task("i", `put anna into the group "admins"`)
		w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
		w.finish(w.task("i", `take anna out of the group "admins"`), model.TaskDone, "")
		if row := w.inState("i", model.StateInSync); len(row.Applied.Groups) != 0 || len(row.Sent) != 0 {
			w.t.Errorf("in the books: %+v", row)
		}
	})
}

// The guard counts what people were asked to take away.
func TestManualGuard(t *testing.T) {
	t.Parallel()
	byPeople(t, func(target *model.Target) { target.Guard = model.Guard{Floor: 1, Window: time.Hour} }, func(w *world) {
		for _, id := range []string{"i", "j", "k"} {
			w.want(model.AccountRow{Identity: id, Desired: account("u" + id)})
			w.finish(w.task(id, "make"), model.TaskDone, "")
			w.inState(id, model.StateInSync)
		}
		w.want(model.AccountRow{Identity: "i"}, model.AccountRow{Identity: "j"}, model.AccountRow{Identity: "k"})
		rows := w.until("two are held", func(rows map[string]model.AccountRow) bool {
			held, waits := 0, 0
			for _, r := range rows {
				switch {
				case r.State == model.StateHeld:
					held++
				case r.ErrorClass == string(AwaitsPerson):
					waits++
				}
			}
			return held == 2 && waits == 1
		})
		for id, r := range rows {
			if n := len(w.open(id)); (r.State == model.StateHeld) != (n == 0) {
				w.t.Errorf("%s is %s and has %d tasks", id, r.State, n)
			}
		}
	})
}
