package hub

import (
	"context"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// How the audit trail is verified in the background: 2,000 entries a second at most, so
// that a hub with a hundred million of them knows within a day, and nobody notices.
const (
	auditWatchTick  = 10 * time.Second
	auditWatchPart  = 20_000    // entries in one go
	auditWatchAgain = time.Hour // from the end of a pass to the next one
	auditWatchLease = time.Minute
)

// AuditWatch verifies the audit trail while the hub runs, over and over. Whatever the
// number of replicas, one does so at a time and goes on where the last one stopped. The
// zero value is not ready: Hub has to be set.
type AuditWatch struct {
	Hub *Hub

	next time.Time // nothing is due before
}

// Run verifies a part now and then, until ctx ends.
func (a *AuditWatch) Run(ctx context.Context) {
	tick := time.NewTicker(auditWatchTick)
	defer tick.Stop()
	for {
		if err := a.Tick(ctx); err != nil && ctx.Err() == nil {
			a.Hub.Log.WarnContext(ctx, "the audit trail is not verified at the moment", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Tick verifies the next part, if one is due and no other replica is about it.
func (a *AuditWatch) Tick(ctx context.Context) error {
	now := a.Hub.Store.Now()
	if now.Before(a.next) {
		return nil
	}
	w, err := a.Hub.Store.AuditWatch(ctx)
	if err != nil {
		return err
	}
	if w.Began.IsZero() && w.VerifiedAt != nil && now.Before(w.VerifiedAt.Add(auditWatchAgain)) {
		a.next = w.VerifiedAt.Add(auditWatchAgain)
		return nil
	}
	w, mine, err := a.Hub.Store.ClaimAuditWatch(ctx, auditWatchLease)
	if err != nil || !mine {
		return err
	}
	before, _ := w.Faulty()
	if err := a.part(ctx, &w); err != nil {
		return err // the claim ends by itself
	}
	if n, first := w.Faulty(); n > before || n > 0 && w.Began.IsZero() {
		a.Hub.Log.ErrorContext(ctx, "the audit trail does not verify: run scimhub audit verify", "faults", n, "first", first)
		a.Hub.TellAuditBroken(ctx, n, first)
	}
	return a.Hub.Store.SaveAuditWatch(ctx, w)
}

// part verifies some more entries, and at the end of a pass the checkpoints.
func (a *AuditWatch) part(ctx context.Context, w *store.AuditWatch) error {
	if err := a.Hub.Store.ContinueAuditWatch(ctx, w, auditWatchPart); err != nil || !w.Done() {
		return err
	}
	keys, err := a.Hub.AuditKeys(ctx)
	if err != nil {
		return err
	}
	_, faults, err := a.Hub.Store.VerifyCheckpoints(ctx, keys, nil)
	if err != nil {
		return err
	}
	w.Find(faults)
	w.End(a.Hub.Store.Now())
	return nil
}
