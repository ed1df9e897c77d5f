package policy

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/traits"
)

// needs is what must be true of one attribute for a condition to hold: that it
// equals, or as a list contains, one of some texts. Most rules of a large policy have
// such a part, and a person can match only those that name a value of theirs; the
// others are known to be false without running them.
type needs struct {
	attribute string // the attribute as an expression
	values    []string
}

// needsOf finds such a part of a condition. It must be exact: where the part is
// false, the whole condition is false, and not an error. In CEL, && with a false side
// is false whatever the other side does.
func needsOf(e ast.Expr) (needs, bool) {
	if e.Kind() != ast.CallKind {
		return needs{}, false
	}
	c := e.AsCall()
	if len(c.Args()) != 2 {
		return needs{}, false
	}
	left, right := c.Args()[0], c.Args()[1]
	switch c.FunctionName() {
	case "_&&_":
		if n, ok := needsOf(left); ok {
			return n, true
		}
		return needsOf(right)
	case "_||_":
		a, okA := needsOf(left)
		b, okB := needsOf(right)
		return needs{a.attribute, append(a.values, b.values...)}, okA && okB && a.attribute == b.attribute
	case "_==_":
		if n, ok := equals(left, right); ok {
			return n, true
		}
		return equals(right, left)
	case "@in":
		return within(left, right)
	}
	return needs{}, false
}

func equals(attribute, value ast.Expr) (needs, bool) {
	name, isAttribute := attributeName(attribute)
	s, isText := literalText(value)
	return needs{name, []string{s}}, isAttribute && isText
}

// within reads attribute in ["a", "b"] and "a" in attribute.
func within(element, list ast.Expr) (needs, bool) {
	if s, isText := literalText(element); isText {
		name, isAttribute := attributeName(list)
		return needs{name, []string{s}}, isAttribute
	}
	name, isAttribute := attributeName(element)
	if !isAttribute || list.Kind() != ast.ListKind || len(list.AsList().Elements()) == 0 {
		return needs{}, false
	}
	n := needs{attribute: name}
	for _, item := range list.AsList().Elements() {
		s, isText := literalText(item)
		if !isText {
			return needs{}, false
		}
		n.values = append(n.values, s)
	}
	return n, true
}

func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// attributeName gives user.a.b of members alone: reading those never fails, but
// for values that are not of the schema's type.
func attributeName(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return "user", e.AsIdent() == "user"
	case ast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() || s.FieldName() == fieldExt {
			return "", false
		}
		base, ok := attributeName(s.Operand())
		return base + "." + s.FieldName(), ok
	}
	return "", false
}

// lane is the rows that need values of one attribute, by value. Each value's rows
// are a policy type of their own in Casbin (p1, p2, …), so that one Enforce visits
// only them.
type lane struct {
	attribute string
	read      *expression
	types     map[string]string // value -> policy type
}

// visit calls with each policy type whose rows could hold for the user. Where the
// attribute cannot be read all of them could.
func (l *lane) visit(v vars, call func(policyType string)) {
	out, err := l.read.eval(v)
	if err != nil {
		for _, value := range sortedKeys(l.types) {
			call(l.types[value])
		}
		return
	}
	switch out := out.(type) {
	case types.String:
		if t, ok := l.types[string(out)]; ok {
			call(t)
		}
	case traits.Lister:
		for it := out.Iterator(); it.HasNext() == types.True; {
			s, _ := it.Next().(types.String)
			if t, ok := l.types[string(s)]; ok {
				call(t)
			}
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// lay sorts rows into those for everybody and those behind an attribute.
func (e *Engine) lay(rows [][]string) (everybody [][]string, typed map[string][][]string) {
	typed = map[string][][]string{}
	at := map[string]*lane{}
	for _, row := range rows {
		x := e.conditions[e.index[row[1]]]
		l := at[x.needs.attribute]
		if x.needs.attribute != "" && l == nil {
			if read, problems := e.language.compile(x.needs.attribute, cel.DynType); problems == nil {
				l = &lane{attribute: x.needs.attribute, read: read, types: map[string]string{}}
				at[x.needs.attribute] = l
				e.lanes = append(e.lanes, l)
			}
		}
		if l == nil {
			everybody = append(everybody, row)
			continue
		}
		values := slices.Clone(x.needs.values)
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			if l.types[v] == "" {
				l.types[v] = policyType(len(typed) + 1)
			}
			typed[l.types[v]] = append(typed[l.types[v]], row)
		}
	}
	return everybody, typed
}
