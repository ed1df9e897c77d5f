package scim

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// der is a sequence that holds n bytes, as base64.
func der(n int) string {
	b := append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, make([]byte, n)...)
	return base64.StdEncoding.EncodeToString(b)
}

func TestCreateTraffic(t *testing.T) {
	t.Parallel()
	core := `"schemas":["` + URNUser + `"],`
	tests := []struct{ name, dialect, body, want string }{
		{"Okta", "okta", `{` + core + `"userName":"m","name":{"givenName":"M","middleName":""},"emails":[{"primary":true,"value":"m","type":"work"}],
			"locale":"en-US","externalId":"00u","groups":[],"password":"p","active":true}`,
			`{"userName":"m","name":{"givenName":"M"},"emails":[{"primary":true,"value":"m","type":"work"}],"locale":"en-US","externalId":"00u","password":"p","active":true}`},
		{"Entra", "entra", `{"schemas":["` + URNUser + `","` + ent + `"],"externalId":"o","userName":"l","active":true,"meta":{"resourceType":"User"},
			"name":{"formatted":"L","familyName":"Q","givenName":null},"roles":[]}`,
			`{"externalId":"o","userName":"l","active":true,"name":{"formatted":"L","familyName":"Q"}}`},
		{"OneLogin", "onelogin", `{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],"userName":"n","title":"","active":"True"}`,
			`{"userName":"n","active":true}`},
		{"no schemas", "lenient", `{"userName":"n"}`, `{"userName":"n"}`},
		{"extension key in another case", "rfc", `{"schemas":["` + strings.ToUpper(URNUser) + `"],"USERNAME":"n","` + strings.ToLower(ent) + `":{"DEPARTMENT":"d","manager":{"value":"m","$ref":null}}}`,
			`{"userName":"n","` + ent + `":{"department":"d","manager":{"value":"m"}}}`},
		{"two primaries", "lenient", `{` + core + `"userName":"n","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`,
			`{"userName":"n","emails":[{"value":"a","primary":false},{"value":"b","primary":true}]}`},
		{"one pair twice", "rfc", `{` + core + `"userName":"n","emails":[{"value":"a","type":"work"},{"value":"A","type":"WORK","display":"d"}]}`,
			`{"userName":"n","emails":[{"value":"A","type":"WORK","display":"d"}]}`},
		{"unknown type of value", "rfc", `{` + core + `"userName":"n","emails":[{"value":"a","type":"xyz"}]}`, `{"userName":"n","emails":[{"value":"a","type":"xyz"}]}`},
		{"posix locale", "rfc", `{` + core + `"userName":"n","locale":"en_US"}`, `{"userName":"n","locale":"en_US"}`},
		{"random text", "rfc", `{` + core + `"userName":"n","locale":"q8","timezone":"zz","preferredLanguage":"??","addresses":[{"country":"random"}]}`,
			`{"userName":"n","locale":"q8","timezone":"zz","preferredLanguage":"??","addresses":[{"country":"random"}]}`},
		{"base64 without padding", "rfc", `{` + core + `"userName":"n","x509Certificates":[{"value":"AQ"}]}`, `{"userName":"n","x509Certificates":[{"value":"AQ"}]}`},
		{"certificate", "interop", `{` + core + `"userName":"n","x509Certificates":[{"value":"` + der(300) + `"}],"addresses":[{"country":"BE"}],"locale":"nl-BE"}`,
			`{"userName":"n","x509Certificates":[{"value":"` + der(300) + `"}],"addresses":[{"country":"BE"}],"locale":"nl-BE"}`},
		{"BOM", "entra", "\ufeff" + `{` + core + `"userName":"n"}`, `{"userName":"n"}`},
		{"nulls inside", "rfc", `{` + core + `"userName":"n","emails":[null,{"value":"a","type":null}],"photos":[],"name":{},"addresses":[{}],"title":null}`, `{"userName":"n","emails":[{"value":"a"}]}`},
		{"made-up groups", "rfc", `{` + core + `"userName":"n","id":"x","groups":[{"value":"g"}],"meta":{"version":7}}`, `{"userName":"n"}`},
		{"escapes", "rfc", `{` + core + `"userName":"\u00e9\ud83d\ude00\/"}`, `{"userName":"é😀/"}`},
	}
	user := userType(t)
	for _, tt := range tests {
		got, err := user.Decode([]byte(tt.body), dialect(t, tt.dialect))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := object1(t, tt.want)
		user.setSchemas(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestCreateStrict(t *testing.T) {
	t.Parallel()
	core := `{"schemas":["` + URNUser + `"],`
	n := core + `"userName":"n",`
	tests := []struct{ dialect, body, typ, what string }{
		{"rfc", `{"userName":"n"}`, InvalidSyntax, "schemas"},
		{"rfc", `{"schemas":[],"userName":"n"}`, InvalidSyntax, "schemas"},
		{"rfc", `{"schemas":["` + ent + `"],"userName":"n"}`, InvalidSyntax, URNUser},
		{"rfc", `{"schemas":["` + URNUser + `","` + strings.ToUpper(URNUser) + `"],"userName":"n"}`, InvalidSyntax, "twice"},
		{"rfc", `{"schemas":["` + URNUser + `","urn:x:y"],"userName":"n"}`, InvalidSyntax, "urn:x:y"},
		{"rfc", core + `"userName":""}`, InvalidValue, "userName"},
		{"rfc", core + `"userName":null}`, InvalidValue, "userName"},
		{"rfc", core + `"userName":["n"]}`, InvalidValue, "userName"},
		{"rfc", n + `"active":"True"}`, InvalidValue, "active"},
		{"rfc", n + `"active":1}`, InvalidValue, "active"},
		{"rfc", n + `"emails":{"value":"a"}}`, InvalidValue, "emails"},
		{"rfc", n + `"emails":["a"]}`, InvalidValue, "emails[0]"},
		{"rfc", n + `"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, InvalidValue, "primary"},
		{"rfc", n + `"x509Certificates":[{"value":"A"}]}`, InvalidValue, "base64"},
		{"rfc", n + `"x509Certificates":[{"value":"a b"}]}`, InvalidValue, "base64"},
		{"rfc", n + `"profileUrl":"http://[::1"}`, InvalidValue, "profileUrl"},
		{"rfc", n + `"` + ent + `":[1]}`, InvalidValue, "must be an object"},
		{"rfc", n + `"title":"\u0000"}`, InvalidValue, "NUL"},
		{"rfc", n + "\"title\":\"\xff\"}", InvalidValue, "UTF-8"},
		{"rfc", n + `"title":"\ud800"}`, InvalidValue, "UTF-8"},
		{"rfc", n + `"title":"a","TITLE":"b"}`, InvalidSyntax, "twice"},
		{"rfc", n + `"title":01}`, InvalidSyntax, "number"},
		{"rfc", n + `"title":1e999}`, InvalidSyntax, "number"},
		{"rfc", n + `"title":"a",}`, InvalidSyntax, "member name"},
		{"rfc", n + `"title":"a"}{}`, InvalidSyntax, "after the end"},
		{"rfc", "\ufeff" + n + `"title":"a"}`, InvalidSyntax, "unexpected"},
		{"rfc", `[]`, InvalidSyntax, "object"},
		{"rfc", `null`, InvalidSyntax, "object"},
		{"rfc", strings.Repeat(`{"a":`, 20_000), InvalidSyntax, "deeper"},
		{"rfc", strings.Repeat(`[`, 20_000), InvalidSyntax, "deeper"},
		{"interop", n + `"nope":1}`, InvalidSyntax, "nope"},
		{"interop", n + `"name":{"nope":1}}`, InvalidSyntax, "name.nope"},
		{"interop", n + `"urn:acme:ext:2.0:User":{"a":1}}`, InvalidSyntax, "urn:acme:ext:2.0:User"},
		{"interop", n + `"locale":"en_US"}`, InvalidValue, "locale"},
		{"interop", n + `"preferredLanguage":"en_US.UTF-8"}`, InvalidValue, "preferredLanguage"},
		{"interop", n + `"addresses":[{"country":"Belgium"}]}`, InvalidValue, "addresses[0].country"},
		{"interop", n + `"x509Certificates":[{"value":"` + base64.StdEncoding.EncodeToString([]byte("no certificate")) + `"}]}`, InvalidValue, "DER"},
		{"interop", n + `"x509Certificates":[{"value":"` + der(300) + der(300) + `"}]}`, InvalidValue, "x509Certificates[0].value"},
	}
	for _, tt := range tests {
		_, err := userType(t).Decode([]byte(tt.body), dialect(t, tt.dialect))
		wantFault(t, tt.dialect+" "+tt.body[:min(len(tt.body), 200)], err, tt.typ, tt.what)
	}
}

// The filters that providers send, and those that must be refused.
func TestFilterTraffic(t *testing.T) {
	t.Parallel()
	r := testUser()
	r.Attrs["userName"], r.Attrs["externalId"] = "mira.k@corp.test", "jyoung"
	user := userType(t)
	doc := user.SearchDoc(r)
	for _, tt := range []struct {
		dialect, filter string
		want            bool
	}{
		{"rfc", `userName eq "MIRA.K@corp.test"`, true},
		{"rfc", `UserName EQ "mira.k@corp.test"`, true},
		{"rfc", `externalId eq "JYOUNG"`, false},
		{"entra", `externalId eq jyoung`, true},
		{"entra", `userName eq"mira.k@corp.test"`, true},
		{"entra", `emails[type eq "work"].value eq "w@x.test"`, true},
		{"rfc", `emails[type eq "home" and value co "x.test"]`, false},
		{"rfc", `emails.type eq "home" and emails.value co "@x.test"`, true},
		{"rfc", `emails co "y.test"`, true},
		{"entra", `emails[primary eq "True"].value eq "w@x.test"`, true},
		{"rfc", URNEnterprise + `:manager eq "U9"`, true},
		{"rfc", strings.ToLower(URNEnterprise) + `:DEPARTMENT pr`, true},
		{"rfc", `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "mira"`, true},
		{"rfc", `schemas eq "` + URNEnterprise + `"`, true},
		{"rfc", `userName eq "x" or userName eq "mira.k@corp.test" and active eq false`, false},
		{"rfc", `not (userName sw "x") and active eq true`, true},
		{"rfc", `nickName ne "x"`, true},
		{"rfc", `nickName eq null`, true},
		{"rfc", `meta.lastModified gt "2026-03-01T14:00:00+02:00"`, true},
		{"rfc", `meta.lastModified lt "2026-03-01T12:30:00Z"`, false},
		{"rfc", `userName eq "mira\u002ek@corp.test"`, true},
	} {
		f, err := dialect(t, tt.dialect).ParseFilter(tt.filter, user)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
		} else if got := f.Match(doc); got != tt.want {
			t.Errorf("%s: %v", tt.filter, got)
		}
	}
	for _, tt := range []struct{ dialect, filter string }{
		{"rfc", `active gt true`}, {"rfc", `x509Certificates.value lt "A"`}, {"rfc", `userName regex "x"`}, {"rfc", `userName eq`}, {"rfc", `foo eq "x"`},
		{"rfc", `externalId eq jyoung`}, {"rfc", `userName eq"x"`}, {"rfc", `userName eq 'x'`}, {"lenient", `userName eq 'x y'`},
		{"rfc", `name eq "x"`}, {"rfc", `password eq "x"`}, {"rfc", `emails[primary eq "True"]`}, {"rfc", `active eq "true"`},
		{"interop", `emails[type eq "work"].value eq "x"`}, {"interop", `emails eq "x"`}, {"rfc", ``}, {"rfc", `userName eq "x" and`},
		{"rfc", strings.Repeat("(", 8000)}, {"rfc", strings.Repeat("(", 300_000)}, {"rfc", `userName eq "` + strings.Repeat("x", 10_000) + `"`},
	} {
		_, err := dialect(t, tt.dialect).ParseFilter(tt.filter, user)
		wantFault(t, tt.dialect+" "+tt.filter[:min(len(tt.filter), 60)], err, InvalidFilter, "")
	}
}
