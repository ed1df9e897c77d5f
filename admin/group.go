package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// GroupView is a group at a target as operators see it.
type GroupView struct {
	Name      string             `json:"name"`               // as it is wanted
	Applied   string             `json:"applied,omitempty"`  // its name at the target, where that is another
	RemoteID  string             `json:"remoteId,omitempty"` // there
	Owned     string             `json:"owned,omitempty"`    // created or adopted by the hub; empty: not its own
	Wanted    bool               `json:"wanted"`             // something grants it
	State     model.AccountState `json:"state"`
	Members   int                `json:"members"`          // whom the hub put there
	Expected  int                `json:"expected"`         // who should be there
	Why       []string           `json:"why"`              // what grants it, what is to be done and what keeps that from being done
	Origins   []GroupOriginView  `json:"origins"`          // several: one group for all of them
	Digest    string             `json:"digest,omitempty"` // of the change that waits for approval
	LastError string             `json:"last_error,omitempty"`
	Class     string             `json:"error_class,omitempty"`
	Next      *time.Time         `json:"next_attempt,omitempty"`
}

// GroupOriginView is one thing that grants a group.
type GroupOriginView struct {
	Role    string `json:"role,omitempty"`
	GroupID string `json:"group_id,omitempty"` // of a source
	Source  string `json:"source,omitempty"`
	Name    string `json:"name"` // as the role or the source writes it
}

// targetGroups lists the groups of a target: GET /targets/{target}/groups.
func (a *API) targetGroups(r *http.Request, _ Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	profile, err := fanout.ProfileOf(t)
	if err != nil {
		return nil, err
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	groups, err := a.Hub.Store.TargetGroupsAfter(r.Context(), t.Name, after, limit+1)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(groups) > limit {
		groups = groups[:limit]
		next = encodeCursor(groups[limit-1].Name)
	}
	counts, err := a.groupCounts(r.Context(), t.Name)
	if err != nil {
		return nil, err
	}
	views := make([]GroupView, len(groups))
	for i, g := range groups {
		views[i] = viewGroup(t, profile, g, counts)
	}
	return list(views, next), nil
}

// groupCounts are the members by folded name.
func (a *API) groupCounts(ctx context.Context, target string) (map[string]store.GroupCount, error) {
	counts, err := a.Hub.Store.GroupCounts(ctx, target)
	if err != nil {
		return nil, err
	}
	out := make(map[string]store.GroupCount, len(counts))
	for name, c := range counts {
		sum := out[scim.Fold(name)]
		out[scim.Fold(name)] = store.GroupCount{Members: sum.Members + c.Members, Wanted: sum.Wanted + c.Wanted}
	}
	return out, nil
}

func viewGroup(t model.Target, p fanout.Profile, g store.TargetGroup, counts map[string]store.GroupCount) GroupView {
	v := GroupView{Name: g.Name, RemoteID: g.RemoteID, Owned: g.Owned, Wanted: g.Wanted, State: model.AccountState(g.State),
		Why: fanout.GroupWhy(t, p, g), Origins: make([]GroupOriginView, 0, len(g.Origins))}
	if v.Why == nil {
		v.Why = []string{}
	}
	if g.Applied != g.Name {
		v.Applied = g.Applied
	}
	for _, name := range append([]string{g.Name}, g.Former...) {
		c := counts[scim.Fold(name)]
		v.Members, v.Expected = v.Members+c.Members, v.Expected+c.Wanted
	}
	for _, o := range g.Origins {
		view := GroupOriginView{Name: o.Label}
		if o.Kind == store.OriginRole {
			view.Role = o.Ref
		} else {
			view.GroupID, view.Source = o.Ref, o.Source
		}
		v.Origins = append(v.Origins, view)
	}
	if v.State == model.StateFailed {
		v.LastError, v.Class = g.LastError, g.ErrorClass
	}
	if g.Due && !g.NextAttempt.IsZero() {
		v.Next = &g.NextAttempt
	}
	for _, c := range fanout.GroupChanges(t, p, []store.TargetGroup{g}) {
		if c.Held != "" {
			v.Digest = fanout.Digest(t.Name, c)
		}
	}
	return v
}

// withHeldGroups adds the changes of groups that wait for a person to a plan.
func (a *API) withHeldGroups(ctx context.Context, t model.Target, p fanout.Profile, plan model.Plan) (model.Plan, error) {
	groups, err := a.Hub.Store.GroupsInState(ctx, t.Name, model.StateHeld)
	if err != nil {
		return plan, err
	}
	for _, c := range fanout.GroupChanges(t, p, groups) {
		if c.Held != "" {
			plan.Changes = append(plan.Changes, c)
		}
	}
	return plan, nil
}
