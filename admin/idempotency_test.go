package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// with sends a request with headers, as pairs of name and value.
func (a *api) with(method, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(a.t.Context(), method, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.Config.Handler.ServeHTTP(w, r)
	return w
}

// TestIdempotency: one key, one write, whoever loses the answer.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	const key, body = "Idempotency-Key", `{"source":"hr","name":"x"}`
	eachAPI(t, func(t *testing.T, a *api) {
		tokens := func() int64 { return int64(a.db.Int(t, `SELECT count(*) FROM tokens`)) }
		first := a.with("POST", "/tokens", "admin-secret", body, key, "k")
		made := decode[admin.TokenView](t, first.Body.String())
		if first.Code != 200 || made.Secret == "" || first.Header().Get("Idempotency-Replayed") != "" {
			t.Fatalf("%d %s", first.Code, first.Body)
		}
		for range 2 { // told once, stored nowhere
			again := a.with("POST", "/tokens", "admin-secret", body, key, "k")
			v := decode[admin.TokenView](t, again.Body.String())
			if again.Code != 200 || v.ID != made.ID || v.Secret != "" || v.Note == "" || again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%d %s", again.Code, again.Body)
			}
		}
		if n := a.db.Int(t, `SELECT count(*) FROM idempotency WHERE CAST(body AS text) LIKE '%shb_%' OR CAST(body AS text) LIKE '%7368625f%'`); n != 0 {
			t.Error("the secret is stored")
		}
		for _, tt := range []struct {
			path, token, body, key string
			status                 int
		}{
			{"/tokens", "admin-secret", `{"source":"hr","name":"y"}`, "k", 422},
			{"/tokens?x=1", "admin-secret", body, "k", 422},
			{"/plan", "operator-secret", `{}`, "k", 200}, // somebody else's key
			{"/tokens", "admin-secret", body, "k2", 409},
			{"/tokens", "admin-secret", body, "k2", 409},
			{"/tokens", "operator-secret", body, "k", 403},
			{"/tokens", "admin-secret", body, strings.Repeat("k", 256), 400},
			{"/tokens", "admin-secret", body, "ü", 400},
			{"/tokens", "admin-secret", `{"sauce":1}`, "fresh", 400},
			{"/tokens", "admin-secret", `{"source":"hr","name":"z"}`, "fresh", 200}, // what was wrong was not begun
		} {
			if w := a.with("POST", tt.path, tt.token, tt.body, key, tt.key); w.Code != tt.status {
				t.Errorf("%s %s with %.10s: %d, want %d: %s", tt.path, tt.body, tt.key, w.Code, tt.status, w.Body)
			}
		}
		if n := tokens(); n != 2 {
			t.Errorf("%d tokens", n)
		}
		var wait sync.WaitGroup // all at once
		answers := make([]int, 8)
		for i := range answers {
			wait.Go(func() {
				answers[i] = a.with("POST", "/tokens", "admin-secret", `{"source":"hr","name":"race"}`, key, "race").Code
			})
		}
		wait.Wait()
		if n := tokens(); n != 3 {
			t.Errorf("%d tokens after a race: %v", n, answers)
		}
		for _, status := range answers {
			if status != 200 && status != 409 {
				t.Errorf("a race is answered with %d", status)
			}
		}
	})
}

// TestIdempotencyAfterCrash: what was begun and has written nothing is begun anew after a
// minute, and the attempt that was given up writes nothing any more; what has written is
// not done twice.
func TestIdempotencyAfterCrash(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		begin := func(o store.Once) (store.Once, bool) {
			known, begun, err := a.hub.Store.BeginOnce(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return known, begun
		}
		write := func(o store.Once) error {
			return a.hub.Store.Update(store.WithOnce(t.Context(), o), func(tx *store.Tx) error {
				return tx.Audit(store.AuditEntry{Actor: "x", Action: "test", Object: "x"})
			})
		}
		o := store.Once{Caller: []byte("c"), Key: "k", Print: []byte("p")}
		first, begun := begin(o)
		if !begun {
			t.Fatal("not begun")
		}
		if _, again := begin(o); again {
			t.Error("begun twice within a minute")
		}
		back := func(d time.Duration) {
			a.db.Exec(t, fmt.Sprintf(`UPDATE idempotency SET at = at - %d`, d.Microseconds()))
		}
		back(store.OnceGiven)
		second, begun := begin(o)
		if !begun || second.Attempt == first.Attempt {
			t.Fatalf("an attempt that was given up is not taken over: %+v", second)
		}
		if err := write(first); err == nil {
			t.Error("the attempt that was given up has written")
		}
		if err := write(second); err != nil {
			t.Fatal(err)
		}
		if n := a.db.Int(t, `SELECT count(*) FROM audit WHERE action = 'test'`); n != 1 {
			t.Errorf("%d writes", n)
		}
		back(store.OnceGiven)
		if known, begun := begin(o); begun || !known.Written {
			t.Errorf("what has written is done again: %+v", known)
		}
		if err := a.hub.Store.DropOnce(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		if _, begun := begin(o); begun {
			t.Error("what has written was forgotten")
		}
		back(store.OnceKept)
		if _, begun := begin(o); !begun {
			t.Error("a key is kept for longer than a day")
		}
	})
}

