package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	badgeURN = "urn:acme:params:scim:schemas:core:2.0:Badge"
	staffURN = "urn:acme:params:scim:schemas:extension:staff:1.0"
)

// badgeSchema has an attribute of every type, and of every characteristic.
const badgeSchema = `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
  "id": "` + badgeURN + `", "name": "Badge", "description": "A card that opens doors",
  "attributes": [
    {"name": "number", "type": "string", "required": true, "caseExact": true, "mutability": "immutable", "uniqueness": "server", "returned": "always"},
    {"name": "level", "type": "integer"},
    {"name": "weight", "type": "decimal"},
    {"name": "issued", "type": "dateTime"},
    {"name": "photo", "type": "binary"},
    {"name": "owner", "type": "reference", "referenceTypes": ["User", "external"]},
    {"name": "lost", "type": "boolean"},
    {"name": "color", "canonicalValues": ["red", "Blue"]},
    {"name": "sizes", "multiValued": true, "type": "integer"},
    {"name": "marks", "multiValued": true, "caseExact": true, "canonicalValues": ["A", "b"]},
    {"name": "pin", "mutability": "writeOnly", "returned": "never"},
    {"name": "secret", "mutability": "writeOnly"},
    {"name": "hint", "returned": "request"},
    {"name": "state", "mutability": "readOnly", "required": true},
    {"name": "holder", "type": "complex", "subAttributes": [
      {"name": "name", "required": true}, {"name": "since", "type": "dateTime", "mutability": "immutable"},
      {"name": "tags", "multiValued": true}, {"name": "note", "returned": "request"},
      {"name": "code", "mutability": "writeOnly", "returned": "never"}, {"name": "serial", "returned": "always"}]},
    {"name": "doors", "type": "complex", "multiValued": true, "subAttributes": [
      {"name": "value", "required": true}, {"name": "type", "canonicalValues": ["in", "out"]},
      {"name": "primary", "type": "boolean"}, {"name": "floor", "type": "integer", "mutability": "immutable"},
      {"name": "$ref", "type": "reference"}]}
  ]}`

const staffSchema = `[{"id": "` + staffURN + `", "name": "Staff", "attributes": [
    {"name": "badge", "uniqueness": "server"}, {"name": "grade", "type": "integer", "required": true}]}]`

const badgeTypes = `[
  {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": "Badge", "name": "Badge", "endpoint": "/Badges",
   "description": "Cards", "schema": "` + badgeURN + `", "schemaExtensions": [{"schema": "` + staffURN + `", "required": true}]},
  {"name": "User", "schemaExtensions": [{"schema": "` + staffURN + `", "required": false}]}
]`

