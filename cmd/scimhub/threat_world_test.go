package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// running starts a hub in this process, which ends with the test, and returns what it logs.
func running(t *testing.T, config string, adjust ...func(*instanceOptions)) (*instance, *written) {
	t.Helper()
	i, log := started(t, config, adjust...)
	runs(t, i)
	return i, log
}

// started starts a hub that does nothing yet.
func started(t *testing.T, config string, adjust ...func(*instanceOptions)) (*instance, *written) {
	t.Helper()
	log := &written{}
	o := instanceOptions{Name: "hub.yaml", Config: []byte(config), Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, fn := range adjust {
		fn(&o)
	}
	i, err := start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return i, log
}

// runs has a hub work until the test ends.
func runs(t *testing.T, i *instance) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := i.run(ctx); err != nil {
			t.Errorf("the hub ended: %v", err)
		}
	})
	t.Cleanup(func() { stop(); ended.Wait() })
}

// heard is an answer as it came.
type heard struct {
	status int
	header http.Header
	body   string
}

// asked sends a request; headers are written "Name: value".
func asked(t *testing.T, method, url, body string, headers ...string) heard {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return heard{res.StatusCode, res.Header, string(text)}
}

// newDatabase is an empty database of its own on the server for tests, with the URL of its
// superuser. Roles that the test makes there must be gone from it before it ends.
func newDatabase(t *testing.T, name string) string {
	t.Helper()
	server := storetest.Open(t, storetest.Postgres)
	server.Exec(t, `CREATE DATABASE "`+name+`"`)
	t.Cleanup(func() {
		if _, err := server.SQL.ExecContext(context.WithoutCancel(t.Context()), `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return withDatabase(t, server.URL, name)
}
