package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// distant is an application in memory that is always so far away. It knows accounts by
// id, name and externalId, and whether they are active.
type distant struct {
	latency time.Duration
	mu      sync.Mutex
	users   map[string]map[string]any // by id
	by      map[string]string         // value -> id
}

func newDistant(latency time.Duration) *distant {
	return &distant{latency: latency, users: map[string]map[string]any{}, by: map[string]string{}}
}

func (d *distant) add(doc map[string]any) map[string]any {
	id := "u" + strconv.Itoa(len(d.users))
	doc["id"] = id
	d.users[id] = doc
	for _, key := range []string{"userName", "externalId"} {
		if v, ok := doc[key].(string); ok {
			d.by[v] = id
		}
	}
	return doc
}

func (d *distant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	timer := time.NewTimer(d.latency)
	defer timer.Stop()
	<-timer.C
	w.Header().Set("Content-Type", mediaType)
	d.mu.Lock()
	status, out := d.answer(r, body)
	text, _ := json.Marshal(out)
	d.mu.Unlock()
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func (d *distant) answer(r *http.Request, body []byte) (int, any) {
	_, id, one := strings.Cut(r.URL.Path, "/Users/")
	var doc map[string]any
	_ = json.Unmarshal(body, &doc)
	switch {
	case one && d.users[id] == nil:
		return http.StatusNotFound, map[string]any{"status": "404"}
	case one && r.Method == http.MethodPatch:
		if strings.Contains(string(body), "false") {
			d.users[id]["active"] = false
		}
		return http.StatusOK, d.users[id]
	case one:
		return http.StatusOK, d.users[id]
	case r.Method == http.MethodPost:
		return http.StatusCreated, d.add(doc)
	}
	found := []any{}
	if _, value, ok := strings.Cut(r.URL.Query().Get("filter"), `"`); ok {
		if id := d.by[strings.TrimSuffix(value, `"`)]; id != "" {
			found = append(found, d.users[id])
		}
	}
	return http.StatusOK, map[string]any{"totalResults": len(found), "Resources": found}
}

// TestLeaverLatency has people leave while every target works through a backlog, and
// says how long it took from the fact to access verified gone at all targets. It is no
// test of speed: it only runs where it is asked for.
//
//	SCIMHUB_LEAVERS=200 SCIMHUB_BACKLOG=100000 go test -run TestLeaverLatency -v ./fanout
func TestLeaverLatency(t *testing.T) { //nolint:paralleltest // it measures
	leavers, _ := strconv.Atoi(os.Getenv("SCIMHUB_LEAVERS"))
	backlog, _ := strconv.Atoi(os.Getenv("SCIMHUB_BACKLOG"))
	if leavers == 0 {
		t.Skip("SCIMHUB_LEAVERS is not set")
	}
	const targets, latency = 10, 20 * time.Millisecond
	for _, dialect := range storetest.Dialects() {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/together=%v", dialect, together), func(t *testing.T) {
				l := newLatency(t, dialect, targets, latency)
				l.fill(leavers, backlog/targets)
				l.run(leavers, together)
			})
		}
	}
}

type latencyTest struct {
	t       *testing.T
	db      *storetest.DB
	names   []string
	apps    []*distant
	worker  *Worker
	transit *http.Transport
}

func newLatency(t *testing.T, dialect string, targets int, latency time.Duration) *latencyTest {
	t.Helper()
	l := &latencyTest{t: t, db: storetest.Open(t, dialect), transit: &http.Transport{MaxIdleConnsPerHost: 64}}
	snapshot := &Snapshot{Version: 1}
	for i := range targets {
		app := newDistant(latency)
		server := httptest.NewServer(app)
		t.Cleanup(server.Close)
		name := fmt.Sprintf("t%02d", i)
		l.names, l.apps = append(l.names, name), append(l.apps, app)
		snapshot.Targets = append(snapshot.Targets, model.Target{Name: name, URL: server.URL, Mode: model.ModeEnforce, Adopt: "auto", Match: []string{"externalId", "userName"},
			Leaver: model.LeaverPolicy{First: "disable"}, Guard: model.Guard{Percent: 100, Floor: 1 << 30, Window: time.Hour}, Rate: model.Rate{Concurrency: 8}})
	}
	l.worker = &Worker{Store: l.db.Store, Current: func() *Snapshot { return snapshot }, Holder: "bench", Now: time.Now, Log: slog.New(slog.DiscardHandler), Transport: l.transit}
	return l
}

