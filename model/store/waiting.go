package store

import (
	"context"

	"github.com/scimhub/scimhub/model"
)

// Waiting counts the accounts of a target with something to do.
type Waiting struct {
	Pending   int // now or later, those of People among them
	People    int // of these, waiting for a person to close a task
	Scheduled int // not among them: switched off, to be deleted at the end of the grace period
}

// Waiting counts what waits at a target.
func (s *Store) Waiting(ctx context.Context, target string) (w Waiting, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT coalesce(sum(CASE WHEN state = ? AND next_at > ? THEN 0 ELSE 1 END), 0),
coalesce(sum(CASE WHEN state = ? AND error_class = ? THEN 1 ELSE 0 END), 0),
coalesce(sum(CASE WHEN state = ? AND next_at > ? THEN 1 ELSE 0 END), 0) FROM accounts WHERE target = ? AND due`,
			string(model.StateDisabled), micros(tx.Now), string(model.StatePending), awaitsPerson, string(model.StateDisabled), micros(tx.Now), target).
			Scan(&w.Pending, &w.People, &w.Scheduled)
	})
	return w, err
}

// awaitsPerson is the class of accounts that wait for a task, which is no failure.
const awaitsPerson = "awaits-person"
