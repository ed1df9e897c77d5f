package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TaskQuery says which tasks are listed.
type TaskQuery struct {
	Target  string
	For     string // userName or id of whom they are about
	State   string // open (default), closed, all
	Mine    bool   // assigned to who lists, to a role they hold, or to somebody whose deputy they are
	Overdue bool
	After   string // cursor of the previous page
	Limit   int
	SeeAll  bool // else only what is theirs to do
}

// TaskView is a task with what it takes to show it.
type TaskView struct {
	model.Task
	For      string `json:"for,omitempty"` // name of whom it is about
	Assigned string `json:"assigned"`      // name of who is to do it, role:NAME, or "operators"
	Gets     string `json:"gets,omitempty"`
	Overdue  bool   `json:"overdue,omitempty"`
}

// Tasks lists tasks, those that are due first in front.
func (h *Hub) Tasks(ctx context.Context, by Who, q TaskQuery) (out []TaskView, next string, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		f := store.TaskFilter{Target: q.Target, State: q.State, Overdue: q.Overdue, After: q.After, Limit: q.Limit}
		if q.For != "" {
			row, err := tx.FindIdentity(q.For)
			if err != nil {
				return err
			}
			f.Identity = row.ID
		}
		if q.Mine || !q.SeeAll {
			me, err := acting(tx, by)
			if err != nil {
				return err
			}
			if f.Assigned, err = assignedTo(tx, me); err != nil {
				return err
			}
		}
		list, more, err := tx.Tasks(f)
		if err != nil {
			return err
		}
		next = more
		out, err = viewTasks(tx, list)
		return err
	})
	return out, next, err
}

// assignedTo names as whom somebody does tasks; an operator who is nobody does those
// that are assigned to nobody.
func assignedTo(tx *store.Tx, me asker) ([]string, error) {
	keys := []string{}
	if me.operator {
		keys = []string{""}
	}
	if me.id == "" {
		return keys, nil
	}
	theirs, err := answersFor(tx, me.id)
	return append(keys, theirs...), err
}

// ShownTask reads one task. NotFound where there is none that who asks may see.
func (h *Hub) ShownTask(ctx context.Context, by Who, seeAll bool, id string) (v TaskView, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		t, err := tx.Task(id)
		if err != nil {
			return err
		}
		if !seeAll {
			if err := ownTask(tx, by, t); err != nil {
				return err
			}
		}
		views, err := viewTasks(tx, []model.Task{t})
		if err == nil {
			v = views[0]
		}
		return err
	})
	return v, err
}

// ownTask says NotFound where a task is not one of who asks.
func ownTask(tx *store.Tx, by Who, t model.Task) error {
	me, err := acting(tx, by)
	if err != nil {
		return err
	}
	keys, err := assignedTo(tx, me)
	if err == nil && !slices.Contains(keys, t.Assignee) {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no task with the id %q", t.ID), nil)
	}
	return err
}

func viewTasks(tx *store.Tx, list []model.Task) ([]TaskView, error) {
	var ids []string
	for _, t := range list {
		for _, id := range []string{t.Identity, t.Assignee, t.Successor} {
			if id != "" && !strings.HasPrefix(id, roleApprover) {
				ids = append(ids, id)
			}
		}
	}
	people, err := tx.People(unique(ids))
	if err != nil {
		return nil, err
	}
	out := make([]TaskView, len(list))
	for i, t := range list {
		v := TaskView{Task: t, For: people[t.Identity].Name, Assigned: "operators", Gets: people[t.Successor].Name, Overdue: t.Open() && tx.Now.After(t.Due)}
		switch {
		case strings.HasPrefix(t.Assignee, roleApprover):
			v.Assigned = t.Assignee
		case t.Assignee != "":
			v.Assigned = people[t.Assignee].Name
		}
		out[i] = v
	}
	return out, nil
}

// TaskClosing is what a task is closed with.
type TaskClosing struct {
	Refused bool   // it will not be done
	Words   string // how it can be checked, or why not
}

// CloseTask says that a task was done, or will not be: Forbidden where it is not the
// caller's or about themselves, Invalid without the words that it needs, Conflict where
// it was closed before. The account that waits for it is worked on at once.
func (h *Hub) CloseTask(ctx context.Context, by Who, id string, c TaskClosing) (t model.Task, err error) {
	c.Words = strings.TrimSpace(c.Words)
	if err := checkReason(c.Words); err != nil {
		return t, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		if t, err = tx.LockTask(id); err != nil {
			return err
		}
		if !me.operator && !me.override {
			if err := ownTask(tx, by, t); err != nil {
				return err
			}
		}
		if err := closable(t, me, c); err != nil {
			return err
		}
		return closeTask(tx, &t, me, c)
	})
	if err != nil {
		return model.Task{}, err
	}
	h.Nudge(t.Target)
	return t, nil
}

// closable says why a task cannot be closed so.
func closable(t model.Task, me asker, c TaskClosing) error {
	again := t.Outcome == model.TaskRefused && !c.Refused // done after all
	switch {
	case me.id != "" && me.id == t.Identity:
		return model.Fail(model.Forbidden, fmt.Sprintf("the task %s is about %s: nobody closes tasks about themselves", t.ID, me.name), nil)
	case !t.Open() && !again:
		return model.Fail(model.Conflict, fmt.Sprintf("the task %s is closed: %s by %s on %s", t.ID, t.Outcome, t.DoneBy, t.DoneAt.Format("2006-01-02 15:04")), nil)
	case c.Refused && c.Words == "":
		return model.Fail(model.Invalid, "reason is missing: say why the task will not be done", nil)
	case !c.Refused && t.NeedsProof && c.Words == "":
		return model.Fail(model.Invalid, "proof is missing: say how it can be checked that the task was done (a ticket, what the application shows)", nil)
	}
	return nil
}

func closeTask(tx *store.Tx, t *model.Task, me asker, c TaskClosing) error {
	now, action := tx.Now, "task.done"
	t.DoneAt, t.DoneBy, t.Proof, t.Outcome, t.Auto, t.NextAt = &now, me.actor(), c.Words, model.TaskDone, false, nil
	if c.Refused {
		t.Outcome, action = model.TaskRefused, "task.refused"
	}
	if err := tx.SaveTask(*t); err != nil {
		return err
	}
	if err := tx.TaskClosed(*t); err != nil {
		return err
	}
	return tx.TellTask(me.actor(), action, *t)
}
