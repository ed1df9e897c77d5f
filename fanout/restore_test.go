package fanout

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
)

// bin is an application that keeps deleted accounts for a while and hides them; PATCH
// of one restores it.
type bin struct {
	app *app.App

	mu      sync.Mutex
	deleted map[string]bool
	bodies  []string // of PATCH of users
}

func (b *bin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case strings.HasSuffix(r.URL.Path, "/Users") && r.Method == http.MethodGet && len(b.deleted) > 0:
		_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
		return
	case r.Method == http.MethodDelete:
		b.deleted[id] = true
		w.WriteHeader(http.StatusNoContent)
		return
	case b.deleted[id] && r.Method != http.MethodPatch:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodPatch:
		b.bodies = append(b.bodies, readBody(r))
		delete(b.deleted, id)
	}
	rec := httptest.NewRecorder()
	b.app.Handler().ServeHTTP(rec, r)
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func withBin(t *testing.T, restore map[string]any) (*world, *bin) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bin{app: a, deleted: map[string]bool{}}
	return worldWith(t, a, b, func(t *model.Target) {
		t.Leaver.First = "delete"
		t.Overrides = map[string]any{"restore": restore}
	}), b
}

// Whoever comes back in time gets the deleted account back, under its id, with what
// differs written.
func TestWorkerRestores(t *testing.T) {
	t.Parallel()
	w, _ := withBin(t, map[string]any{"same_id": true, "window_days": 30})
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	id := w.allIn(model.StateInSync)["i"].RemoteID
	w.want(model.AccountRow{Identity: "i"})
	if r := w.allIn(model.StateDeleted)["i"]; r.FormerID != id || r.GoneAt == nil || r.RemoteID != "" {
		t.Fatalf("gone: %+v", r)
	}
	back := account("anna")
	back.Attrs["title"] = "Manager"
	w.want(model.AccountRow{Identity: "i", Desired: back})
	r := w.allIn(model.StateInSync)["i"]
	if r.RemoteID != id || w.users()["anna"]["title"] != "Manager" || w.users()["anna"]["active"] != true {
		t.Errorf("id %s, was %s; %v", r.RemoteID, id, w.users()["anna"])
	}
	if !strings.Contains(w.audit(), "restored: the account that was deleted is there again under its old id") {
		t.Errorf("audit: %s", w.audit())
	}
}

// A disabled account is switched on again before anything else is written where the
// application changes none that is switched off.
func TestWorkerReactivatesFirst(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]int{"yes": 1, "with_reactivation": 1, "no": 2} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, b := withBin(t, map[string]any{})
			w.target.Leaver.First, w.target.Overrides = "disable", map[string]any{"update_when_inactive": how}
			snapshot := &Snapshot{Targets: []model.Target{w.target}}
			w.worker.Current = func() *Snapshot { return snapshot }
			w.start()
			w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
			w.allIn(model.StateInSync)
			w.want(model.AccountRow{Identity: "i"})
			w.allIn(model.StateDisabled)
			b.mu.Lock()
			b.bodies = nil
			b.mu.Unlock()
			back := account("anna")
			back.Attrs["title"] = "Manager"
			w.want(model.AccountRow{Identity: "i", Desired: back})
			w.allIn(model.StateInSync)
			b.mu.Lock()
			defer b.mu.Unlock()
			if diff := cmp.Diff(want, len(b.bodies)); diff != "" || !strings.Contains(b.bodies[0], `"active"`) || (want == 2) != !strings.Contains(b.bodies[0], "Manager") {
				t.Errorf("%d requests, first %s", len(b.bodies), b.bodies[0])
			}
			if !strings.Contains(w.audit(), "restored: the account had been switched off on") {
				t.Error("the audit trail does not say that the account was restored")
			}
		})
	}
}
