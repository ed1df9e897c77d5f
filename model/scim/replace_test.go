package scim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	const before = `{"userName":"x","title":"t","password":"p","groups":[{"value":"g"}],"emails":[{"value":"a"},{"value":"b"}],
		"` + ent + `":{"department":"d","manager":{"value":"m","displayName":"B"}}}`
	tests := []struct{ name, body, want string }{
		{"omitted is cleared", `"userName":"y"`, `{"userName":"y","password":"p","groups":[{"value":"g"}]}`},
		{"echo", `"userName":"x","title":"t","id":"9","meta":{"version":"1"},"groups":[],"emails":[{"value":"b"},{"value":"a"}],
			"` + ent + `":{"department":"d","manager":{"value":"m"}}`, ""},
		{"other manager", `"userName":"x","` + ent + `":{"manager":{"value":"n"}}`,
			`{"userName":"x","password":"p","groups":[{"value":"g"}],"` + ent + `":{"manager":{"value":"n"}}}`},
		{"same manager", `"userName":"x","` + ent + `":{"manager":{"value":"m"}}`,
			`{"userName":"x","password":"p","groups":[{"value":"g"}],"` + ent + `":{"manager":{"value":"m","displayName":"B"}}}`},
		{"new password", `"userName":"x","password":"q"`, `{"userName":"x","password":"q","groups":[{"value":"g"}]}`},
	}
	user := userType(t)
	for _, tt := range tests {
		r := Resource{ID: "1", Attrs: object1(t, before)}
		user.setSchemas(r.Attrs)
		was := string(appendCanonical(nil, r.Attrs))
		attrs, err := user.Decode([]byte(`{"schemas":["`+URNUser+`"],`+tt.body+`}`), dialect(t, "rfc"))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		given := string(appendCanonical(nil, attrs))
		out, changed, err := Change{Replace: attrs}.Apply(user, r)
		if err != nil || changed != (tt.want != "") {
			t.Errorf("%s: changed %v, %v", tt.name, changed, err)
			continue
		}
		if string(appendCanonical(nil, r.Attrs)) != was || string(appendCanonical(nil, attrs)) != given {
			t.Errorf("%s: an input was changed", tt.name)
		}
		want := object1(t, before)
		if tt.want != "" {
			want = object1(t, tt.want)
		}
		user.setSchemas(want)
		if d := cmp.Diff(want, out.Attrs); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestReplaceImmutable(t *testing.T) {
	t.Parallel()
	const x = `"urn:acme-x:my_ext:2.0:Device":{"labels":["l"]}`
	const before = `{"serial":"s","slot":{"rack":"r","unit":1},"state":"up",` + x + `}`
	device := deviceType(t)
	for _, tt := range []struct{ body, want string }{
		{`"serial":"t",` + x, "!serial: is immutable"},
		{`"serial":"s","slot":{"rack":"q","unit":1},` + x, "!slot.rack: is immutable"},
		{`"serial":"s","slot":{"unit":2},` + x, `{"serial":"s","slot":{"rack":"r","unit":2},"state":"up",` + x + `}`},
		{`"serial":"s","state":"down",` + x, `{"serial":"s","state":"up",` + x + `}`},
	} {
		r := Resource{Attrs: object1(t, before)}
		device.setSchemas(r.Attrs)
		attrs, err := device.Decode([]byte(`{"schemas":["urn:acme:2.0:Device"],`+tt.body+`}`), dialect(t, "rfc"))
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := Change{Replace: attrs}.Apply(device, r)
		if rule, ok := strings.CutPrefix(tt.want, "!"); ok {
			wantError(t, tt.body, err, Mutability, rule)
			continue
		}
		want := object1(t, tt.want)
		device.setSchemas(want)
		if d := cmp.Diff(want, out.Attrs); d != "" || err != nil {
			t.Errorf("%s: %v %s", tt.body, err, d)
		}
	}
}

func TestReplaceMembers(t *testing.T) {
	t.Parallel()
	group := groupType(t)
	r := Resource{Attrs: object1(t, `{"displayName":"g","members":[{"value":"u1","type":"User","display":"A"},{"value":"u2"}]}`)}
	group.setSchemas(r.Attrs)
	for _, tt := range []struct {
		members string
		changed bool
		want    string
	}{
		{`[{"value":"u2","display":"x"},{"value":"u1"}]`, false, "u1 u2"},
		{`[{"value":"u3"},{"value":"u1"}]`, true, "u3 u1"},
		{`[]`, true, ""},
	} {
		attrs, err := group.Decode([]byte(`{"schemas":["`+URNGroup+`"],"displayName":"g","members":`+tt.members+`}`), dialect(t, "rfc"))
		if err != nil {
			t.Fatal(err)
		}
		c := Change{Replace: attrs}
		if _, whole := c.MemberScope(); !whole {
			t.Error("a replacement needs all members")
		}
		out, changed, err := c.Apply(group, r)
		if err != nil || changed != tt.changed || memberValues(out) != tt.want {
			t.Errorf("%s: %q, changed %v, %v", tt.members, memberValues(out), changed, err)
		}
	}
}