// badge is the registry of the files above, and its own type.
func badge(t testing.TB) (*Registry, *ResourceType) {
	t.Helper()
	var schemas []*Schema
	for _, text := range []string{badgeSchema, staffSchema} {
		list, err := ParseSchemas([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		schemas = append(schemas, list...)
	}
	types, err := ParseResourceTypes([]byte(badgeTypes))
	if err != nil {
		t.Fatal(err)
	}
	reg, err := BuildRegistry(schemas, types)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := reg.Type("badge")
	if !ok {
		t.Fatal("no Badge")
	}
	return reg, b
}

func TestBuildRegistry(t *testing.T) {
	t.Parallel()
	reg, b := badge(t)
	var types []string
	for _, x := range reg.Types {
		types = append(types, x.Name+x.Endpoint)
	}
	if d := cmp.Diff([]string{"User/Users", "Group/Groups", "Badge/Badges"}, types); d != "" {
		t.Error(d)
	}
	user, _ := reg.Type("User")
	if len(user.Extensions) != 2 || user.Extensions[1].Schema != b.Extensions[0].Schema || user.Extensions[1].Required || !b.Extensions[0].Required {
		t.Errorf("User has %+v", user.Extensions)
	}
	if was := userType(t); len(was.Extensions) != 1 {
		t.Error("the default registry was changed")
	}
	if len(reg.Schemas()) != 5 {
		t.Errorf("%d schemas", len(reg.Schemas()))
	}
	if reg, err := BuildRegistry(nil, nil); err != nil || len(reg.Types) != 2 {
		t.Errorf("no files: %v", err)
	}
}

// What /Schemas and /ResourceTypes show reads back as the same definitions.
func TestSchemaRoundTrip(t *testing.T) {
	t.Parallel()
	reg, b := badge(t)
	text, err := json.Marshal(b.Schema.JSON("https://x.test/v2"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSchemas(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	back, _ := json.Marshal(again[0].JSON("https://x.test/v2"))
	if string(back) != string(text) {
		t.Errorf("%s\nreads back as %s", text, back)
	}
	for _, x := range reg.Types {
		text, _ := json.Marshal(x.JSON("https://x.test/v2"))
		if _, err := ParseResourceTypes(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, s := range reg.Schemas() {
		text, _ := json.Marshal(s.JSON(""))
		if _, err := ParseSchemas(text); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
}

func TestParseSchemasFaults(t *testing.T) {
	t.Parallel()
	attrs := func(list string) string { return `{"id":"urn:acme:x","attributes":[` + list + `]}` }
	tests := []struct{ name, text, want string }{
		{"no JSON", `{`, "1:2: not valid JSON"},
		{"trailing", attrs(`{"name":"a"}`) + ` x`, "data after the end"},
		{"duplicate key", `{"id":"urn:a:b","id":"urn:a:c"}`, "appears twice"},
		{"nothing", `[]`, "holds nothing"},
		{"a number", `7`, "JSON object"},
		{"empty", ``, "unexpected end"},
		{"no id", `{"attributes":[{"name":"a"}]}`, "id is required"},
		{"bad id", `{"id":"acme","attributes":[{"name":"a"}]}`, `1:7: acme: id: "acme" is no URN`},
		{"space in id", `{"id":"urn:acme:a b","attributes":[{"name":"a"}]}`, "is no URN"},
		{"bracket in id", `{"id":"urn:acme:a[b]","attributes":[{"name":"a"}]}`, "is no URN"},
		{"unknown key", `{"id":"urn:acme:x","attribute":[]}`, `"attribute" is no key`},
		{"key in another case", `{"id":"urn:acme:x","Name":"x","attributes":[{"name":"a"}]}`, "did you mean name?"},
		{"wrong kind", `{"schemas":["urn:x:y"],"id":"urn:acme:x","attributes":[{"name":"a"}]}`, "schemas: must be"},
		{"no attributes", `{"id":"urn:acme:x"}`, "attributes is required"},
		{"empty attributes", attrs(""), "list of 1 to"},
		{"attribute is no object", attrs(`"a"`), "attribute 1 must be an object"},
		{"no name", attrs(`{"type":"string"}`), "attribute number 1: name is required"},
		{"bad name", attrs(`{"name":"a b"}`), "no attribute name"},
		{"digit first", attrs(`{"name":"1a"}`), "no attribute name"},
		{"common name", attrs(`{"name":"Meta"}`), "has Meta already"},
		{"$ref at the top", attrs(`{"name":"$ref","type":"reference"}`), "$ref"},
		{"$ref string", attrs(`{"name":"a","type":"complex","subAttributes":[{"name":"$ref"}]}`), "$ref"},
		{"name twice", attrs(`{"name":"a"},{"name":"A"}`), "A is defined twice"},
		{"sub name twice", attrs(`{"name":"a","type":"complex","subAttributes":[{"name":"b"},{"name":"b"}]}`), "b is defined twice"},
		{"type", attrs(`{"name":"a","type":"text"}`), "attribute a: type: must be one of string, boolean"},
		{"type in another case", attrs(`{"name":"a","type":"String"}`), "must be one of"},
		{"mutability", attrs(`{"name":"a","mutability":"readwrite"}`), "mutability: must be one of"},
		{"returned", attrs(`{"name":"a","returned":"yes"}`), "returned: must be one of"},
		{"uniqueness", attrs(`{"name":"a","uniqueness":true}`), "uniqueness: must be one of"},
		{"required", attrs(`{"name":"a","required":"true"}`), "required: must be true or false"},
		{"unknown attribute key", attrs(`{"name":"a","max":7}`), `"max" is no key`},
		{"complex in complex", attrs(`{"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex","subAttributes":[{"name":"c"}]}]}`), "attribute a.b: type: a complex attribute cannot hold"},
		{"complex without parts", attrs(`{"name":"a","type":"complex"}`), "subAttributes is required"},
		{"parts without complex", attrs(`{"name":"a","subAttributes":[{"name":"b"}]}`), "are for type complex only"},
		{"primary", attrs(`{"name":"a","type":"complex","subAttributes":[{"name":"primary"}]}`), "primary must be"},
		{"Value", attrs(`{"name":"a","type":"complex","subAttributes":[{"name":"Value"}]}`), "is written value"},
		{"canonicalValues of integer", attrs(`{"name":"a","type":"integer","canonicalValues":["1"]}`), "string and reference only"},
		{"canonicalValues twice", attrs(`{"name":"a","canonicalValues":["x","X"]}`), "in another case"},
		{"canonicalValues not strings", attrs(`{"name":"a","canonicalValues":[1]}`), "list of strings"},
		{"referenceTypes", attrs(`{"name":"a","referenceTypes":["User"]}`), "are for type reference only"},
		{"writeOnly returned", attrs(`{"name":"a","mutability":"writeOnly","returned":"default"}`), "must be never"},
		{"unique complex", attrs(`{"name":"a","type":"complex","uniqueness":"server","subAttributes":[{"name":"b"}]}`), "none for type complex"},
		{"unique secret", attrs(`{"name":"a","mutability":"writeOnly","uniqueness":"server"}`), "never returned"},
		{"line", "[\n  {\"id\":\"urn:acme:x\",\n   \"attributes\": [{\"name\": \"a\", \"type\": \"x\"}]}]", "3:41: urn:acme:x: attribute a: type"},
	}
	for _, tt := range tests {
		list, err := ParseSchemas([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || list != nil {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := ParseSchemas([]byte(attrs(`{"name":"1"},{"name":"b","type":"x"},{"name":"c","returned":"x"}`)))
	if faults, ok := err.(SchemaFaults); !ok || len(faults) != 3 { //nolint:errorlint // the value itself is asked for
		t.Errorf("all at once: %v", err)
	}
}

func TestParseResourceTypesFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"no name", `{"endpoint":"/X","schema":"urn:a1:b"}`, "name is required"},
		{"no endpoint", `{"name":"X","schema":"urn:a1:b"}`, "endpoint is required"},
		{"no schema", `{"name":"X","endpoint":"/X"}`, "schema is required"},
		{"endpoint", `{"name":"X","endpoint":"X","schema":"urn:a1:b"}`, "endpoint: must be"},
		{"deep endpoint", `{"name":"X","endpoint":"/a/b","schema":"urn:a1:b"}`, "endpoint: must be"},
		{"escaped endpoint", `{"name":"X","endpoint":"/a%2Fb","schema":"urn:a1:b"}`, "endpoint: must be"},
		{"search endpoint", `{"name":"X","endpoint":"/.search","schema":"urn:a1:b"}`, "endpoint: must be"},
		{"name", `{"name":"X Y","endpoint":"/X","schema":"urn:a1:b"}`, "is no name"},
		{"id", `{"id":"Y","name":"X","endpoint":"/X","schema":"urn:a1:b"}`, "id: must be the name"},
		{"unknown key", `{"name":"X","endpoint":"/X","schema":"urn:a1:b","extension":[]}`, `"extension" is no key`},
		{"extensions", `{"name":"User","schemaExtensions":{}}`, "must be a list"},
		{"extension", `{"name":"User","schemaExtensions":["urn:a1:b"]}`, "must be a list"},
		{"extension without schema", `{"name":"User","schemaExtensions":[{"required":true}]}`, "schema is required"},
		{"extension twice", `{"name":"User","schemaExtensions":[{"schema":"urn:a1:b"},{"schema":"urn:a1:B"}]}`, "is there twice"},
		{"user elsewhere", `{"name":"User","endpoint":"/People"}`, "must be /Users"},
		{"user of another schema", `{"name":"user","schema":"urn:a1:b"}`, "own attributes go into an extension"},
	}
	for _, tt := range tests {
		_, err := ParseResourceTypes([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestBuildRegistryFaults(t *testing.T) {
	t.Parallel()
	schema := func(id string) *Schema { return &Schema{ID: id, Attributes: []*Attribute{{Name: "a"}, {Name: "User"}}} }
	device := TypeFile{Name: "Device", Endpoint: "/Devices", Schema: "urn:acme:d"}
	tests := []struct {
		name    string
		schemas []*Schema
		types   []TypeFile
		want    string
	}{
		{"unused schema", []*Schema{schema("urn:acme:d")}, nil, "no resource type uses"},
		{"schema twice", []*Schema{schema("urn:acme:d"), schema("urn:acme:D")}, []TypeFile{device}, "defined twice"},
		{"core schema", []*Schema{schema(strings.ToUpper(URNUser))}, nil, "cannot be defined again"},
		{"enterprise schema", []*Schema{schema(URNEnterprise)}, nil, "cannot be defined again"},
		{"message", []*Schema{schema(URNPatchOp)}, nil, "cannot be defined again"},
		{"missing schema", nil, []TypeFile{device}, "is in none of the schema files"},
		{"core schema for another type", nil, []TypeFile{{Name: "X", Endpoint: "/X", Schema: URNUser}}, "cannot be used by another type"},
		{"missing extension", nil, []TypeFile{{Name: "User", Extensions: []ExtensionFile{{Schema: "urn:acme:e"}}}}, "is in none of"},
		{"endpoint of Users", []*Schema{schema("urn:acme:d")}, []TypeFile{{Name: "D", Endpoint: "/users", Schema: "urn:acme:d"}}, "is that of User"},
		{"discovery", []*Schema{schema("urn:acme:d")}, []TypeFile{{Name: "D", Endpoint: "/schemas", Schema: "urn:acme:d"}}, "taken by the protocol"},
		{"me", []*Schema{schema("urn:acme:d")}, []TypeFile{{Name: "D", Endpoint: "/Me", Schema: "urn:acme:d"}}, "taken by the protocol"},
		{"name of the protocol", []*Schema{schema("urn:acme:d")}, []TypeFile{{Name: "Schema", Endpoint: "/D", Schema: "urn:acme:d"}}, "taken by the protocol"},
		{"type twice", []*Schema{schema("urn:acme:d")}, []TypeFile{device, {Name: "device", Endpoint: "/D", Schema: "urn:acme:d"}}, "is defined twice"},
		{"itself", []*Schema{schema("urn:acme:d")}, []TypeFile{{Name: "D", Endpoint: "/D", Schema: "urn:acme:d", Extensions: []ExtensionFile{{Schema: "urn:acme:d"}}}}, "own schema"},
		{"ambiguous", []*Schema{schema("urn:acme:d"), schema("urn:acme:d:User")}, []TypeFile{device, {Name: "User", Extensions: []ExtensionFile{{Schema: "urn:acme:d:User"}}}}, "reads as the attribute"},
		{"reference", []*Schema{{ID: "urn:acme:d", Attributes: []*Attribute{{Name: "r", Type: TypeReference, ReferenceTypes: []string{"Printer"}}}}}, []TypeFile{device}, "Printer"},
	}
	for _, tt := range tests {
		_, err := BuildRegistry(tt.schemas, tt.types)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzParseSchemas(f *testing.F) {
	for _, s := range []string{badgeSchema, staffSchema, `{"id":"urn:a1:b","attributes":[{"name":"x","type":"complex","subAttributes":[{"name":"$ref","type":"reference"}]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseSchemas(text)
		if err != nil {
			if faults, ok := err.(SchemaFaults); !ok || len(faults) == 0 { //nolint:errorlint // the value itself is asked for
				t.Fatal(err)
			}
			return
		}
		for _, s := range list {
			again, err := json.Marshal(s.JSON(""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseSchemas(again); err != nil {
				t.Fatalf("%s reads back: %v", again, err)
			}
		}
		reg, err := BuildRegistry(list, []TypeFile{{Name: "X", Endpoint: "/X", Schema: list[0].ID}})
		if err != nil {
			return
		}
		x, _ := reg.Type("X")
		for _, a := range x.Schema.Attributes { // every name can be spelled in a path
			if _, got, err := x.Resolve(Path{URI: x.Schema.ID, Attr: a.Name}); err != nil || got != a {
				t.Fatalf("%s: %v", a.Name, err)
			}
			if p, err := ParsePath(x.Schema.ID + ":" + a.Name); err != nil || p.Attr != a.Name {
				t.Fatalf("%s: path %v, %v", a.Name, p, err)
			}
		}
	})
}

func FuzzParseResourceTypes(f *testing.F) {
	f.Add([]byte(badgeTypes))
	f.Add([]byte(`{"name":"X","endpoint":"/X","schema":"urn:acme:x","schemaExtensions":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		types, err := ParseResourceTypes(text)
		if err != nil {
			return
		}
		schemas := []*Schema{}
		for _, x := range types {
			schemas = append(schemas, &Schema{ID: x.Schema, Attributes: []*Attribute{{Name: "a"}}})
		}
		if reg, err := BuildRegistry(schemas, types); err == nil && len(reg.Types) < 2 {
			t.Fatal("no User, no Group")
		}
	})
}
