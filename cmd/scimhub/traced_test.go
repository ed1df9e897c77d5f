package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// collected is an OTLP collector that keeps what it is sent.
type collected struct {
	mu      sync.Mutex
	spans   []*spans.Span
	headers []http.Header
	raw     bytes.Buffer
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in = unpacked
	}
	body, err := io.ReadAll(in)
	var req collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &req)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, r.Header.Clone())
	c.raw.Write(body)
	for _, rs := range req.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			c.spans = append(c.spans, ss.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// trace are the names of the spans of a trace, sorted, each once.
func (c *collected) trace(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == id {
			out = append(out, s.GetName())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// attribute is the value of an attribute in the first span of a name.
func (c *collected) attribute(span, key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		for _, a := range s.GetAttributes() {
			if s.GetName() == span && a.GetKey() == key {
				return a.GetValue().GetStringValue()
			}
		}
	}
	return ""
}

const tracedConfig = `
listen: 127.0.0.1:0
database: "${env:TRACED_DATABASE}"
trusted_proxies: [%s]
admin: {tokens: [{name: ops, secret: "${env:TRACED_ADMIN}", role: admin}]}
sources: {hr: {tokens: [{name: main, secret: "${env:TRACED_HR}"}]}}
roles:
  staff: {when: user.active, grants: [{target: git}, {target: git, group: all}]}
targets:
  git: {url: "%s/scim/v2", auth: {bearer: "${env:TRACED_GIT}"}, propagate: %t}
tracing: {otlp: "%s/v1/traces", headers: {X-Key: "${env:TRACED_KEY}"}, sample: 1}
`

// traced is a hub whose traces are collected, with one application.
type traced struct {
	base string
	hub  *process
	seen *collected
	app  *app.App

	mu      sync.Mutex
	parents []string // traceparent headers that the application got
}

func newTraced(t *testing.T, database string, propagate bool, trusted string) *traced {
	t.Helper()
	w := &traced{seen: &collected{}}
	var err error
	if w.app, err = app.New(app.Options{Token: "secret-of-git", Pace: 1e6}); err != nil {
		t.Fatal(err)
	}
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.parents = append(w.parents, r.Header.Get("Traceparent"))
		w.mu.Unlock()
		w.app.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(target.Close)
	sink := httptest.NewServer(w.seen)
	t.Cleanup(sink.Close)
	dir := t.TempDir()
	path := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, tracedConfig, trusted, target.URL, propagate, sink.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	w.hub = launch(t, "hub", []string{"TRACED_DATABASE=" + database, "TRACED_ADMIN=secret-of-ops", "TRACED_HR=secret-of-hr", "TRACED_GIT=secret-of-git", "TRACED_KEY=secret-of-collector",
		"OTEL_BSP_SCHEDULE_DELAY=50", "SCIMHUB_RUNTIME_DIR=" + filepath.Join(dir, "run"), "GORACE=halt_on_error=1"},
		"serve", "--config", path, "--log-format", "json", "--log-level", "debug")
	await(t, time.Minute, "the hub is ready", func() error {
		_, rest, _ := strings.Cut(w.hub.out.String(), "scimhub serves ")
		address, _, found := strings.Cut(rest, " ")
		if !found {
			return errors.New("it does not listen yet")
		}
		w.base = address
		return nil
	})
	return w
}

// ask sends one request.
func (w *traced) ask(t *testing.T, method, path, token string, body any, header map[string]string) (*http.Response, []byte) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.base+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, answer
}

// logged are the lines of the hub's log that hold a text.
func (w *traced) logged(text string) (out []map[string]any) {
	for line := range strings.Lines(w.hub.err.String()) {
		var fields map[string]any
		if strings.Contains(line, text) && json.Unmarshal([]byte(line), &fields) == nil {
			out = append(out, fields)
		}
	}
	return out
}

// randomPerson is a User whose every value is a word that occurs nowhere else, and the
// words.
func randomPerson() (doc map[string]any, words []string) {
	word := func() string {
		const letters = "bcdfghjklmnpqrstvwxz"
		b := make([]byte, 12)
		for i := range b {
			b[i] = letters[rand.N(len(letters))]
		}
		words = append(words, string(b))
		return string(b)
	}
	return map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "active": true,
		"userName": word() + "@" + word() + ".example", "externalId": word(), "displayName": word(), "title": word(), "password": word(),
		"name":         map[string]any{"givenName": word(), "familyName": word()},
		"emails":       []any{map[string]any{"value": word() + "@" + word() + ".example", "type": "work"}},
		"phoneNumbers": []any{map[string]any{"value": word(), "type": "work"}},
	}, words
}

// TestTraceWholeWay pushes somebody and follows the request to the application: one
// trace over all hops, one request id in answer, log, audit trail and spans, one change
// id in log, audit trail and span; and nothing of the person or of any secret in a span.
func TestTraceWholeWay(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			w := newTraced(t, storetest.Migrated(t, dialect), dialect == storetest.SQLite, "10.0.0.0/8")
			doc, words := randomPerson()
			res, answer := w.ask(t, http.MethodPost, "/scim/v2/Users", "secret-of-hr", doc, map[string]string{
				"X-Request-Id": "the.request-1", "Traceparent": "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"})
			if res.StatusCode != http.StatusCreated {
				t.Fatalf("%s: %s", res.Status, answer)
			}
			if got := res.Header.Get("X-Request-Id"); got != "the.request-1" {
				t.Errorf("the answer has request id %q", got)
			}
			await(t, 30*time.Second, "the account is there, in its group", func() error {
				if lines := w.logged(`"msg":"change carried out"`); len(lines) < 2 {
					return fmt.Errorf("%d changes carried out", len(lines))
				}
				return nil
			})
			w.follow(t, dialect)
			filter := "/scim/v2/Users?filter=" + strings.ReplaceAll(`title eq "`+words[4]+`"`, " ", "%20")
			w.ask(t, http.MethodGet, filter, "secret-of-hr", nil, map[string]string{"X-Request-Id": "bad id\""})
			w.hub.stop(t)
			w.silent(t, words)
		})
	}
}

