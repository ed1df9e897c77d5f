package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// The parts of a whole life: how many people and groups, and how much of the traffic
// to the application goes wrong on the way.
const (
	lifeTarget   = "app"
	lifeFaults   = "429:1%,500:1%,503:1%,reset:1%,reset-after:1%"
	restTogether = 10 * time.Second // what is due within it is done at once
	lifePace     = 200              // times the pace that the application really has, on both sides
)

// leapClock runs as time does and leaps when told to: waits of milliseconds are real,
// those of hours are not.
type leapClock struct{ leaps atomic.Int64 }

func (c *leapClock) Now() time.Time {
	return time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Since(lifeBegan) + time.Duration(c.leaps.Load()))
}

func (c *leapClock) leap(d time.Duration) { c.leaps.Add(int64(d)) }

var lifeBegan = time.Now()

// lifeWorld is a hub whose one target is a simulated application of a profile.
type lifeWorld struct {
	t       *testing.T
	clock   *leapClock
	profile fanout.Profile
	app     *app.App
	server  *httptest.Server
	foreign *foreignServer // in place of the application; nil: there is none
	config  []byte
	hub     *instance
	stop    func()
	people  []*liver
	groups  []*livingGroup
	remove  string // what becomes of groups that nothing grants; empty: they are kept

	mass     string   // that the source's guard lets through; empty: all
	stumbles uint64   // how often the hub was stopped and started
	lost     []string // what people destroyed by hand
}

// guardOf is a guard that lets a share through, or everything.
func guardOf(what, share string) map[string]any {
	if share == "" {
		return map[string]any{what: "100%", "floor": 100_000}
	}
	return map[string]any{what: share, "floor": 3}
}

func newLifeWorld(t *testing.T, profile, dialect string, people, groups int, more ...func(*lifeWorld)) *lifeWorld {
	t.Helper()
	p, err := fanout.ProfileNamed(profile)
	if err != nil {
		t.Fatal(err)
	}
	w := &lifeWorld{t: t, clock: &leapClock{}, profile: p}
	if w.app, err = app.New(app.Options{Profile: profile, Pace: lifePace, Now: w.clock.Now}); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.app.Handler())
	t.Cleanup(w.server.Close)
	w.begin(dialect, people, groups, more...)
	return w
}

// begin makes people up and starts the hub.
func (w *lifeWorld) begin(dialect string, people, groups int, more ...func(*lifeWorld)) {
	t := w.t
	t.Helper()
	w.populate(people, groups)
	for _, change := range more {
		change(w)
	}
	w.before()
	w.config = w.configuration(storetest.Migrated(t, dialect))
	w.boot()
	t.Cleanup(func() { w.stop() })
}

