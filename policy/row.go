package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// RowLanguage is CEL over the record of an import: row is a map from the names of
// columns to their texts. It is safe for concurrent use.
type RowLanguage struct{ env *cel.Env }

// RowExpression is a compiled expression over a record. It is safe for concurrent use.
type RowExpression struct {
	text    string
	program cel.Program
	columns []string
}

// RowProblem is one thing wrong with an expression; Line is 1-based, Column 0-based.
type RowProblem struct {
	Line, Column int
	Message      string
}

// NewRowLanguage makes the environment; the error is a fault of this program.
func NewRowLanguage() (*RowLanguage, error) {
	env, err := cel.NewCustomEnv(
		cel.StdLib(), ext.Strings(), ext.Sets(),
		cel.Variable("row", cel.MapType(cel.StringType, cel.StringType)),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableIdentifierEscapeSyntax(),
	)
	if err != nil {
		return nil, fmt.Errorf("expressions over rows: %w", err)
	}
	return &RowLanguage{env}, nil
}

// Compile checks an expression. With condition it must give true or false, else
// anything that an attribute can hold.
func (l *RowLanguage) Compile(text string, condition bool) (*RowExpression, []RowProblem) {
	checked, issues := l.env.Compile(text)
	if issues.Err() != nil {
		var out []RowProblem
		for _, e := range issues.Errors() {
			out = append(out, RowProblem{max(1, e.Location.Line()), max(0, e.Location.Column()), plainMessage(e.Message)})
		}
		return nil, out
	}
	switch out := checked.OutputType(); {
	case condition && !out.IsExactType(cel.BoolType) && out != cel.DynType:
		return nil, []RowProblem{{1, 0, fmt.Sprintf("gives %s where true or false is wanted", cel.FormatCELType(out))}}
	case !condition && !storable(out):
		return nil, []RowProblem{{1, 0, fmt.Sprintf("gives %s, which no attribute can hold; turn it into text with string()", cel.FormatCELType(out))}}
	}
	tree, program, err := plan(l.env, checked)
	if err != nil {
		return nil, []RowProblem{{1, 0, err.Error()}}
	}
	return &RowExpression{text: text, program: program, columns: rowColumns(tree)}, nil
}

// Columns are the columns that the expression names and needs, sorted: row.x and
// row["x"], but not has(row.x) and "x" in row.
func (x *RowExpression) Columns() []string { return x.columns }

func rowColumns(tree ast.Expr) (out []string) {
	asked := map[string]bool{} // by has() or in: may be missing
	ast.PostOrderVisit(tree, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			if s := e.AsSelect(); isRow(s.Operand()) {
				if s.IsTestOnly() {
					asked[s.FieldName()] = true
				}
				out = append(out, s.FieldName())
			}
		case ast.CallKind:
			c := e.AsCall()
			if len(c.Args()) != 2 {
				return
			}
			switch c.FunctionName() {
			case "_[_]":
				if name, ok := literalText(c.Args()[1]); ok && isRow(c.Args()[0]) {
					out = append(out, name)
				}
			case "@in":
				if name, ok := literalText(c.Args()[0]); ok && isRow(c.Args()[1]) {
					asked[name] = true
				}
			}
		}
	}))
	out = slices.DeleteFunc(out, func(name string) bool { return asked[name] })
	slices.Sort(out)
	return slices.Compact(out)
}

func isRow(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "row" }

// Value runs the expression: string, bool, float64, []any, map[string]any, or nil for
// nothing ("", null, an empty list).
func (x *RowExpression) Value(row map[string]string) (any, error) {
	out, _, err := x.program.Eval(map[string]any{"row": row})
	if err != nil {
		return nil, rowError(err)
	}
	return plain(out)
}

// Holds runs a condition.
func (x *RowExpression) Holds(row map[string]string) (bool, error) {
	out, _, err := x.program.Eval(map[string]any{"row": row})
	if err != nil {
		return false, rowError(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("%s: gives %s, not true or false", x.text, out.Type().TypeName())
	}
	return bool(b), nil
}

// rowError says what went wrong in the words of whoever wrote the map.
func rowError(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "no such key: "); ok {
		return fmt.Errorf("the record has no column %q", name)
	}
	return err
}
