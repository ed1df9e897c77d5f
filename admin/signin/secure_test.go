package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/admin"
)

// TestOverTLS: where people reach the hub by HTTPS the cookie goes over nothing else and
// is the host's own, the API takes none, browsers are told to stay with HTTPS, and the page
// lets nothing in that is not the hub's.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.tokens.Replace([]admin.Token{admin.NewToken("ops", admin.RoleAdmin, "ops-secret", nil)})
		sent := func() *http.Response {
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/sign-in", strings.NewReader(url.Values{"token": {"ops-secret"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res
		}
		if list := sent().Cookies(); len(list) != 1 || list[0].Name != "scimhub" || list[0].Secure {
			t.Errorf("by plain HTTP: %v", list)
		}
		w.reconfigure("public_url: "+w.URL, "public_url: https://hub.example.com")
		list := sent().Cookies()
		if len(list) != 1 {
			t.Fatalf("by HTTPS: %v", list)
		}
		c := list[0]
		if c.Name != "__Host-scimhub" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge > 0 || !c.Expires.IsZero() {
			t.Errorf("by HTTPS: %+v", c)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/api/v1/me", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(c)
		res, err := w.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the API takes a cookie: %d", res.StatusCode)
		}
		s := w.browser().get("/sign-in")
		for name, part := range map[string]string{
			"Strict-Transport-Security": "max-age=", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		} {
			if !strings.Contains(s.header.Get(name), part) {
				t.Errorf("%s is %q", name, s.header.Get(name))
			}
		}
		if p := s.header.Get("Content-Security-Policy"); strings.Contains(p, "unsafe") || !strings.Contains(p, "frame-ancestors 'none'") || !strings.Contains(p, "form-action 'self'") {
			t.Errorf("the page lets in: %s", p)
		}
	})
}
