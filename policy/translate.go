package policy

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"
)

// translator turns conditions into expressions that a plain Casbin enforcer
// evaluates (govaluate's language). What that language has no word for becomes an
// attribute of the subject, worked out beforehand: every condition has a translation.
type translator struct {
	language *language
	env      *cel.Env // with what is needed to write an expression as text again
	subject  *subject
	tree     *ast.AST // of the condition at hand
}

func newTranslator(l *language) (*translator, error) {
	env, err := l.env.Extend(cel.EnableMacroCallTracking())
	if err != nil {
		return nil, fmt.Errorf("expression environment: %w", err)
	}
	return &translator{language: l, env: env, subject: newSubject()}, nil
}

// term is a translated expression; level says how loosely its parts hang together.
type term struct {
	text  string
	level int
}

const (
	levelAtom = iota
	levelComparison
	levelAnd
	levelOr
)

// in is the term as part of another, in brackets where it needs them.
func (t term) in(level int) string {
	if t.level > level {
		return "(" + t.text + ")"
	}
	return t.text
}

func allOf(a, b term) term { return term{a.in(levelAnd) + " && " + b.in(levelAnd), levelAnd} }
func anyOf(a, b term) term {
	return term{a.in(levelComparison) + " || " + b.in(levelComparison), levelOr}
}
func noneOf(a term) term { return term{"!" + a.in(levelAtom), levelAtom} }

// condition translates the text of a condition that has compiled before.
func (t *translator) condition(text string) (term, error) {
	checked, issues := t.env.Compile(text)
	if issues.Err() != nil {
		return term{}, issues.Err()
	}
	t.tree = checked.NativeRep()
	out, ok := t.truth(t.tree.Expr())
	if !ok {
		return term{}, fmt.Errorf("%s: has no translation", text)
	}
	return out, nil
}

// truth translates what is true or false, or fails.
func (t *translator) truth(e ast.Expr) (term, bool) {
	if kind := t.tree.GetType(e.ID()).Kind(); kind == types.BoolKind {
		return t.value(e)
	}
	return t.fact(e, kindBoolean)
}

// value translates an expression of a simple type; one that has no translation
// becomes a fact.
func (t *translator) value(e ast.Expr) (term, bool) {
	if out, ok := t.direct(e); ok {
		return out, true
	}
	kind := kindOf(t.tree.GetType(e.ID()))
	if kind == "" || kind == kindAny {
		return term{}, false
	}
	return t.fact(e, kind)
}

// fact makes an expression an attribute of the subject.
func (t *translator) fact(e ast.Expr, kind string) (term, bool) {
	text, err := parser.Unparse(e, t.tree.SourceInfo())
	if err != nil {
		return term{}, false
	}
	program, problems := t.language.compile(text, cel.DynType)
	if len(problems) > 0 {
		return term{}, false
	}
	name := t.subject.add(factName(e, text), text, kind, program)
	return term{"r.sub." + name, levelAtom}, true
}

func (t *translator) direct(e ast.Expr) (term, bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e.AsLiteral())
	case ast.SelectKind:
		if _, isAttribute := attributeName(e); isAttribute {
			if kind := kindOf(t.tree.GetType(e.ID())); kind != "" && kind != kindAny {
				return t.fact(e, kind)
			}
		}
	case ast.CallKind:
		return t.call(e)
	}
	return term{}, false
}

func (t *translator) call(e ast.Expr) (out term, ok bool) {
	c := e.AsCall()
	args := c.Args()
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		a, okA := t.truth(args[0])
		b, okB := t.truth(args[1])
		if name == operators.LogicalAnd {
			return allOf(a, b), okA && okB
		}
		return anyOf(a, b), okA && okB
	case operators.LogicalNot:
		a, ok := t.truth(args[0])
		return noneOf(a), ok
	case operators.Conditional:
		if t.tree.GetType(e.ID()).Kind() != types.BoolKind {
			return term{}, false
		}
		condition, okC := t.truth(args[0])
		a, okA := t.truth(args[1])
		b, okB := t.truth(args[2])
		return anyOf(allOf(condition, a), allOf(noneOf(condition), b)), okA && okB && okC
	case operators.Equals, operators.NotEquals:
		return t.equality(args[0], args[1], name == operators.Equals)
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return t.order(name, args[0], args[1])
	case operators.In:
		return t.membership(args[0], args[1])
	case "startsWith", "endsWith", "contains", "matches":
		return t.pattern(name, c)
	}
	return term{}, false
}

// operand is a side of a comparison. One of unknown type, of an extension, is taken
// as it is: it may be null.
func (t *translator) operand(e ast.Expr) (out term, kind string, ok bool) {
	kind = kindOf(t.tree.GetType(e.ID()))
	if kind == kindAny {
		if _, isPath := userPath(e); !isPath {
			return term{}, "", false
		}
		out, ok = t.fact(e, kindAny)
		return out, kind, ok
	}
	out, ok = t.value(e)
	return out, kind, ok && kind != ""
}

