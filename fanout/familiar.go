package fanout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
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
	familiarAge   = 15 * time.Second // it costs one read
	unfamiliarAge = 30 * time.Second

	familiarRows = 4 * canaryTries // that are gone through for some that say something
)

// strangely says why the account that was found for a job is not taken over, though the
// rule would have it; nil: nothing speaks against it.
func (r *runner) strangely(ctx context.Context, j *job) error {
	if j.found == nil || j.row.Owned != "" || r.target.Manual != nil {
		return nil
	}
	return r.alien(ctx)
}

// alien says that ids stand for others than they stood for, as of a moment ago.
func (r *runner) alien(ctx context.Context) error {
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

// unfamiliar reads a few known accounts until one is whom the hub knows. One that is
// only as it was seen last says nothing: that may have been somebody else already.
func (r *runner) unfamiliar(ctx context.Context) (why string, err error) {
	rows, err := r.w.Store.Canaries(ctx, r.target.Name, r.w.Now().Add(-r.inconsistency()), familiarRows)
	if err != nil {
		return "", fmt.Errorf("read accounts: %w", err)
	}
	tries, others := 0, 0
	for _, row := range rows {
		if tries++; tries > canaryTries {
			break
		}
		u, err := r.get(ctx, row.RemoteID)
		switch {
		case ClassOf(err) == Missing:
		case err != nil:
			return "", err
		case carriesNames(row.Applied, u):
			return "", nil
		case isOf(row, u):
			tries--
		default:
			others++
		}
	}
	if others < canariesLeast {
		return "", nil
	}
	return fmt.Sprintf("%d accounts that the hub knows carry the names of other people: nothing is taken over from them; is this the right tenant?", others), nil
}

// otherwise says why what the target shows of a row's account is not taken for it: it
// carries the names of somebody else, and so do others. nil: nothing speaks against it.
func (r *runner) otherwise(ctx context.Context, row model.AccountRow, u RemoteUser) error {
	if isOf(row, u) || carriesNames(row.Desired, u) {
		return nil
	}
	for i := range row.Sent {
		if carriesNames(&row.Sent[i], u) {
			return nil
		}
	}
	return r.alien(ctx)
}
