package config

import (
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// crossCheck finds references to what is not there, and roles that inherit in a circle.
func (r *reader) crossCheck(root *node, d *Document) {
	places := map[string]*node{}
	(&Document{places: places}).visit(root)
	sources, roles, targets := d.SourceNames(), make([]string, len(d.Roles)), make([]string, len(d.Targets))
	for i, role := range d.Roles {
		roles[i] = role.Name
	}
	for i, t := range d.Targets {
		targets[i] = t.Name
	}
	refer := newReferences(r, places)
	for _, role := range d.Roles {
		for i, parent := range role.Inherits {
			refer.to("role", roles, parent, "roles", role.Name, "inherits", i)
		}
		for i, g := range role.Grants {
			refer.to("target", targets, g.Target, "roles", role.Name, "grants", i, "target")
		}
		if role.Request != nil {
			refer.approversOf(role.Request, roles, "roles", role.Name, "request")
		}
	}
	for i, c := range d.Conflicts {
		for j, name := range c.Roles {
			refer.to("role", roles, name, "conflicts", i, "roles", j)
		}
		refer.approvers(roles, c.Approve, "conflicts", i, "approve")
	}
	for _, role := range d.Roles {
		refer.approvers(roles, []string{role.Owner}, "roles", role.Name, "owner")
	}
	refer.checkReviews(d, roles, targets)
	for path, list := range d.Identity.Authority {
		for i, name := range list {
			refer.to("source", sources, name, "identity", "authority", path, i)
		}
	}
	r.checkNotify(d, roles, refer)
	r.checkDeclared(d, places)
	r.checkCircles(d, places)
	r.checkConflicts(d, places)
	r.checkIdle(d, places)
	r.checkAccess(d, places)
}

// checkDeclared warns of attributes of people that no schema declares: sources cannot
// push them, so whatever rests on them never happens.
func (r *reader) checkDeclared(d *Document, places map[string]*node) {
	user, ok := d.Registry.Type("User")
	if !ok {
		return
	}
	check := func(path string, at ...any) {
		n := places[Join(at...)]
		p, err := scim.ParsePath(path)
		if path == "" || err != nil || n == nil {
			return
		}
		if _, attr, err := user.Resolve(scim.Path{URI: p.URI, Attr: p.Attr, Sub: p.Sub}); err != nil || attr == nil {
			r.warn(n, "no schema declares "+path+": nothing that a source pushes can have it (schemas lists extension schemas)")
		}
	}
	i := d.Identity
	for key, path := range map[string]string{"start": i.Start, "end": i.End, "last": i.Last, "number": i.Number} {
		check(path, "identity", key)
	}
	check(i.Leave.From, "identity", "leave", "from")
	check(i.Leave.Until, "identity", "leave", "until")
	for n, path := range i.Match {
		check(path, "identity", "match", n)
	}
	for n, path := range i.Required {
		check(path, "identity", "required", n)
	}
}

// references checks names against what the document defines.
type references struct {
	r      *reader
	places map[string]*node
	known  map[string]map[string]bool
}

func newReferences(r *reader, places map[string]*node) *references {
	return &references{r: r, places: places, known: map[string]map[string]bool{}}
}

func (c *references) to(what string, names []string, name string, at ...any) {
	set := c.known[what]
	if set == nil {
		set = make(map[string]bool, len(names))
		for _, n := range names {
			set[n] = true
		}
		c.known[what] = set
	}
	n := c.places[Join(at...)]
	if name == "" || set[name] || n == nil {
		return // an empty name has its fault already
	}
	c.r.fault(n, "there is no %s %q%s", what, name, Suggest(name, names))
}

// approversOf checks all who decide about a role.
func (c *references) approversOf(q *Request, roles []string, at ...any) {
	for i, step := range q.Approve {
		c.approvers(roles, step.Of, append(slices.Clone(at), "approve", i)...)
		for _, key := range []string{"any", "all"} {
			c.approvers(roles, step.Of, append(slices.Clone(at), "approve", i, key)...)
		}
	}
	if q.Escalate != nil {
		c.approvers(roles, q.Escalate.To, append(slices.Clone(at), "escalate", "to")...)
	}
	if q.Emergency != nil {
		c.approvers(roles, q.Emergency.By, append(slices.Clone(at), "emergency", "by")...)
		c.approvers(roles, q.Emergency.Review, append(slices.Clone(at), "emergency", "review")...)
	}
}

// approvers checks the roles that a list of approvers names. The list is that of the
// place, or the place itself where it is written as one name.
func (c *references) approvers(roles, list []string, at ...any) {
	for i, who := range list {
		name, isRole := strings.CutPrefix(who, "role:")
		if !isRole {
			continue
		}
		c.to("role", roles, name, append(slices.Clone(at), i)...)
		if n := c.places[Join(at...)]; n != nil && n.kind == text {
			c.to("role", roles, name, at...)
		}
	}
}

// checkCircles reports each circle once, at the role of it that stands first.
func (r *reader) checkCircles(d *Document, places map[string]*node) {
	parents := make(map[string][]string, len(d.Roles))
	for _, role := range d.Roles {
		parents[role.Name] = role.Inherits
	}
	const (
		fresh = iota
		open
		done
	)
	state := make(map[string]int, len(d.Roles))
	var stack []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		stack = append(stack, name)
		for i, p := range parents[name] {
			switch state[p] {
			case fresh:
				visit(p)
			case open:
				circle := append(slices.Clone(stack[slices.Index(stack, p):]), p)
				if n := places[Join("roles", name, "inherits", i)]; n != nil {
					r.fault(n, "roles inherit in a circle: %s", strings.Join(circle, " -> "))
				}
			}
		}
		stack = stack[:len(stack)-1]
		state[name] = done
	}
	for _, role := range d.Roles {
		if state[role.Name] == fresh {
			visit(role.Name)
		}
	}
}

// checkIdle warns of roles that nothing gives to anybody.
func (r *reader) checkIdle(d *Document, places map[string]*node) {
	given := map[string]bool{}
	for _, role := range d.Roles {
		for _, p := range role.Inherits {
			given[p] = true
		}
	}
	for _, role := range d.Roles {
		n := places[Join("roles", role.Name)]
		if n != nil && role.When == "" && role.Request == nil && !given[role.Name] && !n.has("when") {
			r.warn(n, "no rule, request or other role gives this role to anybody")
		}
	}
}