func (l *latencyTest) update(fn func(tx *store.Tx) error) {
	l.t.Helper()
	if err := l.db.Update(context.WithoutCancel(l.t.Context()), fn); err != nil {
		l.t.Fatal(err)
	}
}

// fill makes the leavers' accounts, in sync everywhere, and the backlog: accounts to be
// made at each target.
func (l *latencyTest) fill(leavers, backlog int) {
	l.t.Helper()
	for i, target := range l.names {
		var rows []model.AccountRow
		var done []store.Settlement
		for n := range leavers {
			a := account(fmt.Sprintf("leaver%05d", n))
			doc := l.apps[i].add(map[string]any{"userName": a.UserName, "externalId": a.Attrs["externalId"], "active": true})
			row := model.AccountRow{Target: target, Identity: a.UserName, Desired: a, Due: true, State: model.StatePending}
			rows = append(rows, row)
			row.Applied, row.RemoteID, row.Owned, row.Due, row.State, row.Generation = a, doc["id"].(string), model.OwnedCreated, false, model.StateInSync, 1
			done = append(done, store.Settlement{Row: row})
		}
		l.update(func(tx *store.Tx) error { return tx.SetDesiredAll(rows) })
		if err := l.db.Settle(l.t.Context(), target, done); err != nil {
			l.t.Fatal(err)
		}
		for start := 0; start < backlog; start += 2000 {
			rows = nil
			for n := start; n < min(start+2000, backlog); n++ {
				a := account(fmt.Sprintf("user%06d", n))
				rows = append(rows, model.AccountRow{Target: target, Identity: a.UserName, Desired: a, Due: true, State: model.StatePending})
			}
			l.update(func(tx *store.Tx) error { return tx.SetDesiredAll(rows) })
		}
	}
}

func (l *latencyTest) leave(n int) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	var rows []model.AccountRow
	for _, target := range l.names {
		rows = append(rows, model.AccountRow{Target: target, Identity: fmt.Sprintf("leaver%05d", n), Leaver: true, LeaverAt: &at, Due: true, State: model.StatePending})
	}
	l.update(func(tx *store.Tx) error { return tx.SetDesiredAll(rows) })
	l.worker.Nudge(l.names...)
}

func (l *latencyTest) open() int {
	runs, err := l.db.OpenLeavers(l.t.Context(), model.LeaverRun{}, 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	return len(runs)
}

func (l *latencyTest) run(leavers int, together bool) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	var working sync.WaitGroup
	working.Go(func() { _ = l.worker.Run(ctx) })
	defer func() { cancel(); working.Wait() }()
	pause := func(d time.Duration) { timer := time.NewTimer(d); <-timer.C }
	pause(2 * time.Second) // into the backlog
	for n := range leavers {
		l.leave(n)
		for !together && l.open() > 0 {
			pause(5 * time.Millisecond)
		}
	}
	for l.open() > 0 {
		pause(20 * time.Millisecond)
	}
	var took []time.Duration
	runs, _, err := l.db.LeaverRuns(ctx, store.LeaverFilter{Limit: leavers})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, r := range runs {
		took = append(took, r.LastVerified().Sub(r.ReceivedAt))
		if !r.Done() || len(r.Targets) != len(l.names) {
			l.t.Errorf("%s: %s", r.Identity, r.Summary(time.Now()))
		}
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1].Round(time.Millisecond) }
	left := 0
	for _, name := range l.names {
		n, err := l.db.Due(ctx, name)
		if err != nil {
			l.t.Fatal(err)
		}
		left += n
	}
	l.t.Logf("%d leavers: p50 %s, p95 %s, p99 %s, most %s; backlog left %d", len(took), at(50), at(95), at(99), took[len(took)-1].Round(time.Millisecond), left)
}
