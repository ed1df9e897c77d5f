package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestLeaverAtTheProxy: a token that acts for somebody who has left opens no target.
func TestLeaverAtTheProxy(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		h := hub.New(db.Store, slog.New(slog.DiscardHandler))
		snap, err := hub.Compile(1, "hub.yaml", []byte(twoSources), nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Activate(snap)
		user, _ := scim.DefaultRegistry().Type("User")
		if _, err := h.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": "ada", "active": true}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.EvaluateBatch(t.Context()); err != nil {
			t.Fatal(err)
		}
		token := admin.NewToken("ops-ada", admin.RoleOperator, "adas", nil)
		token.Person = "ada"
		tokens := &admin.Tokens{Now: time.Now}
		tokens.Replace([]admin.Token{token})
		i := &instance{hub: h, store: db.Store, admins: tokens}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/proxy/git/scim/v2/Users", nil)
		r.Header.Set("Authorization", "Bearer adas")
		if c, err := i.proxyCaller(r, "git"); err != nil || c.Name != "ops-ada" {
			t.Errorf("while she is here: %+v %v", c, err)
		}
		db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'ada'`)
		if c, err := i.proxyCaller(r, "git"); model.CodeOf(err) != model.Forbidden {
			t.Errorf("who has left: %+v %v", c, err)
		}
	})
}
