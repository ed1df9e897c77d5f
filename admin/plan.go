package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const planBatch = 500 // identities read at once

// PlanRequest asks what would change: under the active configuration, or under
// the one given.
type PlanRequest struct {
	Config string `json:"config,omitempty"` // text of a configuration
	Name   string `json:"name,omitempty"`   // what its faults call it
	Target string `json:"target,omitempty"` // only this target
}

// PlanAnswer is the plan of every target that would change.
type PlanAnswer struct {
	Base      int64        `json:"base"` // configuration version that was active
	Plans     []model.Plan `json:"plans"`
	Removals  int          `json:"removals"` // accounts that would lose something
	Held      int          `json:"held"`     // of these, held by a guard
	Findings  []string     `json:"findings,omitempty"`
	Warnings  []string     `json:"warnings,omitempty"`
	Unchanged bool         `json:"unchanged"`
}

func (a *API) plan(r *http.Request, _ Caller) (any, error) {
	var req PlanRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	base := snap.Version
	if req.Config != "" {
		next, err := hub.Compile(base+1, orDefault(req.Name, "configuration"), []byte(req.Config), a.Hub.Check)
		if err != nil {
			return nil, err
		}
		snap = next
	}
	out, err := a.Plan(r.Context(), snap, req.Target)
	out.Base = base
	return out, err
}

func orDefault(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Plan works out what every target would change if the snapshot were in force, by
// evaluating everybody; nothing is written. Only changes are kept in memory.
func (a *API) Plan(ctx context.Context, snap *hub.Snapshot, only string) (PlanAnswer, error) {
	var targets []model.Target
	for _, t := range snap.Doc.Targets {
		if only == "" || only == t.Name {
			targets = append(targets, t)
		}
	}
	if only != "" && len(targets) == 0 {
		return PlanAnswer{}, model.Fail(model.NotFound, "there is no target "+only, nil)
	}
	out := PlanAnswer{Plans: []model.Plan{}}
	for _, w := range snap.Doc.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	rows, err := a.futureRows(ctx, snap, targets, &out)
	if err != nil {
		return out, err
	}
	for _, t := range targets {
		p, err := a.targetPlan(ctx, t, rows[t.Name])
		if err != nil {
			return out, err
		}
		if len(p.Changes) > 0 {
			out.Plans = append(out.Plans, p)
		}
		removed, held := countRemovals(p)
		out.Removals += removed
		out.Held += held
	}
	out.Unchanged = len(out.Plans) == 0
	return out, nil
}

// futureRows evaluates everybody and keeps, per target, the rows that would not
// be in sync.
func (a *API) futureRows(ctx context.Context, snap *hub.Snapshot, targets []model.Target, out *PlanAnswer) (map[string][]model.AccountRow, error) {
	rows := map[string][]model.AccountRow{}
	profiles := map[string]fanout.Profile{}
	for _, t := range targets {
		p, err := fanout.ProfileNamed(t.Profile)
		if err != nil {
			return nil, err
		}
		profiles[t.Name] = p
	}
	after := ""
	for {
		ids, err := a.Hub.Store.IdentityIDs(ctx, after, planBatch)
		if err != nil || len(ids) == 0 {
			return rows, err
		}
		after = ids[len(ids)-1]
		err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
			decisions, err := a.Hub.DecideAll(tx, snap, ids)
			if err != nil {
				return err
			}
			for _, d := range decisions {
				out.Findings = append(out.Findings, d.Failures()...)
				for _, t := range targets {
					row, relevant := d.Row(t.Name)
					if relevant && len(fanout.Diff(t, profiles[t.Name], []model.AccountRow{row}, tx.Now).Changes) > 0 {
						rows[t.Name] = append(rows[t.Name], row)
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}

// targetPlan is the guarded plan over rows of one target.
func (a *API) targetPlan(ctx context.Context, t model.Target, rows []model.AccountRow) (model.Plan, error) {
	profile, err := fanout.ProfileNamed(t.Profile)
	if err != nil {
		return model.Plan{}, err
	}
	held := map[string]bool{}
	for _, r := range rows {
		held[r.Identity] = r.LeaverHeld
	}
	now := a.now()
	return fanout.PreviewGuard(ctx, a.Hub.Store, t, now, fanout.Diff(t, profile, rows, now), held)
}

// countRemovals counts accounts that lose something, and those of them held.
func countRemovals(p model.Plan) (removed, held int) {
	seen, kept := map[string]bool{}, map[string]bool{}
	for _, c := range p.Changes {
		if !c.Removes() {
			continue
		}
		seen[c.Identity] = true
		if c.Held != "" {
			kept[c.Identity] = true
		}
	}
	return len(seen), len(kept)
}

// ApplyRequest asks to put a configuration in force.
type ApplyRequest struct {
	Config string `json:"config"`
	Name   string `json:"name"`
	Base   int64  `json:"base"` // version that the plan was made against; 0: any
}

// ApplyAnswer names the version that is in force now.
type ApplyAnswer struct {
	Version  int64    `json:"version"`
	Warnings []string `json:"warnings,omitempty"`
}

func (a *API) applyConfig(r *http.Request, by Caller) (any, error) {
	var req ApplyRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.Config) == "" { // it would take every token and target away, the caller's with them
		return nil, model.Fail(model.Invalid, "config is missing: the text of a configuration", nil)
	}
	snap := a.Hub.Snapshot()
	base := req.Base
	if base == 0 && snap != nil {
		base = snap.Version
	}
	next, err := a.Hub.Apply(r.Context(), hub.Actor{Name: by.Name}, orDefault(req.Name, "configuration"), []byte(req.Config), base)
	if err != nil {
		return nil, err
	}
	if err := a.Activate(r.Context(), next); err != nil {
		return nil, err
	}
	out := ApplyAnswer{Version: next.Version}
	for _, w := range next.Doc.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out, nil
}

func (a *API) activeConfig(*http.Request, Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	return map[string]any{"version": snap.Version, "digest": snap.Doc.Digest(), "text": string(snap.Doc.Redacted())}, nil
}
