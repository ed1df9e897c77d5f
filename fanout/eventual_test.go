package fanout

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// A create whose answer is lost at an application that shows what is new only after a
// while is not repeated because it is not found at once.
func TestLostCreateShownLate(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var posts atomic.Int64
	var made atomic.Int64 // when, in nanoseconds
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch at := made.Load(); {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Users"):
			if posts.Add(1) == 1 {
				made.Store(time.Now().UnixNano())
				a.Handler().ServeHTTP(&discard{header: http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
		case r.Method == http.MethodGet && (at == 0 || time.Since(time.Unix(0, at)) < 700*time.Millisecond):
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`))
			return
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, func(t *model.Target) { t.Overrides = map[string]any{"eventual_consistency_s": 1} })
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	rows := w.allIn(model.StateInSync)
	if n := posts.Load(); n != 1 || rows["i"].Owned != model.OwnedCreated || len(w.users()) != 1 {
		t.Errorf("%d creates, owned %q, users %v", n, rows["i"].Owned, w.users())
	}
}
