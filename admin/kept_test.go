package admin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// keptSince runs a hub whose history before day 12 is gone: ada was an engineer until day
// 10 and in sales from then on. It answers an auditor's question about ada at a moment.
func keptSince(t *testing.T, db *storetest.DB, clock *storetest.Clock, day func(int) time.Time) (p *recorded, explain func(at time.Time) admin.ExplainAnswer) {
	t.Helper()
	p = &recorded{Hub: hub.New(db.Store, slog.New(slog.DiscardHandler)), t: t, clock: clock}
	p.user, _ = scim.DefaultRegistry().Type("User")
	p.apply(0, replayed)
	ada := p.person("ada", "Engineer")
	clock.Set(day(10))
	p.title(ada, "Sales")
	clock.Set(day(30))
	if n, _, err := db.PruneBatch(t.Context(), "test", "identity_history", day(12), 100); err != nil || n == 0 {
		t.Fatalf("%d rows are taken away: %v", n, err)
	}
	tokens := &admin.Tokens{Now: clock.Now}
	tokens.Replace([]admin.Token{admin.NewToken("auditor", admin.RoleAuditor, "auditor-secret", nil)})
	a := &admin.API{Hub: p.Hub, Tokens: tokens, Log: slog.New(slog.DiscardHandler), Nudge: func(string) {},
		Activate: func(context.Context, *hub.Snapshot) error { return nil }}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	a.Mount(root.PathPrefix("/api/v1").Subrouter())
	return p, func(at time.Time) (out admin.ExplainAnswer) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/identities/ada/explain?at="+url.QueryEscape(at.Format(time.RFC3339)), nil)
		r.Header.Set("Authorization", "Bearer auditor-secret")
		w := httptest.NewRecorder()
		root.ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		return out
	}
}

// TestBeforeWhatIsKept: of a time of which something is gone, nothing is said rather than
// half; from the first moment that is kept, all.
func TestBeforeWhatIsKept(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			day := func(n int) time.Time { return time.Date(2027, 3, 1+n, 12, 0, 0, 0, time.UTC) }
			clock := storetest.NewClock(day(0))
			db := storetest.Open(t, dialect, store.Options{Now: clock.Now})
			p, explain := keptSince(t, db, clock, day)
			const says = "the history is complete since 2027-03-13T12:00:00Z"
			for _, at := range []int{5, 11} {
				if got := explain(day(at)); len(got.Items) > 0 || !strings.Contains(got.Note, says) {
					t.Errorf("explain at day %d: %+v", at, got)
				}
			}
			if got := explain(day(12)); len(got.Items) == 0 || got.Note != "" {
				t.Errorf("explain at day 12: %+v", got)
			}
			if got := explain(day(-5)); strings.Contains(got.Note, "retention") || !strings.Contains(got.Note, "was not known") {
				t.Errorf("explain before ada was known: %+v", got)
			}
			api, snap := &admin.API{Hub: p.Hub}, p.Snapshot()
			for _, since := range []int{-5, 5, 11} {
				if got, err := api.Replay(t.Context(), snap, day(since), 100); model.CodeOf(err) != model.Invalid || !strings.Contains(err.Error(), says) {
					t.Errorf("replay since day %d: %+v, %v", since, got, err)
				}
			}
			if got, err := api.Replay(t.Context(), snap, day(12), 100); err != nil || got.People != 1 || got.Affected != 0 {
				t.Errorf("replay since day 12: %+v, %v", got, err)
			}
		})
	}
}

// TestClientGoneIsNoError: a request that its client gave up is nothing for an operator
// to look into, and one that fails is.
func TestClientGoneIsNoError(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		for base, gone := range []bool{true, false} {
			name := map[bool]string{true: "client gone", false: "failure"}[gone]
			var said strings.Builder
			tokens := &admin.Tokens{Now: time.Now}
			tokens.Replace([]admin.Token{admin.NewToken("admin", admin.RoleAdmin, "admin-secret", nil)})
			ctx, cancel := context.WithCancel(t.Context())
			a := &admin.API{Hub: hub.New(db.Store, slog.New(slog.DiscardHandler)), Tokens: tokens, Log: slog.New(slog.NewTextHandler(&said, nil)),
				Nudge: func(string) {}, Activate: func(context.Context, *hub.Snapshot) error {
					if gone {
						cancel()
					}
					return io.ErrUnexpectedEOF
				}}
			root := mux.NewRouter()
			a.Mount(root.PathPrefix("/api/v1").Subrouter())
			body, err := json.Marshal(admin.ApplyRequest{Config: replayed, Base: int64(base)})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/config", strings.NewReader(string(body)))
			r.Header.Set("Authorization", "Bearer admin-secret")
			w := httptest.NewRecorder()
			root.ServeHTTP(w, r)
			cancel()
			if w.Code != http.StatusInternalServerError {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			if strings.Contains(said.String(), "level=ERROR") == gone || strings.Contains(said.String(), "given up by its client") != gone {
				t.Errorf("%s: %s", name, said.String())
			}
		}
	})
}
