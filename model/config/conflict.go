package config

import (
	"fmt"
	"slices"
	"strings"
)

// checkConflicts finds conflicts that nobody could keep to: roles of which one includes
// another, and names that are not told apart. It warns of roles that include several
// that nobody may hold together.
func (r *reader) checkConflicts(d *Document, places map[string]*node) {
	included := map[string][]string{}
	for _, role := range d.Roles {
		included[role.Name] = d.included(role.Name)
	}
	named := map[string]bool{}
	for i, c := range d.Conflicts {
		at := places[Join("conflicts", i)]
		if at == nil {
			continue
		}
		if named[c.Name] {
			r.fault(at, "there is a conflict %q already; give this one a name of its own", c.Name)
		}
		named[c.Name] = true
		for _, name := range c.Roles {
			for _, other := range c.Roles {
				if other != name && slices.Contains(included[name], other) {
					text := fmt.Sprintf("role %s includes %s: whoever holds the one holds both", name, other)
					if c.Action == "report" {
						r.warn(at, text)
					} else {
						r.fault(at, "%s", text)
					}
				}
			}
		}
		r.checkIncludesBoth(d, c, included, places)
	}
}

// checkIncludesBoth warns of roles outside a conflict that include several of it.
func (r *reader) checkIncludesBoth(d *Document, c Conflict, included map[string][]string, places map[string]*node) {
	if c.Action == "report" {
		return
	}
	for _, role := range d.Roles {
		if slices.Contains(c.Roles, role.Name) {
			continue
		}
		both := slices.DeleteFunc(slices.Clone(c.Roles), func(name string) bool { return !slices.Contains(included[role.Name], name) })
		if n := places[Join("roles", role.Name)]; len(both) > 1 && n != nil {
			r.warn(n, fmt.Sprintf("role %s includes %s, which nobody may hold together: whoever holds it gets %s alone",
				role.Name, strings.Join(both, " and "), both[0]))
		}
	}
}

// included are the roles that one inherits, directly or not, in no particular order.
func (d *Document) included(role string) (out []string) {
	seen := map[string]bool{role: true}
	for next := []string{role}; len(next) > 0; next = next[1:] {
		at, _ := d.Role(next[0])
		for _, parent := range at.Inherits {
			if !seen[parent] {
				seen[parent] = true
				out, next = append(out, parent), append(next, parent)
			}
		}
	}
	return out
}
