package admin_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// TestHeldPages: whatever the page, the digest is that of the whole plan, and every
// change is on exactly one page.
func TestHeldPages(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		_, text, _ := a.call("GET", "/targets/chat/held", "auditor-secret", "")
		if p := decode[admin.HeldPage](t, text); p.Digest != "" || p.Total != 0 || len(p.Items) != 0 {
			t.Errorf("nothing is held, and: %s", text)
		}
		rows, err := a.db.Accounts(t.Context(), "chat", "", 10)
		if err != nil || len(rows) != 2 {
			t.Fatalf("%d accounts, %v", len(rows), err)
		}
		var list []store.Settlement
		for i, row := range rows {
			row.State, row.Due, row.LastError, row.RemoteID, row.Owned = model.StateHeld, false, fmt.Sprintf("removal %d of at most 0", i), "r"+row.Identity, model.OwnedCreated
			row.Applied = &model.Account{UserName: "other", Active: true}
			list = append(list, store.Settlement{Row: row})
		}
		if err := a.db.Settle(t.Context(), "chat", list); err != nil {
			t.Fatal(err)
		}
		_, text, _ = a.call("GET", "/targets/chat", "auditor-secret", "")
		whole := decode[admin.TargetView](t, text).Held
		if whole == nil || len(whole.Changes) != 2 {
			t.Fatalf("held: %s", text)
		}
		if _, text, _ = a.call("GET", "/targets/chat?changes=false", "auditor-secret", ""); len(decode[admin.TargetView](t, text).Held.Changes) != 0 {
			t.Errorf("with changes: %s", text)
		}
		seen, cursor := map[string]bool{}, ""
		for range 3 {
			_, text, _ = a.call("GET", "/targets/chat/held?limit=1&cursor="+cursor, "auditor-secret", "")
			p := decode[admin.HeldPage](t, text)
			if p.Digest != whole.Digest || p.Total != 2 || p.Accounts != 2 || len(p.Items) != 1 || len(p.Verbs) != 1 || p.Verbs[0].Count != 2 || len(p.Reasons) != 2 {
				t.Fatalf("%s", text)
			}
			seen[p.Items[0].Identity] = true
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if len(seen) != 2 {
			t.Errorf("pages showed %v", seen)
		}
		for _, cursor := range []string{"x", "-1", "99999999999999999999"} {
			if status, text, _ := a.call("GET", "/targets/chat/held?cursor="+cursor, "auditor-secret", ""); status != 400 {
				t.Errorf("cursor %s: %d %s", cursor, status, text)
			}
		}
		if _, text, _ = a.call("GET", "/targets/chat/held?cursor=7", "auditor-secret", ""); len(decode[admin.HeldPage](t, text).Items) != 0 {
			t.Errorf("beyond the end: %s", text)
		}
		for state, n := range map[string]int{"held": 2, "in_sync": 0} {
			if _, text, _ = a.call("GET", "/targets/chat/accounts?state="+state, "auditor-secret", ""); len(decode[listOf[admin.AccountView]](t, text).Items) != n {
				t.Errorf("%s: %s", state, text)
			}
		}
	})
}

// TestAllGroups: every group of every target once, in order, whatever the size of the page.
func TestAllGroups(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		text := strings.Replace(configuration, "targets: {chat", "targets: {alpha: {url: http://127.0.0.1:3, auth: {bearer: swordfish-swordfish}}, chat", 1)
		text = strings.Replace(text, "[{target: chat}]", "[{target: chat, group: b}, {target: chat, group: 'a%_'}, {target: alpha, group: A}]", 1)
		snap, err := a.hub.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), 1)
		if err != nil {
			t.Fatal(err)
		}
		a.hub.Activate(snap)
		a.evaluateAll()
		for n := 1; n > 0; {
			if n, err = a.hub.EvaluateGroups(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		read := func(query string) (got []string) {
			t.Helper()
			for cursor := ""; len(got) < 20; {
				status, text, _ := a.call("GET", "/groups?limit=1&cursor="+cursor+query, "auditor-secret", "")
				if status != 200 {
					t.Fatalf("%s: %d %s", query, status, text)
				}
				page := decode[listOf[admin.GroupAt]](t, text)
				for _, g := range page.Items {
					got = append(got, fmt.Sprintf("%s/%s %d %t", g.Target, g.Name, g.Expected, g.Counted))
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			return got
		}
		for query, want := range map[string]string{
			"":                         "alpha/A 2 true, chat/a%_ 2 true, chat/b 2 true",
			"&target=chat":             "chat/a%_ 2 true, chat/b 2 true",
			"&q=a":                     "alpha/A 2 true, chat/a%_ 2 true",
			"&q=A%25":                  "chat/a%_ 2 true",
			"&q=%25":                   "",
			"&state=failed":            "",
			"&state=pending&target=no": "",
		} {
			if got := strings.Join(read(query), ", "); got != want {
				t.Errorf("%q: %s, want %s", query, got, want)
			}
		}
		null := base64.RawURLEncoding.EncodeToString([]byte(`["\u0000","x"]`))
		for _, query := range []string{"?state=odd", "?cursor=x", "?cursor=" + null, "?limit=0"} {
			if status, text, _ := a.call("GET", "/groups"+query, "auditor-secret", ""); status != 400 {
				t.Errorf("%s: %d %s", query, status, text)
			}
		}
	})
}

// TestOwnAccess: persons see what they hold and why, and of nobody else.
func TestOwnAccess(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		tokens := &admin.Tokens{Now: time.Now}
		nobody, ada := admin.NewToken("nobody", admin.RolePerson, "nobody", nil), admin.NewToken("ada", admin.RolePerson, "ada", nil)
		ada.Person = "ada"
		tokens.Replace([]admin.Token{nobody, ada})
		root := mux.NewRouter().SkipClean(true).UseEncodedPath()
		(&admin.API{Hub: a.hub, Tokens: tokens, Log: slog.New(slog.DiscardHandler), Nudge: func(string) {}}).Mount(root.PathPrefix("/api/v1").Subrouter())
		ask := func(token, path string) (int, string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1"+path, http.NoBody)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			root.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		status, text := ask("ada", "/me/access")
		own := decode[admin.OwnAccess](t, text)
		if status != 200 || own.UserName != "ada" || len(own.Roles) != 1 || own.Roles[0].Role != "employee" || len(own.Roles[0].Because) == 0 || own.Roles[0].Because[0].Text == "" ||
			len(own.Access) != 1 || own.Access[0].Target != "chat" {
			t.Errorf("%d %s", status, text)
		}
		if status, text = ask("nobody", "/me/access"); status != 400 || !strings.Contains(text, "acts for nobody") {
			t.Errorf("nobody's: %d %s", status, text)
		}
		for _, path := range []string{"/groups", "/targets/chat/held", "/targets/chat/accounts"} {
			if status, _ = ask("ada", path); status != 403 {
				t.Errorf("%s: %d", path, status)
			}
		}
		a.db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'ada'`)
		if status, text = ask("ada", "/me/access"); status != 403 || !strings.Contains(text, "has left") {
			t.Errorf("who has left: %d %s", status, text)
		}
	})
}
