package admin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// push makes a user of a source and gives the id of the resource.
func (a *api) push(source string, attrs map[string]any) string {
	a.t.Helper()
	user, _ := scim.DefaultRegistry().Type("User")
	r, err := a.hub.Create(a.t.Context(), hub.Actor{Source: source, Name: "main"}, user, attrs)
	if err != nil {
		a.t.Fatal(err)
	}
	a.settle()
	return r.ID
}

func (a *api) settle() {
	a.t.Helper()
	for range 20 {
		if n, err := a.hub.EvaluateBatch(a.t.Context()); err != nil || n == 0 {
			if err != nil {
				a.t.Fatal(err)
			}
			return
		}
	}
}

func (a *api) read(path string, into any) {
	a.t.Helper()
	status, text, _ := a.call("GET", path, "auditor-secret", "")
	if status != 200 {
		a.t.Fatalf("GET %s: %d %s", path, status, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		a.t.Fatalf("GET %s: %v in %s", path, err, text)
	}
}

// person is the identity with a user name.
func (a *api) person(name string) admin.IdentityView {
	a.t.Helper()
	var v admin.IdentityView
	a.read("/identities/"+name, &v)
	return v
}

func TestLinkRoutes(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		snap, err := a.hub.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml",
			[]byte(strings.Replace(configuration, "sources: {hr:", "identity: {match: ['emails[type eq \"work\"].value']}\nsources: {okta: {}, hr:", 1)), 1)
		if err != nil {
			t.Fatal(err)
		}
		a.hub.Activate(snap)
		mail := []any{map[string]any{"type": "work", "value": "x@x"}}
		a.push("hr", map[string]any{"userName": "bob", "emails": mail, "title": "Engineer"})
		a.push("hr", map[string]any{"userName": "bea", "emails": mail})
		resource := a.push("okta", map[string]any{"userName": "b", "emails": mail, "title": "Lead", "password": "topsecret-pw"})
		b, bob := a.person("b"), a.person("bob")
		for _, c := range []struct {
			method, path, role, body string
			status                   int
			words                    string
		}{
			{"POST", "/identities/b/link", "auditor", `{"to": "bob"}`, 403, "auditor"},
			{"POST", "/identities/b/link", "approver", `{"to": "bob"}`, 403, "approver"},
			{"POST", "/identities/b/unlink", "approver", `{"source": "okta"}`, 403, "approver"},
			{"POST", "/identities/b/link", "operator", `{}`, 400, "say whom"},
			{"POST", "/identities/b/link", "operator", `{"to": "bob", "new": true}`, 400, "say whom"},
			{"POST", "/identities/b/link", "operator", `{"new": true, "force": true}`, 400, "force"},
			{"POST", "/identities/b/link", "operator", `{"into": "bob"}`, 400, "into"},
			{"POST", "/identities/b/link", "operator", `{"to": "nobody"}`, 404, "nobody"},
			{"POST", "/identities/ada/link", "operator", `{"new": true}`, 409, "nothing is open"},
			{"POST", "/identities/ada/link", "operator", `{"to": "bob"}`, 409, "source hr"},
			{"POST", "/identities/b/unlink", "operator", `{}`, 400, "source"},
			{"POST", "/identities/b/unlink", "operator", `{"source": "okta"}`, 409, "only resource"},
			{"GET", "/cases?state=closed", "auditor", "", 400, "state"},
			{"GET", "/cases?cursor=AAAA", "auditor", "", 400, "cursor"},
			{"GET", "/cases?cursor=!", "auditor", "", 400, "cursor"},
			{"GET", "/cases?limit=0", "auditor", "", 400, "limit"},
		} {
			if status, text, _ := a.call(c.method, c.path, c.role+"-secret", c.body); status != c.status || !strings.Contains(text, c.words) {
				t.Errorf("%s %s %s as %s: %d %s", c.method, c.path, c.body, c.role, status, text)
			}
		}
		var open struct{ Items []admin.CaseView }
		a.read("/cases", &open)
		if len(open.Items) != 1 || open.Items[0].UserName != "b" || !open.Items[0].Blocks || len(open.Items[0].People) != 2 || open.Items[0].ResourceID != resource {
			t.Fatalf("cases %+v", open)
		}
		status, text, _ := a.call("POST", "/identities/b/link", "operator-secret", `{"to": "BOB"}`)
		if status != 200 || !strings.Contains(text, `"into":"`+bob.ID+`"`) {
			t.Fatalf("link: %d %s", status, text)
		}
		a.settle()
		a.read("/cases", &open)
		if len(open.Items) != 0 {
			t.Errorf("cases %+v", open)
		}
		a.read("/cases?state=all", &open)
		if len(open.Items) != 1 || open.Items[0].Decision != bob.ID || open.Items[0].DecidedBy != "operator" {
			t.Errorf("decided cases %+v", open)
		}
		// Found by the id of who was linked; the sources disagree about the title.
		bob = a.person(b.ID)
		want := []model.Said{{Source: "hr", ResourceID: bob.Sources["title"][0].ResourceID, Value: "Engineer"}, {Source: "okta", ResourceID: resource, Value: "Lead"}}
		if bob.UserName != "b" || len(bob.Links) != 2 || len(bob.Sources["title"]) != 2 || bob.Sources["title"][0] != want[0] || bob.Sources["title"][1] != want[1] || bob.Sources["emails"] != nil {
			t.Errorf("the person linked: %+v", bob)
		}
		var people struct{ Items []admin.IdentityView }
		a.read("/identities", &people)
		merged := 0
		for _, p := range people.Items {
			if p.MergedInto == bob.ID && p.ID == b.ID {
				merged++
			}
		}
		if merged != 1 {
			t.Errorf("the list says of %d that they are %s", merged, bob.ID)
		}
		status, text, _ = a.call("POST", "/identities/"+bob.ID+"/unlink", "operator-secret", `{"source": "okta", "resource": "`+resource+`"}`)
		if status != 200 || !strings.Contains(text, `"person":"`+b.ID+`"`) || !strings.Contains(text, `"returned":true`) {
			t.Errorf("unlink: %d %s", status, text)
		}
		a.settle()
		if b = a.person(b.ID); b.MergedInto != "" || b.Stage != model.Active {
			t.Errorf("back: %+v", b)
		}
	})
}