// follow checks the trace, the ids and what the application was sent.
func (w *traced) follow(t *testing.T, dialect string) {
	t.Helper()
	answered := w.logged(`"msg":"request answered","method":"POST"`)
	if len(answered) != 1 || answered[0]["request"] != "the.request-1" {
		t.Fatalf("log of the request: %v", answered)
	}
	id := answered[0]["trace_id"].(string)
	if strings.HasPrefix(id, "aaaa") {
		t.Error("a stranger chose the trace")
	}
	want := []string{"POST /scim/v2/Users", "POST user.create", "create", "evaluate", "join", "sync", "transaction"}
	await(t, 10*time.Second, "the spans arrive", func() error {
		got := w.seen.trace(id)
		for _, name := range want {
			if !slices.Contains(got, name) {
				return fmt.Errorf("trace %s has %q", id, got)
			}
		}
		return nil
	})
	for _, span := range []string{"POST /scim/v2/Users", "evaluate", "sync", "create"} {
		if got := w.seen.attribute(span, "scimhub.request"); got != "the.request-1" {
			t.Errorf("span %s is of request %q", span, got)
		}
	}
	if got := w.seen.attribute("POST /scim/v2/Users", "scimhub.source"); got != "hr" {
		t.Errorf("source of the request in the span: %q", got)
	}
	_, audit := w.ask(t, http.MethodGet, "/api/v1/audit", "secret-of-ops", nil, nil)
	var page struct {
		Items []struct {
			Action string
			Data   struct {
				Request string `json:"request_id"`
				Change  string
			}
		}
	}
	if err := json.Unmarshal(audit, &page); err != nil {
		t.Fatal(err)
	}
	change := w.seen.attribute("create", "scimhub.change")
	if len(w.logged(`"change":"`+change+`"`)) < 2 || change == "" {
		t.Errorf("the log does not name change %q at both ends", change)
	}
	for _, e := range page.Items {
		if e.Action == "scim.create" && e.Data.Request != "the.request-1" || e.Action == "target.create" && e.Data.Change != change {
			t.Errorf("%s in the audit trail: %+v; the change is %q", e.Action, e.Data, change)
		}
	}
	if res, _ := w.ask(t, http.MethodGet, "/api/v1/audit/verify", "secret-of-ops", nil, nil); res.StatusCode != http.StatusOK {
		t.Errorf("the audit trail: %s", res.Status)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.parents {
		if dialect != storetest.SQLite && p != "" {
			t.Errorf("the application was told of trace %q", p)
		}
	}
	if dialect == storetest.SQLite && !slices.ContainsFunc(w.parents, func(p string) bool { return strings.Contains(p, id) }) {
		t.Errorf("the application was to know the trace and got %q", w.parents)
	}
}

// silent looks for what must not be in what was sent to the collector.
func (w *traced) silent(t *testing.T, words []string) {
	t.Helper()
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	raw := w.seen.raw.String()
	for _, secret := range slices.Concat(words, []string{"secret-of-", "bad id"}) {
		if strings.Contains(raw, secret) {
			t.Errorf("%q is in a span", secret)
		}
		if secret != "bad id" && strings.Contains(w.hub.err.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if len(w.seen.headers) == 0 || w.seen.headers[0].Get("X-Key") != "secret-of-collector" {
		t.Error("the collector was not shown its header")
	}
}

// TestTraceOfProxy shows that a trace begun by a trusted proxy is gone on with, and that
// turning tracing off in the configuration turns it off.
func TestTraceOfProxy(t *testing.T) {
	t.Parallel()
	w := newTraced(t, storetest.Migrated(t, storetest.SQLite), false, "127.0.0.0/8")
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w.ask(t, http.MethodGet, "/scim/v2/Users?count=1", "secret-of-hr", nil, map[string]string{"Traceparent": parent})
	await(t, 10*time.Second, "the span arrives", func() error {
		if got := w.seen.trace("4bf92f3577b34da6a3ce929d0e0e4736"); len(got) == 0 {
			return errors.New("no span")
		}
		return nil
	})
	_, active := w.ask(t, http.MethodGet, "/api/v1/config", "secret-of-ops", nil, nil)
	var view struct {
		Text    string
		Version int64
	}
	if err := json.Unmarshal(active, &view); err != nil || view.Text == "" {
		t.Fatalf("%v: %s", err, active)
	}
	off, _, _ := strings.Cut(view.Text, "tracing:")
	res, answer := w.ask(t, http.MethodPost, "/api/v1/config", "secret-of-ops", map[string]any{"config": off, "name": "hub.yaml", "base": view.Version}, map[string]string{"Content-Type": "application/json"})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", res.Status, answer)
	}
	w.ask(t, http.MethodGet, "/scim/v2/Users?count=1", "secret-of-hr", nil, map[string]string{"Traceparent": parent, "X-Request-Id": "after"})
	for _, line := range w.logged(`"request":"after"`) {
		if line["trace_id"] != nil {
			t.Errorf("traced though it is off: %v", line)
		}
	}
}
