package console_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/console"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// site is the console over a hub, mounted as the program mounts it. Whoever asks is named
// by the header As: a role, or person:USERNAME.
type site struct {
	*httptest.Server
	t    *testing.T
	hub  *hub.Hub
	db   *storetest.DB
	stop context.CancelFunc
}

const plainConfiguration = `
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  lead: {request: {by: self, approve: ["user:boss"], reason: required, expires: 30d}, grants: [{target: chat, group: leads}]}
targets: {chat: {url: "http://127.0.0.1:1", auth: {bearer: swordfish-swordfish}}}
`

// eachSite runs a test over both databases with a configuration and people at work.
func eachSite(t *testing.T, configuration string, people []string, run func(*testing.T, *site)) {
	t.Helper()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
		h := hub.New(db.Store, log)
		snap, err := h.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(configuration), 0)
		if err != nil {
			t.Fatal(err)
		}
		h.Activate(snap)
		api := &admin.API{Hub: h, Tokens: &admin.Tokens{Now: time.Now}, Log: log, Nudge: func(string) {},
			Activate: func(_ context.Context, s *hub.Snapshot) error { h.Activate(s); return nil }}
		root := mux.NewRouter().SkipClean(true).UseEncodedPath()
		api.Mount(root.PathPrefix("/api/v1").Subrouter())
		c := &console.Console{API: root, Caller: asked, Protect: http.NewCrossOriginProtection().Handler, Log: log, Now: db.Store.Now, Secure: func() bool { return false }}
		ctx, stop := context.WithCancel(t.Context())
		t.Cleanup(stop)
		if err := c.Mount(ctx, root); err != nil {
			t.Fatal(err)
		}
		user, _ := scim.DefaultRegistry().Type("User")
		for _, name := range people {
			if _, err := h.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": name, "displayName": "The " + name, "active": true}); err != nil {
				t.Fatal(err)
			}
		}
		s := &site{httptest.NewServer(root), t, h, db, stop}
		t.Cleanup(s.Close)
		s.evaluate()
		run(t, s)
	})
}

// asked is who the header As names.
func asked(r *http.Request) (admin.Caller, error) {
	as := r.Header.Get("As")
	if as == "" {
		return admin.Caller{}, model.Fail(model.Unauthorized, "sign in first", nil)
	}
	if name, ok := strings.CutPrefix(as, "person:"); ok {
		return admin.Caller{Name: name, Role: admin.RolePerson, Person: name}, nil
	}
	return admin.Caller{Name: "the " + as, Role: as}, nil
}

// evaluate works on all marks.
func (s *site) evaluate() {
	s.t.Helper()
	for {
		n, err := s.hub.EvaluateBatch(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// look opens a page and wants a status.
func (s *site) look(as, path string, status int) string {
	s.t.Helper()
	return s.ask(as, http.MethodGet, path, nil, status)
}

// send sends a form and wants a status; 303 is followed to the page that says what was
// done, whose text is returned.
func (s *site) send(as, path string, form url.Values, status int) string {
	s.t.Helper()
	return s.ask(as, http.MethodPost, path, form, status)
}

func (s *site) ask(as, method, path string, form url.Values, status int) string {
	s.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if as != "" {
		req.Header.Set("As", as)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != status {
		s.t.Fatalf("%s %s as %q: %d, want %d:\n%s", method, path, as, res.StatusCode, status, text)
	}
	if p := res.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		s.t.Errorf("%s %s: policy %q", method, path, p)
	}
	if res.StatusCode == http.StatusSeeOther && method == http.MethodPost {
		said := ""
		for _, k := range res.Cookies() {
			if k.Name == "scimhub-said" {
				said, _ = url.QueryUnescape(k.Value)
			}
		}
		return said + "\n" + s.follow(as, res.Header.Get("Location"))
	}
	if res.StatusCode < 300 && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		wellMade(s.t, path, string(text))
	}
	return string(text)
}

// follow opens a page, and the one that it may send to.
func (s *site) follow(as, path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("As", as)
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return s.look(as, res.Request.URL.RequestURI(), http.StatusOK)
}

// wellMade checks what every page has to have, and what none may have.
func wellMade(t *testing.T, path, page string) {
	t.Helper()
	for _, want := range []string{`<html lang="en">`, `name="viewport"`, `<main id="main"`, "<title>"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s lacks %s", path, want)
		}
	}
	for _, never := range []string{" style=\"", " onclick=", "javascript:", "<no value>", "ZgotmplZ", "%!", "http-equiv", "<nil>", "0001-01-01"} {
		if strings.Contains(page, never) {
			t.Errorf("%s holds %s: %s", path, never, around(page, never))
		}
	}
	if n := strings.Count(page, "<h1"); n != 1 {
		t.Errorf("%s has %d headings of the first order", path, n)
	}
	ids := regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1)
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id[1]] {
			t.Errorf("%s has the id %s twice", path, id[1])
		}
		seen[id[1]] = true
	}
}

