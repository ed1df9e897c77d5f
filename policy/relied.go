package policy

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Relied is an attribute without which conditions of roles say little: they read its
// one value and do not ask whether there is one. Where it is absent that is likely
// a mistake in somebody's data, though nothing fails.
type Relied struct {
	Attribute string   // SCIM path: title, name.familyName, urn:…:User:department
	Roles     []string // whose when or deny reads it so, sorted
}

// relied is a Relied with the way to its value.
type relied struct {
	Relied
	steps []any
}

// Relied are the attributes that conditions of roles rely on, sorted. Lists are not
// among them, for none is as good as an empty one; nor is active, whose absence means
// true; nor what a condition tests: with has(), against null, or against "".
func (e *Engine) Relied() []Relied {
	out := make([]Relied, len(e.relied))
	for n, r := range e.relied {
		out[n] = Relied{r.Attribute, slices.Clone(r.Roles)}
	}
	return out
}

// Missing are those of Relied that an identity lacks: absent, null or empty.
func (e *Engine) Missing(i model.Identity) []Relied {
	var out []Relied
	for _, r := range e.relied {
		switch v := lookup(i.User, r.steps).(type) {
		case nil:
		case string:
			if v != "" {
				continue
			}
		default:
			continue
		}
		out = append(out, Relied{r.Attribute, slices.Clone(r.Roles)})
	}
	return out
}

// Reads are the attributes that the conditions of a role read, by SCIM path, sorted,
// with groups for the groups of the sources; nil for a role that is not there. What
// a role is given by through inheritance is read by the role that inherits it.
func (e *Engine) Reads(role string) []string {
	place, ok := e.byName[role]
	if !ok {
		return nil
	}
	paths := map[string]bool{}
	for _, c := range []int{e.roles[place].when, e.roles[place].deny} {
		if c < 0 {
			continue
		}
		for _, chain := range e.conditions[c].reads {
			paths[chain.path()] = true
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// path is the chain as a SCIM path, without the places in lists.
func (c chain) path() string {
	var b strings.Builder
	glue := ""
	for n, s := range c.steps {
		name, isName := s.(string)
		if !isName {
			continue
		}
		b.WriteString(glue + name)
		if glue = "."; n == 0 && isURN(name) {
			glue = ":"
		}
	}
	return b.String()
}

func isURN(s string) bool { return len(s) > 4 && strings.EqualFold(s[:4], "urn:") }

// collectRelied gathers what the conditions of all roles rely on.
func (e *Engine) collectRelied() {
	at := map[string]*relied{}
	for _, r := range e.roles {
		for _, c := range []int{r.when, r.deny} {
			if c < 0 {
				continue
			}
			for _, chain := range e.conditions[c].relies {
				path := chain.path()
				if at[path] == nil {
					at[path] = &relied{Relied{Attribute: path}, chain.steps}
				}
				at[path].Roles = append(at[path].Roles, r.name)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(at)) {
		slices.Sort(at[path].Roles)
		at[path].Roles = slices.Compact(at[path].Roles)
		e.relied = append(e.relied, *at[path])
	}
}

// relies are the chains of an expression that hold one value and are not tested.
func (l *language) relies(e ast.Expr, reads []chain) (out []chain) {
	tested := testedChains(e)
	for _, c := range reads {
		if l.scalar(c) && !slices.ContainsFunc(tested, func(t chain) bool {
			return len(t.steps) <= len(c.steps) && slices.Equal(t.steps, c.steps[:len(t.steps)])
		}) {
			out = append(out, c)
		}
	}
	return out
}

// testedChains are the chains that an expression asks for the presence of.
func testedChains(e ast.Expr) (out []chain) {
	add := func(e ast.Expr) {
		if path, ok := userPath(e); ok && len(path) > 0 {
			out = append(out, newChain(path))
		}
	}
	var visit func(e ast.Expr)
	visit = func(e ast.Expr) {
		if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
			add(e)
		}
		if side, literal, ok := compared(e); ok && (literal == types.NullValue || literal == types.String("")) {
			add(side)
		}
		if key, container, ok := contained(e); ok { // "urn:…" in user.ext, "x" in user.ext["urn:…"]
			if path, isPath := userPath(container); isPath && len(path) > 0 && path[0] == fieldExt {
				out = append(out, newChain(append(slices.Clone(path), key)))
			}
		}
		for _, child := range children(e) {
			visit(child)
		}
	}
	visit(e)
	return out
}

// contained gives the sides of "key" in container.
func contained(e ast.Expr) (key string, container ast.Expr, ok bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.In || len(e.AsCall().Args()) != 2 {
		return "", nil, false
	}
	key, ok = literalText(e.AsCall().Args()[0])
	return key, e.AsCall().Args()[1], ok
}

// scalar reports whether a chain ends at an attribute of one value that is absent
// where nobody gave it.
func (l *language) scalar(c chain) bool {
	if len(c.steps) == 0 || c.origin == fieldGroups {
		return false
	}
	attributes := l.user.Schema.Attributes
	steps := c.steps
	if urn, _ := steps[0].(string); isURN(urn) {
		schema, _ := l.extension(urn)
		if schema == nil {
			return len(steps) > 1 // of a schema that could not be read
		}
		attributes, steps = schema.Attributes, steps[1:]
	}
	var last *scim.Attribute
	for _, s := range steps {
		name, isName := s.(string)
		at := slices.IndexFunc(attributes, func(a *scim.Attribute) bool { return a.Name == name })
		if !isName || at < 0 {
			return isName && name == "externalId" && len(steps) == 1
		}
		if last = attributes[at]; last.MultiValued {
			return false
		}
		attributes = last.Sub
	}
	return last != nil && last.Type != "complex" && last.Name != "active"
}
