package signin_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

// TestEnds: a session ends when what it rests on ends, and the page says why.
func TestEnds(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.tokens.Replace([]admin.Token{admin.NewToken("ops", admin.RoleOperator, "ops-secret", nil)})
		original := fmt.Sprintf(configuration, w.URL, w.provider.URL)
		for name, tt := range map[string]struct {
			claims map[string]any
			happen func(who admin.Caller)
			says   string // empty: it goes on
		}{
			"they leave": {someone("ada", "root"), func(admin.Caller) { w.db.Exec(t, `UPDATE identities SET stage = 'leaver' WHERE name = 'ada'`) }, "ada has left"},
			"a guard holds them": {someone("bob", "root"), func(admin.Caller) {
				w.db.Exec(t, `UPDATE identities SET stage = 'leaver', over_guard = TRUE WHERE name = 'bob'`)
			}, ""},
			"the group counts no more": {someone("x", "wheel"), func(admin.Caller) { w.reconfigure("root, wheel", "root") }, "no role any more"},
			"the group means more":     {someone("x", "audit"), func(admin.Caller) { w.reconfigure("ops]", "ops, audit]") }, "operator instead of auditor"},
			"another group changes":    {someone("x", "root"), func(admin.Caller) { w.reconfigure("ops]", "ops, more]") }, ""},
			"the provider is another":  {someone("x", "root"), func(admin.Caller) { w.reconfigure(w.provider.URL, "https://login.example.com") }, "not configured any more"},
			"nobody does anything":     {someone("x", "root"), func(admin.Caller) { w.clock.Add(31 * time.Minute) }, ""},
			"an operator ends it": {someone("x", "root"), func(who admin.Caller) {
				if _, err := w.hub.EndSession(t.Context(), hub.Actor{Name: "ops"}, who.Session, "seen at the airport"); err != nil {
					t.Error(err)
				}
			}, "seen at the airport"},
			"they are erased": {someone("eve", "root"), func(who admin.Caller) { w.db.Exec(t, `DELETE FROM sessions WHERE person = ?`, who.Person) }, "Sign in"},
		} {
			b := w.browser()
			b.arrive(tt.claims)
			who := b.whoami()
			if who.Role == "" {
				t.Fatalf("%s: not signed in", name)
			}
			tt.happen(who)
			after, page := b.whoami(), b.get("/sign-in").text
			if name == "nobody does anything" {
				if after.Role != "" {
					t.Errorf("%s: they are still in", name)
				}
				continue
			}
			if tt.says == "" && after.Role != who.Role || tt.says != "" && (after.Role != "" || !strings.Contains(page, tt.says)) {
				t.Errorf("%s: %+v, and the page says %s", name, after, page)
			}
			w.configure(original)
			if tt.says != "" && b.whoami().Role != "" {
				t.Errorf("%s: what ended has come back", name)
			}
		}
	})
}

// TestUse: a session that is used goes on for its lifetime and no longer; what pages do
// by themselves is no use.
func TestUse(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		b.arrive(someone("ada", "root"))
		began := w.clock.Now()
		for w.clock.Now().Before(began.Add(12*time.Hour - 20*time.Minute)) {
			w.clock.Add(20 * time.Minute)
			if b.whoami().Role == "" {
				t.Fatalf("over after %s", w.clock.Now().Sub(began))
			}
			if err := w.in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.clock.Set(began.Add(12 * time.Hour))
		if b.whoami().Role != "" {
			t.Error("it goes on beyond its lifetime")
		}
		if err := w.in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if why := w.db.Strings(t, `SELECT ended_why FROM sessions WHERE ended_at IS NOT NULL`); len(why) != 1 || why[0] != "its time was over" {
			t.Errorf("closed: %v", why)
		}
		b.arrive(someone("ada", "root"))
		for range 4 {
			w.clock.Add(10 * time.Minute)
			b.do("GET", "/sign-in", nil) // looks at the session, and is no use
			if err := w.in.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if b.whoami().Role != "" {
			t.Error("what is looked at by nobody goes on")
		}
		w.clock.Add(100 * 24 * time.Hour)
		if err := w.in.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.db.Int(t, `SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM sign_in_states)`); n != 0 {
			t.Errorf("%d rows are kept for ever", n)
		}
	})
}

