package policy

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// chain is one attribute that an expression reads, found in its checked form:
// user.enterprise.department, user.emails[0].value, user.ext["urn:…"].x.
type chain struct {
	name   string // as facts call it: enterprise.department, emails[0].value, urn:…:x
	steps  []any  // string: member, int: element; through the document
	origin string // key in Identity.Origin, most specific
}

// reads finds the longest chains that begin at user. What is below a loop's
// variable counts as reading the whole list.
func reads(e ast.Expr) []chain {
	found := map[string]chain{}
	var visit func(e ast.Expr)
	visit = func(e ast.Expr) {
		if path, ok := userPath(e); ok {
			if c := newChain(path); len(c.steps) > 0 {
				found[c.name] = c
			}
			return
		}
		for _, child := range children(e) {
			visit(child)
		}
	}
	visit(e)
	out := make([]chain, 0, len(found))
	for _, c := range found {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// userPath gives the members and elements after user, if e is such a chain of
// constants.
func userPath(e ast.Expr) ([]any, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return nil, e.AsIdent() == "user"
	case ast.SelectKind:
		s := e.AsSelect()
		path, ok := userPath(s.Operand())
		return append(path, s.FieldName()), ok
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != "_[_]" || len(c.Args()) != 2 || c.Args()[1].Kind() != ast.LiteralKind {
			return nil, false
		}
		path, ok := userPath(c.Args()[0])
		switch i := c.Args()[1].AsLiteral().(type) {
		case types.String:
			return append(path, string(i)), ok
		case types.Int:
			return append(path, int(i)), ok
		}
	}
	return nil, false
}

func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		c := e.AsCall()
		if c.IsMemberFunction() {
			return append([]ast.Expr{c.Target()}, c.Args()...)
		}
		return c.Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		if c.IterVar() == "user" || c.IterVar2() == "user" {
			return []ast.Expr{c.IterRange()} // in the loop the name means something else
		}
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	case ast.MapKind:
		var out []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			out = append(out, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return out
	}
	return nil
}

func newChain(path []any) chain {
	c := chain{steps: slices.Clone(path)}
	if len(path) == 0 {
		return c
	}
	first, _ := path[0].(string)
	prefix := ""
	switch {
	case first == fieldEnterprise:
		c.steps[0], prefix = scim.URNEnterprise, scim.URNEnterprise
	case first == fieldExt && len(path) > 1:
		c.steps = c.steps[1:]
		prefix, _ = c.steps[0].(string)
	case first == fieldExt:
		c.steps = nil
		return c
	}
	c.origin = first
	if prefix != "" {
		c.origin = prefix
		if len(c.steps) > 1 {
			if attr, ok := c.steps[1].(string); ok {
				c.origin = prefix + ":" + attr
			}
		}
	}
	c.name = chainName(first, path, c.steps)
	return c
}

// chainName is short for the attributes everybody knows; an extension of the
// user's own is named in full.
func chainName(first string, path, steps []any) string {
	var b strings.Builder
	show, glue := path, "."
	if first == fieldExt {
		show, glue = steps, ":"
	}
	for i, s := range show {
		switch s := s.(type) {
		case string:
			if i > 0 {
				b.WriteString(glue)
				glue = "."
			}
			b.WriteString(s)
		case int:
			b.WriteString("[" + strconv.Itoa(s) + "]")
		}
	}
	return b.String()
}

// facts looks up what an expression read: the values, nil for those the person
// lacks, and the sources that the values came from.
func (x *expression) facts(i model.Identity) (values map[string]any, sources map[string]string) {
	values = make(map[string]any, len(x.reads))
	sources = make(map[string]string, len(x.reads))
	for _, c := range x.reads {
		if c.origin == fieldGroups {
			names, from := memberships(i.Groups)
			values[c.name] = names
			if from != "" {
				sources[c.name] = from
			}
			continue
		}
		v := lookup(i.User, c.steps)
		if v == nil && c.name == "active" {
			v = true // absent means true
		}
		values[c.name] = v
		if s := originOf(i.Origin, c); s != "" && v != nil {
			sources[c.name] = s
		}
	}
	return values, sources
}

func memberships(groups []model.Membership) (names []any, from string) {
	var sources []string
	for _, g := range groups {
		names = append(names, g.Display)
		sources = append(sources, g.Source)
	}
	slices.Sort(sources)
	return names, strings.Join(slices.Compact(sources), ", ")
}

func lookup(doc map[string]any, steps []any) any {
	var v any = doc
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			items, _ := v.([]any)
			if s < 0 || s >= len(items) {
				return nil
			}
			v = items[s]
		}
	}
	return v
}

// originOf finds the source of a chain: of its part, of the attribute, of the extension.
func originOf(origin map[string]string, c chain) string {
	key := c.origin
	if len(c.steps) > 1 {
		if sub, ok := c.steps[1].(string); ok && !strings.HasPrefix(strings.ToLower(key), "urn:") {
			if s := origin[key+"."+sub]; s != "" {
				return s
			}
		}
	}
	if s := origin[key]; s != "" {
		return s
	}
	if urn, ok := c.steps[0].(string); ok {
		return origin[urn]
	}
	return ""
}
