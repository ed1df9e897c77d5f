package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// walkConfig is a small company with two applications. Its guard is tight: two removals
// within an hour are let through.
const walkConfig = `
listen: 127.0.0.1:PORT
database: "${env:E2E_DATABASE}"
admin:
  tokens:
    - {name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}
    - {name: olga, secret: "${env:WALK_OPERATOR}", role: operator}
    - {name: audrey, secret: "${env:WALK_AUDITOR}", role: auditor}
    - {name: mia, secret: "${env:WALK_MANAGER}", role: person, person: mia}
    - {name: ada, secret: "${env:WALK_PERSON}", role: person, person: ada}
sources:
  hr: {tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}], guard: {leavers: 100%, floor: 100000}}
roles:
  employee:
    when: user.active
    grants: [{target: chat}]
  engineer:
    when: user.enterprise.department == "Engineering"
    grants: [{target: git, group: engineers}]
  deployer:
    risk: high
    request: {by: self, approve: [manager], expires: 90d, reason: required}
    grants: [{target: git, group: deployers}]
targets:
  chat: {url: CHAT/scim/v2, auth: {bearer: "${env:E2E_APP_TOKEN}"}, guard: {removals: 1%, floor: 2}}
  git: {url: GIT/scim/v2, auth: {bearer: "${env:E2E_APP_TOKEN}"}, guard: {removals: 100%, floor: 100000}}
`

const (
	walkOperator = "walk-operator-token-1"
	walkAuditor  = "walk-auditor-token-01"
	walkManager  = "walk-manager-token-01"
	walkPerson   = "walk-person-token-001"
)

// walked is a hub with people, for walks.
type walked struct {
	*world
	hr  *source
	ids map[string]string // of people at the hub, by user name
}

// eachWalk runs a walk on both databases, or skips it where there is no browser.
func eachWalk(t *testing.T, others int, run func(*testing.T, *walked)) {
	t.Helper()
	if os.Getenv("SCIMHUB_BROWSER") == "" {
		t.Skip("needs a browser: set SCIMHUB_BROWSER to chromium")
	}
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) { run(t, newWalked(t, storetest.Migrated(t, dialect), others)) })
	}
}

// newWalked starts the hub and has everybody join.
func newWalked(t *testing.T, database string, others int) *walked {
	t.Helper()
	for name, token := range map[string]string{"WALK_OPERATOR": walkOperator, "WALK_AUDITOR": walkAuditor, "WALK_MANAGER": walkManager, "WALK_PERSON": walkPerson} {
		t.Setenv(name, token)
	}
	w := &walked{world: &world{t: t, dir: t.TempDir(), database: database, apps: map[string]*application{}, ever: map[string]map[string]bool{}}, ids: map[string]string{}}
	w.config = filepath.Join(w.dir, "hub.yaml")
	for _, name := range []string{"chat", "git"} {
		w.apps[name] = startApplication(t, name, "generic", appToken)
	}
	port := storetest.Port(t)
	w.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	text := strings.NewReplacer("PORT", fmt.Sprint(port), "CHAT", w.apps["chat"].base, "GIT", w.apps["git"].base).Replace(walkConfig)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.hr = w.source("hr")
	w.join("mia", "Mia Manager", "Engineering", "")
	w.join("ada", "Ada Lovelace", "Engineering", w.ids["mia"])
	for i := range others {
		w.join(fmt.Sprintf("p%03d", i), fmt.Sprintf("Person %03d", i), "Engineering", w.ids["mia"])
	}
	w.rest(2 * time.Minute)
	return w
}

func (w *walked) person(userName, name, department, manager string, active bool) map[string]any {
	given, family, _ := strings.Cut(name, " ")
	enterprise := map[string]any{"department": department}
	if manager != "" {
		enterprise["manager"] = map[string]any{"value": manager}
	}
	return map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN}, "userName": userName, "displayName": name,
		"name": map[string]any{"givenName": given, "familyName": family}, "active": active,
		"emails": []any{map[string]any{"value": userName + "@ex.com", "type": "work", "primary": true}}, enterpriseURN: enterprise}
}

func (w *walked) join(userName, name, department, manager string) {
	w.t.Helper()
	id, err := w.hr.create(w.t.Context(), "/Users", "userName", w.person(userName, name, department, manager, true))
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids[userName] = id
}

// dialectOf is the database that a subtest runs on.
func dialectOf(t *testing.T) string { return t.Name()[strings.LastIndexByte(t.Name(), '/')+1:] }

// members are the groups of an application, and how many are in each.
func (w *walked) members(app string) map[string]int {
	w.t.Helper()
	h, err := w.apps[app].state(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int{}
	for name, list := range h.members {
		out[name] = len(list)
	}
	return out
}
