package scim

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a value for an attribute that any reader of its definition may send:
// canonicalValues only where nothing else is allowed.
func sample(a *Attribute, n int) any {
	if a.MultiValued {
		one := *a
		one.MultiValued = false
		return []any{sample(&one, n), sample(&one, n+101)}
	}
	switch a.Type {
	case TypeBoolean:
		return n%2 == 0
	case TypeInteger:
		return int64(n)
	case TypeDecimal:
		return float64(n) + 0.5
	case TypeDateTime:
		return fmt.Sprintf("2026-01-%02dT08:00:00Z", 1+n%28)
	case TypeBinary:
		return fmt.Sprintf("QUJD%04d", n)
	case TypeReference:
		return fmt.Sprintf("https://x.test/%d", n)
	case TypeComplex:
		m := map[string]any{}
		for _, sub := range a.Sub {
			if sub.Mutability != ReadOnly && !sub.computed {
				m[sub.Name] = sample(sub, n)
			}
		}
		if _, ok := m["primary"]; ok {
			m["primary"] = n == 2
		}
		return m
	}
	if a.closed && len(a.CanonicalValues) > 0 {
		return a.CanonicalValues[n%len(a.CanonicalValues)]
	}
	return fmt.Sprintf("Text %d ü", n)
}

type target struct {
	path string
	a    *Attribute
	urn  string
}

func writableTargets(rt *ResourceType) []target {
	var out []target
	add := func(s *Schema, urn string) {
		for _, a := range s.Attributes {
			if a.Mutability == ReadWrite || a.Mutability == WriteOnly {
				out = append(out, target{Path{URI: urn, Attr: a.Name}.name(), a, urn})
			}
		}
	}
	add(rt.Schema, "")
	for _, e := range rt.Extensions {
		add(e.Schema, e.Schema.ID)
	}
	return out
}

func jsonOp(t *testing.T, op, path string, v any) string {
	t.Helper()
	m := map[string]any{"op": op, "path": path}
	if v != nil {
		m["value"] = v
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What /Schemas advertises is accepted, kept as it is, and can be changed and
// removed by PATCH, each attribute by its path and each extension by its URN.
func TestEveryAttribute(t *testing.T) {
	t.Parallel()
	reg, _ := badge(t)
	for _, rt := range reg.Types {
		for _, name := range []string{"rfc", "okta", "entra", "lenient"} {
			d := dialect(t, name)
			attrs := map[string]any{}
			for _, s := range append([]*Schema{rt.Schema}, extensionSchemas(rt)...) {
				holder := attrs
				if s != rt.Schema {
					holder = map[string]any{}
					attrs[s.ID] = holder
				}
				for _, a := range s.Attributes {
					if a.Mutability != ReadOnly {
						holder[a.Name] = sample(a, 2)
					}
				}
			}
			rt.setSchemas(attrs)
			body, err := json.Marshal(attrs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rt.Decode(body, d)
			if err != nil {
				t.Fatalf("%s %s: %v", name, rt.Name, err)
			}
			if diff := cmp.Diff(attrs, got); diff != "" {
				t.Errorf("%s %s: %s", name, rt.Name, diff)
			}
			for _, x := range writableTargets(rt) {
				patchEvery(t, rt, d, got, x)
			}
		}
	}
}

func extensionSchemas(rt *ResourceType) []*Schema {
	var out []*Schema
	for _, e := range rt.Extensions {
		out = append(out, e.Schema)
	}
	return out
}

func patchEvery(t *testing.T, rt *ResourceType, d Dialect, full map[string]any, x target) {
	t.Helper()
	apply := func(r Resource, ops string) Resource {
		t.Helper()
		p, err := ParsePatch(patchBody(ops), rt, d)
		if err != nil {
			t.Fatalf("%s: %v", ops, err)
		}
		out, _, err := Change{Patch: p, Dialect: d}.Apply(rt, r)
		if err != nil {
			t.Fatalf("%s: %v", ops, err)
		}
		return out
	}
	value := func(r Resource) any {
		m := r.Attrs
		if x.urn != "" {
			m, _ = m[x.urn].(map[string]any)
		}
		return m[x.a.Name]
	}
	r := Resource{ID: "1", Type: rt.Name, Attrs: full}
	hasImmutable := false
	for _, sub := range x.a.Sub {
		hasImmutable = hasImmutable || sub.Mutability == Immutable && !x.a.MultiValued
	}
	if !x.a.Required && !hasImmutable {
		r = apply(r, jsonOp(t, OpRemove, x.path, nil))
		if v := value(r); v != nil {
			t.Errorf("%s %s: still %v", rt.Name, x.path, v)
		}
		want := sample(x.a, 2)
		r = apply(r, jsonOp(t, OpAdd, x.path, want))
		if diff := cmp.Diff(want, value(r)); diff != "" {
			t.Errorf("%s %s: added: %s", rt.Name, x.path, diff)
		}
	}
	if hasImmutable {
		return
	}
	want := sample(x.a, 3)
	r = apply(r, jsonOp(t, OpReplace, x.path, want))
	if got := value(r); !equal(want, got) { // in any order
		t.Errorf("%s %s: replaced: %v, want %v", rt.Name, x.path, got, want)
	}
}

func TestWholeExtension(t *testing.T) {
	t.Parallel()
	reg, _ := badge(t)
	user, _ := reg.Type("User")
	d := dialect(t, "rfc")
	for _, s := range extensionSchemas(user) {
		value := map[string]any{}
		for _, a := range s.Attributes {
			value[a.Name] = sample(a, 2)
		}
		r := Resource{ID: "1", Attrs: map[string]any{"schemas": []any{URNUser}, "userName": "x"}}
		for _, step := range []struct {
			op      string
			value   any
			present bool
		}{{OpAdd, value, true}, {OpRemove, nil, false}, {OpReplace, value, true}} {
			p, err := ParsePatch(patchBody(jsonOp(t, step.op, s.ID, step.value)), user, d)
			if err != nil {
				t.Fatal(err)
			}
			if r, _, err = (Change{Patch: p, Dialect: d}).Apply(user, r); err != nil {
				t.Fatal(err)
			}
			if _, there := r.Attrs[s.ID]; there != step.present || step.present && cmp.Diff(value, r.Attrs[s.ID]) != "" {
				t.Errorf("%s of %s: %v", step.op, s.ID, r.Attrs)
			}
			if listed := len(r.Attrs["schemas"].([]any)) == 2; listed != step.present {
				t.Errorf("%s of %s: schemas %v", step.op, s.ID, r.Attrs["schemas"])
			}
		}
	}
}
