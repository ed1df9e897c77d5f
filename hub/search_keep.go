package hub

import (
	"context"
	"time"
)

// How people come to be found who are not yet: after an upgrade all, else those whom
// nothing evaluates.
const (
	findableBatch = 200
	findableRest  = 20 * time.Millisecond // between two batches: others write, too
	findableIdle  = 5 * time.Minute
	hoursKept     = 35 * 24 * time.Hour // what was done at targets, by hour
)

// KeepFindable puts into the index of people whoever is not in it, and forgets old hours
// of targets, until the context ends. Any number of replicas may run it.
func (h *Hub) KeepFindable(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.findable(ctx); err != nil && ctx.Err() == nil {
			h.Log.ErrorContext(ctx, "some people are not found by words yet", "error", err)
		}
		if snap := h.Snapshot(); snap != nil {
			var targets []string
			for _, t := range snap.Doc.Targets {
				targets = append(targets, t.Name)
			}
			if err := h.Store.PruneHours(ctx, targets, h.Store.Now().Add(-hoursKept)); err != nil && ctx.Err() == nil {
				h.Log.ErrorContext(ctx, "old figures of targets are kept for now", "error", err)
			}
		}
		if !rest(ctx, findableIdle) {
			return
		}
	}
}

// findable goes once through those who are not in the index.
func (h *Hub) findable(ctx context.Context) error {
	after := ""
	for {
		n, last, err := h.Store.IndexPeople(ctx, after, findableBatch)
		if err != nil || n == 0 {
			return err
		}
		if after = last; !rest(ctx, findableRest) {
			return nil
		}
	}
}

// rest waits; false where the context ended.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
