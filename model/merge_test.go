package model_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

type attrs = map[string]any

func names(given, family string) attrs { return attrs{"givenName": given, "familyName": family} }

func resource(source string, a attrs) model.SourceResource {
	return model.SourceResource{Source: source, ID: "id-" + source, Attrs: a}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	const ext = "urn:acme:params:scim:schemas:extension:employment:2.0:User"
	hr := attrs{
		"schemas": []any{scim.URNUser, ext}, "userName": "hr-name", "active": false, "title": "Clerk",
		"name": names("Ann", "Hr"), "password": "secret", "id": "1", "groups": []any{attrs{"value": "g"}},
		"emails": []any{attrs{"value": "hr@example.com"}}, "nickName": "",
		ext: attrs{"department": "Pay", "startDate": "2027-01-01", "id": "17"},
	}
	entra := attrs{
		"userName": "entra-name", "active": true, "displayName": "Ann E",
		"name":   attrs{"givenName": "Annie", "familyName": "Entra", "formatted": "Annie Entra"},
		"emails": []any{attrs{"value": "entra@example.com"}}, "nickName": "Nan",
		ext: attrs{"department": "IT", "badge": int64(7)},
	}
	tests := map[string]struct {
		authority map[string][]string
		order     []string
		want      attrs             // of the result, those to compare; nil: absent
		origin    map[string]string // likewise, "" absent
	}{
		"order of the configuration": {
			order: []string{"hr", "entra"},
			want: attrs{
				"userName": "hr-name", "active": false, "title": "Clerk", "displayName": "Ann E", "nickName": "Nan",
				"name": names("Ann", "Hr"), "emails": []any{attrs{"value": "hr@example.com"}},
				"password": nil, "id": nil, "groups": nil,
				ext:       attrs{"department": "Pay", "startDate": "2027-01-01", "id": "17", "badge": int64(7)},
				"schemas": []any{scim.URNUser, ext},
			},
			origin: map[string]string{
				"userName": "hr", "displayName": "entra", "nickName": "entra", "name": "hr", "name.givenName": "",
				ext + ":department": "hr", ext + ":badge": "entra", ext: "",
			},
		},
		"most specific key": {
			authority: map[string][]string{"userName": {"entra", "hr"}, "name.*": {"hr"}, "*": {"entra", "hr"}},
			order:     []string{"hr", "entra"},
			want:      attrs{"userName": "entra-name", "name": names("Ann", "Hr"), "title": "Clerk", "active": true},
			origin:    map[string]string{"name": "hr", "title": "hr"},
		},
		"one part of a name": {
			authority: map[string][]string{"NAME.familyname": {"hr"}, "*": {"entra"}},
			want:      attrs{"name": attrs{"givenName": "Annie", "familyName": "Hr", "formatted": "Annie Entra"}, "title": nil},
			origin:    map[string]string{"name": "entra", "name.familyName": "hr"},
		},
		"a part that its authority lacks goes": {
			authority: map[string][]string{"name.formatted": {"hr"}, "name": {"entra"}},
			want:      attrs{"name": names("Annie", "Entra")},
			origin:    map[string]string{"name.formatted": ""},
		},
		"a part though no source gives the whole": {
			authority: map[string][]string{"name": {"nobody"}, "name.givenName": {"hr"}},
			want:      attrs{"name": attrs{"givenName": "Ann"}},
			origin:    map[string]string{"name": "", "name.givenName": "hr"},
		},
		"extension and one attribute of it": {
			authority: map[string][]string{ext: {"hr"}, ext + ":department": {"entra"}},
			want:      attrs{ext: attrs{"department": "IT", "startDate": "2027-01-01", "id": "17"}},
			origin:    map[string]string{ext: "", ext + ":department": "entra", ext + ":startDate": "hr"},
		},
		"extension with a star": {
			authority: map[string][]string{ext + ":*": {"entra"}},
			want:      attrs{ext: attrs{"department": "IT", "badge": int64(7)}},
			origin:    map[string]string{ext: "entra", ext + ":badge": "entra"},
		},
		"core attribute with its schema": {
			authority: map[string][]string{scim.URNUser + ":userName": {"entra"}},
			order:     []string{"hr", "entra"},
			want:      attrs{"userName": "entra-name", "title": "Clerk"},
		},
		"nobody may give it": {
			authority: map[string][]string{"title": {}},
			want:      attrs{"title": nil},
		},
		"sources that are not configured come last": {
			order: []string{"entra"},
			want:  attrs{"userName": "entra-name", "title": "Clerk"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, origin := model.Merge([]model.SourceResource{resource("hr", hr), resource("entra", entra)}, tt.authority, tt.order)
			for key, want := range tt.want {
				if diff := cmp.Diff(want, user[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			for key, want := range tt.origin {
				if origin[key] != want {
					t.Errorf("origin of %s: %q, want %q", key, origin[key], want)
				}
			}
		})
	}
	if len(hr["name"].(attrs)) != 2 {
		t.Error("the input was changed")
	}
}

func TestMergeNewestSpeaksFirst(t *testing.T) {
	t.Parallel()
	at := func(id, title string, day int) model.SourceResource {
		return model.SourceResource{Source: "hr", ID: id, Attrs: attrs{"title": title}, Modified: time.Date(2027, 1, day, 0, 0, 0, 0, time.UTC)}
	}
	user, _ := model.Merge([]model.SourceResource{at("a", "old", 1), at("b", "new", 2)}, nil, nil)
	if user["title"] != "new" {
		t.Errorf("title %v", user["title"])
	}
	none, origin := model.Merge(nil, nil, nil)
	if len(none) != 0 || len(origin) != 0 || none == nil {
		t.Errorf("nothing merges to %v, %v", none, origin)
	}
}

// TestMergeProperties: the result does not depend on the order of the input, holds
// only values that a source has, and every attribute has an origin that has it.
func TestMergeProperties(t *testing.T) {
	t.Parallel()
	keys := []string{"userName", "title", "name", "emails", scim.URNEnterprise}
	rapid.Check(t, func(t *rapid.T) {
		var resources []model.SourceResource
		for n := range rapid.IntRange(0, 5).Draw(t, "resources") {
			a := attrs{}
			for _, k := range keys {
				switch v := rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, k); {
				case v == "":
				case k == "name" || k == scim.URNEnterprise:
					a[k] = attrs{"givenName": v, "department": v}
				default:
					a[k] = v
				}
			}
			resources = append(resources, model.SourceResource{
				Source: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "source"), ID: string(rune('0' + n)),
				Attrs: a, Modified: time.Unix(rapid.Int64Range(0, 2).Draw(t, "modified"), 0),
			})
		}
		authority := map[string][]string{}
		for _, k := range []string{"*", "userName", "name.*", "name.givenName", scim.URNEnterprise, scim.URNEnterprise + ":department"} {
			if rapid.Bool().Draw(t, "has "+k) {
				authority[k] = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(t, k)
			}
		}
		order := []string{"b", "a"}
		user, origin := model.Merge(resources, authority, order)
		shuffled := rapid.Permutation(resources).Draw(t, "shuffled")
		again, from := model.Merge(shuffled, authority, order)
		if diff := cmp.Diff(user, again) + cmp.Diff(origin, from); diff != "" {
			t.Fatalf("depends on the order of the input:\n%s", diff)
		}
		for key, value := range user {
			if key == "schemas" || key == "name" || key == scim.URNEnterprise {
				continue
			}
			if !slices.ContainsFunc(resources, func(r model.SourceResource) bool { return r.Source == origin[key] && r.Attrs[key] == value }) {
				t.Fatalf("%s = %v is said to come from %q, which has no such value", key, value, origin[key])
			}
		}
		for _, key := range slices.Sorted(maps.Keys(origin)) {
			if base, _, _ := strings.Cut(key, "."); !strings.HasPrefix(key, "urn:") && user[base] == nil {
				t.Fatalf("origin of %s, which is not there", key)
			}
		}
	})
}

func TestDateAt(t *testing.T) {
	t.Parallel()
	const ext = "urn:acme:2.0:User"
	user := attrs{
		"start": "2027-06-30T12:30:00+02:00", "bare": "2027-06-30T12:30:00", "empty": "", "number": 12.0, "text": "soon",
		"name": attrs{"since": "2027-01-02"},
		ext:    attrs{"startDate": "2027-06-30", "feb": "2027-02-30"},
	}
	day := time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		path  scim.Path
		want  time.Time // zero: none
		fails bool
	}{
		{path: scim.Path{URI: ext, Attr: "startDate"}, want: day},
		{path: scim.Path{URI: strings.ToUpper(ext), Attr: "STARTDATE"}, want: day},
		{path: scim.Path{Attr: "start"}, want: day.Add(10*time.Hour + 30*time.Minute)},
		{path: scim.Path{URI: scim.URNUser, Attr: "start"}, want: day.Add(10*time.Hour + 30*time.Minute)},
		{path: scim.Path{Attr: "bare"}, want: day.Add(12*time.Hour + 30*time.Minute)},
		{path: scim.Path{Attr: "name", Sub: "since"}, want: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		{path: scim.Path{Attr: "empty"}},
		{path: scim.Path{Attr: "absent"}},
		{path: scim.Path{URI: "urn:other", Attr: "startDate"}},
		{path: scim.Path{Attr: "number"}, fails: true},
		{path: scim.Path{Attr: "text"}, fails: true},
		{path: scim.Path{URI: ext, Attr: "feb"}, fails: true},
	}
	for _, tt := range tests {
		got, err := model.DateAt(user, tt.path, time.UTC)
		switch {
		case (err != nil) != tt.fails:
			t.Errorf("%+v: error %v", tt.path, err)
		case err != nil && model.CodeOf(err) != model.Invalid:
			t.Errorf("%+v: code %s", tt.path, model.CodeOf(err))
		case (got == nil) != tt.want.IsZero() && !tt.fails, got != nil && !got.Equal(tt.want):
			t.Errorf("%+v: %v, want %v", tt.path, got, tt.want)
		}
	}
}
