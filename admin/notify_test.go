package admin_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/notify"
)

// TestLinksShowAndDecideNothing: a link leads whom it was sent to, signed in, to the
// question; nobody else, and no further.
func TestLinksShowAndDecideNothing(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		var q hub.RequestView
		_, text, _ := a.call("POST", "/requests", "ada", `{"role":"admins","for":"ada","reason":"work"}`)
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			t.Fatal(err)
		}
		var sam string
		err := a.hub.Store.View(t.Context(), func(tx *store.Tx) error {
			row, err := tx.FindIdentity("sam")
			sam = row.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		key, err := a.hub.Store.ProcessKey(t.Context(), notify.LinkKeyName)
		if err != nil {
			t.Fatal(err)
		}
		link := func(l notify.Link) string {
			token, err := notify.MakeLink(key, l)
			if err != nil {
				t.Fatal(err)
			}
			return "/act?t=" + url.QueryEscape(token)
		}
		good := notify.Link{Request: q.ID, Step: notify.StepOf(q.Request), Person: sam, Verb: notify.VerbApprove, Expires: time.Now().Add(time.Hour)}
		old, gone := good, good
		old.Expires, gone.Request = time.Now().Add(-time.Second), "none"
		for _, tt := range []struct {
			token, path string
			status      int
			says        string
		}{
			{"", link(good), 401, "API token"},
			{"sam", link(good), 200, `"waits":true`},
			{"sam", link(good), 200, `"verb":"approve"`},
			{"ada", link(good), 403, "somebody else"},
			{"admin", link(good), 403, "somebody else"},
			{"approver", link(good), 403, "acts for nobody"},
			{"sam", link(old), 409, "the time of this link is over"},
			{"sam", link(gone), 404, "no request"},
			{"sam", link(good) + "x", 400, "cut off"},
			{"sam", "/act", 400, "cut off"},
		} {
			if status, text, _ := a.call("GET", tt.path, tt.token, ""); status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%s %.40s: %d %s, want %d %s", tt.token, tt.path, status, text, tt.status, tt.says)
			}
		}
		if _, text, _ := a.call("GET", "/requests/"+q.ID, "ada", ""); !strings.Contains(text, `"state":"pending"`) {
			t.Errorf("looking has decided: %s", text)
		}
		if status, text, _ := a.call("POST", "/requests/"+q.ID+"/approve", "sam", ""); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		if _, text, _ := a.call("GET", link(good), "sam", ""); !strings.Contains(text, `"waits":false`) || !strings.Contains(text, "has been answered") {
			t.Errorf("after the answer: %s", text)
		}
	})
}

func TestNotificationsAPI(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		text := strings.Replace(askable, "roles:", `notify:
  - {name: ops, webhook: "https://hooks.example.com/very/secret", events: [plan.held]}
  - {name: people, email: [approvers]}
smtp: {host: mail.example.com, from: hub@example.com}
roles:`, 1)
		snap, err := a.hub.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), 1)
		if err != nil {
			t.Fatal(err)
		}
		a.hub.Activate(snap)
		if status, text, _ := a.call("POST", "/requests", "ada", `{"role":"admins","for":"ada","reason":"work"}`); status != 200 {
			t.Fatal(text)
		}
		for _, tt := range []struct {
			token, method, path, body string
			status                    int
			says                      string
		}{
			{"ada", "GET", "/notifications", "", 403, "may not"},
			{"auditor", "GET", "/notifications?type=approval.wanted", "", 200, `"title":"Please decide: admins for ada`},
			{"auditor", "GET", "/notifications?for=sam", "", 200, `"items":[]`},
			{"auditor", "GET", "/notifications?for=nobody", "", 404, "nobody"},
			{"auditor", "GET", "/notifications/receivers", "", 200, `"to":"hooks.example.com"`},
			{"auditor", "GET", "/notifications/receivers", "", 200, `"state":"untried"`},
			{"auditor", "GET", "/notifications/deliveries?state=lost", "", 400, "state must be"},
			{"auditor", "POST", "/notifications/test", `{"receiver":"ops"}`, 403, "may not"},
			{"operator", "POST", "/notifications/test", `{"receiver":"opps"}`, 404, `did you mean`},
			{"operator", "POST", "/notifications/test", `{"receiver":"people"}`, 400, "sign in"},
			{"operator", "POST", "/notifications/test", `{"receiver":"ops"}`, 200, `"state":"pending"`},
			{"auditor", "GET", "/notifications/deliveries?receiver=ops", "", 200, `"type":"notify.test"`},
			{"operator", "POST", "/notifications/deliveries/none/retry", "", 404, "none"},
			{"auditor", "POST", "/notifications/deliveries/none/retry", "", 403, "may not"},
		} {
			status, text, _ := a.call(tt.method, tt.path, tt.token, tt.body)
			if status != tt.status || !strings.Contains(text, tt.says) || strings.Contains(text, "very/secret") {
				t.Errorf("%s %s %s: %d %s, want %d %s", tt.token, tt.method, tt.path, status, text, tt.status, tt.says)
			}
		}
		made := a.db.Strings(t, `SELECT id FROM deliveries`)
		if status, text, _ := a.call("POST", "/notifications/deliveries/"+made[0]+"/retry", "operator", ""); status != 200 || !strings.Contains(text, `"attempts":0`) {
			t.Errorf("retry: %d %s", status, text)
		}
		a.db.Exec(t, `UPDATE deliveries SET state = 'done'`)
		if status, _, _ := a.call("POST", "/notifications/deliveries/"+made[0]+"/retry", "operator", ""); status != 409 {
			t.Errorf("what has arrived is sent again: %d", status)
		}
		if model.CodeOf(a.hub.Store.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.Delivery("none"); return err })) != model.NotFound {
			t.Error("a delivery that is not there is found")
		}
	})
}
