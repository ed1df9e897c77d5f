package scim

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{`userName eq "x"`, `emails[type eq "work" and value co "@x"].value eq "y"`,
		`not (a pr) or b gt 1.5 and c le -1e3`, `urn:a:2.0:User:x.y sw "\u00e9\""`, `((a eq null))`, `meta.created gt "2026-01-01T00:00:00Z"`} {
		f.Add(s)
	}
	user := userType(f)
	doc := user.SearchDoc(testUser())
	f.Fuzz(func(t *testing.T, s string) {
		for _, d := range []Dialect{{}, dialect(t, "lenient")} {
			tree, err := parseFilter(s, &d)
			if err != nil {
				if e, ok := AsError(err); !ok || e.Status != 400 || !utf8.ValidString(e.Detail) {
					t.Fatalf("%q: %v", s, err)
				}
				continue
			}
			text := tree.String()
			if len(text) > MaxFilterLength {
				continue
			}
			again, err := ParseFilter(text)
			if err != nil {
				t.Fatalf("%q gives %q: %v", s, text, err)
			}
			if again.String() != text {
				t.Fatalf("%q gives %q gives %q", s, text, again.String())
			}
			bound, err := Bind(tree, user)
			if err != nil {
				continue
			}
			matched := bound.Match(doc)
			rebound, err := Bind(bound, user)
			if err != nil || rebound.String() != bound.String() || rebound.Match(doc) != matched {
				t.Fatalf("%q: bound %s, bound again %v, %v", s, bound, rebound, err)
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"name.givenName", `emails[type eq "work"].value`, URNEnterprise + ":manager.value", URNEnterprise, "a.b.c"} {
		f.Add(s)
	}
	user := userType(f)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		text := p.String()
		if len(text) > MaxFilterLength {
			return
		}
		again, err := ParsePath(text)
		if err != nil || again.String() != text {
			t.Fatalf("%q gives %q gives %q, %v", s, text, again, err)
		}
		bound, _, err := user.Resolve(p)
		if err != nil {
			return
		}
		if rebound, _, err := user.Resolve(bound); err != nil || rebound.String() != bound.String() {
			t.Fatalf("%q: bound %s, again %s, %v", s, bound, rebound, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(userHead + `"emails":[{"value":"a","primary":true}],"` + URNEnterprise + `":{"manager":"m"}}`))
	f.Add([]byte(`{"userName":"x","active":"True","x509Certificates":{"value":"AAE"}}`))
	f.Add([]byte("\ufeff{\"userName\":\"\\ud83d\\ude00\",\"name\":{\"formatted\":null}}"))
	user := userType(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range []string{"interop", "lenient"} {
			attrs, err := user.Decode(body, dialect(t, name))
			if err != nil {
				if e, ok := AsError(err); !ok || e.Status != 400 {
					t.Fatalf("%q: %v", body, err)
				}
				continue
			}
			checkValid(t, user, attrs)
			user.SearchDoc(Resource{Attrs: attrs})
			user.Render(Resource{Attrs: attrs}, "", Fields{})
		}
	})
}

// checkValid demands that attributes read back as they are by the strictest rules.
func checkValid(t *testing.T, rt *ResourceType, attrs map[string]any) {
	t.Helper()
	text, err := json.Marshal(attrs)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rt.Decode(text, anyFormat())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !equal(attrs, again) {
		t.Fatalf("%s reads back as %v", text, again)
	}
}

func FuzzPatchApply(f *testing.F) {
	for _, ops := range []string{
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`,
		`{"op":"add","value":{"name.givenName":"g","` + URNEnterprise + `":{"manager":"m"},"emails":[{"value":"n","primary":true}]}}`,
		`{"op":"remove","path":"emails[primary eq true]"},{"op":"remove","path":"name"},{"op":"add","path":"emails.type","value":"t"}`,
		`{"op":"remove","path":"roles","value":["a"]},{"op":"replace","path":"addresses[locality pr]","value":{"country":"BE"}}`,
	} {
		f.Add(ops)
	}
	user := userType(f)
	f.Fuzz(func(t *testing.T, ops string) {
		for _, name := range []string{"interop", "rfc", "lenient"} {
			d := dialect(t, name)
			p, err := ParsePatch(patchBody(ops), user, d)
			if err != nil {
				if _, ok := AsError(err); !ok {
					t.Fatalf("%q: %v", ops, err)
				}
				continue
			}
			r := testUser()
			delete(r.Attrs, "groups") // readOnly ones cannot be decoded in the check
			delete(r.Attrs[URNEnterprise].(map[string]any)["manager"].(map[string]any), "displayName")
			was := string(appendCanonical(nil, r.Attrs))
			c := Change{Patch: p, Dialect: d}
			out, changed, err := c.Apply(user, r)
			if string(appendCanonical(nil, r.Attrs)) != was {
				t.Fatalf("%q: the input was changed", ops)
			}
			if err != nil {
				if e, ok := AsError(err); !ok || e.Status != 400 {
					t.Fatalf("%q: %v", ops, err)
				}
				continue
			}
			if same := string(appendCanonical(nil, out.Attrs)) == was; same == changed {
				t.Fatalf("%q: changed %v, but same %v", ops, changed, same)
			}
			checkValid(t, user, out.Attrs)
			c.MemberScope()
		}
	})
}
