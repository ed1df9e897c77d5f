package config

import (
	"time"
	_ "time/tzdata" // a machine without the zones must not read a configuration otherwise

	"github.com/scimhub/scimhub/model/scim"
)

func defaultIdentity() Identity {
	return Identity{
		Match: []string{"userName"}, Zone: time.UTC, Leave: Leave{Access: "suspend"},
		Number: scim.URNEnterprise + ":employeeNumber",
	}
}

func (r *reader) identity(n *node, i *Identity) {
	r.fields(n, map[string]func(*node){
		"match": func(n *node) {
			i.Match = nil
			r.each(n, func(v *node) { i.Match = append(i.Match, r.path(v)) })
			if len(i.Match) == 0 && n.kind == list {
				r.fault(n, "needs at least one attribute path")
			}
			if n.kind == null {
				i.Match = []string{"userName"}
			}
		},
		"authority":   func(n *node) { i.Authority = r.authority(n) },
		"start":       func(n *node) { i.Start = r.path(n) },
		"end":         func(n *node) { i.End = r.path(n) },
		"last":        func(n *node) { i.Last = r.path(n) },
		"timezone":    func(n *node) { i.Zone = r.zone(n) },
		"leave":       func(n *node) { r.leave(n, &i.Leave) },
		"purge_after": func(n *node) { i.PurgeAfter = r.positive(n) },
		"required":    func(n *node) { r.each(n, func(v *node) { i.Required = append(i.Required, r.path(v)) }) },
		"number":      func(n *node) { i.Number = r.path(n) },
		"drill":       func(n *node) { i.Drill = r.texts(n) },
	})
	if i.End != "" && i.Last != "" {
		r.fault(n, "end and last exclude each other: end is the first moment of no access, last the last day of access")
	}
}

// zone reads an IANA name. Local is the machine's, which would make replicas disagree.
func (r *reader) zone(n *node) *time.Location {
	name := r.text(n)
	if name == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		r.fault(n, "%q is not a time zone; write a name such as Europe/Berlin or UTC", name)
		return time.UTC
	}
	return zone
}

func (r *reader) leave(n *node, l *Leave) {
	r.fields(n, map[string]func(*node){
		"when":   func(n *node) { l.When = r.expression(n) },
		"from":   func(n *node) { l.From = r.path(n) },
		"until":  func(n *node) { l.Until = r.path(n) },
		"access": func(n *node) { l.Access = r.enum(n, "suspend", "keep") },
	})
	if l.Until != "" && l.From == "" {
		r.fault(n, "until needs from, the first moment away")
	}
}
