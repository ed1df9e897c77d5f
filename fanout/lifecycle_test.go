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

// Disabled first, deleted when the grace period is over, and not before.
func TestWorkerThenDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) {
		t.Leaver = model.LeaverPolicy{First: "disable", Then: "delete", After: time.Hour, RemoveMemberships: true}
	}, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna", "eng")})
	w.allIn(model.StateInSync)
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	r := w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDisabled })["i"]
	if !r.Due || !r.NextAttempt.Equal(r.DisabledAt.Add(time.Hour)) || len(w.users()) != 1 || memberCount(w.groups()["eng"]) != 0 {
		t.Errorf("row %+v, groups %v", r, w.groups())
	}
	w.clock.add(time.Hour)
	w.worker.Nudge(w.target.Name)
	r = w.until("deleted", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDeleted })["i"]
	if r.RemoteID != "" || r.Owned != "" || r.Applied != nil || r.Due || len(w.users()) != 0 {
		t.Errorf("row %+v", r)
	}
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
}

// The answer to a create is lost and the person leaves before the next attempt:
// the account is found by what was sent, and disabled.
func TestWorkerLeavesAfterLostCreate(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lost atomic.Bool
	left := make(chan struct{}) // what is asked after the create is answered when the person has left
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && !lost.Load() {
			rec := &discard{header: http.Header{}}
			a.Handler().ServeHTTP(rec, r)
			lost.Store(true)
			panic(http.ErrAbortHandler)
		}
		if lost.Load() {
			select {
			case <-left:
			case <-r.Context().Done():
			}
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	r := w.allIn(model.StateFailed)["i"]
	if r.Owned != model.OwnedCreating || r.ErrorClass != string(UnknownOutcome) {
		t.Fatalf("row %+v", r)
	}
	at := time.Now()
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at})
	close(left)
	r = w.until("disabled", func(rows map[string]model.AccountRow) bool { return rows["i"].State == model.StateDisabled })["i"]
	if w.users()["anna"]["active"] != false || r.VerifiedAt == nil {
		t.Errorf("row %+v, user %v", r, w.users())
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// Two replicas share the work and never do it twice; one may stop at any time.
func TestWorkerReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "")
	second := &Worker{Store: w.store, Current: w.worker.Current, Holder: "second", Now: time.Now, Log: w.worker.Log, Poll: 20 * time.Millisecond}
	w.wantMany(150, "eng")
	w.start()
	stopFirst := w.stop
	w.worker = second
	w.start()
	w.until("half", func(rows map[string]model.AccountRow) bool {
		n := 0
		for _, r := range rows {
			if r.State == model.StateInSync {
				n++
			}
		}
		return n > 30
	})
	stopFirst()
	w.worker = second
	w.allIn(model.StateInSync)
	if len(w.users()) != 150 || memberCount(w.groups()["eng"]) != 150 {
		t.Errorf("%d users, %d members", len(w.users()), memberCount(w.groups()["eng"]))
	}
	if n := w.app.Stats().DuplicatesRefused; n != 0 {
		t.Errorf("%d creates were refused as duplicates", n)
	}
}

// A target added while running is worked on, a changed one goes by its new
// description, one that is gone is left alone.
func TestWorkerFollowsConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) { t.Mode = model.ModeObserve }, "")
	var current atomic.Pointer[Snapshot]
	w.worker.Current = current.Load
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	current.Store(&Snapshot{Targets: []model.Target{w.target}})
	w.worker.Nudge()
	r := w.allIn(model.StateHeld)["i"]
	if !strings.Contains(r.LastError, "mode observe") || len(w.users()) != 0 {
		t.Errorf("row %+v", r)
	}
	enforced := w.target
	enforced.Mode = model.ModeEnforce
	current.Store(&Snapshot{Targets: []model.Target{enforced}})
	w.until("the new description counts", func(map[string]model.AccountRow) bool {
		w.worker.mu.Lock()
		defer w.worker.mu.Unlock()
		return w.worker.runners["git"] != nil && w.worker.runners["git"].target.Mode == model.ModeEnforce
	})
	w.want(model.AccountRow{Identity: "i", Desired: account("anna")})
	w.allIn(model.StateInSync)
	current.Store(&Snapshot{})
	w.until("stopped", func(map[string]model.AccountRow) bool {
		w.worker.mu.Lock()
		defer w.worker.mu.Unlock()
		return len(w.worker.runners) == 0
	})
}
