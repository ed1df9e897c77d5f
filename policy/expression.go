package policy

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
)

// Limits on one expression. The first two hold when a configuration is compiled;
// the third when an expression runs that has loops or makes new values, so that no
// rule can hang the hub: it fails instead, and a failing rule removes nothing.
const (
	maxExpression = 16 << 10 // characters
	maxNodes      = 4096
	maxCost       = 1_000_000 // CEL's units; about a tenth of a second
)

// language is the environment of all expressions.
type language struct {
	env      *cel.Env
	provider *provider
	user     *scim.ResourceType
	// partial: the configuration's own schemas could not be read, so that what is
	// unknown may well be there.
	partial bool
}

// newLanguage is the language over users of a registry: the schemas of a
// configuration are type-checked as the standard ones are.
func newLanguage(registry *scim.Registry) (*language, error) {
	user, ok := registry.Type("User")
	if !ok {
		return nil, fmt.Errorf("expression types: the registry has no User")
	}
	p, err := newProvider(user)
	if err != nil {
		return nil, err
	}
	env, err := cel.NewCustomEnv(
		cel.CustomTypeProvider(p),
		cel.CustomTypeAdapter(p),
		cel.StdLib(),
		ext.Strings(),
		ext.Sets(),
		cel.Variable("user", cel.ObjectType(p.user.name)),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableIdentifierEscapeSyntax(),
	)
	if err != nil {
		return nil, fmt.Errorf("expression environment: %w", err)
	}
	return &language{env: env, provider: p, user: user}, nil
}

// expression is a compiled CEL expression. It is safe for concurrent use.
type expression struct {
	text    string
	program cel.Program
	reads   []chain
	relies  []chain // of those: which hold one value, and are not tested for having one
	needs   needs   // zero: none was found
}

// problem is one thing wrong with an expression; line is 1-based, column 0-based.
type problem struct {
	line, column int
	message      string
}

// compile checks an expression; wanted is what it has to give: nil for any
// value that an attribute can have, dyn for anything.
func (l *language) compile(text string, wanted *cel.Type) (*expression, []problem) {
	checked, issues := l.env.Compile(text)
	if issues.Err() != nil {
		return nil, l.problems(issues)
	}
	if found := l.extensionProblems(checked.NativeRep()); len(found) > 0 {
		return nil, found
	}
	out := checked.OutputType()
	switch {
	case wanted == cel.DynType:
	case wanted != nil && !out.IsExactType(wanted) && out != cel.DynType:
		return nil, []problem{{1, 0, fmt.Sprintf("gives %s where %s is wanted", cel.FormatCELType(out), cel.FormatCELType(wanted))}}
	case wanted == nil && !storable(out):
		return nil, []problem{{1, 0, fmt.Sprintf("gives %s, which no attribute can hold; turn it into text with string()", cel.FormatCELType(out))}}
	}
	tree, program, err := plan(l.env, checked)
	if err != nil {
		return nil, []problem{{1, 0, err.Error()}}
	}
	x := &expression{text: text, program: program, reads: reads(tree)}
	x.relies = l.relies(tree, x.reads)
	if n, ok := needsOf(tree); ok {
		x.needs = n
	}
	return x, nil
}

func storable(t *cel.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind,
		types.DynKind, types.NullTypeKind, types.StructKind, types.AnyKind:
		return true
	case types.ListKind, types.MapKind:
		for _, p := range t.Parameters() {
			if !storable(p) && p.Kind() != types.TypeParamKind {
				return false
			}
		}
		return true
	}
	return false
}

var undefinedField = regexp.MustCompile(`undefined field '([^']+)'`)

func (l *language) problems(issues *cel.Issues) []problem {
	var out []problem
	for _, e := range issues.Errors() {
		message := plainMessage(e.Message)
		if m := undefinedField.FindStringSubmatch(message); m != nil {
			message = fmt.Sprintf("there is no attribute %q%s", m[1], config.Suggest(m[1], l.attributes()))
		}
		out = append(out, problem{max(1, e.Location.Line()), max(0, e.Location.Column()), message})
	}
	return out
}

// plainMessage leaves out what only the authors of the parser need.
func plainMessage(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if strings.HasPrefix(s, "Syntax error") {
		s, _, _ = strings.Cut(s, " expecting ")
	}
	s = strings.ReplaceAll(s, "mismatched input '<EOF>'", "unexpected end of the expression")
	return strings.TrimSuffix(s, " (in container '')")
}

func (l *language) attributes() (names []string) {
	for _, s := range l.provider.structures {
		for n := range s.fields {
			names = append(names, n)
		}
	}
	return names
}

// eval runs the expression for a user.
func (x *expression) eval(v vars) (ref.Val, error) {
	out, _, err := x.program.Eval(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.text, err)
	}
	return out, nil
}

// holds runs a condition.
func (x *expression) holds(v vars) (bool, error) {
	out, err := x.eval(v)
	if err != nil {
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("%s: gives %s, not true or false", x.text, out.Type().TypeName())
	}
	return bool(b), nil
}

// cheap are the functions whose cost and result are bounded by their arguments.
var cheap = map[string]bool{
	"_&&_": true, "_||_": true, "!_": true, "_?_:_": true, "@in": true, "_[_]": true,
	"_==_": true, "_!=_": true, "_<_": true, "_<=_": true, "_>_": true, "_>=_": true,
	"_+_": true, "_-_": true, "size": true, "startsWith": true, "endsWith": true, "contains": true,
	"matches": true, "lowerAscii": true, "upperAscii": true, "trim": true, "string": true, "int": true, "dyn": true,
}

// bounded reports whether an expression has neither loops nor functions that can
// make much of little, so that it needs no cost accounting, which would double the
// price of the common rule.
func bounded(e ast.Expr) bool {
	ok := true
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			ok = false
		case ast.CallKind:
			ok = ok && cheap[e.AsCall().FunctionName()]
		}
	}))
	return ok
}

// plan makes a program of a checked expression, with a limit on its cost where it has
// loops or makes new values.
func plan(env *cel.Env, checked *cel.Ast) (ast.Expr, cel.Program, error) {
	tree := checked.NativeRep().Expr()
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if !bounded(tree) {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(checked, options...)
	return tree, program, err
}
