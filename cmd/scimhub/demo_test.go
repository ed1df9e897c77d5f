package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched is output that others look at while it is written.
type watched struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	seen func(text string) // called with all that was written so far
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	n, err := w.buf.Write(p)
	text := w.buf.String()
	w.mu.Unlock()
	if w.seen != nil {
		w.seen(text)
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// demoPlace gives the demo folders of its own and checks that it leaves nothing.
func demoPlace(t *testing.T) {
	t.Helper()
	tmp, run := t.TempDir(), t.TempDir()
	if err := os.Chmod(run, 0o700); err != nil { //nolint:gosec // the hub wants exactly this
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	t.Setenv("SCIMHUB_RUNTIME_DIR", run)
	t.Cleanup(func() {
		for _, dir := range []string{tmp, run} {
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	})
}

func TestDemo(t *testing.T) {
	demoPlace(t)
	out, errOut := &watched{}, &watched{}
	code := execute(t.Context(), []string{"demo", "--for", "1s", "--people", "20", "--listen", "127.0.0.1:0"}, nil, out, errOut)
	if code != exitDone {
		t.Fatalf("exit code %d\n%s%s", code, out, errOut)
	}
	for _, want := range []string{
		`hub +http://127\.0\.0\.1:\d+/scim/v2`, `Three things to try`, `joiner +\w+ \w+ starts`, `mover +\w+`, `leaver +\w+`,
		`off at all 4 applications after \d`, `active: false -> true`, `held: 1, removal 4 of at most 3`, `target release crm [0-9a-f]{16}`,
		`nothing is left to do`, `(?s)Summary.*chat +20 active accounts, 1 disabled`, `held +1 removals, 1 released`, `drift +1 found`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the demo does not say %s:\n%s", want, out)
		}
	}
	if errOut.String() != "" {
		t.Errorf("written to standard error: %s", errOut)
	}
}

// TestDemoNoticesFailure breaks an application while the story is told: the demo
// must not tell what did not happen.
func TestDemoNoticesFailure(t *testing.T) {
	demoPlace(t)
	state := regexp.MustCompile(`git +(http://\S+)/_app/state`)
	var once sync.Once
	out := &watched{}
	out.seen = func(text string) {
		m := state.FindStringSubmatch(text)
		if m == nil {
			return
		}
		once.Do(func() {
			res, err := http.Post(m[1]+"/_app/faults", "text/plain", strings.NewReader("down"))
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
		})
	}
	err := runDemo(t.Context(), demoOptions{listen: "127.0.0.1:0", listenGiven: true, people: 20, patience: 700 * time.Millisecond}, out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "git: ") {
		t.Errorf("error: %v", err)
	}
	if text := out.String(); !strings.Contains(text, "FAILED") || !strings.Contains(text, "not told to its end") || strings.Contains(text, "Summary") {
		t.Errorf("the failure is not said:\n%s", text)
	}
}

func TestDemoInterrupted(t *testing.T) {
	demoPlace(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out := &watched{seen: func(text string) {
		if strings.Contains(text, "joiner") {
			interrupt()
		}
	}}
	if err := runDemo(ctx, demoOptions{listen: "127.0.0.1:0", listenGiven: true, people: 20, patience: demoPatience}, out, io.Discard); err != nil {
		t.Errorf("error: %v", err)
	}
	if !strings.Contains(out.String(), "interrupted") {
		t.Errorf("output:\n%s", out)
	}
}

func TestDemoCompany(t *testing.T) {
	t.Parallel()
	c := newCompany(demoMaxPeople)
	seen := map[string]bool{}
	managers := map[string]int{}
	for _, p := range c.people {
		if seen[p.Nick] {
			t.Errorf("%s is twice in the company", p.Nick)
		}
		seen[p.Nick] = true
		if len(p.Nick) > 20 {
			t.Errorf("%s is too long for the chat application", p.Nick)
		}
		if p.Manager {
			managers[p.Department]++
			for _, a := range demoApps() {
				if due, _ := p.due(a.name); !due {
					t.Errorf("the manager %s has no account at %s", p.Nick, a.name)
				}
			}
		}
	}
	for d, n := range managers {
		if n != 1 {
			t.Errorf("%s has %d managers", d, n)
		}
	}
	if len(managers) != 5 {
		t.Errorf("managers: %v", managers)
	}
}
