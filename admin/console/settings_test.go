package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

const settled = `
database: sqlite:x.db
public_url: https://hub.example.com
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources:
  hr: {tokens: [{name: main, secret: sesame-open-sesame, expires: 2020-01-01}], owner: hr-team@example.com}
  okta: {dialect: okta, basic: [{name: legacy, user: pay, password: roll-roll-roll}]}
  entra: {dialect: entra, jwt: {issuer: https://sts.example.com/, audience: aud, jwks_url: https://sts.example.com/keys}}
roles: {employee: {when: user.active, grants: [{target: chat}]}}
targets: {chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}}}
notify:
  - {name: pager, webhook: "https://pager.example.com/hook?secret=no", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
`

// TestSourcePages: each source says what to paste at its provider, and never a secret.
func TestSourcePages(t *testing.T) {
	t.Parallel()
	eachSite(t, settled, []string{"ada"}, func(t *testing.T, s *site) {
		page := s.look("auditor", "/settings", 200)
		wants(t, page, "/settings/sources/okta", "nothing has come from it yet", "1 person")
		for source, want := range map[string][]string{
			"hr":    {"Any provider that speaks SCIM 2.0</h3>", "https://hub.example.com/scim/v2<", "expired", "hr-team@example.com", "more than 10 %", "bearer token"},
			"okta":  {"Okta</h3>", "Authorization", "user and password", "user pay", "without a slash"},
			"entra": {"Entra ID</h3>", "https://hub.example.com/scim/v2?aadOptscim062020", "tokens of an issuer", "https://sts.example.com/"},
		} {
			page := s.look("auditor", "/settings/sources/"+source, 200)
			wants(t, page, want...)
			lacks(t, page, "sesame", "roll-roll", "action=\"/settings")
		}
		s.look("auditor", "/settings/sources/none", 404)
		for _, path := range []string{"/settings", "/settings/sources/hr", "/settings/tokens", "/settings/deliveries", "/settings/about"} {
			s.look("person:ada", path, 403)
		}
		wants(t, s.look("auditor", "/settings/about", 200), "version 1", "https://hub.example.com", "administer")
	})
}

// TestHeldLeaversPage: whom a guard holds is let go by who may decide, some by a tick,
// all by typing the name of the source, and never others than were looked at.
func TestHeldLeaversPage(t *testing.T) {
	t.Parallel()
	people := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", `<script>alert(1)</script>`}
	eachSite(t, settled, people, func(t *testing.T, s *site) {
		const hr, release = "/settings/sources/hr", "/settings/sources/hr/release"
		s.gone(people...)
		wants(t, s.look("auditor", "/settings", 200), "5 people left beyond its guard")
		page := s.look("approver", hr, 200)
		lacks(t, page, "<script>alert")
		digest := regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(page)[1]
		ticks := regexp.MustCompile(`name="people" value="([^"]+)"`).FindAllStringSubmatch(page, -1)
		if len(ticks) != 5 {
			t.Fatalf("%d people can be ticked, want 5", len(ticks))
		}
		lacks(t, s.look("auditor", hr, 200), `name="digest"`, "Let all")
		one := url.Values{"people": {ticks[0][1]}, "back": {hr}}
		s.send("auditor", release, one, 403)
		s.send("operator", release, one, 403)
		wants(t, s.send("approver", release, url.Values{"back": {hr}}, 400), "Tick whom")
		wants(t, s.send("approver", release, one, 303), "1 person let go", "4 people left beyond")
		all := url.Values{"all": {"1"}, "digest": {digest}, "name": {"h"}, "back": {hr}}
		wants(t, s.send("approver", release, all, 400), "exactly", "4 people left beyond")
		all.Set("name", "hr")
		wants(t, s.send("approver", release, all, 409), `role="alert"`, "4 people left beyond")
		all.Set("digest", regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(s.look("approver", hr, 200))[1])
		page = s.send("approver", release, all, 303)
		wants(t, page, "4 people let go")
		lacks(t, page, "beyond the guard")
	})
}

