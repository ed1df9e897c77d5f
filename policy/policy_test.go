package policy_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/policy"
)

type attrs = map[string]any

var today = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

// compile makes an engine of a text that must be right.
func compile(t testing.TB, text string) *policy.Engine {
	t.Helper()
	e, faults := policy.Compile(7, parse(text))
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	return e
}

// parse reads a text; one that names extensions has their schemas with it.
func parse(text string) *config.Document {
	if strings.Contains(text, `ext["urn:`) {
		text += "\nschemas: [ext.json]\nresource_types: [user.json]\n"
	}
	files := map[string]string{"ext.json": `[
{"id": "urn:acme:2.0:User", "name": "X", "attributes": [{"name": "level", "type": "integer"}, {"name": "badge", "type": "string"},
  {"name": "none", "type": "string"}, {"name": "pin", "type": "string", "returned": "never"}, {"name": "flag", "type": "boolean"},
  {"name": "tags", "type": "string", "multiValued": true}, {"name": "b", "type": "complex", "subAttributes": [{"name": "c", "type": "decimal"}]}]},
{"id": "urn:beta:2.0:User", "name": "Y", "attributes": [{"name": "x", "type": "string"}]}]`,
		"user.json": `{"name": "User", "endpoint": "/Users", "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
 "schemaExtensions": [{"schema": "urn:acme:2.0:User", "required": false}, {"schema": "urn:beta:2.0:User", "required": false}]}`}
	doc, _ := config.Parse("hub.yaml", config.Bundle([]byte(text), func(file string) ([]byte, error) { return []byte(files[file]), nil }))
	return doc
}

func person(user attrs, groups ...string) model.Identity {
	i := model.Identity{ID: "i1", User: user, Origin: map[string]string{"title": "hr", "name": "hr", scim.URNEnterprise: "hr", "userName": "entra"}}
	for _, g := range groups {
		i.Groups = append(i.Groups, model.Membership{Source: "entra", Display: g})
	}
	return i
}

