package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func addTask(t *testing.T, db *storetest.DB, n model.Task) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddTask(n) }); err != nil {
		t.Fatal(err)
	}
}

func changeTask(t *testing.T, db *storetest.DB, id string, change func(*model.Task)) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		n, err := tx.LockTask(id)
		if err != nil {
			return err
		}
		change(&n)
		return tx.SaveTask(n)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTasksOfATarget(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		now := db.Now()
		soon, past := now.Add(time.Hour), now.Add(-time.Hour)
		off := []model.Change{{Verb: model.Disable, Identity: "i"}}
		addTask(t, db, model.Task{ID: "1", Kind: model.TaskManual, Target: "wiki", Identity: "i", Digest: "d1", Changes: off, Due: past, Generation: 7})
		addTask(t, db, model.Task{ID: "2", Kind: model.TaskManual, Target: "wiki", Identity: "i", Digest: "d1", Changes: off, Due: soon}) // the same
		addTask(t, db, model.Task{ID: "3", Kind: model.TaskTransfer, Target: "wiki", Identity: "j", Digest: "d3", Due: soon, Auto: true, NextAt: &past})
		addTask(t, db, model.Task{ID: "4", Kind: model.TaskTransfer, Target: "wiki", Identity: "k", Digest: "d4", Due: soon, Auto: true, NextAt: &soon})
		addTask(t, db, model.Task{ID: "5", Kind: model.TaskManual, Target: "git", Identity: "i", Digest: "d1", Due: soon})

		open, overdue, err := db.OpenTaskCounts(t.Context())
		if err != nil || open["wiki"] != 3 || open["git"] != 1 || overdue["wiki"] != 1 || overdue["git"] != 0 {
			t.Errorf("open %v, overdue %v, %v", open, overdue, err)
		}
		ids := func(list []model.Task, err error) (out []string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				out = append(out, n.ID)
			}
			return out
		}
		if got := ids(db.AutoTasks(t.Context(), "wiki", 10)); !slices.Equal(got, []string{"3"}) {
			t.Errorf("to be made by the hub now: %v", got)
		}
		asked, err := db.AskedRemovals(t.Context(), "wiki")
		if err != nil || len(asked) != 1 || !asked["i"] {
			t.Errorf("asked removals %v, %v", asked, err)
		}
		about, err := db.TasksAbout(t.Context(), "wiki", true, "i", "j", "x")
		if err != nil || len(about) != 2 || about[0].Generation != 7 || !about[0].Open() {
			t.Errorf("about i and j: %+v, %v", about, err)
		}
		changeTask(t, db, "1", func(n *model.Task) { n.DoneAt, n.Outcome = &now, model.TaskDone })
		changeTask(t, db, "3", func(n *model.Task) { n.DoneAt, n.Outcome = &now, model.TaskObsolete })
		if got := ids(db.TasksAbout(t.Context(), "wiki", true, "i", "j")); !slices.Equal(got, []string{"1"}) {
			t.Errorf("not obsolete: %v", got)
		}
		if got := ids(db.TasksAbout(t.Context(), "wiki", false, "i", "j")); len(got) != 0 {
			t.Errorf("open: %v", got)
		}
		addTask(t, db, model.Task{ID: "6", Kind: model.TaskManual, Target: "wiki", Identity: "i", Digest: "d1", Due: soon}) // again
		if got := ids(db.TasksAbout(t.Context(), "wiki", true, "i")); !slices.Equal(got, []string{"1", "6"}) {
			t.Errorf("asked again: %v", got)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.UseTask("1") }); err != nil {
			t.Fatal(err)
		}
		used, err := db.TasksAbout(t.Context(), "wiki", true, "i")
		if err != nil || used[0].Generation != -1 {
			t.Errorf("used: %+v, %v", used, err)
		}
	})
}

// Whoever closes a task before the account was stored as waiting for it wakes it.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		later := db.Now().Add(6 * time.Hour).UnixMicro()
		put := func(id, state, class, words string, disabled, transferred any) {
			desired := model.AccountRow{Target: "wiki", Identity: id, Desired: &model.Account{UserName: id}, State: model.StatePending}
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetDesired(desired) }); err != nil {
				t.Fatal(err)
			}
			db.Exec(t, `UPDATE accounts SET due = ?, next_at = ?, state = ?, error_class = ?, last_error = ?, disabled_at = ?, transferred_at = ? WHERE identity_id = ?`, state != "held", later, state, class, words, disabled, transferred, id)
		}
		put("asked", "pending", "awaits-person", "x", nil, nil)
		put("done", "pending", "awaits-person", "x", nil, nil)
		put("other", "pending", "", "x", nil, nil)
		put("held", "held", "", "words", 10, nil)
		put("handed", "held", "", "words", 10, 20)
		put("before", "held", "", "words", 10, 5)
		put("else", "held", "", "other words", 10, 20)
		addTask(t, db, model.Task{ID: "1", Kind: model.TaskManual, Target: "wiki", Identity: "asked", Digest: "d"})
		all := []string{"asked", "done", "other", "held", "handed", "before", "else"}
		if n, err := db.AskedAgain(t.Context(), "wiki", "words", all); err != nil || n != 2 {
			t.Errorf("woken %d, %v", n, err)
		}
		got := db.Strings(t, `SELECT identity_id FROM accounts WHERE due AND next_at < ? ORDER BY identity_id`, later)
		if !slices.Equal(got, []string{"done", "handed"}) {
			t.Errorf("due now: %v", got)
		}
	})
}

func TestSetInvited(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		row := model.AccountRow{Target: "wiki", Identity: "i", Desired: &model.Account{UserName: "i"}, State: model.StatePending}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetDesired(row) }); err != nil {
			t.Fatal(err)
		}
		read := func() model.AccountRow {
			t.Helper()
			rows, err := db.Accounts(t.Context(), "wiki", "", 1)
			if err != nil || len(rows) != 1 {
				t.Fatal(rows, err)
			}
			return rows[0]
		}
		row = read()
		row.Invited, row.Due = true, false
		if err := db.SetInvited(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		if got := read(); !got.Invited || got.Due {
			t.Errorf("stored %+v", got)
		}
		row.Generation--
		row.Invited = false
		if err := db.SetInvited(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		if got := read(); !got.Invited {
			t.Error("an older look decided")
		}
	})
}
