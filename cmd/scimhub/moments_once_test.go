package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// struck is an application with a way of its own to hand on what somebody has. It can be
// told to carry out one request, and to answer when nobody is there any more.
type struck struct {
	app       *app.App
	server    *httptest.Server
	handedOn  atomic.Int32
	mu        sync.Mutex
	when      func(*http.Request) bool
	there, on chan struct{}
}

func startStruck(t *testing.T) *struck {
	t.Helper()
	s := &struck{}
	var err error
	if s.app, err = app.New(app.Options{Token: appToken, Pace: math.Inf(1)}); err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// ServeHTTP carries a request out. The one that was waited for is not answered.
func (s *struck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	hit := s.when != nil && s.when(r)
	if hit {
		s.when = nil
	}
	there, on := s.there, s.on
	s.mu.Unlock()
	if hit {
		s.serve(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		close(there)
		<-on
		panic(http.ErrAbortHandler)
	}
	s.serve(w, r)
}

func (s *struck) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/handon/") {
		s.handedOn.Add(1)
		w.WriteHeader(http.StatusOK)
		return
	}
	s.app.Handler().ServeHTTP(w, r)
}

// user finds an account by its user name; there are never two.
func (s *struck) user(t *testing.T, name string) map[string]any {
	t.Helper()
	var found map[string]any
	for _, u := range s.app.State(s.server.URL + app.Prefix).Users {
		if text(u, "userName") == name {
			if found != nil {
				t.Errorf("%s has two accounts", name)
			}
			found = u
		}
	}
	return found
}

const onceConfig = `
listen: 127.0.0.1:PORT
database: "${env:E2E_DATABASE}"
admin:
  tokens: [{name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}]
sources:
  hr:
    tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}]
    guard: {leavers: 100%, floor: 100000}
identity: {drill: [drill@example.com]}
roles:
  employee: {when: user.active, grants: [{target: app, group: staff}]}
targets:
  app:
    url: URL/scim/v2
    auth: {bearer: "${env:E2E_APP_TOKEN}", next: {secret: "${env:E2E_APP_TOKEN}", expires: 2099-01-01}}
    guard: {removals: 100%, floor: 100000}
    leaver: LEAVER
`

// onceWorld is a hub with one application and three people: a test person, somebody, and
// who gets what that one has.
func onceWorld(t *testing.T, leaver string) (*world, *struck, *source, map[string]string) {
	t.Helper()
	s := startStruck(t)
	w := &world{t: t, dir: t.TempDir(), database: storetest.URL(t, storetest.SQLite)}
	w.config = filepath.Join(w.dir, "hub.yaml")
	port := storetest.Port(t)
	w.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	text := strings.NewReplacer("PORT", fmt.Sprint(port), "URL", s.server.URL).Replace(strings.ReplaceAll(onceConfig, "LEAVER", leaver))
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	hr, ids := w.source("hr"), map[string]string{}
	for _, name := range []string{"heir", "drill", "carol"} {
		doc := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN}, "userName": name + "@example.com", "externalId": name, "active": true}
		if name == "carol" {
			doc[enterpriseURN] = map[string]any{"manager": map[string]any{"value": ids["heir"]}}
		}
		id, err := hr.create(t.Context(), "/Users", "userName", doc)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = id
	}
	w.rest(time.Minute)
	return w, s, hr, ids
}

// killedDuring kills the hub once the application has carried out a request of what is
// done, which then fails, and starts it again.
func (w *world) killedDuring(s *struck, when func(*http.Request) bool, do func()) {
	w.t.Helper()
	there, on := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.when, s.there, s.on = when, there, on
	s.mu.Unlock()
	var done sync.WaitGroup
	done.Go(do)
	select {
	case <-there:
	case <-time.After(30 * time.Second):
		w.t.Error("no such request came")
	}
	w.hub.kill()
	close(on)
	done.Wait()
	w.start()
}

func asks(method, prefix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasPrefix(r.URL.Path, prefix) }
}

