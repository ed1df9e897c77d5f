package fanout

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// barrier lets requests through until it is put up; those that match wait then.
type barrier struct {
	next  http.Handler
	match atomic.Pointer[func(*http.Request, string) bool]
	open  chan struct{}
	held  atomic.Int32

	mu  sync.Mutex
	log []string
}

func (b *barrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readBody(r)
	b.mu.Lock()
	b.log = append(b.log, r.Method+" "+strings.TrimPrefix(r.URL.Path, app.Prefix)+" "+body)
	b.mu.Unlock()
	if match := b.match.Load(); match != nil && (*match)(r, body) {
		b.held.Add(1)
		select {
		case <-b.open:
		case <-r.Context().Done():
			return
		}
	}
	b.next.ServeHTTP(w, r)
}

// hold has requests wait that match.
func (b *barrier) hold(match func(r *http.Request, body string) bool) { b.match.Store(&match) }

// requests are those so far, in order.
func (b *barrier) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.log...)
}

func barred(t *testing.T, change func(*model.Target)) (*world, *barrier) {
	t.Helper()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &barrier{next: a.Handler(), open: make(chan struct{})}
	w := worldWith(t, a, b, change)
	w.worker.Grace = 50 * time.Millisecond
	return w, b
}

func (w *world) leaves(identity string) time.Time {
	w.t.Helper()
	at := time.Now().UTC().Truncate(time.Microsecond)
	w.want(model.AccountRow{Identity: identity, Leaver: true, LeaverAt: &at})
	return at
}

// gone waits until somebody's account is disabled, and verified so.
func (w *world) gone(identity string) model.AccountRow {
	w.t.Helper()
	return w.until(identity+" disabled", func(rows map[string]model.AccountRow) bool { return rows[identity].State == model.StateDisabled })[identity]
}

func (w *world) run(identity string) (run model.LeaverRun) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		run, _, err = tx.LastLeaverRun(identity, "")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func holdWait(t *testing.T, b *barrier, n int32) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for b.held.Load() < n {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", b.held.Load(), n)
		}
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
	}
}

// An account that was made, and whose memberships wait for somebody else's account of
// the same chunk, is given up for the leaver at once.
func TestLeaverTakesAParkedAccount(t *testing.T) {
	t.Parallel()
	w, b := barred(t, nil)
	b.hold(func(r *http.Request, body string) bool {
		return r.Method == http.MethodPost && strings.Contains(body, `"slow"`)
	})
	w.want(model.AccountRow{Identity: "zoe", Desired: account("zoe", "eng")}, model.AccountRow{Identity: "slow", Desired: account("slow", "eng")})
	w.start()
	holdWait(t, b, 1)
	w.untilUser("zoe", func(u map[string]any) bool { return u["active"] == true })
	w.leaves("zoe")
	r := w.gone("zoe")
	if w.users()["zoe"]["active"] != false || len(r.Applied.Groups) != 0 || len(r.Sent) != 0 {
		t.Errorf("row %+v", r)
	}
	close(b.open)
	w.until("slow in sync", func(rows map[string]model.AccountRow) bool { return rows["slow"].State == model.StateInSync })
	if n := memberCount(w.groups()["eng"]); n != 1 {
		t.Errorf("%d members: the leaver was joined to the group after all", n)
	}
	if len(w.users()) != 2 {
		t.Errorf("users: %v", w.users())
	}
}

// One whose own request is under way is disabled as soon as that has been answered,
// though the rest of the chunk goes on.
func TestLeaverTakesARunningAccount(t *testing.T) {
	t.Parallel()
	w, b := barred(t, nil)
	zoe := make(chan struct{})
	var first atomic.Bool
	b.next = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if body := readBody(r); r.Method == http.MethodPost && strings.Contains(body, `"zoe"`) && first.CompareAndSwap(false, true) {
				<-zoe
			}
			next.ServeHTTP(rw, r)
		})
	}(b.next)
	b.hold(func(r *http.Request, body string) bool {
		return r.Method == http.MethodPost && strings.Contains(body, `"slow`)
	})
	w.want(model.AccountRow{Identity: "zoe", Desired: account("zoe", "eng")}, model.AccountRow{Identity: "slow", Desired: account("slow", "eng")})
	w.start()
	holdWait(t, b, 1)
	for !first.Load() {
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
	}
	w.leaves("zoe")
	close(zoe)
	w.gone("zoe")
	if w.users()["zoe"]["active"] != false {
		t.Error("still active")
	}
	close(b.open)
	w.until("slow in sync", func(rows map[string]model.AccountRow) bool { return rows["slow"].State == model.StateInSync })
	if n := memberCount(w.groups()["eng"]); n != 1 {
		t.Errorf("%d members", n)
	}
}

