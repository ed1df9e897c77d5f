package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

const awsUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann","displayName":"Ann","name":{"givenName":"A","familyName":"N"},"active":true}`

func TestAWS(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "aws"})
	r.want(400, "POST", prefix+"/Users", user("ann"))
	r.want(400, "POST", prefix+"/Users", strings.Replace(awsUser, `"displayName":"Ann"`, `"displayName":"A<n"`, 1))
	r.want(400, "POST", prefix+"/Users", strings.Replace(awsUser, `"active":true`, `"photos":[{"value":"https://x/y"}]`, 1))
	r.want(400, "POST", prefix+"/Users", strings.Replace(awsUser, `"active":true`, `"emails":[{"value":"a@x"},{"value":"b@x"}]`, 1))
	u := prefix + "/Users/" + idOf(t, r.want(201, "POST", prefix+"/Users", awsUser))
	r.want(400, "PUT", u, user("ann"))
	r.want(400, "PATCH", u, patchOp(`{"op":"replace","value":{"title":"x","nickName":"y"}}`))
	r.want(200, "PATCH", u, patchOp(`{"op":"replace","value":{"active":false}}`))
	r.want(403, "PATCH", u, patchOp(`{"op":"replace","value":{"active":true}}`), func(req *http.Request) { req.Header.Set("User-Agent", "") })

	for filter, code := range map[string]int{
		`userName eq "ann"`: 200, `userName eq "ann" and active eq false`: 200, `emails[type eq "work"]`: 200,
		`userName sw "a"`: 400, `userName eq "a" or userName eq "b"`: 400, `not (userName eq "a")`: 400, `title pr`: 400,
	} {
		r.want(code, "GET", prefix+"/Users?filter="+strings.ReplaceAll(strings.ReplaceAll(filter, " ", "+"), `"`, "%22"), "")
	}

	r.want(400, "POST", prefix+"/Groups", group("big", 101))
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 100)))
	r.want(409, "POST", prefix+"/Groups", group("ENG", 0))
	list := strings.TrimPrefix(group("", 101), `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"","members":`)
	r.want(400, "PATCH", g, patchOp(`{"op":"add","path":"members","value":`+strings.TrimSuffix(list, "}")+`}`))
	half := strings.TrimSuffix(strings.TrimPrefix(group("", 60), `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"","members":`), "}")
	r.want(400, "PATCH", g, patchOp(`{"op":"add","path":"members","value":`+half+`},{"op":"add","value":{"members":`+half+`}}`))
	r.want(400, "PATCH", g, patchOp(`{"op":"replace","path":"members","value":[{"value":"x"}]}`))
	r.want(400, "PATCH", g, patchOp(`{"op":"remove","path":"members"}`))
	r.want(200, "PATCH", g, patchOp(`{"op":"remove","path":"members[value eq \"m0\"]"},{"op":"add","path":"members","value":[{"value":"new"}]}`))
	r.want(200, "PATCH", g, patchOp(`{"op":"replace","path":"displayName","value":"engineers"}`))
	members, _ := r.state().Groups[0]["members"].([]any)
	if len(members) != 100 {
		t.Errorf("%d members, want 100", len(members))
	}
	if raw := r.want(200, "GET", prefix+"/ServiceProviderConfig", ""); !strings.Contains(raw, `"maxResults":50`) {
		t.Errorf("ServiceProviderConfig: %s", raw)
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	r := start(t, Options{Profile: "slack", Now: func() time.Time { return now }})
	r.want(400, "POST", prefix+"/Users", user("a-name-of-21-letters-"))
	id := idOf(t, r.want(201, "POST", prefix+"/Users", user("ann")))
	r.want(204, "DELETE", prefix+"/Users/"+id, "")
	if raw := r.want(200, "GET", prefix+"/Users/"+id, ""); !strings.Contains(raw, `"active":false`) {
		t.Errorf("after DELETE: %s", raw)
	}
	r.want(404, "DELETE", prefix+"/Users/nobody", "")
	for range 18 {
		r.want(409, "POST", prefix+"/Users", user("ann"))
	}
	code, header, _, err := r.send("POST", prefix+"/Users", user("bob"))
	if err != nil || code != 429 || header.Get("Retry-After") != "1" {
		t.Errorf("beyond the burst: %d, %v, Retry-After %q", code, err, header.Get("Retry-After"))
	}
	r.want(200, "GET", prefix+"/Users", "")
	r.want(201, "POST", prefix+"/Groups", group("eng", 0))
	r.want(200, "PATCH", prefix+"/Users/"+id, patchOp(`{"op":"replace","path":"active","value":true}`))
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	try := func(p Profile) (rig, string, string) {
		t.Helper()
		a, err := NewWithProfile(p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := startApp(t, a)
		u := prefix + "/Users/" + idOf(t, r.want(201, "POST", prefix+"/Users", user("ann")))
		g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 1)))
		return r, u, g
	}
	title := patchOp(`{"op":"replace","path":"title","value":"x"}`)
	r, u, _ := try(Profile{NoPatch: true, NoDelete: true})
	r.want(501, "PATCH", u, title)
	r.want(501, "DELETE", u, "")
	r, u, g := try(Profile{PatchStatus204: true, NoGroupRename: true})
	r.want(204, "PATCH", u, title)
	r.want(400, "PATCH", g, patchOp(`{"op":"replace","path":"displayName","value":"x"}`))
	r.want(400, "PATCH", g, patchOp(`{"op":"replace","value":{"displayName":"x"}}`))
	r.want(400, "PUT", g, group("x", 0))
	r.want(200, "PUT", g, group("eng", 0))
	r.want(204, "DELETE", g, "")
	r, _, _ = try(Profile{UserFilters: []string{"userName"}, FilterOps: []string{"eq"}, PageMax: 1})
	r.want(200, "GET", prefix+`/Users?filter=userName+eq+"x"`, "")
	r.want(400, "GET", prefix+`/Users?filter=externalId+eq+"x"`, "")
	r.want(400, "GET", prefix+`/Groups?filter=displayName+sw+"e"`, "")
	r.want(200, "GET", prefix+`/Groups?filter=displayName+eq+"e"`, "")
	r.want(201, "POST", prefix+"/Users", user("bob"))
	if raw := r.want(200, "GET", prefix+"/Users?count=10", ""); !strings.Contains(raw, `"itemsPerPage":1`) || !strings.Contains(raw, `"totalResults":2`) {
		t.Errorf("page: %s", raw)
	}
	if _, err := NewWithProfile(Profile{Dialect: "klingon"}, Options{}); err == nil {
		t.Error("an unknown dialect is accepted")
	}
}

// TestProfilesAreSound holds the table against what it relies on.
func TestProfilesAreSound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range profiles() {
		if seen[p.Name] || p.Name == "" || p.Description == "" {
			t.Errorf("profile %q is double or lacks a description", p.Name)
		}
		seen[p.Name] = true
		userType, _ := scim.DefaultRegistry().Type("User")
		for _, path := range p.Required {
			parsed, err := scim.ParsePath(path)
			if err == nil {
				_, _, err = userType.Resolve(parsed)
			}
			if err != nil {
				t.Errorf("%s: required path %s: %v", p.Name, path, err)
			}
		}
		if _, err := New(Options{Profile: p.Name}); err != nil {
			t.Error(err)
		}
	}
	if p, err := ProfileNamed(""); err != nil || p.Name != "generic" {
		t.Errorf("no name: %v, %v", p, err)
	}
}
