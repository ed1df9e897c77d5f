package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// How long a run of one person waits for the evaluation, and how often it looks.
const (
	decidePatience = 15 * time.Second
	decidePoll     = 30 * time.Millisecond
)

// TryPerson decides about one person without storing anything.
func (h *Hub) TryPerson(ctx context.Context, person string) (p Planned, row store.IdentityRow, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return p, row, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		if row, err = tx.FindIdentity(person); err != nil {
			return err
		}
		planned, err := h.DecideAll(tx, snap, []string{row.ID})
		if err == nil && len(planned) == 0 {
			return model.Fail(model.NotFound, fmt.Sprintf("nothing is known of %q any more", person), nil)
		}
		if err == nil {
			p = planned[0]
		}
		return err
	})
	return p, row, err
}

// DecidePerson has one person evaluated now and waits for that. decided is false where
// the evaluation has too much to do: what was decided before stands for a while.
func (h *Hub) DecidePerson(ctx context.Context, by, id string) (decided bool, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Audit(store.AuditEntry{Actor: by, Action: "identity.run", Object: "identity/" + id, Identity: id}); err != nil {
			return err
		}
		return tx.Mark(false, id)
	})
	if err != nil {
		return false, err
	}
	h.Wake()
	limit, cancel := context.WithTimeout(ctx, decidePatience)
	defer cancel()
	tick := time.NewTicker(decidePoll)
	defer tick.Stop()
	for {
		select {
		case <-limit.Done():
			return false, ctx.Err()
		case <-tick.C:
		}
		waiting := true
		err := h.Store.View(limit, func(tx *store.Tx) (err error) {
			waiting, err = tx.Marked(id)
			return err
		})
		switch {
		case err != nil && limit.Err() == nil:
			return false, err
		case err == nil && !waiting:
			return true, nil
		}
	}
}
