package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

func TestCompileFaults(t *testing.T) {
	t.Parallel()
	doc, faults := config.Parse("hub.yaml", []byte(`roles:
  a: {when: user.enterprise.depratment == "x"}
  b:
    when: 'user.active == "yes" || user.tittle == "T"'
    deny: user.title
  c:
    when: |
      user.active &&
        user.nam.familyName == "x"
  d: {when: "user.password == 'x'", unknown: 1}
  e: {when: "nobody.active"}
  f: {when: "user.title =="}
  g: {when: "user.emails.value == 'x'"}
  h: {when: 'user.active == "yes"', inherits: [none]}
targets:
  t:
    url: https://t.example.com
    scope: user.title
    user:
      userName: user.active
      active: user.title
      title: timestamp("2027-01-01T00:00:00Z")
      'emails[type eq "work"].value': user.emails[0].valu
`))
	if len(faults) == 0 {
		t.Fatal("the document has faults of its own")
	}
	e, faults := policy.Compile(1, doc)
	if e != nil {
		t.Error("an engine in spite of faults")
	}
	var got strings.Builder
	for _, f := range faults {
		got.WriteString(f.Error() + "\n")
	}
	want := `hub.yaml:2:28: roles.a.when: there is no attribute "depratment"; did you mean "department"?
hub.yaml:4:24: roles.b.when: found no matching overload for '_==_' applied to '(bool, string)'
hub.yaml:4:40: roles.b.when: there is no attribute "tittle"; did you mean "title"?
hub.yaml:5:11: roles.b.deny: gives string where bool is wanted
hub.yaml:9:13: roles.c.when: there is no attribute "nam"; did you mean "name"?
hub.yaml:10:18: roles.d.when: there is no attribute "password"
hub.yaml:10:37: roles.d.unknown: unknown key
hub.yaml:11:14: roles.e.when: undeclared reference to 'nobody'
hub.yaml:12:27: roles.f.when: Syntax error: unexpected end of the expression
hub.yaml:13:25: roles.g.when: type 'list(User.emails)' does not support field selection
hub.yaml:14:26: roles.h.when: found no matching overload for '_==_' applied to '(bool, string)'
hub.yaml:14:48: roles.h.inherits[0]: there is no role "none"
hub.yaml:18:12: targets.t.scope: gives string where bool is wanted
hub.yaml:20:17: targets.t.user.userName: gives bool where string is wanted
hub.yaml:21:15: targets.t.user.active: gives string where bool is wanted
hub.yaml:22:14: targets.t.user.title: gives timestamp, which no attribute can hold; turn it into text with string()
hub.yaml:23:53: targets.t.user['emails[type eq "work"].value']: there is no attribute "valu"; did you mean "value"?
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzCompile: no expression panics, neither when it is compiled nor when it runs,
// and whatever compiles gives a result for an empty and for a full person.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`user.active`, `user.title == "x" || user.title in ["a"]`, `user.ext["urn:acme:2.0:User"].b.c == 1.0`, `"x" in user.groups`,
		`user.emails.exists(user, user.type == "x")`, `user.name == user.name`, `dyn(user).title == ""`, `has(user.name.familyName)`,
		`user.ext == user.ext`, `size(user.ext) > 0`, `user.ext.exists(k, k != "")`, `[user][0].active`, `{"a": user}["a"].active`,
		`user.emails[user.emails[0].primary ? 0 : 1].primary`, `User{}`, `type(user) == type(user.name)`, `string(user) == ""`,
		"user.`active`", `user.x509Certificates == []`, `"%s".format([user]) == ""`, `user.ext in [user.ext]`, `user in {user: 1}`,
	} {
		f.Add(seed)
	}
	full := person(attrs{
		"userName": "u", "title": "x", "name": attrs{"familyName": "n"}, "emails": []any{attrs{"value": "v", "primary": true}},
		"urn:acme:2.0:User": attrs{"b": attrs{"c": 1.0}, "tags": []any{1.0, "x", nil}},
	}, "x")
	f.Fuzz(func(t *testing.T, rule string) {
		doc := parse(`roles: {a: {}} # ext["urn:acme:2.0:User"]`)
		doc.Roles[0].When = rule
		e, faults := policy.Compile(1, doc)
		if (e == nil) == (len(faults) == 0) {
			t.Fatal("neither engine nor faults")
		}
		if e == nil {
			return
		}
		for _, i := range []struct{ full bool }{{false}, {true}} {
			who := person(nil)
			if i.full {
				who = full
			}
			r := e.Evaluate(who, nil, today)
			if len(r.Grants)+len(r.Undecided) > 1 || len(r.Undecided) != len(r.Errors) {
				t.Fatalf("%+v", r)
			}
			for _, g := range r.Grants {
				policy.ReasonText(g.Because[0])
			}
			x, err := e.Casbin()
			if err != nil {
				t.Fatal(err)
			}
			if len(x.Left) == 0 {
				sameAnswers(t, e, x, memoryEnforcer(t, x), who, nil)
			}
		}
	})
}

