package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const drilling = `
database: sqlite:x.db
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}
identity: {drill: [eve]}
roles: {employee: {when: user.active, grants: [{target: chat}, {target: git}]}}
targets:
  chat: {url: http://127.0.0.1:1, auth: {bearer: swordfish-swordfish}, leaver: {goal: 1m}}
  git: {url: http://127.0.0.1:2, auth: {bearer: swordfish-swordfish}}
`

// leavers puts people in sync at both targets and lets bob leave: chat is verified,
// git throttles.
func (a *api) leavers() {
	a.t.Helper()
	snap, err := a.hub.Apply(a.t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(drilling), 1)
	if err != nil {
		a.t.Fatal(err)
	}
	a.hub.Activate(snap)
	user, _ := scim.DefaultRegistry().Type("User")
	who := hub.Actor{Source: "hr", Name: "main"}
	ids := map[string]string{}
	for _, name := range []string{"bob", "eve", "<b>zoe</b>"} {
		r, err := a.hub.Create(a.t.Context(), who, user, map[string]any{"userName": name, "active": true})
		if err != nil {
			a.t.Fatal(err)
		}
		ids[name] = r.ID
	}
	a.evaluateAll()
	a.settleLeavers(func(model.AccountRow) (store.LeaverProgress, model.AccountState) {
		return store.LeaverProgress{}, model.StateInSync
	})
	for _, name := range []string{"bob", "<b>zoe</b>"} {
		if err := a.hub.Delete(a.t.Context(), who, user, ids[name], func(scim.Meta) error { return nil }); err != nil {
			a.t.Fatal(err)
		}
	}
	a.evaluateAll()
	now := a.hub.Store.Now()
	a.settleLeavers(func(row model.AccountRow) (store.LeaverProgress, model.AccountState) {
		if row.Target == "git" {
			return store.LeaverProgress{State: model.LeaverFailed, Status: 429}, model.StateFailed
		}
		return store.LeaverProgress{State: model.LeaverVerified, Verified: &now, Accepted: &now}, model.StateDisabled
	})
}

// settleLeavers ends what is due at both targets.
func (a *api) settleLeavers(how func(model.AccountRow) (store.LeaverProgress, model.AccountState)) {
	a.t.Helper()
	for _, target := range []string{"chat", "git"} {
		rows, err := a.db.Accounts(a.t.Context(), target, "", 100)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, row := range rows {
			if !row.Due {
				continue
			}
			p, state := how(row)
			row.State, row.Due, row.RemoteID, row.Owned = state, false, row.Identity, model.OwnedCreated
			row.Applied = &model.Account{UserName: row.Identity, Active: row.Desired != nil || state == model.StateFailed}
			if row.Desired != nil {
				row.Applied = row.Desired
			}
			if state == model.StateFailed {
				row.Due, row.NextAttempt, row.LastError, row.ErrorClass = true, time.Now().Add(time.Hour), "throttled (429): slow down", "throttled"
			}
			if err := a.db.Settle(a.t.Context(), target, []store.Settlement{{Row: row, Leaver: &p}}); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

func TestLeaversAPI(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.leavers()
		status, text, _ := a.call("GET", "/leavers/bob", "auditor-secret", "")
		v := decode[admin.LeaverView](t, text)
		if status != 200 || v.Verified || v.InGoal || v.UserName != "bob" || !strings.Contains(v.Summary, "1 of 2 verified disabled in ") || !strings.Contains(v.Summary, "git pending: 429, next try in 1 h 0 min") && !strings.Contains(v.Summary, "git pending: 429, next try in 59 min") {
			t.Errorf("%d %s", status, text)
		}
		if v.Risk != model.RiskRisk {
			t.Errorf("the next try comes after the goal, and the risk is %q", v.Risk)
		}
		if _, same, _ := a.call("GET", "/leavers/"+v.ID, "auditor-secret", ""); decode[admin.LeaverView](t, same).ID != v.ID {
			t.Errorf("by its id: %s", same)
		}
		future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		for query, n := range map[string]int{"": 2, "?open=true": 2, "?open=false": 2, "?kind=drill": 0, "?kind=leaver": 2, "?since=" + future: 0, "?limit=1": 1} {
			status, text, _ := a.call("GET", "/leavers"+query, "auditor-secret", "")
			if page := decode[listOf[admin.LeaverView]](t, text); status != 200 || len(page.Items) != n || (page.Next != "") != (query == "?limit=1") {
				t.Errorf("%q: %d %s", query, status, text)
			}
		}
		for path, want := range map[string]int{"/leavers?open=perhaps": 400, "/leavers?kind=x": 400, "/leavers?since=yesterday": 400, "/leavers?cursor=eA": 400,
			"/leavers/nobody": 404, "/leavers/eve": 404, "/leavers/summary?since=x": 400} {
			if status, text, _ := a.call("GET", path, "auditor-secret", ""); status != want {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		_, text, _ = a.call("GET", "/leavers/summary", "auditor-secret", "")
		s := decode[admin.LeaverSummary](t, text)
		if s.All.N != 0 || s.All.Open != 2 || len(s.Targets) != 2 || s.Targets[0].N != 2 || s.Targets[0].P99 == "" || s.Targets[1].Open != 2 {
			t.Errorf("%s", text)
		}
	})
}

func TestDrillAPI(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.leavers()
		for _, tt := range []struct {
			person, token string
			want          int
		}{{"eve", "auditor", 403}, {"eve", "approver", 403}, {"ada", "operator", 409}, {"nobody", "operator", 404}, {"eve", "operator", 200}, {"eve", "admin", 409}} {
			status, text, _ := a.call("POST", "/identities/"+tt.person+"/drill", tt.token+"-secret", "")
			if status != tt.want && (tt.want != 409 || status < 400) {
				t.Errorf("%s by %s: %d %s", tt.person, tt.token, status, text)
			}
			if tt.person == "ada" && !strings.Contains(text, "identity.drill") {
				t.Error(text)
			}
		}
		_, text, _ := a.call("GET", "/leavers/eve?kind=drill", "auditor-secret", "")
		if v := decode[admin.LeaverView](t, text); v.Kind != model.RunDrill || v.By == "" || v.Until == nil || len(v.Targets) != 2 {
			t.Error(text)
		}
	})
}
