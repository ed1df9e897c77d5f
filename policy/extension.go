package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// extensionProblems finds what the type checker cannot: below user.ext everything is
// dynamic, so that a misspelt URN or attribute would read as null for everybody, and
// a number compared with a text would never be equal.
func (l *language) extensionProblems(tree *ast.AST) []problem {
	if l.partial {
		return nil
	}
	var out []problem
	report := func(e ast.Expr, message string) {
		at := tree.SourceInfo().GetStartLocation(e.ID())
		out = append(out, problem{max(1, at.Line()), max(0, at.Column()), message})
	}
	var visit func(e ast.Expr)
	visit = func(e ast.Expr) {
		if path, ok := userPath(e); ok {
			if _, message := l.extensionAttribute(path); message != "" {
				report(e, message)
			}
			return
		}
		if attribute, literal, ok := compared(e); ok {
			if path, isPath := userPath(attribute); isPath {
				if a, _ := l.extensionAttribute(path); a != nil && !matchesType(a, literal) {
					report(e, fmt.Sprintf("%s is %s and never equals a %s", a.Name, typeName(a), literal.Type().TypeName()))
				}
			}
		}
		for _, child := range children(e) {
			visit(child)
		}
	}
	visit(tree.Expr())
	return out
}

// extensionAttribute resolves user.ext["urn"].a.b; the attribute is nil where the
// path is no such one, ends before an attribute, or message says what is wrong.
func (l *language) extensionAttribute(path []any) (attribute *scim.Attribute, message string) {
	if len(path) < 2 || path[0] != fieldExt {
		return nil, ""
	}
	urn, _ := path[1].(string)
	schema, message := l.extension(urn)
	if schema == nil {
		return nil, message
	}
	attributes := schema.Attributes
	for _, step := range path[2:] {
		name, isName := step.(string)
		if !isName {
			continue // an element of a list
		}
		at := slices.IndexFunc(attributes, func(a *scim.Attribute) bool { return a.Name == name && readable(a) })
		if at < 0 {
			return nil, fmt.Sprintf("%s has no attribute %q%s", urn, name, config.Suggest(name, attributeNames(attributes)))
		}
		attribute, attributes = attributes[at], attributes[at].Sub
	}
	return attribute, ""
}

// extension finds an extension of User by its URN, written as the schema does.
func (l *language) extension(urn string) (*scim.Schema, string) {
	known := make([]string, 0, len(l.user.Extensions))
	for _, e := range l.user.Extensions {
		if e.Schema.ID == urn {
			return e.Schema, ""
		}
		known = append(known, e.Schema.ID)
	}
	slices.Sort(known)
	hint := config.Suggest(urn, known)
	if hint == "" {
		hint = "; name its schema under schemas, and the extension of User under resource_types"
	}
	return nil, fmt.Sprintf("User has no extension %q%s", urn, hint)
}

// readable reports whether rules may read an attribute: facts are kept with every
// reason, so what is never to be shown must not become one.
func readable(a *scim.Attribute) bool {
	return a.Returned != "never" && a.Mutability != "writeOnly" && !strings.EqualFold(a.Name, "password")
}

func attributeNames(list []*scim.Attribute) (names []string) {
	for _, a := range list {
		if readable(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

// compared gives the sides of attribute == literal and != literal, in either order.
func compared(e ast.Expr) (attribute ast.Expr, literal ref.Val, ok bool) {
	if e.Kind() != ast.CallKind {
		return nil, nil, false
	}
	c := e.AsCall()
	if name := c.FunctionName(); name != operators.Equals && name != operators.NotEquals || len(c.Args()) != 2 {
		return nil, nil, false
	}
	left, right := c.Args()[0], c.Args()[1]
	if left.Kind() == ast.LiteralKind {
		left, right = right, left
	}
	if right.Kind() != ast.LiteralKind {
		return nil, nil, false
	}
	return left, right.AsLiteral(), true
}

func typeName(a *scim.Attribute) string {
	if a.MultiValued {
		return "a list"
	}
	return "of type " + a.Type
}

// matchesType reports whether a value of the attribute can equal the literal.
func matchesType(a *scim.Attribute, literal ref.Val) bool {
	if literal == types.NullValue {
		return true
	}
	if a.MultiValued || a.Type == "complex" {
		return false
	}
	switch literal.(type) {
	case types.Bool:
		return a.Type == "boolean"
	case types.Int, types.Uint, types.Double:
		return a.Type == "integer" || a.Type == "decimal"
	case types.String:
		return a.Type != "boolean" && a.Type != "integer" && a.Type != "decimal"
	}
	return false
}
