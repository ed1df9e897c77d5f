package fanout

import (
	"testing"

	"github.com/scimhub/scimhub/model"
)

// Several owned attributes are parts of one element: it is made once, whatever is there
// of it already stays, and it goes with the last part unless it holds something else.
func TestClientElements(t *testing.T) {
	t.Parallel()
	const street, town = `addresses[type eq "work"].streetAddress`, `addresses[type eq "work"].locality`
	with := func(attrs map[string]any) model.Account {
		return model.Account{UserName: "anna", Active: true, Attrs: attrs}
	}
	both, one, none := with(map[string]any{street: "S", town: "T"}), with(map[string]any{town: "T"}), with(nil)
	role := with(map[string]any{`roles[value eq "r"].display`: "R"})
	patch := func(ops string) exchange {
		return exchange{"PATCH", "/Users/7", patchOpHead + ops + `]}`, 204, nil, ""}
	}
	read := func(rest string) exchange { return exchange{"GET", "/Users/7", "", 200, nil, `{"id":"7"` + rest + `}`} }
	for _, tt := range []struct {
		name          string
		before, after model.Account
		list          []exchange
	}{
		{"made once", none, both, []exchange{read(""), patch(`{"op":"add","path":"addresses","value":[{"type":"work","locality":"T","streetAddress":"S"}]}`)}},
		{"there with what others wrote", none, one, []exchange{read(`,"addresses":[{"type":"work","region":"R"}]`),
			patch(`{"op":"add","path":"addresses[type eq \"work\"].locality","value":"T"}`)}},
		{"there with what is owned", one, both, []exchange{patch(`{"op":"add","path":"addresses[type eq \"work\"].streetAddress","value":"S"}`)}},
		{"a part goes", both, one, []exchange{patch(`{"op":"remove","path":"addresses[type eq \"work\"].streetAddress"}`)}},
		{"the last part goes", both, none, []exchange{read(`,"addresses":[{"type":"work","locality":"T","streetAddress":"S"}]`),
			patch(`{"op":"remove","path":"addresses[type eq \"work\"].locality"},{"op":"remove","path":"addresses[type eq \"work\"]"}`)}},
		{"what others wrote stays", one, none, []exchange{read(`,"addresses":[{"type":"work","locality":"T","region":"R"}]`),
			patch(`{"op":"remove","path":"addresses[type eq \"work\"].locality"}`)}},
		{"a role is one without its name", role, none, []exchange{read(`,"roles":[{"value":"r","display":"R"}]`),
			patch(`{"op":"remove","path":"roles[value eq \"r\"].display"}`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := script(t, generic(t), model.Auth{}, tt.list...).Update(t.Context(), "7", tt.before, tt.after); err != nil {
				t.Error(err)
			}
		})
	}
}
