package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// written is what a command writes while a test reads it.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// served is a hub that a command line serves, until stop.
type served struct {
	out, log written
	stop     func()
}

func serveHub(t *testing.T, config string) *served {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &served{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"serve", "--config", path}, strings.NewReader(""), &s.out, &s.log)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("serve ended with %d: %s", code, s.log.String())
		}
	})
	t.Cleanup(s.stop)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.log.String(), "configuration in force") || !strings.Contains(s.out.String(), "scimhub serves") {
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("serve ended with %d: %s", code, s.log.String())
		case <-deadline.C:
			t.Fatalf("the hub does not start: %s", s.log.String())
		case <-tick.C:
		}
	}
	return s
}

// visitor is a browser: it keeps cookies and follows redirects.
func visitor(t *testing.T) func(method, address string, form url.Values) (int, string, *url.URL) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}
	return func(method, address string, form url.Values) (int, string, *url.URL) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text), res.Request.URL
	}
}

// TestFirstSignIn: a hub to which nobody can sign in prints a link at its start, which
// lets the first admin in, once; when it starts again it prints no other.
func TestFirstSignIn(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			config := fmt.Sprintf("listen: %s\ndatabase: %q\n", fmt.Sprintf("127.0.0.1:%d", storetest.Port(t)), storetest.Migrated(t, dialect))
			link := regexp.MustCompile(`http://\S+/sign-in\?token=(\S+)`)
			first := serveHub(t, config)
			await(t, func() bool { return link.MatchString(first.out.String()) })
			first.stop()
			second := serveHub(t, config)
			await(t, func() bool { return link.MatchString(second.out.String()) })
			printed := link.FindStringSubmatch(second.out.String())
			visit := visitor(t)
			if status, page, _ := visit("GET", printed[0], nil); status != 200 || !strings.Contains(page, printed[1]) {
				t.Fatalf("the link shows %d %s", status, page)
			}
			base := strings.TrimSuffix(printed[0], "/sign-in?token="+printed[1])
			if status, page, at := visit("POST", base+"/sign-in", url.Values{"link": {printed[1]}}); status != 200 || at.Path != "/" || !strings.Contains(page, "Sign out") {
				t.Fatalf("the button leads to %d %s: %s", status, at, page)
			}
			if status, _, at := visitor(t)("GET", base+"/", nil); at.Path != "/sign-in" && status != 401 {
				t.Errorf("whoever comes along sees %d %s", status, at)
			}
			if strings.Contains(second.log.String(), printed[1]) {
				t.Error("the link is in the log")
			}
			second.stop()
			third := serveHub(t, config)
			if status, page, _ := visit("GET", base+"/healthz", nil); status != 200 { // answered once it has said all
				t.Fatalf("the third is not well: %d %s", status, page)
			}
			if link.MatchString(third.out.String()) {
				t.Errorf("somebody came in, and it prints another: %s", third.out.String())
			}
		})
	}
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			t.Fatal("it does not come about")
		case <-tick.C:
		}
	}
}

// staff are the people of the provider, all with one password.
type staff map[string]*storage.User

func (s staff) GetUserByID(id string) *storage.User { return s[id] }
func (s staff) ExampleClientID() string             { return "service" }
func (s staff) GetUserByUsername(name string) *storage.User {
	for _, u := range s {
		if u.Username == name {
			return u
		}
	}
	return nil
}

// directory is the provider's storage, with groups.
type directory struct {
	*storage.Storage
	groups map[string][]string
}

func (d directory) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if list := d.groups[subject]; list != nil {
		info.AppendClaims("groups", list)
	}
	return d.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
}

// openProvider runs somebody else's OpenID provider for one client.
func openProvider(t *testing.T, redirect string) string {
	t.Helper()
	people := staff{}
	for _, name := range []string{"ada", "bob", "mallory"} {
		people["id-"+name] = &storage.User{ID: "id-" + name, Username: name, Password: "verysecure", Email: name + "@example.com", EmailVerified: true, PreferredLanguage: language.English}
	}
	keep := directory{storage.NewStorageWithClients(people, map[string]*storage.Client{"hub": storage.WebClient("hub", "hub-secret", redirect)}),
		map[string][]string{"id-ada": {"staff", "scimhub-admins"}, "id-bob": {"staff"}}}
	server := httptest.NewUnstartedServer(nil)
	issuer := "http://" + server.Listener.Addr().String()
	server.Config.Handler = exampleop.SetupServer(issuer, keep, nil, false, op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

// TestSignInThroughProvider: people sign in through a provider that is not ours: with its
// pages, its keys and its page about them.
func TestSignInThroughProvider(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			listen, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			base := "http://" + listen.Addr().String()
			issuer := openProvider(t, base+"/sign-in/callback")
			config := fmt.Sprintf(`
listen: %s
database: %q
admin: {oidc: {issuer: %q, client_id: hub, client_secret: hub-secret, roles: {admin: [scimhub-admins]}}}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}
`, listen.Addr(), storetest.Migrated(t, dialect), issuer)
			i, log := running(t, config, func(o *instanceOptions) { o.Listener = listen })
			user, _ := scim.DefaultRegistry().Type("User")
			if _, err := i.hub.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": "bob", "active": true}); err != nil {
				t.Fatal(err)
			}
			await(t, func() bool {
				list, err := i.store.KnownAs(t.Context(), "userName", "bob")
				return err == nil && len(list) == 1 && list[0].Stage == "active"
			})
			signIn := func(name string) (status int, page string, at *url.URL, visit func(string, string, url.Values) (int, string, *url.URL)) {
				visit = visitor(t)
				status, page, at = visit("GET", base+"/sign-in/oidc?return=/", nil)
				id := at.Query().Get("authRequestID")
				if status != 200 || !strings.HasPrefix(at.String(), issuer) || id == "" {
					t.Fatalf("the provider shows %d at %s: %s", status, at, page)
				}
				status, page, at = visit("POST", issuer+"/login/username", url.Values{"id": {id}, "username": {name}, "password": {"verysecure"}})
				return status, page, at, visit
			}
			for name, role := range map[string]string{"ada": "admin", "bob": "person"} {
				status, page, at, visit := signIn(name)
				if status != 200 || at.String() != base+"/" || !strings.Contains(page, "oidc:"+name) || !strings.Contains(page, role) {
					t.Errorf("%s: %d at %s: %s", name, status, at, page)
				}
				if _, page, _ := visit("POST", base+"/sign-out", url.Values{}); !strings.Contains(page, issuer+"/end_session") || !strings.Contains(page, "id_token_hint") {
					t.Errorf("%s signs out: %s", name, page)
				}
				if _, page, _ := visit("GET", base+"/", nil); strings.Contains(page, "oidc:"+name) {
					t.Errorf("%s is still in", name)
				}
			}
			if status, page, _, _ := signIn("mallory"); status != 403 || !strings.Contains(page, "it sent no groups") {
				t.Errorf("mallory: %d %s", status, page)
			}
			if strings.Contains(log.String(), "hub-secret") || strings.Contains(log.String(), "eyJ") {
				t.Error("a secret is in the log")
			}
		})
	}
}
