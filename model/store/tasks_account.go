package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/scimhub/scimhub/model"
)

// TaskClosed makes the account that waits for a task due: to be carried out, or to say
// why it is not. A transfer that was made is noted at the account, and lets a deletion
// go on that it held; nothing else becomes due by it.
func (t *Tx) TaskClosed(n model.Task) error {
	if n.Identity == "" {
		return nil
	}
	switch {
	case n.Kind != model.TaskTransfer:
		_, err := t.exec(`UPDATE accounts SET due = TRUE, next_at = ? WHERE target = ? AND identity_id = ? AND state IN ('pending', 'failed')`, micros(t.Now), n.Target, n.Identity)
		return err
	case n.Outcome != model.TaskDone:
		return nil
	}
	if _, err := t.exec(`UPDATE accounts SET transferred_at = ? WHERE target = ? AND identity_id = ?`, micros(t.Now), n.Target, n.Identity); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE accounts SET state = ?, due = TRUE, next_at = ? WHERE target = ? AND identity_id = ? AND state = ?`,
		string(model.StatePending), micros(t.Now), n.Target, n.Identity, string(model.StateHeld))
	if err != nil {
		return err
	}
	return t.noteAccounts(n.Target, []string{n.Identity})
}

// eraseTasks takes what is personal out of the tasks about somebody, and closes them.
func (t *Tx) eraseTasks(identity string) error {
	found, err := t.tasksWhere(`identity_id = ?`, identity)
	if err != nil {
		return err
	}
	for _, n := range found {
		n.UserName, n.What, n.Changes, n.Proof, n.LastError, n.Successor = "", "", nil, "", "", ""
		if n.Open() {
			n.DoneAt, n.DoneBy, n.Outcome, n.Auto, n.NextAt = &t.Now, "hub", model.TaskObsolete, false, nil
		}
		if err := t.SaveTask(n); err != nil {
			return err
		}
	}
	return nil
}

// ManagerOf is the identity that somebody's record names as manager; empty: none that
// is known.
func (t *Tx) ManagerOf(identity string) (manager string, err error) {
	err = t.row(`SELECT manager_id FROM identities WHERE id = ?`, identity).Scan(&manager)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return manager, err
}

// UseTask notes that what somebody confirmed by a task was taken into the books: the
// same change wanted again is asked for again.
func (t *Tx) UseTask(id string) error {
	_, err := t.exec(`UPDATE tasks SET generation = -1 WHERE id = ? AND done_at IS NOT NULL`, id)
	return err
}

// SetInvited stores whether an account's invitation is open, and where the row says so
// that it is due because of that. A row that was decided anew meanwhile stays as it is.
func (s *Store) SetInvited(ctx context.Context, a model.AccountRow) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE accounts SET invited = ?, due = ?, next_at = ?, last_error = ? WHERE target = ? AND identity_id = ? AND generation = ?`,
			a.Invited, a.Due, micros(a.NextAttempt), a.LastError, a.Target, a.Identity, a.Generation)
		return err
	})
}

// AskedAgain makes accounts due that were stored as waiting for a task after the task had
// been closed: whoever closed it could not wake them. held are the words of accounts that
// wait for a transfer.
func (s *Store) AskedAgain(ctx context.Context, target, held string, identities []string) (woken int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		woken = 0
		for start := 0; start < len(identities); start += idChunk {
			chunk := identities[start:min(start+idChunk, len(identities))]
			args := append([]any{micros(tx.Now), held, target}, anys(chunk)...)
			n, err := tx.exec(`UPDATE accounts SET due = TRUE, next_at = ?, state = 'pending'
WHERE (state = 'pending' AND error_class = 'awaits-person' AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.target = accounts.target AND t.identity_id = accounts.identity_id AND t.done_at IS NULL AND t.kind <> 'transfer')
OR state = 'held' AND last_error = ? AND transferred_at >= disabled_at) AND target = ? AND identity_id IN `+list(len(chunk)), args...)
			if err != nil {
				return err
			}
			woken += n
		}
		return nil
	})
	return woken, err
}

// dropTasks makes the open tasks about some people at a target obsolete: whose account it
// is has changed, and what it needs is worked out anew.
func (t *Tx) dropTasks(target string, identities ...string) error {
	found, err := t.tasksWhere(`target = ? AND done_at IS NULL AND identity_id IN `+list(len(identities)), append([]any{target}, anys(identities)...)...)
	if err != nil {
		return err
	}
	for _, n := range found {
		n.DoneAt, n.DoneBy, n.Outcome, n.Auto, n.NextAt = &t.Now, "hub", model.TaskObsolete, false, nil
		if err := t.SaveTask(n); err != nil {
			return err
		}
		if err := t.TellTask("hub", "task.obsolete", n); err != nil {
			return err
		}
	}
	return nil
}
