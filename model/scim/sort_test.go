package scim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParseSort(t *testing.T) {
	t.Parallel()
	user := userType(t)
	tests := []struct {
		by, order, path string
		descending      bool
	}{
		{"USERNAME", "", "userName", false},
		{"name.familyName", "Ascending", "name.familyName", false},
		{"urn:ietf:params:scim:schemas:core:2.0:user:title", "DESCENDING", "title", true},
		{"emails", "descending", "emails.value", true},
		{"emails.type", "", "emails.type", false},
		{"meta.lastModified", "", "meta.lastModified", false},
		{"id", "", "id", false},
		{strings.ToLower(URNEnterprise) + ":manager", "", URNEnterprise + ":manager.value", false},
		{URNEnterprise + ":department", "", URNEnterprise + ":department", false},
	}
	for _, tt := range tests {
		s, err := user.ParseSort(tt.by, tt.order)
		if err != nil || s.Path.String() != tt.path || s.Descending != tt.descending || s.Attr == nil {
			t.Errorf("%s %s: %+v, %v", tt.by, tt.order, s, err)
		}
	}
	for _, by := range []string{"", "  "} {
		if s, err := user.ParseSort(by, "sideways"); s != nil || err != nil {
			t.Errorf("no sortBy: %v, %v", s, err)
		}
	}
}

func TestParseSortFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ typ, by, order, scimType, what string }{
		{"User", "userName", "sideways", InvalidValue, "sortOrder"},
		{"User", "nope", "", InvalidPath, "nope"},
		{"User", "name.nope", "", InvalidPath, "name.nope"},
		{"User", "name", "", InvalidPath, "familyName"},
		{"User", "meta", "", InvalidPath, "lastModified"},
		{"User", "userName.x", "", InvalidPath, "userName.x"},
		{"User", `emails[type eq "work"].value`, "", InvalidPath, "[ ]"},
		{"User", "password", "", InvalidPath, "password"},
		{"User", "meta.location", "", InvalidPath, "location"},
		{"User", "groups", "", InvalidValue, "cannot be sorted by"},
		{"Group", "members.value", "", InvalidValue, "cannot be sorted by"},
		{"User", URNEnterprise, "", InvalidPath, "extension"},
		{"User", "user name", "", InvalidPath, "sortBy"},
	}
	for _, tt := range tests {
		typ, _ := DefaultRegistry().Type(tt.typ)
		_, err := typ.ParseSort(tt.by, tt.order)
		wantFault(t, tt.by, err, tt.scimType, tt.what)
	}
}

func TestSortKey(t *testing.T) {
	t.Parallel()
	user, device := userType(t), deviceType(t)
	emails := func(list ...any) Resource { return Resource{ID: "1", Attrs: map[string]any{"emails": list}} }
	obj := func(kv ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	tests := []struct {
		name string
		t    *ResourceType
		by   string
		r    Resource
		want any
	}{
		{"folded", user, "title", Resource{Attrs: obj("title", "DR")}, "dr"},
		{"case exact", user, "externalId", Resource{Attrs: obj("externalId", "Ab")}, "Ab"},
		{"absent", user, "title", Resource{Attrs: obj("userName", "x")}, nil},
		{"primary", user, "emails", emails(obj("value", "a"), obj("value", "B", "primary", true)), "b"},
		{"first", user, "emails", emails(obj("value", "C"), obj("value", "a", "primary", false)), "c"},
		{"primary without the part", user, "emails.type", emails(obj("value", "a", "type", "work"), obj("value", "b", "primary", true)), nil},
		{"extension", user, URNEnterprise + ":manager", Resource{Attrs: obj(URNEnterprise, obj("manager", obj("value", "M1")))}, "M1"},
		{"no extension", user, URNEnterprise + ":manager", Resource{Attrs: obj()}, nil},
		{"time", user, "meta.created", Resource{Meta: Meta{Created: testTime}}, testTime.UnixMicro()},
		{"boolean", user, "active", Resource{Attrs: obj("active", false)}, false},
		{"integer", device, "ports", Resource{Attrs: obj("ports", int64(7))}, int64(7)},
		{"decimal", device, "load", Resource{Attrs: obj("load", 0.5)}, 0.5},
		{"list of strings", device, "tags", Resource{Attrs: obj("tags", []any{"Zed", "a"})}, "zed"},
		{"dateTime", device, "seen", Resource{Attrs: obj("seen", "1970-01-01T01:00:00+01:00")}, int64(0)},
	}
	for _, tt := range tests {
		s, err := tt.t.ParseSort(tt.by, "")
		if err != nil {
			t.Fatal(err)
		}
		doc := tt.t.SearchDoc(tt.r)
		if got := s.Key(doc); got != tt.want {
			t.Errorf("%s: key %#v, want %#v", tt.name, got, tt.want)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if got := s.Key(back); got != tt.want {
			t.Errorf("%s: key of the stored document %#v, want %#v", tt.name, got, tt.want)
		}
	}
}

func TestSortCompare(t *testing.T) {
	t.Parallel()
	inOrder := []any{false, true, int64(-3), 0.5, int64(1), int64(1<<62 + 1), int64(1<<62 + 2), "A", "a", "ab", "é", nil}
	up, down := &Sort{}, &Sort{Descending: true}
	for i, x := range inOrder {
		for j, y := range inOrder {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if c := up.Compare(x, y); c != want {
				t.Errorf("Compare(%#v, %#v) = %d", x, y, c)
			}
			if c := down.Compare(x, y); c != -want {
				t.Errorf("descending: Compare(%#v, %#v) = %d", x, y, c)
			}
		}
	}
	if up.Compare(int64(1), 1.0) != 0 {
		t.Error("1 and 1.0 are one number")
	}
}

func TestSortFor(t *testing.T) {
	t.Parallel()
	types := DefaultRegistry().Types
	got, err := SortFor(types, "userName", "descending")
	if err != nil || got[0] == nil || got[1] != nil || !got[0].Descending {
		t.Errorf("userName: %v, %v", got, err)
	}
	if got, err := SortFor(types, "displayName", ""); err != nil || slices.Contains(got, nil) {
		t.Errorf("displayName: %v, %v", got, err)
	}
	if got, err := SortFor(types, "", ""); err != nil || got[0] != nil || got[1] != nil {
		t.Errorf("nothing: %v, %v", got, err)
	}
	_, err = SortFor(types, "nope", "")
	wantFault(t, "nope", err, InvalidPath, "no resource type")
	_, err = SortFor(types, "password", "")
	wantFault(t, "password", err, InvalidPath, "password")
	_, err = SortFor(types, "userName", "up")
	wantFault(t, "order", err, InvalidValue, "sortOrder")
}
