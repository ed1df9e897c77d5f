package fanout

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// At every application the client gets through the life of two accounts and a group
// without doing anything that one who knows the application never does.
func TestClientAtApplications(t *testing.T) {
	t.Parallel()
	for _, name := range ProfileNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ProfileNamed(name)
			if err != nil {
				t.Fatal(err)
			}
			a, err := app.New(app.Options{Profile: name, Pace: math.Inf(1), Domains: []string{"corp.example"}})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(a.Handler())
			defer server.Close()
			c, err := NewClient(model.Target{Name: "t", URL: server.URL + app.Prefix, Auth: model.Auth{Bearer: model.NewSecret("s3cret")}}, p, ClientOptions{Version: "1", Now: func() time.Time { return noon }})
			if err != nil {
				t.Fatal(err)
			}
			ids := livesOfTwo(t, c, server.URL)
			if p.Has("Group") {
				lifeOfGroup(t, c, ids)
			}
			if forbidden := a.Stats().Forbidden; len(forbidden) > 0 {
				t.Errorf("never to be done: %v", forbidden)
			}
		})
	}
}

func livesOfTwo(t *testing.T, c *Client, url string) (ids []string) {
	t.Helper()
	p := c.profile
	for _, name := range []string{"anna", "ben"} {
		user := name + "@corp.example"
		want := model.Account{UserName: user, Active: true, Attrs: map[string]any{
			"displayName": strings.ToUpper(name), "name.givenName": name, "name.familyName": "Old", "title": "x", "externalId": "e-" + name,
			`emails[type eq "work"].value`: user, `emails[type eq "home"].value`: name + ".home@corp.example", `phoneNumbers[type eq "work"].value`: "+49 1",
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "A",
		}}
		if words := p.Unfit(want); words != nil {
			t.Fatalf("unfit: %v", words)
		}
		if _, found, err := c.Lookup(t.Context(), "userName", user); found || err != nil {
			t.Fatalf("look-up of nobody: %v, %v", found, err)
		}
		u, err := c.Create(t.Context(), want)
		if err != nil {
			t.Fatalf("create: %v", err)
		}
		ids = append(ids, u.ID)
		if u, found, err := c.Lookup(t.Context(), "userName", user); !found || err != nil || u.ID != ids[len(ids)-1] {
			t.Fatalf("look-up: %v, %v, %v", u, found, err)
		}
		if _, err := c.Create(t.Context(), want); ClassOf(err) != Conflict {
			t.Errorf("create again: %v", err)
		}
		next := want
		next.Attrs = maps.Clone(want.Attrs)
		next.Attrs["name.familyName"], next.Attrs["nickName"] = "New", "n"
		delete(next.Attrs, "title")
		delete(next.Attrs, `phoneNumbers[type eq "work"].value`)
		if _, err := c.Update(t.Context(), u.ID, want, next); err != nil {
			t.Errorf("update: %v", err)
		}
		accepted(t, url, user)
		if p.Disable != "forbidden" {
			if _, err := c.SetActive(t.Context(), u.ID, false); err != nil {
				t.Errorf("switch off: %v", err)
			}
			off := next
			off.Active = false
			on := next
			on.Attrs = maps.Clone(next.Attrs)
			on.Attrs["nickName"] = "m"
			if _, err := c.Update(t.Context(), u.ID, off, on); err != nil {
				t.Errorf("switch on and change: %v", err)
			}
		}
		got, err := c.Get(t.Context(), u.ID)
		if err != nil || !got.Active {
			t.Errorf("read: %+v, %v", got, err)
		}
	}
	if p.ListTrustworthy {
		seen := 0
		for _, err := range c.List(t.Context()) {
			if seen++; err != nil {
				t.Errorf("list: %v", err)
			}
		}
		if n, err := c.Total(t.Context()); err != nil || n != seen || n < 2 {
			t.Errorf("total %d, listed %d, %v", n, seen, err)
		}
	}
	return ids
}

// accepted lets somebody accept the invitation, where there are invitations.
func accepted(t *testing.T, url, user string) {
	t.Helper()
	res, err := http.Post(url+"/_app/accept", "application/json", strings.NewReader(fmt.Sprintf(`{"userName":%q}`, user)))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

func lifeOfGroup(t *testing.T, c *Client, ids []string) {
	t.Helper()
	p := c.profile
	g, err := c.CreateGroup(t.Context(), "team")
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	if found, ok, err := c.FindGroup(t.Context(), "team"); !ok || err != nil || found.ID != g.ID {
		t.Errorf("find group: %+v, %v, %v", found, ok, err)
	}
	if _, ok, err := c.FindGroup(t.Context(), "other"); ok || err != nil {
		t.Errorf("find no group: %v, %v", ok, err)
	}
	for _, step := range [][2][]string{{ids, nil}, {ids[:1], nil}, {nil, ids[:1]}, {nil, ids[:1]}} { // each twice
		if err := c.PatchMembers(t.Context(), g.ID, step[0], step[1]); err != nil {
			t.Errorf("members %v: %v", step, err)
		}
	}
	var members []string
	for id, err := range c.Members(t.Context(), g.ID) {
		if members = append(members, id); err != nil && ClassOf(err) != Unreadable {
			t.Errorf("members: %v", err)
		}
	}
	if p.MembersReadable && !slices.Equal(members, ids[1:]) {
		t.Errorf("members %v, want %v", members, ids[1:])
	}
	if p.Rename.Group {
		if err := c.RenameGroup(t.Context(), g.ID, "new"); err != nil {
			t.Errorf("rename: %v", err)
		}
	}
	if p.ListTrustworthy {
		if err := drained(c.ListGroups(t.Context())); err != nil {
			t.Errorf("list groups: %v", err)
		}
	}
	if p.DeleteGroup != "forbidden" {
		if err := c.DeleteGroup(t.Context(), g.ID); err != nil {
			t.Errorf("delete group: %v", err)
		}
	}
	if p.Delete != model.DeleteForbidden {
		if err := c.Delete(t.Context(), ids[0]); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}
