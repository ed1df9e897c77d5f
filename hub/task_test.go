package hub_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// addTask opens a task as the fan-out does.
func (w *world) addTask(t model.Task) model.Task {
	w.t.Helper()
	t.ID, t.Created = uuid.Must(uuid.NewV7()).String(), w.clock.Now()
	if t.Due.IsZero() {
		t.Due = w.clock.Now().Add(time.Hour)
	}
	if t.Digest == "" {
		t.Digest = t.ID
	}
	if err := w.Store.Update(w.t.Context(), func(tx *store.Tx) error { return tx.AddTask(t) }); err != nil {
		w.t.Fatal(err)
	}
	return t
}

func TestTaskClosed(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		var nudged []string
		o.Nudge = func(target string) { nudged = append(nudged, target) }
		task := o.addTask(model.Task{Kind: model.TaskManual, Target: "git", Identity: o.ids["alice"], UserName: "alice", What: "make the account alice", NeedsProof: true})
		o.db.Exec(o.t, `UPDATE accounts SET state = 'pending', error_class = 'awaits-person', due = TRUE, next_at = ? WHERE target = 'chat' AND identity_id = ?`, o.clock.Now().Add(time.Hour).UnixMicro(), o.ids["alice"])
		same := task
		same.ID = "another"
		if err := o.Store.Update(t.Context(), func(tx *store.Tx) error { return tx.AddTask(same) }); err != nil {
			o.t.Fatal(err)
		}
		if n := o.db.Int(o.t, `SELECT count(*) FROM tasks`); n != 1 {
			o.t.Errorf("%d tasks of one content", n)
		}
		ops := hub.Who{Name: "ops", Operator: true}
		_, err := o.CloseTask(t.Context(), ops, task.ID, hub.TaskClosing{})
		refusedAs(o.t, "without proof", err, model.Invalid, "proof is missing")
		_, err = o.CloseTask(t.Context(), ops, task.ID, hub.TaskClosing{Refused: true, Words: " "})
		refusedAs(o.t, "refused without reason", err, model.Invalid, "reason is missing")
		_, err = o.CloseTask(t.Context(), ops, "nothing", hub.TaskClosing{Words: "x"})
		refusedAs(o.t, "another id", err, model.NotFound, "no task")
		if _, err = o.CloseTask(t.Context(), ops, task.ID, hub.TaskClosing{Refused: true, Words: "no seats"}); err != nil {
			o.t.Fatal(err)
		}
		if done, err := o.CloseTask(t.Context(), ops, task.ID, hub.TaskClosing{Words: "ticket 4711"}); err != nil || done.Outcome != model.TaskDone {
			o.t.Errorf("done after all: %+v, %v", done, err)
		}
		_, err = o.CloseTask(t.Context(), ops, task.ID, hub.TaskClosing{Words: "again"})
		refusedAs(o.t, "twice", err, model.Conflict, "is closed: done by ops")
		if !slices.Equal(nudged, []string{"git", "git"}) {
			o.t.Errorf("nudged %v", nudged)
		}
		for table, want := range map[string][]string{
			`SELECT action FROM audit WHERE action LIKE 'task.%' ORDER BY at, seq`: nil,
			`SELECT type FROM events WHERE type LIKE 'task.%' ORDER BY id`:         {"task.opened", "task.refused", "task.done"},
		} {
			got := o.db.Strings(o.t, table)
			if want == nil {
				slices.Sort(got)
				want = []string{"task.done", "task.opened", "task.refused"}
			}
			if !slices.Equal(got, want) {
				o.t.Errorf("%s: %v, want %v", table, got, want)
			}
		}
	})
}

// Closing a task makes what waits for it due, and nothing else; a transfer lets a
// deletion go on that was held, and touches no account that is only disabled.
func TestTaskWakesTheAccount(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		later := o.clock.Now().Add(24 * time.Hour).UnixMicro()
		put := func(state string, due bool) {
			o.db.Exec(o.t, `UPDATE accounts SET state = ?, due = ?, next_at = ?, disabled_at = ?, transferred_at = NULL WHERE identity_id = ? AND target = 'chat'`,
				state, due, later, o.clock.Now().Add(-time.Hour).UnixMicro(), o.ids["alice"])
		}
		for _, tt := range []struct {
			kind    model.TaskKind
			state   string
			due     bool
			refused bool
			want    model.AccountState
			now     bool
		}{
			{kind: model.TaskManual, state: "pending", due: true, want: model.StatePending, now: true},
			{kind: model.TaskManual, state: "pending", due: true, refused: true, want: model.StatePending, now: true},
			{kind: model.TaskSwitchOff, state: "failed", due: true, want: model.StateFailed, now: true},
			{kind: model.TaskManual, state: "held", want: model.StateHeld},
			{kind: model.TaskTransfer, state: "held", want: model.StatePending, now: true},
			{kind: model.TaskTransfer, state: "held", refused: true, want: model.StateHeld},
			{kind: model.TaskTransfer, state: "disabled", due: true, want: model.StateDisabled},
		} {
			put(tt.state, tt.due)
			task := o.addTask(model.Task{Kind: tt.kind, Target: "chat", Identity: o.ids["alice"], What: "x"})
			if _, err := o.CloseTask(t.Context(), hub.Who{Name: "ops", Operator: true}, task.ID, hub.TaskClosing{Refused: tt.refused, Words: "y"}); err != nil {
				o.t.Fatal(err)
			}
			a := o.state(o.ids["alice"]).accounts["chat"]
			now := a.Due && !a.NextAttempt.After(o.clock.Now())
			if a.State != tt.want || now != tt.now {
				o.t.Errorf("%+v: state %s, due now %v", tt, a.State, now)
			}
			if handed := a.TransferredAt != nil; handed != (tt.kind == model.TaskTransfer && !tt.refused) {
				o.t.Errorf("%+v: transferred at %v", tt, a.TransferredAt)
			}
		}
	})
}

