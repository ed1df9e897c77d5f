package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// TaskFilter says which tasks a listing is about; empty fields say nothing.
type TaskFilter struct {
	Target   string
	Identity string
	State    string   // open, closed, all; empty: open
	Assigned []string // identities and role:NAME: only theirs
	Overdue  bool
	After    string // cursor of the previous page
	Limit    int
}

// Tasks lists tasks, those that are due first in front, and the cursor of the next page.
func (t *Tx) Tasks(f TaskFilter) (out []model.Task, next string, err error) {
	var where []string
	var args []any
	add := func(cond string, values ...any) { where, args = append(where, cond), append(args, values...) }
	switch f.State {
	case "", "open":
		add(`done_at IS NULL`)
	case "closed":
		add(`done_at IS NOT NULL`)
	case "all":
		add(`TRUE`)
	default:
		return nil, "", model.Fail(model.Invalid, "state must be open, closed or all", nil)
	}
	if f.Target != "" {
		add(`target = ?`, f.Target)
	}
	if f.Identity != "" {
		add(`identity_id = ?`, f.Identity)
	}
	if f.Assigned != nil {
		if len(f.Assigned) == 0 {
			return nil, "", nil
		}
		add(`assignee IN `+list(len(f.Assigned)), anys(f.Assigned)...)
	}
	if f.Overdue {
		add(`done_at IS NULL AND due_at < ?`, micros(t.Now))
	}
	if f.After != "" {
		at, id, err := taskCursor(f.After)
		if err != nil {
			return nil, "", err
		}
		add(`(due_at, id) > (?, ?)`, at, id)
	}
	out, err = t.tasksWhere(strings.Join(where, " AND ")+` ORDER BY due_at, id LIMIT ?`, append(args, f.Limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(out) > f.Limit {
		out = out[:f.Limit]
		last := out[f.Limit-1]
		next = strconv.FormatInt(micros(last.Due), 10) + "." + last.ID
	}
	return out, next, nil
}

func taskCursor(text string) (at int64, id string, err error) {
	number, id, ok := strings.Cut(text, ".")
	at, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	return at, id, nil
}

func (t *Tx) tasksWhere(cond string, args ...any) ([]model.Task, error) {
	rows, err := t.query(`SELECT doc, generation FROM tasks WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []model.Task
	for rows.Next() {
		var doc string
		var generation int64
		if err := rows.Scan(&doc, &generation); err != nil {
			return nil, err
		}
		var one model.Task
		if err := json.Unmarshal([]byte(doc), &one); err != nil {
			return nil, fmt.Errorf("task: %w", err)
		}
		one.Generation = generation
		out = append(out, one)
	}
	return out, rows.Err()
}

// Task reads one. model.NotFound if there is none.
func (t *Tx) Task(id string) (model.Task, error) {
	found, err := t.tasksWhere(`id = ?`, id)
	if err == nil && len(found) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no task with the id %q", id), nil)
	}
	if err != nil {
		return model.Task{}, err
	}
	return found[0], nil
}

// LockTask is Task for somebody who is about to change it.
func (t *Tx) LockTask(id string) (model.Task, error) {
	if t.pg {
		var one string
		if err := t.row(`SELECT id FROM tasks WHERE id = ? FOR UPDATE`, id).Scan(&one); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return model.Task{}, err
		}
	}
	return t.Task(id)
}

// TasksAbout lists the tasks of some identities at a target: the open ones, and with
// closed also those that ended other than obsolete, the newest last.
func (s *Store) TasksAbout(ctx context.Context, target string, closed bool, identities ...string) (out []model.Task, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		for start := 0; start < len(identities); start += idChunk {
			chunk := identities[start:min(start+idChunk, len(identities))]
			cond := `done_at IS NULL`
			if closed {
				cond = `outcome <> 'obsolete'`
			}
			found, err := tx.tasksWhere(`target = ? AND `+cond+` AND identity_id IN `+list(len(chunk))+` ORDER BY id`, append([]any{target}, anys(chunk)...)...)
			if err != nil {
				return err
			}
			out = append(out, found...)
		}
		return nil
	})
	return out, err
}

// AskedRemovals are the identities of a target that a person has been asked to take
// access from and who still have it as far as is known: open tasks.
func (s *Store) AskedRemovals(ctx context.Context, target string) (map[string]bool, error) {
	out := map[string]bool{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		ids, err := tx.texts(`SELECT DISTINCT identity_id FROM tasks WHERE target = ? AND done_at IS NULL AND removes AND identity_id <> ''`, target)
		for _, id := range ids {
			out[id] = true
		}
		return err
	})
	return out, err
}

// AutoTasks lists the transfers of a target that the hub is to make by itself now.
func (s *Store) AutoTasks(ctx context.Context, target string, limit int) (out []model.Task, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.tasksWhere(`target = ? AND done_at IS NULL AND auto AND next_at <= ? ORDER BY next_at, id LIMIT ?`, target, micros(tx.Now), limit)
		return err
	})
	return out, err
}

// OpenTaskCounts counts the open tasks of each target, and those that are overdue.
func (s *Store) OpenTaskCounts(ctx context.Context) (open, overdue map[string]int, err error) {
	open, overdue = map[string]int{}, map[string]int{}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT target, count(*), count(CASE WHEN due_at < ? THEN 1 END) FROM tasks WHERE done_at IS NULL GROUP BY target`, micros(tx.Now))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var target string
			var n, late int
			if err := rows.Scan(&target, &n, &late); err != nil {
				return err
			}
			open[target] = n
			if late > 0 {
				overdue[target] = late
			}
		}
		return rows.Err()
	})
	return open, overdue, err
}

