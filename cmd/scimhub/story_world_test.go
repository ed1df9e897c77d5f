package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// storySecret is every token of a story: nothing in it is secret.
const storySecret = "a-token-of-the-story"

// storyWorld is a hub and its applications, under one clock.
type storyWorld struct {
	t        *testing.T
	clock    *storetest.Clock
	hub      *instance
	database string
	apps     map[string]*httptest.Server
	ids      map[string]string // "hr/alice", "hr/group Sales" -> resource id at the hub

	// refused is what the hub said to something that somebody wanted, until the story
	// has said that it is so.
	refused error
}

func newStoryWorld(t *testing.T, s story, dialect string) *storyWorld {
	t.Helper()
	w := &storyWorld{t: t, database: storetest.Migrated(t, dialect), clock: storetest.NewClock(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)), apps: map[string]*httptest.Server{}, ids: map[string]string{}}
	text, err := os.ReadFile(filepath.Join("testdata", "stories", s.configuration+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	i, err := start(t.Context(), instanceOptions{Name: s.configuration + ".yaml", Config: w.complete(text, w.database),
		Log: slog.New(slog.NewTextHandler(&testLog{t: t}, &slog.HandlerOptions{Level: slog.LevelError})), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- i.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended: %v", err)
		}
	})
	w.hub = i
	return w
}

// secretOf refers to the secret of a source or a person; what stands in the text itself
// is not stored, and could not be rolled back to.
func secretOf(name string) string { return "${env:STORY_SECRET_" + strings.ToUpper(name) + "}" }

// setSecrets puts into the environment what configurations refer to.
func setSecrets(t *testing.T) {
	t.Helper()
	for _, name := range append(storyPeople(), "", "app", "hr", "idp") {
		t.Setenv("STORY_SECRET_"+strings.ToUpper(name), name+storySecret)
	}
}

// storyPeople are those who can ask and decide in stories.
func storyPeople() []string {
	return strings.Fields("alice bob carol dave erin frank grace heidi ivan judy mallory")
}

// complete makes a configuration of a story's: where to listen, the database, the
// operator's token, and for each target an application of its own.
func (w *storyWorld) complete(text []byte, database string) []byte {
	w.t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		w.t.Fatal(err)
	}
	targets, _ := doc["targets"].(map[string]any)
	for name, v := range targets {
		target, _ := v.(map[string]any)
		if w.apps[name] == nil {
			a, err := app.New(app.Options{Now: w.clock.Now})
			if err != nil {
				w.t.Fatal(err)
			}
			w.apps[name] = httptest.NewServer(a.Handler())
			w.t.Cleanup(w.apps[name].Close)
		}
		target["url"] = w.apps[name].URL + app.Prefix
		target["auth"] = map[string]any{"bearer": secretOf("app")}
		if target["guard"] == nil {
			target["guard"] = map[string]any{"removals": "100%", "floor": 1000}
		}
	}
	sources, _ := doc["sources"].(map[string]any)
	for name, v := range sources {
		source, _ := v.(map[string]any)
		source["tokens"] = []any{map[string]any{"name": "main", "secret": secretOf(name)}}
	}
	adminOf, _ := doc["admin"].(map[string]any)
	if adminOf == nil {
		adminOf = map[string]any{}
		doc["admin"] = adminOf
	}
	tokens, _ := adminOf["tokens"].([]any)
	tokens = append(tokens, map[string]any{"name": "ops", "secret": secretOf(""), "role": "admin"})
	for _, who := range storyPeople() {
		tokens = append(tokens, map[string]any{"name": who, "secret": secretOf(who), "role": "person", "person": who})
	}
	adminOf["tokens"] = tokens
	doc["listen"], doc["database"] = "127.0.0.1:0", database
	out, err := json.Marshal(doc) // JSON is YAML
	if err != nil {
		w.t.Fatal(err)
	}
	return config.Bundle(out, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", "stories", file)) })
}

// testLog writes the hub's log to the test's.
type testLog struct{ t *testing.T }

func (l *testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// call sends JSON and reads JSON; a status beyond 299 is an error with what was said.
func (w *storyWorld) call(token, method, path string, body, into any) error {
	status, text, err := w.send(token, method, path, "application/json", body)
	if err != nil {
		return err
	}
	if status > 299 {
		return fmt.Errorf("%s %s: %d %s", method, path, status, text)
	}
	if into == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (w *storyWorld) send(token, method, path, kind string, body any) (status int, text []byte, err error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		j, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.hub.URL+path, r)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// admin asks the API as the operator.
func (w *storyWorld) admin(method, path string, body, into any) error {
	return w.call(storySecret, method, "/api/v1"+path, body, into)
}

// settle waits until nothing is left to do at this moment.
func (w *storyWorld) settle() error {
	w.hub.hub.Wake()
	w.hub.worker.Nudge()
	tick := time.NewTicker(15 * time.Millisecond) // each look is some queries, and many stories look at once
	defer tick.Stop()
	deadline := time.After(time.Minute) // of a machine with much else to do
	quiet := 0
	for n := 1; ; n++ {
		if n%33 == 0 { // what is claimed, or tried again later, waits for a clock that stands still
			w.clock.Add(time.Second)
		}
		busy, err := w.busy()
		if err != nil {
			return err
		}
		if quiet++; busy != "" {
			quiet = 0
		}
		if quiet == 2 { // what was evaluated last may have made work
			return nil
		}
		select {
		case <-deadline:
			return errors.New("it does not settle: " + busy)
		case <-tick.C:
			if n%17 == 0 { // each step nudges the next by itself; this is for what waited for the clock
				w.hub.hub.Wake()
				w.hub.worker.Nudge()
			}
		}
	}
}

// busy says what is still to be done at this moment; empty: nothing.
func (w *storyWorld) busy() (string, error) {
	ctx := w.t.Context()
	n, _, err := w.hub.store.Marks(ctx)
	if err != nil || n > 0 {
		return fmt.Sprint(n, " marks"), err
	}
	timed := 0
	err = w.hub.store.View(ctx, func(tx *store.Tx) error {
		timed, err = tx.TimedNow()
		return err
	})
	if err != nil || timed > 0 {
		return fmt.Sprint(timed, " timers"), err
	}
	for name := range w.apps {
		at, due, err := w.hub.store.NextDue(ctx, name)
		if err != nil || due && !at.After(w.clock.Now()) {
			return "work at " + name, err
		}
	}
	return "", nil
}
