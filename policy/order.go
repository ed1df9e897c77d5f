package policy

import (
	"errors"
	"fmt"
	"slices"
)

// order lays the roles out so that each stands before all that it inherits: one
// pass in that order then decides all of them. The inheritance is read back from
// Casbin's role manager, which is what the rows mean.
func (e *Engine) order() error {
	inherits := make(map[string][]string, len(e.doc.Roles))
	waiting := make(map[string]int, len(e.doc.Roles)) // heirs not yet laid out
	names := make([]string, 0, len(e.doc.Roles))
	for _, r := range e.doc.Roles {
		names = append(names, r.Name)
		if len(r.Inherits) == 0 {
			continue
		}
		parents, err := e.enforcer.GetRolesForUser(r.Name)
		if err != nil {
			return fmt.Errorf("roles that %s inherits: %w", r.Name, err)
		}
		slices.Sort(parents)
		inherits[r.Name] = parents
		for _, p := range parents {
			waiting[p]++
		}
	}
	slices.Sort(names)
	var ready []string
	for _, n := range names {
		if waiting[n] == 0 {
			ready = append(ready, n)
		}
	}
	e.byName = make(map[string]int, len(names))
	sorted := make([]string, 0, len(names))
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		e.byName[n] = len(sorted)
		sorted = append(sorted, n)
		for _, p := range inherits[n] {
			if waiting[p]--; waiting[p] == 0 {
				ready = append(ready, p)
			}
		}
	}
	if len(sorted) != len(names) {
		return errors.New("roles inherit in a circle")
	}
	e.resolve(sorted, inherits)
	return nil
}

func (e *Engine) resolve(sorted []string, inherits map[string][]string) {
	place := func(name string) int {
		if i, ok := e.index[name]; ok {
			return i
		}
		return -1
	}
	e.roles = make([]role, len(sorted))
	for i, n := range sorted {
		e.roles[i] = role{name: n, when: place(n + ".when"), deny: place(n + ".deny")}
		for _, p := range inherits[n] {
			e.roles[i].inherits = append(e.roles[i].inherits, e.byName[p])
		}
	}
	for _, r := range e.doc.Roles {
		own := &e.roles[e.byName[r.Name]]
		own.grants, own.always = r.Grants, r.Approval == approvalAlways
	}
}
