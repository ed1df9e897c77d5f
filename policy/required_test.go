package policy_test

import (
	"slices"
	"testing"
)

// TestRequired: the absence of what everybody should have decides nothing.
func TestRequired(t *testing.T) {
	t.Parallel()
	const department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:Department"
	e := compile(t, `identity: {required: ["`+department+`", "name.familyName"]}
roles:
  sales: {when: user.enterprise.department == "Sales", inherits: [crm]}
  crm: {}
  named: {when: user.name.familyName.startsWith("A")}
  guarded: {when: user.active, deny: user.enterprise.department == "Legal"}
  titled: {when: user.title == "Boss"}
`)
	enterprise := "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	tests := []struct {
		name            string
		user            attrs
		held, undecided []string
	}{
		{"all there", attrs{enterprise: attrs{"department": "Sales"}, "name": attrs{"familyName": "Ash"}}, []string{"crm", "guarded", "named", "sales"}, nil},
		{"there, and another", attrs{enterprise: attrs{"department": "Legal"}, "name": attrs{"familyName": "Birch"}}, nil, nil},
		{"department absent", attrs{"name": attrs{"familyName": "Ash"}}, []string{"named"}, []string{"crm", "guarded", "sales"}},
		{"department empty", attrs{enterprise: attrs{"department": ""}, "name": attrs{"familyName": "Ash"}}, []string{"named"}, []string{"crm", "guarded", "sales"}},
		{"name absent", attrs{enterprise: attrs{"department": "Sales"}}, []string{"crm", "guarded", "sales"}, []string{"named"}},
		{"inactive all the same", attrs{"active": false}, nil, []string{"crm", "named", "sales"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := e.Evaluate(person(tt.user), nil, today)
			var held []string
			for _, g := range r.Grants {
				held = append(held, g.Role)
			}
			if !slices.Equal(held, tt.held) || !slices.Equal(r.Undecided, tt.undecided) || len(r.Errors) > 0 {
				t.Errorf("held %v, undecided %v, errors %v", held, r.Undecided, r.Errors)
			}
		})
	}
}
