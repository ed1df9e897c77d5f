package store

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// What is told of what the store itself writes down.

// notifyTask tells of a task, whoever is to do it.
func (t *Tx) notifyTask(event string, n model.Task, key string) error {
	data := map[string]any{"task": n.ID, "kind": n.Kind, "target": n.Target, "what": n.What, "due": n.Due.UTC().Format(time.RFC3339)}
	if n.Identity != "" {
		people, err := t.People([]string{n.Identity})
		if err != nil {
			return err
		}
		data["for"] = people[n.Identity].Name
	}
	var asked []string
	if n.Assignee != "" {
		asked = []string{n.Assignee}
	}
	return t.Notify(Notice{Type: event, Subject: "task/" + n.ID, Key: key, Identity: n.Identity, Asked: asked, Data: data})
}

// NotifyOverdue tells of up to limit tasks whose time is over, each once. It reports
// whether there may be more.
func (t *Tx) NotifyOverdue(limit int) (more bool, err error) {
	list, err := t.tasksWhere(`done_at IS NULL AND due_at < ? AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.type = 'task.overdue' AND n.key = tasks.id || '/' || tasks.due_at) ORDER BY due_at, id LIMIT ?`,
		micros(t.Now), limit)
	if err != nil {
		return false, err
	}
	for _, n := range list {
		if err := t.notifyTask("task.overdue", n, fmt.Sprintf("%s/%d", n.ID, micros(n.Due))); err != nil {
			return false, err
		}
	}
	return len(list) == limit, nil
}

// notifyHeld tells that changes at a target are held, where none was before: entries are
// those of accounts that are held from now on, which are not stored yet.
func (t *Tx) notifyHeld(target string, entries []AuditEntry, outcomes []Settlement) error {
	if len(entries) == 0 {
		return nil
	}
	var before bool
	if err := t.row(`SELECT EXISTS (SELECT 1 FROM accounts WHERE target = ? AND state = 'held')`, target).Scan(&before); err != nil || before {
		return err
	}
	reason := ""
	for _, o := range outcomes {
		if o.Row.Identity == entries[0].Identity {
			reason = o.Row.LastError
		}
	}
	return t.Notify(heldNotice(target, reason, t.Now))
}

// heldNotice tells that changes at a target are held: once a minute, for accounts and
// groups alike.
func heldNotice(target, reason string, now time.Time) Notice {
	return Notice{Type: "plan.held", Subject: "target/" + target, Key: target + "/" + now.Format("2006-01-02T15:04"),
		Data: map[string]any{"target": target, "reason": reason}}
}

// notifyLeaving tells of leavers whose access ends from now on, by their runs.
func (t *Tx) notifyLeaving(runs []string) error {
	return t.notifyRuns("leaver.started", runs, func(leaverFact) map[string]any { return map[string]any{} })
}

// notifyGone tells of leavers whose access is verified gone everywhere.
func (t *Tx) notifyGone(runs []string) error {
	return t.notifyRuns("leaver.done", runs, func(f leaverFact) map[string]any {
		return map[string]any{"took": model.Span(t.Now.Sub(f.received))}
	})
}

type leaverFact struct {
	id, identity, name string
	received           time.Time
}

func (t *Tx) notifyRuns(event string, runs []string, data func(leaverFact) map[string]any) error {
	if len(runs) == 0 {
		return nil
	}
	found, err := t.leaverFacts(runs)
	if err != nil {
		return err
	}
	var out []Notice
	for _, f := range found {
		d := data(f)
		d["for"] = f.name
		out = append(out, Notice{Type: event, Subject: "identity/" + f.identity, Key: f.id, Identity: f.identity, Data: d})
	}
	return t.Notify(out...)
}

// leaverFacts reads whose runs these are; drills are left out.
func (t *Tx) leaverFacts(runs []string) (out []leaverFact, err error) {
	rows, err := t.query(`SELECT r.id, r.identity_id, i.name, r.received_at FROM leaver_runs r JOIN identities i ON i.id = r.identity_id WHERE r.kind = 'leaver' AND r.id IN `+
		list(len(runs))+` ORDER BY r.id`, anys(runs)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f leaverFact
		var received int64
		if err := rows.Scan(&f.id, &f.identity, &f.name, &received); err != nil {
			return nil, err
		}
		f.received = fromMicros(received)
		out = append(out, f)
	}
	return out, rows.Err()
}

// OverdueUntold reports whether there are tasks whose time is over and of which that was
// not told.
func (s *Store) OverdueUntold(ctx context.Context) (found bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM tasks WHERE done_at IS NULL AND due_at < ? AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.type = 'task.overdue' AND n.key = tasks.id || '/' || tasks.due_at))`,
			micros(tx.Now)).Scan(&found)
	})
	return found, err
}

// Told reports whether all of these notices were written before, by their types and keys.
func (s *Store) Told(ctx context.Context, list []Notice) (all bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		for _, n := range list {
			if err := tx.row(`SELECT EXISTS (SELECT 1 FROM notices WHERE type = ? AND key = ? AND key <> '')`, n.Type, n.Key).Scan(&all); err != nil || !all {
				return err
			}
		}
		all = true
		return nil
	})
	return all, err
}
