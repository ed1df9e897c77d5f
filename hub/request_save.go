package hub

import (
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// saveRequests stores the requests that a decision changed, with their events, and
// gives the audit entries. What somebody else changed meanwhile stays as it is then:
// it is marked, and decided anew. Requests of a leaver whom the source's guard holds, or
// whom a change of the configuration made one, stay, too: if it was a mistake nothing
// has to be asked for again.
func (h *Hub) saveRequests(tx *store.Tx, d Decision, k Known, next store.IdentityRow) (entries []store.AuditEntry, err error) {
	for _, r := range d.Requests {
		before := requestOf(k, r.ID)
		if r.State == model.RequestEnded && d.Stage == model.Leaver && mistaken(next, tx.Now) {
			continue
		}
		if waiting(before) == nil && waiting(r) != nil { // who can answer is looked up then
			if err := tx.Mark(false, r.Identity); err != nil {
				return nil, err
			}
		}
		if r.ID == "" {
			if r, err = h.addRequest(tx, r); err != nil {
				return nil, err
			}
		} else {
			saved, err := tx.SaveRequest(r)
			if err != nil {
				return nil, err
			}
			if !saved {
				continue
			}
		}
		more, err := tell(tx, "hub", before, r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

func requestOf(k Known, id string) model.Request {
	env := requestEnv{known: k}
	return env.stored(id)
}

func (h *Hub) addRequest(tx *store.Tx, r model.Request) (model.Request, error) {
	id, err := newID()
	if err != nil {
		return r, err
	}
	r.ID, r.Version = id, 1
	return r, tx.AddRequest(r)
}
