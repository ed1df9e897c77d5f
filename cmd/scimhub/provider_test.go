package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// provider is a hub that is nothing but a service provider: sources, and no
// application. It is a process of its own.
type provider struct {
	t      *testing.T
	base   string // http://host:port
	hub    *process
	client *http.Client
}

// eachProvider runs a test with a hub on a fresh SQLite file and on a fresh
// PostgreSQL schema. The sources are given by name with their dialects.
func eachProvider(t *testing.T, sources map[string]string, run func(t *testing.T, p *provider)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			run(t, newProvider(t, storetest.Migrated(t, dialect), sources))
		})
	}
}

// sourceToken is the token of a source; no test shares a hub with another.
func sourceToken(source string) string { return "token-of-" + source }

const providerConfig = `
listen: 127.0.0.1:0
database: "${env:PROVIDER_DATABASE}"
admin:
  tokens: [{name: ops, secret: "${env:PROVIDER_ADMIN}", role: admin}]
sources:
`

func newProvider(t *testing.T, database string, sources map[string]string) *provider {
	t.Helper()
	dir := t.TempDir()
	var config strings.Builder
	config.WriteString(providerConfig)
	for _, name := range slices.Sorted(mapKeys(sources)) {
		secret := filepath.Join(dir, name+".token")
		if err := os.WriteFile(secret, []byte(sourceToken(name)), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "  %s:\n    dialect: %s\n    tokens: [{name: main, secret: \"${file:%s}\"}]\n    guard: {leavers: 100%%, floor: 100000}\n",
			name, sources[name], secret)
	}
	path := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	p := &provider{t: t, client: &http.Client{Transport: transport, Timeout: time.Minute}}
	p.hub = launch(t, "hub", []string{"PROVIDER_DATABASE=" + database, "PROVIDER_ADMIN=" + adminToken,
		"SCIMHUB_RUNTIME_DIR=" + filepath.Join(dir, "run"), "GORACE=halt_on_error=1"}, "serve", "--config", path)
	await(t, time.Minute, "the hub is ready", func() error {
		if p.hub.ended() {
			t.Fatalf("the hub ended by itself: %s", p.hub.err.tail(20))
		}
		// The system chooses the port; the program says which.
		_, rest, _ := strings.Cut(p.hub.out.String(), "scimhub serves ")
		address, _, found := strings.Cut(rest, " ")
		if !found {
			return errors.New("it does not listen yet")
		}
		p.base = address
		return p.alive(t.Context(), "/readyz")
	})
	return p
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (p *provider) alive(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	return nil
}

// scimAnswer is a response in full; doc is nil where the body is no JSON object.
type scimAnswer struct {
	status int
	header http.Header
	body   []byte
	doc    map[string]any
}

func (a scimAnswer) String() string { return fmt.Sprintf("%d %.600s", a.status, a.body) }

// list is a list in the body.
func (a scimAnswer) list(name string) []any {
	l, _ := a.doc[name].([]any)
	return l
}

// connection is one source's way to a provider.
type connection struct {
	*provider
	token string
}

func (p *provider) connect(source string) connection { return connection{p, sourceToken(source)} }

// send sends a request; body is nil, a text that goes out as it is, or a value
// that goes out as JSON. Headers come in pairs of name and value.
func (c connection) send(ctx context.Context, method, target string, body any, header ...string) (scimAnswer, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return scimAnswer{}, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/", r)
	if err != nil {
		return scimAnswer{}, err
	}
	req.URL.Path, req.URL.Opaque = "", "/scim/v2"+target // as it is, not tidied up
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", scimType)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	res, err := c.client.Do(req)
	if err != nil {
		return scimAnswer{}, err
	}
	defer res.Body.Close()
	a := scimAnswer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return a, fmt.Errorf("%s %s: the answer is cut off: %w", method, target, err)
	}
	_ = json.Unmarshal(a.body, &a.doc)
	return a, nil
}

// must sends a request and wants a status.
func (c connection) must(t *testing.T, status int, method, target string, body any, header ...string) scimAnswer {
	t.Helper()
	a, err := c.send(t.Context(), method, target, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != status {
		t.Errorf("%s %.200s %.600s: %s, due is %d", method, target, fmt.Sprint(body), a, status)
	}
	if status >= 400 && method != http.MethodHead {
		if err := a.isError(status); err != nil {
			t.Errorf("%s %.200s: %v", method, target, err)
		}
	}
	return a
}

// isError checks an Error body (RFC 7644 §3.12).
func (a scimAnswer) isError(status int) error {
	schemas := a.list("schemas")
	switch {
	case a.doc == nil:
		return errors.New("no Error body: " + a.String())
	case len(schemas) != 1 || schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error",
		a.doc["status"] != fmt.Sprint(status), text(a.doc, "detail") == "":
		return errors.New("not an Error: " + a.String())
	case a.header.Get("Content-Type") != scimType:
		return errors.New("an Error as " + a.header.Get("Content-Type"))
	}
	return nil
}
