package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/policy"
)

func TestRelied(t *testing.T) {
	t.Parallel()
	const dept = scim.URNEnterprise + ":department"
	e := compile(t, `
roles:
  a: {when: 'user.active && user.enterprise.department == "IT"', deny: 'user.title == "Bot"'}
  b: {when: 'user.enterprise.department in ["IT", "HR"] && user.emails[0].value != "x" && "g" in user.groups'}
  c: {when: 'has(user.userType) && user.userType != "Guest" && user.nickName != "" && user.nickName < "m"'}
  d: {when: 'user.ext["urn:acme:2.0:User"].level == 3 && user.ext["urn:acme:2.0:User"].badge != null && user.ext["urn:acme:2.0:User"].badge != "b"'}
  e: {when: '"urn:acme:2.0:User" in user.ext && user.ext["urn:acme:2.0:User"].flag == true || "level" in user.ext["urn:acme:2.0:User"]'}
  f: {when: 'has(user.name) && user.name.familyName == "X" || user.name == user.name || user.enterprise.manager.value == "7"'}
  g: {when: 'user.externalId == "x" && user.emails.exists(e, e.value == user.displayName)'}
  h: {inherits: [a]}
`)
	want := []policy.Relied{
		{Attribute: "displayName", Roles: []string{"g"}},
		{Attribute: "externalId", Roles: []string{"g"}},
		{Attribute: "title", Roles: []string{"a"}},
		{Attribute: "urn:acme:2.0:User:level", Roles: []string{"d"}},
		{Attribute: dept, Roles: []string{"a", "b"}},
		{Attribute: scim.URNEnterprise + ":manager.value", Roles: []string{"f"}},
	}
	if diff := cmp.Diff(want, e.Relied()); diff != "" {
		t.Errorf("Relied (-want +got):\n%s", diff)
	}
	for role, want := range map[string][]string{
		"a": {"active", "title", dept},
		"b": {"emails.value", "groups", dept},
		"d": {"urn:acme:2.0:User:badge", "urn:acme:2.0:User:level"},
		"h": nil, "none": nil,
	} {
		if diff := cmp.Diff(want, e.Reads(role)); diff != "" {
			t.Errorf("Reads %s (-want +got):\n%s", role, diff)
		}
	}
	full := attrs{"displayName": "D", "externalId": "E", "title": "", "urn:acme:2.0:User": attrs{"level": 0.0},
		scim.URNEnterprise: attrs{"department": "IT", "manager": attrs{"value": nil}}}
	if diff := cmp.Diff([]policy.Relied{want[2], want[5]}, e.Missing(person(full))); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
	if got := e.Missing(person(nil)); len(got) != len(want) {
		t.Errorf("somebody of whom nothing is known lacks %v", got)
	}
}
