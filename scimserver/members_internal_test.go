package scimserver

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
)

// TestMembersAreShownAsRendered holds the quick way to what Render shows.
func TestMembersAreShownAsRendered(t *testing.T) {
	t.Parallel()
	group, ok := scim.DefaultRegistry().Type("Group")
	if !ok {
		t.Fatal("no groups")
	}
	member := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	lists := map[string][]any{
		"none":        nil,
		"plain":       {member("value", "u1"), member("value", "0-a", "type", "User", "display", "A \"b\" \u2028 é")},
		"groups":      {member("value", "g", "type", "Group"), member("value", "G", "type", "group")},
		"odd ids":     {member("value", "a/b c%\"é\x00?"), member("value", "ÀÉ"), member("value", "_~.")},
		"own $ref":    {member("value", "u1", "$ref", "https://elsewhere.test/1")},
		"unknown":     {member("value", "u1", "note", "x")},
		"no value":    {member("display", "x"), member("value", "u1")},
		"empty":       {member(), member("value", "")},
		"other types": {"u1", member("value", 7), nil},
	}
	for name, list := range lists {
		for _, f := range []scim.Fields{
			{}, {Exclude: []scim.Path{{Attr: "displayName"}}}, {Exclude: []scim.Path{{Attr: "members"}}},
			{Include: []scim.Path{{Attr: "members", Sub: "value"}}}, {Include: []scim.Path{{Attr: "displayName"}}},
		} {
			res := scim.Resource{ID: "g7", Type: "Group", Attrs: map[string]any{"displayName": "x"}}
			if list != nil {
				res.Attrs["members"] = list
			}
			const base = "https://hub.test/<scim>/v2"
			want := decoded(t, group.Render(res, base, f))
			got := decoded(t, rendered(group, res, base, f))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %+v (-rendered +quick):\n%s", name, f, diff)
			}
			if list != nil && len(res.Attrs) != 2 {
				t.Fatalf("%s: the backend's own value was changed", name)
			}
		}
	}
}

func decoded(t *testing.T, v any) any {
	t.Helper()
	text, err := appendJSON(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}
