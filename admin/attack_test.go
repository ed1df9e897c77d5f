package admin_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
)

// asked sends a request to the API with these tokens, the name of each its secret.
func (a *api) asked(tokens []admin.Token) func(token, method, path, body string) (int, string) {
	set := &admin.Tokens{Now: time.Now}
	set.Replace(tokens)
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	(&admin.API{Hub: a.hub, Tokens: set, Log: slog.New(slog.DiscardHandler), Nudge: func(string) {}}).Mount(root.PathPrefix("/api/v1").Subrouter())
	return func(token, method, path, body string) (int, string) {
		r := httptest.NewRequestWithContext(a.t.Context(), method, "/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		root.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}

// TestLeaverLooksAtNothing: a token that acts for somebody who has left opens nothing,
// not even for looking, whatever its role; one of somebody held by a guard still looks.
func TestLeaverLooksAtNothing(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		var tokens []admin.Token
		for _, role := range admin.Roles() {
			token := admin.NewToken(role, role, role, nil)
			token.Person = "ada"
			tokens = append(tokens, token)
		}
		ask := a.asked(tokens)
		for _, role := range admin.Roles() {
			if status, text := ask(role, "GET", "/me", ""); status != http.StatusOK {
				t.Errorf("before, %s: %d %s", role, status, text)
			}
		}
		a.db.Exec(t, `UPDATE identities SET stage = 'leaver', over_guard = TRUE WHERE name = 'ada'`)
		if status, text := ask("operator", "GET", "/identities", ""); status != http.StatusOK {
			t.Errorf("held by a guard: %d %s", status, text)
		}
		a.db.Exec(t, `UPDATE identities SET over_guard = FALSE WHERE name = 'ada'`)
		for _, role := range admin.Roles() {
			for _, path := range []string{"GET /me", "GET /pulse", "GET /sessions", "GET /access", "GET /identities", "GET /audit", "GET /config", "GET /evidence/leavers",
				"POST /targets/chat/sync", "POST /targets/chat/pause", "POST /identities/sam/run", "POST /config", "POST /tokens", "POST /sign-in-links"} {
				method, path, _ := strings.Cut(path, " ")
				if status, text := ask(role, method, path, ""); status != http.StatusForbidden {
					t.Errorf("%s, who has left, %s %s: %d %s", role, method, path, status, text)
				}
			}
		}
	})
}

// TestLimitedOperatorSeesNothingOfOthers: an operator's token that is limited to other
// rights than to read, and acts for nobody, is shown nobody's requests or deputies.
func TestLimitedOperatorSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		limited := admin.NewToken("limited", admin.RoleOperator, "limited", nil)
		limited.Scope = []string{"operate", "see-own", "ask"}
		override := admin.NewToken("override", admin.RoleAdmin, "override", nil)
		override.Scope = []string{"administer", "see-own", "close"}
		ask := a.asked([]admin.Token{limited, override, admin.NewToken("admin", admin.RoleAdmin, "admin", nil)})
		status, text := ask("admin", "POST", "/requests", `{"role":"admins","for":"ada","reason":"for her eyes only"}`)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		_, id, _ := strings.Cut(text, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		if status, text := ask("admin", "POST", "/deputies", `{"person":"sam","deputy":"carl"}`); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		for _, token := range []string{"limited", "override"} {
			for _, path := range []string{"/requests", "/requests?waiting=true", "/requests/" + id, "/requests/" + id + "/context", "/deputies", "/tasks", "/reviews", "/reviews/inbox"} {
				if status, text := ask(token, "GET", path, ""); strings.Contains(text, "ada") || strings.Contains(text, "sam") || strings.Contains(text, id+`",`) {
					t.Errorf("%s %s: %d %s", token, path, status, text)
				}
			}
		}
	})
}

// TestOwnChangeIsReleasedByOthers: nobody lets a held plan through that their own account
// is in; of other people's they may.
func TestOwnChangeIsReleasedByOthers(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		var tokens []admin.Token
		for _, person := range []string{"sam", "ada"} {
			token := admin.NewToken(person, admin.RoleApprover, person, nil)
			token.Person = person
			tokens = append(tokens, token)
		}
		ask := a.asked(tokens)
		a.db.Exec(t, `UPDATE accounts SET owned = 'created', remote_id = identity_id, applied = desired, desired = NULL, state = 'held', due = FALSE, last_error = 'too many'`)
		_, text := ask("ada", "GET", "/targets/chat", "")
		_, digest, _ := strings.Cut(text, `"digest":"`)
		digest, _, _ = strings.Cut(digest, `"`)
		if status, text := ask("sam", "POST", "/targets/chat/release", `{"digest":"`+digest+`"}`); status != http.StatusForbidden || !strings.Contains(text, "own account") {
			t.Errorf("sam, whose account is in the plan: %d %s", status, text)
		}
		if status, text := ask("ada", "POST", "/targets/chat/release", `{"digest":"`+digest+`"}`); status != http.StatusOK {
			t.Errorf("ada: %d %s", status, text)
		}
	})
}

// TestAskingIsNoWayToFindOut: who asks for somebody else is not told what that person
// holds or who they are; who is asked, and the person, are.
func TestAskingIsNoWayToFindOut(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		status, text, _ := a.call("POST", "/requests", "ada", `{"role":"admins","for":"sam","reason":"who is that?"}`)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		_, id, _ := strings.Cut(text, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		for who, told := range map[string]bool{"ada": false, "sam": true, "auditor": true} {
			status, text, _ := a.call("GET", "/requests/"+id+"/context", who, "")
			if status != http.StatusOK || strings.Contains(text, `"holds":["security"]`) != told || strings.Contains(text, `"title":"Security"`) != told || strings.Contains(text, `"limited":true`) == told {
				t.Errorf("%s: %d %s", who, status, text)
			}
		}
	})
}
