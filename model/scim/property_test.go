package scim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawOps makes a PATCH body out of paths and values that meet often.
func drawOps(t *rapid.T, paths, values []string) string {
	n := rapid.IntRange(1, 5).Draw(t, "n")
	ops := make([]string, n)
	for i := range ops {
		op := rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op")
		path := rapid.SampledFrom(paths).Draw(t, "path")
		text, err := json.Marshal(path)
		if err != nil {
			t.Fatal(err)
		}
		ops[i] = `{"op":"` + op + `","path":` + string(text)
		if op != "remove" || rapid.Bool().Draw(t, "with value") {
			ops[i] += `,"value":` + rapid.SampledFrom(values).Draw(t, "value")
		}
		ops[i] += "}"
	}
	return strings.Join(ops, ",")
}

func TestPatchProperties(t *testing.T) {
	t.Parallel()
	paths := []string{"userName", "title", "active", "name", "name.familyName", "emails", "emails.type", "emails.primary", "emails.value",
		`emails[type eq "work"]`, `emails[type eq "work"].value`, `emails[type eq "home"].primary`, `emails[value pr].type`,
		`emails[primary eq true]`, `emails[primary eq true].display`, `emails[type eq "home" or not (primary eq true)]`,
		"addresses", `addresses[type eq "work"].country`, URNEnterprise, URNEnterprise + ":department", URNEnterprise + ":manager",
		URNEnterprise + ":manager.value"}
	values := []string{`"x"`, `"Work"`, `""`, `null`, `true`, `false`, `[]`, `{}`, `{"value":"a","type":"work"}`, `{"value":"b","primary":true}`,
		`[{"value":"a","type":"work"}]`, `[{"value":"c","type":"home","primary":true},{"value":"C","type":"HOME"}]`,
		`[{"value":"b"},{"type":"work"}]`, `{"familyName":"F","givenName":null}`, `{"department":"d","manager":"m"}`, `{"type":"work","country":"BE"}`}
	user := userType(t)
	rapid.Check(t, func(t *rapid.T) {
		ops := drawOps(t, paths, values)
		d, _ := DialectNamed(rapid.SampledFrom(DialectNames()).Draw(t, "dialect"))
		p, err := ParsePatch(patchBody(ops), user, d)
		if err != nil {
			return
		}
		r := testUser()
		delete(r.Attrs, "groups")
		delete(r.Attrs[URNEnterprise].(map[string]any)["manager"].(map[string]any), "displayName")
		was := string(appendCanonical(nil, r.Attrs))
		c := Change{Patch: p, Dialect: d}
		out, changed, err := c.Apply(user, r)
		if string(appendCanonical(nil, r.Attrs)) != was {
			t.Fatalf("the input was changed by %s", ops)
		}
		if err != nil {
			return
		}
		if changed == (string(appendCanonical(nil, out.Attrs)) == was) {
			t.Fatalf("%s: changed %v, result %v", ops, changed, out.Attrs)
		}
		text, _ := json.Marshal(out.Attrs)
		again, err := user.Decode(text, anyFormat())
		if err != nil || !equal(again, out.Attrs) {
			t.Fatalf("%s: the result %s is not valid: %v, reads back as %v", ops, text, err, again)
		}
		if len(p) == 1 && p[0].Path.Filter == nil {
			if _, changed, err := c.Apply(user, out); changed || err != nil {
				t.Fatalf("%s: twice on %s: changed %v, %v", ops, text, changed, err)
			}
		}
	})
}

// TestMemberScopeProperties: with only the members in scope loaded, the same
// members come and go as with all of them.
func TestMemberScopeProperties(t *testing.T) {
	t.Parallel()
	paths := []string{"members", "members", "displayName", `members[value eq "u1"]`, `members[value eq "u2" or value eq "u9"]`,
		`members[value eq "u3" and type eq "User"]`, `members[value eq "u4"].display`, `members[type eq "User"]`, `members[value sw "u"]`}
	values := []string{`[{"value":"u1"}]`, `[{"value":"u2","type":"User"},{"value":"u8"}]`, `[]`, `null`, `"u5"`, `["u3","u9"]`, `{"value":"u4"}`, `"d"`}
	group := groupType(t)
	d := dialect(t, "lenient")
	rapid.Check(t, func(t *rapid.T) {
		ops := drawOps(t, paths, values)
		p, err := ParsePatch(patchBody(ops), group, d)
		if err != nil {
			return
		}
		c := Change{Patch: p, Dialect: d}
		scope, whole := c.MemberScope()
		if whole {
			return
		}
		full := Resource{Attrs: map[string]any{"displayName": "g", "members": []any{}}}
		part := Resource{Attrs: map[string]any{"displayName": "g"}}
		var all, some []any
		for _, v := range []string{"u1", "u2", "u3", "u4", "u5", "u6"} {
			m := map[string]any{"value": v, "type": rapid.SampledFrom([]string{"User", "Group"}).Draw(t, "type")}
			all = append(all, m)
			if slices.Contains(scope, v) {
				some = append(some, m)
			}
		}
		full.Attrs["members"] = all
		if some != nil {
			part.Attrs["members"] = some
		}
		out1, _, err1 := c.Apply(group, full)
		out2, _, err2 := c.Apply(group, part)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%s: %v with all members, %v with %v", ops, err1, err2, scope)
		}
		if err1 != nil {
			return
		}
		rest := func(r Resource, inScope bool) []any {
			list, _ := r.Attrs["members"].([]any)
			return slices.DeleteFunc(slices.Clone(list), func(e any) bool {
				return slices.Contains(scope, e.(map[string]any)["value"].(string)) != inScope
			})
		}
		if !equal(rest(out1, true), rest(out2, true)) || !equal(rest(out1, false), rest(full, false)) || len(rest(out2, false)) > 0 {
			t.Fatalf("%s: %v with all, %v with %v", ops, out1.Attrs["members"], out2.Attrs["members"], scope)
		}
	})
}

// FuzzFold: folding twice is folding once, and the result is what comparisons see.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ａlice", "STRAßE", "ΣΑΣ", "ｶﾞ", "e\u0301\u0327", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Fold(s)
		if twice := Fold(once); twice != once {
			t.Fatalf("Fold(%q) = %q, again %q", s, once, twice)
		}
	})
}
