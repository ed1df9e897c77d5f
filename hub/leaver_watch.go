package hub

import (
	"context"
	"encoding/json"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// How leavers are looked after.
const (
	leaverTick = time.Second
	leaverPage = 500
)

// WatchLeavers looks after the runs of leavers until ctx ends: it says so, once, when
// the goal of a target is at risk and when it is missed, ends the runs of people who
// came back, and takes drills on. Any number of replicas may do so.
func (h *Hub) WatchLeavers(ctx context.Context) {
	tick := time.NewTicker(leaverTick)
	defer tick.Stop()
	for {
		if err := h.LookAtLeavers(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "leavers cannot be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// LookAtLeavers goes through the open runs once.
func (h *Hub) LookAtLeavers(ctx context.Context) error {
	snap := h.Snapshot()
	if snap == nil {
		return nil
	}
	var last model.LeaverRun
	waiting := false
	for {
		runs, err := h.Store.OpenLeavers(ctx, last, leaverPage)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if run.Kind == model.RunDrill {
				err = h.followDrill(ctx, run)
			} else {
				waiting = true
				err = h.warnOf(ctx, snap, run)
			}
			if err != nil {
				return err
			}
		}
		if len(runs) < leaverPage {
			break
		}
		last = runs[len(runs)-1]
	}
	if !waiting {
		return nil
	}
	back, err := h.Store.AnyReturned(ctx)
	if err != nil || !back {
		return err
	}
	return h.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.EndReturned()
		return err
	})
}

// lateLeaver is what is said of a goal that is at risk or missed.
type lateLeaver struct {
	Target string            `json:"target"`
	Risk   model.Risk        `json:"risk"`
	Goal   string            `json:"goal"`
	Waited string            `json:"waited"`
	State  model.LeaverState `json:"state"`
	Error  string            `json:"error,omitempty"`
	Next   *time.Time        `json:"next_try,omitempty"`
}

// warnOf says of each target whose goal is at risk, or missed, that it is: in the log,
// the audit trail and the person's timeline, each time once for all replicas.
func (h *Hub) warnOf(ctx context.Context, snap *Snapshot, run model.LeaverRun) error {
	now := h.Store.Now()
	var late []lateLeaver
	for _, t := range run.Targets {
		target, configured := snap.Doc.Target(t.Target)
		if !configured {
			continue
		}
		risk := model.RiskOf(t, run.ReceivedAt, target.Leaver.Goal, now)
		if risk == model.RiskNone || risk == model.RiskRisk && t.RiskAt != nil || risk == model.RiskLate && t.LateAt != nil {
			continue
		}
		late = append(late, lateLeaver{t.Target, risk, target.Leaver.Goal.String(), model.Span(now.Sub(run.ReceivedAt)), t.State, t.LastError, t.NextAt})
	}
	if len(late) == 0 {
		return nil
	}
	var said []lateLeaver
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		said = nil
		var entries []store.AuditEntry
		for _, l := range late {
			first, err := tx.NoteRisk(run.ID, l.Target, l.Risk)
			if err != nil {
				return err
			}
			if !first {
				continue
			}
			body, err := json.Marshal(l)
			if err != nil {
				return err
			}
			if err := tx.AddEvent(store.Event{Type: "leaver.late", Identity: run.Identity, Data: l}); err != nil {
				return err
			}
			if err := tellLate(tx, run, l); err != nil {
				return err
			}
			entries = append(entries, store.AuditEntry{Actor: "hub", Action: "leaver.late", Object: "target/" + l.Target, Identity: run.Identity, Data: body})
			said = append(said, l)
		}
		return tx.Audit(entries...)
	})
	if err != nil {
		return err
	}
	for _, l := range said {
		h.Log.ErrorContext(ctx, "a leaver may still have access", "identity", run.Identity, "target", l.Target, "risk", string(l.Risk), "goal", l.Goal, "waited", l.Waited, "state", string(l.State), "error", l.Error)
	}
	return nil
}
