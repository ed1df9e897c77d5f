package scim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
)

// TestConceal: what is never returned is not told, at whatever depth, nor what no
// schema defines; the resource itself stays as it is.
func TestConceal(t *testing.T) {
	t.Parallel()
	const urn = "urn:acme:secrets:2.0:User"
	never := func(name string) *scim.Attribute { return &scim.Attribute{Name: name, Returned: scim.ReturnedNever} }
	parts := []*scim.Attribute{{Name: "label"}, never("code")}
	acme := &scim.Schema{ID: urn, Name: "Secrets", Attributes: []*scim.Attribute{{Name: "badge"}, never("pin"),
		{Name: "lock", Type: scim.TypeComplex, Sub: parts},
		{Name: "doors", Type: scim.TypeComplex, MultiValued: true, Sub: []*scim.Attribute{{Name: "label"}, never("code")}}}}
	standard, _ := scim.DefaultRegistry().Type("User")
	r, err := scim.NewRegistry(&scim.ResourceType{Name: "User", Endpoint: "/Users", Schema: standard.Schema, Extensions: []scim.Extension{{Schema: acme}}})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := r.Type("User")
	type object = map[string]any
	value := func() object {
		return object{"badge": "B1", "pin": "4711", "former": "x", "lock": object{"label": "l", "code": "0815"},
			"doors": []any{object{"label": "d", "code": "1"}, object{"label": "e"}}}
	}
	tests := []struct {
		name    string
		v, want any
	}{
		{"title", "Chief", "Chief"},
		{"title", nil, nil},
		{"emails", []any{object{"value": "a@x"}}, []any{object{"value": "a@x"}}},
		{"password", "s3cret", scim.Concealed},
		{"urn:acme:removed:2.0:User", object{"pin": "1"}, scim.Concealed},
		{urn, object{"badge": "B1"}, object{"badge": "B1"}},
		{urn, value(), object{"badge": "B1", "pin": scim.Concealed, "former": scim.Concealed, "lock": object{"label": "l", "code": scim.Concealed},
			"doors": []any{object{"label": "d", "code": scim.Concealed}, object{"label": "e"}}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, u.Conceal(tt.name, tt.v)); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
	}
	whole := value()
	u.Conceal(urn, whole)
	if diff := cmp.Diff(value(), whole); diff != "" {
		t.Errorf("the resource was altered:\n%s", diff)
	}
}
