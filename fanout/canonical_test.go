package fanout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

func TestCanonicalLimits(t *testing.T) {
	t.Parallel()
	list := func(values ...string) []any {
		var out []any
		for _, v := range values {
			value, primary := strings.CutSuffix(v, "!")
			e := map[string]any{"value": value}
			if primary {
				e["primary"] = true
			}
			out = append(out, e)
		}
		return out
	}
	p := with(t, func(p *Profile) {
		p.Limits = map[string]model.AttrLimit{
			"userName": {Len: 4}, "title": {Len: 3}, "displayName": {Required: true, Charset: "<>"}, "nickName": {Charset: "@"},
			"emails": {Multi: 2}, "emails.value": {Len: 5, Required: true}, "name.givenName": {Len: 2}, "roles.display": {Len: 2},
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": {Len: 2},
			"urn:ietf:params:scim:schemas:core:2.0:Group:displayName":               {Len: 1, Required: true},
		}
	})
	const department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
	tests := []struct {
		name    string
		account model.Account
		attrs   map[string]any // canonical
		unfit   []string
		leftOut []string
	}{
		{"everything fits", model.Account{UserName: "änne", Attrs: map[string]any{"displayName": "Anne", "title": "äöü", "emails": list("a@x")}},
			map[string]any{"displayName": "Anne", "title": "äöü", "emails": list("a@x")}, nil, nil},
		{"what does not identify is left out", model.Account{UserName: "a", Attrs: map[string]any{"displayName": "A", "title": "long", "nickName": "a@b", "name.givenName": "abc", department: "abc",
			"roles": []any{map[string]any{"value": "1", "display": "abc"}}, `emails[type eq "work"].value`: "a@x"}},
			map[string]any{"displayName": "A", `emails[type eq "work"].value`: "a@x"}, nil,
			[]string{"name.givenName is left out: it has 3 characters, the application takes 2", `nickName is left out: it holds '@', which the application refuses`, "roles is left out: it has 3 characters, the application takes 2",
				"title is left out: it has 4 characters, the application takes 3", department + " is left out: it has 3 characters, the application takes 2"}},
		{"what identifies is not shortened", model.Account{UserName: "anna-maria", Attrs: map[string]any{"displayName": "<b>", "emails": list("anna@x")}},
			map[string]any{"displayName": "<b>", "emails": list("anna@x")},
			[]string{"userName has 10 characters, the application takes 4", `displayName holds '<', which the application refuses`, "emails has 6 characters, the application takes 5"}, nil},
		{"what is demanded is missing", model.Account{UserName: "a"}, nil, []string{"displayName is missing, which the application demands", "emails.value is missing, which the application demands"}, nil},
		{"so many elements", model.Account{UserName: "a", Attrs: map[string]any{"displayName": "A", "emails": list("c", "b", "d!", "a")}},
			map[string]any{"displayName": "A", "emails": []any{map[string]any{"value": "a"}, map[string]any{"primary": true, "value": "d"}}}, nil, nil},
	}
	for _, tt := range tests {
		got := p.Canonical(tt.account)
		want := map[string]string{}
		for k, v := range tt.attrs {
			want[k] = string(canonicalJSON(plain(v)))
		}
		have := map[string]string{}
		for k, v := range got.Attrs {
			have[k] = string(canonicalJSON(v))
		}
		if tt.name == "so many elements" {
			if list, _ := got.Attrs["emails"].([]any); len(list) != 2 || !strings.Contains(have["emails"], `"d"`) {
				t.Errorf("%s: %s", tt.name, have["emails"])
			}
		} else if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.unfit, p.Unfit(tt.account)); diff != "" {
			t.Errorf("%s: unfit: %s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.leftOut, p.LeftOut(tt.account)); diff != "" {
			t.Errorf("%s: left out: %s", tt.name, diff)
		}
	}
}

func TestCanonicalOneElement(t *testing.T) {
	t.Parallel()
	p := with(t, func(p *Profile) { p.SingleValued, p.StoresExternalID = true, false })
	a := model.Account{UserName: "a", Attrs: map[string]any{
		`emails[type eq "home"].value`: "h", `emails[type eq "work"].value`: "w", `emails[type eq "work"].display`: "W",
		`phoneNumbers[type eq "home"].value`: "1", `phoneNumbers[type eq "mobile"].value`: "2",
		"roles": []any{"x", "y"}, `roles[type eq "a"].value`: "z", "name.givenName": "A", "name.familyName": "B", "externalId": "e",
	}}
	want := map[string]any{
		`emails[type eq "work"].value`: "w", `emails[type eq "work"].display`: "W", `phoneNumbers[type eq "home"].value`: "1",
		"roles": []any{"x"}, "name.givenName": "A", "name.familyName": "B",
	}
	if diff := cmp.Diff(want, p.Canonical(a).Attrs); diff != "" {
		t.Error(diff)
	}
}

// Whatever the profile: canonical is canonical, shortens nothing, and does not touch
// its argument.
func TestCanonicalProperties(t *testing.T) {
	t.Parallel()
	profiles := []Profile{}
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	profiles = append(profiles, with(t, func(p *Profile) {
		p.SendUnknown, p.KnownAttrs, p.Limits = false, []string{"emails", "title"}, map[string]model.AttrLimit{"emails": {Multi: 2}, "title": {Len: 2, Charset: "@"}}
	}))
	paths := []string{"title", "displayName", "nickName", "externalId", "name.givenName", "emails", `emails[type eq "work"].value`, `emails[type eq "home"].value`, "urn:x:User:dept"}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab@<%ä]{0,5}`)
		a := model.Account{UserName: text.Draw(t, "userName"), Active: true, Attrs: map[string]any{}}
		for _, path := range rapid.SliceOfDistinct(rapid.SampledFrom(paths), rapid.ID).Draw(t, "paths") {
			a.Attrs[path] = text.Draw(t, path)
			if path == "emails" {
				var list []any
				for _, v := range rapid.SliceOfN(text, 0, 4).Draw(t, "emails") {
					list = append(list, map[string]any{"value": v, "primary": rapid.Bool().Draw(t, "primary")})
				}
				a.Attrs[path] = list
			}
		}
		before := string(canonicalJSON(a))
		p := rapid.SampledFrom(profiles).Draw(t, "profile")
		once := p.Canonical(a)
		if diff := cmp.Diff(once, p.Canonical(once)); diff != "" {
			t.Fatalf("not idempotent: %s", diff)
		}
		if after := string(canonicalJSON(a)); after != before {
			t.Fatalf("the argument was changed: %s, %s", before, after)
		}
		for path, v := range once.Attrs {
			if s, isText := v.(string); isText && s != a.Attrs[path] {
				t.Fatalf("%s: %q became %q", path, a.Attrs[path], s)
			}
		}
		if diff := cmp.Diff(p.Unfit(a), p.Unfit(once)); diff != "" {
			t.Fatalf("unfit differs: %s", diff)
		}
	})
}
