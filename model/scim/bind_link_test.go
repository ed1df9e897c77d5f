package scim

import "testing"

func TestLinksInFilters(t *testing.T) {
	t.Parallel()
	user, group := userType(t), groupType(t)
	r := testUser()
	r.Attrs["groups"] = []any{map[string]any{"value": "G 1"}}
	doc := user.SearchDoc(r)
	team := group.SearchDoc(Resource{ID: "G 1", Attrs: map[string]any{"displayName": "x", "members": []any{
		map[string]any{"value": "U1", "type": "User"}}}})
	for _, tt := range []struct {
		rt     *ResourceType
		filter string
		want   bool
	}{
		{user, `meta.location eq "https://h.test/scim/v2/Users/U1"`, true},
		{user, `meta.location eq "/Users/U1"`, true},
		{user, `META.LOCATION ne "https://h.test/scim/v2/Users/U1"`, false},
		{user, `meta.location eq "https://h.test/scim/v2/Groups/U1"`, false},
		{user, `meta.location ne "nonsense"`, true},
		{user, `meta.location eq "/Users/"`, false},
		{user, `meta.location pr`, true},
		{user, `meta.location eq null`, false},
		{user, `groups.$ref eq "https://h.test/Groups/G%201"`, true},
		{user, `groups[$ref eq "../Groups/G%201"]`, true},
		{user, `groups[$ref eq "../Groups/G%201" and value eq "other"]`, false},
		{user, `groups.$ref pr`, true},
		{group, `members.$ref eq "https://h.test/Users/U1"`, true},
		{group, `members[$ref ne "https://h.test/Users/U1"]`, false},
		{group, `members.$ref eq "U1"`, false},
	} {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		bound, err := Bind(f, tt.rt)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		d := doc
		if tt.rt == group {
			d = team
		}
		if got := bound.Match(d); got != tt.want {
			t.Errorf("%s, bound %s: %v", tt.filter, bound, got)
		}
		if again, err := Bind(bound, tt.rt); err != nil || again.String() != bound.String() {
			t.Errorf("%s: bound again %v, %v", bound, again, err)
		}
	}
	for _, s := range []string{`meta.location sw "https://"`, `meta.location gt "x"`, `groups.$ref co "x"`, `meta.location eq 7`} {
		_, err := plainDialect().ParseFilter(s, user)
		wantFault(t, s, err, InvalidFilter, "compared with")
	}
}
