package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	casbinmodel "github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/persist"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/policy"
)

// fataler is a test, be it of testing or of rapid.
type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// plainEnforcer loads an export from files, as anybody would: no function is added.
func plainEnforcer(t fataler, x *policy.Export, dir string) *casbin.Enforcer {
	conf, csv := filepath.Join(dir, "model.conf"), filepath.Join(dir, "policy.csv")
	if err := os.WriteFile(conf, []byte(x.Model), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(csv, []byte(x.Policy), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := casbin.NewEnforcer(conf, csv)
	if err != nil {
		t.Fatalf("%v\n%s", err, x.Policy)
	}
	return e
}

// memoryEnforcer loads an export without files.
func memoryEnforcer(t fataler, x *policy.Export) *casbin.Enforcer {
	m, err := casbinmodel.NewModelFromString(x.Model)
	if err != nil {
		t.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(x.Policy) {
		if err := persist.LoadPolicyLine(strings.TrimSpace(line), m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	if err := e.BuildRoleLinks(); err != nil {
		t.Fatal(err)
	}
	return e
}

// overJSON is the subject as somebody reads it who has only the file.
func overJSON(t fataler, subject map[string]any) (out map[string]any) {
	b, err := json.Marshal(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameAnswers compares an enforcer with the engine, role by role.
func sameAnswers(t fataler, e *policy.Engine, x *policy.Export, enforcer *casbin.Enforcer, i model.Identity, asked []model.Request) {
	want := e.Evaluate(i, asked, today)
	subject := overJSON(t, x.Subject(i, asked, true))
	for _, role := range e.Roles() {
		got, err := enforcer.Enforce(subject, role)
		if err != nil {
			t.Fatalf("%s: %v\n%s", role, err, x.Policy)
		}
		if slices.Contains(want.Undecided, role) {
			continue
		}
		held := slices.ContainsFunc(want.Grants, func(g model.Grant) bool { return g.Role == role })
		if got != held {
			t.Fatalf("%s: Casbin says %v, the engine %v\n%s\nsubject %v\nuser %v", role, got, held, x.Policy, subject, i.User)
		}
	}
	subject["present"] = false
	if got, err := enforcer.Enforce(subject, e.Roles()[0]); got || err != nil {
		t.Fatalf("who is absent holds %s, %v", e.Roles()[0], err)
	}
}

func TestCasbinExport(t *testing.T) {
	t.Parallel()
	e := compile(t, `
roles:
  employee: {when: user.active, deny: 'user.userType == "Bot"'}
  engineer:
    when: |
      user.title == "Dev, \"Sr\"" &&
        user.enterprise.department in ["IT", "R&D"]
    deny: '"bad" in user.groups'
    inherits: [employee]
  admin: {when: 'has(user.title) && user.userName.lowerAscii().startsWith("a") || user.ext["urn:acme:2.0:User"].level == 3', approval: always, request: {approve: [manager]}}
  lead: {inherits: [engineer, staff]}
  staff: {inherits: [admin, employee]}
`)
	x, err := e.Casbin()
	if err != nil || len(x.Left) > 0 {
		t.Fatal(err, x.Left)
	}
	want := `p,admin,((r.sub.has_title && r.sub.userName_lowerAscii =~ '^a') || r.sub.ext_level == 3) && 'admin' in r.sub.approved,allow
p,admin,'admin' in r.sub.asked,allow
p,admin,'staff' in r.sub.asked && 'admin' in r.sub.approved,allow
p,admin,'lead' in r.sub.asked && 'admin' in r.sub.approved,allow
p,employee,r.sub.userType == 'Bot',deny
p,employee,r.sub.active || 'employee' in r.sub.asked,allow
p,engineer,"((r.sub.title == 'Dev, \""Sr\""' && (r.sub.enterprise_department == 'IT' || r.sub.enterprise_department == 'R&D')) || 'engineer' in r.sub.asked) && !('bad' in r.sub.groups)",allow
p,engineer,'lead' in r.sub.asked && !('bad' in r.sub.groups),allow
p,lead,'lead' in r.sub.asked,allow
p,staff,'staff' in r.sub.asked,allow
g,engineer,employee
g,lead,staff
g,staff,employee
`
	if diff := cmp.Diff(want, x.Policy); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	attributes := []policy.SubjectAttribute{
		{Name: "title", Type: "text", Expression: "user.title"},
		{Name: "enterprise_department", Type: "text", Expression: "user.enterprise.department"},
		{Name: "groups", Type: "list", Expression: "user.groups"},
		{Name: "has_title", Type: "boolean", Expression: "has(user.title)"},
		{Name: "userName_lowerAscii", Type: "text", Expression: "user.userName.lowerAscii()"},
		{Name: "ext_level", Type: "any", Expression: `user.ext["urn:acme:2.0:User"].level`},
		{Name: "active", Type: "boolean", Expression: "user.active"},
		{Name: "userType", Type: "text", Expression: "user.userType"},
	}
	if diff := cmp.Diff(attributes, x.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	plainEnforcer(t, x, t.TempDir())
}

// TestCasbinExportOfEach puts each kind of condition to people whom it matches and
// whom it does not.
func TestCasbinExportOfEach(t *testing.T) {
	t.Parallel()
	conditions := exportConditions()
	var text strings.Builder
	text.WriteString("roles:\n")
	for n, c := range conditions {
		fmt.Fprintf(&text, "  r%d:\n    when: |\n      %s\n", n, c)
	}
	e := compile(t, text.String())
	x, err := e.Casbin()
	if err != nil || len(x.Left) > 0 {
		t.Fatal(err, x.Left)
	}
	enforcer := plainEnforcer(t, x, t.TempDir())
	asked := map[string]*[2]int{} // by role: how often each answer was compared
	for _, role := range e.Roles() {
		asked[role] = &[2]int{}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 50 {
			i := drawPerson(t)
			r := e.Evaluate(i, nil, today)
			var subject map[string]any // made for those who are asked about
			for role, times := range asked {
				held := slices.ContainsFunc(r.Grants, func(g model.Grant) bool { return g.Role == role })
				answer := 0
				if held {
					answer = 1
				}
				if slices.Contains(r.Undecided, role) || times[answer] > 5 {
					continue // an enforcer reads every rule for every question
				}
				times[answer]++
				if subject == nil {
					subject = overJSON(t, x.Subject(i, nil, true))
				}
				if got, err := enforcer.Enforce(subject, role); err != nil || got != held {
					t.Fatalf("%s: Casbin says %v, %v; the engine %v\nsubject %v\nuser %v", role, got, err, held, subject, i.User)
				}
			}
		}
	})
	for n, c := range conditions {
		if times := asked[fmt.Sprintf("r%d", n)]; times[1] == 0 || times[0] == 0 && c != "true" && c != `user.title.matches("")` {
			t.Errorf("%s was false and true for so many people: %v", c, *times)
		}
	}
}

// exportConditions are conditions of all kinds over the people of drawPerson.
func exportConditions() []string {
	return []string{
		`true`,
		`user.active`,
		`user.title == "A"`,
		`user.title != "A" && !user.active`,
		`!(user.title == "A" || user.active) || user.userType == "Bot"`,
		`user.title in ["A", "it's \"r.sub\" \\ p.rule r.x"]`,
		`user.title in ["A"]`,
		`user.title in ["2027-01-01", "12:04PM", "Mon Jan  2 15:04:05 2027"]`,
		`user.title == "2027-01-01"`,
		`user.title == "12:04PM"`,
		`user.title.contains("r.sub")`,
		`user.title.startsWith("2027-01")`,
		`user.title.endsWith("01")`,
		`user.title.matches("^[A-B]$")`,
		`user.title.matches("2027-01-01")`,
		`user.title.matches("")`,
		`user.title.lowerAscii() == "a"`,
		`user.title < "B"`,
		`user.title >= user.userType`,
		`user.title == user.userType`,
		`size(user.groups) > 1`,
		`"g" in user.groups`,
		`user.title in user.groups`,
		`user.groups.exists(g, g.startsWith("app-"))`,
		`user.groups.all(g, g != "g")`,
		`user.emails.exists(e, e.type == "work" && e.value.endsWith("@x"))`,
		`user.emails.exists(e, e.primary) && user.active`,
		`user.emails[0].value == "a@x"`,
		`user.active || user.emails[0].value == "a@x"`,
		`!user.active && user.emails[0].value == "a@x"`,
		`has(user.title)`,
		`has(user.name.familyName) ? user.name.familyName == "F" : user.active`,
		`(user.active ? user.title : user.userType) == "A"`,
		`user.enterprise.department == "IT"`,
		`user.enterprise.manager.value != ""`,
		`user.ext["urn:acme:2.0:User"].level == 3`,
		`user.ext["urn:acme:2.0:User"].level != 3`,
		`user.ext["urn:acme:2.0:User"].level in [3, 4]`,
		`user.ext["urn:acme:2.0:User"].level != null && user.ext["urn:acme:2.0:User"].level > 3`,
		`user.ext["urn:acme:2.0:User"].level >= 3 || user.active`,
		`user.ext["urn:acme:2.0:User"].badge == "b"`,
		`user.ext["urn:acme:2.0:User"].flag == true`,
		`user.ext["urn:acme:2.0:User"].flag || user.active`,
		`"b" in user.ext["urn:acme:2.0:User"].tags`,
		`has(user.ext["urn:acme:2.0:User"].badge)`,
		`user.ext["urn:acme:2.0:User"].b.c == -0.5`,
		`"urn:acme:2.0:User" in user.ext`,
		`user.title + user.userType == "AA"`,
		`sets.intersects(user.groups, ["g", "h"])`,
		"user.title == \"line\\nbreak\" || user.title == \"A\"",
		`user.ext["urn:acme:2.0:User"].level == user.ext["urn:acme:2.0:User"].b.c`,
		`user.title == "ü" || user.title == "%#;[x](y)"`,
	}
}

func drawPerson(t *rapid.T) model.Identity {
	texts := rapid.SampledFrom([]any{nil, nil, "A", "A", "B", "Bot", "2027-01-01", "12:04PM", "it's \"r.sub\" \\ p.rule r.x", "ü", "%#;[x](y)", 5.0, "Mon Jan  2 15:04:05 2027", "g"})
	user := attrs{}
	put := func(into attrs, name string, v any) {
		if v != nil {
			into[name] = v
		}
	}
	put(user, "title", texts.Draw(t, "title"))
	put(user, "userType", texts.Draw(t, "userType"))
	put(user, "active", rapid.SampledFrom([]any{nil, true, false, false}).Draw(t, "active"))
	put(user, "name", rapid.SampledFrom([]any{nil, attrs{}, attrs{"familyName": "F"}, attrs{"familyName": "G"}}).Draw(t, "name"))
	put(user, scim.URNEnterprise, rapid.SampledFrom([]any{nil, attrs{"department": "IT"}, attrs{"department": "HR", "manager": attrs{"value": "7"}}}).Draw(t, "enterprise"))
	mail := func(value, kind string, primary bool) any {
		return attrs{"value": value, "type": kind, "primary": primary}
	}
	put(user, "emails", rapid.SampledFrom([]any{nil, []any{mail("a@x", "work", true)}, []any{mail("b@y", "home", false), mail("c@x", "work", false)}}).Draw(t, "emails"))
	if rapid.Bool().Draw(t, "extension") {
		ext := attrs{}
		put(ext, "level", rapid.SampledFrom([]any{nil, 3.0, 4.0, -0.5, "3", []any{3.0}}).Draw(t, "level"))
		put(ext, "badge", rapid.SampledFrom([]any{nil, "b", "c"}).Draw(t, "badge"))
		put(ext, "flag", rapid.SampledFrom([]any{nil, true, false}).Draw(t, "flag"))
		put(ext, "tags", rapid.SampledFrom([]any{nil, []any{"a"}, []any{"a", "b"}}).Draw(t, "tags"))
		put(ext, "b", rapid.SampledFrom([]any{nil, attrs{"c": -0.5}, attrs{"c": 3.0}}).Draw(t, "b"))
		user["urn:acme:2.0:User"] = ext
	}
	return person(user, rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"g", "h", "app-1", "A"}), 0, 3, rapid.ID).Draw(t, "groups")...)
}

// TestCasbinExportOfAny: random policies with inheritance, deny and approval, random
// people with requests.
func TestCasbinExportOfAny(t *testing.T) {
	t.Parallel()
	conditions := exportConditions()
	dir := t.TempDir()
	people, enough := 100, 10_000
	if testing.Short() || raceEnabled {
		enough = 1_000
	}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		text.WriteString("roles:\n")
		roles := rapid.IntRange(1, 7).Draw(t, "roles")
		condition := func(key string, often int) bool {
			drawn := rapid.IntRange(0, 9).Draw(t, key+"?") < often
			if drawn {
				fmt.Fprintf(&text, "    %s: |\n      %s\n", key, rapid.SampledFrom(conditions).Draw(t, key))
			}
			return drawn
		}
		for n := range roles {
			fmt.Fprintf(&text, "  r%d:\n", n)
			var parents []string
			for m := range n {
				if rapid.IntRange(0, 2).Draw(t, "inherits") == 0 {
					parents = append(parents, fmt.Sprint("r", m))
				}
			}
			fmt.Fprintf(&text, "    inherits: [%s]\n", strings.Join(parents, ", "))
			ruled := condition("when", 6)
			condition("deny", 4)
			if ruled && rapid.IntRange(0, 3).Draw(t, "always") == 0 {
				text.WriteString("    approval: always\n    request: {approve: [manager]}\n")
			}
		}
		text.WriteString(`# ext["urn:`)
		doc := parse(text.String())
		e, faults := policy.Compile(7, doc)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		x, err := e.Casbin()
		if err != nil || len(x.Left) > 0 {
			t.Fatal(err, x.Left)
		}
		enforcer := plainEnforcer(t, x, dir)
		for range people {
			if enough--; enough < 0 {
				return
			}
			i := drawPerson(t)
			var asked []model.Request
			for n := range rapid.IntRange(0, 2).Draw(t, "requests") {
				asked = append(asked, approved(fmt.Sprint("q", n), fmt.Sprint("r", rapid.IntRange(0, roles).Draw(t, "role")),
					rapid.SampledFrom([]string{model.OriginAsked, model.OriginRule}).Draw(t, "origin"), nil))
			}
			sameAnswers(t, e, x, enforcer, i, asked)
		}
	})
}

// TestCasbinExportFarAway: Casbin follows ten steps of inheritance, the hub any number.
func TestCasbinExportFarAway(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("roles:\n  r0: {when: user.active, inherits: [r1]}\n")
	for n := 1; n < 40; n++ {
		fmt.Fprintf(&text, "  r%d: {inherits: [r%d]}\n", n, n+1)
	}
	text.WriteString("  r40: {}\n")
	e := compile(t, text.String())
	x, err := e.Casbin()
	if err != nil {
		t.Fatal(err)
	}
	sameAnswers(t, e, x, plainEnforcer(t, x, t.TempDir()), person(attrs{}), nil)
}

// TestCasbinExportLeavesOut: what is too long for a policy is said, not cut.
func TestCasbinExportLeavesOut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	var text strings.Builder
	text.WriteString("roles:\n  r0: {when: 'user.title == \"" + long + "\"', inherits: [r1]}\n")
	for n := 1; n < 8; n++ {
		fmt.Fprintf(&text, "  r%d: {deny: 'user.title == \"%d%s\"', inherits: [r%d]}\n", n, n, long, n+1)
	}
	text.WriteString("  r8: {}\n")
	x, err := compile(t, text.String()).Casbin()
	if err != nil || len(x.Left) == 0 || !strings.Contains(x.Left[0].Reason, "longer than a line") {
		t.Errorf("%v, %v", err, x.Left)
	}
	for line := range strings.Lines(x.Policy) {
		if len(line) > 64<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}