// TestTokenPages: a secret is shown on the page that answers the form, and never again.
func TestTokenPages(t *testing.T) {
	t.Parallel()
	eachSite(t, settled, []string{"ada"}, func(t *testing.T, s *site) {
		form := url.Values{"kind": {"api"}, "role": {"auditor"}, "name": {"nightly"}, "expires": {"90d"}, "scope": {"read"}, "back": {"/settings/tokens"}, "key": {"k1"}}
		for _, who := range []string{"operator", "auditor", "person:ada"} {
			s.send(who, "/settings/tokens", form, 403)
		}
		lacks(t, s.look("auditor", "/settings/tokens", 200), `action="/settings/tokens`)
		wrong := url.Values{"kind": {"api"}, "role": {"auditor"}, "name": {`kept "<b>`}, "expires": {"yesterday"}, "scope": {"read"}, "back": {"/settings/tokens"}}
		wants(t, s.send("admin", "/settings/tokens", wrong, 400), `value="kept &#34;&lt;b&gt;"`, `value="read" checked`, `value="yesterday"`, `role="alert"`, "2027-06-30")
		wants(t, s.send("admin", "/settings/tokens", url.Values{"back": {"/settings/tokens"}}, 400), "Say what the token is for")

		page := s.send("admin", "/settings/tokens", form, 200)
		secret := regexp.MustCompile(`id="secret"[^>]*>([^<]+)<`).FindStringSubmatch(page)
		if secret == nil || len(secret[1]) < 20 {
			t.Fatalf("no secret: %s", mainOf(page))
		}
		wants(t, page, "nightly", "the API, as auditor", "Copy it now")
		again := s.send("admin", "/settings/tokens", form, 200)
		wants(t, again, "was told once")
		list := s.look("admin", "/settings/tokens", 200)
		wants(t, list, "nightly", "only to read", "by the admin")
		for _, page := range []string{again, list, s.look("auditor", "/audit", 200)} {
			lacks(t, page, secret[1])
		}
		if n := strings.Count(list, "nightly"); n > 2 {
			t.Errorf("the same form made the token twice: %d", n)
		}
		id := regexp.MustCompile(`/settings/tokens/([^/]+)/rotate`).FindStringSubmatch(list)[1]
		s.send("operator", "/settings/tokens/"+id+"/rotate", url.Values{"back": {"/settings/tokens"}}, 403)
		wants(t, s.send("admin", "/settings/tokens/"+id+"/rotate", url.Values{"overlap": {"long"}, "back": {"/settings/tokens"}}, 400), `role="alert"`)
		next := s.send("admin", "/settings/tokens/"+id+"/rotate", url.Values{"overlap": {"1h"}, "back": {"/settings/tokens"}, "key": {"k2"}}, 200)
		wants(t, next, "The secret before ends")
		lacks(t, next, secret[1])
		wants(t, s.look("admin", "/settings/tokens", 200), "rotating")
		s.send("auditor", "/settings/tokens/"+id+"/revoke", url.Values{"back": {"/settings/tokens"}}, 403)
		wants(t, s.send("admin", "/settings/tokens/"+id+"/revoke", url.Values{"back": {"/settings/tokens"}, "key": {"k3"}}, 303), "lets nobody in any more", "revoked")

		for _, kind := range []url.Values{{"kind": {"source"}, "source": {"okta"}}, {"kind": {"target"}, "target": {"chat"}, "may": {"read", "write"}}} {
			kind.Set("name", "n")
			wants(t, s.send("admin", "/settings/tokens", kind, 200), "Copy it now")
		}
		page = s.look("admin", "/settings/tokens?source=okta", 200)
		wants(t, page, "source okta")
		lacks(t, page, "target chat")
		wants(t, s.look("admin", "/settings/tokens", 200), "may read, write")
	})
}

