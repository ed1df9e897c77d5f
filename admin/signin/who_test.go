package signin_test

import (
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
)

// TestWho: who somebody is, and what they may do, follows from what the provider says
// and from what the hub knows of them.
func TestWho(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.people("left", "twin")
		w.person("crm", map[string]any{"userName": "other-twin", "active": true, "emails": []any{map[string]any{"type": "work", "value": "shared@example.com"}}})
		w.person("crm", map[string]any{"userName": "third-twin", "active": true, "emails": []any{map[string]any{"type": "work", "value": "shared@example.com"}}})
		w.person("hr", map[string]any{"userName": "Mail@Example.com", "active": true})
		w.db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'left'`)
		for name, tt := range map[string]struct {
			claims map[string]any
			info   map[string]any
			role   string // empty: nobody
			person string
			says   string
		}{
			"the mightiest role":       {claims: someone("x", "audit", "ops", "root"), role: admin.RoleAdmin},
			"one value":                {claims: map[string]any{"sub": "1", "groups": "audit"}, info: map[string]any{"sub": "1"}, role: admin.RoleAuditor},
			"no role, and known":       {claims: someone("BOB", "others"), role: admin.RolePerson, person: "bob"},
			"no role, and not known":   {claims: someone("nobody", "others"), says: "none of your groups is among"},
			"no claim, and not known":  {claims: map[string]any{"sub": "1"}, info: map[string]any{"sub": "1"}, says: "it sent no groups"},
			"groups of another kind":   {claims: map[string]any{"sub": "1", "groups": []any{1, nil, map[string]any{}}}, info: map[string]any{"sub": "1"}, says: "it sent no groups"},
			"an id is no name":         {claims: someone(w.id("ada"), "others"), says: "nobody the hub knows"},
			"a claim beside the token": {claims: map[string]any{"sub": "1"}, info: map[string]any{"sub": "1", "groups": []string{"ops"}, "preferred_username": "eve"}, role: admin.RoleOperator, person: "eve"},
			"e-mail, verified":         {claims: map[string]any{"sub": "1", "email": "ADA@example.com", "email_verified": true}, info: map[string]any{"sub": "1"}, role: admin.RolePerson, person: "ada"},
			"e-mail, verified in text": {claims: map[string]any{"sub": "1", "email": "ada@example.com", "email_verified": "true"}, info: map[string]any{"sub": "1"}, role: admin.RolePerson, person: "ada"},
			"e-mail, a user name":      {claims: map[string]any{"sub": "1", "email": "mail@example.com", "email_verified": true}, info: map[string]any{"sub": "1"}, role: admin.RolePerson, person: "Mail@Example.com"},
			"e-mail, not verified":     {claims: map[string]any{"sub": "1", "email": "ada@example.com"}, info: map[string]any{"sub": "1"}, says: "has not verified"},
			"e-mail, at home":          {claims: map[string]any{"sub": "1", "email": "ada@home.example", "email_verified": true}, info: map[string]any{"sub": "1"}, says: "nobody the hub knows"},
			"e-mail of two":            {claims: map[string]any{"sub": "1", "email": "shared@example.com", "email_verified": true}, info: map[string]any{"sub": "1"}, says: "several people"},
			"e-mail of two, with role": {claims: map[string]any{"sub": "1", "email": "shared@example.com", "email_verified": true, "groups": "ops"}, info: map[string]any{"sub": "1"}, role: admin.RoleOperator},
			"who has left":             {claims: someone("left", "root"), says: "left has left"},
		} {
			w.provider.set(func() { w.provider.info = tt.info })
			b := w.browser()
			s, who := b.arrive(tt.claims), b.whoami()
			person := ""
			if tt.person != "" {
				person = w.id(tt.person)
			}
			if who.Role != tt.role || who.Person != person || tt.role == "" && (s.status != 403 || !strings.Contains(s.text, tt.says)) {
				t.Errorf("%s: %d %+v, want %q as %q; %s", name, s.status, who, tt.role, person, s.text)
			}
		}
		if len(w.refused) == 0 {
			t.Error("nobody is told who was not let in")
		}
	})
}

// TestConfiguredWho: the claim and the attribute of the configuration count, and no other.
func TestConfiguredWho(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.reconfigure("client_id: hub", "client_id: hub\n    claim: realm.roles\n    scopes: [roles]\n    person: {claim: number, attribute: externalId}")
		for name, tt := range map[string]struct {
			claims map[string]any
			role   string
			person string
		}{
			"a claim within another": {map[string]any{"sub": "1", "realm": map[string]any{"roles": []any{"ops"}}, "number": "no-eve"}, admin.RoleOperator, "eve"},
			"the number of nobody":   {map[string]any{"sub": "1", "number": "NO-EVE", "preferred_username": "eve", "groups": "root"}, "", ""},
			"a name counts no more":  {map[string]any{"sub": "1", "preferred_username": "eve", "realm": "ops"}, "", ""},
		} {
			w.provider.set(func() { w.provider.info = map[string]any{"sub": "1"} })
			b := w.browser()
			b.arrive(tt.claims)
			person := ""
			if tt.person != "" {
				person = w.id(tt.person)
			}
			if who := b.whoami(); who.Role != tt.role || who.Person != person {
				t.Errorf("%s: %+v", name, who)
			}
		}
		if got := w.provider.seen.Get("scope"); got != "openid roles" {
			t.Errorf("asked for %q", got)
		}
	})
}
