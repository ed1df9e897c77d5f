package scim

import (
	"strings"
	"testing"
)

func TestDefaultRegistry(t *testing.T) {
	t.Parallel()
	r := DefaultRegistry()
	if len(r.Types) != 2 || len(r.Schemas()) != 3 || len(common().Attributes) != 4 || common().index == nil {
		t.Fatalf("%d types, %d schemas, %d common attributes", len(r.Types), len(r.Schemas()), len(common().Attributes))
	}
	for _, tt := range []struct{ urn, attr, sub, mutability, returned string }{
		{URNUser, "userName", "", ReadWrite, ReturnedDefault},
		{URNUser, "PASSWORD", "", WriteOnly, ReturnedNever},
		{URNUser, "groups", "", ReadOnly, ReturnedDefault},
		{URNEnterprise, "manager", "displayName", ReadOnly, ReturnedDefault},
		{URNGroup, "members", "VALUE", Immutable, ReturnedDefault},
		{URNGroup, "members", "$ref", Immutable, ReturnedDefault},
		{URNGroup, "members", "type", Immutable, ReturnedDefault},
	} {
		s, ok := r.Schema(strings.ToUpper(tt.urn))
		if !ok {
			t.Fatalf("no schema %s", tt.urn)
		}
		a, ok := s.Attribute(tt.attr)
		if ok && tt.sub != "" {
			a, ok = a.SubAttribute(tt.sub)
		}
		if !ok || a.Mutability != tt.mutability || a.Returned != tt.returned {
			t.Errorf("%s %s %s: %+v", tt.urn, tt.attr, tt.sub, a)
		}
	}
	g, _ := r.Type("GROUP")
	if a, ok := g.Attribute("displayname"); !ok || !a.Required {
		t.Error("Group.displayName is not required")
	}
	if a, ok := g.Attribute("externalID"); !ok || !a.CaseExact {
		t.Error("externalId is no common attribute")
	}
	if _, ok := r.Type("nope"); ok {
		t.Error("there is a type nope")
	}
}

func TestNewRegistryErrors(t *testing.T) {
	t.Parallel()
	typ := func(attrs ...*Attribute) *ResourceType {
		return &ResourceType{Name: "A", Endpoint: "/As", Schema: &Schema{ID: "urn:a", Attributes: attrs}}
	}
	str := func(name string) *Attribute { return &Attribute{Name: name, Type: TypeString} }
	for _, tt := range []struct {
		types []*ResourceType
		want  string
	}{
		{[]*ResourceType{{}}, "has no name"},
		{[]*ResourceType{typ(), typ()}, "defined twice"},
		{[]*ResourceType{{Name: "A", Endpoint: "As", Schema: &Schema{ID: "urn:a"}}}, "endpoint"},
		{[]*ResourceType{{Name: "A", Endpoint: "/As"}}, "has no schema"},
		{[]*ResourceType{{Name: "A", Endpoint: "/As", Schema: &Schema{}}}, "has no id"},
		{[]*ResourceType{{Name: "A", Endpoint: "/As", Schema: &Schema{ID: "urn:a"}, Extensions: []Extension{{}}}}, "without schema"},
		{[]*ResourceType{typ(str("x"), str("X"))}, `"X" is defined twice`},
		{[]*ResourceType{typ(str("1"))}, "not an attribute name"},
		{[]*ResourceType{typ(&Attribute{Name: "c", Type: TypeComplex, Sub: []*Attribute{{Name: "d", Type: TypeComplex}}})}, "cannot hold another"},
	} {
		_, err := NewRegistry(tt.types...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestDiscoveryJSON(t *testing.T) {
	t.Parallel()
	s, _ := DefaultRegistry().Schema(URNUser)
	m := roundTrip(t, s.JSON("https://h/v2"))
	if m["id"] != URNUser || m["meta"].(map[string]any)["location"] != "https://h/v2/Schemas/"+URNUser {
		t.Errorf("%v", m["meta"])
	}
	noEmpty(t, "schema", m)
	for _, a := range m["attributes"].([]any) {
		for _, key := range []string{"name", "type", "multiValued", "required", "mutability", "returned"} {
			if _, ok := a.(map[string]any)[key]; !ok {
				t.Errorf("%v has no %s", a, key)
			}
		}
	}
	user := roundTrip(t, userType(t).JSON("/v2"))
	noEmpty(t, "type", user)
	ext := user["schemaExtensions"].([]any)[0].(map[string]any)
	if user["endpoint"] != "/Users" || user["schema"] != URNUser || ext["schema"] != URNEnterprise || ext["required"] != false {
		t.Errorf("%v", user)
	}
	if _, ok := groupType(t).JSON("")["schemaExtensions"]; ok {
		t.Error("a type without extensions lists them")
	}
}

// noEmpty demands that no key holds nothing.
func noEmpty(t *testing.T, at string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", at)
	case string:
		if v == "" {
			t.Errorf("%s is empty", at)
		}
	case map[string]any:
		for k, e := range v {
			noEmpty(t, at+"."+k, e)
		}
	case []any:
		if len(v) == 0 {
			t.Errorf("%s is empty", at)
		}
		for _, e := range v {
			noEmpty(t, at+"[]", e)
		}
	}
}