func around(text, part string) string {
	i := strings.Index(text, part)
	return text[max(0, i-60):min(len(text), i+60)]
}

func TestFrame(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada"}, func(t *testing.T, s *site) {
		// Nobody is sent to sign in, and comes back to where they wanted to go.
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Get(s.URL + "/?a=b%26c")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || to != "/sign-in?return="+url.QueryEscape("/?a=b%26c") {
			t.Errorf("somebody who is not signed in: %d %s", res.StatusCode, to)
		}
		for _, role := range []string{"admin", "operator", "approver", "auditor", "person:ada"} {
			page := s.look(role, "/", 200)
			if person := strings.HasPrefix(role, "person"); strings.Contains(page, `href="/people"`) == person {
				t.Errorf("%s: the navigation shows people: %t", role, !person)
			}
		}
		for _, asset := range []string{"/assets/style.css", "/assets/console.js", "/assets/icon.svg"} {
			s.look("", asset, 200)
		}
		s.look("", "/assets/../templates/layout.html", 404)
		s.look("", "/assets/none.css", 404)
	})
}

// TestOtherSites: a form that another site has a browser send is refused.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, nil, func(t *testing.T, s *site) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/live", strings.NewReader("a=b"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("As", "admin")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("a form of another site: %d", res.StatusCode)
		}
	})
}

// TestLive: a page that listens hears of a change, and its connection ends with the hub.
func TestLive(t *testing.T) {
	t.Parallel()
	eachSite(t, plainConfiguration, []string{"ada"}, func(t *testing.T, s *site) {
		s.look("", "/live", 401)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/live", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("As", "auditor")
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.Header.Get("X-Accel-Buffering") != "no" {
			t.Error("a proxy in front may hold events back")
		}
		heard := make(chan string)
		go func() {
			defer close(heard)
			buf := make([]byte, 4096)
			for {
				n, err := res.Body.Read(buf)
				if err != nil {
					return
				}
				if text := string(buf[:n]); strings.Contains(text, "event: changed") {
					heard <- text
				}
			}
		}()
		next := func() string {
			select {
			case text := <-heard:
				return text
			case <-time.After(20 * time.Second):
				t.Fatal("nothing was heard")
			}
			return ""
		}
		first := next()
		user, _ := scim.DefaultRegistry().Type("User")
		if _, err := s.hub.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": "bob", "active": true}); err != nil {
			t.Fatal(err)
		}
		if second := next(); second == first {
			t.Errorf("heard %q twice", second)
		}
		s.stop()
		select {
		case text, open := <-heard:
			for open {
				text, open = <-heard
			}
			_ = text
		case <-time.After(20 * time.Second):
			t.Error("the connection outlives the hub")
		}
	})
}

// TestSomebodysWords: what people are called cannot become part of a page.
func TestSomebodysWords(t *testing.T) {
	t.Parallel()
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `{{.}}`, `javascript:alert(1)`}
	eachSite(t, plainConfiguration, hostile, func(t *testing.T, s *site) {
		for _, path := range []string{"/", "/people", "/people?q=" + url.QueryEscape(hostile[0]), "/audit", "/leavers", "/findings", "/requests", "/targets"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("As", "admin")
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if slices.ContainsFunc(hostile[:2], func(h string) bool { return strings.Contains(string(text), h) }) {
				t.Errorf("%s shows what somebody is called as it is", path)
			}
		}
	})
}
