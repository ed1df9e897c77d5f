package scim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func userType(t testing.TB) *ResourceType {
	t.Helper()
	u, ok := DefaultRegistry().Type("User")
	if !ok {
		t.Fatal("no User in the default registry")
	}
	return u
}

func groupType(t testing.TB) *ResourceType {
	t.Helper()
	g, ok := DefaultRegistry().Type("Group")
	if !ok {
		t.Fatal("no Group in the default registry")
	}
	return g
}

// deviceType has one attribute of each kind that User lacks.
func deviceType(t testing.TB) *ResourceType {
	t.Helper()
	attr := func(name, typ string) *Attribute {
		return &Attribute{Name: name, Type: typ, Mutability: ReadWrite, Returned: ReturnedDefault}
	}
	tags := attr("tags", TypeString)
	tags.MultiValued = true
	codes := attr("codes", TypeString)
	codes.MultiValued, codes.CaseExact = true, true
	serial := attr("serial", TypeString)
	serial.Mutability, serial.Required, serial.CaseExact = Immutable, true, true
	pin := attr("pin", TypeString)
	pin.Returned = ReturnedRequest
	kind := attr("kind", TypeString)
	kind.Returned = ReturnedAlways
	state := attr("state", TypeString)
	state.Mutability = ReadOnly
	slot := &Attribute{Name: "slot", Type: TypeComplex, Mutability: ReadWrite, Returned: ReturnedDefault, Sub: []*Attribute{
		{Name: "rack", Type: TypeString, Mutability: Immutable, Returned: ReturnedDefault},
		{Name: "unit", Type: TypeInteger, Mutability: ReadWrite, Returned: ReturnedDefault, Required: true},
		{Name: "note", Type: TypeString, Mutability: ReadWrite, Returned: ReturnedRequest},
	}}
	labels := attr("labels", TypeString)
	labels.MultiValued, labels.Required = true, true
	reg, err := NewRegistry(&ResourceType{Name: "Device", Endpoint: "/Devices",
		Schema: &Schema{ID: "urn:acme:2.0:Device", Name: "Device", Attributes: []*Attribute{
			serial, tags, codes, pin, kind, state, slot, attr("ports", TypeInteger), attr("load", TypeDecimal),
			attr("seen", TypeDateTime), attr("on", TypeBoolean), attr("key", TypeBinary), attr("doc", TypeReference)}},
		Extensions: []Extension{{Required: true, Schema: &Schema{ID: "urn:acme-x:my_ext:2.0:Device",
			Attributes: []*Attribute{labels, attr("owner", TypeString)}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := reg.Type("device")
	return d
}

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func testUser() Resource {
	return Resource{ID: "U1", Type: "User", Meta: Meta{Created: testTime, LastModified: testTime.Add(time.Hour), Version: 7},
		Attrs: map[string]any{
			"schemas": []any{URNUser, URNEnterprise}, "userName": "Jörg@X.test", "externalId": "Ext-1", "active": true,
			"title": "Dr", "name": map[string]any{"familyName": "Straße", "givenName": "Jörg"},
			"profileUrl": "https://X.test/Me", "password": "secret",
			"emails": []any{
				map[string]any{"value": "W@x.test", "type": "work", "primary": true},
				map[string]any{"value": "h@y.test", "type": "home"},
				map[string]any{"value": "plain@z.test"}},
			"addresses": []any{map[string]any{"locality": "Gent", "type": "work"}},
			"groups":    []any{map[string]any{"value": "G1", "display": "Staff"}},
			URNEnterprise: map[string]any{"department": "R&D",
				"manager": map[string]any{"value": "U9", "displayName": "Boss"}},
		}}
}

func testDevice() Resource {
	return Resource{ID: "d1", Type: "Device", Attrs: map[string]any{"serial": "Ab", "tags": []any{"Red", "blue"},
		"codes": []any{"X1"}, "ports": int64(48), "load": 0.5, "seen": "2026-03-01T13:00:00+01:00", "on": false,
		"key": "AAEC", "doc": "../A", "urn:acme-x:my_ext:2.0:Device": map[string]any{"labels": []any{"l"}}}}
}

type matchCase struct {
	filter string
	want   bool
}

func TestMatch(t *testing.T) {
	t.Parallel()
	runMatches(t, userType(t), testUser(), []matchCase{
		{`userName eq "JÖRG@x.TEST"`, true},
		{`userName eq "jo` + "\u0308" + `rg@x.test"`, true},
		{`userName eq "ｊörg@x.test"`, true}, // full-width j
		{`userName ne "jörg@x.test"`, false},
		{`USERNAME co "RG@"`, true},
		{`userName sw "jör"`, true},
		{`userName ew ".TEST"`, true},
		{`userName gt "jörg"`, true},
		{`userName lt "JZ"`, false}, // ö is behind z byte by byte
		{`id eq "U1"`, true},
		{`id eq "u1"`, false},
		{`externalId eq "ext-1"`, false},
		{`externalId eq "Ext-1"`, true},
		{`schemas eq "` + strings.ToLower(URNEnterprise) + `"`, true},
		{`schemas eq "urn:other"`, false},
		{`schemas[value sw "URN:ietf"]`, true},
		{`meta.resourceType eq "User"`, true},
		{`meta.created eq "2026-03-01T12:00:00.123456Z"`, true},
		{`meta.created lt "2026-03-01T13:00:00.1234561+01:00"`, false}, // beyond microseconds
		{`meta.created lt "2026-03-01T13:00:01+01:00"`, true},
		{`meta.lastModified gt "2026-03-01T12:30:00Z"`, true},
		{`meta.version eq "W/\"7\""`, true},
		{`active eq true`, true},
		{`active ne true`, false},
		{`active eq false`, false},
		{`name.familyName eq "straße"`, true},
		{`name.familyName eq "strasse"`, false},
		{`name.middleName eq "x"`, false},
		{`name.middleName ne "x"`, true},
		{`name.middleName eq null`, true},
		{`name.familyName eq null`, false},
		{`name.familyName ne null`, true},
		{`nickName eq ""`, true},
		{`title ne ""`, true},
		{`title co ""`, true},
		{`nickName co ""`, false},
		{`nickName le "z"`, false},
		{`not (nickName eq "x")`, true},
		{`not (nickName ne "x")`, false},
		{`title pr and name pr and emails pr`, true},
		{`nickName pr`, false},
		{`photos pr or x509Certificates pr`, false},
	})
}

func TestMatchComplex(t *testing.T) {
	t.Parallel()
	runMatches(t, userType(t), testUser(), []matchCase{
		{URNEnterprise + ` pr`, true},
		{URNEnterprise + `:department eq "r&d"`, true},
		{strings.ToUpper(URNEnterprise) + `:DEPARTMENT eq "R&D" and userName pr`, true},
		{URNEnterprise + `:manager eq "U9"`, true},
		{URNEnterprise + `:manager.value eq "u9"`, false},
		{URNEnterprise + `:manager pr`, true},
		{URNEnterprise + `:manager.displayName sw "bo"`, true},
		{URNEnterprise + `:manager[value eq "U9" and displayName pr]`, true},
		{URNEnterprise + `:division eq null`, true},
		{`emails eq "w@x.test"`, true},
		{`emails co "Y.TEST"`, true},
		{`emails.value eq "H@y.test"`, true},
		{`emails.type ne "work"`, true}, // home is not work
		{`emails.type eq "work" and emails.value co "@y"`, true},
		{`emails[type eq "work" and value co "@y"]`, false},
		{`emails[type eq "work"].value eq "W@X.test"`, true},
		{`emails[not (type pr)].value ew "z.test"`, true},
		{`emails[type ne "work" and type ne "home"]`, true},
		{`emails[primary eq true]`, true},
		{`emails.primary eq false`, false},
		{`addresses.locality eq "GENT"`, true},
		{`addresses[locality eq "gent"].country pr`, false},
		{`photos[not (value pr)]`, false},
		{`photos.value ne "x"`, true},
		{`groups eq "G1"`, true},
		{`groups.value eq "g1"`, false},
		{`profileUrl eq "https://x.test/me"`, false},
		{`name[familyName sw "s"]`, true},
		{`userName eq "x" or title eq "dr" and active eq false`, false},
		{`(userName eq "x" or title eq "dr") and active eq true`, true},
		{`not (userName sw "x") and active eq true`, true},
	})
}

func TestMatchOtherTypes(t *testing.T) {
	t.Parallel()
	runMatches(t, deviceType(t), testDevice(), []matchCase{
		{`tags eq "RED"`, true},
		{`tags ne "red"`, true},
		{`tags[value eq "Blue"]`, true},
		{`codes eq "x1"`, false},
		{`codes pr`, true},
		{`ports eq 48`, true},
		{`ports gt 47`, true},
		{`ports le 47`, false},
		{`load eq 0.5`, true},
		{`load lt 1`, true},
		{`load ge 0.50001`, false},
		{`seen eq "2026-03-01T12:00:00Z"`, true},
		{`seen eq "2026-03-01T12:00:00"`, true},
		{`on eq false`, true},
		{`on pr`, true},
		{`key eq "AAEC"`, true},
		{`key eq "aaec"`, false},
		{`doc sw ".."`, true},
		{`serial eq "ab"`, false},
		{`urn:acme-x:my_ext:2.0:Device:labels eq "L"`, true},
		{`URN:ACME-X:my_ext:2.0:device:owner eq null`, true},
		{`meta.created gt "2026-03-01T12:00:00Z"`, false},
		{`meta.created ne "2026-03-01T12:00:00Z"`, true},
	})
}

// runMatches evaluates each filter against the document, the document after JSON
// in both styles of number, and bound twice.
func runMatches(t *testing.T, rt *ResourceType, r Resource, tests []matchCase) {
	t.Helper()
	docs := docForms(t, rt.SearchDoc(r))
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		bound, err := Bind(f, rt)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		again, err := Bind(bound, rt)
		if err != nil || !cmp.Equal(bound, again) {
			t.Errorf("%s: bound again: %v, %v, want %v", tt.filter, again, err, bound)
		}
		for i, doc := range docs {
			if got := bound.Match(doc); got != tt.want {
				t.Errorf("%s: document %d: %v (bound: %s)", tt.filter, i, got, bound)
			}
		}
		reparsed, err := ParseFilter(bound.String())
		if err != nil {
			t.Errorf("%s: text of the bound filter %s: %v", tt.filter, bound, err)
			continue
		}
		if rebound, err := Bind(reparsed, rt); err != nil || rebound.Match(docs[0]) != tt.want {
			t.Errorf("%s: text of the bound filter %s: %v, %v", tt.filter, bound, rebound, err)
		}
	}
}

func docForms(t *testing.T, doc map[string]any) []map[string]any {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var floats, numbers map[string]any
	if err := json.Unmarshal(text, &floats); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if err := dec.Decode(&numbers); err != nil {
		t.Fatal(err)
	}
	plain, err := ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return []map[string]any{doc, floats, numbers, plain.(map[string]any)}
}

func TestBindErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ filter, want string }{
		{`foo eq "x"`, "foo: User has no such attribute"},
		{`name.foo pr`, "name.foo: name has no such sub-attribute"},
		{`userName.foo eq "x"`, "has no sub-attributes"},
		{`emails[foo eq "x"]`, "emails has no such sub-attribute"},
		{`emails[emails.type eq "x"]`, "no such sub-attribute"},
		{`foo[bar eq "x"]`, "foo: User has no such attribute"},
		{`userName[value eq "x"]`, "no values to select from"},
		{`urn:nope:x eq "y"`, "urn:nope:x"},
		{`password eq "x"`, "password: cannot be used in a filter"},
		{`password pr`, "cannot be used"},
		{`name eq "x"`, "is complex"},
		{`emails gt "x"`, "is complex"},
		{`meta eq "x"`, "is complex"},
		{`addresses eq "x"`, "is complex"},
		{`active gt true`, "gt does not apply to boolean"},
		{`active eq "true"`, "true or false"},
		{`active co true`, "strings only"},
		{`x509Certificates.value lt "A"`, "lt does not apply to binary"},
		{`x509Certificates.value co "A"`, "strings only"},
		{`meta.created sw "2026"`, "strings only"},
		{`meta.created gt "2026"`, "dateTime"},
		{`meta.created gt 5`, "dateTime"},
		{`userName eq 5`, "must be compared with a string"},
		{`userName eq true`, "must be compared with a string"},
		{`userName gt null`, "null"},
		{URNEnterprise + ` eq "x"`, "only be tested with pr"},
	}
	user := userType(t)
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		_, err = Bind(f, user)
		wantError(t, tt.filter, err, InvalidFilter, tt.want)
	}
	device := deviceType(t)
	for _, s := range []string{`ports eq 1.5`, `ports eq "1"`, `load eq "1"`, `key gt "A"`, `ports co 1`, `tags.value eq "x"`} {
		f, err := ParseFilter(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Bind(f, device); err == nil {
			t.Errorf("%s: accepted", s)
		}
	}
	if f, err := Bind(nil, user); f != nil || err != nil {
		t.Errorf("no filter: %v, %v", f, err)
	}
}

func TestSearchDoc(t *testing.T) {
	t.Parallel()
	r := testUser()
	r.Attrs["nickName"] = ""
	r.Attrs["photos"] = []any{}
	r.Attrs["unknown"] = "x"
	got := userType(t).SearchDoc(r)
	want := map[string]any{
		"id": "U1", "externalid": "Ext-1", "schemas": []any{strings.ToLower(URNUser), strings.ToLower(URNEnterprise)},
		"meta": map[string]any{"resourcetype": "User", "created": testTime.UnixMicro(),
			"lastmodified": testTime.Add(time.Hour).UnixMicro(), "version": `W/"7"`},
		"username": "jörg@x.test", "active": true, "title": "dr",
		"name":       map[string]any{"familyname": "straße", "givenname": "jörg"},
		"profileurl": "https://X.test/Me",
		"emails": []any{
			map[string]any{"value": "w@x.test", "type": "work", "primary": true},
			map[string]any{"value": "h@y.test", "type": "home"},
			map[string]any{"value": "plain@z.test"}},
		"addresses": []any{map[string]any{"locality": "gent", "type": "work"}},
		"groups":    []any{map[string]any{"value": "G1", "display": "staff"}},
		strings.ToLower(URNEnterprise): map[string]any{"department": "r&d",
			"manager": map[string]any{"value": "U9", "displayname": "boss"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
