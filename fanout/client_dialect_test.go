package fanout

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model"
)

const patchOpHead = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`

// with is the generic profile with something else.
func with(t *testing.T, change func(*Profile)) Profile {
	t.Helper()
	p := generic(t)
	p.Name = "shop"
	change(&p)
	return p
}

func TestClientPatchDialect(t *testing.T) {
	t.Parallel()
	const work = `emails[type eq "work"]`
	on := model.Account{UserName: "anna", Active: true, Attrs: map[string]any{"title": "x"}}
	off := model.Account{UserName: "anna", Attrs: map[string]any{"title": "x"}}
	titled := func(a model.Account, title string) model.Account {
		a.Attrs = map[string]any{"title": title, "nickName": "an"}
		return a
	}
	patch := func(ops string) exchange {
		return exchange{"PATCH", "/Users/7", patchOpHead + ops + `]}`, 204, nil, ""}
	}
	tests := []struct {
		name          string
		profile       func(*Profile)
		before, after model.Account
		list          []exchange
		class         Class
	}{
		{"capital operations, booleans as text", func(p *Profile) { p.Patch.OpCase, p.Patch.BoolAsString = "capital", true }, on,
			model.Account{UserName: "anna", Attrs: map[string]any{work: map[string]any{"value": "a@x", "primary": true}}}, []exchange{patch(
				`{"op":"Replace","path":"active","value":"False"},
				{"op":"Add","path":"emails","value":[{"type":"work","value":"a@x","primary":"True"}]},
				{"op":"Remove","path":"title"}`)}, ""},
		{"one object without path", func(p *Profile) { p.Patch.WithoutPath = "required" }, on, titled(off, "y"), []exchange{patch(
			`{"op":"replace","value":{"active":false,"title":"y","nickName":"an"}}`)}, ""},
		{"paths where both are allowed", func(p *Profile) { p.Patch.WithoutPath = "allowed" }, on, off, []exchange{patch(`{"op":"replace","path":"active","value":false}`)}, ""},
		{"split: switching off goes first and alone", func(p *Profile) { p.Patch.MaxOps = 2 }, on, titled(off, "y"), []exchange{
			patch(`{"op":"replace","path":"active","value":false}`),
			patch(`{"op":"replace","path":"nickName","value":"an"},{"op":"replace","path":"title","value":"y"}`)}, ""},
		{"split: switching on goes last", func(p *Profile) { p.Patch.MaxOps = 1 }, off, titled(on, "y"), []exchange{
			patch(`{"op":"replace","path":"nickName","value":"an"}`), patch(`{"op":"replace","path":"title","value":"y"}`),
			patch(`{"op":"replace","path":"active","value":true}`)}, ""},
		{"split: unless only accounts that are on are changed", func(p *Profile) { p.Patch.MaxOps, p.UpdateWhenInactive = 2, "with_reactivation" }, off, titled(on, "y"), []exchange{
			patch(`{"op":"replace","path":"active","value":true},{"op":"replace","path":"nickName","value":"an"}`),
			patch(`{"op":"replace","path":"title","value":"y"}`)}, ""},
		{"split by size", func(p *Profile) { p.Patch.MaxBody = 180 }, on, titled(on, strings.Repeat("y", 40)), []exchange{
			patch(`{"op":"replace","path":"nickName","value":"an"}`), patch(`{"op":"replace","path":"title","value":"` + strings.Repeat("y", 40) + `"}`)}, ""},
		{"split: one attribute alone is too large", func(p *Profile) { p.Patch.MaxBody = 180 }, on, titled(on, strings.Repeat("y", 140)), nil, Invalid},
		{"split: what was refused stops it", func(p *Profile) { p.Patch.MaxOps = 1 }, on, titled(off, "y"), []exchange{
			{"PATCH", "/Users/7", "", 400, nil, `{"detail":"no"}`}}, Invalid},
		{"in one request where it fits", func(p *Profile) { p.UpdateWhenInactive = "with_reactivation" }, off, titled(on, "y"), []exchange{
			patch(`{"op":"replace","path":"active","value":true},{"op":"replace","path":"nickName","value":"an"},{"op":"replace","path":"title","value":"y"}`)}, ""},
		{"switched on alone before anything else", func(p *Profile) { p.UpdateWhenInactive = "no" }, off, titled(on, "x"), []exchange{
			patch(`{"op":"replace","path":"active","value":true}`), patch(`{"op":"replace","path":"nickName","value":"an"}`)}, ""},
		{"what is off is not changed", func(p *Profile) { p.UpdateWhenInactive = "no" }, off, titled(off, "y"), nil, Invalid},
		{"what is off is not changed without being switched on", func(p *Profile) { p.UpdateWhenInactive = "with_reactivation" }, off, titled(off, "y"), nil, Invalid},
		{"fixed once made", func(p *Profile) { p.Limits = map[string]model.AttrLimit{"title": {Fixed: true}} }, on, titled(on, "y"), nil, Invalid},
		{"fixed, and not there yet", func(p *Profile) { p.Limits = map[string]model.AttrLimit{"nickName": {Fixed: true}} }, on, titled(on, "x"), []exchange{
			patch(`{"op":"replace","path":"nickName","value":"an"}`)}, ""},
		{"only what is known, nothing that is dropped", func(p *Profile) {
			p.SendUnknown, p.KnownAttrs, p.Drops = false, []string{"title", "nickName"}, []string{"nickName"}
		}, on,
			model.Account{UserName: "anna", Active: true, Attrs: map[string]any{"title": "y", "nickName": "n", "locale": "de"}},
			[]exchange{patch(`{"op":"replace","path":"title","value":"y"}`)}, ""},
		{"switched off by deleting, which only disables", func(p *Profile) { p.Disable, p.Delete = "delete", model.DeleteDisables }, on, titled(off, "x"), []exchange{
			{"DELETE", "/Users/7", "", 204, nil, ""}, patch(`{"op":"replace","path":"nickName","value":"an"}`)}, ""},
		{"switched off by deleting: nothing is left to write", func(p *Profile) { p.Disable = "delete" }, on, titled(off, "x"), []exchange{
			{"DELETE", "/Users/7", "", 204, nil, ""}}, ""},
		{"cannot be switched off", func(p *Profile) { p.Disable = "forbidden" }, on, off, nil, Invalid},
		{"neither PATCH nor PUT", func(p *Profile) { p.Patch.Supported, p.Put.Supported = false, false }, on, off, nil, Invalid},
		{"the answer shows another account", func(*Profile) {}, on, off, []exchange{{"PATCH", "/Users/7", "", 200, nil, `{"id":"8","active":false}`}}, Garbage},
		{"accepted for later", func(*Profile) {}, on, off, []exchange{{"PATCH", "/Users/7", "", 202, nil, ""}}, ""},
		{"an empty object", func(*Profile) {}, on, off, []exchange{{"PATCH", "/Users/7", "", 200, nil, "{}"}}, ""},
		{"an empty 200", func(*Profile) {}, on, off, []exchange{{"PATCH", "/Users/7", "", 200, nil, "  \n"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := script(t, with(t, tt.profile), model.Auth{}, tt.list...)
			if _, err := c.Update(t.Context(), "7", tt.before, tt.after); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

func TestClientPut(t *testing.T) {
	t.Parallel()
	before := model.Account{UserName: "anna", Active: true, Attrs: map[string]any{"title": "x", "name.givenName": "A", `emails[type eq "work"].value`: "a@x"}}
	after := model.Account{UserName: "anna", Active: true, Attrs: map[string]any{"title": "y"}}
	const schemas = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	get := func(version, text string) exchange {
		return exchange{"GET", "/Users/7", "", 200, map[string]string{"ETag": version}, text}
	}
	const shown = `{"id":"7","meta":{"version":"W/\"m\""},"groups":[{"value":"g"}],"memberOf":["g"],"password":"p","userName":"anna","title":"x","theirs":1,
		"name":{"givenName":"A","familyName":"B"},"emails":[{"type":"home","value":"h"},{"type":"work","value":"a@x"}]}`
	tests := []struct {
		name    string
		profile func(*Profile)
		list    []exchange
		class   Class
	}{
		{"nothing that is read-only goes back", func(*Profile) {}, []exchange{get("", shown),
			{"PUT", "/Users/7", `{` + schemas + `,"userName":"anna","title":"y","theirs":1,"name":{"familyName":"B"},"emails":[{"type":"home","value":"h"}]}`, 200, nil, `{"id":"7"}`}}, ""},
		{"what is left out says nothing: null does", func(p *Profile) { p.Put.ClearsMissing = false }, []exchange{
			get("", `{"id":"7","userName":"anna","title":"x","name":{"givenName":"A","familyName":"B"},"emails":[{"type":"work","value":"a@x"}]}`),
			{"PUT", "/Users/7", `{` + schemas + `,"userName":"anna","title":"y","name":{"givenName":null,"familyName":"B"},"emails":[]}`, 204, nil, ""}}, ""},
		{"only what may be sent goes back", func(p *Profile) {
			p.SendUnknown, p.KnownAttrs, p.Drops = false, []string{"title", "name.givenName", "emails", "locale"}, []string{"emails"}
		}, []exchange{get("", shown), {"PUT", "/Users/7", `{` + schemas + `,"userName":"anna","title":"y","name":{"familyName":"B"}}`, 204, nil, ""}}, ""},
		{"somebody else wrote meanwhile", func(p *Profile) { p.ETag = true }, []exchange{
			get(`W/"1"`, `{"id":"7","userName":"anna","title":"x"}`), {"PUT", "/Users/7", "", 412, nil, ""},
			get(`W/"2"`, `{"id":"7","userName":"anna","title":"x","theirs":2}`),
			{"PUT", "/Users/7", `{` + schemas + `,"userName":"anna","title":"y","theirs":2}`, 204, nil, ""}}, ""},
		{"somebody else always writes meanwhile", func(p *Profile) { p.ETag = true }, []exchange{
			get(`W/"1"`, `{"id":"7"}`), {"PUT", "/Users/7", "", 412, nil, ""}, get(`W/"2"`, `{"id":"7"}`), {"PUT", "/Users/7", "", 412, nil, ""},
			get(`W/"3"`, `{"id":"7"}`), {"PUT", "/Users/7", "", 412, nil, ""}}, Conflict},
		{"another resource is not written back", func(*Profile) {}, []exchange{get("", `{"id":"8","userName":"ben"}`)}, Garbage},
		{"a page that is none is not written back", func(*Profile) {}, []exchange{get("", `<html>`)}, Garbage},
		{"who is gone", func(*Profile) {}, []exchange{{"GET", "/Users/7", "", 404, nil, ""}}, Missing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := script(t, with(t, func(p *Profile) { p.Patch.Supported = false; tt.profile(p) }), model.Auth{}, tt.list...)
			if _, err := c.Update(t.Context(), "7", before, after); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

func TestClientCreateAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		header map[string]string
		answer string
		id     string
		class  Class
	}{
		{"body", 201, nil, `{"id":"7","userName":"anna"}`, "7", ""},
		{"status of a read", 200, nil, `{"id":7}`, "7", ""},
		{"no body, an address", 201, map[string]string{"Location": "https://x.example/scim/v2/Users/a%2Fb"}, "", "b", ""},
		{"body without id, a relative address", 201, map[string]string{"Location": "../Users/7"}, `{"ok":true}`, "7", ""},
		{"accepted for later, an address", 202, map[string]string{"Location": "/Users/7"}, "", "7", ""},
		{"neither", 201, nil, "", "", Garbage},
		{"a web page", 200, nil, "<!doctype html>", "", Garbage},
		{"exists already", 409, nil, `{"scimType":"uniqueness"}`, "", Conflict},
		{"exists already, in other words", 400, nil, `{"scimType":"uniqueness","detail":"taken"}`, "", Conflict},
		{"exists already, as the profile says", 422, nil, `{"message":"Email has already been Taken"}`, "", Conflict},
		{"no licences", 400, nil, `{"detail":"Licence pool exhausted"}`, "", Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := with(t, func(p *Profile) {
				p.Conflict.Texts = []string{"has already been taken"}
				p.Hints = map[string]string{"LICENCE": "buy more", "zzz": "never"}
			})
			c := script(t, p, model.Auth{}, exchange{"POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna","active":true}`, tt.status, tt.header, tt.answer})
			u, err := c.Create(t.Context(), model.Account{UserName: " anna", Active: true, Groups: []string{"g"}})
			if u.ID != tt.id || ClassOf(err) != tt.class {
				t.Errorf("id %q, error %v", u.ID, err)
			}
			if hinted := err != nil && strings.HasSuffix(err.Error(), "(buy more)"); hinted != (tt.name == "no licences") {
				t.Errorf("hint in %v", err)
			}
		})
	}
}

