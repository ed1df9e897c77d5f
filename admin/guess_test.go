package admin_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
)

// TestGuesses: who guesses at tokens is told to wait, whether right or wrong; a token
// that the hub made lets in all the same.
func TestGuesses(t *testing.T) {
	t.Parallel()
	const wait = 1500 * time.Millisecond
	var slow, right bool // what is asked of the one who counts, and what it is told
	tokens := &admin.Tokens{Now: time.Now, Slowly: func(_ *http.Request, check func() bool) time.Duration {
		if slow {
			return wait
		}
		right = check()
		return 0
	}}
	local := admin.NewToken("local", admin.RoleAdmin, "made", nil)
	local.Random = true
	tokens.Replace([]admin.Token{admin.NewToken("ops", admin.RoleAdmin, "chosen", nil), local})
	root := mux.NewRouter()
	(&admin.API{Tokens: tokens, Log: slog.New(slog.DiscardHandler)}).Mount(root.PathPrefix("/api/v1").Subrouter())
	for _, tt := range []struct {
		token string
		slow  bool
		want  int
		right bool
	}{
		{"chosen", false, 200, true}, {"wrong", false, 401, false}, {"made", false, 200, false},
		{"chosen", true, 429, false}, {"wrong", true, 429, false}, {"made", true, 200, false},
		{"", true, 401, false}, {"  ", true, 401, false},
	} {
		slow, right = tt.slow, false
		r, w := httptest.NewRequest(http.MethodGet, "/api/v1/version", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+tt.token)
		root.ServeHTTP(w, r)
		if w.Code != tt.want || right != tt.right {
			t.Errorf("%q, slowed %v: %d, told %v: %s", tt.token, tt.slow, w.Code, right, w.Body)
		}
		if after := w.Header().Get("Retry-After"); (after == "2") != (tt.want == 429) {
			t.Errorf("%q: Retry-After %q", tt.token, after)
		}
		if kind := w.Header().Get("Content-Type"); tt.want != 200 && kind != "application/problem+json" {
			t.Errorf("%q: %s", tt.token, kind)
		}
	}
}
