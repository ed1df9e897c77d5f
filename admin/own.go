package admin

import (
	"net/http"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// OwnAccess is what somebody holds themselves, and why.
type OwnAccess struct {
	Identity string        `json:"identity"`
	UserName string        `json:"userName"`
	Name     string        `json:"name,omitempty"` // to show; empty: none is known
	Stage    model.Stage   `json:"stage"`
	Starts   *time.Time    `json:"starts,omitempty"`
	Ends     *time.Time    `json:"ends,omitempty"` // first moment of no access
	Roles    []RoleHeld    `json:"roles"`          // by name
	Access   []Explanation `json:"access"`         // by target, group and role
}

// ownAccess shows callers what they hold themselves: GET /me/access.
func (a *API) ownAccess(r *http.Request, by Caller) (any, error) {
	if by.Person == "" {
		return nil, model.Fail(model.Invalid, "this credential acts for nobody: it holds no access of its own", nil)
	}
	if err := a.Hub.StillHere(r.Context(), by.who()); err != nil {
		return nil, err
	}
	out := OwnAccess{Roles: []RoleHeld{}, Access: []Explanation{}}
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(by.Person)
		if err != nil {
			return err
		}
		m, err := a.presentNow(tx, row)
		if err != nil {
			return err
		}
		out.Identity, out.UserName, out.Stage, out.Ends = row.ID, row.Name, row.Stage, row.EndsAt
		out.Name, _ = row.User["displayName"].(string)
		out.Access = append(out.Access[:0], m.explain()...)
		out.Roles = append(out.Roles[:0], m.rolesHeld()...)
		return nil
	})
	return out, err
}

// rolesHeld are the roles held at the moment, each with its reasons.
func (m momentOf) rolesHeld() (out []RoleHeld) {
	for _, g := range m.doc.Grants {
		e := Explanation{Role: g.Role}
		m.fill(&e, g.Because)
		v := RoleHeld{Role: g.Role, Because: m.views(g.Because), ApprovedBy: g.ApprovedBy, From: g.From, Until: g.Until,
			HandOver: e.HandOver, NextReview: e.NextReview, Request: e.Request, Exception: e.Exception}
		if v.ApprovedBy == "" {
			v.ApprovedBy = e.ApprovedBy
		}
		if v.Until == nil {
			v.Until = e.Until
		}
		out = append(out, v)
	}
	return out
}
