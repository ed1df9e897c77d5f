package scim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func dialect(t testing.TB, name string) Dialect {
	t.Helper()
	d, ok := DialectNamed(name)
	if !ok {
		t.Fatalf("no dialect %s", name)
	}
	return d
}

const userHead = `{"schemas":["` + URNUser + `"],"userName":"x",`

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"plain", userHead + `"active":true}`, `{"userName":"x","active":true}`},
		{"names get the schema's case", `{"SCHEMAS":["` + strings.ToUpper(URNUser) + `"],"USERNAME":"x","Name":{"FAMILYNAME":"f"}}`,
			`{"userName":"x","name":{"familyName":"f"}}`},
		{"unassigned", userHead + `"title":null,"nickName":"","emails":[],"name":{},"photos":[null,{}],"roles":[{"value":""}],"manager":1}`,
			`{"userName":"x"}`},
		{"read-only is dropped", userHead + `"id":"7","meta":{"version":"x"},"groups":[{"value":"g"}]}`, `{"userName":"x"}`},
		{"extension", userHead + `"` + strings.ToUpper(URNEnterprise) + `":{"DEPARTMENT":"d","manager":{"value":"m","$ref":null,"displayName":"no"}}}`,
			`{"userName":"x","` + URNEnterprise + `":{"department":"d","manager":{"value":"m"}}}`},
		{"extension listed but empty", `{"schemas":["` + URNUser + `","` + URNEnterprise + `"],"userName":"x","` + URNEnterprise + `":{"department":""}}`, `{"userName":"x"}`},
		{"repeated elements", userHead + `"emails":[{"value":"a","type":"work"},{"value":"A","type":"Work","display":"d"},{"value":"a"}]}`,
			`{"userName":"x","emails":[{"value":"A","type":"Work","display":"d"},{"value":"a"}]}`},
		{"base64 without padding", userHead + `"x509Certificates":[{"value":"AAE"},{"value":"AAE="}]}`,
			`{"userName":"x","x509Certificates":[{"value":"AAE"},{"value":"AAE="}]}`},
		{"password is kept", userHead + `"password":"p"}`, `{"userName":"x","password":"p"}`},
		{"unknown is ignored", userHead + `"foo":{"a":[1]},"name":{"bar":1}}`, `{"userName":"x"}`},
	}
	user := userType(t)
	for _, tt := range tests {
		got, err := user.Decode([]byte(tt.body), dialect(t, "rfc"))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := object1(t, tt.want)
		user.setSchemas(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func object1(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s is not an object", text)
	}
	return m
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 20_000)
	tests := []struct{ name, body, typ, want string }{
		{"empty", ``, InvalidSyntax, "empty"},
		{"blank", " \n", InvalidSyntax, "empty"},
		{"list", `[]`, InvalidSyntax, "must be a JSON object"},
		{"text", `"x"`, InvalidSyntax, "must be a JSON object"},
		{"two values", `{} {}`, InvalidSyntax, "data after the end"},
		{"cut off", `{"a":`, InvalidSyntax, "unexpected end"},
		{"trailing comma", `{"a":1,}`, InvalidSyntax, "member name"},
		{"bare word", `{a:1}`, InvalidSyntax, "member name"},
		{"deep", `{"a":` + deep, InvalidSyntax, "deeper than 64"},
		{"byte order mark", "\ufeff{}", InvalidSyntax, "unexpected character"},
		{"duplicate", `{"userName":"a","username":"b"}`, InvalidSyntax, "username: appears twice"},
		{"duplicate inside", userHead + `"name":{"familyName":"a","FamilyName":"b"}}`, InvalidSyntax, "FamilyName: appears twice"},
		{"NUL", userHead + `"title":"a\u0000"}`, InvalidValue, "NUL"},
		{"raw NUL", userHead + "\"title\":\"a\x00\"}", InvalidValue, "NUL"},
		{"not UTF-8", userHead + "\"title\":\"a\xff\"}", InvalidValue, "UTF-8"},
		{"half a surrogate pair", userHead + `"title":"\ud83d"}`, InvalidValue, "UTF-8"},
		{"bad number", userHead + `"title":01}`, InvalidSyntax, "not a number"},
		{"no schemas", `{"not":"scim"}`, InvalidSyntax, "schemas: is required"},
		{"schemas of another type", `{"schemas":["` + URNGroup + `"],"userName":"x"}`, InvalidSyntax, "is not a schema of User"},
		{"schemas without core", `{"schemas":["` + URNEnterprise + `"],"userName":"x"}`, InvalidSyntax, "schemas: must contain"},
		{"schemas twice", `{"schemas":["` + URNUser + `","` + URNUser + `"],"userName":"x"}`, InvalidSyntax, "listed twice"},
		{"schemas is text", `{"schemas":"` + URNUser + `","userName":"x"}`, InvalidSyntax, "schemas: must be a list"},
		{"schemas is empty", `{"schemas":[],"userName":"x"}`, InvalidSyntax, "schemas: must contain"},
		{"schemas is null", `{"schemas":null,"userName":"x"}`, InvalidSyntax, "schemas"},
		{"userName missing", `{"schemas":["` + URNUser + `"]}`, InvalidValue, "userName: is required"},
		{"userName empty", `{"schemas":["` + URNUser + `"],"userName":""}`, InvalidValue, "userName: is required"},
		{"boolean", userHead + `"active":"True"}`, InvalidValue, "active: must be a boolean"},
		{"boolean in an element", userHead + `"emails":[{"value":"a","primary":1}]}`, InvalidValue, "emails[0].primary: must be a boolean"},
		{"string", userHead + `"title":5}`, InvalidValue, "title: must be a string"},
		{"object", userHead + `"name":"x"}`, InvalidValue, "name: must be an object"},
		{"not a list", userHead + `"emails":{"value":"a"}}`, InvalidValue, "emails: must be a list"},
		{"element", userHead + `"emails":[{"value":"a"},"b"]}`, InvalidValue, "emails[1]: must be an object"},
		{"list for single", userHead + `"title":["a"]}`, InvalidValue, "title: must be a single value"},
		{"two primaries", userHead + `"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, InvalidValue, "emails: only one value can be primary"},
		{"binary", userHead + `"x509Certificates":[{"value":"?"}]}`, InvalidValue, "x509Certificates[0].value: must be base64"},
		{"reference", userHead + `"profileUrl":"http://[x"}`, InvalidValue, "profileUrl: must be a URI"},
		{"extension", userHead + `"` + URNEnterprise + `":[1]}`, InvalidValue, URNEnterprise + ": must be an object"},
		{"in an extension", userHead + `"` + URNEnterprise + `":{"manager":{"value":1}}}`, InvalidValue, URNEnterprise + ":manager.value: must be a string"},
		{"bare manager", userHead + `"` + URNEnterprise + `":{"manager":"m"}}`, InvalidValue, ":manager: must be an object"},
	}
	for _, tt := range tests {
		_, err := userType(t).Decode([]byte(tt.body), dialect(t, "rfc"))
		wantError(t, tt.name, err, tt.typ, tt.want)
	}
	interop := dialect(t, "interop")
	_, err := userType(t).Decode([]byte(userHead+`"foo":1}`), interop)
	wantError(t, "unknown attribute", err, InvalidSyntax, "foo: User has no such attribute")
	_, err = userType(t).Decode([]byte(userHead+`"name":{"foo":1}}`), interop)
	wantError(t, "unknown sub-attribute", err, InvalidSyntax, "name.foo: User has no such attribute")
}

func TestDecodeTolerances(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, dialect, flag, body, want string }{
		{"string booleans", "entra", FlagStringBooleans, userHead + `"active":"False","emails":[{"value":"a","primary":"TRUE"}]}`,
			`{"userName":"x","active":false,"emails":[{"value":"a","primary":true}]}`},
		{"empty boolean", "entra", FlagStringBooleans, userHead + `"active":""}`, `{"userName":"x"}`},
		{"bare manager", "entra", FlagBareValues, userHead + `"` + URNEnterprise + `":{"manager":"m"}}`, `{"userName":"x","` + URNEnterprise + `":{"manager":{"value":"m"}}}`},
		{"manager in a list", "entra", FlagListForSingle, userHead + `"` + URNEnterprise + `":{"manager":[{"value":"m"}]}}`, `{"userName":"x","` + URNEnterprise + `":{"manager":{"value":"m"}}}`},
		{"single for list", "entra", FlagSingleForList, userHead + `"emails":{"value":"a"}}`, `{"userName":"x","emails":[{"value":"a"}]}`},
		{"foreign schemas", "onelogin", FlagForeignSchemas, `{"schemas":["urn:scim:schemas:core:2.0"],"userName":"x"}`, `{"userName":"x"}`},
		{"no schemas", "lenient", FlagMissingSchemas, `{"userName":"x"}`, `{"userName":"x"}`},
		{"byte order mark", "entra", FlagBOM, "\ufeff" + userHead + `"title":"t"}`, `{"userName":"x","title":"t"}`},
		{"two primaries", "lenient", FlagLastPrimary, userHead + `"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`,
			`{"userName":"x","emails":[{"value":"a","primary":false},{"value":"b","primary":true}]}`},
		{"unknown", "rfc", FlagUnknownAttributes, userHead + `"foo":1}`, `{"userName":"x"}`},
	}
	user := userType(t)
	for _, tt := range tests {
		d := dialect(t, tt.dialect)
		seen := map[string]bool{}
		d.Seen = func(flag string) { seen[flag] = true }
		got, err := user.Decode([]byte(tt.body), d)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := object1(t, tt.want)
		user.setSchemas(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
		if len(seen) != 1 || !seen[tt.flag] {
			t.Errorf("%s: reported %v, want %s alone", tt.name, seen, tt.flag)
		}
	}
}

