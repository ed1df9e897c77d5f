package scim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestPatchMembers(t *testing.T) {
	t.Parallel()
	const g = `{"displayName":"g","members":[{"value":"u1","type":"User","display":"A"},{"value":"u2"},{"value":"u3"}]}`
	tests := []struct{ name, dialect, ops, want, scope string }{
		{"add", "rfc", `{"op":"add","path":"members","value":[{"value":"u4","$ref":null},{"value":"u1","display":"new"}]}`, "u1 u2 u3 u4", "u4 u1"},
		{"remove by filter", "rfc", `{"op":"remove","path":"members[value eq \"u2\"]"}`, "u1 u3", "u2"},
		{"remove by or", "rfc", `{"op":"remove","path":"members[value eq \"u2\" or value eq \"u9\" or value eq \"u1\"]"}`, "u3", "u2 u9 u1"},
		{"remove by and", "rfc", `{"op":"remove","path":"members[value eq \"u1\" and type eq \"Group\"]"}`, "same", "u1"},
		{"ids are case exact", "rfc", `{"op":"remove","path":"members[value eq \"U1\"]"}`, "same", "U1"},
		{"remove by value", "entra", `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u2"}]}`, "u1 u3", "u2"},
		{"remove bare values", "entra", `{"op":"Remove","path":"members","value":["u2","u7"]}`, "u1 u3", "u2 u7"},
		{"remove no values", "entra", `{"op":"Remove","path":"members","value":[]}`, "same", ""},
		{"remove all", "rfc", `{"op":"remove","path":"members"}`, "", "*"},
		{"replace", "rfc", `{"op":"replace","path":"members","value":[{"value":"u3"},{"value":"u5"}]}`, "u3 u5", "*"},
		{"replace by the same", "rfc", `{"op":"replace","path":"members","value":[{"value":"u3"},{"value":"u2"},{"value":"u1"}]}`, "same", "*"},
		{"replace by none", "rfc", `{"op":"replace","path":"members","value":[]}`, "", "*"},
		{"path-less replace", "rfc", `{"op":"replace","value":{"id":"1","members":[{"value":"u9"}]}}`, "u9", "*"},
		{"path-less replace by none", "rfc", `{"op":"replace","value":{"members":[]}}`, "", "*"},
		{"other filter", "rfc", `{"op":"remove","path":"members[type eq \"User\"]"}`, "u2 u3", "*"},
		{"add there already", "rfc", `{"op":"add","path":"members","value":[{"value":"u2"}]}`, "same", "u2"},
		{"not members", "rfc", `{"op":"replace","path":"displayName","value":"g"}`, "same", ""},
		{"remove and add", "rfc", `{"op":"remove","path":"members[value eq \"u1\"]"},{"op":"add","path":"members","value":[{"value":"u1"}]},{"op":"add","path":"members","value":[{"value":"u8"}]}`, "u2 u3 u1 u8", "u1 u8"},
	}
	group := groupType(t)
	for _, tt := range tests {
		d := dialect(t, tt.dialect)
		p, err := ParsePatch(patchBody(tt.ops), group, d)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		c := Change{Patch: p, Dialect: d}
		values, whole := c.MemberScope()
		scope := strings.Join(values, " ")
		if whole {
			scope = "*"
		}
		if scope != tt.scope {
			t.Errorf("%s: scope %q, want %q", tt.name, scope, tt.scope)
		}
		r := Resource{ID: "g", Attrs: object1(t, g)}
		out, changed, err := c.Apply(group, r)
		got := memberValues(out)
		if !changed {
			got = "same"
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, want %q (%v)", tt.name, got, tt.want, err)
		}
		if !whole && err == nil {
			checkPartial(t, tt.name, group, c, r, out, values)
		}
	}
}

func memberValues(r Resource) string {
	list, _ := r.Attrs["members"].([]any)
	var out []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		v, _ := m["value"].(string)
		out = append(out, v)
	}
	return strings.Join(out, " ")
}

// checkPartial applies the change with only the members in its scope loaded, and
// expects the same members to come and go.
func checkPartial(t *testing.T, name string, rt *ResourceType, c Change, full, fullOut Resource, scope []string) {
	t.Helper()
	inScope := map[string]bool{}
	for _, v := range scope {
		inScope[v] = true
	}
	part := Resource{ID: "g", Attrs: map[string]any{"displayName": full.Attrs["displayName"]}}
	var list []any
	for _, e := range full.Attrs["members"].([]any) {
		if inScope[e.(map[string]any)["value"].(string)] {
			list = append(list, e)
		}
	}
	if list != nil {
		part.Attrs["members"] = list
	}
	out, _, err := c.Apply(rt, part)
	if err != nil {
		t.Errorf("%s: with part of the members: %v", name, err)
		return
	}
	for v := range inScope {
		want := strings.Contains(" "+memberValues(fullOut)+" ", " "+v+" ")
		if got := strings.Contains(" "+memberValues(out)+" ", " "+v+" "); got != want {
			t.Errorf("%s: with part of the members %s is a member: %v, want %v", name, v, got, want)
		}
	}
}

func TestPatchMembersErrors(t *testing.T) {
	t.Parallel()
	const g = `{"displayName":"g","members":[{"value":"u1","display":"A"}]}`
	for _, tt := range []struct{ ops, typ, want string }{
		{`{"op":"remove","path":"members","value":[{"value":"u1"}]}`, InvalidValue, "select what to remove"},
		{`{"op":"add","path":"members","value":[{"display":"A"}]}`, InvalidValue, "members[0].value: is required"},
		{`{"op":"replace","path":"members[value eq \"u1\"].value","value":"u2"}`, Mutability, "members.value: is immutable"},
		{`{"op":"replace","path":"members[value eq \"u1\"].display","value":"B"}`, Mutability, "members.display: is immutable"},
		{`{"op":"add","path":"members[value eq \"u1\"].$ref","value":"B"}`, Mutability, "members.$ref"},
		{`{"op":"remove","path":"displayName"}`, Mutability, "required"},
		{`{"op":"replace","path":"members[value eq \"u9\"].type","value":"User"}`, NoTarget, ""},
	} {
		_, _, err := applyJSON(t, groupType(t), dialect(t, "rfc"), g, tt.ops)
		wantError(t, tt.ops, err, tt.typ, tt.want)
	}
}

func TestPatchWorkIsBounded(t *testing.T) {
	t.Parallel()
	members := make([]any, 10_000)
	for i := range members {
		members[i] = map[string]any{"value": fmt.Sprint("u", i)}
	}
	ops := strings.Repeat(`{"op":"remove","path":"members[display co \"x\"]"},`, 500)
	p, err := ParsePatch(patchBody(strings.TrimSuffix(ops, ",")), groupType(t), dialect(t, "rfc"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Change{Patch: p}.Apply(groupType(t), Resource{Attrs: map[string]any{"displayName": "g", "members": members}})
	wantError(t, "500 scans of 10,000 members", err, TooMany, "")
}

func TestPatchBody(t *testing.T) {
	t.Parallel()
	group, d := groupType(t), dialect(t, "entra")
	p, err := ParsePatch(patchBody(`{"op":"Add","value":{"members":["u1"],"displayName":"x"}},{"op":"remove","path":"members[value eq \"u2\"]"}`), group, d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p.Body())
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePatch(text, group, dialect(t, "interop"))
	if err != nil || !equal(roundTrip(t, again.Body()), roundTrip(t, p.Body())) {
		t.Errorf("%s reads back as %v, %v", text, again, err)
	}
}
