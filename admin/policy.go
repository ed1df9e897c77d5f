package admin

import (
	"encoding/base64"
	"net/http"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// policyRoutes are those about the policy as such.
func (a *API) policyRoutes() []route {
	return []route{
		{"GET", "/policy/casbin", rightRead, a.casbinPolicy, about{sum: "The policy in force for a plain Casbin enforcer", out: CasbinPolicy{}}},
		{"GET", "/policy/people", rightRead, a.policyPeople, about{sum: "People as subjects of the Casbin export, with their roles", out: page[PolicyPerson]{}, query: paged()}},
	}
}

// CasbinPolicy is the active policy for a plain Casbin enforcer.
type CasbinPolicy struct {
	Version    int64                     `json:"version"`
	Model      string                    `json:"model"`
	Policy     string                    `json:"policy"`
	Attributes []policy.SubjectAttribute `json:"attributes"`
	Left       []policy.Untranslated     `json:"left,omitempty"`
}

// ViewCasbin shows an export.
func ViewCasbin(version int64, x *policy.Export) CasbinPolicy {
	out := CasbinPolicy{Version: version, Model: x.Model, Policy: x.Policy, Attributes: x.Attributes, Left: x.Left}
	if out.Attributes == nil {
		out.Attributes = []policy.SubjectAttribute{}
	}
	return out
}

// PolicyPerson is one person as a subject of the Casbin export, with the roles that
// rules and requests give them. What a conflict takes from it, or a hand-over
// leaves, is no matter of rules.
type PolicyPerson struct {
	ID       string         `json:"id"`
	UserName string         `json:"userName"`
	Stage    model.Stage    `json:"stage"`
	Subject  map[string]any `json:"subject"`
	Roles    []string       `json:"roles"`
	// Undecided are roles whose rule fails for the person: the hub leaves them as they
	// are, an enforcer knows no such answer.
	Undecided []string `json:"undecided,omitempty"`
}

func (a *API) casbin() (*hub.Snapshot, *policy.Export, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	x, err := snap.Policy.Casbin()
	return snap, x, err
}

func (a *API) casbinPolicy(*http.Request, Caller) (any, error) {
	snap, x, err := a.casbin()
	if err != nil {
		return nil, err
	}
	return ViewCasbin(snap.Version, x), nil
}

func (a *API) policyPeople(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	after, err := decodeCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		return nil, err
	}
	snap, x, err := a.casbin()
	if err != nil {
		return nil, err
	}
	ids, err := a.Hub.Store.IdentityIDs(r.Context(), after, limit)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(ids) == limit {
		next = base64.RawURLEncoding.EncodeToString([]byte(ids[len(ids)-1]))
	}
	var people []PolicyPerson
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		judged, err := a.Hub.Judge(tx, snap, ids)
		people = make([]PolicyPerson, 0, len(judged))
		for _, j := range judged {
			people = append(people, viewJudged(tx, snap, x, j))
		}
		return err
	})
	return list(people, next), err
}

func viewJudged(tx *store.Tx, snap *hub.Snapshot, x *policy.Export, j hub.Judged) PolicyPerson {
	p := PolicyPerson{ID: j.Identity.ID, UserName: j.Identity.Name(), Stage: j.Stage,
		Subject: x.Subject(j.Identity, j.Asked, j.Present), Roles: []string{}}
	if !j.Present {
		return p
	}
	result := snap.Policy.Evaluate(j.Identity, j.Asked, tx.Now)
	for _, g := range result.Grants {
		p.Roles = append(p.Roles, g.Role)
	}
	p.Undecided = result.Undecided
	return p
}
