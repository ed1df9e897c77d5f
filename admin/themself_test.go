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
	"github.com/scimhub/scimhub/hub"
)

// TestOperatorsWhoArePeople: the token of an operator or an approver that acts for a
// person decides nothing about that person, and nothing at all once they have left.
func TestOperatorsWhoArePeople(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		snap, err := a.hub.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml",
			[]byte(strings.Replace(askable, "targets:", "  pays: {request: {by: anyone, approve: [manager]}}\nconflicts: [{name: c, roles: [admins, pays], action: refuse}]\ntargets:", 1)), 1)
		if err != nil {
			t.Fatal(err)
		}
		a.hub.Activate(snap)
		tokens := &admin.Tokens{Now: time.Now}
		var list []admin.Token
		for _, role := range []string{admin.RoleAdmin, admin.RoleOperator, admin.RoleApprover} {
			token := admin.NewToken(role, role, role, nil)
			token.Person = "ada"
			list = append(list, token)
		}
		tokens.Replace(list)
		root := mux.NewRouter().SkipClean(true).UseEncodedPath()
		(&admin.API{Hub: a.hub, Tokens: tokens, Log: slog.New(slog.DiscardHandler), Nudge: func(string) {}}).Mount(root.PathPrefix("/api/v1").Subrouter())
		ask := func(role, path, body string) (int, string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1"+path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+role)
			w := httptest.NewRecorder()
			root.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		exception := `{"for": "PERSON", "roles": ["admins", "pays"], "owner": "sam", "reason": "x", "until": "10d"}`
		own := []struct{ role, path, body string }{
			{admin.RoleOperator, "/identities/ada/link", `{"to": "sam"}`},
			{admin.RoleOperator, "/identities/sam/link", `{"to": "ADA", "force": true}`},
			{admin.RoleOperator, "/identities/ada/link", `{"new": true}`},
			{admin.RoleOperator, "/identities/ada/unlink", `{"source": "hr"}`},
			{admin.RoleApprover, "/exceptions", strings.Replace(exception, "PERSON", "Ada", 1)},
			{admin.RoleApprover, "/sources/hr/release", `{"people": ["sam", "ada"]}`},
		}
		for _, tt := range own {
			if status, text := ask(tt.role, tt.path, tt.body); status != http.StatusForbidden || !strings.Contains(text, "themselves") && !strings.Contains(text, "their own") {
				t.Errorf("%s %s: %d %s", tt.path, tt.body, status, text)
			}
		}
		other := strings.Replace(exception, "PERSON", "carl", 1)
		if status, text := ask(admin.RoleApprover, "/exceptions", other); status != http.StatusOK {
			t.Errorf("for somebody else: %d %s", status, text)
		}
		a.db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'ada'`)
		for _, tt := range append(own, []struct{ role, path, body string }{
			{admin.RoleApprover, "/exceptions", other},
			{admin.RoleApprover, "/exceptions/nope/revoke", ""},
			{admin.RoleApprover, "/targets/chat/release", `{"digest": "x"}`},
			{admin.RoleApprover, "/sources/hr/release", `{"people": ["sam"]}`},
			{admin.RoleApprover, "/sources/hr/import?release=x&dry_run=true", "userName\n"},
			{admin.RoleOperator, "/identities/carl/link", `{"to": "sam"}`},
			{admin.RoleOperator, "/deputies", `{"person": "sam", "deputy": "carl"}`},
			{admin.RoleAdmin, "/requests", `{"role": "pays", "for": "carl"}`},
		}...) {
			if status, text := ask(tt.role, tt.path, tt.body); status != http.StatusForbidden || !strings.Contains(text, "has left") {
				t.Errorf("%s %s: %d %s", tt.path, tt.body, status, text)
			}
		}
	})
}