// boot starts the hub.
func (w *lifeWorld) boot() {
	w.t.Helper()
	i, err := start(w.t.Context(), instanceOptions{Name: "life.yaml", Config: w.config, Now: w.clock.Now,
		Log: slog.New(slog.NewTextHandler(&testLog{t: w.t}, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- i.run(ctx) }()
	w.hub = i
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the hub ended: %v", err)
		}
		w.stop = func() {}
	}
}

// restart stops the hub, whatever it is doing, and starts it again.
func (w *lifeWorld) restart() {
	w.t.Helper()
	w.stop()
	w.clock.leap(time.Minute) // what it held is free
	w.boot()
}

// base is the application's SCIM base URL, past all faults that it does not have itself.
func (w *lifeWorld) base() string {
	if w.foreign != nil {
		return w.foreign.direct
	}
	return w.server.URL + app.Prefix
}

// faults replaces what goes wrong, and returns what went wrong before.
func (w *lifeWorld) faults(text string) string {
	w.t.Helper()
	if w.foreign != nil {
		return w.foreign.faults(w.t, text)
	}
	was := w.app.Faults().String()
	w.must(w.app.SetFaults(text))
	return was
}

// configuration gives each department a group, mirrors those of projects, and has
// everything happen that a target can be told to do.
func (w *lifeWorld) configuration(database string) []byte {
	w.t.Helper()
	roles := map[string]any{"employee": map[string]any{"when": "user.active", "grants": []any{map[string]any{"target": lifeTarget}}}}
	for _, g := range w.groups {
		if g.department != "" {
			roles["in-"+strings.ToLower(g.department)] = map[string]any{"when": fmt.Sprintf("user.enterprise.department == %q", g.department),
				"grants": []any{map[string]any{"target": lifeTarget, "group": g.name}}}
		}
	}
	target := map[string]any{
		"url": w.server.URL + app.Prefix, "auth": map[string]any{"bearer": storySecret}, "profile": w.profile.Name,
		"groups":  map[string]any{"mirror": []any{`displayName sw "proj-"`}, "remove": cmp.Or(w.remove, "keep")},
		"leaver":  map[string]any{"first": "disable", "then": "delete", "after": "30d"},
		"guard":   guardOf("removals", ""),
		"drift":   map[string]any{"every": "90d", "changed": "revert", "missing": "recreate", "unknown": "report"},
		"protect": []any{`userName eq "` + breakGlass + `"`},
		"rate":    map[string]any{"buckets": w.fasterBuckets()},
	}
	w.foreign.adapt(target)
	doc := map[string]any{
		"listen": "127.0.0.1:0", "database": database,
		"admin":   map[string]any{"tokens": []any{map[string]any{"name": "ops", "secret": storySecret, "role": "admin"}}},
		"sources": map[string]any{"hr": map[string]any{"tokens": []any{map[string]any{"name": "main", "secret": "hr" + storySecret}}, "guard": guardOf("leavers", w.mass)}},
		"roles":   roles, "targets": map[string]any{lifeTarget: target},
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// fasterBuckets are the profile's, as much faster as the application is.
func (w *lifeWorld) fasterBuckets() []any {
	out := []any{}
	for _, b := range w.profile.Rate.Buckets {
		kinds := []any{}
		for _, k := range b.Kinds {
			kinds = append(kinds, k)
		}
		f := map[string]any{"kinds": kinds, "requests": b.Requests * lifePace, "per_s": b.PerSeconds, "burst": b.Burst * lifePace, "over_body": b.OverBody}
		if b.Scope != "" {
			f["scope"] = b.Scope
		}
		out = append(out, f)
	}
	return out
}

// call sends JSON to a URL and reads JSON; a status beyond 299 is an error.
func (w *lifeWorld) call(token, method, url string, body, into any) error {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode > 299:
		return fmt.Errorf("%s %s: %d %s", method, url, res.StatusCode, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

func (w *lifeWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// hr is HR's word to the hub.
func (w *lifeWorld) hr(method, path string, body, into any) {
	w.t.Helper()
	w.must(w.call("hr"+storySecret, method, w.hub.URL+"/scim/v2"+path, body, into))
}

func (w *lifeWorld) admin(method, path string, body, into any) {
	w.t.Helper()
	w.must(w.call(storySecret, method, w.hub.URL+"/api/v1"+path, body, into))
}

// byHand is somebody who changes the application itself; its faults are off meanwhile.
func (w *lifeWorld) byHand(method, path string, body, into any) error {
	was := w.faults("")
	defer w.faults(was)
	return w.call(w.secret(), method, w.base()+path, body, into)
}

func (w *lifeWorld) state() app.State {
	if w.foreign != nil {
		return w.foreign.state(w)
	}
	return w.app.State(w.base())
}

// rest leaps from one thing to do to the next until there is nothing to do for the
// span; what keeps failing is tried as often as that takes.
func (w *lifeWorld) rest(span time.Duration) {
	w.t.Helper()
	until := w.clock.Now().Add(span)
	for range 2000 {
		w.quiet()
		at, due := w.nextDue()
		now := w.clock.Now()
		if !due || at.After(until) {
			if now.Before(until) {
				w.clock.leap(until.Sub(now))
				w.quiet()
			}
			return
		}
		if at.After(now) {
			w.clock.leap(at.Sub(now) + restTogether)
		}
	}
	w.t.Fatalf("it does not come to rest: %s", w.busy())
}

// quiet waits until nothing is to be done at this moment.
func (w *lifeWorld) quiet() {
	w.t.Helper()
	w.hub.hub.Wake()
	w.hub.worker.Nudge()
	tick := time.NewTicker(8 * time.Millisecond) // each look is some queries, and several lives look at once
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	quiet := 0
	for n := 1; quiet < 3; n++ {
		if quiet++; w.busy() != "" {
			quiet = 0
		}
		select {
		case <-deadline:
			w.t.Fatalf("it does not settle: %s", w.busy())
		case <-tick.C:
			if n%5 == 0 {
				w.hub.hub.Wake()
				w.hub.worker.Nudge()
				w.clock.leap(time.Second) // pauses that the application asks for, and between tries of a sweep
			}
		}
	}
}

// busy says what is to be done now; empty: nothing.
func (w *lifeWorld) busy() string {
	n, _, err := w.hub.store.Marks(w.t.Context())
	w.must(err)
	if n > 0 {
		return fmt.Sprint(n, " marks")
	}
	at, due := w.nextDue()
	st, err := w.hub.store.TargetState(w.t.Context(), lifeTarget)
	w.must(err)
	now := w.clock.Now()
	switch {
	case st.DriftWanted:
		return "a sweep"
	case due && !at.After(now) && (st.RetryAt == nil || !st.RetryAt.After(now)):
		return "work that is due since " + now.Sub(at).String()
	case due && !at.After(now):
		w.clock.leap(st.RetryAt.Sub(now)) // the target as a whole is waited for
		return "a target that waits"
	}
	return ""
}

// nextDue is when the next account or group is to be worked on.
func (w *lifeWorld) nextDue() (at time.Time, due bool) {
	at, due, err := w.hub.store.NextDue(w.t.Context(), lifeTarget)
	w.must(err)
	groups, err := w.hub.store.TargetGroups(w.t.Context(), lifeTarget)
	w.must(err)
	for _, g := range groups {
		if g.Due && (!due || g.NextAttempt.Before(at)) {
			at, due = g.NextAttempt, true
		}
	}
	return at, due
}

// sweep asks for a drift sweep and waits for it and what follows.
func (w *lifeWorld) sweep() {
	w.t.Helper()
	w.admin("POST", "/targets/"+lifeTarget+"/drift", nil, nil)
	for range 30 {
		w.quiet()
		st, err := w.hub.store.TargetState(w.t.Context(), lifeTarget)
		w.must(err)
		if !st.DriftWanted {
			break
		}
		w.clock.leap(time.Minute)
	}
	w.rest(time.Hour)
}
