package app

import (
	"strings"
	"testing"
	"time"
)

// TestGitHub is about an identity that hides while it is suspended and never comes
// back once it was deleted.
func TestGitHub(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "github"})
	r.want(403, "GET", prefix+"/Users", "", header("User-Agent", ""))
	r.want(400, "POST", prefix+"/Users", user("nameless"))
	u := r.make(ada)
	r.want(200, "PATCH", u, off)
	r.says(u, "!ada@ex.com\",\"type", "@users.noreply.invalid", `"userName":"ada@ex.com"`)
	r.find(200, "/Users", `externalId eq "E1"`, "ada@ex.com")
	r.want(200, "PATCH", u, replaceOp("emails", `[{"value":"ada@ex.com","type":"work","primary":true}]`))
	r.says(u, "!\"value\":\"ada@ex.com\"")
	r.want(400, "PATCH", u, patchOp(`{"op":"replace","path":"externalId","value":"E9"},{"op":"replace","path":"active","value":true}`))
	r.want(200, "PATCH", u, on)
	r.says(u, `"value":"ada@ex.com"`, "!noreply")
	r.find(400, "/Users", `userName sw "a"`)
	r.find(400, "/Users", `emails.value eq "ada@ex.com"`)

	r.want(204, "DELETE", u, "")
	r.want(409, "POST", prefix+"/Users", ada)
	r.want(409, "POST", prefix+"/Users", strings.Replace(ada, "E1", "E7", 1))
	r.want(409, "POST", prefix+"/Users", strings.Replace(ada, "ada@ex.com", "ADA2@ex.com", 1))
	r.make(bob)
	r.counted(counts{ForbiddenUserAgent: 1, ForbiddenMissing: 1, ForbiddenFilter: 2, ForbiddenOperation: 4},
		counts{LostUser: 1, LostIdentity: 1, LostRepositories: 1})
}

func TestGitHubCountsMembersByTheHour(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	r := start(t, Options{Profile: "github", Now: func() time.Time { return now }})
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
	add := func(n int) string {
		list := strings.TrimPrefix(group("", n), `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"","members":`)
		return patchOp(`{"op":"add","path":"members","value":` + strings.TrimSuffix(list, "}") + `}`)
	}
	r.want(200, "PATCH", g, add(600))
	r.want(429, "PATCH", g, add(600))
	r.want(200, "PATCH", g, patchOp(`{"op":"remove","path":"members[value eq \"m1\"]"}`)) // takes nothing
	now = now.Add(time.Hour)
	r.want(200, "PATCH", g, add(600))
	r.counted(counts{ForbiddenThrottled: 1}, counts{})
}

func TestDropboxInvitations(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "dropbox"})
	a, b := r.make(ada), r.make(bob)
	r.says(a, `"userType":"invited"`)
	r.want(200, "POST", "/_app/accept", `{"userName":"ADA@ex.com"}`)
	r.says(a, "!invited")
	r.want(400, "POST", "/_app/accept", `nonsense`)

	r.want(200, "PATCH", a, off)
	r.says(a, `"active":false`)
	r.want(200, "PATCH", b, off)
	r.want(404, "GET", b, "")
	if s := r.state(); len(s.Users) != 1 {
		t.Errorf("state %v", s)
	}
	b = r.make(bob)
	if got := r.app.Invited(); len(got) != 1 || got[0] != "bob@ex.com" {
		t.Errorf("invited: %v", got)
	}
	r.want(200, "POST", "/_app/accept", `{}`)
	r.want(204, "DELETE", b, "")
	if r.app.Accept("bob@ex.com") {
		t.Error("somebody who has gone accepts")
	}
	r.counted(counts{}, counts{LostInvited: 1, LostUser: 1})
}

func TestSlackDeletion(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "slack"})
	u := r.make(strings.ReplaceAll(ada, "@ex.com", ""))
	r.want(400, "PATCH", u, replaceOp("displayName", `"@ada"`))
	r.want(409, "POST", prefix+"/Users", strings.Replace(strings.ReplaceAll(ada, "@ex.com", ""), `"userName":"ada"`, `"userName":"other"`, 1))
	r.want(200, "PUT", u, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","active":true}`)
	r.says(u, "!displayName", "!emails")
	r.find(400, "/Users", `externalId eq "E1"`)
	r.find(400, "/Users", `userName eq "ada" and active eq true`)
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
	r.want(204, "DELETE", g, "")
	r.want(204, "DELETE", u, "")
	r.counted(counts{ForbiddenValue: 1, ForbiddenPutCleared: 1, ForbiddenFilter: 2}, counts{LostGroup: 1})
}

