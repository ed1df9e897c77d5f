package hub

import (
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Judged is one person as the rules see them.
type Judged struct {
	Identity model.Identity
	Stage    model.Stage
	Present  bool            // with the organisation, and known who they are: rules apply
	Asked    []model.Request // in force
}

// Judge gives people as their rules see them at the moment, without writing
// anything; people that are not there are left out.
func (h *Hub) Judge(tx *store.Tx, snap *Snapshot, ids []string) ([]Judged, error) {
	known, err := gather(tx, snap, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Judged, 0, len(ids))
	for _, id := range ids {
		k, ok := known[id]
		if !ok {
			continue
		}
		d := Decide(snap, k, tx.Now)
		j := Judged{Identity: asPresent(d.Identity, d.Stage), Stage: d.Stage, Present: d.present() && !blocked(k)}
		changed := map[string]model.Request{}
		for _, r := range d.Requests {
			changed[r.ID] = r
		}
		for _, r := range k.Requests {
			if next, ok := changed[r.ID]; ok {
				r = next
			}
			if r.InForce(tx.Now) {
				j.Asked = append(j.Asked, r)
			}
		}
		out = append(out, j)
	}
	return out, nil
}
