package admin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
)

const contractConfig = `
database: sqlite:x.db
sources: {hr: {}}
roles:
  employee: {when: user.active, grants: [{target: chat}, {target: paper}]}
  boss: {when: 'user.title == "Boss"', grants: [{target: chat, group: bosses}]}
  clerk: {when: 'user.title == "Boss"', grants: [{target: chat, group: clerks}]}
  admins: {request: {by: anyone, approve: ["role:boss"]}, grants: [{target: chat, group: admins}]}
conflicts: [{name: both, roles: [boss, clerk], action: refuse}]
targets:
  chat: {url: http://127.0.0.1:1}
  paper: {manual: {assignee: "role:boss"}}
`

// lived fills a hub with something of everything, through the API, and returns what
// stands for the variables of addresses.
func lived(t *testing.T, a *api, c *contract) map[string]string {
	t.Helper()
	a.apply(contractConfig, 1)
	user, _ := scim.DefaultRegistry().Type("User")
	by := hub.Actor{Source: "hr", Name: "main"}
	for _, u := range []map[string]any{{"userName": "sam", "active": true, "title": "Boss"}, {"userName": "lea", "active": true}} {
		id := a.push("hr", u)
		if u["userName"] == "lea" { // and has left
			if err := a.hub.Delete(t.Context(), by, user, id, func(scim.Meta) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.settle()
	there := map[string]string{"{person}": "ada", "{target}": "chat", "{source}": "hr", "{version}": "1"}
	for _, step := range []struct{ method, path, body, as string }{
		{"POST", "/tokens", `{"source":"hr","name":"x"}`, "{token}"},
		{"POST", "/tokens/{token}/rotate", `{"expires":"10d"}`, ""},
		{"POST", "/requests", `{"role":"admins","for":"ada","reason":"x"}`, "{request}"},
		{"POST", "/requests/{request}/approve", `{"reason":"yes"}`, ""},
		{"POST", "/requests", `{"role":"admins","for":"sam","until":"30d"}`, "{request}"},
		{"POST", "/deputies", `{"person":"ada","deputy":"sam"}`, "{deputy}"},
		{"POST", "/exceptions", `{"for":"sam","roles":["boss","clerk"],"owner":"ada","reason":"x","until":"10d"}`, "{exception}"},
		{"POST", "/plan", `{"config":` + quoted(strings.Replace(contractConfig, "user.active", "user.title == \"x\"", 1)) + `}`, ""},
		{"POST", "/config", `{"config":` + quoted(contractConfig+"# 2\n") + `}`, ""},
		{"POST", "/config/rollback", `{"dry_run":true}`, ""},
		{"POST", "/replay", `{"since":"2020-01-01T00:00:00Z","config":` + quoted(contractConfig) + `}`, ""},
		{"POST", "/audit/verify", `{}`, ""},
		{"POST", "/identities/ada/what-if", `{"facts":{"title":"Boss"}}`, ""},
		{"POST", "/sources/hr/import?partial=true", "userName,active\ntom,true\n", ""},
		{"POST", "/reviews", `{"role":"boss","reviewer":"ada"}`, "{review}"},
		{"POST", "/sign-in-links", `{}`, ""},
		{"POST", "/targets/chat/drift", "", ""},
		{"POST", "/targets/chat/sync", "", ""},
	} {
		path := inPath.ReplaceAllStringFunc(step.path, func(name string) string { return there[name] })
		status, raw := a.checked(c, step.method, path, step.body)
		if status != 200 {
			t.Fatalf("%s %s: %d %s", step.method, path, status, raw)
		}
		var made struct {
			ID string `json:"id"`
		}
		if step.as != "" && (json.Unmarshal(raw, &made) != nil || made.ID == "") {
			t.Fatalf("%s %s: no id: %s", step.method, path, raw)
		}
		if step.as != "" {
			there[step.as] = made.ID
		}
	}
	a.settle()
	return there
}

func quoted(text string) string { raw, _ := json.Marshal(text); return string(raw) }

func (a *api) apply(text string, base int64) {
	a.t.Helper()
	snap, err := a.hub.Apply(a.t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), base)
	if err != nil {
		a.t.Fatal(err)
	}
	a.hub.Activate(snap)
}

// checked asks as an admin, and holds the answer against the description.
func (a *api) checked(c *contract, method, path, body string) (status int, raw []byte) {
	a.t.Helper()
	r := httptest.NewRequestWithContext(a.t.Context(), method, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer admin-secret")
	r.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "/import") {
		r.Header.Set("Content-Type", "text/csv")
	}
	w := httptest.NewRecorder()
	a.Config.Handler.ServeHTTP(w, r)
	raw, _ = io.ReadAll(w.Body)
	if op, ok := c.of(method, path); !ok {
		a.t.Errorf("%s %s is not described", method, path)
	} else if fault := c.fault(op, w.Code, w.Header(), raw); fault != "" {
		a.t.Errorf("%s %s: %d %.2000s\n%s", method, path, w.Code, raw, fault)
	}
	return w.Code, raw
}

// of is the operation at an address: of several that fit, the one with fewest variables.
func (c *contract) of(method, address string) (found operation, ok bool) {
	address, _, _ = strings.Cut(address, "?")
	parts := strings.Split(address, "/")
	for _, op := range c.operations {
		mine := strings.Split(op.path, "/")
		same := op.method == method && len(mine) == len(parts)
		for i := range mine {
			same = same && (mine[i] == parts[i] || strings.HasPrefix(mine[i], "{"))
		}
		if same && (!ok || strings.Count(op.path, "{") < strings.Count(found.path, "{")) {
			found, ok = op, true
		}
	}
	return found, ok
}

// TestContract: whatever is asked, the answer is one that the description names, and the
// hub never fails.
func TestContract(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		c := contractOf(t, &admin.API{Hub: a.hub})
		there := lived(t, a, c)
		for _, op := range c.operations { // what there is, read plainly
			path := inPath.ReplaceAllStringFunc(op.path, func(name string) string { return there[name] })
			if op.method == "GET" && !strings.Contains(path, "//") && !strings.HasSuffix(path, "/") {
				a.checked(c, "GET", path, "")
			}
		}
		if t.Failed() {
			return
		}
		rapid.Check(t, func(rt *rapid.T) {
			n := rapid.Uint64().Draw(rt, "where to begin")
			for i := range uint64(6) { // spread over all operations, for small numbers are drawn most
				n = (n + i + 1) * 0x9E3779B97F4A7C15
				c.try(rt, a, c.operations[n>>20%uint64(len(c.operations))], there)
			}
		})
	})
}

