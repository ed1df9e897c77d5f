package signin_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

// TestLink: a link works once, within a quarter of an hour, and not by being looked at.
func TestLink(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		if link, _, err := w.in.FirstLink(t.Context()); link != "" || err != nil {
			t.Errorf("there is a provider, and a link all the same: %q %v", link, err)
		}
		w.configure("database: sqlite:x.db\npublic_url: " + w.URL + "\nadmin: {tokens: [{name: a, secret: auditor-auditor, role: auditor}]}\n")
		first := func() string {
			link, _, err := w.in.FirstLink(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return link
		}
		unused, link := first(), first()
		b, second := w.browser(), w.browser()
		token := parsed(t, link).Query().Get("token")
		for range 3 {
			if s := b.get(link); s.status != 200 || !strings.Contains(s.text, html.EscapeString(token)) || s.header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("looked at: %d", s.status)
			}
		}
		if s := b.post("/sign-in", url.Values{"link": {token}}); s.status != 200 || b.whoami().Role != admin.RoleAdmin || b.whoami().Name != "sign-in link of serve" {
			t.Errorf("used: %d %s %+v", s.status, s.text, b.whoami())
		}
		if s := second.post("/sign-in", url.Values{"link": {token}}); s.status != 401 || second.whoami().Role != "" || !strings.Contains(s.text, "scimhub sign-in") {
			t.Errorf("used again: %d %s", s.status, s.text)
		}
		if first() != "" {
			t.Error("somebody came in, and there is one more first link")
		}
		made, _, err := w.hub.CreateSignInLink(t.Context(), hub.Actor{Name: "ops"}, admin.RoleAuditor, false)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Add(15 * time.Minute)
		for _, late := range []string{made, parsed(t, unused).Query().Get("token")} {
			if s := second.post("/sign-in", url.Values{"link": {late}}); s.status != 401 || second.whoami().Role != "" {
				t.Errorf("after a quarter of an hour: %d", s.status)
			}
		}
		w.untold(token, made)
	})
}

// TestToken: an API token gives a session with its rights, for as long as it is in force.
func TestToken(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		soon := w.clock.Now().Add(time.Hour)
		limited := admin.NewToken("limited", admin.RoleOperator, "limited-secret", &soon)
		limited.Scope, limited.Person = []string{"read"}, "ada"
		ops := admin.NewToken("ops", admin.RoleAdmin, "ops-secret", nil)
		w.tokens.Replace([]admin.Token{ops, limited})
		in := func(secret string) *browser {
			b := w.browser()
			b.post("/sign-in", url.Values{"token": {secret}, "return": {"/tasks"}})
			return b
		}
		if who := in("wrong-secret").whoami(); who.Role != "" {
			t.Errorf("a wrong one: %+v", who)
		}
		if s := w.browser().post("/sign-in", url.Values{"token": {"ops-secret"}, "return": {"/tasks"}}); s.at != "/tasks" {
			t.Errorf("they wanted to /tasks and are at %s", s.at)
		}
		b, short := in("ops-secret"), in("limited-secret")
		if who := b.whoami(); who.Role != admin.RoleAdmin || who.Name != "ops" || who.Session == "" {
			t.Errorf("with a token: %+v", who)
		}
		if who := short.whoami(); who.Role != admin.RoleOperator || len(who.Scope) != 1 || who.Person != "ada" {
			t.Errorf("with a limited token: %+v", who)
		}
		w.untold("ops-secret", "limited-secret")
		w.tokens.Replace([]admin.Token{admin.NewToken("ops", admin.RoleAdmin, "another-secret", nil), limited})
		if who := b.whoami(); who.Role != "" {
			t.Errorf("the token has another secret: %+v", who)
		}
		w.clock.Add(29 * time.Minute)
		if short.whoami().Role == "" || w.in.Flush(t.Context()) != nil {
			t.Error("over before the token")
		}
		w.clock.Add(29 * time.Minute)
		if short.whoami().Role == "" || w.in.Flush(t.Context()) != nil {
			t.Error("over before the token")
		}
		w.clock.Add(2 * time.Minute)
		if who := short.whoami(); who.Role != "" {
			t.Errorf("the token is over: %+v", who)
		}
		w.tokens.Slowly = func(*http.Request, func() bool) time.Duration { return time.Minute }
		if s := w.browser().post("/sign-in", url.Values{"token": {"another-secret"}}); s.status != 429 {
			t.Errorf("where somebody guesses: %d", s.status)
		}
	})
}

// TestOtherSites: what another site has a browser send is refused; what is the hub's own
// under its public name is not.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		b.arrive(someone("ada", "root"))
		for name, tt := range map[string]struct {
			method string
			header []string
			status int
		}{
			"another site":           {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
			"another host of ours":   {"POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://x.127.0.0.1"}, 403},
			"an old browser":         {"POST", []string{"Origin", "https://evil.example"}, 403},
			"no origin":              {"POST", []string{"Origin", "null"}, 403},
			"the page itself":        {"POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", w.URL}, 200},
			"behind a proxy":         {"POST", []string{"Host", "internal", "Origin", w.URL}, 200},
			"a link on another site": {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
			"no browser":             {"POST", nil, 200},
		} {
			s := b.do(tt.method, "/whoami", nil, tt.header...)
			if s.status != tt.status {
				t.Errorf("%s: %d", name, s.status)
			}
		}
		b.do("POST", "/sign-out", url.Values{}, "Sec-Fetch-Site", "cross-site")
		if b.whoami().Role == "" {
			t.Error("another site signed them out")
		}
	})
}

// TestReturn: who comes in goes to a page of the hub, wherever somebody wanted to lead them.
func TestReturn(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.tokens.Replace([]admin.Token{admin.NewToken("ops", admin.RoleAdmin, "ops-secret", nil)})
		for to, want := range map[string]string{
			"/people?q=1":                   "/people?q=1",
			"/a%2f/b":                       "/a%2f/b",
			"":                              "/",
			"people":                        "/",
			"//evil.example/x":              "/",
			"/\\evil.example":               "/",
			"/\t/evil.example":              "/",
			"https://evil.example":          "/",
			"javascript:alert(1)":           "/",
			"/sign-in?return=/tasks":        "/",
			"/sign-out":                     "/",
			"/" + strings.Repeat("x", 3000): "/",
		} {
			b := w.browser()
			b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			s := b.post("/sign-in", url.Values{"token": {"ops-secret"}, "return": {to}})
			if got := s.header.Get("Location"); s.status != 303 || got != want {
				t.Errorf("%.40q leads to %.40q", to, got)
			}
			cookie := s.header.Get("Set-Cookie")
			for _, part := range []string{"scimhub=", "HttpOnly", "SameSite=Lax", "Path=/"} {
				if !strings.Contains(cookie, part) {
					t.Errorf("%s is not in the cookie", part)
				}
			}
		}
	})
}
