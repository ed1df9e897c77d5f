package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
)

func TestDisagree(t *testing.T) {
	t.Parallel()
	const ext = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	hr := model.SourceResource{Source: "hr", ID: "1", Attrs: map[string]any{"userName": "ada", "title": "Engineer", "nickName": "",
		"id": "1", "name": map[string]any{"familyName": "Byron", "givenName": "Ada"}, ext: map[string]any{"department": "R&D"}, "emails": []any{map[string]any{"value": "a@x"}}}}
	okta := model.SourceResource{Source: "okta", ID: "2", Attrs: map[string]any{"userName": "ada", "title": "Lead", "nickName": "al",
		"id": "2", "name": map[string]any{"familyName": "Lovelace"}, ext: map[string]any{"department": "R&D", "division": "X"}, "emails": []any{map[string]any{"value": "a@x"}}}}
	other := model.SourceResource{Source: "hr", ID: "0", Attrs: map[string]any{"title": "Engineer"}}
	got := model.Disagree([]model.SourceResource{okta, hr, other})
	want := map[string][]model.Said{
		"title":           {{"hr", "0", "Engineer"}, {"hr", "1", "Engineer"}, {"okta", "2", "Lead"}},
		"name.familyName": {{"hr", "1", "Byron"}, {"okta", "2", "Lovelace"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := model.Disagree([]model.SourceResource{hr}); len(got) > 0 {
		t.Errorf("one source disagrees with itself: %v", got)
	}
}

// TestWordOnActive: absent active means active, unless somebody else has the word on it.
func TestWordOnActive(t *testing.T) {
	t.Parallel()
	hr := func(attrs map[string]any) model.SourceResource {
		return model.SourceResource{Source: "hr", Attrs: attrs}
	}
	okta := func(attrs map[string]any) model.SourceResource {
		return model.SourceResource{Source: "okta", Attrs: attrs}
	}
	ada := map[string]any{"userName": "ada"}
	adaActive := map[string]any{"userName": "ada", "active": true}
	adaGone := map[string]any{"userName": "ada", "active": false}
	for name, c := range map[string]struct {
		authority map[string][]string
		resources []model.SourceResource
		enabled   bool
		origin    string
	}{
		"nobody has the word":               {nil, []model.SourceResource{okta(ada)}, true, ""},
		"a star is no word on active":       {map[string][]string{"*": {"hr"}}, []model.SourceResource{okta(adaActive)}, true, ""},
		"hr has it and is not there":        {map[string][]string{"active": {"hr"}}, []model.SourceResource{okta(adaActive)}, false, "hr"},
		"neither of two is there":           {map[string][]string{"Active": {"hr", "payroll"}}, []model.SourceResource{okta(ada)}, false, "hr"},
		"hr has it and says nothing":        {map[string][]string{"active": {"hr"}}, []model.SourceResource{hr(ada), okta(adaGone)}, true, ""},
		"hr has it and says no":             {map[string][]string{"active": {"hr"}}, []model.SourceResource{hr(adaGone), okta(adaActive)}, false, "hr"},
		"hr dropped it, the next speaks":    {map[string][]string{"active": {"hr", "okta"}}, []model.SourceResource{hr(ada), okta(adaGone)}, false, "okta"},
		"the first is not there, the other": {map[string][]string{"active": {"hr", "okta"}}, []model.SourceResource{okta(adaActive)}, true, "okta"},
		"nobody is listed":                  {map[string][]string{"active": {}}, []model.SourceResource{okta(adaActive)}, true, ""},
		"nobody describes the person":       {map[string][]string{"active": {"hr"}}, nil, true, ""},
	} {
		user, origin := model.Merge(c.resources, c.authority, []string{"hr", "okta"})
		if got := (model.Identity{User: user}).Enabled(); got != c.enabled || origin["active"] != c.origin {
			t.Errorf("%s: enabled %v from %q, want %v from %q", name, got, origin["active"], c.enabled, c.origin)
		}
	}
}