// TestExtensionFaults: below user.ext nothing is typed, and what cannot be meant is
// found all the same.
func TestExtensionFaults(t *testing.T) {
	t.Parallel()
	_, faults := policy.Compile(1, parse(`roles:
  a: {when: 'user.ext["urn:acme:2.0:Usr"].level == 3'}
  b: {when: 'user.active && user.ext["urn:acme:2.0:User"].leval == 3'}
  c: {when: 'user.ext["urn:nobody:knows"].x == "y"'}
  d: {when: 'user.ext["URN:acme:2.0:User"].level == 3'}
  e: {when: 'user.ext["urn:acme:2.0:User"].level == "3"'}
  f: {when: '"x" != user.ext["urn:acme:2.0:User"].tags'}
  g: {when: 'has(user.ext["urn:acme:2.0:User"].b.d)'}
  h: {when: 'user.ext["urn:acme:2.0:User"].pin == "1234"'}
  i: {when: 'user.ext["urn:acme:2.0:User"].flag == true && user.ext["urn:acme:2.0:User"].b.c == 1 && user.ext["urn:acme:2.0:User"].badge != null'}
  j: {when: 'user.emails.exists(e, e.value == user.ext["urn:acme:2.0:User"].badg)'}
  k: {when: 'user.groups.exists(user, user == "x")'}
targets: {t: {url: https://t.example.com, user: {title: 'user.ext["urn:acme:2.0:User"].tags[0].x'}}}
`))
	var got strings.Builder
	for _, f := range faults {
		got.WriteString(f.Error() + "\n")
	}
	want := `hub.yaml:2:42: roles.a.when: User has no extension "urn:acme:2.0:Usr"; did you mean "urn:acme:2.0:User"?
hub.yaml:3:58: roles.b.when: urn:acme:2.0:User has no attribute "leval"; did you mean "level"?
hub.yaml:4:42: roles.c.when: User has no extension "urn:nobody:knows"; name its schema under schemas, and the extension of User under resource_types
hub.yaml:5:43: roles.d.when: User has no extension "URN:acme:2.0:User"; did you mean "urn:acme:2.0:User"?
hub.yaml:6:50: roles.e.when: level is of type integer and never equals a string
hub.yaml:7:18: roles.f.when: tags is a list and never equals a string
hub.yaml:8:17: roles.g.when: urn:acme:2.0:User has no attribute "d"; did you mean "c"?
hub.yaml:9:43: roles.h.when: urn:acme:2.0:User has no attribute "pin"
hub.yaml:11:76: roles.j.when: urn:acme:2.0:User has no attribute "badg"; did you mean "badge"?
hub.yaml:13:95: targets.t.user.title: urn:acme:2.0:User has no attribute "x"
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
