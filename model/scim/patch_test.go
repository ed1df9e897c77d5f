package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func patchBody(ops string) []byte {
	return []byte(`{"schemas":["` + URNPatchOp + `"],"Operations":[` + ops + `]}`)
}

// applyJSON applies operations to a resource given as JSON, without schemas, and
// returns the result the same way. It fails if the input was touched.
func applyJSON(t *testing.T, rt *ResourceType, d Dialect, before, ops string) (string, bool, error) {
	t.Helper()
	r := Resource{ID: "1", Type: rt.Name, Attrs: object1(t, before), Meta: Meta{Version: 3}}
	rt.setSchemas(r.Attrs)
	was := string(appendCanonical(nil, r.Attrs))
	p, err := ParsePatch(patchBody(ops), rt, d)
	if err != nil {
		return "", false, err
	}
	out, changed, err := Change{Patch: p, Dialect: d}.Apply(rt, r)
	if now := string(appendCanonical(nil, r.Attrs)); now != was {
		t.Errorf("%s: the input was changed to %s", ops, now)
	}
	if err != nil {
		return "", false, err
	}
	if out.ID != r.ID || out.Meta != r.Meta {
		t.Errorf("%s: id or meta changed", ops)
	}
	got := map[string]any{}
	maps.Copy(got, out.Attrs)
	want := map[string]any{}
	rt.setSchemas(got)
	want["schemas"] = got["schemas"]
	if !equal(out.Attrs["schemas"], want["schemas"]) {
		t.Errorf("%s: schemas %v, want %v", ops, out.Attrs["schemas"], want["schemas"])
	}
	delete(got, "schemas")
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), changed, nil
}

const ent = URNEnterprise

// Users that the tests of PATCH begin with.
const (
	plainUser   = `{"userName":"x"}`
	withEmails  = `{"userName":"x","emails":[{"value":"a","type":"work","primary":true},{"value":"b","type":"home"}]}`
	withName    = `{"userName":"x","name":{"familyName":"F","givenName":"G"}}`
	withManager = `{"userName":"x","` + ent + `":{"department":"d","manager":{"value":"m1","$ref":"r","displayName":"Boss"}}}`
)

type patchCase struct{ name, before, ops, want string }

func TestPatchSingle(t *testing.T) {
	t.Parallel()
	runPatch(t, []patchCase{
		{"add simple", plainUser, `{"op":"add","path":"title","value":"t"}`, `{"userName":"x","title":"t"}`},
		{"add replaces simple", `{"userName":"x","title":"s"}`, `{"op":"add","path":"TITLE","value":"t"}`, `{"userName":"x","title":"t"}`},
		{"rename", plainUser, `{"op":"replace","path":"userName","value":"y"}`, `{"userName":"y"}`},
		{"own case", plainUser, `{"op":"replace","path":"userName","value":"X"}`, `{"userName":"X"}`},
		{"remove simple", `{"userName":"x","title":"s"}`, `{"op":"remove","path":"title"}`, plainUser},
		{"replace by null", `{"userName":"x","title":"s"}`, `{"op":"replace","path":"title","value":null}`, plainUser},
		{"replace by empty text", `{"userName":"x","title":"s"}`, `{"op":"replace","path":"title","value":""}`, plainUser},
		{"replace false", `{"userName":"x","active":true}`, `{"op":"replace","path":"active","value":false}`, `{"userName":"x","active":false}`},
		{"externalId", plainUser, `{"op":"add","path":"externalId","value":"e"}`, `{"userName":"x","externalId":"e"}`},
		{"full core URN", plainUser, `{"op":"add","path":"` + URNUser + `:displayName","value":"d"}`, `{"userName":"x","displayName":"d"}`},

		{"replace complex merges", withName, `{"op":"replace","path":"name","value":{"givenName":"Z"}}`, `{"userName":"x","name":{"familyName":"F","givenName":"Z"}}`},
		{"add complex merges", withName, `{"op":"add","path":"name","value":{"MIDDLENAME":"M"}}`, `{"userName":"x","name":{"familyName":"F","givenName":"G","middleName":"M"}}`},
		{"null clears a part", withName, `{"op":"replace","path":"name","value":{"givenName":null}}`, `{"userName":"x","name":{"familyName":"F"}}`},
		{"sub-attribute", withName, `{"op":"replace","path":"name.familyName","value":"Q"}`, `{"userName":"x","name":{"familyName":"Q","givenName":"G"}}`},
		{"sub-attribute of nothing", plainUser, `{"op":"replace","path":"name.familyName","value":"Q"}`, `{"userName":"x","name":{"familyName":"Q"}}`},
		{"remove the last part", `{"userName":"x","name":{"familyName":"F"}}`, `{"op":"remove","path":"name.familyName"}`, plainUser},
		{"remove complex", withName, `{"op":"remove","path":"name"}`, plainUser},
	})
}

