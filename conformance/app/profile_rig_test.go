package app

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counts are what Stats counts beside the requests.
type counts map[string]int

// counted holds the counts of an application against what is expected.
func (r rig) counted(forbidden, lost counts) {
	r.t.Helper()
	var got Stats
	if err := json.Unmarshal([]byte(r.want(200, "GET", "/_app/stats", "")), &got); err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(forbidden, counts(got.Forbidden)); diff != "" {
		r.t.Errorf("forbidden (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(lost, counts(got.Irreversible)); diff != "" {
		r.t.Errorf("irreversible (-want +got):\n%s", diff)
	}
}

// find answers a list with a filter: the status, and the userNames or displayNames.
func (r rig) find(code int, endpoint, filter string, names ...string) {
	r.t.Helper()
	path := prefix + endpoint
	if filter != "" {
		path += "?filter=" + url.QueryEscape(filter)
	}
	raw := r.want(code, "GET", path, "")
	if code != 200 {
		return
	}
	var list struct {
		TotalResults int
		Resources    []struct{ UserName, DisplayName string }
	}
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		r.t.Fatal(err)
	}
	got := []string{}
	for _, e := range list.Resources {
		if strings.HasPrefix(endpoint, "/Users") {
			got = append(got, e.UserName)
		} else {
			got = append(got, e.DisplayName)
		}
	}
	if diff := cmp.Diff(append([]string{}, names...), got); diff != "" || list.TotalResults < len(names) {
		r.t.Errorf("%s %s (-want +got), %d in total:\n%s", endpoint, filter, list.TotalResults, diff)
	}
}

// make creates a user and returns its path.
func (r rig) make(body string) string {
	r.t.Helper()
	return prefix + "/Users/" + idOf(r.t, r.want(201, "POST", prefix+"/Users", body))
}

// says holds what the answer to a GET holds and what it does not (with a ! before).
func (r rig) says(path string, texts ...string) {
	r.t.Helper()
	raw := r.want(200, "GET", path, "")
	for _, text := range texts {
		bare, not := strings.CutPrefix(text, "!")
		if strings.Contains(raw, bare) == not {
			r.t.Errorf("%s: %s\n%s", path, text, raw)
		}
	}
}

func replaceOp(path, value string) string {
	return patchOp(`{"op":"replace","path":"` + path + `","value":` + value + `}`)
}

const (
	off = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`
	on  = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true}]}`
	ada = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@ex.com","externalId":"E1","displayName":"Ada","name":{"givenName":"Ada","familyName":"Byron"},"emails":[{"value":"ada@ex.com","type":"work","primary":true}],"active":true}`
	bob = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bob@ex.com","externalId":"E2","displayName":"Bob","name":{"givenName":"Bob","familyName":"Ross"},"emails":[{"value":"bob@ex.com","type":"work","primary":true}],"active":true}`
)

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// TestEveryProfileWelcomesTheCareful takes the same quiet life through every
// application: what every one of them allows, and nothing that is counted.
func TestEveryProfileWelcomesTheCareful(t *testing.T) {
	t.Parallel()
	for _, p := range profiles() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			r := start(t, Options{Profile: p.Name})
			short := strings.ReplaceAll(ada, "ada@ex.com", "ada@ex.co")
			u := r.make(short)
			r.find(200, "/Users", `userName eq "ada@ex.co"`, "ada@ex.co")
			r.says(u, `"displayName":"Ada"`)
			patched := 200
			if p.PatchStatus204 {
				patched = 204
			}
			r.want(patched, "PATCH", u, replaceOp("title", `"Countess"`))
			if !p.NoGroups {
				g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
				id := strings.TrimPrefix(u, prefix+"/Users/")
				r.want(patched, "PATCH", g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`))
				r.want(patched, "PATCH", g, patchOp(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`))
				r.find(200, "/Groups", `displayName eq "eng"`, "eng")
			}
			if p.Invites {
				r.want(200, "POST", "/_app/accept", `{"userName":"ada@ex.co"}`)
			}
			r.want(patched, "PATCH", u, off)
			r.want(patched, "PATCH", u, on)
			if s := r.state(); len(s.Users) != 1 || s.Users[0]["active"] != true {
				t.Errorf("state %v", s)
			}
			r.counted(counts{}, counts{})
		})
	}
}