// What an application does not have or forbids is never asked for.
func TestClientAsksForNothingThatIsNotThere(t *testing.T) {
	t.Parallel()
	p := with(t, func(p *Profile) {
		p.ResourceTypes, p.Delete, p.Discovery.Schemas = []string{"User"}, model.DeleteForbidden, ""
	})
	for name, ask := range map[string]func(*Client) error{
		"find group":   func(c *Client) error { _, _, err := c.FindGroup(t.Context(), "g"); return err },
		"group":        func(c *Client) error { _, err := c.Group(t.Context(), "g"); return err },
		"list groups":  func(c *Client) error { return drained(c.ListGroups(t.Context())) },
		"members":      func(c *Client) error { return drained(c.Members(t.Context(), "g")) },
		"create group": func(c *Client) error { _, err := c.CreateGroup(t.Context(), "g"); return err },
		"rename group": func(c *Client) error { return c.RenameGroup(t.Context(), "1", "g") },
		"delete group": func(c *Client) error { return c.DeleteGroup(t.Context(), "1") },
		"join":         func(c *Client) error { return c.PatchMembers(t.Context(), "1", []string{"2"}, nil) },
		"delete":       func(c *Client) error { return c.Delete(t.Context(), "1") },
	} {
		if err := ask(script(t, p, model.Auth{})); ClassOf(err) != Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := script(t, p, model.Auth{}).Describe(t.Context(), "Schemas"); ClassOf(err) != Unreadable {
		t.Errorf("describe: %v", err)
	}
}
