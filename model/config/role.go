package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func (r *reader) role(name string, n *node) Role {
	role := Role{Name: name, Approval: "by-request"}
	r.fields(n, map[string]func(*node){
		"when":     func(n *node) { role.When = r.expression(n) },
		"deny":     func(n *node) { role.Deny = r.expression(n) },
		"inherits": func(n *node) { role.Inherits = r.texts(n) },
		"grants":   func(n *node) { r.each(n, func(v *node) { role.Grants = append(role.Grants, r.grant(v)) }) },
		"request":  func(n *node) { role.Request = r.request(n) },
		"handover": func(n *node) { role.HandOver = r.positive(n) },
		"approval": func(n *node) { role.Approval = r.enum(n, "by-request", "always") },
		"risk":     func(n *node) { role.Risk = r.enum(n, Risks()...) },
		"owner":    func(n *node) { role.Owner = r.checked(n, checkOwner) },
	})
	if role.Approval == "always" && (role.Request == nil || role.When == "") {
		r.fault(n, "approval: always needs when, the rule, and request, who approves")
	}
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

func checkApprover(s string) error {
	kind, name, ok := strings.Cut(s, ":")
	if s == "manager" || ok && name != "" && (kind == "role" || kind == "user") {
		return nil
	}
	return errors.New(`must be manager, "role:NAME" or "user:NAME"`)
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
