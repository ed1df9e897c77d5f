package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// scriptPatience is how long a script waits for what has to come about.
const scriptPatience = time.Minute

// TestScripts runs testdata/script/*.txtar, each on a fresh SQLite file and on a
// fresh PostgreSQL schema: command lines as a person types them, against the
// program in processes of its own. To testscript's commands come those of
// scriptCommands.
//
// At the end of each script no secret may have been in anything that was written.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			deadline, _ := t.Deadline() // without one it is zero, which is none
			testscript.RunT(scriptT{t}, testscript.Params{
				Dir:                 "testdata/script",
				Setup:               func(env *testscript.Env) error { return setupScript(env, dialect) },
				Cmds:                scriptCommands(),
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Deadline:            deadline,
			})
		})
	}
}

// scriptSecrets are the secrets of a script by the names of their variables. They
// must never be seen again.
var scriptSecrets = map[string]string{
	"SCIMHUB_ADMIN_TOKEN": "kept-admin-8e1f", "HR_TOKEN": "kept-hr-51bb", "APP_TOKEN": "kept-app-07aa",
}

// script is what the commands of one script share.
type script struct {
	t   *testing.T
	env []string // of the hub and the applications: that of the start of the script
	dir string
	hub *process // the last one started
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

// setupScript gives a script its database, its ports and its secrets. Of the
// machine's own settings a script sees none.
func setupScript(env *testscript.Env, dialect string) error {
	t := env.T().(scriptT).T
	port := storetest.Port(t)
	env.Setenv("DATABASE", storetest.Migrated(t, dialect))
	env.Setenv("PORT", fmt.Sprint(port))
	env.Setenv("HUB", fmt.Sprintf("http://127.0.0.1:%d", port))
	env.Setenv("SCIMHUB_RUNTIME_DIR", filepath.Join(env.WorkDir, "run"))
	for name, secret := range scriptSecrets {
		env.Setenv(name, secret)
	}
	// A program built with -race lingers for a second when it ends, unless told so.
	env.Setenv("GORACE", strings.TrimSpace("atexit_sleep_ms=10 "+env.Getenv("GORACE")))
	env.Values[scriptKey{}] = &script{t: t, env: env.Vars, dir: env.WorkDir}
	return nil
}

// start runs the program in the background until the script ends at the latest,
// and then looks at what it wrote.
func (s *script) start(ts *testscript.TestScript, name string, args ...string) *process {
	p := &process{name: name, out: &lines{}, err: &lines{}, done: make(chan struct{})}
	p.cmd = exec.Command("scimhub", args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.dir, s.env, p.out, p.err
	p.cmd.WaitDelay, p.cmd.SysProcAttr = 5*time.Second, dieWithParent()
	ts.Check(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	ts.Defer(func() {
		p.kill()
		checkWritten(s.t, name, p.out.String()+p.err.String())
		if s.t.Failed() {
			ts.Logf("[%s, the end of its log]\n%s", name, p.err.tail(20))
		}
	})
	return p
}

// ready waits until a process in the background passes a check.
func (s *script) ready(ts *testscript.TestScript, p *process, check func() error) {
	ts.Check(awaitErr(s.t.Context(), scriptPatience, func() error {
		if p.ended() {
			ts.Fatalf("%s ended: %s", p.name, p.cmd.ProcessState)
		}
		return check()
	}))
}

func (s *script) hubReady(base string) error {
	code, _, err := s.request(http.MethodGet, base+"/readyz", "", nil)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("readyz: %d", code)
	}
	return err
}

// listening finds the address in what an application says first.
func listening(p *process) (string, error) {
	for line := range strings.Lines(p.out.String()) {
		if url, ok := strings.CutPrefix(line, "listening on "); ok && strings.HasSuffix(url, "\n") {
			return strings.TrimSuffix(strings.TrimSpace(url), "/scim/v2"), nil
		}
	}
	return "", errors.New("it does not listen yet")
}

// checkWritten fails a test that wrote a secret, or whose program panicked or had
// a data race, whatever became of it.
func checkWritten(t *testing.T, what, text string) {
	t.Helper()
	for name, secret := range scriptSecrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the secret %s was written out", what, name)
		}
	}
	for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if i := strings.Index(text, bad); i >= 0 {
			t.Errorf("%s: %s", what, text[i:min(i+4000, len(text))])
		}
	}
}

// scriptT is the T of scripts. It says that it is verbose to have the transcript of
// a whole script, not only that of its last phase, in order to look for secrets.
type scriptT struct{ *testing.T }

// Run runs a script as a subtest.
func (t scriptT) Run(name string, run func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { run(scriptT{t}) })
}

// Verbose asks for the whole transcript.
func (scriptT) Verbose() bool { return true }

// Log takes the transcript when the script has ended. The variables at its head are
// no business of a log: the secrets are there, and a password of the database
// may be. What -testwork asks for is their first line.
func (t scriptT) Log(args ...any) {
	t.Helper()
	text := fmt.Sprint(args...)
	if vars, rest, ok := strings.Cut(text, "\n\n"); ok && strings.HasPrefix(vars, "WORK=") {
		if work, _, _ := strings.Cut(vars, "\n"); work != "WORK=$WORK" {
			rest = work + "\n" + rest
		}
		text = rest
	}
	checkWritten(t.T, "transcript", text)
	t.T.Log(text)
}
