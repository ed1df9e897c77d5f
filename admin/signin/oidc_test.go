package signin_test

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scimhub/scimhub/admin"
)

// TestProvider: somebody comes in through the provider, is who they are, and goes again.
func TestProvider(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		b := w.browser()
		w.provider.set(func() { w.provider.claims = someone("ada", "wheel", "others") })
		if s := b.get("/sign-in/oidc?return=" + url.QueryEscape("/people?q=a b")); s.status != 200 || s.at != "/people?q=a%20b" {
			t.Fatalf("signed in: %d at %s: %s", s.status, s.at, s.text)
		}
		who := b.whoami()
		if who.Role != admin.RoleAdmin || who.Name != "oidc:ada" || who.Person != w.id("ada") || who.Session == "" {
			t.Errorf("they are %+v", who)
		}
		asked := w.provider.seen
		if asked.Get("code_challenge_method") != "S256" || len(asked.Get("nonce")) < 20 || asked.Get("scope") != "openid profile email" || asked.Get("response_type") != "code" {
			t.Errorf("asked was %v", asked)
		}
		if s := b.get("/sign-in"); s.at != "/" {
			t.Errorf("who is signed in is asked to sign in: %s", s.at)
		}
		w.untold(w.provider.ids[0])
		s := b.post("/sign-out", url.Values{})
		_, next, _ := strings.Cut(s.text, `content="0;url=`)
		next, _, _ = strings.Cut(next, `"`)
		at, err := url.Parse(html.UnescapeString(next))
		if err != nil || !strings.HasPrefix(next, w.provider.URL+"/end?") || at.Query().Get("id_token_hint") != w.provider.ids[0] || at.Query().Get("tenant") != "1" ||
			at.Query().Get("post_logout_redirect_uri") != w.URL+"/sign-in" || at.Query().Get("client_id") != "hub" {
			t.Errorf("signed out: %d leads to %q", s.status, next)
		}
		if who := b.whoami(); who.Role != "" {
			t.Errorf("who signed out is still %+v", who)
		}
		if started, ended := w.audited("session.start"), w.audited("session.end"); started != 1 || ended != 1 {
			t.Errorf("the trail has %d starts and %d ends", started, ended)
		}
	})
}

// untold looks for secrets in what is stored and logged.
func (w *world) untold(secrets ...string) {
	w.t.Helper()
	stored := strings.Join(w.db.Strings(w.t, `SELECT data || hash || agent FROM sessions`), "\n") + strings.Join(w.db.Strings(w.t, `SELECT data FROM audit`), "\n")
	for _, secret := range append(secrets, clientSecret) {
		for what, text := range map[string]string{"the database": stored, "the log": w.log.String()} {
			if strings.Contains(text, secret) {
				w.t.Errorf("%.20s… is in %s", secret, what)
			}
		}
	}
}

// TestLies: of what a provider, or who pretends to be one, may send wrong, nothing makes
// a session.
func TestLies(t *testing.T) {
	t.Parallel()
	set := func(name string, v any) func(*world) {
		return func(w *world) { w.provider.lie = func(c map[string]any) { c[name] = v } }
	}
	eachWorld(t, func(t *testing.T, w *world) {
		now := w.clock.Now()
		for name, tt := range map[string]struct {
			lie    func(*world)
			status int // 0: it is no lie
			says   string
		}{
			"the truth":            {func(*world) {}, 0, ""},
			"another nonce":        {set("nonce", "guessed"), 401, "not to be trusted"},
			"no nonce":             {func(w *world) { w.provider.lie = func(c map[string]any) { delete(c, "nonce") } }, 401, "not to be trusted"},
			"another audience":     {set("aud", "payroll"), 401, "not to be trusted"},
			"several, and ours":    {set("aud", []string{"hub", "payroll"}), 401, "not to be trusted"},
			"another party":        {set("azp", "payroll"), 401, "not to be trusted"},
			"another issuer":       {set("iss", "https://evil.example"), 401, "not to be trusted"},
			"over for long":        {set("exp", now.Add(-61*time.Second).Unix()), 401, "not to be trusted"},
			"over just now":        {set("exp", now.Add(-59*time.Second).Unix()), 0, ""},
			"made in the future":   {set("iat", now.Add(2*time.Minute).Unix()), 401, "not to be trusted"},
			"made a moment ahead":  {set("iat", now.Add(50*time.Second).Unix()), 0, ""},
			"nobody":               {set("sub", ""), 401, "not to be trusted"},
			"another access token": {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), 401, "not to be trusted"},
			"a key nobody knows":   {func(w *world) { w.provider.key = 1 }, 401, "not to be trusted"},
			"a key everybody has":  {func(w *world) { w.provider.alg = jose.HS256 }, 401, "not to be trusted"},
			"about somebody else": {func(w *world) {
				delete(w.provider.claims, "groups")
				w.provider.info = map[string]any{"sub": "sub-bob", "groups": []string{"root"}}
			}, 401, "somebody else"},
			"another provider": {func(w *world) { w.provider.answer = func(q url.Values) { q.Set("iss", "https://evil.example") } }, 401, "another provider"},
			"our provider":     {func(w *world) { w.provider.answer = func(q url.Values) { q.Set("iss", w.provider.URL) } }, 0, ""},
			"another code":     {func(w *world) { w.provider.answer = func(q url.Values) { q.Set("code", "guessed") } }, 401, "start again"},
			"another state":    {func(w *world) { w.provider.answer = func(q url.Values) { q.Set("state", "guessed") } }, 400, "another browser"},
			"a refusal": {func(w *world) {
				w.provider.answer = func(q url.Values) {
					q.Del("code")
					q.Set("error", "access_denied")
					q.Set("error_description", "not <b>you</b>")
				}
			}, 401, "not &lt;b&gt;you"},
		} {
			b := w.browser()
			w.provider.set(func() {
				w.provider.lie, w.provider.answer, w.provider.key, w.provider.alg, w.provider.info = nil, nil, 0, jose.RS256, nil
				w.provider.claims = someone("ada", "root")
				tt.lie(w)
			})
			s := b.get("/sign-in/oidc")
			who := b.whoami()
			switch {
			case tt.status == 0 && (s.status != 200 || who.Role != admin.RoleAdmin):
				t.Errorf("%s: %d %s", name, s.status, s.text)
			case tt.status != 0 && (s.status != tt.status || !strings.Contains(s.text, tt.says) || who.Role != ""):
				t.Errorf("%s: %d %+v %s", name, s.status, who, s.text)
			}
		}
		w.untold(w.provider.ids...)
	})
}

