package policy

import (
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// required is an attribute that everybody should have (identity.required), with the
// conditions that read it.
type required struct {
	steps      []any // the way to its value
	conditions []int
}

// collectRequired gathers which conditions read what everybody should have.
func (e *Engine) collectRequired() {
	for _, path := range e.doc.Identity.Required {
		p, err := scim.ParsePath(path)
		if err != nil {
			continue // reported by the configuration
		}
		r := required{}
		for place, x := range e.conditions {
			for _, c := range x.reads {
				if steps, ok := leads(c.steps, p); ok {
					r.steps = steps
					r.conditions = append(r.conditions, place)
					break
				}
			}
		}
		if len(r.conditions) > 0 {
			e.required = append(e.required, r)
		}
	}
}

// leads reports whether a way through a user passes the attribute of a path, and gives
// the way to that.
func leads(steps []any, p scim.Path) ([]any, bool) {
	names := slices.DeleteFunc([]string{p.URI, p.Attr, p.Sub}, func(s string) bool { return s == "" || strings.EqualFold(s, scim.URNUser) })
	if len(steps) < len(names) {
		return nil, false
	}
	for i, name := range names {
		if s, ok := steps[i].(string); !ok || !strings.EqualFold(s, name) {
			return nil, false
		}
	}
	return steps[:len(names)], true
}

// unsettle makes undecided what a condition denies of somebody who lacks a fact that it
// reads and that everybody should have: that the fact is not there is a mistake in their
// data, and says nothing about their access.
func (a *asking) unsettle(i model.Identity) {
	for _, r := range a.engine.required {
		if !model.Unassigned(lookup(i.User, r.steps)) {
			continue
		}
		for _, c := range r.conditions {
			if a.verdict[c] == no {
				a.verdict[c] = unknown
			}
		}
	}
}