// TestBackChannel: the provider ends sessions, and nobody else does.
func TestBackChannel(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		by := func(pairs ...any) func(map[string]any) {
			return func(c map[string]any) {
				for i := 0; i < len(pairs); i += 2 {
					c[pairs[i].(string)] = pairs[i+1]
				}
			}
		}
		now := w.clock.Now()
		for name, tt := range map[string]struct {
			change func(map[string]any)
			status int
			ends   bool
		}{
			"by session":          {by("sid", "sid-ada"), 200, true},
			"by subject":          {by("sub", "sub-ada"), 200, true},
			"by both":             {by("sid", "sid-ada", "sub", "sub-ada"), 200, true},
			"of somebody else":    {by("sub", "sub-bob"), 200, false},
			"of another session":  {by("sid", "sid-bob", "sub", "sub-ada"), 200, false},
			"of nobody":           {by(), 400, false},
			"an ID token":         {by("sub", "sub-ada", "nonce", "n"), 400, false},
			"no event":            {by("sub", "sub-ada", "events", map[string]any{}), 400, false},
			"another audience":    {by("sub", "sub-ada", "aud", "payroll"), 400, false},
			"another issuer":      {by("sub", "sub-ada", "iss", "https://evil.example"), 400, false},
			"over":                {by("sub", "sub-ada", "exp", now.Add(-2*time.Minute).Unix()), 400, false},
			"older than the rest": {by("sub", "sub-ada", "iat", now.Add(-2*time.Minute).Unix()), 200, false},
			"from the future":     {by("sub", "sub-ada", "iat", now.Add(2*time.Minute).Unix()), 400, false},
		} {
			b := w.browser()
			b.arrive(someone("ada", "root"))
			s := w.browser().post("/sign-in/backchannel", url.Values{"logout_token": {w.provider.logoutToken(tt.change)}})
			if ended := b.whoami().Role == ""; s.status != tt.status || ended != tt.ends {
				t.Errorf("%s: %d %s, ended: %t", name, s.status, s.text, ended)
			}
			if s.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the answer may be kept", name)
			}
		}
		forged := strings.Split(w.provider.logoutToken(by("sub", "sub-ada")), ".")
		if s := w.browser().post("/sign-in/backchannel", url.Values{"logout_token": {forged[0] + "." + forged[1] + ".AAAA"}}); s.status != 400 {
			t.Errorf("not signed: %d", s.status)
		}
	})
}

// TestSessionsInTheAPI: everybody sees and ends their own, operators all.
func TestSessionsInTheAPI(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		var list []admin.Token
		for _, role := range admin.Roles() {
			list = append(list, admin.NewToken(role, role, role+"-secret", nil))
		}
		w.tokens.Replace(list)
		b := w.browser()
		b.arrive(someone("ada", "root"))
		w.browser().post("/sign-in", url.Values{"token": {"person-secret"}})
		api := w.browser()
		listed := func(role string, query string) (out struct{ Items []admin.SessionView }) {
			s := api.do("GET", "/api/v1/sessions"+query, nil, "Authorization", "Bearer "+role+"-secret")
			if err := json.Unmarshal([]byte(s.text), &out); err != nil || s.status != 200 {
				t.Errorf("%s: %d %s", role, s.status, s.text)
			}
			return out
		}
		all := listed("auditor", "").Items
		if len(all) != 2 || all[0].Name != "person" || all[1].Name != "oidc:ada" || all[1].PersonName != "ada" || all[1].Agent != "test browser" || all[1].Address != "127.0.0.1" {
			t.Errorf("an auditor sees %+v", all)
		}
		for role, query := range map[string]string{"person": "", "operator": "?mine=true"} {
			for _, v := range listed(role, query).Items {
				if v.Name != role {
					t.Errorf("%s sees %+v", role, v)
				}
			}
		}
		if got := listed("person", "?mine=false").Items; len(got) != 1 {
			t.Errorf("who asks for more sees %+v", got)
		}
		end := func(role, id string) seen {
			return api.do("POST", "/api/v1/sessions/"+id+"/end", nil, "Authorization", "Bearer "+role+"-secret")
		}
		for _, role := range []string{"person", "auditor", "approver"} {
			if s := end(role, all[1].ID); s.status != 404 {
				t.Errorf("%s ends somebody else's: %d %s", role, s.status, s.text)
			}
		}
		if s := end("person", all[0].ID); s.status != 200 {
			t.Errorf("one's own: %d %s", s.status, s.text)
		}
		if s := end("operator", all[1].ID); s.status != 200 || b.whoami().Role != "" {
			t.Errorf("by an operator: %d %s", s.status, s.text)
		}
		if n := len(listed("auditor", "?ended=true").Items); n != 2 || len(listed("auditor", "").Items) != 0 {
			t.Errorf("%d ended ones are listed", n)
		}
	})
}