func TestPatchMulti(t *testing.T) {
	t.Parallel()
	runPatch(t, []patchCase{
		{"add to multi", withEmails, `{"op":"add","path":"emails","value":[{"value":"c"}]}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true},{"value":"b","type":"home"},{"value":"c"}]}`},
		{"new primary", withEmails, `{"op":"add","path":"emails","value":[{"value":"c","primary":true}]}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":false},{"value":"b","type":"home"},{"value":"c","primary":true}]}`},
		{"primary by value path", withEmails, `{"op":"replace","path":"emails[type eq \"HOME\"].primary","value":true}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":false},{"value":"b","type":"home","primary":true}]}`},
		{"same type and value completes", withEmails, `{"op":"add","path":"emails","value":[{"value":"B","type":"Home","display":"d"}]}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true},{"value":"B","type":"Home","display":"d"}]}`},
		{"replace multi", withEmails, `{"op":"replace","path":"emails","value":[{"value":"c"}]}`, `{"userName":"x","emails":[{"value":"c"}]}`},
		{"replace multi by none", withEmails, `{"op":"replace","path":"emails","value":[]}`, plainUser},
		{"remove multi", withEmails, `{"op":"remove","path":"emails"}`, plainUser},
		{"remove by filter", withEmails, `{"op":"remove","path":"emails[type eq \"work\"]"}`, `{"userName":"x","emails":[{"value":"b","type":"home"}]}`},
		{"remove the last element", withEmails, `{"op":"remove","path":"emails[value pr]"}`, plainUser},
		{"remove a part of elements", withEmails, `{"op":"remove","path":"emails[type eq \"work\"].primary"}`, `{"userName":"x","emails":[{"value":"a","type":"work"},{"value":"b","type":"home"}]}`},
		{"remove a part of all", withEmails, `{"op":"remove","path":"emails.type"}`, `{"userName":"x","emails":[{"value":"a","primary":true},{"value":"b"}]}`},
		{"replace by value path", withEmails, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"c"}`,
			`{"userName":"x","emails":[{"value":"c","type":"work","primary":true},{"value":"b","type":"home"}]}`},
		{"two hits", withEmails, `{"op":"replace","path":"emails[type eq \"work\" or type eq \"home\"].display","value":"d"}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true,"display":"d"},{"value":"b","type":"home","display":"d"}]}`},
		{"replace elements", withEmails, `{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"c"}}`,
			`{"userName":"x","emails":[{"value":"c"},{"value":"b","type":"home"}]}`},
		{"add to elements", withEmails, `{"op":"add","path":"emails[type eq \"work\"]","value":{"display":"d"}}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true,"display":"d"},{"value":"b","type":"home"}]}`},
		{"add creates", plainUser, `{"op":"add","path":"emails[type eq \"Work\"].value","value":"c"}`, `{"userName":"x","emails":[{"type":"Work","value":"c"}]}`},
		{"add creates from two", plainUser, `{"op":"add","path":"emails[type eq \"work\" and primary eq true].value","value":"c"}`,
			`{"userName":"x","emails":[{"type":"work","value":"c","primary":true}]}`},
		{"changed elements that became equal", withEmails, `{"op":"replace","path":"emails","value":[{"value":"a","type":"x"},{"value":"a","type":"y"}]},{"op":"replace","path":"emails[type eq \"y\"].type","value":"x"}`,
			`{"userName":"x","emails":[{"value":"a","type":"x"}]}`},

		{"in order", withEmails, `{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"n"}]},{"op":"replace","path":"emails[value eq \"n\"].type","value":"t"}`,
			`{"userName":"x","emails":[{"value":"n","type":"t"}]}`},
	})
}

func TestPatchExtensionAndPathless(t *testing.T) {
	t.Parallel()
	runPatch(t, []patchCase{
		{"extension attribute", plainUser, `{"op":"add","path":"` + ent + `:department","value":"R"}`, `{"userName":"x","` + ent + `":{"department":"R"}}`},
		{"whole extension merges", withManager, `{"op":"replace","path":"` + ent + `","value":{"costCenter":"7"}}`,
			`{"userName":"x","` + ent + `":{"costCenter":"7","department":"d","manager":{"value":"m1","$ref":"r","displayName":"Boss"}}}`},
		{"remove whole extension", withManager, `{"op":"remove","path":"` + strings.ToLower(ent) + `"}`, plainUser},
		{"remove the last attribute", `{"userName":"x","` + ent + `":{"department":"d"}}`, `{"op":"remove","path":"` + ent + `:department"}`, plainUser},
		{"null in an extension", withManager, `{"op":"replace","value":{"` + ent + `":{"manager":null,"division":""}}}`, `{"userName":"x","` + ent + `":{"department":"d"}}`},
		{"new manager", withManager, `{"op":"replace","path":"` + ent + `:manager.value","value":"m2"}`, `{"userName":"x","` + ent + `":{"department":"d","manager":{"value":"m2"}}}`},
		{"new manager as object", withManager, `{"op":"replace","path":"` + ent + `:manager","value":{"value":"m2","$ref":"s"}}`, `{"userName":"x","` + ent + `":{"department":"d","manager":{"value":"m2","$ref":"s"}}}`},
		{"manager of no value", withManager, `{"op":"replace","path":"` + ent + `:manager","value":{"value":""}}`, `{"userName":"x","` + ent + `":{"department":"d"}}`},
		{"manager empty", withManager, `{"op":"replace","path":"` + ent + `:manager","value":""}`, `{"userName":"x","` + ent + `":{"department":"d"}}`},

		{"path-less", withName, `{"op":"replace","value":{"schemas":["` + URNUser + `"],"id":"7","meta":{"a":1},"title":"t","name":{"givenName":"Z"}}}`,
			`{"userName":"x","title":"t","name":{"familyName":"F","givenName":"Z"}}`},
		{"path-less extension", withManager, `{"op":"replace","value":{"` + ent + `":{"costCenter":"7","department":"d"}}}`,
			`{"userName":"x","` + ent + `":{"costCenter":"7","department":"d","manager":{"value":"m1","$ref":"r","displayName":"Boss"}}}`},
		{"path-less with paths", withName, `{"op":"replace","value":{"displayName":"L","name.familyName":"Q","` + ent + `:department":"R","` + URNUser + `:title":"t","emails[type eq \"work\"].value":"w"}}`, ""},
		{"path-less add", withEmails, `{"op":"add","value":{"emails":[{"value":"c"}],"unknown":1}}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true},{"value":"b","type":"home"},{"value":"c"}]}`},
		{"path-less core URN", plainUser, `{"op":"add","value":{"` + URNUser + `":{"title":"t"}}}`, `{"userName":"x","title":"t"}`},
		{"path-less null", withName, `{"op":"replace","value":{"name":null}}`, plainUser},
		{"schemas cannot be set", plainUser, `{"op":"replace","path":"schemas","value":["` + URNUser + `","` + ent + `"]},{"op":"add","path":"title","value":"t"}`, `{"userName":"x","title":"t"}`},
		{"op in capitals", plainUser, `{"op":"ADD","path":"title","value":"t"}`, `{"userName":"x","title":"t"}`},
	})
}

func runPatch(t *testing.T, tests []patchCase) {
	t.Helper()
	for _, tt := range tests {
		d := dialect(t, "rfc")
		want := tt.want
		if want == "" {
			d = dialect(t, "entra")
			want = `{"userName":"x","displayName":"L","title":"t","name":{"familyName":"Q","givenName":"G"},"emails":[{"type":"work","value":"w"}],"` + ent + `":{"department":"R"}}`
		}
		got, changed, err := applyJSON(t, userType(t), d, tt.before, tt.ops)
		if err != nil || !changed {
			t.Errorf("%s: changed %v, %v", tt.name, changed, err)
			continue
		}
		if d := cmp.Diff(object1(t, want), object1(t, got)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestPatchNoChange(t *testing.T) {
	t.Parallel()
	before := `{"userName":"x","title":"t","active":true,"name":{"givenName":"G"},"emails":[{"value":"a","type":"work","primary":true},{"value":"b"}],"` + ent + `":{"department":"d","manager":{"value":"m"}}}`
	for _, ops := range []string{
		`{"op":"add","path":"title","value":"t"}`,
		`{"op":"replace","path":"name","value":{"givenName":"G"}}`,
		`{"op":"replace","path":"name","value":{}}`,
		`{"op":"add","path":"emails","value":[{"value":"a","type":"work"}]}`,
		`{"op":"add","path":"emails","value":[]}`,
		`{"op":"replace","path":"emails","value":[{"value":"b"},{"primary":true,"type":"work","value":"a"}]}`,
		`{"op":"remove","path":"nickName"}`,
		`{"op":"remove","path":"photos"}`,
		`{"op":"remove","path":"photos[type eq \"x\"]"}`,
		`{"op":"remove","path":"emails[type eq \"x\"].display"}`,
		`{"op":"remove","path":"name.middleName"}`,
		`{"op":"remove","path":"` + ent + `:division"}`,
		`{"op":"replace","value":{"id":"9","schemas":[],"meta":null}}`,
		`{"op":"add","path":"` + ent + `","value":{"department":"d"}}`,
		`{"op":"add","path":"nickName","value":"n"},{"op":"remove","path":"nickName"}`,
		`{"op":"remove","path":"emails[value eq \"b\"]"},{"op":"add","path":"emails","value":[{"value":"b"}]}`,
	} {
		_, changed, err := applyJSON(t, userType(t), dialect(t, "rfc"), before, ops)
		if err != nil || changed {
			t.Errorf("%s: changed %v, %v", ops, changed, err)
		}
	}
	r := testUser()
	out, changed, err := Change{}.Apply(userType(t), r)
	if err != nil || changed || fmt.Sprintf("%p", out.Attrs) != fmt.Sprintf("%p", r.Attrs) {
		t.Errorf("nothing to do: %v, %v", changed, err)
	}
}

func TestPatchErrors(t *testing.T) {
	t.Parallel()
	before := `{"userName":"x","emails":[{"value":"a","type":"work"},{"value":"b","type":"work"}],"groups":[{"value":"g"}],"` + ent + `":{"manager":{"value":"m","displayName":"B"}}}`
	tests := []struct{ ops, typ, want string }{
		{``, InvalidSyntax, "at least one operation"},
		{`1`, InvalidSyntax, "Operations[0]: must be an object"},
		{`{"path":"title","value":"x"}`, InvalidSyntax, "op: must be"},
		{`{"op":"move","path":"title","value":"x"}`, InvalidSyntax, "op: must be"},
		{`{"op":"add","path":"title"}`, InvalidValue, "value: is required"},
		{`{"op":"add","path":7,"value":1}`, InvalidPath, "path: must be a string"},
		{`{"op":"remove"}`, NoTarget, "path: is required"},
		{`{"op":"remove","value":{"title":"x"}}`, NoTarget, "path: is required"},
		{`{"op":"add","value":"x"}`, InvalidValue, "must be an object"},
		{`{"op":"add","path":"nope","value":1}`, InvalidPath, "nope: User has no such attribute"},
		{`{"op":"add","path":"a b","value":1}`, InvalidPath, "end of the path"},
		{`{"op":"replace","path":"emails[type is 1].value","value":"x"}`, InvalidFilter, "operator"},
		{`{"op":"replace","path":"emails[nope eq 1].value","value":"x"}`, InvalidFilter, "no such sub-attribute"},
		{`{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}`, NoTarget, "matches no value"},
		{`{"op":"add","path":"emails[type co \"fax\"].value","value":"x"}`, NoTarget, "does not say"},
		{`{"op":"add","path":"active","value":"yes"}`, InvalidValue, "active: must be a boolean"},
		{`{"op":"add","path":"active","value":"False"}`, InvalidValue, "active: must be a boolean"},
		{`{"op":"add","path":"emails","value":[{"value":1}]}`, InvalidValue, "emails[0].value: must be a string"},
		{`{"op":"add","path":"emails","value":{"value":"c"}}`, InvalidValue, "emails: must be a list"},
		{`{"op":"add","path":"emails[type eq \"work\"].primary","value":true}`, InvalidValue, "only one value can be primary"},
		{`{"op":"add","path":"groups","value":[{"value":"g2"}]}`, Mutability, "groups: is readOnly"},
		{`{"op":"remove","path":"groups[value eq \"g\"]"}`, Mutability, "groups: is readOnly"},
		{`{"op":"replace","value":{"groups":[]}}`, Mutability, "groups: is readOnly"},
		{`{"op":"replace","path":"id","value":"7"}`, Mutability, "id: is readOnly"},
		{`{"op":"replace","path":"meta.version","value":"7"}`, Mutability, "is readOnly"},
		{`{"op":"remove","path":"schemas"}`, Mutability, "schemas"},
		{`{"op":"add","path":"` + ent + `:manager.displayName","value":"x"}`, Mutability, "is readOnly"},
		{`{"op":"remove","path":"userName"}`, Mutability, "userName: is required"},
		{`{"op":"replace","path":"userName","value":""}`, InvalidValue, "userName: is required"},
		{`{"op":"replace","value":{"userName":null}}`, InvalidValue, "userName: is required"},
		{`{"op":"remove","path":"emails","value":[{"value":"a"}]}`, InvalidValue, "select what to remove"},
		{`{"op":"remove","path":"emails","value":""}`, InvalidValue, "remove takes no value"},
		{`{"op":"add","path":"` + ent + `.department","value":"x"}`, InvalidPath, "no such attribute"},
		{`{"op":"add","path":"title","value":"t"},{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}`, NoTarget, "operation 2"},
	}
	for _, tt := range tests {
		_, _, err := applyJSON(t, userType(t), dialect(t, "rfc"), before, tt.ops)
		wantError(t, tt.ops, err, tt.typ, tt.want)
	}
	for _, tt := range []struct{ body, want string }{
		{`{"Operations":[]}`, "schemas: must contain"},
		{`{"schemas":["` + URNUser + `"],"Operations":[]}`, "schemas: must contain"},
		{`{"schemas":["` + URNPatchOp + `"]}`, "Operations: must be a list"},
		{`[]`, "JSON object"},
	} {
		_, err := ParsePatch([]byte(tt.body), userType(t), dialect(t, "rfc"))
		wantError(t, tt.body, err, InvalidSyntax, tt.want)
	}
}

func TestPatchInterop(t *testing.T) {
	t.Parallel()
	before := `{"userName":"x","name":{"familyName":"F","givenName":"G"},"emails":[{"value":"a","type":"work"},{"value":"b","type":"work"}]}`
	d := dialect(t, "interop")
	got, _, err := applyJSON(t, userType(t), d, before, `{"op":"replace","path":"name","value":{"givenName":"Z"}}`)
	if err != nil || !strings.Contains(got, `"name":{"givenName":"Z"}`) {
		t.Errorf("replace is whole: %s, %v", got, err)
	}
	for _, tt := range []struct{ ops, typ string }{
		{`{"op":"replace","value":{"title":"t"}}`, InvalidSyntax},
		{`{"op":"Replace","path":"title","value":"t"}`, InvalidSyntax},
		{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`, InvalidFilter},
		{`{"op":"replace","path":"emails[value eq \"a\"]","value":{"value":"x"}}`, InvalidPath},
	} {
		_, _, err := applyJSON(t, userType(t), d, before, tt.ops)
		wantError(t, tt.ops, err, tt.typ, "")
	}
}

