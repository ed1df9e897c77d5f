package fanout

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Before an account is taken over, some that the hub knows are looked at: where their
// ids stand for other people than before, what a look-up finds is somebody else's, too.

// familiarity is whether ids stand for whom they stood for, as of a moment.
type familiarity struct {
	mu  sync.Mutex
	at  time.Time
	why string // why they do not; empty: they do, as far as is known
}

const (
	familiarAge   = 5 * time.Minute
	unfamiliarAge = 30 * time.Second
)

// strangely says why the account that was found for a job is not taken over, though the
// rule would have it; nil: nothing speaks against it.
func (r *runner) strangely(ctx context.Context, j *job) error {
	if j.found == nil || j.row.Owned != "" || r.target.Manual != nil {
		return nil
	}
	f := &r.familiar
	f.mu.Lock()
	defer f.mu.Unlock()
	now := r.w.Now()
	age := familiarAge
	if f.why != "" {
		age = unfamiliarAge
	}
	if f.at.IsZero() || now.Sub(f.at) >= age || now.Before(f.at) {
		why, err := r.unfamiliar(ctx)
		if err != nil {
			return err
		}
		f.at, f.why = now, why
	}
	if f.why == "" {
		return nil
	}
	return &ClientError{Class: Garbage, Detail: f.why}
}

// unfamiliar reads a few known accounts until one is whom the hub knows.
func (r *runner) unfamiliar(ctx context.Context) (why string, err error) {
	rows, err := r.w.Store.Canaries(ctx, r.target.Name, r.w.Now().Add(-r.inconsistency()), canaryTries)
	if err != nil {
		return "", fmt.Errorf("read accounts: %w", err)
	}
	others := 0
	for _, row := range rows {
		u, err := r.get(ctx, row.RemoteID)
		switch {
		case ClassOf(err) == Missing:
		case err != nil:
			return "", err
		case isOf(row, u):
			return "", nil
		default:
			others++
		}
	}
	if others < canariesLeast {
		return "", nil
	}
	return fmt.Sprintf("%d accounts that the hub knows carry the names of other people: nobody's account is taken over; is this the right tenant?", others), nil
}
