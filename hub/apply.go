package hub

import (
	"context"
	"encoding/json"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Apply stores a configuration as the next version and marks everybody. It
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
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: "config.apply", Object: "config", Data: body})
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// Planned is a decision beside what is stored of the same person's accounts.
type Planned struct {
	Decision
	stored map[string]model.AccountRow
	next   map[string]model.AccountRow
}

// Row is the account at a target as it would be; relevant is false where there
// would be none and never was.
func (p Planned) Row(target string) (row model.AccountRow, relevant bool) {
	if r, ok := p.next[target]; ok {
		return r, true
	}
	r, ok := p.stored[target]
	return r, ok
}

// DecideAll evaluates people under a snapshot without writing anything.
func (h *Hub) DecideAll(tx *store.Tx, snap *Snapshot, ids []string) ([]Planned, error) {
	known, err := gather(tx, snap, ids)
	if err != nil {
		return nil, err
	}
	var out []Planned
	for _, id := range ids {
		k, ok := known[id]
		if !ok {
			continue
		}
		d := Decide(snap, k, tx.Now)
		p := Planned{Decision: d, stored: map[string]model.AccountRow{}, next: map[string]model.AccountRow{}}
		for _, a := range k.Accounts {
			p.stored[a.Target] = a
		}
		leftAt := k.Row.LeftAt
		if leftAt == nil {
			leftAt = &tx.Now
		}
		changed, _ := d.Rows(k.Accounts, leftAt, k.Row.OverGuard)
		for _, a := range changed {
			if a.Due { // nothing to do where nothing is wanted and nothing was made
				p.next[a.Target] = a
			}
		}
		out = append(out, p)
	}
	return out, nil
}
