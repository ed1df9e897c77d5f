package admin_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
)

// TestLifecycleRoles: who may erase and release, and what a bad request is told.
func TestLifecycleRoles(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		for _, tt := range []struct {
			path, body, allow string
			status            int
			words             string
		}{
			{"/identities/ada/erase", ``, "admin", 409, "has not left"},
			{"/identities/ada/erase", `{"force":true}`, "admin", 409, "has not left"},
			{"/identities/ada/erase", `{"forced":true}`, "admin", 400, "forced"},
			{"/identities/nobody/erase", `{}`, "admin", 404, "nobody"},
			{"/identities/" + url.PathEscape("jörg müller/é") + "/erase", `{}`, "admin", 409, "jörg"},
			{"/sources/hr/release", `{"digest":"x"}`, "admin approver", 409, "nobody is held at hr"},
			{"/sources/hr/release", `{}`, "admin approver", 400, "either"},
			{"/sources/hr/release", `{"digest":"x","people":["ada"]}`, "admin approver", 400, "either"},
			{"/sources/hr/release", `{"people":["ada"]}`, "admin approver", 409, "ada is not held at hr"},
			{"/sources/hr/release", `{"people":["nobody"]}`, "admin approver", 404, "nobody"},
			{"/sources/none/release", `{"digest":"x"}`, "admin approver", 404, "there is no source none"},
		} {
			for _, role := range roles {
				want := tt.status
				if !strings.Contains(tt.allow, role) {
					want = 403
				}
				status, text, _ := a.call("POST", tt.path, role+"-secret", tt.body)
				if status != want || want == tt.status && !strings.Contains(text, tt.words) {
					t.Errorf("%s as %s: %d, want %d: %s", tt.path, role, status, want, text)
				}
			}
		}
	})
}

// TestHeldLeaversShown: a source shows whom its guard holds, and their digest releases them.
func TestHeldLeaversShown(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		source := func() (v admin.SourceView) {
			t.Helper()
			_, text, _ := a.call("GET", "/sources/hr", "auditor-secret", "")
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := source(); v.Held != nil {
			t.Errorf("held: %+v", v.Held)
		}
		user, _ := scim.DefaultRegistry().Type("User")
		var ids []string
		for name := range strings.FieldsSeq("a b c d e f g h") {
			r, err := a.hub.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": name, "active": true})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
		}
		evaluate := func() {
			t.Helper()
			for n := 1; n > 0; {
				var err error
				if n, err = a.hub.EvaluateBatch(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		evaluate()
		for _, id := range ids {
			if err := a.hub.Delete(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, id, func(scim.Meta) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		evaluate()
		held := source().Held
		if held == nil || held.Count != 3 || len(held.People) != 3 || held.Digest == "" || held.People[0].Name == "" || held.People[0].LeftAt.IsZero() {
			t.Fatalf("%+v", held)
		}
		if _, text, _ := a.call("GET", "/identities/"+held.People[0].ID, "auditor-secret", ""); !strings.Contains(text, `"held":true`) {
			t.Errorf("the person: %s", text)
		}
		var out hub.Released
		status, text, _ := a.call("POST", "/sources/hr/release", "approver-secret", `{"digest":"`+held.Digest+`"}`)
		if err := json.Unmarshal([]byte(text), &out); err != nil || status != 200 || len(out.People) != 3 || out.Digest != held.Digest {
			t.Errorf("%d %s", status, text)
		}
		if v := source(); v.Held != nil {
			t.Errorf("still held: %+v", v.Held)
		}
		evaluate()
		status, text, _ = a.call("POST", "/identities/a/erase", "admin-secret", "")
		var done hub.Erased
		if err := json.Unmarshal([]byte(text), &done); err != nil || status != 200 || done.ID == "" || done.Remaining == nil {
			t.Errorf("erase: %d %s", status, text)
		}
		if status, text, _ = a.call("POST", "/identities/"+done.ID+"/erase", "admin-secret", ""); status != 409 || !strings.Contains(text, "was erased on") {
			t.Errorf("erased twice: %d %s", status, text)
		}
	})
}
