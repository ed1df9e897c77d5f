package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestPagesWithBasic: pages open with an API token as the password of HTTP Basic; with a
// wrong one they ask again, and the audit trail knows of it.
func TestPagesWithBasic(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			base := fmt.Sprintf("127.0.0.1:%d", storetest.Port(t))
			serveHub(t, fmt.Sprintf("listen: %s\ndatabase: %q\nadmin: {tokens: [{name: eyes, secret: hunter2hunter2, role: auditor}, {name: old, secret: sesame-open-sesame, role: admin, expires: 2001-01-01}]}\n", base, storetest.Migrated(t, dialect)))
			get := func(path, password string) (int, string, http.Header) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+base+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				req.SetBasicAuth("whoever", password)
				if password == "" {
					req.Header.Set("Authorization", "Bearer hunter2hunter2") // as programs do
				}
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				return res.StatusCode, string(text), res.Header
			}
			for path, title := range map[string]string{"/leavers": "Leavers", "/drift": "Drift", "/findings": "Findings", "/": "Overview", "/targets": "Targets"} {
				for password, want := range map[string]int{"hunter2hunter2": 200, "wrong": 401, "sesame-open-sesame": 401} {
					status, text, header := get(path, password)
					if status != want || status == 401 && !strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic ") {
						t.Errorf("%s with %q: %d %v", path, password, status, header)
					}
					if found := strings.Contains(text, "<h1>"+title); found != (want == 200) {
						t.Errorf("%s with %q shows the page: %t", path, password, found)
					}
				}
			}
			await(t, func() bool {
				_, text, _ := get("/api/v1/audit", "")
				return strings.Contains(text, "api.refused") && strings.Contains(text, "not known") && strings.Contains(text, "has expired")
			})
		})
	}
}