// TestFlow: an answer belongs to the browser that asked, for ten minutes, once.
func TestFlow(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.provider.set(func() { w.provider.claims = someone("ada", "root") })
		answer := func(b *browser) string { // what the provider has the browser bring
			b.CheckRedirect = stopAt("/sign-in/callback")
			s := b.get("/sign-in/oidc")
			b.CheckRedirect = nil
			return s.header.Get("Location")
		}
		b, thief := w.browser(), w.browser()
		back := answer(b)
		if s := thief.get(back); s.status != 400 || thief.whoami().Role != "" {
			t.Errorf("another browser: %d", s.status)
		}
		other := answer(b) // in another tab
		for _, address := range []string{back, other} {
			if s := b.get(address); s.status != 200 || b.whoami().Role != admin.RoleAdmin {
				t.Errorf("one of two tabs: %d %s", s.status, s.text)
			}
		}
		if s := b.get(back); s.status != 400 {
			t.Errorf("the same answer again: %d", s.status)
		}
		late := answer(b)
		w.clock.Add(11 * time.Minute)
		if s := b.get(late); s.status != 400 || !strings.Contains(s.text, "ten minutes") {
			t.Errorf("after eleven minutes: %d", s.status)
		}
		// The cookie of a flow that was used, put back: the code is new, the state is not.
		again := w.browser()
		back = answer(again)
		cookies := again.Jar.Cookies(parsed(t, w.URL))
		again.get(back)
		again.Jar.SetCookies(parsed(t, w.URL), cookies)
		code := url.Values{}
		w.provider.set(func() { code = w.provider.seen; w.provider.asked["second"] = code })
		if s := again.get("/sign-in/callback?code=second&state=" + code.Get("state")); s.status != 400 || !strings.Contains(s.text, "used already") {
			t.Errorf("a state that was used: %d %s", s.status, s.text)
		}
	})
}

// TestProviderDown: while the provider does not answer nobody comes in that way, whoever
// is in stays in, and the page says why.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		b, other := w.browser(), w.browser()
		w.provider.set(func() { w.provider.down = true })
		if s := b.get("/sign-in/oidc"); s.status != 503 || !strings.Contains(s.text, w.provider.URL+" does not answer") {
			t.Fatalf("down from the beginning: %d %s", s.status, s.text)
		}
		b.get("/sign-in/oidc")
		if n := w.provider.requests["/.well-known/openid-configuration"]; n != 1 {
			t.Errorf("a provider that is down was asked %d times at once", n)
		}
		w.provider.set(func() { w.provider.down = false })
		w.clock.Add(10 * time.Second)
		if s := b.arrive(someone("ada", "root")); s.status != 200 {
			t.Fatalf("up again: %d %s", s.status, s.text)
		}
		w.provider.set(func() { w.provider.down = true })
		if b.whoami().Role != admin.RoleAdmin {
			t.Error("who is in was put out")
		}
		w.provider.set(func() { w.provider.down = false; w.provider.key, w.provider.shown = 1, []int{1} })
		if s := other.arrive(someone("bob", "ops")); s.status != 200 || other.whoami().Role != admin.RoleOperator {
			t.Errorf("with new keys: %d %s", s.status, s.text)
		}
		w.provider.set(func() { w.provider.key = 0 })
		if s := w.browser().arrive(someone("bob", "ops")); s.status != 401 {
			t.Errorf("with a key that is shown no more: %d", s.status)
		}
	})
}