func TestSalesforce(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "salesforce"})
	r.says(prefix+"/ServiceProviderConfigs", `"etag":{"supported":false}`, `"bulk":{"maxOperations"`, `"maxResults":200`)
	r.want(404, "GET", prefix+"/ServiceProviderConfig", "")
	u := r.make(ada)
	_, h, raw, err := r.send("GET", u, "")
	if err != nil || h.Get("ETag") != "" || strings.Contains(raw, "version") {
		t.Errorf("versions: %v, %v, %s", err, h, raw)
	}
	r.want(200, "PATCH", u, replaceOp("title", `"x"`), header("If-Match", `W/"99"`))
	r.want(501, "DELETE", u, "")
	id := strings.TrimPrefix(u, prefix+"/Users/")
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
	r.want(200, "PATCH", g, patchOp(`{"op":"add","path":"members","value":{"members":[{"value":"`+id+`"}]}}`))
	r.says(g, `"value":"`+id+`"`)
	r.want(200, "PATCH", g, patchOp(`{"op":"remove","path":"members"}`))
	r.want(200, "PATCH", g, patchOp(`{"op":"add","value":{"members":[{"value":"`+id+`"}]}}`))
	r.says(g, `"value":"`+id+`"`)
	r.counted(counts{ForbiddenEndpoint: 1, ForbiddenOperation: 1}, counts{})
}

func TestNotionTokenDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "notion", Token: "t", Owner: "Ada@ex.com"})
	a, b := r.make(ada), r.make(bob)
	r.want(200, "PATCH", b, off)
	r.want(200, "PATCH", b, on)
	r.want(200, "PATCH", a, off)
	r.want(401, "GET", prefix+"/Users", "")
	r.want(401, "PATCH", a, on)
	r.counted(counts{ForbiddenToken: 2}, counts{LostToken: 1})
	if raw := r.want(200, "POST", "/_app/token", `{"token":"new","owner":"bob@ex.com"}`); strings.Contains(raw, "new") {
		t.Errorf("the token is shown: %s", raw)
	}
	r.want(401, "GET", prefix+"/Users", "")
	fresh := header("Authorization", "Bearer new")
	r.want(200, "PATCH", a, on, fresh)
	r.want(204, "DELETE", b, "", fresh)
	r.want(401, "GET", a, "", fresh)
	r.want(200, "POST", "/_app/token", `{"owner":""}`)
	r.want(200, "GET", a, "", fresh)
}

func TestVerifiedDomains(t *testing.T) {
	t.Parallel()
	foreign := strings.ReplaceAll(ada, "ex.com", "unverified.example")
	r := start(t, Options{Profile: "atlassian"})
	a, b := r.make(foreign), r.make(bob)
	r.want(400, "PATCH", a, replaceOp("title", `"x"`))
	r.want(400, "PATCH", a, off)
	r.want(200, "PATCH", b, off)
	r.want(400, "PATCH", b, replaceOp("userName", `"bob@unverified.example"`))
	g := prefix + "/Groups/" + idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 0)))
	r.want(400, "PATCH", g, replaceOp("displayName", `"x"`))
	r.want(400, "PUT", g, group("x", 0))
	r.want(204, "DELETE", b, "")
	if again := r.make(bob); again == b {
		t.Error("a deleted account comes back under its id")
	}
	r.counted(counts{ForbiddenUnverified: 3, ForbiddenOperation: 2}, counts{})

	r = start(t, Options{Profile: "notion", Domains: []string{"corp.example"}})
	a = r.make(ada)
	r.want(200, "PATCH", a, replaceOp("title", `"x"`))
	r.want(400, "PATCH", a, replaceOp("name.givenName", `"Eve"`))
	r.want(200, "PATCH", a, off)
	r.counted(counts{ForbiddenUnverified: 1}, counts{})
}

func TestEntraBin(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	r := start(t, Options{Profile: "entra", Now: func() time.Time { return now }})
	a := r.make(ada)
	r.want(204, "PATCH", a, replaceOp("title", `"x"`))
	r.want(501, "PUT", a, ada)
	r.want(204, "DELETE", a, "")
	now = now.Add(29 * 24 * time.Hour)
	if again := r.make(ada); again != a {
		t.Errorf("%s came back as %s", a, again)
	}
	b := r.make(bob)
	r.want(204, "DELETE", b, "")
	now = now.Add(31 * 24 * time.Hour)
	if again := r.make(bob); again == b {
		t.Error("nothing is for ever in the bin")
	}
	r.counted(counts{ForbiddenOperation: 1}, counts{})
}
