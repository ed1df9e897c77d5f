package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/scim"
)

func addresses(from, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`{"value":"a%d@example.com"}`, from+i)
	}
	return "[" + strings.Join(out, ",") + "]"
}

// TestMaxElements: a list has a limit, however it comes to grow; members have none.
func TestMaxElements(t *testing.T) {
	t.Parallel()
	user, group := kind(t, "User"), kind(t, "Group")
	d, _ := scim.DialectNamed("rfc")
	body := func(n int) []byte {
		return []byte(`{"schemas":["` + scim.URNUser + `"],"userName":"mira","emails":` + addresses(0, n) + `}`)
	}
	attrs, err := user.Decode(body(scim.MaxElements), d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = user.Decode(body(scim.MaxElements+1), d)
	wantFault(t, err, scim.InvalidValue, "emails: has more than 1000 values")
	ops, err := scim.ParsePatch([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":[{"op":"add","path":"emails","value":`+addresses(scim.MaxElements, 1)+`}]}`), user, d)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = scim.Change{Patch: ops, Dialect: d}.Apply(user, scim.Resource{ID: "1", Attrs: attrs})
	wantFault(t, err, scim.InvalidValue, "emails: has more than 1000 values")
	if _, err := group.Decode([]byte(`{"schemas":["`+scim.URNGroup+`"],"displayName":"all","members":`+addresses(0, 2*scim.MaxElements)+`}`), d); err != nil {
		t.Error(err)
	}
}

// TestBlankIsNothing: a required text of blanks is not there.
func TestBlankIsNothing(t *testing.T) {
	t.Parallel()
	user := kind(t, "User")
	d, _ := scim.DialectNamed("rfc")
	_, err := user.Decode([]byte(`{"schemas":["`+scim.URNUser+`"],"userName":" \t "}`), d)
	wantFault(t, err, scim.InvalidValue, "userName: is required")
	ops, err := scim.ParsePatch([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":[{"op":"replace","path":"userName","value":"  "}]}`), user, d)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = scim.Change{Patch: ops, Dialect: d}.Apply(user, scim.Resource{ID: "1", Attrs: map[string]any{"userName": "mira"}})
	wantFault(t, err, scim.InvalidValue, "userName: is required")
}

// TestRemoveNobody: a value that names no member never stands for all of them.
func TestRemoveNobody(t *testing.T) {
	t.Parallel()
	group := kind(t, "Group")
	for _, name := range scim.DialectNames() {
		d, _ := scim.DialectNamed(name)
		_, err := scim.ParsePatch([]byte(`{"schemas":["`+scim.URNPatchOp+`"],"Operations":[{"op":"remove","path":"members","value":{}}]}`), group, d)
		wantFault(t, err, scim.InvalidValue, "members")
	}
}

func kind(t *testing.T, name string) *scim.ResourceType {
	t.Helper()
	rt, ok := scim.DefaultRegistry().Type(name)
	if !ok {
		t.Fatal(name)
	}
	return rt
}

func wantFault(t *testing.T, err error, scimType, text string) {
	t.Helper()
	e, ok := scim.AsError(err)
	if !ok || e.Status != 400 || e.Type != scimType || !strings.Contains(e.Detail, text) {
		t.Errorf("got %v, want 400 %s %s", err, scimType, text)
	}
}
