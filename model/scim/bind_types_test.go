package scim

import (
	"testing"
)

func TestParseFilterFor(t *testing.T) {
	t.Parallel()
	types := DefaultRegistry().Types
	user := types[0].SearchDoc(testUser())
	group := types[1].SearchDoc(Resource{ID: "G1", Type: "Group", Attrs: map[string]any{"displayName": "Pay"}})
	tests := []struct {
		filter               string
		matchUser, matchGoup bool
	}{
		{`userName eq "jörg@x.test"`, true, false},
		{`userName ne "x"`, true, true},
		{`not (userName eq "x")`, true, true},
		{`userName pr`, true, false},
		{`userName eq null`, false, true},
		{`userName ne null`, true, false},
		{`userName eq ""`, false, true},
		{`displayName eq "PAY"`, false, true},
		{`meta.resourceType eq "Group"`, false, true},
		{`meta.resourceType eq "User" and active eq true`, true, false},
		{`emails[type eq "work"]`, true, false},
		{`emails[type eq "work"].value co "x.test"`, true, false},
		{`not (emails[type eq "work"])`, false, true},
		{`not (emails[type eq "work" or not (value pr)]) and displayName pr`, false, true},
		{`members eq "u" or title eq "dr"`, true, false},
		{URNEnterprise + `:department ne "x"`, true, true},
		{`id pr`, true, true},
	}
	for _, tt := range tests {
		list, err := dialect(t, "rfc").ParseFilterFor(tt.filter, types)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		if u, g := list[0].Match(user), list[1].Match(group); u != tt.matchUser || g != tt.matchGoup {
			t.Errorf("%s: user %v, group %v", tt.filter, u, g)
		}
	}
}

// An attribute that two types define differently is asked where the value fits.
func TestParseFilterForOtherKinds(t *testing.T) {
	t.Parallel()
	types := []*ResourceType{userType(t), deviceType(t)}
	list, err := dialect(t, "rfc").ParseFilterFor(`ports gt 3 and not (active eq true)`, types)
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Match(types[0].SearchDoc(testUser())) {
		t.Error("a user has no ports")
	}
	doc := types[1].SearchDoc(Resource{ID: "1", Attrs: map[string]any{"ports": int64(4)}})
	if !list[1].Match(doc) {
		t.Error("the device has four")
	}
}

func TestParseFilterForFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ filter, what string }{
		{`nope eq "x"`, "nor has another"},
		{`userName eq "x" or nope pr`, "nope"},
		{`nope[type eq "work"]`, "nope"},
		{`emails[nope eq "work"]`, "nope"},
		{`password eq "x"`, "password"},
		{`active gt true`, "gt"},
		{`active eq "x"`, "true or false"},
		{`userName eq`, "value"},
		{`(`, "expected"},
	}
	for _, tt := range tests {
		_, err := dialect(t, "rfc").ParseFilterFor(tt.filter, DefaultRegistry().Types)
		wantFault(t, tt.filter, err, InvalidFilter, tt.what)
	}
}

// What binds to one type alone matches there as it does among others.
func FuzzParseFilterFor(f *testing.F) {
	for _, s := range []string{`userName eq "x"`, `emails[type eq "work" and not (value pr)]`, `members[value eq "u"] or displayName ne "x"`,
		`not (name.familyName pr) and id eq null`} {
		f.Add(s)
	}
	types := DefaultRegistry().Types
	doc := types[0].SearchDoc(testUser())
	f.Fuzz(func(t *testing.T, s string) {
		d := dialect(t, "lenient")
		all, err := d.ParseFilterFor(s, types)
		one, oneErr := d.ParseFilter(s, types[0])
		if oneErr == nil && err == nil && all[0].Match(doc) != one.Match(doc) {
			t.Fatalf("%q: alone %s, among others %s", s, one, all[0])
		}
		if oneErr == nil && err != nil {
			t.Fatalf("%q: alone it is right, among others %v", s, err)
		}
		if e, ok := AsError(err); err != nil && (!ok || e.Type != InvalidFilter) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
