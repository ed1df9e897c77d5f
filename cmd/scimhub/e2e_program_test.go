package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// These tests run the built program as the operating system sees it: processes
// that are killed, sockets that are reset, a database that goes away. Nothing in
// them shares memory with the hub.
//
//	go test ./cmd/scimhub                           small companies, a few kills
//	SCIMHUB_E2E=full go test -timeout 30m ./cmd/scimhub   500 people, 25 kills

// fullSize asks for the sizes that are published.
func fullSize() bool { return os.Getenv("SCIMHUB_E2E") == "full" }

// sized chooses a size: as published, in an ordinary run, with -short or -race.
func sized(full, normal, small int) int {
	switch {
	case fullSize():
		return full
	case testing.Short(), storetest.UnderRace:
		return small
	}
	return normal
}

// briefly leaves out waits that an ordinary run has.
func briefly() bool { return sized(0, 0, 1) == 1 }

// programPath is the program: this test binary under its name, see TestMain. With -race
// a race in it fails the test that meets it.
func programPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("scimhub")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is one running program.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *lines
	err  *lines
	done chan struct{} // closed when it has ended
}

// awaitReady waits until a hub is ready; it must not end by itself. Who answers at its
// address before it says that it listens is another one.
func (p *process) awaitReady(t *testing.T, base string) {
	t.Helper()
	await(t, 60*time.Second, p.name+" is ready", func() error {
		switch {
		case p.ended():
			t.Fatalf("%s ended by itself: %s", p.name, p.err.tail(20))
		case !strings.Contains(p.out.String(), "scimhub serves "):
			return errors.New("it does not listen")
		}
		return readyAt(t.Context(), base)
	})
}

// launch starts the program and watches it: a panic or a data race in it fails the
// test whatever else happens.
func launch(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	return launchProgram(t, programPath(t), name, env, args...)
}

// launchProgram is launch for a program of another release.
func launchProgram(t *testing.T, path, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: name, out: &lines{}, err: &lines{}, done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	p.cmd.WaitDelay = 5 * time.Second
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		text := p.err.String()
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if i := strings.Index(text, bad); i >= 0 {
				t.Errorf("%s: %s", name, text[i:min(i+4000, len(text))])
			}
		}
		if t.Failed() {
			t.Logf("%s, the end of its log:\n%s", name, p.err.tail(40))
		}
	})
	return p
}

// kill ends the process as a power cut would and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// stop asks the process to end and wants exit code 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		t.Fatalf("%s does not stop", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s: exit code %d after SIGTERM", p.name, code)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// lines collects what a process writes.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) tail(n int) string {
	all := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// await asks until there is nothing to complain about, or fails with the last
// complaint.
func await(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	if err := awaitErr(t.Context(), limit, check); err != nil {
		t.Fatalf("%s: not within %s: %v", what, limit, err)
	}
}

func awaitErr(ctx context.Context, limit time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// application is one simulated application in a process of its own.
type application struct {
	name string
	base string // http://host:port
	proc *process
}

func startApplication(t *testing.T, name, profile, token string) *application {
	t.Helper()
	p := launch(t, "app "+name, nil, "app", "--listen", "127.0.0.1:0", "--profile", profile, "--token", token, "--pace", "1000")
	a := &application{name: name, proc: p}
	await(t, 20*time.Second, "application "+name, func() error {
		sc := bufio.NewScanner(strings.NewReader(p.out.String()))
		for sc.Scan() {
			if url, ok := strings.CutPrefix(sc.Text(), "listening on "); ok {
				a.base = strings.TrimSuffix(url, "/scim/v2")
				return nil
			}
		}
		if p.ended() {
			t.Fatalf("application %s ended: %s", name, p.err)
		}
		return errors.New("it does not listen yet")
	})
	return a
}

// faults replaces the faults of the application.
func (a *application) faults(t *testing.T, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.base+"/_app/faults", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("faults %q: %s %s", text, res.Status, body)
	}
}

// plainHTTP is the client of everything that is not a source.
var plainHTTP = &http.Client{Timeout: 30 * time.Second}

func getJSON(ctx context.Context, url, token string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		return fmt.Errorf("GET %s: %s %s", url, res.Status, body)
	}
	return json.NewDecoder(res.Body).Decode(out)
}