func TestPatchEntra(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, before, ops, want, flag string }{
		{"string boolean", `{"userName":"x","active":true}`, `{"op":"Replace","path":"active","value":"False"}`, `{"userName":"x","active":false}`, FlagStringBooleans},
		{"create on no match", `{"userName":"x"}`, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"w"}`, `{"userName":"x","emails":[{"type":"work","value":"w"}]}`, FlagCreateOnNoMatch},
		{"primary as text", `{"userName":"x","roles":[{"value":"a","primary":true}]}`, `{"op":"replace","path":"roles[primary eq \"True\"].value","value":"b"}`, `{"userName":"x","roles":[{"value":"b","primary":true}]}`, FlagStringBooleans},
		{"bare manager", `{"userName":"x"}`, `{"op":"add","path":"` + ent + `:manager","value":"m"}`, `{"userName":"x","` + ent + `":{"manager":{"value":"m"}}}`, FlagBareValues},
		{"manager in a list", `{"userName":"x"}`, `{"op":"add","path":"` + ent + `:manager","value":[{"$ref":"r","value":"m"}]}`, `{"userName":"x","` + ent + `":{"manager":{"value":"m","$ref":"r"}}}`, FlagListForSingle},
		{"dot behind the URN", `{"userName":"x"}`, `{"op":"add","path":"` + ent + `.manager.value","value":"m"}`, `{"userName":"x","` + ent + `":{"manager":{"value":"m"}}}`, FlagURNDot},
		{"one dot behind the URN", `{"userName":"x"}`, `{"op":"add","path":"` + ent + `.department","value":"d"}`, `{"userName":"x","` + ent + `":{"department":"d"}}`, FlagURNDot},
		{"unknown path", `{"userName":"x"}`, `{"op":"add","path":"nope","value":"m"},{"op":"add","path":"title","value":"t"}`, `{"userName":"x","title":"t"}`, FlagUnknownPaths},
		{"read-only in a value", `{"userName":"x"}`, `{"op":"add","value":{"groups":[{"value":"g"}],"title":"t"}}`, `{"userName":"x","title":"t"}`, FlagIgnoreReadOnly},
		{"remove by value", `{"userName":"x","roles":[{"value":"a","type":"t"},{"value":"b"}]}`, `{"op":"remove","path":"roles","value":[{"value":"A"}]}`, `{"userName":"x","roles":[{"value":"b"}]}`, FlagRemoveByValue},
	}
	for _, tt := range tests {
		d := dialect(t, "entra")
		seen := map[string]bool{}
		d.Seen = func(flag string) { seen[flag] = true }
		got, changed, err := applyJSON(t, userType(t), d, tt.before, tt.ops)
		if err != nil || !changed {
			t.Errorf("%s: %v, %v", tt.name, changed, err)
			continue
		}
		if d := cmp.Diff(object1(t, tt.want), object1(t, got)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
		if !seen[tt.flag] {
			t.Errorf("%s: %s was not reported, only %v", tt.name, tt.flag, seen)
		}
	}
	if p, err := ParsePatch(patchBody(``), userType(t), dialect(t, "entra")); err != nil || len(p) != 0 {
		t.Errorf("no operations: %v, %v", p, err)
	}
}

func TestPatchOtherTypes(t *testing.T) {
	t.Parallel()
	const x = "urn:acme-x:my_ext:2.0:Device"
	const d = `{"serial":"s","tags":["a","b"],"slot":{"rack":"r","unit":1},"` + x + `":{"labels":["l"]}}`
	for _, tt := range []struct{ ops, want, typ string }{
		{`{"op":"add","path":"tags","value":["B","c"]}`, `"tags":["a","b","c"]`, ""},
		{`{"op":"remove","path":"tags[value eq \"A\"]"}`, `"tags":["b"]`, ""},
		{`{"op":"replace","path":"tags[value eq \"a\"]","value":"z"}`, `"tags":["z","b"]`, ""},
		{`{"op":"add","path":"slot.unit","value":2}`, `"slot":{"rack":"r","unit":2}`, ""},
		{`{"op":"add","path":"ports","value":9007199254740993}`, `"ports":9007199254740993`, ""},
		{`{"op":"replace","path":"serial","value":"s"},{"op":"add","path":"on","value":true}`, `"serial":"s"`, ""},
		{`{"op":"replace","path":"serial","value":"t"}`, "serial: is immutable", Mutability},
		{`{"op":"remove","path":"serial"}`, "serial", Mutability},
		{`{"op":"replace","path":"slot.rack","value":"q"}`, "slot.rack: is immutable", Mutability},
		{`{"op":"remove","path":"slot.rack"}`, "slot.rack: is immutable", Mutability},
		{`{"op":"remove","path":"slot.unit"}`, "slot.unit: is required", Mutability},
		{`{"op":"add","path":"state","value":"x"}`, "state: is readOnly", Mutability},
		{`{"op":"remove","path":"` + x + `"}`, "the extension is required", Mutability},
		{`{"op":"remove","path":"` + x + `:labels[value eq \"l\"]"}`, "the extension is required", Mutability},
		{`{"op":"replace","path":"` + x + `:labels","value":[]}`, "labels: is required", InvalidValue},
	} {
		got, _, err := applyJSON(t, deviceType(t), dialect(t, "rfc"), d, tt.ops)
		if tt.typ != "" {
			wantError(t, tt.ops, err, tt.typ, tt.want)
		} else if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, %v, want %s", tt.ops, got, err, tt.want)
		}
	}
}
