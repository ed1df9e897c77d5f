package scim

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const badgeBody = `"schemas":["` + badgeURN + `","` + staffURN + `"],"number":"N1","` + staffURN + `":{"grade":3}`

func decodeBadge(t *testing.T, rt *ResourceType, dialectName, more string) (map[string]any, error) {
	t.Helper()
	return rt.Decode([]byte(`{`+badgeBody+more+`}`), dialect(t, dialectName))
}

func TestOwnSchemaValues(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	attrs, err := decodeBadge(t, b, "rfc", `,"level":-7,"weight":2,"issued":"2026-01-31T08:00:00.5+01:00","photo":"AQ","owner":"../Users/1","lost":false,
		"color":"RED","sizes":[1,2,1],"marks":["A"],"pin":"1234","secret":"s","hint":"h","state":"ignored",
		"holder":{"name":"x","since":"2026-01-31T08:00:00","tags":["a","A","b"],"note":"n","code":"c","serial":"s"},
		"doors":[{"value":"d1","type":"IN","primary":true,"floor":2},{"value":"d2"}]`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"schemas": []any{badgeURN, staffURN}, "number": "N1", staffURN: map[string]any{"grade": int64(3)}, "level": int64(-7), "weight": 2.0,
		"issued": "2026-01-31T08:00:00.5+01:00", "photo": "AQ", "owner": "../Users/1", "lost": false, "color": "RED", "sizes": []any{int64(1), int64(2)},
		"marks": []any{"A"}, "pin": "1234", "secret": "s", "hint": "h",
		"holder": map[string]any{"name": "x", "since": "2026-01-31T08:00:00", "tags": []any{"a", "b"}, "note": "n", "code": "c", "serial": "s"},
		"doors":  []any{map[string]any{"value": "d1", "type": "IN", "primary": true, "floor": int64(2)}, map[string]any{"value": "d2"}}}
	if d := cmp.Diff(want, attrs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]UniqueValue{{Path: "number", Value: "N1"}}, b.UniqueValues(Resource{Attrs: attrs})); d != "" {
		t.Error(d)
	}
	shown := b.Render(Resource{ID: "1", Attrs: attrs}, "", Fields{})
	for _, gone := range []string{"pin", "secret", "hint"} {
		if shown[gone] != nil {
			t.Errorf("%s is shown", gone)
		}
	}
	if d := cmp.Diff(map[string]any{"name": "x", "since": "2026-01-31T08:00:00", "tags": []any{"a", "b"}, "serial": "s"}, shown["holder"]); d != "" {
		t.Error(d)
	}
}

func TestOwnSchemaFaults(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	for _, tt := range []struct{ more, what string }{
		{`,"level":1.0`, "level: must be an integer"}, {`,"level":"1"`, "level"}, {`,"level":1e2`, "level"}, {`,"level":9223372036854775808`, "level"},
		{`,"weight":"2"`, "weight"}, {`,"issued":"2026-01-31"`, "issued: must be a dateTime"}, {`,"issued":"2026-13-31T08:00:00Z"`, "issued"},
		{`,"issued":"08:00:00"`, "issued"}, {`,"photo":"A"`, "photo"}, {`,"photo":"AQ="`, "photo"}, {`,"owner":"%zz"`, "owner"}, {`,"lost":"true"`, "lost"},
		{`,"color":"green"`, "color: must be one of red, Blue"}, {`,"marks":["a"]`, "marks[0]: must be one of A, b"}, {`,"sizes":[1,"2"]`, "sizes[1]"},
		{`,"holder":{"since":"2026-01-31T08:00:00"}`, "holder.name: is required"}, {`,"doors":[{"type":"in"}]`, "doors[0].value: is required"},
		{`,"doors":[{"value":"x","type":"up"}]`, "doors[0].type: must be one of in, out"}, {`,"holder":"x"`, "holder: must be an object"},
		{`,"doors":[{"value":"x","primary":true},{"value":"y","primary":true}]`, "only one value can be primary"},
	} {
		_, err := decodeBadge(t, b, "rfc", tt.more)
		wantFault(t, tt.more, err, InvalidValue, tt.what)
	}
	for _, tt := range []struct{ body, what string }{
		{`{"schemas":["` + badgeURN + `"],"number":"N1"}`, "the extension is required"},
		{`{"schemas":["` + badgeURN + `"],"number":"N1","` + staffURN + `":{}}`, "the extension is required"},
		{`{"schemas":["` + badgeURN + `"],"number":"N1","` + staffURN + `":{"badge":"x"}}`, "grade: is required"},
		{`{"schemas":["` + badgeURN + `"],"` + staffURN + `":{"grade":1}}`, "number: is required"},
	} {
		_, err := b.Decode([]byte(tt.body), dialect(t, "rfc"))
		wantFault(t, tt.body, err, InvalidValue, tt.what)
	}
	// The suggestions of the RFC's own schemas stay suggestions.
	if _, err := userType(t).Decode([]byte(`{"schemas":["`+URNUser+`"],"userName":"x","emails":[{"value":"a","type":"boat"}]}`), dialect(t, "rfc")); err != nil {
		t.Error(err)
	}
}

