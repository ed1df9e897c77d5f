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
	heirs := d.heirs()
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
		includes := make(map[string]map[string]bool, len(c.Roles)) // role of the conflict -> roles that include it
		for _, name := range c.Roles {
			includes[name] = heirs.of(name)
		}
		for _, name := range c.Roles {
			for _, other := range c.Roles {
				if other != name && includes[other][name] {
					text := fmt.Sprintf("role %s includes %s: whoever holds the one holds both", name, other)
					if c.Action == "report" {
						r.warn(at, text)
					} else {
						r.fault(at, "%s", text)
					}
				}
			}
		}
		r.checkIncludesBoth(d, c, includes, places)
	}
}

// checkIncludesBoth warns of roles outside a conflict that include several of it.
func (r *reader) checkIncludesBoth(d *Document, c Conflict, includes map[string]map[string]bool, places map[string]*node) {
	if c.Action == "report" {
		return
	}
	for _, role := range d.Roles {
		if slices.Contains(c.Roles, role.Name) {
			continue
		}
		both := slices.DeleteFunc(slices.Clone(c.Roles), func(name string) bool { return !includes[name][role.Name] })
		if n := places[Join("roles", role.Name)]; len(both) > 1 && n != nil {
			r.warn(n, fmt.Sprintf("role %s includes %s, which nobody may hold together: whoever holds it gets %s alone",
				role.Name, strings.Join(both, " and "), both[0]))
		}
	}
}

// heirs are the roles that inherit each role directly.
type heirs map[string][]string

func (d *Document) heirs() heirs {
	h := heirs{}
	for _, role := range d.Roles {
		for _, parent := range role.Inherits {
			h[parent] = append(h[parent], role.Name)
		}
	}
	return h
}

// of are the roles that inherit one, directly or not.
func (h heirs) of(role string) map[string]bool {
	out := map[string]bool{}
	for next := []string{role}; len(next) > 0; next = next[1:] {
		for _, heir := range h[next[0]] {
			if !out[heir] && heir != role {
				out[heir] = true
				next = append(next, heir)
			}
		}
	}
	return out
}
