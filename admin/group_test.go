package admin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Groups of a target are listed with what grants them; one that waits for a person is
// part of what is held, and is released with it by digest.
func TestTargetGroupsAPI(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		text := strings.Replace(configuration, "auth: {bearer", `groups: {mirror: ['displayName sw "app-"'], adopt: ask}, auth: {bearer`, 1)
		text = strings.Replace(text, "[{target: chat}]", "[{target: chat, group: APP-one}]", 1)
		snap, err := a.hub.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), 1)
		if err != nil {
			t.Fatal(err)
		}
		a.hub.Activate(snap)
		group, _ := scim.DefaultRegistry().Type("Group")
		for _, name := range []string{"app-one", "app-two", "other"} {
			if _, err := a.hub.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, group, map[string]any{"displayName": name}); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1; n > 0; {
			if n, err = a.hub.EvaluateGroups(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1; n > 0; {
			if n, err = a.hub.EvaluateBatch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		items := a.groups("/targets/chat/groups")
		if len(items) != 2 || items[0].Name != "APP-one" || items[0].Expected != 2 || len(items[0].Origins) != 2 || items[0].Origins[0].Role != "employee" || items[0].Origins[1].Source != "hr" ||
			!strings.Contains(strings.Join(items[0].Why, "; "), "one group for all of these") || items[1].Name != "app-two" || items[1].State != model.StatePending {
			t.Fatalf("%+v", items)
		}
		// As the worker leaves it when it finds a group of that name.
		found := store.TargetGroup{Target: "chat", Name: "app-two", Applied: "app-two", RemoteID: "r2", State: string(model.StateHeld), LastError: "waits", Generation: 1}
		if err := a.db.SettleGroup(t.Context(), store.GroupSettlement{Group: found}); err != nil {
			t.Fatal(err)
		}
		items = a.groups("/targets/chat/groups?limit=1&cursor=QVBQLW9uZQ")
		if len(items) != 1 || items[0].Digest == "" || items[0].Next != nil || items[0].State != model.StateHeld {
			t.Fatalf("held: %+v", items)
		}
		_, body, _ := a.call("GET", "/targets/chat", admin.RoleOperator+"-secret", "")
		var view admin.TargetView
		if err := json.Unmarshal([]byte(body), &view); err != nil || view.Held == nil || view.Held.Count != 1 || len(view.Held.Changes) != 1 || view.Held.Changes[0].Verb != model.AdoptGroup {
			t.Fatalf("held plan: %s", body)
		}
		if status, body, _ := a.call("POST", "/targets/chat/release", admin.RoleApprover+"-secret", `{"digest":"0000"}`); status != 409 && status != 403 && status != 422 && status < 400 {
			t.Errorf("a wrong digest: %d %s", status, body)
		}
		if status, body, _ := a.call("POST", "/targets/chat/release", admin.RoleApprover+"-secret", `{"digest":"`+view.Held.Digest+`"}`); status != 200 {
			t.Errorf("release: %d %s", status, body)
		}
		g, _, err := a.db.TargetGroup(t.Context(), "chat", "app-two")
		if err != nil || g.Approved != items[0].Digest || g.ApprovedBy != admin.RoleApprover || !g.Due {
			t.Errorf("released: %+v, %v", g, err)
		}
		if status, _, _ := a.call("GET", "/targets/nowhere/groups", admin.RoleAuditor+"-secret", ""); status != 404 {
			t.Errorf("a target that is not there: %d", status)
		}
	})
}

func (a *api) groups(path string) []admin.GroupView {
	a.t.Helper()
	status, body, _ := a.call("GET", path, admin.RoleAuditor+"-secret", "")
	var answer struct{ Items []admin.GroupView }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		a.t.Fatalf("%s: %d %s", path, status, body)
	}
	return answer.Items
}