// TestKilledInADrill: the test person has everything back, once.
func TestKilledInADrill(t *testing.T) {
	t.Parallel()
	w, s, _, _ := onceWorld(t, "{memberships: remove}")
	w.killedDuring(s, asks(http.MethodPatch, app.Prefix+"/Users/"), func() { w.command("run", "drill@example.com", "--drill") })
	await(t, time.Minute, "the drill is over", func() error {
		_, out, _ := w.command("leaver", "list", "--kind", "drill")
		if strings.Count(out, "drill@example.com") != 1 || !strings.Contains(out, "back") {
			return fmt.Errorf("drills: %s", out)
		}
		return nil
	})
	w.sound()
	if u := s.user(t, "drill@example.com"); u == nil || u["active"] != true || u["groups"] == nil && len(s.members("staff")) != 3 {
		t.Errorf("the test person: %v, staff %v", u, s.members("staff"))
	}
}

func (s *struck) members(group string) []any {
	for _, g := range s.app.State(s.server.URL + app.Prefix).Groups {
		if text(g, "displayName") == group {
			list, _ := g["members"].([]any)
			return list
		}
	}
	return nil
}

// TestKilledHandingOn: what was asked of the application and not heard of is asked once;
// a person says what became of it, and the account goes only then.
func TestKilledHandingOn(t *testing.T) {
	t.Parallel()
	w, s, hr, ids := onceWorld(t, `{then: delete, after: 1s, transfer: required, connector: {url: "URL/handon/{id}?to={successorId}"}}`)
	w.killedDuring(s, asks(http.MethodPost, "/handon/"), func() {
		if err := hr.patch(t.Context(), "/Users/"+ids["carol"], op("replace", "active", false)); err != nil {
			t.Error(err)
		}
	})
	var task string
	await(t, time.Minute, "a person is asked", func() error {
		var list struct {
			Items []struct{ ID, Kind string }
		}
		_, out, _ := w.command("task", "list", "--target", "app", "-o", "json")
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 1 {
			return fmt.Errorf("%w: tasks %s", err, out)
		}
		task = list.Items[0].ID
		_, out, _ = w.command("task", "show", task)
		if !strings.Contains(out, "not heard") && !strings.Contains(out, "answer") {
			return fmt.Errorf("task %s", out)
		}
		return nil
	})
	if u := s.user(t, "carol@example.com"); u == nil || u["active"] != false || s.handedOn.Load() != 1 {
		t.Errorf("before anybody said so: %v, asked %d times", u, s.handedOn.Load())
	}
	w.wantExit(0, "task", "done", task, "--proof", "seen there")
	await(t, time.Minute, "the account is gone", func() error {
		if u := s.user(t, "carol@example.com"); u != nil {
			return fmt.Errorf("%v", u)
		}
		return nil
	})
	w.sound()
	if n := s.handedOn.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestKilledByTheWay: a new credential that is being tried, a probe, and a change by the
// proxy leave nothing half done.
func TestKilledByTheWay(t *testing.T) {
	t.Parallel()
	w, s, _, _ := onceWorld(t, "{first: disable}")
	w.killedDuring(s, asks(http.MethodGet, app.Prefix), func() { w.command("target", "rotate", "app") })
	if code, _, errOut := w.command("target", "rotate", "app"); code != 0 && !strings.Contains(errOut, "uses its next credential already") {
		t.Errorf("rotated again: %d %s", code, errOut)
	}
	if n := w.count(`SELECT count(*) FROM audit WHERE action = 'credential.rotated'`); n != 1 {
		t.Errorf("rotated %d times", n)
	}
	w.killedDuring(s, asks(http.MethodPost, app.Prefix+"/Users"), func() { w.command("target", "probe", "app") })
	w.wantExit(0, "target", "probe", "app")
	w.killedDuring(s, asks(http.MethodPost, app.Prefix+"/Users"), func() {
		if code := w.proxied("guest@example.com"); code == http.StatusCreated {
			t.Error("the proxy answered before the application did")
		}
	})
	if code := w.proxied("guest@example.com"); code != http.StatusConflict {
		t.Errorf("made once more: %d", code)
	}
	w.sound()
	if s.user(t, "guest@example.com") == nil {
		t.Error("the guest is gone")
	}
	for _, u := range s.app.State(s.server.URL + app.Prefix).Users {
		s.user(t, text(u, "userName"))
	}
}

// proxied makes an account by the proxy and returns the status; 0: there was no answer.
func (w *world) proxied(name string) int {
	w.t.Helper()
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","active":true}`
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.base+"/proxy/app/scim/v2/Users", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := plainHTTP.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}