// AddTask stores a new, open task with its audit entry and a line of the person's
// timeline. Where one of the same content is open already nothing is stored.
func (t *Tx) AddTask(n model.Task) error {
	doc, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("task: %w", err)
	}
	made, err := t.exec(`INSERT INTO tasks (id, kind, target, identity_id, digest, assignee, removes, created_at, due_at, done_at, outcome, generation, auto, next_at, doc)
VALUES (?,?,?,?,?,?,?,?,?,NULL,'',?,?,?,?) ON CONFLICT DO NOTHING`,
		n.ID, string(n.Kind), n.Target, n.Identity, n.Digest, n.Assignee, n.Removes(), micros(n.Created), micros(n.Due), n.Generation, n.Auto, microsPtr(n.NextAt), string(doc))
	if err != nil || made == 0 {
		return err
	}
	if err := t.notifyTask("task.created", n, ""); err != nil {
		return err
	}
	return t.TellTask("hub", "task.opened", n)
}

// SaveTask stores a task that was read under a lock and changed since.
func (t *Tx) SaveTask(n model.Task) error {
	doc, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("task %s: %w", n.ID, err)
	}
	_, err = t.exec(`UPDATE tasks SET assignee = ?, due_at = ?, done_at = ?, outcome = ?, generation = ?, auto = ?, next_at = ?, doc = ? WHERE id = ?`,
		n.Assignee, micros(n.Due), microsPtr(n.DoneAt), string(n.Outcome), n.Generation, n.Auto, microsPtr(n.NextAt), string(doc), n.ID)
	return err
}

// TellTask appends what happened to a task to the audit trail and to the timeline of
// whom it is about.
func (t *Tx) TellTask(actor, action string, n model.Task) error {
	data := map[string]any{"task": n.ID, "kind": n.Kind, "target": n.Target, "what": n.What}
	if n.Open() {
		data["due"] = n.Due.UTC().Format(time.RFC3339)
	}
	if n.Proof != "" {
		data["proof"] = n.Proof
	}
	if n.LastError != "" {
		data["error"] = n.LastError
	}
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if n.Identity != "" {
		if err := t.AddEvent(Event{Type: action, Identity: n.Identity, Data: json.RawMessage(body)}); err != nil {
			return err
		}
	}
	return t.Audit(AuditEntry{Actor: actor, Action: action, Object: "task/" + n.ID, Identity: n.Identity, Data: body})
}
