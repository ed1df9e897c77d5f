package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRowExpressions(t *testing.T) {
	t.Parallel()
	language, err := NewRowLanguage()
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]string{"a": "x", "first name": "Ada", "no": "7"}
	for text, want := range map[string]any{
		`row.a`:                          "x",
		`row["first name"] + "!"`:        "Ada!",
		`row.no == "7"`:                  true,
		`int(row.no) + 1`:                8.0,
		`has(row.b) ? row.b : ""`:        nil,
		`"b" in row ? row["b"] : "none"`: "none",
		`row.a.upperAscii()`:             "X",
		`row.a.split("x")`:               nil,
		`{"value": row.a}`:               map[string]any{"value": "x"},
	} {
		x, problems := language.Compile(text, false)
		if problems != nil {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		if got, err := x.Value(row); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	x, _ := language.Compile(`has(row.b) && row.b != "" || row["c"] == row.d && !("e" in row)`, true)
	if want := []string{"c", "d"}; !slices.Equal(x.Columns(), want) {
		t.Errorf("columns %v, want %v", x.Columns(), want)
	}
	if _, err := x.Holds(row); err == nil || !strings.Contains(err.Error(), `no column "c"`) {
		t.Errorf("a column that is not there: %v", err)
	}
	for text, want := range map[string]string{`row.a +`: "unexpected end", `rov.a`: "undeclared", `row`: ""} {
		if _, problems := language.Compile(text, want == ""); problems == nil || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%s: %v", text, problems)
		}
	}
	loop, problems := language.Compile(`[1,2,3,4,5,6,7,8].map(a,[1,2,3,4,5,6,7,8].map(b,[1,2,3,4,5,6,7,8].map(c,[1,2,3,4,5,6,7,8].map(d,[1,2,3,4,5,6,7,8].map(e,[1,2,3,4,5,6,7,8].map(f,row.a)))))).size() > 0`, true)
	if problems != nil {
		t.Fatal(problems)
	}
	if _, err := loop.Holds(row); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("an expression without end: %v", err)
	}
}