// Memberships of a chunk that hang hold nobody up whose own are done.
func TestLeaverIsNotHeldByOthersGroups(t *testing.T) {
	t.Parallel()
	w, b := barred(t, nil)
	b.hold(func(r *http.Request, body string) bool {
		return r.Method == http.MethodPost && strings.Contains(body, `"stuck"`)
	})
	w.want(model.AccountRow{Identity: "zoe", Desired: account("zoe", "eng")}, model.AccountRow{Identity: "bob", Desired: account("bob", "stuck")})
	w.start()
	holdWait(t, b, 1)
	w.until("zoe in sync", func(rows map[string]model.AccountRow) bool { return rows["zoe"].State == model.StateInSync })
	w.leaves("zoe")
	w.gone("zoe")
	close(b.open)
	w.until("bob in sync", func(rows map[string]model.AccountRow) bool { return rows["bob"].State == model.StateInSync })
}

// Leavers whose requests hang hold up nobody who leaves after them.
func TestLeaversDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	w, b := barred(t, func(t *model.Target) { t.Rate.Concurrency = 16 })
	w.start()
	w.wantMany(12)
	rows := w.allIn(model.StateInSync)
	stuck := map[string]bool{}
	for i := range 6 {
		stuck["/Users/"+rows["id-user0000"+string(rune('0'+i))].RemoteID] = true
	}
	b.hold(func(r *http.Request, _ string) bool {
		return r.Method == http.MethodPatch && stuck[strings.TrimPrefix(r.URL.Path, app.Prefix)]
	})
	for i := range 6 {
		w.leaves("id-user0000" + string(rune('0'+i)))
	}
	holdWait(t, b, 4)
	w.leaves("id-user00007")
	w.gone("id-user00007")
	close(b.open)
	for i := range 6 {
		w.gone("id-user0000" + string(rune('0'+i)))
	}
}

// What an application shows late is looked at again, and is no failure.
func TestLeaverShownLate(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var stale atomic.Int32
	var disables atomic.Int32
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && strings.Contains(readBody(r), "false") {
			disables.Add(1)
		}
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/Users/") || disables.Load() == 0 || stale.Add(-1) < 0 {
			a.Handler().ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		a.Handler().ServeHTTP(rec, r)
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(rec.Code)
		_, _ = io.WriteString(w, strings.ReplaceAll(rec.Body.String(), `"active":false`, `"active":true`))
	})
	w := worldWith(t, a, h, func(t *model.Target) {
		t.Overrides = map[string]any{"eventual_consistency_s": int64(30), "echoes_body": false}
	})
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe")})
	w.allIn(model.StateInSync)
	stale.Store(2)
	w.leaves("i")
	w.until("accepted", func(rows map[string]model.AccountRow) bool {
		if r := rows["i"]; r.State == model.StateFailed {
			t.Fatalf("failed: %s", r.LastError)
		}
		run := w.run("i")
		return len(run.Targets) == 1 && run.Targets[0].State == model.LeaverAccepted
	})
	if text := w.run("i").Summary(time.Now()); !strings.Contains(text, "git pending: accepted, not shown yet") {
		t.Error(text)
	}
	r := w.gone("i")
	run := w.run("i")
	if r.Attempts != 0 || run.Outcome != model.OutcomeVerified || disables.Load() != 1 || run.Targets[0].AcceptedAt == nil || !run.Targets[0].VerifiedAt.After(*run.Targets[0].AcceptedAt) {
		t.Errorf("row %+v, run %+v, %d disables", r, run, disables.Load())
	}
}

// Memberships go after the account is off, never before, and the run says that they
// were only confirmed.
func TestLeaverMembershipsComeLast(t *testing.T) {
	t.Parallel()
	w, b := barred(t, func(t *model.Target) { t.Leaver.RemoveMemberships = true })
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe", "eng", "ops")})
	w.allIn(model.StateInSync)
	before := len(b.requests())
	w.leaves("i")
	r := w.gone("i")
	off, part := -1, -1
	for n, line := range b.requests()[before:] {
		switch {
		case strings.HasPrefix(line, "PATCH /Users/") && off < 0:
			off = n
		case strings.HasPrefix(line, "PATCH /Groups/") && part < 0:
			part = n
		}
	}
	if off < 0 || part < off {
		t.Errorf("requests: %q", b.requests()[before:])
	}
	if run := w.run("i"); run.Outcome != model.OutcomeVerified || !strings.Contains(run.Targets[0].Note, "eng, ops") {
		t.Errorf("run %+v", run)
	}
	if len(r.Applied.Groups) != 0 {
		t.Errorf("row %+v", r)
	}
}