func (t *translator) equality(left, right ast.Expr, equal bool) (term, bool) {
	a, kindA, okA := t.operand(left)
	b, kindB, okB := t.operand(right)
	if !okA || !okB || kindA == kindList || kindB == kindList || kindA == kindAny && kindB == kindAny {
		return term{}, false
	}
	operator := " == "
	if !equal {
		operator = " != "
	}
	return term{a.in(levelAtom) + operator + b.in(levelAtom), levelComparison}, true
}

var orderSigns = map[string]string{operators.Less: " < ", operators.LessEquals: " <= ", operators.Greater: " > ", operators.GreaterEquals: " >= "}

func (t *translator) order(name string, left, right ast.Expr) (term, bool) {
	a, kindA, okA := t.operand(left)
	b, kindB, okB := t.operand(right)
	if !okA || !okB || kindA != kindB || kindA != kindText && kindA != kindNumber {
		return term{}, false
	}
	return term{a.in(levelAtom) + orderSigns[name] + b.in(levelAtom), levelComparison}, true
}

// membership translates element in list: a list of the subject, or one written down.
func (t *translator) membership(element, list ast.Expr) (term, bool) {
	a, kind, ok := t.operand(element)
	if !ok || kind == kindList {
		return term{}, false
	}
	if list.Kind() != ast.ListKind {
		b, kindB, okB := t.operand(list)
		return term{a.in(levelAtom) + " in " + b.text, levelComparison}, okB && kindB == kindList && kind == kindText
	}
	out := term{"false", levelAtom}
	for n, item := range list.AsList().Elements() {
		if item.Kind() != ast.LiteralKind {
			return term{}, false
		}
		b, ok := literal(item.AsLiteral())
		if !ok {
			return term{}, false
		}
		one := term{a.in(levelAtom) + " == " + b.in(levelAtom), levelComparison}
		if n == 0 {
			out = one
			continue
		}
		out = term{out.text + " || " + one.text, levelOr}
	}
	return out, true
}

// pattern translates the tests of a text for a part of it. Both languages use the
// same regular expressions.
func (t *translator) pattern(name string, c ast.CallExpr) (term, bool) {
	if !c.IsMemberFunction() || len(c.Args()) != 1 {
		return term{}, false
	}
	part, isLiteral := literalText(c.Args()[0])
	of, kind, ok := t.operand(c.Target())
	if !isLiteral || !ok || kind != kindText {
		return term{}, false
	}
	switch name {
	case "startsWith":
		part = "^" + regexp.QuoteMeta(part)
	case "endsWith":
		part = regexp.QuoteMeta(part) + "$"
	case "contains":
		part = regexp.QuoteMeta(part)
	case "matches":
		if _, err := regexp.Compile(part); err != nil {
			return term{}, false
		}
	}
	if part == "" || moment.MatchString(part) {
		part = "(?:" + part + ")"
	}
	quoted, ok := quote(part)
	return term{of.in(levelAtom) + " =~ " + quoted, levelComparison}, ok
}

// literal writes a constant; integers beyond what a float holds exactly have no
// translation, nor has null.
func literal(v ref.Val) (term, bool) {
	switch v := v.(type) {
	case types.Bool:
		return term{strconv.FormatBool(bool(v)), levelAtom}, true
	case types.String:
		if at := splitAt(string(v)); at > 0 {
			a, okA := quote(string(v[:at]))
			b, okB := quote(string(v[at:]))
			return term{"(" + a + " + " + b + ")", levelAtom}, okA && okB
		}
		text, ok := quote(string(v))
		return term{text, levelAtom}, ok
	case types.Int:
		return number(float64(v)), v > -1<<53 && v < 1<<53
	case types.Uint:
		return number(float64(v)), v < 1<<53
	case types.Double:
		return number(float64(v)), !math.IsInf(float64(v), 0) && !math.IsNaN(float64(v))
	}
	return term{}, false
}

func number(f float64) term {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if f < 0 || math.Signbit(f) {
		text = "(" + text + ")"
	}
	return term{text, levelAtom}
}

// moment finds texts that govaluate would take for a time, which equals no text.
var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\d|^\d{1,2}:\d\d[AaPp][Mm]$|^(?i:mon|tue|wed|thu|fri|sat|sun)\s`)

// splitAt is where to part such a text so that neither half is a time; 0: it is none.
func splitAt(s string) int {
	switch {
	case !moment.MatchString(s):
		return 0
	case s[len(s)-1] == 'm' || s[len(s)-1] == 'M':
		return len(s) - 2
	}
	return 1
}

// assertion finds, inside a text, what Casbin would take for r.sub or p.rule.
var assertion = regexp.MustCompile(`([rp][0-9]*)\.`)

// quote writes a text as a constant. Casbin replaces r. and p. even there, which the
// backslash prevents, and a line of a policy cannot hold another.
func quote(s string) (string, bool) {
	if strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || c == unicode.ReplacementChar }) {
		return "", false
	}
	s = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(s)
	return "'" + assertion.ReplaceAllString(s, `$1\.`) + "'", true
}