// summary is a result as lines: what is held and why, what is denied, undecided, failed.
func summary(r policy.Result) string {
	var b strings.Builder
	for _, g := range r.Grants {
		for _, reason := range g.Because {
			b.WriteString(g.Role + " because " + policy.ReasonText(reason) + "\n")
		}
	}
	for _, d := range r.Denied {
		b.WriteString(d.Role + " denied because " + policy.ReasonText(d.Because[0]) + "\n")
	}
	for _, u := range r.Undecided {
		b.WriteString(u + " undecided\n")
	}
	for _, e := range r.Errors {
		b.WriteString("error in " + e.Role + "\n")
	}
	return b.String()
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	const fails = `'user.emails[0].value == "x"'` // for whom has no email
	tests := map[string]struct {
		roles  string
		user   attrs
		groups []string
		want   string
	}{
		"nothing at all": {roles: `{}`, want: ""},
		"absent active is true, and other attributes are empty": {
			roles: `{a: {when: user.active}, b: {when: 'user.title == ""'}, c: {when: 'user.name.familyName == "" && size(user.emails) == 0 && user.enterprise.manager.value == ""'},
			  d: {when: 'has(user.title) || has(user.name) || has(user.enterprise.department)'}}`,
			want: `a because role a: user.active (active true)
b because role b: user.title == "" (no title)
c because role c: user.name.familyName == "" && size(user.emails) == 0 && user.enterprise.manager.value == "" (no emails, no manager.value, no name.familyName)
`,
		},
		"inherited": {
			roles: `{employee: {}, engineer: {when: 'user.title == "Dev"', inherits: [employee]}, lead: {when: 'user.title == "Lead"', inherits: [engineer]}}`,
			user:  attrs{"title": "Lead"},
			want: `employee because role lead, which includes engineer, and so employee: user.title == "Lead" (title "Lead" from hr)
engineer because role lead, which includes engineer: user.title == "Lead" (title "Lead" from hr)
lead because role lead: user.title == "Lead" (title "Lead" from hr)
`,
		},
		"every reason": {
			roles:  `{employee: {when: user.active}, a: {when: '"g" in user.groups', inherits: [employee]}, b: {when: 'user.title != "x"', inherits: [employee]}}`,
			user:   attrs{"title": "Dev", "active": true},
			groups: []string{"f", "g"},
			want: `a because role a: "g" in user.groups (groups ["f", "g"] from entra)
b because role b: user.title != "x" (title "Dev" from hr)
employee because role employee: user.active (active true)
employee because role a, which includes employee: "g" in user.groups (groups ["f", "g"] from entra)
employee because role b, which includes employee: user.title != "x" (title "Dev" from hr)
`,
		},
		"diamond: one reason a rule, by the shortest way": {
			roles: `{base: {}, left: {inherits: [base]}, right: {inherits: [base]}, top: {when: user.active, inherits: [right, left, base]}}`,
			want: `base because role top, which includes base: user.active (active true)
left because role top, which includes left: user.active (active true)
right because role top, which includes right: user.active (active true)
top because role top: user.active (active true)
`,
		},
		"deny wins over the rule": {
			roles:  `{a: {when: user.active, deny: '"bad" in user.groups', inherits: [b]}, b: {}}`,
			groups: []string{"bad"},
			want:   "a denied because role a: \"bad\" in user.groups (groups [\"bad\"] from entra)\n",
		},
		"deny wins over inheritance, and nothing follows from what is denied": {
			roles: `{a: {when: user.active, inherits: [b]}, b: {deny: user.active, inherits: [c]}, c: {}}`,
			want: `a because role a: user.active (active true)
b denied because role b: user.active (active true)
`,
		},
		"deny that does not match": {
			roles: `{a: {when: user.active, deny: '!user.active'}}`,
			want:  "a because role a: user.active (active true)\n",
		},
		"denied though nothing gave it": {roles: `{a: {deny: user.active}}`, want: ""},
		"a failing rule leaves its role, and what only it implies, undecided": {
			roles: `{a: {when: ` + fails + `, inherits: [b, c]}, b: {}, c: {when: user.active, inherits: [d]}, d: {}, e: {when: user.active}}`,
			want: `c because role c: user.active (active true)
d because role c, which includes d: user.active (active true)
e because role e: user.active (active true)
a undecided
b undecided
error in a
`,
		},
		"a failing deny leaves the role undecided only if something gives it": {
			roles: `{a: {when: user.active, deny: ` + fails + `}, b: {deny: ` + fails + `}}`,
			want:  "a undecided\nerror in a\nerror in b\n",
		},
		"denied for sure, whatever the failing rule would say": {
			roles: `{a: {when: ` + fails + `, deny: user.active, inherits: [b]}, b: {}}`,
			want:  "error in a\n",
		},
		"false beside an error is false": {
			roles: `{a: {when: '!user.active && user.emails[0].value == "x"'}}`,
			want:  "",
		},
		"index: values, lists, groups, alternatives": {
			roles: `{a: {when: 'user.title == "Dev"'}, b: {when: '"Dev" == user.title && user.active'}, c: {when: 'user.title in ["Ops", "Dev"]'},
			  d: {when: '"g2" in user.groups'}, e: {when: 'user.title == "Ops" || user.title == "Dev"'}, f: {when: 'user.title == "Ops" || user.active'},
			  g: {when: 'user.title == "Ops"'}, h: {when: '"g3" in user.groups'}, i: {when: '!(user.title == "Ops")'}}`,
			user: attrs{"title": "Dev"}, groups: []string{"g1", "g2", "g2"},
			want: `a because role a: user.title == "Dev" (title "Dev" from hr)
b because role b: "Dev" == user.title && user.active (active true, title "Dev" from hr)
c because role c: user.title in ["Ops", "Dev"] (title "Dev" from hr)
d because role d: "g2" in user.groups (groups ["g1", "g2", "g2"] from entra)
e because role e: user.title == "Ops" || user.title == "Dev" (title "Dev" from hr)
f because role f: user.title == "Ops" || user.active (active true, title "Dev" from hr)
i because role i: !(user.title == "Ops") (title "Dev" from hr)
`,
		},
		"index: an attribute of the wrong type fails its rules, not others": {
			roles: `{a: {when: 'user.title == "Dev"'}, b: {when: 'user.title == "Ops" && !user.active'}, c: {when: user.active}}`,
			user:  attrs{"title": 5.0},
			want:  "c because role c: user.active (active true)\na undecided\nerror in a\n",
		},
		"extensions": {
			roles: `{a: {when: 'user.ext["urn:acme:2.0:User"].level == 3'}, b: {when: 'user.ext["urn:acme:2.0:User"].badge == "b"'},
			  c: {when: 'user.ext["urn:beta:2.0:User"].x == "y"'}, d: {when: 'has(user.ext["urn:acme:2.0:User"].level)'}, e: {when: 'has(user.ext["urn:acme:2.0:User"].none)'}}`,
			user: attrs{"urn:acme:2.0:User": attrs{"level": int64(3), "badge": "b"}},
			want: `a because role a: user.ext["urn:acme:2.0:User"].level == 3 (level 3)
b because role b: user.ext["urn:acme:2.0:User"].badge == "b" (badge "b")
d because role d: has(user.ext["urn:acme:2.0:User"].level) (level 3)
`,
		},
		"lists": {
			roles: `{a: {when: 'user.emails.exists(e, e.type == "work" && e.value.endsWith("@example.com"))'}, b: {when: 'user.emails[0].primary'}}`,
			user:  attrs{"emails": []any{attrs{"type": "work", "value": "a@example.com"}}},
			want: `a because role a: user.emails.exists(e, e.type == "work" && e.value.endsWith("@example.com")) (emails ["a@example.com"])
`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := compile(t, "roles: "+strings.Join(strings.Fields(tt.roles), " ")).Evaluate(person(tt.user, tt.groups...), nil, today)
			if diff := cmp.Diff(tt.want, summary(r)); diff != "" {
				t.Errorf("(-want +got):\n%s\nerrors: %v", diff, r.Errors)
			}
			for _, g := range r.Grants {
				if g.Identity != "i1" || !g.From.Equal(today) || g.Because[0].Version != 7 {
					t.Errorf("grant %+v", g)
				}
			}
		})
	}
}

