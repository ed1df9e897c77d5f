package fanout

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// world is a store, one simulated application as target and a worker between them.
type world struct {
	clock  *shifted // of the store and the worker
	t      testing.TB
	store  *store.Store
	app    *app.App
	url    string
	target model.Target

	database string // its URL
	worker   *Worker
	stop     func()
}

func newWorld(t testing.TB, change func(*model.Target), faults string) *world {
	t.Helper()
	a, err := app.New(app.Options{Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	return worldWith(t, a, a.Handler(), change)
}

func worldWith(t testing.TB, a *app.App, h http.Handler, change func(*model.Target)) *world {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	clock := newClock()
	database := storetest.Migrated(t, storetest.SQLite)
	s, err := store.Open(t.Context(), database, store.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	target := model.Target{Name: "git", URL: server.URL + app.Prefix, Mode: model.ModeEnforce, Adopt: "auto",
		Auth:   model.Auth{Bearer: model.NewSecret("token")},
		Match:  []string{"externalId", "userName"},
		Leaver: model.LeaverPolicy{First: "disable"},
		Guard:  model.Guard{Percent: 100, Floor: 1000, Window: time.Hour},
		Rate:   model.Rate{Concurrency: 8},
		Drift:  model.DriftPolicy{Changed: "revert", Missing: "recreate", Unknown: "report"},
	}
	if change != nil {
		change(&target)
	}
	w := &world{t: t, store: s, app: a, url: server.URL, database: database, target: target, clock: clock}
	snapshot := &Snapshot{Version: 1, Targets: []model.Target{target}}
	w.worker = &Worker{Store: s, Current: func() *Snapshot { return snapshot }, Holder: "test", Now: clock.now,
		Log: slog.New(slog.DiscardHandler), Poll: 20 * time.Millisecond, Timeout: 5 * time.Second, Version: "test"}
	return w
}

// start runs the worker until the test ends or stop is called.
func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	worker := w.worker
	go func() {
		defer close(done)
		if err := worker.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.stop = func() { cancel(); <-done }
	w.t.Cleanup(w.stop)
}

func account(name string, groups ...string) *model.Account {
	return &model.Account{UserName: name, Active: true, Groups: groups,
		Attrs: map[string]any{"externalId": "x-" + name, "name.familyName": strings.ToUpper(name), "title": "Engineer"}}
}

// want stores desired accounts, as evaluation would.
func (w *world) want(rows ...model.AccountRow) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		for _, r := range rows {
			r.Target, r.Due, r.State = w.target.Name, true, model.StatePending
			if err := tx.SetDesired(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.worker.Nudge(w.target.Name)
}

func (w *world) wantMany(n int, groups ...string) {
	rows := make([]model.AccountRow, n)
	for i := range rows {
		name := fmt.Sprintf("user%05d", i)
		rows[i] = model.AccountRow{Identity: "id-" + name, Desired: account(name, groups...)}
	}
	w.want(rows...)
}

func (w *world) rows() map[string]model.AccountRow {
	w.t.Helper()
	out := map[string]model.AccountRow{}
	for after := ""; ; {
		rows, err := w.store.Accounts(w.t.Context(), w.target.Name, after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(rows) == 0 {
			return out
		}
		for _, r := range rows {
			out[r.Identity], after = r, r.Identity
		}
	}
}

// until waits for a condition over the rows; it fails with the rows as they are.
func (w *world) until(what string, cond func(rows map[string]model.AccountRow) bool) map[string]model.AccountRow {
	w.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		from := time.Now()
		rows := w.rows()
		if cond(rows) {
			return rows
		}
		select {
		case <-time.After(max(10*time.Millisecond, 4*time.Since(from))): // reading thousands of rows is not most of the work
		case <-deadline.C:
			shown := 0
			for id, r := range rows {
				if r.State == model.StateInSync || shown > 10 {
					continue
				}
				shown++
				w.t.Logf("%s: state %s due %v owned %q remote %q drift %q error %q (%s) attempts %d", id, r.State, r.Due, r.Owned, r.RemoteID, r.Drift, r.LastError, r.ErrorClass, r.Attempts)
			}
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// allIn waits until all rows are in a state.
func (w *world) allIn(state model.AccountState) map[string]model.AccountRow {
	w.t.Helper()
	return w.until("all "+string(state), func(rows map[string]model.AccountRow) bool {
		for _, r := range rows {
			if r.State != state {
				return false
			}
		}
		return len(rows) > 0
	})
}

func (w *world) users() map[string]map[string]any {
	return byKey(w.t, w.app.State(w.url).Users, "userName")
}
func (w *world) groups() map[string]map[string]any {
	return byKey(w.t, w.app.State(w.url).Groups, "displayName")
}

// byKey refuses duplicates: nothing may ever be there twice.
func byKey(t testing.TB, list []map[string]any, key string) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, m := range list {
		name, _ := m[key].(string)
		if out[name] != nil {
			t.Fatalf("%s %q is there twice", key, name)
		}
		out[name] = m
	}
	return out
}

func memberCount(group map[string]any) int {
	list, _ := group["members"].([]any)
	if list == nil {
		maps, _ := group["members"].([]map[string]any)
		return len(maps)
	}
	return len(list)
}

// byHand changes the application as somebody else would.
func (w *world) byHand(method, path, body string) int {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+app.Prefix+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// readBody reads a request's body and puts it back.
func readBody(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(b)))
	return string(b)
}