// A person's token sees and closes what is the person's to do: assigned to them, to a
// role they hold, to whose deputy they are; never what is about themselves.
func TestTasksOfPeople(t *testing.T) {
	t.Parallel()
	eachOffice(t, func(o *office) {
		bobs := o.addTask(model.Task{Kind: model.TaskTransfer, Target: "git", Identity: o.ids["alice"], Assignee: o.ids["bob"], Successor: o.ids["bob"], What: "hand on", Due: o.clock.Now().Add(-time.Minute)})
		roles := o.addTask(model.Task{Kind: model.TaskManual, Target: "chat", Identity: o.ids["alice"], Assignee: "role:security", What: "make"})
		nobodys := o.addTask(model.Task{Kind: model.TaskManual, Target: "chat", Identity: o.ids["sam"], What: "make"})
		ids := func(who hub.Who, q hub.TaskQuery) (out []string) {
			o.t.Helper()
			q.Limit = 10
			list, _, err := o.Tasks(t.Context(), who, q)
			if err != nil {
				o.t.Fatal(err)
			}
			for _, v := range list {
				out = append(out, v.ID)
			}
			return out
		}
		person := func(name string) hub.Who { return hub.Who{Name: name, Person: name} }
		ops := hub.Who{Name: "ops", Operator: true, Override: true}
		for _, tt := range []struct {
			what string
			got  []string
			want []string
		}{
			{"all", ids(ops, hub.TaskQuery{SeeAll: true}), []string{bobs.ID, roles.ID, nobodys.ID}},
			{"overdue", ids(ops, hub.TaskQuery{SeeAll: true, Overdue: true}), []string{bobs.ID}},
			{"at a target", ids(ops, hub.TaskQuery{SeeAll: true, Target: "chat"}), []string{roles.ID, nobodys.ID}},
			{"about somebody", ids(ops, hub.TaskQuery{SeeAll: true, For: "sam"}), []string{nobodys.ID}},
			{"an operator's", ids(ops, hub.TaskQuery{SeeAll: true, Mine: true}), []string{nobodys.ID}},
			{"bob's", ids(person("bob"), hub.TaskQuery{}), []string{bobs.ID}},
			{"of security", ids(person("sam"), hub.TaskQuery{}), []string{roles.ID}},
			{"nobody's", ids(person("zoe"), hub.TaskQuery{}), nil},
		} {
			if !slices.Equal(tt.got, tt.want) {
				o.t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
			}
		}
		page, next, err := o.Tasks(t.Context(), ops, hub.TaskQuery{SeeAll: true, Limit: 2})
		if err != nil || len(page) != 2 || next == "" || page[0].Assigned != "bob" || page[0].For != "alice" || !page[0].Overdue || page[1].Assigned != "role:security" {
			o.t.Fatalf("first page %+v, %q, %v", page, next, err)
		}
		if rest := ids(ops, hub.TaskQuery{SeeAll: true, After: next}); !slices.Equal(rest, []string{nobodys.ID}) {
			o.t.Errorf("second page %v", rest)
		}
		if _, _, err := o.Tasks(t.Context(), ops, hub.TaskQuery{SeeAll: true, After: "nonsense", Limit: 2}); model.CodeOf(err) != model.Invalid {
			o.t.Errorf("a cursor nobody gave: %v", err)
		}
		_, err = o.ShownTask(t.Context(), person("zoe"), false, bobs.ID)
		refusedAs(o.t, "another's", err, model.NotFound, "no task")
		_, err = o.CloseTask(t.Context(), person("zoe"), bobs.ID, hub.TaskClosing{Words: "done"})
		refusedAs(o.t, "closing another's", err, model.NotFound, "no task")
		_, err = o.CloseTask(t.Context(), hub.Who{Name: "sam", Person: "sam", Operator: true}, nobodys.ID, hub.TaskClosing{Words: "done"})
		refusedAs(o.t, "about themselves", err, model.Forbidden, "nobody closes tasks about themselves")
		if _, err := o.CloseTask(t.Context(), person("sam"), roles.ID, hub.TaskClosing{}); err != nil {
			o.t.Error(err)
		}
		if _, err := o.AddDeputy(t.Context(), person("bob"), hub.NewDeputy{Deputy: "zoe"}); err != nil {
			o.t.Fatal(err)
		}
		if done, err := o.CloseTask(t.Context(), person("zoe"), bobs.ID, hub.TaskClosing{Words: "all moved"}); err != nil || done.DoneBy != "person zoe" {
			o.t.Errorf("the deputy: %+v, %v", done, err)
		}
	})
}