// try sends something to an operation.
func (c *contract) try(t *rapid.T, a *api, op operation, there map[string]string) {
	path, body := c.address(t, op, there), c.body(t, op)
	r := httptest.NewRequestWithContext(a.t.Context(), op.method, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+rapid.SampledFrom([]string{"admin-secret", "admin-secret", "admin-secret", "auditor-secret", "operator-secret"}).Draw(t, "role"))
	r.Header.Set("Content-Type", rapid.SampledFrom([]string{"application/json", "text/csv"}).Draw(t, "type"))
	for _, header := range []string{"Idempotency-Key", "If-Match", "If-None-Match"} {
		if rapid.IntRange(0, 9).Draw(t, header) == 0 {
			r.Header.Set(header, rapid.SampledFrom([]string{"k1", `"x"`, "*", "k2", strings.Repeat("k", 256)}).Draw(t, "tag"))
		}
	}
	w := httptest.NewRecorder()
	a.Config.Handler.ServeHTTP(w, r)
	raw, _ := io.ReadAll(w.Body)
	if fault := c.fault(op, w.Code, w.Header(), raw); fault != "" {
		t.Fatalf("%s %s\n%s\nis answered with %d %.600s\n%s", op.method, path, body, w.Code, raw, fault)
	}
}

// TestDescription: what is written about routes is there, once, and can be read.
func TestDescription(t *testing.T) {
	t.Parallel()
	c := contractOf(t, &admin.API{})
	seen := map[string]string{}
	for _, op := range c.operations {
		where := op.method + " " + op.path
		id, _ := op.says["operationId"].(string)
		if was, ok := seen[id]; ok || id == "" {
			t.Errorf("%s has the operationId %q of %s", where, id, was)
		}
		seen[id] = where
		if words, _ := op.says["summary"].(string); words == "" || strings.HasSuffix(words, ".") {
			t.Errorf("%s: say in a sentence without a full stop what it is for", where)
		}
		content, _ := at(op.says, "responses", "200", "content").(map[string]any)
		if len(content) == 0 {
			t.Errorf("%s: say what it answers", where)
		}
		if slices.Contains([]any{"", nil}, op.says["x-scimhub-right"]) {
			t.Errorf("%s: no right", where)
		}
		for name := range at(c.doc, "components", "schemas").(map[string]any) {
			if strings.ContainsAny(name, "[]/ ") {
				t.Errorf("schema %q cannot be named so", name)
			}
		}
	}
	if text := fmt.Sprint(c.doc); strings.Contains(text, "swordfish") || len(c.operations) < 50 {
		t.Errorf("%d operations", len(c.operations))
	}
}
