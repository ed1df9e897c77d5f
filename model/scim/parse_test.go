package scim

import (
	"strings"
	"testing"
)

func TestParseFilterString(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{`userName eq "x"`, ""},
		{`UserName EQ "X"`, `UserName eq "X"`},
		{"\tuserName  eq\n\"x\" ", `userName eq "x"`},
		{`title pr`, ""},
		{`title PR and active eq true`, `title pr and active eq true`},
		{`a eq 1 or b eq 2 and c eq 3`, ""},
		{`(a eq 1 or b eq 2) and c eq 3`, ""},
		{`a eq 1 and (b eq 2 and c eq 3)`, `a eq 1 and b eq 2 and c eq 3`},
		{`((a eq 1))`, `a eq 1`},
		{`not (a eq 1) and b eq 2`, ""},
		{`not(a eq 1)`, `not (a eq 1)`},
		{`NOT (a eq 1 or b eq 2)`, `not (a eq 1 or b eq 2)`},
		{`not eq "x"`, ""}, // an attribute may be called not
		{`emails[type eq "work"]`, ""},
		{`emails[type eq "work" and value co "@x"]`, ""},
		{`emails[not (type eq "work") or (value pr and primary eq true)]`, `emails[not (type eq "work") or value pr and primary eq true]`},
		{`emails[type eq "work"].value eq "x"`, `emails[type eq "work" and value eq "x"]`},
		{`emails[a eq 1 or b eq 2].value pr`, `emails[(a eq 1 or b eq 2) and value pr]`},
		{`emails.value sw "x"`, ""},
		{`members[$ref eq "x"]`, ""},
		{`urn:ietf:params:scim:schemas:core:2.0:User:name.familyName eq "x"`, ""},
		{`urn:acme-corp:my_ext:2.0:User:level gt 3`, ""},
		{`urn:a:2.0:User:emails[type eq "work"]`, ""},
		{`a eq "q\"b\\s\/\b\f\n\r\t"`, `a eq "q\"b\\s/\u0008\u000c\u000a\u000d\u0009"`},
		{`a eq "\u00e9\u00E9\ud83d\ude00"`, `a eq "éé😀"`},
		{`a eq null`, ""},
		{`a eq 1.0`, ""},
		{`a eq 1e2`, `a eq 100.0`},
		{`a eq -0.5`, ""},
		{`a eq 9223372036854775807`, ""},
		{`a eq 9223372036854775808`, `a eq 9.223372036854775808e+18`},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.in)
		if err != nil {
			t.Errorf("ParseFilter(%q): %v", tt.in, err)
			continue
		}
		want := tt.want
		if want == "" {
			want = tt.in
		}
		if got := f.String(); got != want && !strings.Contains(tt.in, "9223372036854775808") {
			t.Errorf("ParseFilter(%q) = %s, want %s", tt.in, got, want)
		}
	}
}

func TestParseFilterErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"", "position 1: expected an attribute name"},
		{"   ", "expected an attribute name"},
		{"userName", "expected an operator"},
		{"userName eq", "position 12: expected a space and a value"},
		{"userName eq ", "position 13: expected a value"},
		{`userName regex "x"`, `position 10: expected an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr), found "regex"`},
		{`userName eq x`, "expected a value"},
		{`userName eq 'x'`, "expected a value"},
		{`userName eq "x`, "without its closing quote"},
		{`userName eq "x" foo`, "expected and, or, or the end"},
		{`userName eq "x" and`, "expected an attribute name"},
		{`and userName eq "x"`, `expected an operator`},
		{`(userName eq "x"`, "expected and, or, or )"},
		{`userName eq "x")`, `found ")"`},
		{`emails[type eq "x"`, "expected and, or, or ]"},
		{`emails[]`, "expected an attribute name"},
		{`emails[a[b eq 1]]`, "no [ inside"},
		{`emails.value[a eq 1]`, "no [ behind a sub-attribute"},
		{`a.b.c eq 1`, "expected an attribute name"},
		{`1a eq 1`, "expected an attribute name"},
		{`:a eq 1`, "expected"},
		{`urn:x: eq 1`, "expected an attribute name"},
		{`a eq"x"`, "expected a space and a value"},
		{`a eq "x"and b eq 1`, "expected a space"},
		{`a eq 01`, "expected a value"},
		{`a eq 1.`, "expected a value"},
		{`a eq .5`, "expected a value"},
		{`a eq 1e999`, "expected a value"},
		{`a eq True`, "expected a value"},
		{`a eq "\x"`, "not JSON"},
		{`a eq "\u12"`, "not JSON"},
		{`a eq "\u0000"`, "NUL"},
		{`a eq "\ud800"`, "UTF-8"},
		{"a eq \"\x01\"", "not JSON"},
		{"a eq \"\xff\"", "not UTF-8"},
		{"a eq \"\x00\"", "NUL"},
		{"é eq 1", `found "é"`},
	}
	for _, tt := range tests {
		_, err := ParseFilter(tt.in)
		wantError(t, tt.in, err, InvalidFilter, tt.want)
	}
}

// wantError checks status, scimType and a part of the detail.
func wantError(t *testing.T, what string, err error, scimType, detail string) {
	t.Helper()
	e, ok := AsError(err)
	switch {
	case !ok:
		t.Errorf("%s: got error %v, want %s %q", what, err, scimType, detail)
	case e.Type != scimType || !strings.Contains(e.Detail, detail):
		t.Errorf("%s: got %s %q, want %s %q", what, e.Type, e.Detail, scimType, detail)
	case e.Status != 400:
		t.Errorf("%s: status %d", what, e.Status)
	}
}