// TestEntityTags: what did not change is not sent again, and what did is not changed by
// who has not seen it.
func TestEntityTags(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		w := a.with("POST", "/requests", "ada", `{"role":"admins","reason":"x"}`)
		id := decode[struct{ ID string }](t, w.Body.String()).ID
		if w.Code != 200 || id == "" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		tag := a.with("GET", "/requests/"+id, "ada", "").Header().Get("ETag")
		if !strings.HasPrefix(tag, `"`) {
			t.Fatalf("ETag %q", tag)
		}
		for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200} {
			if w := a.with("GET", "/requests/"+id, "ada", "", "If-None-Match", match); w.Code != status || w.Header().Get("ETag") != tag || status == 304 && w.Body.Len() > 0 {
				t.Errorf("If-None-Match %s: %d %s", match, w.Code, w.Body)
			}
		}
		approve := func(match string) *httptest.ResponseRecorder {
			return a.with("POST", "/requests/"+id+"/approve", "sam", `{}`, "If-Match", match)
		}
		for match, status := range map[string]int{`"x"`: 412, "W/" + tag: 412} {
			if w := approve(match); w.Code != status {
				t.Errorf("If-Match %s: %d, want %d: %s", match, w.Code, status, w.Body)
			}
		}
		if w := a.with("POST", "/requests", "ada", `{"role":"admins"}`, "If-Match", tag); w.Code != 400 {
			t.Errorf("If-Match where nothing is: %d", w.Code)
		}
		if w := approve(tag); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := approve(tag); w.Code != http.StatusPreconditionFailed {
			t.Errorf("a second time: %d %s", w.Code, w.Body)
		}
	})
}

// FuzzAPI: whatever is sent, the API answers, and not with an internal error.
func FuzzAPI(f *testing.F) {
	for _, seed := range [][3]string{{"GET", "/identities/ada?x=%00", ""}, {"POST", "/requests", `{"role":"admins","until":"30d"}`}, {"POST", "/deputies/%ff/end", "{}"},
		{"GET", "/audit?cursor=bnVsbA&limit=9", ""}, {"POST", "/plan", `{"config":"roles: {a: {when: \"user.x\"}}"}`}, {"GET", "/targets/chat/../chat", ""}, {"DELETE", "/exceptions/1", "\x00"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://hub/api/v1/"+strings.TrimLeft(path, "/"), strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.Header.Set("Authorization", "Bearer admin-secret")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %q %q: %s", method, path, body, w.Body)
		}
	})
}

func fuzzed(f *testing.F) http.Handler {
	log := slog.New(slog.DiscardHandler)
	h := hub.New(storetest.Open(f, storetest.SQLite).Store, log)
	snap, err := h.Apply(f.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(contractConfig), 0)
	if err != nil {
		f.Fatal(err)
	}
	h.Activate(snap)
	tokens := &admin.Tokens{Now: time.Now}
	tokens.Replace([]admin.Token{admin.NewToken("admin", admin.RoleAdmin, "admin-secret", nil)})
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	(&admin.API{Hub: h, Tokens: tokens, Log: log, Nudge: func(string) {},
		Activate: func(_ context.Context, s *hub.Snapshot) error { h.Activate(s); return nil }}).Mount(root.PathPrefix("/api/v1").Subrouter())
	return root
}
