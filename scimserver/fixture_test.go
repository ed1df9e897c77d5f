package scimserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

const (
	token = "correct-horse"
	users = "/Users"
)

// service is a running server with a client that sends literal requests, so that
// no mistake can be shared between the two sides.
type service struct {
	t     testing.TB
	base  string
	store *memory.Store
	clock *clock
}

// clock ticks a second whenever it is read.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 8, 0, 0, 123456000, time.UTC)} }

// serve starts a server with the dialect; change may alter the handler first.
func serve(t testing.TB, dialect string, change ...func(*scimserver.Handler)) *service {
	t.Helper()
	d, ok := scim.DialectNamed(dialect)
	if !ok {
		t.Fatalf("there is no dialect %q", dialect)
	}
	reg := scim.DefaultRegistry()
	c := newClock()
	var seq int
	store := memory.New(reg, memory.Options{Now: c.Now, NewID: func() string { seq++; return fmt.Sprintf("id-%d", seq) }})
	tokens := &scimserver.Tokens{}
	err := tokens.Replace([]scimserver.Token{{
		Client: scimserver.Client{Source: "hr", Name: "main", Dialect: d},
		Hash:   scimserver.HashToken(token),
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := &scimserver.Handler{Backend: store, Registry: reg, Auth: tokens.Authenticator(c.Now)}
	if tt, ok := t.(*testing.T); ok {
		h.Log = slog.New(slog.NewTextHandler(tt.Output(), nil))
	}
	for _, f := range change {
		f(h)
	}
	root := mux.NewRouter().SkipClean(true)
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	srv := httptest.NewServer(root)
	t.Cleanup(srv.Close)
	return &service{t: t, base: srv.URL + "/scim/v2", store: store, clock: c}
}

type answer struct {
	t      testing.TB
	what   string
	code   int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends one request; headers are "Name: value".
func (s *service) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{t: s.t, what: method + " " + shorten(path), code: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			s.t.Fatalf("%s: the answer is no JSON object: %v\n%s", a.what, err, raw)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/scim+json" {
			s.t.Errorf("%s: Content-Type %q", a.what, got)
		}
	}
	return a
}

func shorten(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// want checks the status and that the body holds everything in the JSON object
// given (if any); null there means that the key must be absent.
func (a answer) want(code int, object string) answer {
	a.t.Helper()
	if a.code != code {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.code, code, shorten(a.raw))
	}
	if object == "" {
		return a
	}
	var want any
	if err := json.Unmarshal([]byte(object), &want); err != nil {
		a.t.Fatalf("test data: %v\n%s", err, object)
	}
	for _, fault := range differences("", want, any(a.body)) {
		a.t.Errorf("%s: %s", a.what, fault)
	}
	if a.t.Failed() {
		a.t.Logf("body: %s", a.raw)
	}
	return a
}

// refused checks for an Error body with scimType and a detail that holds a word.
func (a answer) refused(code int, scimType, word string) answer {
	a.t.Helper()
	kind := "null"
	if scimType != "" {
		kind = `"` + scimType + `"`
	}
	a.want(code, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","scimType":%s}`, code, kind))
	detail, _ := a.body["detail"].(string)
	if detail == "" || !strings.Contains(detail, word) {
		a.t.Errorf("%s: detail %q should hold %q", a.what, detail, word)
	}
	return a
}

func differences(path string, want, got any) []string {
	w, ok := want.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(want, got) {
			return []string{fmt.Sprintf("%s is %#v, want %#v", path, got, want)}
		}
		return nil
	}
	g, ok := got.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %#v, want an object", path, got)}
	}
	var out []string
	for k, v := range w {
		gv, has := g[k]
		switch {
		case v == nil && has:
			out = append(out, fmt.Sprintf("%s.%s is %#v, want it absent", path, k, gv))
		case v != nil:
			out = append(out, differences(path+"."+k, v, gv)...)
		}
	}
	return out
}

// addUser creates a user and returns its id.
func (s *service) addUser(name string) string {
	s.t.Helper()
	a := s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`","active":true}`).want(201, "")
	return a.body["id"].(string)
}

// addGroup creates a group with members and returns its id.
func (s *service) addGroup(name string, members ...string) string {
	s.t.Helper()
	list := []string{}
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	a := s.do("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"`+name+
		`","members":[`+strings.Join(list, ",")+`]}`).want(201, "")
	return a.body["id"].(string)
}

func patchOp(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

// ids lists the values of a key in a list of objects, in order.
func ids(list any, key string) []string {
	out := []string{}
	l, _ := list.([]any)
	for _, e := range l {
		m, _ := e.(map[string]any)
		v, _ := m[key].(string)
		out = append(out, v)
	}
	return out
}
