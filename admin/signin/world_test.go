package signin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/signin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const clientSecret = "not-to-be-told"

// configuration of a world; what stands for %s is of the provider.
const configuration = `
database: sqlite:x.db
public_url: %s
admin:
  oidc:
    issuer: %s
    client_id: hub
    client_secret: not-to-be-told
    roles: {admin: [root, wheel], operator: [ops], auditor: [audit]}
  session: {idle: 30m, lifetime: 12h}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}, crm: {tokens: [{name: main, secret: sesame-shut-sesame}]}}
`

// world is a hub with people, a provider that may lie, and a way in.
type world struct {
	*httptest.Server
	t        *testing.T
	db       *storetest.DB
	hub      *hub.Hub
	in       *signin.SignIn
	provider *liar
	clock    *storetest.Clock
	tokens   *admin.Tokens
	log      *logged
	refused  chan hub.APIRefusal
}

// logged is everything that was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func eachWorld(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			clock := storetest.NewClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
			run(t, newWorld(t, storetest.Open(t, dialect, store.Options{Now: clock.Now}), clock))
		})
	}
}

func newWorld(t *testing.T, db *storetest.DB, clock *storetest.Clock) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: clock, log: &logged{}, refused: make(chan hub.APIRefusal, 100), provider: newLiar(t, clock.Now)}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.hub = hub.New(db.Store, log)
	w.tokens = &admin.Tokens{Now: clock.Now}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	w.Server = httptest.NewServer(root)
	t.Cleanup(w.Close)
	w.configure(fmt.Sprintf(configuration, w.URL, w.provider.URL))
	w.in = signin.New(signin.Options{Hub: w.hub, Tokens: w.tokens, Log: log, BaseURL: func() string { return w.hub.Snapshot().Doc.PublicURL },
		Key: []byte("0123456789abcdef0123456789abcdef"), Refused: func(_ context.Context, f hub.APIRefusal) { w.refused <- f }})
	w.in.Mount(root)
	api := &admin.API{Hub: w.hub, Tokens: w.tokens, Log: log, Nudge: func(string) {}}
	api.Mount(root.PathPrefix("/api/v1").Subrouter())
	root.Path("/whoami").Handler(w.in.Protect(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who, err := w.in.Caller(r)
		if err != nil {
			http.Error(rw, err.Error(), map[model.Code]int{model.Unauthorized: 401}[model.CodeOf(err)])
			return
		}
		_ = json.NewEncoder(rw).Encode(who)
	})))
	root.PathPrefix("/").HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, "page "+r.URL.String()) })
	w.people("ada", "bob", "eve")
	return w
}

// configure puts a configuration in force.
func (w *world) configure(text string) {
	w.t.Helper()
	active, _, err := w.db.ActiveConfig(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := w.hub.Apply(w.t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), active.Version)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub.Activate(snap)
}

// reconfigure replaces a part of the configuration in force.
func (w *world) reconfigure(old, instead string) {
	w.t.Helper()
	text := fmt.Sprintf(configuration, w.URL, w.provider.URL)
	if !strings.Contains(text, old) {
		w.t.Fatalf("%q is not in the configuration", old)
	}
	w.configure(strings.Replace(text, old, instead, 1))
}

func (w *world) people(names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.person("hr", map[string]any{"userName": name, "externalId": "no-" + name, "active": true,
			"emails": []any{map[string]any{"type": "work", "value": name + "@example.com"}, map[string]any{"type": "home", "value": name + "@home.example"}}})
	}
}

func (w *world) person(source string, attrs map[string]any) {
	w.t.Helper()
	user, _ := scim.DefaultRegistry().Type("User")
	if _, err := w.hub.Create(w.t.Context(), hub.Actor{Source: source, Name: "main"}, user, attrs); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.hub.EvaluateBatch(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) id(name string) string {
	w.t.Helper()
	ids := w.db.Strings(w.t, `SELECT id FROM identities WHERE name = ?`, name)
	if len(ids) != 1 {
		w.t.Fatalf("%d people are called %s", len(ids), name)
	}
	return ids[0]
}

// browser is one that keeps cookies, and follows redirects.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{&http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}, w}
}

// seen is what a browser shows.
type seen struct {
	status int
	text   string
	at     string // path and query of the address in the end
	header http.Header
}

func (b *browser) do(method, address string, form url.Values, header ...string) seen {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(address, "/") {
		address = b.w.URL + address
	}
	req, err := http.NewRequestWithContext(context.Background(), method, address, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "test browser")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return seen{res.StatusCode, string(text), res.Request.URL.RequestURI(), res.Header}
}

func (b *browser) get(address string) seen { b.w.t.Helper(); return b.do("GET", address, nil) }

func (b *browser) post(address string, form url.Values) seen {
	b.w.t.Helper()
	return b.do("POST", address, form)
}

// whoami is who the hub takes the browser for; the role is empty where nobody.
func (b *browser) whoami() (c admin.Caller) {
	b.w.t.Helper()
	s := b.get("/whoami")
	if s.status == 200 {
		if err := json.Unmarshal([]byte(s.text), &c); err != nil {
			b.w.t.Fatal(err)
		}
	} else if s.status != 401 {
		b.w.t.Errorf("whoami: %d %s", s.status, s.text)
	}
	return c
}

// arrive signs somebody in at the provider, with these claims.
func (b *browser) arrive(claims map[string]any) seen {
	b.w.t.Helper()
	b.w.provider.set(func() { b.w.provider.claims = claims })
	return b.get("/sign-in/oidc")
}

// someone are the claims of somebody with groups.
func someone(name string, groups ...any) map[string]any {
	return map[string]any{"sub": "sub-" + name, "preferred_username": name, "groups": append([]any{}, groups...), "sid": "sid-" + name}
}

func (w *world) audited(action string) int {
	return w.db.Int(w.t, `SELECT count(*) FROM audit WHERE action = ?`, action)
}
