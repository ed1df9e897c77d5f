package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/policy"
)

// TestDocumentedExpressions: what docs/rules.md recommends compiles and fails for
// nobody of whom nothing is known.
func TestDocumentedExpressions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```cel\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("no example is left")
	}
	for _, block := range blocks {
		for rule := range strings.Lines(block[1]) {
			e := compile(t, "roles:\n  a:\n    when: |\n      "+rule)
			if r := e.Evaluate(person(nil), nil, today); len(r.Errors) > 0 || len(r.Grants) > 0 {
				t.Errorf("%s: %s", rule, summary(r))
			}
		}
	}
}

// TestAbsentAttributes: reading what a person lacks never fails, whatever its type.
func TestAbsentAttributes(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		`user.title == ""`, `user.active`, `size(user.emails) == 0`, `user.groups == []`, `user.name.familyName == ""`,
		`!user.emails.exists(e, true)`, `user.emails.all(e, false)`, `user.enterprise.manager.value == ""`, `!has(user.title)`, `!has(user.name)`,
		`!has(user.enterprise.manager.value)`, `user.title.lowerAscii() == ""`, `!("x" in user.groups)`,
		`user.ext["urn:acme:2.0:User"].level == null`, `user.ext["urn:acme:2.0:User"].level != 3`, `!has(user.ext["urn:acme:2.0:User"].tags)`,
		`!("urn:acme:2.0:User" in user.ext)`, `user.ext["urn:acme:2.0:User"].flag != true`,
	} {
		for name, user := range map[string]attrs{
			"absent": nil,
			"null":   {"title": nil, "name": nil, "emails": nil, "active": nil, "urn:acme:2.0:User": nil, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": attrs{"manager": nil}},
		} {
			e := compile(t, "roles:\n  a:\n    when: |\n      "+rule+"\n")
			if r := e.Evaluate(person(user), nil, today); len(r.Grants) != 1 {
				t.Errorf("%s, %s: %s%v", rule, name, summary(r), r.Errors)
			}
		}
	}
}

// TestExpressionFaults: bad input is named, with its place and what would be right.
func TestExpressionFaults(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		`user.titel == "x"`:                           `there is no attribute "titel"; did you mean "title"?`,
		`user.title = "x"`:                            `Syntax error`,
		`user.title == 3`:                             `no matching overload`,
		`user.ext["urn:acme:2.0:Usr"].level == 3`:     `did you mean "urn:acme:2.0:User"?`,
		`has(user.ext["urn:acme:2.0:User"].leval)`:    `has no attribute "leval"; did you mean "level"?`,
		`user.ext["urn:acme:2.0:User"].level == true`: `level is of type integer and never equals a bool`,
		`user.password == "x"`:                        `there is no attribute "password"`,
		`title == "x"`:                                `undeclared reference`,
		`user.title`:                                  `gives string where bool is wanted`,
		`size(user) > 1`:                              `no matching overload`,
	} {
		_, faults := policy.Compile(1, parse("roles:\n  a:\n    when: |\n      "+rule+"\n"+`# ext["urn:`))
		if len(faults) == 0 || !strings.Contains(faults[0].Message, want) || faults[0].Line != 4 || faults[0].Path != "roles.a.when" {
			t.Errorf("%s: %v, want %s", rule, faults, want)
		}
	}
}
