package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// Tokens of a test's hub; no test shares a hub with another.
const (
	hrToken    = "hr-token-of-the-test"
	idpToken   = "idp-token-of-the-test"
	adminToken = "admin-token-of-the-test"
	appToken   = "application-token-of-the-test"
)

// world is a hub, its database and three applications, each a process.
type world struct {
	t        *testing.T
	dir      string
	config   string // path of the hub's configuration
	database string
	base     string // of the hub, http://host:port
	hub      *process
	apps     map[string]*application
	ever     map[string]map[string]bool // application -> externalId of accounts seen there
}

var appNames = []string{"chat", "crm", "git"}

// eachDatabase runs a test with a hub on a fresh SQLite file and on a fresh
// PostgreSQL schema.
func eachDatabase(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			run(t, newWorld(t, storetest.Migrated(t, dialect)))
		})
	}
}

// newWorld starts everything; the hub listens and serves when it returns.
func newWorld(t *testing.T, database string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), database: database, apps: map[string]*application{}, ever: map[string]map[string]bool{}}
	w.config = filepath.Join(w.dir, "hub.yaml")
	for _, name := range appNames {
		profile := "generic"
		if name == "git" {
			profile = "github"
		}
		w.apps[name] = startApplication(t, name, profile, appToken)
		w.ever[name] = map[string]bool{}
	}
	port := storetest.Port(t)
	w.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	text := strings.NewReplacer("PORT", fmt.Sprint(port), "CHAT", w.apps["chat"].base, "GIT", w.apps["git"].base, "CRM", w.apps["crm"].base).Replace(hubConfig)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

// hubConfig is the policy that the oracle in expected() was written from by hand.
// The guards are wide open: what they hold is not the subject here.
const hubConfig = `
listen: 127.0.0.1:PORT
database: "${env:E2E_DATABASE}"
admin:
  tokens: [{name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}]
sources:
  hr:
    tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}]
    guard: {leavers: 100%, floor: 100000}
  idp:
    tokens: [{name: main, secret: "${env:E2E_IDP_TOKEN}"}]
    guard: {leavers: 100%, floor: 100000}
identity:
  match: [externalId, userName]
  authority: {emails: [idp, hr], "*": [hr, idp]}
roles:
  employee:
    when: user.active
    grants: [{target: chat, group: everyone}]
  engineer:
    when: user.enterprise.department == "Engineering"
    inherits: [employee]
    grants: [{target: git, group: engineers}, {target: chat, group: eng}]
  sales:
    when: user.enterprise.department == "Sales"
    grants: [{target: crm, group: sales}]
  lead:
    when: user.title.startsWith("Lead")
    grants: [{target: crm}, {target: chat, group: leads}]
  oncall:
    when: '"team-oncall" in user.groups'
    grants: [{target: git, group: oncall}]
  project:
    when: user.groups.exists(g, g.startsWith("proj-1"))
    grants: [{target: chat, group: projects}]
targets:
  chat:
    url: CHAT/scim/v2
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    guard: {removals: 100%, floor: 100000}
  git:
    url: GIT/scim/v2
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    profile: github
    rate: {buckets: []}
    scope: user.enterprise.department != "Legal"
    user:
      userName: user.userName
      externalId: user.externalId
      displayName: user.name.givenName + " " + user.name.familyName
      'emails[type eq "work"].value': user.emails[0].value
    groups: {mirror: ['displayName sw "app-git-"']}
    guard: {removals: 100%, floor: 100000}
  crm:
    url: CRM/scim/v2
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    leaver: {first: delete}
    guard: {removals: 100%, floor: 100000}
`

func (w *world) env() []string {
	return []string{"E2E_DATABASE=" + w.database, "E2E_ADMIN_TOKEN=" + adminToken, "E2E_HR_TOKEN=" + hrToken, "E2E_IDP_TOKEN=" + idpToken,
		"E2E_APP_TOKEN=" + appToken, "SCIMHUB_RUNTIME_DIR=" + filepath.Join(w.dir, "run"), "GORACE=halt_on_error=1"}
}

// start runs the hub and waits until it serves.
func (w *world) start() {
	w.t.Helper()
	w.launch()
	w.hub.awaitReady(w.t, w.base)
}

func (w *world) launch() {
	w.t.Helper()
	w.hub = launch(w.t, "hub", w.env(), "serve", "--config", w.config)
}

func (w *world) ready(ctx context.Context) error { return readyAt(ctx, w.base) }

func readyAt(ctx context.Context, base string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", res.Status)
	}
	return nil
}

// command runs a command of the program against the hub and returns its exit code.
func (w *world) command(args ...string) (code int, out, errOut string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), programPath(w.t), append(args, "--server", w.base, "--token", adminToken)...)
	cmd.Env = append(os.Environ(), "SCIMHUB_RUNTIME_DIR="+filepath.Join(w.dir, "run"))
	var o, e lines
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// wantExit runs a command and wants its exit code.
func (w *world) wantExit(want int, args ...string) string {
	w.t.Helper()
	code, out, errOut := w.command(args...)
	if code != want {
		w.t.Errorf("scimhub %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errOut)
	}
	return out
}

// targetView is what the tests read of `target show -o json`.
type targetView struct {
	State      string         `json:"state"`
	Accounts   map[string]int `json:"accounts"`
	Pending    int            `json:"pending"`
	LastError  string         `json:"last_error"`
	ErrorClass string         `json:"error_class"`
	Errors     map[string]int `json:"errors"`
}

func (w *world) target(name string) targetView {
	w.t.Helper()
	var v targetView
	out := w.wantExit(0, "target", "show", name, "-o", "json")
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		w.t.Fatalf("target show %s: %v", name, err)
	}
	return v
}

// rest waits until the hub has nothing left to do: its plan is empty.
func (w *world) rest(limit time.Duration) {
	w.t.Helper()
	await(w.t, limit, "the plan is empty", func() error {
		if code, out, errOut := w.command("plan"); code != 0 {
			return fmt.Errorf("scimhub plan: exit code %d\n%s%s", code, out, errOut)
		}
		return nil
	})
}

// sound checks what must hold whenever the hub has come to rest: nothing is left
// to do, and the audit chain verifies.
func (w *world) sound() {
	w.t.Helper()
	w.rest(30 * time.Second)
	w.wantExit(0, "audit", "verify")
}
