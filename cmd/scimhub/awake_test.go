package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestWakingUpRefusesWrites: a process that stood still refuses what it then finds to be
// written, in the words of each front, and says when to come again; reading goes on.
func TestWakingUpRefusesWrites(t *testing.T) {
	t.Parallel()
	long := wallClock().Add(-time.Minute)
	for _, tt := range []struct {
		method, path, kind string
		code               int
	}{
		{http.MethodPost, scimPath + "/Users", "application/scim+json", http.StatusServiceUnavailable},
		{http.MethodDelete, "/api/v1/tokens/x", "application/problem+json", http.StatusServiceUnavailable},
		{http.MethodPost, "/people", "text/plain", http.StatusServiceUnavailable},
		{http.MethodGet, "/api/v1/tokens", "", http.StatusOK},
	} {
		p := &pulse{}
		p.last.Store(&long)
		w := httptest.NewRecorder()
		p.refuseLate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil))
		if w.Code != tt.code || !strings.HasPrefix(w.Header().Get("Content-Type"), tt.kind) || (w.Header().Get("Retry-After") != "") != (tt.code == http.StatusServiceUnavailable) {
			t.Errorf("%s %s: %d %v %s", tt.method, tt.path, w.Code, w.Header(), w.Body)
		}
	}
}