func TestReasonHoldsOnlyWhatWasRead(t *testing.T) {
	t.Parallel()
	e := compile(t, `roles: {a: {when: 'user.enterprise.department == "IT" && user.emails[0].value != "" && user.name.familyName != "x"'}}`)
	i := person(attrs{
		"userName": "ann", "password": "hunter2", "name": attrs{"familyName": "Ann", "givenName": "secret"},
		"emails": []any{attrs{"value": "a@x", "type": "work"}}, scim.URNEnterprise: attrs{"department": "IT", "costCenter": "9"},
	})
	want := []model.Reason{{
		Role: "a", Version: 7,
		Rule:    `user.enterprise.department == "IT" && user.emails[0].value != "" && user.name.familyName != "x"`,
		Facts:   attrs{"enterprise.department": "IT", "emails[0].value": "a@x", "name.familyName": "Ann"},
		Sources: map[string]string{"enterprise.department": "hr", "name.familyName": "hr"},
	}}
	if diff := cmp.Diff(want, e.Evaluate(i, nil, today).Grants[0].Because); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReasonText(t *testing.T) {
	t.Parallel()
	tests := map[string]model.Reason{
		`role engineer: user.enterprise.department == "Engineering" (department "Engineering" from hr)`: {
			Role: "engineer", Rule: `user.enterprise.department == "Engineering"`,
			Facts: attrs{"enterprise.department": "Engineering"}, Sources: map[string]string{"enterprise.department": "hr"},
		},
		`role x: request r1 approved`: {Role: "x", Request: "r1"},
		`member of group app-git`:     {Group: "app-git"},
		`role x: a && b (groups ["1", "2", "3", "4", "5", and 2 more], badge true)`: {
			Role: "x", Rule: "a &&\n  b", Facts: attrs{"groups": []any{"1", "2", "3", "4", "5", "6", "7"}, "urn:acme:2.0:User:badge": true},
		},
	}
	for want, reason := range tests {
		if got := policy.ReasonText(reason); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestHostileRules: whatever a rule does, it ends soon and hurts no other.
func TestHostileRules(t *testing.T) {
	t.Parallel()
	grow := `"` + strings.Repeat("a", 100) + `"`
	e := compile(t, `
roles:
  loops: {when: 'user.groups.exists(a, user.groups.exists(b, user.groups.exists(c, user.groups.exists(d, a+b+c+d == "x"))))'}
  grows:
    when: '`+grow+strings.Repeat(`.replace("a", `+grow+`)`, 4)+` == ""'
  fine: {when: user.active}
`)
	groups := make([]string, 300)
	for n := range groups {
		groups[n] = strings.Repeat("g", n)
	}
	r := e.Evaluate(person(attrs{}, groups...), nil, today)
	if diff := cmp.Diff([]string{"grows", "loops"}, r.Undecided); diff != "" || len(r.Grants) != 1 {
		t.Errorf("undecided (-want +got):\n%s\n%d grants", diff, len(r.Grants))
	}
	for _, err := range r.Errors {
		if !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: %v", err.Role, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	e := compile(t, `
roles: {a: {when: 'user.title == "T"', inherits: [b]}, b: {}, c: {when: user.active}}
targets: {x: {url: http://x.example, scope: user.active}}
`)
	want := summary(e.Evaluate(person(attrs{"userName": "u", "title": "T"}), nil, today))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				i := person(attrs{"userName": "u", "title": "T"})
				if got := summary(e.Evaluate(i, nil, today)); got != want {
					t.Errorf("got %s", got)
				}
				if in, err := e.InScope("x", i); !in || err != nil {
					t.Error(in, err)
				}
				if _, err := e.Map("x", i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestEntitlementsAndRoles(t *testing.T) {
	t.Parallel()
	e := compile(t, `
roles:
  b: {when: user.active, inherits: [a], grants: [{target: x, group: g}, {target: x}]}
  a: {grants: [{target: x}]}
targets: {x: {url: http://x.example}}
`)
	if diff := cmp.Diff([]model.Entitlement{{Target: "x", Group: "g"}, {Target: "x"}}, e.Entitlements("b")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, e.Roles()); diff != "" || e.Entitlements("none") != nil || e.Version() != 7 {
		t.Error(diff, e.Version())
	}
}
