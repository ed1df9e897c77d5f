package store

import (
	"encoding/json"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// heldEntries are the audit entries of accounts whose change is held from now on: by a
// guard, a mode or for want of an approval. What was held before is no
// news.
func (t *Tx) heldEntries(target string, outcomes []Settlement) (out []AuditEntry, err error) {
	held := map[string]string{}
	var ids []string
	for _, o := range outcomes {
		if o.Row.State == model.StateHeld {
			held[o.Row.Identity] = o.Row.LastError
			ids = append(ids, o.Row.Identity)
		}
	}
	for chunk := range slices.Chunk(ids, 500) {
		args := append([]any{target}, anys(chunk)...)
		rows, err := t.texts(`SELECT identity_id FROM accounts WHERE target = ? AND state <> 'held' AND identity_id IN `+list(len(chunk))+` ORDER BY identity_id`, args...)
		if err != nil {
			return nil, err
		}
		for _, id := range rows {
			body, err := json.Marshal(map[string]any{"reason": held[id]})
			if err != nil {
				return nil, err
			}
			out = append(out, AuditEntry{Actor: "hub", Action: "target.held", Object: "target/" + target, Identity: id, Data: body})
		}
	}
	return out, nil
}
