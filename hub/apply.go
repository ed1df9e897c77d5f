package hub

import (
	"context"
	"encoding/json"

	"github.com/scimhub/scimhub/model/store"
)

// Apply stores a configuration as the next version; everybody is looked at under it. It
// refuses, with every fault, what does not parse or type-check, and a base that is
// not the active version any more. Secrets given in plain text are not stored.
// The snapshot returned is not in force until Activate.
func (h *Hub) Apply(ctx context.Context, by Actor, name string, text []byte, base int64) (*Snapshot, error) {
	snap, err := Compile(base+1, name, text, h.Check)
	if err != nil {
		return nil, err
	}
	if h.Usable != nil {
		if err := h.Usable(snap); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(map[string]any{"version": snap.Version, "digest": snap.Doc.Digest()})
	if err != nil {
		return nil, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.AddConfig(base, snap.Doc.Digest(), string(snap.Doc.Redacted()), by.String()); err != nil {
			return err
		}
		if err := tellActivated(tx, by, snap.Version, 0); err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: "config.apply", Object: "config", Data: body})
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// DecideAll evaluates people under a snapshot without writing anything.
func (h *Hub) DecideAll(tx *store.Tx, snap *Snapshot, ids []string) ([]Planned, error) {
	known, err := gather(tx, snap, ids)
	if err != nil {
		return nil, err
	}
	var out []Planned
	for _, id := range ids {
		if k, ok := known[id]; ok {
			out = append(out, PlanOne(snap, k, tx.Now))
		}
	}
	return out, nil
}
