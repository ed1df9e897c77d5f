package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestGarbage: whatever comes back, a run ends with a report or a reason, and no
// check stumbles over it.
func TestGarbage(t *testing.T) {
	t.Parallel()
	reply := func(code int, media, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
	}
	for name, h := range map[string]http.Handler{
		"HTML":         reply(200, "text/html", "<html><body>sign in</body></html>"),
		"nothing":      reply(200, scimMedia, ""),
		"null":         reply(200, scimMedia, "null"),
		"array":        reply(200, scimMedia, "[[],{},null,1]"),
		"empty object": reply(200, scimMedia, "{}"),
		"wrong types": reply(200, scimMedia, `{"schemas":{"a":1},"totalResults":"x","Resources":{"a":[1]},"id":5,"meta":[],"patch":1,
			"bulk":[],"filter":{"supported":"yes"},"attributes":7,"Operations":{"x":1},"emails":{"value":1},"userName":["x"]}`),
		"list of wrong types": reply(200, scimMedia, `{"totalResults":3,"Resources":[1,null,{"id":7,"name":{},"attributes":[1,{"name":3}]},[]],"nextCursor":7}`),
		"deep":                reply(200, scimMedia, strings.Repeat(`{"a":`, 100000)),
		"errors":              reply(500, "text/plain", "oops"),
		"redirect":            http.RedirectHandler("https://example.com/", http.StatusFound),
		"cut off": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"schemas":`)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			r, err := Run(t.Context(), Options{URL: srv.URL, Token: "x", Now: time.Now, Timeout: 5 * time.Second})
			if err != nil {
				if !errors.Is(err, ErrUnusable) {
					t.Errorf("%v, want ErrUnusable", err)
				}
				return
			}
			sane(t, r)
			if r.Count(Fail) == 0 {
				t.Error("garbage passes")
			}
		})
	}
}

// sane demands that no check stumbled, and that the report can be written in every
// form.
func sane(t *testing.T, r *Report) {
	t.Helper()
	for _, res := range r.Results {
		if strings.Contains(res.Got, "could not cope") {
			t.Errorf("%s %s: %s", res.ID, res.Subject, res.Got)
		}
		if res.Outcome == Skip && res.Reason == "" || res.Outcome == Fail && (res.Expected == "" || res.Got == "") {
			t.Errorf("%s: %s without words", res.ID, res.Outcome)
		}
	}
	var out bytes.Buffer
	if err := r.WriteText(&out, TextOptions{Verbose: true, Color: true}); err != nil {
		t.Error(err)
	}
	out.Reset()
	if err := r.WriteJSON(&out); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("JSON: %v", err)
	}
	out.Reset()
	if err := r.WriteJUnit(&out); err != nil {
		t.Error(err)
	}
	if err := xml.Unmarshal(out.Bytes(), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("XML: %v", err)
	}
	if strings.Contains(out.String(), testToken) {
		t.Error("the report holds the token")
	}
}

// TestScrambled: answers whose values are replaced by values of other types.
func TestScrambled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 7))
			var scramble func(v any) any
			scramble = func(v any) any {
				if dice.IntN(60) == 0 {
					return []any{nil, true, 7.5, "x", []any{nil, map[string]any{"value": 1}}, map[string]any{"id": []any{1}}}[dice.IntN(6)]
				}
				switch x := v.(type) {
				case map[string]any:
					for k, e := range x {
						x[k] = scramble(e)
					}
				case []any:
					for i, e := range x {
						x[i] = scramble(e)
					}
				}
				return v
			}
			var one sync.Mutex // at the dice
			m := mutant{out: func(m *message) {
				one.Lock()
				defer one.Unlock()
				for k, v := range m.body {
					m.body[k] = scramble(v)
				}
			}}
			sane(t, examine(t, m.wrap(reference(t, "rfc")), Options{}))
		})
	}
}

// TestEndless: an answer without end is cut off.
func TestEndless(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 1<<16)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	_, err := Run(t.Context(), Options{URL: srv.URL, Now: time.Now})
	if !errors.Is(err, ErrUnusable) {
		t.Errorf("%v, want ErrUnusable", err)
	}
}

// TestSilent: a service that never answers is given up.
func TestSilent(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(srv.Close)
	_, err := Run(t.Context(), Options{URL: srv.URL, Now: time.Now, Timeout: 20 * time.Millisecond})
	if !errors.Is(err, ErrUnusable) {
		t.Errorf("%v, want ErrUnusable", err)
	}
}

// TestInterrupted: a run that is stopped removes what it made.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	h := reference(t, "rfc")
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Run(ctx, Options{URL: srv.URL + "/scim/v2", Token: testToken, Now: time.Now, Progress: func(_, _ int, id string) {
		if id == "filter.precedence" { // the company is there
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stopped == "" || len(r.Leftovers) > 0 {
		t.Errorf("stopped %q, left behind %v", r.Stopped, r.Leftovers)
	}
	if n := population(t, h, "/Users"); n != strangers {
		t.Errorf("%d users are left, want %d", n, strangers)
	}
}

// TestLost: what was made by a request whose answer never came is found and removed.
func TestLost(t *testing.T) {
	t.Parallel()
	h, n := reference(t, "rfc"), atomic.Int32{}
	lossy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Users") && n.Add(1)%5 == 0 {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	})
	r := examine(t, lossy, Options{Only: []string{"create", "http"}})
	sane(t, r)
	if got := population(t, h, "/Users"); got != strangers || len(r.Leftovers) > 0 {
		t.Errorf("%d users are left, want %d; said: %v", got, strangers, r.Leftovers)
	}
}

// TestLostInBulk: what a job made is found and removed whatever its answer says.
func TestLostInBulk(t *testing.T) {
	t.Parallel()
	h := reference(t, "rfc")
	m := mutant{out: func(m *message) {
		if strings.HasSuffix(m.r.URL.Path, "/Bulk") {
			m.body = map[string]any{"schemas": []any{urnBulkReply}, "Operations": []any{}}
		}
	}}
	r := examine(t, m.wrap(h), Options{Only: []string{"bulk"}})
	if u, g := population(t, h, "/Users"), population(t, h, "/Groups"); u != strangers || g != 0 || len(r.Leftovers) > 0 {
		t.Errorf("%d users and %d groups are left; said: %v", u, g, r.Leftovers)
	}
}

// TestLeftovers: what cannot be removed is named.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	h := reference(t, "rfc")
	m := mutant{out: func(m *message) {
		if m.r.Method == http.MethodDelete {
			m.code = http.StatusForbidden
		}
	}}
	h = m.wrap(h)
	r := examine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	}), Options{Only: []string{"create.user", "create.group"}})
	if len(r.Leftovers) != 3 || !strings.Contains(r.Leftovers[0], "403") || !strings.Contains(r.Leftovers[0], r.Run) {
		t.Errorf("left behind: %q", r.Leftovers)
	}
}

// TestPatience: a service that asks to come back later is asked again, and passes.
func TestPatience(t *testing.T) {
	t.Parallel()
	h, n := reference(t, "rfc"), atomic.Int32{}
	r := examine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%3 == 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		h.ServeHTTP(w, r)
	}), Options{Only: []string{"create", "patch", "list"}})
	if got := found(r); len(got) > 0 {
		t.Errorf("findings: %v", got)
	}
}

// TestNoContent: a body behind 204 is seen by its length.
func TestNoContent(t *testing.T) {
	t.Parallel()
	h := reference(t, "rfc")
	r := examine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete {
			h.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 204 No Content\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngone")
		_ = rw.Flush()
	}), Options{Only: []string{"resource", "delete.status"}})
	if got := found(r); len(got) != 1 || got[0] != "resource.no-content" {
		t.Errorf("found by %v, want resource.no-content", got)
	}
}

// TestWithoutDiscovery: a service without discovery endpoints is tested against the
// schemas of the RFC.
func TestWithoutDiscovery(t *testing.T) {
	t.Parallel()
	h := reference(t, "rfc")
	r := examine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, at := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes"} {
			if strings.Contains(r.URL.Path, at) {
				http.NotFound(w, r)
				return
			}
		}
		h.ServeHTTP(w, r)
	}), Options{Skip: []string{"discovery", "errors.body"}})
	if len(r.Notes) != 3 {
		t.Errorf("notes: %q", r.Notes)
	}
	if got := found(r); len(got) > 0 {
		t.Errorf("findings: %v", got)
	}
	if n := r.Count(Pass); n < 400 {
		t.Errorf("%d checks passed", n)
	}
}

// TestOptions: what is wrong with options is said before anything is sent.
func TestOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"https://host/path": {URL: "example.com"},
		"no profile":        {URL: "http://127.0.0.1:1", Profile: "x"},
		"neither a check":   {URL: "http://127.0.0.1:1", Only: []string{"x"}},
		"Options.Now":       {URL: "http://127.0.0.1:1"},
	} {
		if want != "Options.Now" {
			o.Now = time.Now
		}
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestCatalogue: every check can be told from every other, and says why it matters.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range catalogue() {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || c.Why == "" || c.Reference == "" || (c.run == nil) == (c.watch == nil) {
			t.Errorf("%s is not complete", c.ID)
		}
	}
	if len(seen) < 150 {
		t.Errorf("%d checks", len(seen))
	}
	t.Logf("%d checks", len(seen))
}
