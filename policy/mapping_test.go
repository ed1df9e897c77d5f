package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

func fullUser() attrs {
	return attrs{
		"schemas": []any{scim.URNUser, scim.URNEnterprise}, "userName": "ann", "externalId": "17", "active": false, "password": "x",
		"displayName": "Ann E", "title": "", "preferredLanguage": "de", "nickName": "A",
		"name":         attrs{"givenName": "Ann", "familyName": "E"},
		"emails":       []any{attrs{"value": "ann@example.com", "type": "work", "primary": true, "$ref": "x"}},
		"phoneNumbers": []any{attrs{"value": "123"}},
		scim.URNEnterprise: attrs{
			"department": "IT", "manager": attrs{"value": "m1", "displayName": "Boss", "$ref": "../Users/m1"},
		},
		"urn:acme:2.0:User": attrs{"level": int64(3), "ratio": 0.5, "tags": []any{"a", "", "b"}, "deep": attrs{"x": int64(1)}},
	}
}

func TestDefaultMapping(t *testing.T) {
	t.Parallel()
	e := compile(t, `targets: {t: {url: https://t.example.com}}`)
	got, err := e.Map("t", person(fullUser()))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Account{UserName: "ann", Active: true, Attrs: attrs{
		"displayName": "Ann E", "externalId": "17", "preferredLanguage": "de", "nickName": "A",
		"name.givenName": "Ann", "name.familyName": "E",
		"emails":                           []any{attrs{"value": "ann@example.com", "type": "work", "primary": true}},
		scim.URNEnterprise + ":department": "IT", // and no manager, whose id is the source's
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err = e.Map("t", person(attrs{"userName": "bob"}))
	if diff := cmp.Diff(model.Account{UserName: "bob", Active: true, Attrs: attrs{}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestCustomMapping(t *testing.T) {
	t.Parallel()
	e := compile(t, `
targets:
  t:
    url: https://t.example.com
    user:
      userName: user.emails[0].value.lowerAscii()
      active: user.active
      'emails[type eq "work"].value': user.emails[0].value
      name: user.name
      title: user.title
      nickName: 'null'
      displayName: user.name.givenName + " " + user.name.familyName
      emails: user.emails.filter(e, e.primary)
      phoneNumbers: '[]'
      "urn:acme:2.0:User:level": user.ext["urn:acme:2.0:User"].level
      "urn:acme:2.0:User:count": size(user.emails)
      "urn:acme:2.0:User:half": '0.5'
      "urn:acme:2.0:User:tags": user.ext["urn:acme:2.0:User"].tags
      "urn:acme:2.0:User:none": user.ext["urn:beta:2.0:User"].x
      "urn:acme:2.0:User:map": '{"a": [1, 2], "b": user.groups}'
      "urn:acme:2.0:User:flag": 'true'
`)
	u := fullUser()
	u["emails"].([]any)[0].(attrs)["value"] = "ANN@example.com"
	got, err := e.Map("t", person(u, "g"))
	if err != nil {
		t.Fatal(err)
	}
	mail := attrs{"value": "ANN@example.com", "type": "work", "primary": true, "$ref": "x"}
	want := model.Account{UserName: "ann@example.com", Active: false, Attrs: attrs{
		`emails[type eq "work"].value`: "ANN@example.com",
		"name":                         attrs{"givenName": "Ann", "familyName": "E"},
		"displayName":                  "Ann E",
		"emails":                       []any{mail},
		"urn:acme:2.0:User:level":      3.0, "urn:acme:2.0:User:count": 1.0, "urn:acme:2.0:User:half": 0.5,
		"urn:acme:2.0:User:tags": []any{"a", "b"}, "urn:acme:2.0:User:flag": true,
		"urn:acme:2.0:User:map": attrs{"a": []any{1.0, 2.0}, "b": []any{"g"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back model.Account
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, back); diff != "" {
		t.Errorf("does not survive JSON:\n%s", diff)
	}
	got.Attrs["name"].(attrs)["givenName"] = "changed"
	if u["name"].(attrs)["givenName"] != "Ann" {
		t.Error("the account shares values with the identity")
	}
}

func TestMapErrors(t *testing.T) {
	t.Parallel()
	e := compile(t, `
targets:
  plain: {url: https://t.example.com}
  first: {url: https://t.example.com, user: {title: 'user.emails[0].value'}}
  nameless: {url: https://t.example.com, user: {userName: 'user.title'}}
  odd: {url: https://t.example.com, user: {title: '0.0 / 0.0', active: 'user.ext["urn:beta:2.0:User"].x'}}
`)
	tests := []struct{ target, want string }{
		{"plain", "has no userName"},
		{"first", "user title: user.emails[0].value: index out of bounds"},
		{"nameless", "has no userName"},
		{"odd", "target odd: user active: gives no boolean"},
		{"none", `there is no target "none"`},
	}
	for _, tt := range tests {
		account, err := e.Map(tt.target, person(attrs{}))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.target, err, tt.want)
		}
		if account.Active || account.Attrs != nil {
			t.Errorf("%s: an account beside an error: %+v", tt.target, account)
		}
	}
}

func TestInScope(t *testing.T) {
	t.Parallel()
	e := compile(t, `
targets:
  all: {url: https://t.example.com}
  some: {url: https://t.example.com, scope: 'user.title == "T"'}
  fails: {url: https://t.example.com, scope: 'user.emails[0].value == "x"'}
`)
	tests := []struct {
		target, title string
		want, fails   bool
	}{
		{target: "all", want: true},
		{target: "some", title: "T", want: true},
		{target: "some", title: "U"},
		{target: "fails", fails: true},
		{target: "none", fails: true},
	}
	for _, tt := range tests {
		got, err := e.InScope(tt.target, person(attrs{"title": tt.title}))
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s %q: %v, %v", tt.target, tt.title, got, err)
		}
	}
}
