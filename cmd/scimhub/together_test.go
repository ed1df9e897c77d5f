package main_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// TestManyAtOnce: whatever comes at the same time about the same thing, nothing is
// made twice and nothing is lost.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	eachProvider(t, map[string]string{"creates": "rfc", "members": "entra", "one": "rfc"}, func(t *testing.T, p *provider) {
		t.Run("creates of one name", func(t *testing.T) {
			t.Parallel()
			createsOfOneName(t, p.connect("creates"))
		})
		t.Run("members of one group", func(t *testing.T) {
			t.Parallel()
			membersOfOneGroup(t, p.connect("members"))
		})
		t.Run("everything about one person", func(t *testing.T) {
			t.Parallel()
			everythingAboutOne(t, p.connect("one"))
		})
	})
}

// createsOfOneName: of 100 creates of one userName one makes the person, and 99 are
// told that there is one.
func createsOfOneName(t *testing.T, c connection) {
	t.Helper()
	var made, taken atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			// The same name in other letters is the same name.
			name := []string{"one@x.test", "ONE@x.test", "One@X.test"}[i%3]
			a, err := c.send(t.Context(), http.MethodPost, "/Users", userHead+fmt.Sprintf(`"userName":%q,"nickName":"%d"}`, name, i))
			switch {
			case err != nil:
				t.Error(err)
			case a.status == http.StatusCreated:
				made.Add(1)
			case a.status == http.StatusConflict && a.doc["scimType"] == "uniqueness":
				taken.Add(1)
			default:
				t.Error(a)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || taken.Load() != 99 {
		t.Errorf("%d were made and %d refused, due are 1 and 99", made.Load(), taken.Load())
	}
	if a := c.must(t, 200, http.MethodGet, "/Users", nil); a.doc["totalResults"] != 1.0 {
		t.Errorf("there are %v people", a.doc["totalResults"])
	}
}

// membersOfOneGroup: thirty clients each add a member of their own and every third
// takes it out again, in both of Entra's ways.
func membersOfOneGroup(t *testing.T, c connection) {
	t.Helper()
	group := text(c.must(t, 201, http.MethodPost, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"}`).doc, "id")
	const clients = 30
	stays := make([]string, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			change := func(operation string) {
				a, err := c.send(t.Context(), http.MethodPatch, "/Groups/"+group, patchHead+"["+operation+"]}")
				if err != nil || a.status != http.StatusOK && a.status != http.StatusNoContent {
					t.Errorf("%s: %s %v", operation, a, err)
				}
			}
			a, err := c.send(t.Context(), http.MethodPost, "/Users", userHead+fmt.Sprintf(`"userName":"m%d"}`, i))
			if err != nil || a.status != http.StatusCreated {
				t.Errorf("create: %s %v", a, err)
				return
			}
			id := text(a.doc, "id")
			change(fmt.Sprintf(`{"op":"Add","path":"members","value":[{"$ref":null,"value":%q}]}`, id))
			if i%3 == 0 {
				change(fmt.Sprintf(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":%q}]}`, id))
				return
			}
			stays[i] = id
		})
	}
	all.Wait()
	got := map[string]bool{}
	for _, m := range c.must(t, 200, http.MethodGet, "/Groups/"+group, nil).list("members") {
		got[text(m.(map[string]any), "value")] = true
	}
	for i, id := range stays {
		if id != "" && !got[id] {
			t.Errorf("member %d is lost", i)
		}
		delete(got, id)
	}
	if len(got) > 0 {
		t.Errorf("%d members are there that were taken out", len(got))
	}
}

// everythingAboutOne reads, lists, changes and selects one person at the same time;
// each change names an attribute of its own, and all of them are there at the end.
func everythingAboutOne(t *testing.T, c connection) {
	t.Helper()
	id := text(c.must(t, 201, http.MethodPost, "/Users", userHead+`"userName":"one"}`).doc, "id")
	attributes := []string{"displayName", "nickName", "title", "userType", "profileUrl", "preferredLanguage", "timezone"}
	var all sync.WaitGroup
	for i, attribute := range attributes {
		want := []string{"https://x.test/", "nl-BE", "Europe/Brussels", ""}
		value := fmt.Sprint(i)
		if i >= 4 {
			value = want[i-4]
		}
		all.Go(func() {
			for range 5 {
				a, err := c.send(t.Context(), http.MethodPatch, "/Users/"+id, patchHead+fmt.Sprintf(`[{"op":"remove","path":%q},{"op":"add","path":%[1]q,"value":%q}]}`, attribute, value))
				if err != nil || a.status != http.StatusOK || a.doc[attribute] != value {
					t.Errorf("%s: %s %v", attribute, a, err)
				}
			}
		})
		all.Go(func() {
			for _, target := range []string{"/Users/" + id, "/Users?filter=userName+eq+%22one%22", "/Users?attributes=" + attribute, "/Users/" + id + "?excludedAttributes=meta"} {
				a, err := c.send(t.Context(), http.MethodGet, target, nil)
				if err != nil || a.status != http.StatusOK {
					t.Errorf("%s: %s %v", target, a, err)
				}
			}
		})
	}
	all.Wait()
	doc := c.must(t, 200, http.MethodGet, "/Users/"+id, nil).doc
	for _, attribute := range attributes {
		if doc[attribute] == nil {
			t.Errorf("%s is lost", attribute)
		}
	}
}
