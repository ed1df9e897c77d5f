package admin

import (
	"net/http"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ExportPage is some people for a file, with what the file's head says.
type ExportPage struct {
	Head  hub.ExportHead       `json:"head"`
	Items []hub.ExportedPerson `json:"items"`
	Next  string               `json:"next,omitempty"`
}

func (a *API) exportPeople(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	ids, err := a.Hub.Store.IdentityIDs(r.Context(), after, limit)
	if err != nil {
		return nil, err
	}
	out := ExportPage{Head: hub.ExportHead{Format: hub.ExportFormat, Version: snap.Version, At: a.now().UTC()}, Items: []hub.ExportedPerson{}}
	if len(ids) == 0 {
		return out, nil
	}
	if len(ids) == limit {
		out.Next = encodeCursor(ids[len(ids)-1])
	}
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		var err error
		out.Items, err = a.Hub.Export(tx, snap, ids)
		return err
	})
	return out, err
}

// PlanExported works out what would change of exported people if the snapshot were in
// force, without a hub. next gives them one by one, false at the end. Guards count with
// what was exported: removals carried out before are not known.
func PlanExported(snap *hub.Snapshot, only string, now time.Time, next func() (hub.Known, bool, error)) (PlanAnswer, error) {
	p, err := newPlanner(snap, only)
	if err != nil {
		return PlanAnswer{}, err
	}
	population := map[string]int{}
	for {
		k, more, err := next()
		if err != nil {
			return p.out, err
		}
		if !more {
			break
		}
		for _, a := range k.Accounts {
			if a.Desired != nil && a.Desired.Active {
				population[a.Target]++
			}
		}
		p.add(hub.PlanOne(snap, k, now), now)
	}
	return p.finish(func(t model.Target, rows []model.AccountRow) (model.Plan, error) {
		held := map[string]bool{}
		for _, r := range rows {
			held[r.Identity] = r.LeaverHeld
		}
		return fanout.Guard(fanout.Diff(t, p.profiles[t.Name], rows, now), fanout.GuardFacts{Guard: t.Guard, Population: population[t.Name], LeaverHeld: held}), nil
	})
}
