package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TargetView is a target as operators see it.
type TargetView struct {
	Name        string                     `json:"name"`
	URL         string                     `json:"url"`
	Profile     string                     `json:"profile"` // or manual
	Mode        model.Mode                 `json:"mode"`
	State       string                     `json:"state"` // ok, failing, quarantined, paused, held
	Accounts    map[model.AccountState]int `json:"accounts"`
	Pending     int                        `json:"pending"`                   // accounts with something to do, now or later
	AwaitPerson int                        `json:"awaiting_person,omitempty"` // of them, until a person closes a task
	Scheduled   int                        `json:"scheduled,omitempty"`       // switched off, to be deleted at the end of the grace period
	Held        *HeldView                  `json:"held,omitempty"`
	LastAttempt *time.Time                 `json:"last_attempt,omitempty"`
	LastSuccess *time.Time                 `json:"last_success,omitempty"`
	LastDrift   *time.Time                 `json:"last_drift,omitempty"`
	Refused     string                     `json:"drift_refused,omitempty"` // why nothing was concluded from the last drift sweep
	Doubts      []string                   `json:"doubts,omitempty"`        // which answers of the target are not believed, and why
	LastError   string                     `json:"last_error,omitempty"`
	ErrorClass  string                     `json:"error_class,omitempty"`
	RetryAt     *time.Time                 `json:"retry_at,omitempty"`
	Errors      map[string]int             `json:"errors"`          // accounts whose last attempt failed, by class
	Hours       []HourView                 `json:"hours,omitempty"` // what was done lately, where one target is shown; as of an overview
	TargetHealth
}

// HeldView is the plan that waits for somebody to release it by its digest.
type HeldView struct {
	Digest  string         `json:"digest"`
	Count   int            `json:"count"`
	Reason  string         `json:"reason"`
	Changes []model.Change `json:"changes,omitempty"` // only where one target is shown
}

func (a *API) targets(r *http.Request, _ Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	shown, next, err := pageOf(r, snap.Doc.Targets, func(t model.Target) string { return t.Name })
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Get("names") == "true" { // to choose from: how they are takes time where much is held
		views := make([]TargetView, len(shown))
		for i, t := range shown {
			views[i].Name = t.Name
		}
		return list(views, next), nil
	}
	views, err := a.targetViews(r.Context(), shown, false)
	return list(views, next), err
}

func (a *API) target(r *http.Request, _ Caller) (any, error) {
	v, err := a.targetView(r.Context(), mux.Vars(r)["target"])
	if v.Held != nil && r.URL.Query().Get("changes") == "false" { // they have an address of their own, page by page
		v.Held.Changes = nil
	}
	if err != nil {
		return v, err
	}
	glance, err := a.Hub.Store.GlanceTarget(r.Context(), v.Name, a.now().Truncate(time.Hour).Add(-(glanceHours-1)*time.Hour), 1)
	for _, h := range glance.Hours {
		v.Hours = append(v.Hours, HourView{h.Hour, h.Done, h.Failed})
	}
	return v, err
}

func (a *API) targetView(ctx context.Context, name string) (TargetView, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return TargetView{}, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	t, ok := snap.Doc.Target(name)
	if !ok {
		return TargetView{}, model.Fail(model.NotFound, "there is no target "+strconv.Quote(name), nil)
	}
	views, err := a.targetViews(ctx, []model.Target{t}, true)
	if err != nil {
		return TargetView{}, err
	}
	return views[0], nil
}

