package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// RebuildRequest names targets; none: all that can be read.
type RebuildRequest struct {
	Targets []string `json:"targets,omitempty"`
}

// RebuildView is the recovery of one target; Recovery is nil where its state is whole.
type RebuildView struct {
	Target   string          `json:"target"`
	Recovery *store.Recovery `json:"recovery,omitempty"`
	Checked  int             `json:"checked"` // accounts read so far by the sweep under way, or by the last one
	Refused  string          `json:"refused,omitempty"`
	Error    string          `json:"error,omitempty"` // why the target cannot be read at the moment
	Due      bool            `json:"due"`             // something is still to be written
}

// rebuildState shows how far targets have been recovered.
func (a *API) rebuildState(r *http.Request, _ Caller) (any, error) {
	shown, next, err := a.targetsOnPage(r)
	if err != nil {
		return nil, err
	}
	out, err := a.rebuildViews(r.Context(), shown)
	return list(out, next), err
}

func (a *API) rebuildViews(ctx context.Context, targets []model.Target) ([]RebuildView, error) {
	var out []RebuildView
	for _, t := range targets {
		st, err := a.Hub.Store.TargetState(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		view := RebuildView{Target: t.Name, Recovery: st.Recovery, Refused: st.DriftRefused, Error: st.LastError}
		p, under, err := a.Hub.Store.SweepProgress(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if view.Checked = p.Checked; !under {
			last, _, err := a.Hub.Store.SweepSummary(ctx, t.Name)
			if err != nil {
				return nil, err
			}
			view.Checked = last.Checked
		}
		due, err := a.Hub.Store.DueAccounts(ctx, t.Name, store.LaneAll, 1)
		if err != nil {
			return nil, err
		}
		if st.Recovery != nil && st.Recovery.Phase == store.RecoveryWaiting { // as of now: more may have been pushed
			f := &st.Recovery.Found
			if f.Differ, err = a.Hub.Store.CountAwaitingRebuild(ctx, t.Name); err != nil {
				return nil, err
			}
			f.Same = max(f.Recognised-f.Differ, 0)
		}
		if view.Due = len(due) > 0; !view.Due && st.Recovery != nil && st.Recovery.Phase == store.RecoverySettling {
			if view.Due, err = a.Hub.Store.AwaitsRebuild(ctx, t.Name); err != nil {
				return nil, err
			}
		}
		out = append(out, view)
	}
	return out, nil
}

// readableTargets are the configured targets of a request, without those that people
// look after by hand.
func (a *API) readableTargets(r *http.Request) ([]model.Target, []string, error) {
	var in RebuildRequest
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) { // nothing at all means all
		return nil, nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	for _, name := range in.Targets {
		t, ok := snap.Doc.Target(name)
		switch {
		case !ok:
			return nil, nil, model.Fail(model.NotFound, "there is no target "+name, nil)
		case t.Manual != nil:
			return nil, nil, model.Fail(model.Invalid, "target "+name+" is looked after by hand: nothing can be read there", nil)
		}
	}
	var targets []model.Target
	names := []string{}
	for _, t := range snap.Doc.Targets {
		if t.Manual == nil && (len(in.Targets) == 0 || slices.Contains(in.Targets, t.Name)) {
			targets, names = append(targets, t), append(names, t.Name)
		}
	}
	return targets, names, nil
}

// beginRebuild has targets read in full.
func (a *API) beginRebuild(r *http.Request, by Caller) (any, error) {
	targets, names, err := a.readableTargets(r)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"targets": names})
	if err != nil {
		return nil, err
	}
	entry := store.AuditEntry{Actor: by.Name, Action: "rebuild.begin", Object: "hub", Data: data}
	if _, err := a.Hub.Store.BeginRecovery(r.Context(), store.RecoveryRebuild, by.Name, names, entry); err != nil {
		return nil, err
	}
	a.Hub.Wake()
	return a.nudged(r.Context(), targets, names)
}

// settleRebuild lets what differs be written.
func (a *API) settleRebuild(r *http.Request, by Caller) (any, error) {
	targets, names, err := a.readableTargets(r)
	if err != nil {
		return nil, err
	}
	settled, err := a.Hub.Store.SettleRecovery(r.Context(), by.Name, names)
	if err != nil {
		return nil, err
	}
	return a.nudged(r.Context(), targets, settled)
}

func (a *API) nudged(ctx context.Context, targets []model.Target, names []string) (any, error) {
	for _, name := range names {
		a.Nudge(name)
	}
	out, err := a.rebuildViews(ctx, targets)
	return list(out, ""), err
}
