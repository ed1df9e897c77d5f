package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rig is a running application and a client for it.
type rig struct {
	t   *testing.T
	app *App
	url string
}

func start(t *testing.T, o Options) rig {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return startApp(t, a)
}

func startApp(t *testing.T, a *App) rig {
	t.Helper()
	srv := httptest.NewServer(a.Handler())
	t.Cleanup(srv.Close)
	return rig{t, a, srv.URL}
}

func newRequest(method, url, body string) *http.Request {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.RequestURI = ""
	r.Header.Set("Authorization", "Bearer t")
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("User-Agent", "test")
	return r
}

// send returns status, header and body; err is a broken connection.
func (r rig) send(method, path, body string, change ...func(*http.Request)) (int, http.Header, string, error) {
	req := newRequest(method, r.url+path, body)
	for _, f := range change {
		f(req)
	}
	// A fresh transport: nothing is retried on a kept connection.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(raw), err
}

func (r rig) want(code int, method, path, body string, change ...func(*http.Request)) string {
	r.t.Helper()
	got, _, raw, err := r.send(method, path, body, change...)
	if err != nil || got != code {
		r.t.Fatalf("%s %s: %d, %v, want %d\n%s", method, path, got, err, code, raw)
	}
	return raw
}

func (r rig) state() State {
	r.t.Helper()
	var s State
	if err := json.Unmarshal([]byte(r.want(200, "GET", "/_app/state", "", func(req *http.Request) { req.Header.Del("Authorization") })), &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

const prefix = Prefix

func user(name string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `","password":"s3cret"}`
}

func group(name string, members int) string {
	var list []string
	for i := range members {
		list = append(list, fmt.Sprintf(`{"value":"m%d"}`, i))
	}
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"` + name + `","members":[` + strings.Join(list, ",") + `]}`
}

func patchOp(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}

func idOf(t *testing.T, raw string) string {
	t.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(raw), &v); err != nil || v.ID == "" {
		t.Fatalf("no id in %s", raw)
	}
	return v.ID
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		configured, header string
		code               int
	}{
		{"", "", 401}, {"", "Bearer anything", 200}, {"good", "Bearer good", 200}, {"good", "Bearer bad", 401}, {"good", "", 401}, {"good", "Basic good", 401},
	} {
		r := start(t, Options{Token: tt.configured})
		r.want(tt.code, "GET", prefix+"/Users", "", func(req *http.Request) { req.Header.Set("Authorization", tt.header) })
	}
}

func TestStateShowsTheTruth(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Profile: "aws"})
	if diff := cmp.Diff(State{Users: []map[string]any{}, Groups: []map[string]any{}}, r.state()); diff != "" {
		t.Errorf("empty state (-want +got):\n%s", diff)
	}
	g := idOf(t, r.want(201, "POST", prefix+"/Groups", group("eng", 2)))
	if raw := r.want(200, "GET", prefix+"/Groups/"+g, ""); strings.Contains(raw, "members") {
		t.Errorf("the profile shows members: %s", raw)
	}
	if raw := r.want(200, "GET", prefix+"/Groups", ""); strings.Contains(raw, "members") {
		t.Errorf("the profile lists members: %s", raw)
	}
	r.want(200, "POST", "/_app/faults", "down")
	r.want(503, "GET", prefix+"/Groups/"+g, "")
	s := r.state()
	if len(s.Groups) != 1 || len(s.Groups[0]["members"].([]any)) != 2 {
		t.Errorf("state %v", s)
	}
	meta, _ := s.Groups[0]["meta"].(map[string]any)
	if meta["location"] != r.url+prefix+"/Groups/"+g {
		t.Errorf("meta %v", meta)
	}
	if strings.Contains(fmt.Sprint(s), "s3cret") {
		t.Error("the state shows passwords")
	}
}

func TestFaultsEndpoint(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Faults: "500:1%"})
	check := func(code int, body, want string) {
		t.Helper()
		if raw := r.want(code, "POST", "/_app/faults", body); !strings.Contains(raw, want) {
			t.Errorf("%s: %s, want %s in it", body, raw, want)
		}
	}
	if raw := r.want(200, "GET", "/_app/faults", ""); !strings.Contains(raw, `"500:1%"`) {
		t.Errorf("faults: %s", raw)
	}
	check(200, `{"faults":"429:5%,slow:1ms"}`, `"429:5%,slow:1ms"`)
	check(400, `{"faults":"nonsense"}`, "nonsense")
	check(400, `{"fault":"500"}`, "body must be")
	check(400, `{"faults":`, "body must be")
	check(400, "teapot", "teapot")
	check(400, strings.Repeat("x", 10000), "body")
	if got := r.app.Faults().String(); got != "429:5%,slow:1ms" {
		t.Errorf("a refused text changed the faults to %q", got)
	}
	check(200, "garbage:1%", `"garbage:1%"`)
	check(200, "", `""`)
	r.want(405, "DELETE", "/_app/faults", "")
}

// TestEveryFault arms one fault after another. Chance is a fixed 0.2, so that
// shares above 20% strike and others do not.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Random: func() float64 { return 0.2 }})
	arm := func(text string) {
		t.Helper()
		if err := r.app.SetFaults(text); err != nil {
			t.Fatal(err)
		}
	}
	for text, code := range map[string]int{
		"500:21%": 500, "500:20%": 200, "429": 429, "503": 503, "599": 599, "418:50%,500": 418, "418:1%,500:99%": 500, "down": 503, "": 200, "401": 401,
	} {
		arm(text)
		got, header, raw, err := r.send("GET", prefix+"/Users", "")
		if err != nil || got != code {
			t.Errorf("%q: %d, %v, want %d", text, got, err, code)
		}
		if code == 200 {
			continue
		}
		var body struct{ Schemas, Status, Detail any }
		if err := json.Unmarshal([]byte(raw), &body); err != nil || body.Status != fmt.Sprint(code) || header.Get("Content-Type") != "application/scim+json" {
			t.Errorf("%q: %s", text, raw)
		}
		if retry := header.Get("Retry-After"); (retry == "1") != (code == 429 || code == 503) {
			t.Errorf("%q: Retry-After %q", text, retry)
		}
	}

	arm("garbage")
	if _, header, raw, err := r.send("GET", prefix+"/Users", ""); err != nil || json.Valid([]byte(raw)) || header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("garbage: %s, %v", raw, err)
	}
	html := start(t, Options{Random: func() float64 { return 0.7 }, Faults: "garbage"})
	if raw := html.want(200, "GET", prefix+"/Users", ""); !strings.Contains(raw, "<html>") {
		t.Errorf("garbage: %s", raw)
	}

	arm("reset:50%")
	if code, _, _, err := r.send("POST", prefix+"/Users", user("lost")); err == nil {
		t.Errorf("reset: answer %d", code)
	}
	if n := len(r.state().Users); n != 0 {
		t.Errorf("reset: the work was done: %d users", n)
	}
	arm("reset-after")
	if code, _, _, err := r.send("POST", prefix+"/Users", user("done")); err == nil {
		t.Errorf("reset-after: answer %d", code)
	}
	if n := len(r.state().Users); n != 1 {
		t.Errorf("reset-after: %d users, want the one whose answer was lost", n)
	}
	arm("")
	r.want(409, "POST", prefix+"/Users", user("done"))
	if s := r.app.Stats(); s.Requests["POST"]["reset"] != 2 || s.DuplicatesRefused != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	a, err := New(Options{Faults: "rate:60/m", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, newRequest("GET", prefix+"/Users", ""))
		return w
	}
	if w := get(); w.Code != 200 {
		t.Fatalf("the first request: %d", w.Code)
	}
	if w := get(); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("the second: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	now = now.Add(time.Second)
	if w := get(); w.Code != 200 {
		t.Errorf("after a second: %d", w.Code)
	}
	if err := a.SetFaults("rate:6/m"); err != nil {
		t.Fatal(err)
	}
	get()
	if w := get(); w.Header().Get("Retry-After") != "10" {
		t.Errorf("Retry-After %q, want 10", w.Header().Get("Retry-After"))
	}
}

func TestSlowAndConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := New(Options{Faults: "slow:2s"})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				w := httptest.NewRecorder()
				a.Handler().ServeHTTP(w, newRequest("GET", prefix+"/Users", ""))
				if w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		wg.Wait()
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("took %s, want 2s", d)
		}
		if s := a.Stats(); s.MaxConcurrent != 3 || s.Total() != 3 || s.Requests["GET"]["200"] != 3 {
			t.Errorf("stats %+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, newRequest("POST", prefix+"/Users", user("x")).WithContext(ctx))
		if d := time.Since(begin); d != time.Second || a.store.Len("User") != 0 {
			t.Errorf("a client that gave up: %s, %d users", d, a.store.Len("User"))
		}
	})
}

func TestStatsEndpoint(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	r.want(201, "POST", prefix+"/Users", user("a"))
	r.want(409, "POST", prefix+"/Users", user("A"))
	r.want(404, "GET", prefix+"/Users/x", "")
	var got Stats
	if err := json.Unmarshal([]byte(r.want(200, "GET", "/_app/stats", "")), &got); err != nil {
		t.Fatal(err)
	}
	want := Stats{Requests: map[string]map[string]int{"POST": {"201": 1, "409": 1}, "GET": {"404": 1}}, Kinds: map[string]int{"user.create": 2, "user.get": 1},
		MaxConcurrent: 1, DuplicatesRefused: 1, Forbidden: map[string]int{}, Irreversible: map[string]int{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// lines passes on each write.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(lines, 1), make(chan error, 1)
	go func() { done <- Run(ctx, RunOptions{Options: Options{Token: "t", Faults: "latency:1ms"}}, out) }()
	line := <-out
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok || !strings.HasSuffix(url, "/scim/v2") {
		t.Fatalf("line %q", line)
	}
	r := rig{t: t, url: url}
	r.want(200, "GET", "/Users", "")
	r.want(200, "GET", "/ServiceProviderConfig", "")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for word, o := range map[string]RunOptions{
		"generic, aws, github, slack": {Options: Options{Profile: "awz"}}, "400 to 599": {Options: Options{Faults: "x"}},
		"nowhere": {Listen: "nowhere:x"}, "pace": {Options: Options{Pace: -1}},
	} {
		if err := Run(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: %v, want %q in it", o, err, word)
		}
	}
}