// targetViews shows targets, with their held changes or without.
func (a *API) targetViews(ctx context.Context, shown []model.Target, held bool) ([]TargetView, error) {
	counts, err := a.Hub.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	var out []TargetView
	for _, t := range shown {
		v := TargetView{Name: t.Name, URL: t.URL, Profile: profileOf(t), Mode: t.Mode, Accounts: counts.Accounts[t.Name]}
		if v.Accounts == nil {
			v.Accounts = map[model.AccountState]int{}
		}
		if err := a.fillTarget(ctx, t, &v, held); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (a *API) fillTarget(ctx context.Context, t model.Target, v *TargetView, detail bool) error {
	st, err := a.Hub.Store.TargetState(ctx, t.Name)
	if err != nil {
		return err
	}
	v.LastAttempt, v.LastSuccess, v.LastDrift, v.RetryAt = st.LastAttempt, st.LastSuccess, st.LastDrift, st.RetryAt
	v.LastError, v.ErrorClass = st.LastError, st.ErrorClass
	v.State, v.Refused, v.Doubts = stateOf(st), st.DriftRefused, st.Doubts
	waiting, err := a.Hub.Store.Waiting(ctx, t.Name)
	if err != nil {
		return err
	}
	v.Pending, v.AwaitPerson, v.Scheduled = waiting.Pending, waiting.People, waiting.Scheduled
	if v.Errors, err = a.Hub.Store.ErrorCounts(ctx, t.Name); err != nil {
		return err
	}
	if v.TargetHealth, err = a.targetHealth(ctx, t, st); err != nil {
		return err
	}
	if st.Moved != nil { // nothing at all is done until that is decided
		v.Held = &HeldView{Digest: st.Moved.Digest, Count: v.Pending, Reason: st.Moved.Words}
		return nil
	}
	plan, err := a.heldPlan(ctx, t)
	if err != nil || len(plan.Changes) == 0 {
		return err
	}
	v.Held = &HeldView{Digest: fanout.PlanDigest(plan), Count: accountsIn(plan), Reason: plan.Changes[0].Held}
	if detail {
		v.Held.Changes = plan.Changes
	}
	return nil
}

// profileOf is how the target is spoken to.
func profileOf(t model.Target) string {
	if t.Manual != nil {
		return "manual"
	}
	return cmp.Or(t.Profile, "generic")
}

func stateOf(st store.TargetState) string {
	switch {
	case st.Paused:
		return "paused"
	case st.Moved != nil:
		return "held"
	case st.QuarantinedAt != nil:
		return "quarantined"
	case st.Failures > 0:
		return "failing"
	}
	return "ok"
}

// heldPlan is the changes that wait for a person, as they would be carried out now.
func (a *API) heldPlan(ctx context.Context, t model.Target) (model.Plan, error) {
	profile, err := fanout.ProfileOf(t)
	if err != nil {
		return model.Plan{}, err
	}
	if t, _, err = fanout.ShowCredentials(ctx, a.Hub.Store, t); err != nil {
		return model.Plan{}, err
	}
	rows, err := a.Hub.Store.AccountsInState(ctx, t.Name, model.StateHeld)
	if err != nil {
		return model.Plan{}, err
	}
	why := map[string]string{}
	for _, r := range rows {
		why[r.Identity] = cmp.Or(r.LastError, "held")
	}
	plan := fanout.Diff(t, profile, rows, a.now())
	for i, c := range plan.Changes {
		if c.Held == "" {
			plan.Changes[i].Held = why[c.Identity]
		}
	}
	return a.withHeldGroups(ctx, t, profile, plan)
}

// accountsIn counts the accounts that a plan is about; a group counts as one.
func accountsIn(p model.Plan) int {
	seen := map[string]bool{}
	for _, c := range p.Changes {
		if c.Identity == "" && c.Group != "" {
			seen["group "+c.Group] = true
			continue
		}
		seen[c.Identity] = true
	}
	return len(seen)
}

// AccountView is one account as operators see it.
type AccountView struct {
	Identity   string             `json:"identity"`
	UserName   string             `json:"userName"`
	RemoteID   string             `json:"remoteId,omitempty"`
	State      model.AccountState `json:"state"`
	Drift      string             `json:"drift,omitempty"`
	LastError  string             `json:"last_error,omitempty"`
	ErrorClass string             `json:"error_class,omitempty"`
	Next       *time.Time         `json:"next_attempt,omitempty"`
	VerifiedAt *time.Time         `json:"verified_at,omitempty"`
	Desired    *model.Account     `json:"desired,omitempty"`
	Applied    *model.Account     `json:"applied,omitempty"`
	Observed   *model.Account     `json:"observed,omitempty"`
}

func viewAccount(r model.AccountRow) AccountView {
	v := AccountView{Identity: r.Identity, RemoteID: r.RemoteID, State: r.State, Drift: r.Drift, LastError: r.LastError,
		ErrorClass: r.ErrorClass, VerifiedAt: r.VerifiedAt, Desired: r.Desired, Applied: r.Applied, Observed: r.Observed}
	for _, x := range []*model.Account{r.Desired, r.Applied, r.Observed} {
		if x != nil && v.UserName == "" {
			v.UserName = x.UserName
		}
	}
	if r.Due && !r.NextAttempt.IsZero() {
		v.Next = &r.NextAttempt
	}
	return v
}

// accountStates are the states that accounts are in.
var accountStates = []model.AccountState{model.StatePending, model.StateInSync, model.StateFailed, model.StateHeld,
	model.StateDrifted, model.StateDisabled, model.StateDeleted, model.StateUnknown}

// accounts lists the accounts of a target, all or those that drifted, those in a state,
// or those whose last attempt failed in one way.
func (a *API) accounts(r *http.Request, _ Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Get("drift") != "" {
		rows, err := a.Hub.Store.Drifted(r.Context(), t.Name, limit)
		return list(viewAll(rows), ""), err
	}
	q := r.URL.Query()
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	f := store.AccountFilter{State: model.AccountState(q.Get("state")), Class: q.Get("class"), After: after, Limit: limit + 1}
	if f.State != "" && !slices.Contains(accountStates, f.State) {
		return nil, model.Fail(model.Invalid, "state: accounts are pending, in_sync, failed, held, drifted, disabled, deleted or unknown", nil)
	}
	rows, err := a.Hub.Store.AccountPage(r.Context(), t.Name, f)
	next := ""
	if len(rows) > limit {
		rows, next = rows[:limit], encodeCursor(rows[limit-1].Identity)
	}
	return list(viewAll(rows), next), err
}

func viewAll(rows []model.AccountRow) []AccountView {
	out := make([]AccountView, len(rows))
	for i, r := range rows {
		out[i] = viewAccount(r)
	}
	return out
}

// How many things are on a page where no number is asked for, and at most.
const (
	defaultLimit = 100
	mostOnPage   = 500
)

// limitOf reads ?limit=, a number from 1; more than 500 are never on a page.
func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, model.Fail(model.Invalid, "limit must be a number from 1 to "+strconv.Itoa(mostOnPage), nil)
	}
	return min(n, mostOnPage), nil
}

func (a *API) configured(r *http.Request) (model.Target, error) {
	name := mux.Vars(r)["target"]
	snap := a.Hub.Snapshot()
	if snap == nil {
		return model.Target{}, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	t, ok := snap.Doc.Target(name)
	if !ok {
		return t, model.Fail(model.NotFound, "there is no target "+strconv.Quote(name), nil)
	}
	return t, nil
}
