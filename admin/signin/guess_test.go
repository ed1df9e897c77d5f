package signin_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

// TestLinksAreNotGuessed: who tries links is slowed down as who guesses tokens is, is told
// nothing then, and uses none up.
func TestLinksAreNotGuessed(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		made, _, err := w.hub.CreateSignInLink(t.Context(), hub.Actor{Name: "ops"}, admin.RoleAuditor, false)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		w.tokens.Slowly = func(_ *http.Request, check func() bool) time.Duration {
			if wrong >= 3 {
				return time.Minute
			}
			if !check() {
				wrong++
			}
			return 0
		}
		b := w.browser()
		for n := range 5 {
			want := map[bool]int{true: 401, false: 429}[n < 3]
			if s := b.post("/sign-in", url.Values{"link": {"a guess"}}); s.status != want {
				t.Errorf("guess %d: %d, want %d", n, s.status, want)
			}
		}
		if s := b.post("/sign-in", url.Values{"link": {made}}); s.status != 429 || b.whoami().Role != "" {
			t.Errorf("the right one after too many: %d", s.status)
		}
		wrong = 0
		if s := b.post("/sign-in", url.Values{"link": {made}}); s.status != 200 || b.whoami().Role != admin.RoleAuditor {
			t.Errorf("the right one from elsewhere: %d", s.status)
		}
		if s := w.browser().post("/sign-in", url.Values{"link": {made}}); s.status != 401 || wrong != 1 {
			t.Errorf("used again: %d, counted %d times", s.status, wrong)
		}
	})
}