// TestSessionPages: everybody ends their own sessions, operators anybody's.
func TestSessionPages(t *testing.T) {
	t.Parallel()
	eachSite(t, settled, []string{"ada"}, func(t *testing.T, s *site) {
		wants(t, s.look("auditor", "/settings/sessions", 200), "Nobody is signed in")
		ids := map[string]string{}
		for _, name := range []string{"ada", "<b>eve</b>"} {
			session, err := s.hub.StartSession(t.Context(), store.Session{Hash: name, Kind: "link", Name: name, Role: "auditor", Agent: "Firefox <i>", Address: "192.0.2.7"}, hub.SignInProof{}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			ids[name] = session.ID
		}
		page := s.look("auditor", "/settings/sessions", 200)
		wants(t, page, "&lt;b&gt;eve", "Firefox", "one-time link")
		lacks(t, page, "/end\"", "Make a link")
		mine := s.look("person:ada", "/settings/sessions", 200)
		wants(t, mine, "Where you are signed in", "Firefox", "/settings/sessions/"+ids["ada"]+"/end")
		lacks(t, mine, "eve", `href="/settings/tokens"`)
		back := url.Values{"back": {"/settings/sessions"}}
		s.send("person:ada", "/settings/sessions/"+ids["<b>eve</b>"]+"/end", back, 404)
		wants(t, s.send("person:ada", "/settings/sessions/"+ids["ada"]+"/end", back, 303), "has ended")
		s.send("operator", "/settings/sessions/"+ids["<b>eve</b>"]+"/end", back, 303)
		wants(t, s.look("auditor", "/settings/sessions?ended=true", 200), "ended", "by the operator")

		s.send("operator", "/settings/sign-in-links", url.Values{"role": {"auditor"}, "back": {"/settings/sessions"}}, 403)
		link := url.Values{"role": {"auditor"}, "back": {"/settings/sessions"}, "key": {"k1"}}
		wants(t, s.send("admin", "/settings/sign-in-links", link, 200), "https://hub.example.com/sign-in?token=")
		again := s.send("admin", "/settings/sign-in-links", link, 200)
		wants(t, again, "shown once")
		lacks(t, again, "sign-in?token=")
		wants(t, s.send("admin", "/settings/sign-in-links", url.Values{"role": {"king"}, "back": {"/settings/sessions"}}, 400), `role="alert"`)
	})
}

// TestMessagePages: a receiver is tried, and what became of each message is shown.
func TestMessagePages(t *testing.T) {
	t.Parallel()
	eachSite(t, settled, []string{"ada"}, func(t *testing.T, s *site) {
		page := s.look("operator", "/settings/deliveries", 200)
		wants(t, page, "pager", "pager.example.com", "untried", "Send a test", "Nothing fits")
		lacks(t, page, "secret=no", "whsec_")
		back := url.Values{"back": {"/settings/deliveries"}, "key": {"k1"}}
		s.send("auditor", "/settings/receivers/pager/test", back, 403)
		s.send("operator", "/settings/receivers/none/test", url.Values{"back": {"/settings/deliveries"}}, 404)
		page = s.send("operator", "/settings/receivers/pager/test", back, 303)
		wants(t, page, "is on its way to pager", "notify.test")
		lacks(t, s.look("auditor", "/settings/deliveries", 200), "Send a test", "/retry")
		s.db.Exec(t, `UPDATE deliveries SET state = 'failed', attempts = 9, answer = ?`, "<b>gone</b>")
		page = s.look("operator", "/settings/deliveries?state=failed", 200)
		wants(t, page, "&lt;b&gt;gone", "9 attempts")
		retry := regexp.MustCompile(`/settings/deliveries/[^/]+/retry`).FindString(page)
		s.send("auditor", retry, url.Values{"back": {"/settings/deliveries"}}, 403)
		wants(t, s.send("operator", retry, url.Values{"back": {"/settings/deliveries"}, "key": {"k2"}}, 303), "tried again at once", "pending")
		s.look("operator", "/settings/deliveries?state=nonsense", 400)
		wants(t, s.look("auditor", "/settings/deliveries?state=done", 200), "Nothing fits")
	})
	eachSite(t, plainConfiguration, nil, func(t *testing.T, s *site) {
		wants(t, s.look("auditor", "/settings/deliveries", 200), "Nobody is told of anything")
	})
}
