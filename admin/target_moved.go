package admin

import (
	"context"
	"encoding/json"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// releaseMove lets a target go on at its new URL as another tenant, where the digest
// names just that; false where it names something else.
func (a *API) releaseMove(ctx context.Context, t model.Target, digest string, by Caller) (released bool, err error) {
	err = a.Hub.Store.Update(ctx, func(tx *store.Tx) error {
		m, ok, err := tx.TenantReleased(t.Name, digest)
		if released = ok; err != nil || !ok {
			return err
		}
		data, err := json.Marshal(map[string]any{"digest": digest, "from": m.From, "to": m.To})
		if err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.Name, Action: "target.release", Object: "target/" + t.Name, Data: data})
	})
	if err == nil && released {
		a.Nudge(t.Name)
	}
	return released && err == nil, err
}