func TestDecodeGroup(t *testing.T) {
	t.Parallel()
	head := `{"schemas":["` + URNGroup + `"],"displayName":"g","members":`
	group := groupType(t)
	got, err := group.Decode([]byte(head+`[{"value":"u1","display":"A","type":"User","$ref":"x"},{"value":"u1"},{"value":"U1","foo":1}]}`), dialect(t, "rfc"))
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"value": "u1", "display": "A", "type": "User"}, map[string]any{"value": "U1"}}
	if d := cmp.Diff(want, got["members"]); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`[{"display":"A"}]`, `[{}]`, `[{"value":""}]`} {
		_, err = group.Decode([]byte(head+bad+`}`), dialect(t, "rfc"))
		wantError(t, bad, err, InvalidValue, "members[0].value: is required")
	}
	got, err = group.Decode([]byte(head+`["u1","u2"]}`), dialect(t, "entra"))
	if err != nil || len(got["members"].([]any)) != 2 {
		t.Errorf("bare members: %v, %v", got, err)
	}
	_, err = group.Decode([]byte(`{"schemas":["`+URNGroup+`"]}`), dialect(t, "rfc"))
	wantError(t, "no displayName", err, InvalidValue, "displayName: is required")
}

func TestDecodeOtherTypes(t *testing.T) {
	t.Parallel()
	device := deviceType(t)
	const ext = `"urn:acme-x:my_ext:2.0:Device":{"labels":["a","A","b"]}`
	got, err := device.Decode([]byte(`{"schemas":["urn:acme:2.0:Device"],"serial":"s","tags":["x","X",null,""],"codes":["x","X"],
		"ports":9007199254740993,"load":5,"seen":"2026-03-01T12:00:00+01:00","slot":{"unit":1},`+ext+`}`), dialect(t, "rfc"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"schemas": []any{"urn:acme:2.0:Device", "urn:acme-x:my_ext:2.0:Device"}, "serial": "s",
		"tags": []any{"x"}, "codes": []any{"x", "X"}, "ports": int64(9007199254740993), "load": 5.0,
		"seen": "2026-03-01T12:00:00+01:00", "slot": map[string]any{"unit": int64(1)},
		"urn:acme-x:my_ext:2.0:Device": map[string]any{"labels": []any{"a", "b"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, tt := range []struct{ body, want string }{
		{`"ports":1.0,` + ext, "ports: must be an integer"},
		{`"ports":99999999999999999999,` + ext, "ports: must be an integer"},
		{`"load":"x",` + ext, "load: must be a number"},
		{`"seen":"2026-03-01",` + ext, "seen: must be a dateTime"},
		{`"slot":{"rack":"r"},` + ext, "slot.unit: is required"},
		{`"ports":1`, "the extension is required"},
		{`"urn:acme-x:my_ext:2.0:Device":{"owner":"o"}`, "urn:acme-x:my_ext:2.0:Device:labels: is required"},
	} {
		_, err := device.Decode([]byte(`{"schemas":["urn:acme:2.0:Device"],"serial":"s",`+tt.body+`}`), dialect(t, "rfc"))
		wantError(t, tt.body, err, InvalidValue, tt.want)
	}
}

func TestDialectNames(t *testing.T) {
	t.Parallel()
	for _, name := range DialectNames() {
		if d, ok := DialectNamed(strings.ToUpper(name)); !ok || d.Name != name {
			t.Errorf("%s: %v, %v", name, d.Name, ok)
		}
	}
	if _, ok := DialectNamed("klingon"); ok {
		t.Error("an unknown dialect is known")
	}
}
