package scim_test

import (
	"fmt"

	"github.com/scimhub/scimhub/model/scim"
)

func ExampleBind() {
	user, _ := scim.DefaultRegistry().Type("User")
	f, err := scim.ParseFilter(`USERNAME eq "Mira@Corp.test" and emails[type eq "work"].value ew "@corp.test"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	if f, err = scim.Bind(f, user); err != nil {
		fmt.Println(err)
		return
	}
	mira := scim.Resource{ID: "1", Attrs: map[string]any{
		"userName": "mira@corp.test",
		"emails":   []any{map[string]any{"type": "work", "value": "M.Kos@corp.test"}},
	}}
	fmt.Println(f)
	fmt.Println(f.Match(user.SearchDoc(mira)))
	// Output:
	// userName eq "mira@corp.test" and emails[type eq "work" and value ew "@corp.test"]
	// true
}

func ExampleChange_Apply() {
	group, _ := scim.DefaultRegistry().Type("Group")
	dialect, _ := scim.DialectNamed("entra")
	patch, err := scim.ParsePatch([]byte(`{
		"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [
			{"op": "Add", "path": "members", "value": [{"value": "u2"}]},
			{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u1"}]}
		]}`), group, dialect)
	if err != nil {
		fmt.Println(err)
		return
	}
	change := scim.Change{Patch: patch, Dialect: dialect}
	before := scim.Resource{ID: "g", Type: "Group", Attrs: map[string]any{
		"displayName": "Payroll",
		"members":     []any{map[string]any{"value": "u1"}},
	}}
	after, changed, err := change.Apply(group, before)
	fmt.Println(changed, err)
	fmt.Println(before.Attrs["members"], after.Attrs["members"])
	fmt.Println(change.MemberScope())
	// Output:
	// true <nil>
	// [map[value:u1]] [map[value:u2]]
	// [u2 u1] false
}

func ExampleParseFilter() {
	_, err := scim.ParseFilter(`userName is "x"`)
	if e, ok := scim.AsError(err); ok {
		fmt.Println(e.Status, e.Type, e.Detail)
	}
	// Output: 400 invalidFilter at position 10: expected an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr), found "is"
}
