package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// mostHolders is how far holders of a role are counted: beyond it a page only says "more".
const mostHolders = 10_000

// RoleView is a role of the configuration in force.
type RoleView struct {
	Name     string      `json:"name"`
	When     string      `json:"when,omitempty"` // the rule, CEL; empty: no rule gives it
	Deny     string      `json:"deny,omitempty"`
	Inherits []string    `json:"inherits,omitempty"`
	Grants   []RoleGrant `json:"grants"`
	Risk     string      `json:"risk,omitempty"`
	Ask      *RoleAsk    `json:"ask,omitempty"` // how it may be asked for; nil: it cannot be
	// Conflicts are the roles that it should not be held together with.
	Conflicts []string `json:"conflicts,omitempty"`
	Holders   *int     `json:"holders,omitempty"` // who hold it now; not told to persons
	More      bool     `json:"more,omitempty"`    // there are more holders than counted
}

// RoleGrant is an account, or membership of a group, that a role gives.
type RoleGrant struct {
	Target string `json:"target"`
	Group  string `json:"group,omitempty"`
}

// RoleAsk says how a role may be asked for.
type RoleAsk struct {
	By        string   `json:"by"`                // self, manager or anyone
	Approve   []string `json:"approve"`           // the steps, in words
	Longest   string   `json:"longest,omitempty"` // a duration; empty: without an end
	Reason    bool     `json:"reason"`            // one has to be given
	Emergency string   `json:"emergency,omitempty"`
}

// roleRoutes are those about roles, and about what it would mean to give one.
func (a *API) roleRoutes() []route {
	return []route{
		{"GET", "/roles", rightSeeOwn, a.roles, about{sum: "Roles: what they give, who holds them, and how they may be asked for", out: page[RoleView]{}, query: paged("q", "askable")}},
		{"GET", "/roles/{role}", rightSeeOwn, a.role, about{sum: "One role", out: RoleView{}}},
		{"GET", "/requests/{request}/context", rightSeeOwn, a.requestContext, about{sum: "What a request is about: who, what it gives, who else has it, conflicts", out: RequestContext{}}},
	}
}

func (a *API) roles(r *http.Request, by Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	q := r.URL.Query()
	text := strings.ToLower(strings.TrimSpace(q.Get("q")))
	shown := slices.DeleteFunc(slices.Clone(snap.Doc.Roles), func(role config.Role) bool {
		return !strings.Contains(strings.ToLower(role.Name), text) || role.Request == nil && (q.Get("askable") == "true" || !by.seesAll())
	})
	some, next, err := pageOf(r, shown, func(role config.Role) string { return role.Name })
	if err != nil {
		return nil, err
	}
	views, err := a.viewRoles(r, snap, by, some)
	return list(views, next), err
}

func (a *API) role(r *http.Request, by Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	name := mux.Vars(r)["role"]
	i := slices.IndexFunc(snap.Doc.Roles, func(role config.Role) bool { return role.Name == name })
	if i < 0 || snap.Doc.Roles[i].Request == nil && !by.seesAll() {
		return nil, model.Fail(model.NotFound, "there is no role "+name, nil)
	}
	views, err := a.viewRoles(r, snap, by, snap.Doc.Roles[i:i+1])
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

func (a *API) viewRoles(r *http.Request, snap *hub.Snapshot, by Caller, roles []config.Role) ([]RoleView, error) {
	views, names := make([]RoleView, len(roles)), make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.Name
		views[i] = viewRole(snap.Doc, role)
	}
	if !by.seesAll() { // a rule may say of others what is nobody's business
		for i := range views {
			views[i].When, views[i].Deny = "", ""
		}
		return views, nil
	}
	held, err := a.Hub.Store.Holders(r.Context(), mostHolders, names...)
	for i := range views {
		n := min(held[names[i]], mostHolders)
		views[i].Holders, views[i].More = &n, held[names[i]] > mostHolders
	}
	return views, err
}

func viewRole(doc *config.Document, role config.Role) RoleView {
	v := RoleView{Name: role.Name, When: role.When, Deny: role.Deny, Inherits: role.Inherits, Grants: []RoleGrant{}, Risk: role.Risk}
	for _, g := range role.Grants {
		v.Grants = append(v.Grants, RoleGrant{g.Target, g.Group})
	}
	for _, c := range doc.Conflicts {
		if slices.Contains(c.Roles, role.Name) {
			v.Conflicts = append(v.Conflicts, slices.DeleteFunc(slices.Clone(c.Roles), func(other string) bool { return other == role.Name })...)
		}
	}
	if q := role.Request; q != nil {
		v.Ask = &RoleAsk{By: q.By, Approve: []string{}, Reason: q.Reason == "required"}
		for _, s := range q.Approve {
			how := " or "
			if s.All {
				how = " and "
			}
			v.Ask.Approve = append(v.Ask.Approve, strings.Join(s.Of, how))
		}
		if q.Expires > 0 {
			v.Ask.Longest = config.FormatDuration(q.Expires)
		}
		if q.Emergency != nil {
			v.Ask.Emergency = config.FormatDuration(q.Emergency.For)
		}
	}
	return v
}