func TestOwnSchemaPatch(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	const before = `{"number":"N1","color":"red","state":"s","sizes":[1,2],"marks":["A"],"pin":"1",
		"holder":{"name":"x","since":"2026-01-31T08:00:00Z","tags":["a"],"code":"c"},"doors":[{"value":"d1","type":"in","floor":2},{"value":"d2"}],"` + staffURN + `":{"grade":3,"badge":"b"}}`
	set := func(more string) string {
		m := object1(t, before)
		maps.Copy(m, object1(t, more))
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, tt := range []struct{ ops, want string }{
		{`{"op":"add","path":"sizes","value":[2,3]}`, set(`{"sizes":[1,2,3]}`)},
		{`{"op":"remove","path":"sizes[value eq 1]"}`, set(`{"sizes":[2]}`)},
		{`{"op":"replace","path":"sizes","value":[9]}`, set(`{"sizes":[9]}`)},
		{`{"op":"add","path":"marks","value":["b"]}`, set(`{"marks":["A","b"]}`)},
		{`{"op":"add","path":"holder.tags","value":["A","b"]}`, set(`{"holder":{"name":"x","since":"2026-01-31T08:00:00Z","tags":["a","b"],"code":"c"}}`)},
		{`{"op":"add","path":"holder","value":{"tags":["b"],"note":"n"}}`, set(`{"holder":{"name":"x","since":"2026-01-31T08:00:00Z","tags":["a","b"],"note":"n","code":"c"}}`)},
		{`{"op":"replace","path":"holder.tags","value":["z"]}`, set(`{"holder":{"name":"x","since":"2026-01-31T08:00:00Z","tags":["z"],"code":"c"}}`)},
		{`{"op":"remove","path":"holder.tags"}`, set(`{"holder":{"name":"x","since":"2026-01-31T08:00:00Z","code":"c"}}`)},
		{`{"op":"replace","path":"doors[value eq \"d1\"]","value":{"value":"d1","type":"out"}}`, set(`{"doors":[{"value":"d1","type":"out","floor":2},{"value":"d2"}]}`)},
		{`{"op":"replace","path":"doors","value":[{"value":"d1","type":"in"}]}`, set(`{"doors":[{"value":"d1","type":"in","floor":2}]}`)},
		{`{"op":"add","path":"doors[value eq \"d2\"].floor","value":5}`, set(`{"doors":[{"value":"d1","type":"in","floor":2},{"value":"d2","floor":5}]}`)},
		{`{"op":"replace","path":"` + staffURN + `:grade","value":4}`, set(`{"` + staffURN + `":{"grade":4,"badge":"b"}}`)},
		{`{"op":"replace","path":"` + staffURN + `","value":{"grade":4}}`, set(`{"` + staffURN + `":{"grade":4,"badge":"b"}}`)},
		{`{"op":"remove","path":"` + staffURN + `:badge"}`, set(`{"` + staffURN + `":{"grade":3}}`)},
		{`{"op":"replace","path":"number","value":"N1"}`, before},
	} {
		got, changed, err := applyJSON(t, b, dialect(t, "rfc"), before, tt.ops)
		if err != nil {
			t.Errorf("%s: %v", tt.ops, err)
		} else if d := cmp.Diff(object1(t, tt.want), object1(t, got)); d != "" || changed != (tt.want != before) {
			t.Errorf("%s: changed %v %s", tt.ops, changed, d)
		}
	}
	got, _, err := applyJSON(t, b, dialect(t, "entra"), set(`{"holder":{"name":"x","tags":["a","b","c"]}}`), `{"op":"Remove","path":"holder.tags","value":["B"]}`)
	if d := cmp.Diff(map[string]any{"name": "x", "tags": []any{"a", "c"}}, object1(t, got)["holder"]); d != "" || err != nil {
		t.Errorf("a remove that lists parts: %v %s", err, d)
	}
	for _, tt := range []struct{ ops, typ string }{
		{`{"op":"replace","path":"number","value":"N2"}`, Mutability}, {`{"op":"remove","path":"number"}`, Mutability},
		{`{"op":"replace","path":"state","value":"x"}`, Mutability}, {`{"op":"replace","path":"color","value":"green"}`, InvalidValue},
		{`{"op":"replace","path":"holder.since","value":"2027-01-31T08:00:00Z"}`, Mutability}, {`{"op":"remove","path":"holder.since"}`, Mutability},
		{`{"op":"remove","path":"holder.name"}`, Mutability}, {`{"op":"replace","path":"holder.name","value":""}`, InvalidValue},
		{`{"op":"replace","path":"doors[value eq \"d1\"]","value":{"value":"d1","floor":9}}`, Mutability},
		{`{"op":"replace","path":"doors","value":[{"value":"d1","type":"in","floor":9}]}`, Mutability},
		{`{"op":"remove","path":"doors[value eq \"d1\"].floor"}`, Mutability},
		{`{"op":"remove","path":"doors[value eq \"d1\"].value"}`, Mutability}, {`{"op":"add","path":"doors","value":[{"type":"in"}]}`, InvalidValue},
		{`{"op":"remove","path":"` + staffURN + `"}`, Mutability}, {`{"op":"remove","path":"` + staffURN + `:grade"}`, Mutability},
		{`{"op":"remove","path":"sizes[value eq \"x\"]"}`, InvalidFilter},
		{`{"op":"add","path":"sizes","value":["x"]}`, InvalidValue}, {`{"op":"add","path":"level","value":1.5}`, InvalidValue},
	} {
		_, _, err := applyJSON(t, b, dialect(t, "rfc"), before, tt.ops)
		wantFault(t, tt.ops, err, tt.typ, "")
	}
}

func TestOwnSchemaReplace(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	before, err := decodeBadge(t, b, "rfc", `,"pin":"1","holder":{"name":"x","since":"2026-01-31T08:00:00Z","code":"c"},"doors":[{"value":"d1","type":"in","floor":2}],"color":"red"`)
	if err != nil {
		t.Fatal(err)
	}
	put := func(more string) (map[string]any, error) {
		attrs, err := decodeBadge(t, b, "rfc", more)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := Change{Replace: attrs}.Apply(b, Resource{ID: "1", Attrs: before})
		return out.Attrs, err
	}
	after, err := put(`,"holder":{"name":"y"},"doors":[{"value":"d1","type":"in"},{"value":"d9"}]`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"pin": "1", "holder": map[string]any{"name": "y", "since": "2026-01-31T08:00:00Z", "code": "c"},
		"doors": []any{map[string]any{"value": "d1", "type": "in", "floor": int64(2)}, map[string]any{"value": "d9"}}}
	for name, v := range want {
		if d := cmp.Diff(v, after[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if after["color"] != nil {
		t.Error("what is omitted is cleared")
	}
	_, err = put(`,"doors":[{"value":"d1","type":"in","floor":3}]`)
	wantFault(t, "immutable part of an element", err, Mutability, "doors.floor")
	_, err = put(`,"holder":{"name":"x","since":"2026-02-28T08:00:00Z"}`)
	wantFault(t, "immutable part", err, Mutability, "holder.since")
}

func TestOwnSchemaFields(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	attrs, err := decodeBadge(t, b, "rfc", `,"hint":"h","color":"red","holder":{"name":"x","note":"n","serial":"s"}`)
	if err != nil {
		t.Fatal(err)
	}
	r := Resource{ID: "1", Attrs: attrs}
	always := map[string]any{"serial": "s"}
	for _, tt := range []struct {
		include, exclude string
		hint             any
		holder           any
		color            any
	}{
		{"", "", nil, map[string]any{"name": "x", "serial": "s"}, "red"},
		{"color", "", nil, always, "red"},
		{"", "holder", nil, always, "red"},
		{"", "holder.name,color,number", nil, always, nil},
		{"holder.note,hint", "", "h", map[string]any{"note": "n", "serial": "s"}, nil},
		{badgeURN + ":hint", "", "h", always, nil},
	} {
		f, err := ParseFields(tt.include, tt.exclude)
		if err != nil {
			t.Fatal(err)
		}
		out := b.Render(r, "", f)
		if d := cmp.Diff([]any{tt.hint, tt.holder, tt.color, "N1"}, []any{out["hint"], out["holder"], out["color"], out["number"]}); d != "" {
			t.Errorf("%q %q: %s", tt.include, tt.exclude, d)
		}
	}
	given := b.Given(Change{Replace: attrs})
	if out := b.Render(r, "", Fields{Given: given}); out["hint"] != "h" || cmp.Diff(attrs["holder"], out["holder"]) != "" {
		t.Errorf("what the client set: %v", out)
	}
	p, err := ParsePatch(patchBody(`{"op":"replace","path":"holder.note","value":"m"}`), b, dialect(t, "rfc"))
	if err != nil {
		t.Fatal(err)
	}
	out := b.Render(r, "", Fields{Given: b.Given(Change{Patch: p})})
	if out["hint"] != nil || cmp.Diff(attrs["holder"], out["holder"]) != "" {
		t.Errorf("what the PATCH set: %v", out)
	}
	if userType(t).Given(Change{Replace: attrs}) != nil {
		t.Error("a User has nothing that is returned on request only")
	}
}

// An omitted extension is cleared by PUT, but for what is immutable in it; that
// stays with what the extension requires.
func TestReplaceOmitsExtension(t *testing.T) {
	t.Parallel()
	schemas, err := ParseSchemas([]byte(`{"id":"urn:acme:seat","attributes":[{"name":"desk","mutability":"immutable"},{"name":"floor","required":true},{"name":"note"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	reg, err := BuildRegistry(schemas, []TypeFile{{Name: "User", Extensions: []ExtensionFile{{Schema: "urn:acme:seat"}}}})
	if err != nil {
		t.Fatal(err)
	}
	user, _ := reg.Type("User")
	for before, want := range map[string]string{
		`{"userName":"x","urn:acme:seat":{"floor":"1","note":"n"}}`:            `{"userName":"x"}`,
		`{"userName":"x","urn:acme:seat":{"desk":"d","floor":"1","note":"n"}}`: `{"userName":"x","urn:acme:seat":{"desk":"d","floor":"1"}}`,
	} {
		out, _, err := Change{Replace: object1(t, `{"userName":"x"}`)}.Apply(user, Resource{ID: "1", Attrs: object1(t, before)})
		expected := object1(t, want)
		user.setSchemas(expected)
		if d := cmp.Diff(expected, out.Attrs); d != "" || err != nil {
			t.Errorf("%s: %v %s", before, err, d)
		}
	}
}
