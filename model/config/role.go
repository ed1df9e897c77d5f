package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func (r *reader) role(name string, n *node) Role {
	role := Role{Name: name}
	r.fields(n, map[string]func(*node){
		"when":     func(n *node) { role.When = r.expression(n) },
		"deny":     func(n *node) { role.Deny = r.expression(n) },
		"inherits": func(n *node) { role.Inherits = r.texts(n) },
		"grants":   func(n *node) { r.each(n, func(v *node) { role.Grants = append(role.Grants, r.grant(v)) }) },
		"request":  func(n *node) { r.inert(n); role.Request = r.request(n) },
	})
	return role
}

func (r *reader) grant(n *node) (e model.Entitlement) {
	r.need(n, "target")
	r.fields(n, map[string]func(*node){
		"target": func(n *node) { e.Target = r.text(n) },
		"group":  func(n *node) { e.Group = r.text(n) },
	})
	return e
}

func (r *reader) request(n *node) *Request {
	q := &Request{By: "self", Reason: "optional"}
	r.need(n, "approve")
	r.fields(n, map[string]func(*node){
		"by":      func(n *node) { q.By = r.enum(n, "self", "manager", "anyone") },
		"approve": func(n *node) { r.each(n, func(v *node) { q.Approve = append(q.Approve, r.checked(v, checkApprover)) }) },
		"expires": func(n *node) { q.Expires = r.positive(n) },
		"reason":  func(n *node) { q.Reason = r.enum(n, "required", "optional") },
	})
	return q
}

func checkApprover(s string) error {
	kind, name, ok := strings.Cut(s, ":")
	if s == "manager" || ok && name != "" && (kind == "role" || kind == "user") {
		return nil
	}
	return errors.New(`must be manager, "role:NAME" or "user:NAME"`)
}

func (r *reader) conflict(n *node) Conflict {
	c := Conflict{Action: "refuse"}
	r.need(n, "roles")
	r.fields(n, map[string]func(*node){
		"roles": func(n *node) {
			if c.Roles = r.texts(n); n.kind == list && len(n.items) < 2 {
				r.fault(n, "needs at least two roles")
			}
		},
		"action": func(n *node) { c.Action = r.enum(n, "refuse", "report", "approve") },
	})
	return c
}

// checkAuthority accepts "*", an attribute path, an attribute or extension
// followed by ".*" or ":*", and an extension URN.
func checkAuthority(s string) error {
	base := strings.TrimSuffix(strings.TrimSuffix(s, ".*"), ":*")
	if base == "*" && base == s {
		return nil
	}
	p, err := scim.ParsePath(base)
	if err != nil {
		return fmt.Errorf("not a SCIM attribute path: %s", detail(err))
	}
	if p.Filter != nil {
		return errors.New("authority is for whole attributes; a value filter does not apply")
	}
	return nil
}
