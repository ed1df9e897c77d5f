package admin

import (
	"cmp"
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

// PlanAnswer is what would change: the plan of every target that would, and what
// becomes of people's roles.
type PlanAnswer struct {
	Base      int64        `json:"base"` // configuration version that was active
	Plans     []model.Plan `json:"plans"`
	Removals  int          `json:"removals"`  // accounts that would lose something
	Additions int          `json:"additions"` // accounts that would gain something
	Held      int          `json:"held"`      // of the removals, held by a guard
	Findings  []string     `json:"findings,omitempty"`
	Warnings  []string     `json:"warnings,omitempty"`

	Gained      int          `json:"gained"`       // roles, over all people
	Lost        int          `json:"lost"`         // roles, over all people
	Affected    int          `json:"affected"`     // people whose roles, stage, findings or accounts would change
	NewFindings int          `json:"new_findings"` // those that were not there before
	Roles       []RoleChange `json:"roles"`        // that somebody would gain or lose, by name
	People      []hub.Effect `json:"people"`       // whose roles, stage or findings would change, by name

	Unchanged bool `json:"unchanged"`
}

// RoleChange is who would gain or lose a role.
type RoleChange struct {
	Role   string   `json:"role"`
	Gained int      `json:"gained"`
	Lost   int      `json:"lost"`
	People []string `json:"people"` // the first of them, at most 20: +NAME gains it, -NAME loses it
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
		next, err := hub.Compile(base+1, cmp.Or(req.Name, "configuration"), []byte(req.Config), a.Hub.Check)
		if err != nil {
			return nil, err
		}
		snap = next
	}
	out, err := a.Plan(r.Context(), snap, req.Target)
	out.Base = base
	return out, err
}

// Plan works out what would change if the snapshot were in force, by evaluating
// everybody; nothing is written. Only what changes is kept in memory. With a target
// it is about that target alone.
func (a *API) Plan(ctx context.Context, snap *hub.Snapshot, only string) (PlanAnswer, error) {
	p, err := newPlanner(snap, only)
	if err != nil {
		return PlanAnswer{}, err
	}
	err = a.everybody(ctx, func(tx *store.Tx, ids []string) error {
		decisions, err := a.Hub.DecideAll(tx, snap, ids)
		for _, d := range decisions {
			p.add(d, tx.Now)
		}
		return err
	})
	if err != nil {
		return p.out, err
	}
	return p.finish(func(t model.Target, rows []model.AccountRow) (model.Plan, error) { return a.targetPlan(ctx, t, rows) })
}

// everybody calls with all people, some at a time, each time in a view of its own.
func (a *API) everybody(ctx context.Context, look func(tx *store.Tx, ids []string) error) error {
	for after := ""; ; {
		ids, err := a.Hub.Store.IdentityIDs(ctx, after, planBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		if err := a.Hub.Store.View(ctx, func(tx *store.Tx) error { return look(tx, ids) }); err != nil {
			return err
		}
	}
}

// targetPlan is the guarded plan over rows of one target.
func (a *API) targetPlan(ctx context.Context, t model.Target, rows []model.AccountRow) (model.Plan, error) {
	profile, err := fanout.ProfileOf(t)
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

// ApplyRequest asks to put a configuration in force.
type ApplyRequest struct {
	Config string `json:"config"`
	Name   string `json:"name,omitempty"` // what its faults call it
	Base   int64  `json:"base,omitempty"` // version that the plan was made against; 0: any
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
	base := expectedVersion(r, req.Base)
	if base == 0 && snap != nil {
		base = snap.Version
	}
	next, err := a.Hub.Apply(r.Context(), hub.Actor{Name: by.Name}, cmp.Or(req.Name, "configuration"), []byte(req.Config), base)
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

// ConfigView is the configuration in force.
type ConfigView struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
	Text    string `json:"text"` // without secrets
}

func (a *API) activeConfig(*http.Request, Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	return ConfigView{snap.Version, snap.Doc.Digest(), string(snap.Doc.Shown())}, nil
}
