package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever a PATCH does to a resource of a configured type, the result obeys the
// definitions, and what is immutable is as it was.
func TestOwnSchemaPatchProperties(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	paths := []string{"number", "level", "color", "sizes", "sizes[value gt 1]", "marks", `marks[value eq "A"]`, "pin", "hint", "holder", "holder.name",
		"holder.since", "holder.tags", "doors", "doors.floor", "doors.type", `doors[type eq "in"]`, `doors[value eq "d1"].floor`, `doors[value eq "d2"].floor`,
		`doors[not (type pr)]`, `doors[primary eq true].value`, staffURN, staffURN + ":grade", staffURN + ":badge", "schemas"}
	values := []string{`"x"`, `"A"`, `"red"`, `""`, `null`, `1`, `2.5`, `[]`, `{}`, `[1,2]`, `["A"]`, `["b","x"]`, `["b"]`, `{"value":"d1","type":"in"}`,
		`{"value":"d1","floor":9}`, `[{"value":"d1","type":"in","primary":true},{"value":"d3"}]`, `[{"value":"d1","type":"in","floor":2}]`, `{"tags":["q"]}`,
		`{"name":"y","tags":["a","c"]}`, `{"grade":4}`, `{"badge":"x"}`, `true`, `"2026-01-31T08:00:00Z"`}
	const before = `{"number":"N1","color":"red","sizes":[1,2],"marks":["A"],"pin":"1","holder":{"name":"x","since":"2026-01-31T08:00:00Z","tags":["a"]},
		"doors":[{"value":"d1","type":"in","floor":2},{"value":"d2"}],"` + staffURN + `":{"grade":3,"badge":"b"}}`
	start := object1(t, before)
	b.setSchemas(start)
	floor := func(attrs map[string]any, door string) any {
		list, _ := attrs["doors"].([]any)
		for _, e := range list {
			if m, _ := e.(map[string]any); m["value"] == door && m["type"] == "in" {
				return m["floor"]
			}
		}
		return nil
	}
	rapid.Check(t, func(t *rapid.T) {
		ops := drawOps(t, paths, values)
		d, _ := DialectNamed(rapid.SampledFrom(DialectNames()).Draw(t, "dialect"))
		p, err := ParsePatch(patchBody(ops), b, d)
		if err != nil {
			return
		}
		was := string(appendCanonical(nil, start))
		out, changed, err := Change{Patch: p, Dialect: d}.Apply(b, Resource{ID: "1", Attrs: start})
		if string(appendCanonical(nil, start)) != was {
			t.Fatalf("the input was changed by %s", ops)
		}
		if err != nil {
			if _, ok := AsError(err); !ok {
				t.Fatalf("%s: %v", ops, err)
			}
			return
		}
		if changed == (string(appendCanonical(nil, out.Attrs)) == was) {
			t.Fatalf("%s: changed %v, result %v", ops, changed, out.Attrs)
		}
		text, _ := json.Marshal(out.Attrs)
		again, err := b.Decode(text, anyFormat())
		if err != nil || !equal(again, out.Attrs) {
			t.Fatalf("%s: the result %s is not valid: %v, reads back as %v", ops, text, err, again)
		}
		if holder, _ := out.Attrs["holder"].(map[string]any); holder != nil && !strings.Contains(ops, `"path":"holder"`) && holder["since"] != "2026-01-31T08:00:00Z" {
			t.Fatalf("%s: holder.since became %v", ops, holder["since"])
		}
		if f := floor(out.Attrs, "d1"); f != nil && len(p) == 1 && f != int64(2) {
			t.Fatalf("%s: the floor of d1 became %v", ops, f)
		}
	})
}
