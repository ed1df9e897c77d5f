package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// ConfigVersionView is one version of the configuration.
type ConfigVersionView struct {
	Version int64     `json:"version"`
	Active  bool      `json:"active"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Digest  string    `json:"digest"`
	Text    string    `json:"text,omitempty"` // without secrets; not in listings
}

func (a *API) viewVersion(v store.ConfigVersion, active int64) ConfigVersionView {
	return ConfigVersionView{Version: v.Version, Active: v.Version == active, By: v.By, At: v.At, Digest: v.Digest, Text: config.ShownText(v.Body)}
}

func (a *API) configVersions(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	var below int64
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		if below, err = versionNumber(cursor); err != nil {
			return nil, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
	}
	active, err := a.Hub.Store.ConfigVersion(r.Context(), 0)
	if err != nil {
		return nil, err
	}
	rows, more, err := a.Hub.Store.ConfigVersions(r.Context(), below, limit)
	if err != nil {
		return nil, err
	}
	items, next := make([]ConfigVersionView, len(rows)), ""
	for i, v := range rows {
		items[i] = a.viewVersion(v, active.Version)
	}
	if more {
		next = strconv.FormatInt(rows[len(rows)-1].Version, 10)
	}
	return list(items, next), nil
}

func versionNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, model.Fail(model.Invalid, "a version is a number from 1, not "+strconv.Quote(s), nil)
	}
	return n, nil
}

func (a *API) configVersion(r *http.Request, _ Caller) (any, error) {
	v, err := a.versionNamed(r.Context(), mux.Vars(r)["version"])
	if err != nil {
		return nil, err
	}
	active, err := a.Hub.Store.ConfigVersion(r.Context(), 0)
	return a.viewVersion(v, active.Version), err
}

func (a *API) versionNamed(ctx context.Context, name string) (store.ConfigVersion, error) {
	n, err := versionNumber(name)
	if err != nil {
		return store.ConfigVersion{}, err
	}
	return a.Hub.Store.ConfigVersion(ctx, n)
}

// ConfigDiff is how two versions differ: in their texts, and in what they decide about
// the people of today.
type ConfigDiff struct {
	From   int64        `json:"from"`
	To     int64        `json:"to"`
	Text   string       `json:"text"` // unified; empty: the same
	Gained int          `json:"gained"`
	Lost   int          `json:"lost"`
	Roles  []RoleChange `json:"roles"`
	People []hub.Effect `json:"people"`
	// Undecided says why a version cannot be put to people any more; then Roles and
	// People are empty.
	Undecided string `json:"undecided,omitempty"`
}

func (a *API) diffConfig(r *http.Request, _ Caller) (any, error) {
	q := r.URL.Query()
	from, err := a.versionNamed(r.Context(), q.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := a.versionNamed(r.Context(), q.Get("to"))
	if err != nil {
		return nil, err
	}
	title := func(v store.ConfigVersion) string { return "version " + strconv.FormatInt(v.Version, 10) }
	out := ConfigDiff{From: from.Version, To: to.Version, Roles: []RoleChange{}, People: []hub.Effect{},
		Text: textDiff(title(from), config.ShownText(from.Body), title(to), config.ShownText(to.Body))}
	var snaps [2]*hub.Snapshot
	for i, v := range []store.ConfigVersion{from, to} {
		snap, why := a.usable(v, title(v))
		if snap == nil {
			out.Undecided = why
			return out, nil
		}
		snaps[i] = snap
	}
	effects, err := a.between(r.Context(), snaps[0], snaps[1])
	out.Gained, out.Lost, out.Roles, out.People = effects.Gained, effects.Lost, effects.Roles, effects.People
	return out, err
}

// usable compiles a stored version; nil, and why, where this program cannot use it.
func (a *API) usable(v store.ConfigVersion, title string) (*hub.Snapshot, string) {
	snap, err := hub.Compile(v.Version, title, []byte(v.Body), a.Hub.Check)
	if err != nil {
		return nil, title + " cannot be used by this program: " + err.Error()
	}
	return snap, ""
}

// between is what one configuration decides otherwise than another about everybody.
func (a *API) between(ctx context.Context, from, to *hub.Snapshot) (PlanAnswer, error) {
	p, err := newPlanner(to, "")
	if err != nil {
		return PlanAnswer{}, err
	}
	err = a.everybody(ctx, func(tx *store.Tx, ids []string) error {
		effects, err := a.Hub.Compare(tx, from, to, ids)
		for _, e := range effects {
			p.effect(e)
		}
		return err
	})
	if err != nil {
		return p.out, err
	}
	return p.finish(func(t model.Target, _ []model.AccountRow) (model.Plan, error) { return model.Plan{Target: t.Name}, nil })
}

// RollBackRequest asks to put the text of an earlier version in force.
type RollBackRequest struct {
	Version int64 `json:"version,omitempty"` // 0: the one before the active one
	Base    int64 `json:"base,omitempty"`    // the active version that the plan was made against; 0: any
	DryRun  bool  `json:"dry_run,omitempty"` // only show what would change
}

// RollBackAnswer names the version that is in force now, or what would change.
type RollBackAnswer struct {
	Version  int64       `json:"version,omitempty"` // in force now
	TextOf   int64       `json:"text_of"`
	Base     int64       `json:"base"` // in force before
	Plan     *PlanAnswer `json:"plan,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
}

func (a *API) rollBack(r *http.Request, by Caller) (any, error) {
	var req RollBackRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	if req.Version < 0 || req.Base < 0 {
		return nil, model.Fail(model.Invalid, "version and base are numbers from 1", nil)
	}
	active, err := a.Hub.Store.ConfigVersion(r.Context(), 0)
	if err != nil {
		return nil, err
	}
	base := expectedVersion(r, req.Base)
	if base == 0 {
		base = active.Version
	}
	old, err := a.Hub.VersionToRollBackTo(r.Context(), req.Version, base)
	if err != nil {
		return nil, err
	}
	out := RollBackAnswer{TextOf: old.Version, Base: base}
	if req.DryRun {
		snap, err := hub.Compile(base+1, "version "+strconv.FormatInt(old.Version, 10), []byte(old.Body), a.Hub.Check)
		if err != nil {
			return nil, err
		}
		plan, err := a.Plan(r.Context(), snap, "")
		plan.Base, out.Plan = base, &plan
		return out, err
	}
	next, err := a.Hub.RollBack(r.Context(), hub.Actor{Name: by.Name}, old.Version, base)
	if err != nil {
		return nil, err
	}
	if err := a.Activate(r.Context(), next); err != nil {
		return nil, err
	}
	out.Version = next.Version
	for _, w := range next.Doc.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out, nil
}
