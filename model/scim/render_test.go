package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	t.Parallel()
	const head = `"id":"U1","schemas":["` + URNUser + `","` + URNEnterprise + `"]`
	const meta = `"meta":{"resourceType":"User","location":"https://h/scim/v2/Users/U1","version":"W/\"7\"","created":"2026-03-01T12:00:00.123456Z","lastModified":"2026-03-01T13:00:00.123456Z"}`
	const groups = `"groups":[{"value":"G1","display":"Staff","$ref":"https://h/scim/v2/Groups/G1"}]`
	const emails = `"emails":[{"value":"W@x.test","type":"work","primary":true},{"value":"h@y.test","type":"home"},{"value":"plain@z.test"}]`
	const rest = `"userName":"Jörg@X.test","externalId":"Ext-1","active":true,"title":"Dr","profileUrl":"https://X.test/Me","addresses":[{"locality":"Gent","type":"work"}]`
	const name = `"name":{"familyName":"Straße","givenName":"Jörg"}`
	const ext = `"` + URNEnterprise + `":{"department":"R&D","manager":{"value":"U9","displayName":"Boss"}}`
	tests := []struct{ include, exclude, want string }{
		{"", "", head + "," + meta + "," + groups + "," + emails + "," + rest + "," + name + "," + ext},
		{"userName", "", head + `,"userName":"Jörg@X.test"`},
		{"USERNAME, password,nope,", "", head + `,"userName":"Jörg@X.test"`},
		{"id", "", head},
		{"name.givenName,emails.value", "", head + `,"name":{"givenName":"Jörg"},"emails":[{"value":"W@x.test"},{"value":"h@y.test"},{"value":"plain@z.test"}]`},
		{"emails.type", "", head + `,"emails":[{"type":"work"},{"type":"home"}]`},
		{"name,name.givenName", "", head + `,` + name},
		{URNEnterprise, "", head + `,` + ext},
		{URNEnterprise + ":manager.value," + URNUser + ":title", "", head + `,"title":"Dr","` + URNEnterprise + `":{"manager":{"value":"U9"}}`},
		{"meta.version", "", head + `,"meta":{"version":"W/\"7\""}`},
		{"groups.$ref", "", head + `,"groups":[{"$ref":"https://h/scim/v2/Groups/G1"}]`},
		{URNUser, "", head + "," + groups + "," + emails + "," + rest + "," + name},
		{"", "emails,groups,addresses,id,schemas,meta", head + `,"userName":"Jörg@X.test","externalId":"Ext-1","active":true,"title":"Dr","profileUrl":"https://X.test/Me",` + name + "," + ext},
		{"", "emails.type,groups.value,name.givenName," + URNEnterprise + ":manager", head + "," + meta + `,"groups":[{"display":"Staff","$ref":"https://h/scim/v2/Groups/G1"}],"emails":[{"value":"W@x.test","primary":true},{"value":"h@y.test"},{"value":"plain@z.test"}],` + rest + `,"name":{"familyName":"Straße"},"` + URNEnterprise + `":{"department":"R&D"}`},
		{"", URNEnterprise, head + "," + meta + "," + groups + "," + emails + "," + rest + "," + name},
		{"", URNUser, head + "," + meta + "," + ext},
	}
	user := userType(t)
	for _, tt := range tests {
		f, err := ParseFields(tt.include, tt.exclude)
		if err != nil {
			t.Errorf("%q, %q: %v", tt.include, tt.exclude, err)
			continue
		}
		r := testUser()
		was := string(appendCanonical(nil, r.Attrs))
		got := roundTrip(t, user.Render(r, "https://h/scim/v2", f))
		if d := cmp.Diff(object1(t, "{"+tt.want+"}"), got); d != "" {
			t.Errorf("%q, %q: %s", tt.include, tt.exclude, d)
		}
		if string(appendCanonical(nil, r.Attrs)) != was {
			t.Errorf("%q, %q: the resource was changed", tt.include, tt.exclude)
		}
	}
}

func roundTrip(t *testing.T, m map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return object1(t, string(text))
}

func TestRenderReturned(t *testing.T) {
	t.Parallel()
	r := Resource{ID: "a/b", Attrs: map[string]any{"serial": "s", "pin": "1", "kind": "k",
		"slot": map[string]any{"unit": int64(1), "note": "n"}}}
	const head = `"id":"a/b","schemas":["urn:acme:2.0:Device"],"kind":"k"`
	const meta = `"meta":{"resourceType":"Device","location":"/Devices/a%2Fb","version":"W/\"0\""}`
	for _, tt := range []struct{ include, exclude, want string }{
		{"", "", head + `,"serial":"s","slot":{"unit":1},` + meta},
		{"", "kind,serial,meta", head + `,"slot":{"unit":1}`},
		{"pin", "", head + `,"pin":"1"`},
		{"slot", "", head + `,"slot":{"unit":1}`},
		{"slot.note", "", head + `,"slot":{"note":"n"}`},
	} {
		f, err := ParseFields(tt.include, tt.exclude)
		if err != nil {
			t.Fatal(err)
		}
		got := roundTrip(t, deviceType(t).Render(r, "", f))
		if d := cmp.Diff(object1(t, "{"+tt.want+"}"), got); d != "" {
			t.Errorf("%q, %q: %s", tt.include, tt.exclude, d)
		}
	}
}

func TestRenderGroup(t *testing.T) {
	t.Parallel()
	r := Resource{ID: "g", Attrs: object1(t, `{"displayName":"g","members":[{"value":"u 1"},{"value":"g2","type":"Group","display":"G"}]}`)}
	got := roundTrip(t, groupType(t).Render(r, "/v2", Fields{}))
	want := object1(t, `{"m":[{"value":"u 1","$ref":"/v2/Users/u%201"},{"value":"g2","type":"Group","display":"G","$ref":"/v2/Groups/g2"}]}`)
	if d := cmp.Diff(want["m"], got["members"]); d != "" {
		t.Error(d)
	}
}

func TestParseFieldsErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ include, exclude, typ, want string }{
		{"a", "b", InvalidValue, "cannot be used together"},
		{"a b", "", InvalidPath, "attributes: a b:"},
		{"", "a..b", InvalidPath, "excludedAttributes"},
		{`emails[type eq "x"]`, "", InvalidValue, "cannot be used here"},
		{strings.Repeat("a,", 5000), "", InvalidValue, "longer than"},
	} {
		_, err := ParseFields(tt.include, tt.exclude)
		wantError(t, tt.include+tt.exclude, err, tt.typ, tt.want)
	}
	if f, err := ParseFields(" , ", ","); err != nil || f.Include != nil || f.Exclude != nil {
		t.Errorf("empty lists: %v, %v", f, err)
	}
}

func TestFieldsWants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		include, exclude string
		want             bool
	}{
		{"", "", true},
		{"", "members", false},
		{"", "MEMBERS", false},
		{"", URNGroup + ":members", false},
		{"", "members.display", true},
		{"", "urn:x:members", true},
		{"displayName", "", false},
		{"members.value", "", true},
		{URNGroup + ":members", "", true},
		{URNGroup, "", true},
		{URNEnterprise, "", false},
	} {
		f, err := ParseFields(tt.include, tt.exclude)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Wants("members"); got != tt.want {
			t.Errorf("%q, %q: %v", tt.include, tt.exclude, got)
		}
	}
}