// A leaver that another replica decided about is found by the one that has the target's
// lease, long before its own next look.
func TestLeaverOfAnotherReplica(t *testing.T) {
	t.Parallel()
	w, b := barred(t, nil)
	w.want(model.AccountRow{Identity: "zoe", Desired: account("zoe")})
	w.start()
	w.allIn(model.StateInSync)
	w.stop()
	snapshot := w.worker.Current()
	w.worker = &Worker{Store: w.store, Current: func() *Snapshot { return snapshot }, Holder: "one", Now: time.Now,
		Log: w.worker.Log, Poll: time.Hour, Grace: 50 * time.Millisecond}
	b.hold(func(r *http.Request, body string) bool {
		return r.Method == http.MethodPost && strings.Contains(body, `"slow"`)
	})
	w.want(model.AccountRow{Identity: "slow", Desired: account("slow")})
	w.start()
	holdWait(t, b, 1)    // from now on it has the lease
	w.worker = &Worker{} // whom nobody hears
	w.leaves("zoe")
	w.gone("zoe") // and not in an hour
	close(b.open)
}

// A throttled leaver: the run says when the next try is, and what was answered.
func TestLeaverRunSaysWhatWasAnswered(t *testing.T) {
	t.Parallel()
	a, err := app.New(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var busy atomic.Bool
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if busy.Load() && r.Method == http.MethodPatch {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		a.Handler().ServeHTTP(w, r)
	})
	w := worldWith(t, a, h, nil)
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe")})
	w.allIn(model.StateInSync)
	busy.Store(true)
	w.leaves("i")
	w.until("failed", func(rows map[string]model.AccountRow) bool {
		run := w.run("i")
		return len(run.Targets) == 1 && run.Targets[0].State == model.LeaverFailed
	})
	if text := w.run("i").Summary(time.Now()); !strings.Contains(text, "git pending: 429, next try in ") {
		t.Error(text)
	}
	busy.Store(false)
	w.gone("i")
	if run := w.run("i"); run.Outcome != model.OutcomeVerified || run.Targets[0].LastError != "" || run.Targets[0].NextAt != nil {
		t.Errorf("run %+v", run)
	}
}

// After a drill the account is read back, too.
func TestDrillGivesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(t *model.Target) {
		t.Leaver = model.LeaverPolicy{First: "disable", Then: "delete", RemoveMemberships: true}
	}, "")
	w.start()
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe", "eng")})
	w.allIn(model.StateInSync)
	at := time.Now().UTC().Truncate(time.Microsecond)
	run := model.LeaverRun{ID: model.LeaverRunID("i", at), Identity: "i", Kind: model.RunDrill, ReceivedAt: at, Until: &at,
		Targets: []model.LeaverTarget{{Target: "git", State: model.LeaverWaiting}}}
	if err := w.store.Update(context.WithoutCancel(t.Context()), func(tx *store.Tx) error { return tx.StartDrill(run) }); err != nil {
		t.Fatal(err)
	}
	w.want(model.AccountRow{Identity: "i", Leaver: true, LeaverAt: &at, Drill: true})
	w.gone("i")
	if w.users()["zoe"]["active"] != false {
		t.Error("still active")
	}
	w.want(model.AccountRow{Identity: "i", Desired: account("zoe", "eng"), Drill: true})
	w.allIn(model.StateInSync)
	got := w.run("i")
	if got.Targets[0].State != model.LeaverVerified || got.Targets[0].BackAt == nil || got.EndedAt != nil {
		t.Errorf("run %+v", got)
	}
	if w.users()["zoe"]["active"] != true || memberCount(w.groups()["eng"]) != 1 {
		t.Errorf("users %v groups %v", w.users(), w.groups())
	}
}

func (w *world) untilUser(name string, cond func(map[string]any) bool) {
	w.t.Helper()
	w.until("user "+name, func(map[string]model.AccountRow) bool {
		u := w.users()[name]
		return u != nil && cond(u)
	})
}