func TestParseFilterLimits(t *testing.T) {
	t.Parallel()
	chain := strings.TrimSuffix(strings.Repeat("a pr or ", MaxFilterTerms), " or ")
	nested := strings.Repeat("(", MaxFilterDepth) + "a pr" + strings.Repeat(")", MaxFilterDepth)
	for _, good := range []string{chain, nested} {
		if _, err := ParseFilter(good); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	}
	for _, bad := range []string{
		chain + " or a pr",
		"(" + nested + ")",
		strings.Repeat("(", 300_000),
		strings.Repeat("not(", 1000),
		`a eq "` + strings.Repeat("x", MaxFilterLength) + `"`,
	} {
		if _, err := ParseFilter(bad); err == nil {
			t.Errorf("%.30s… accepted", bad)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want Path // Filter compared as text
		f    string
	}{
		{in: "userName", want: Path{Attr: "userName"}},
		{in: "name.familyName", want: Path{Attr: "name", Sub: "familyName"}},
		{in: "members.$ref", want: Path{Attr: "members", Sub: "$ref"}},
		{in: URNEnterprise, want: Path{URI: "urn:ietf:params:scim:schemas:extension:enterprise:2.0", Attr: "User"}},
		{in: URNEnterprise + ":manager.value", want: Path{URI: URNEnterprise, Attr: "manager", Sub: "value"}},
		{in: `emails[type eq "work"].value`, want: Path{Attr: "emails", Sub: "value"}, f: `type eq "work"`},
		{in: ` emails[type eq "work"] `, want: Path{Attr: "emails"}, f: `type eq "work"`},
	}
	for _, tt := range tests {
		p, err := ParsePath(tt.in)
		if err != nil {
			t.Errorf("ParsePath(%q): %v", tt.in, err)
			continue
		}
		f := ""
		if p.Filter != nil {
			f = p.Filter.String()
		}
		p.Filter = nil
		if p != tt.want || f != tt.f {
			t.Errorf("ParsePath(%q) = %#v [%s]", tt.in, p, f)
		}
	}
	for _, tt := range []struct{ in, typ, want string }{
		{"", InvalidPath, "expected an attribute name"},
		{"a b", InvalidPath, "end of the path"},
		{"a.b.c", InvalidPath, "attribute name"},
		{`emails[type eq "work"]value`, InvalidPath, "end of the path"},
		{`emails[type eq "work"].`, InvalidPath, "sub-attribute name"},
		{`emails[type is "work"]`, InvalidFilter, "operator"},
		{`emails[type eq "work"`, InvalidFilter, "]"},
		{strings.Repeat(":a", 5000), InvalidPath, "longer than"},
		{"a" + strings.Repeat(".a", 300), InvalidPath, "attribute name"},
	} {
		_, err := ParsePath(tt.in)
		wantError(t, tt.in, err, tt.typ, tt.want)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	user, _ := DefaultRegistry().Type("user")
	tests := []struct{ in, want, attr string }{
		{"USERNAME", "userName", "userName"},
		{"Name.FAMILYname", "name.familyName", "familyName"},
		{"id", "id", "id"},
		{"EXTERNALID", "externalId", "externalId"},
		{"Meta.LastModified", "meta.lastModified", "lastModified"},
		{"schemas", "schemas", "schemas"},
		{strings.ToUpper(URNUser) + ":displayname", "displayName", "displayName"},
		{URNUser + ":name.givenname", "name.givenName", "givenName"},
		{strings.ToUpper(URNEnterprise) + ":Department", URNEnterprise + ":department", "department"},
		{URNEnterprise + ":manager.VALUE", URNEnterprise + ":manager.value", "value"},
		{strings.ToLower(URNEnterprise), URNEnterprise, ""},
		{`EMAILS[TYPE eq "Work"].VALUE`, `emails[type eq "work"].value`, "value"},
	}
	for _, tt := range tests {
		p, err := ParsePath(tt.in)
		if err != nil {
			t.Fatalf("%s: %v", tt.in, err)
		}
		for range 2 { // resolving again changes nothing
			var a *Attribute
			if p, a, err = user.Resolve(p); err != nil {
				t.Fatalf("%s: %v", tt.in, err)
			}
			name := ""
			if a != nil {
				name = a.Name
			}
			if p.String() != tt.want || name != tt.attr {
				t.Errorf("Resolve(%q) = %s, %s", tt.in, p, name)
			}
		}
	}
	for _, in := range []string{"nope", "userName.x", "name.nope", "department", "urn:x:y", URNEnterprise + ":nope",
		URNUser, URNEnterprise + ".manager", `userName[value eq "x"]`, `name[familyName eq "x"]`} {
		p, err := ParsePath(in)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		_, _, err = user.Resolve(p)
		wantError(t, in, err, InvalidPath, "")
	}
}

func TestDialectParseFilter(t *testing.T) {
	t.Parallel()
	user, _ := DefaultRegistry().Type("User")
	entra, _ := DialectNamed("entra")
	seen := map[string]int{}
	entra.Seen = func(flag string) { seen[flag]++ }
	for _, tt := range []struct{ in, want, flag string }{
		{`externalId eq jyoung`, `externalId eq "jyoung"`, FlagUnquotedValues},
		{`userName eq"x"`, `userName eq "x"`, FlagNoSpace},
		{`roles[primary eq "True"].value eq "x"`, `roles[primary eq true and value eq "x"]`, FlagStringBooleans},
	} {
		f, err := entra.ParseFilter(tt.in, user)
		if err != nil || f.String() != tt.want {
			t.Errorf("%s: %v, %v", tt.in, f, err)
		}
		if seen[tt.flag] == 0 {
			t.Errorf("%s: flag %s was not reported", tt.in, tt.flag)
		}
		rfc, _ := DialectNamed("rfc")
		if _, err := rfc.ParseFilter(tt.in, user); err == nil {
			t.Errorf("%s: accepted by rfc", tt.in)
		}
	}
}
