package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The kinds of drift.
const (
	driftChanged     = "changed"     // an owned attribute or active differs
	driftMissing     = "missing"     // our account is gone
	driftUnknown     = "unknown"     // an account that is nobody's the hub knows
	driftMembership  = "membership"  // somebody is in a group or is not, or the group itself differs
	driftResurrected = "resurrected" // an account that the hub disabled or deleted is active again
)

// driftKinds are all of them, in order.
func driftKinds() []string {
	return []string{driftChanged, driftMembership, driftMissing, driftResurrected, driftUnknown}
}

const sweepRetry = time.Minute // after a sweep that could not be finished

// SweepReport is what a drift sweep saw. Kinds counts all drift there is, not
// only what is new.
type SweepReport struct {
	Checked int            // accounts the target showed
	Kinds   map[string]int // changed, membership, missing, resurrected, unknown
	New     int            // found for the first time
	Refused string         // why nothing was concluded from what was seen; empty: it was
}

// Sweep reads a target in full now and compares. It returns what was found; an
// error says that the target could not be read to its end, in which case nothing
// was concluded from what it did not show.
func (w *Worker) Sweep(ctx context.Context, name string) (SweepReport, error) {
	r, err := w.sweeper(name)
	if err != nil {
		return SweepReport{}, err
	}
	var report SweepReport
	ran := false
	err = r.leased(ctx, ctx, func(soft, hard context.Context) (err error) {
		ran = true
		report, err = r.sweep(soft, hard, true)
		return err
	})
	if err == nil && !ran {
		err = model.Fail(model.Unavailable, "another replica works on target "+name+"; try again", nil)
	}
	return report, err
}

// sweeper is the runner of a target, or one of its own where none is running.
func (w *Worker) sweeper(name string) (*runner, error) {
	w.mu.Lock()
	r := w.runners[name]
	w.mu.Unlock()
	if r != nil {
		return r, nil
	}
	if snapshot := w.Current(); snapshot != nil {
		for _, t := range snapshot.Targets {
			if t.Name == name {
				return w.newRunner(t)
			}
		}
	}
	return nil, model.Fail(model.NotFound, "there is no target "+name, nil)
}

// driftRound sweeps when it is time or somebody asked. A scheduled sweep lets a
// backlog go first, unless it has been waiting for a whole interval.
func (r *runner) driftRound(soft, hard context.Context) error {
	if r.target.Manual != nil {
		return nil // nothing can be read there
	}
	ready, err := r.mayWork(soft)
	if err != nil || !ready {
		return err
	}
	st, err := r.w.Store.TargetState(soft, r.target.Name)
	if err != nil {
		return fmt.Errorf("read target state: %w", err)
	}
	now := r.w.Now()
	if now.Before(r.sweepAfter) || !r.sweepDue(soft, st, now) {
		return nil
	}
	return r.leased(soft, hard, func(soft, hard context.Context) error {
		_, err := r.sweep(soft, hard, st.DriftWanted)
		switch {
		case errors.Is(err, errSweepCut), errors.Is(err, errNotCalm):
			err = nil // it goes on from there
		case err != nil:
			r.sweepAfter = r.w.Now().Add(sweepRetry)
		}
		// A quiet target is asked by sweeps alone: how it answers is its standing.
		r.note(hard, false)
		r.stamp(hard, true)
		return err
	})
}

func (r *runner) sweepDue(ctx context.Context, st store.TargetState, now time.Time) bool {
	every := r.target.Drift.Every
	switch {
	case st.DriftWanted:
		return true
	case every <= 0 || (st.LastDrift != nil && now.Before(st.LastDrift.Add(every))):
		return false
	case st.LastDrift != nil && now.After(st.LastDrift.Add(2*every)):
		return true
	}
	rows, err := r.w.Store.DueAccounts(ctx, r.target.Name, store.LaneAll, 1)
	return err == nil && len(rows) == 0
}
