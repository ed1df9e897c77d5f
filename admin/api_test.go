package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const configuration = `
database: sqlite:x.db
admin: {tokens: [{name: ops, secret: hunter2hunter2, role: admin}]}
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}]}}
roles: {employee: {when: user.active, grants: [{target: chat}]}}
targets: {chat: {url: http://127.0.0.1:1, auth: {bearer: swordfish-swordfish}}}
`

var roles = []string{admin.RoleAdmin, admin.RoleOperator, admin.RoleApprover, admin.RoleAuditor}

// api is the API over a hub with one person, mounted as the program mounts it.
type api struct {
	*httptest.Server
	t   *testing.T
	hub *hub.Hub
	db  *storetest.DB
}

func eachAPI(t *testing.T, run func(t *testing.T, a *api)) {
	t.Helper()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		log := slog.New(slog.DiscardHandler)
		h := hub.New(db.Store, log)
		snap, err := h.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(configuration), 0)
		if err != nil {
			t.Fatal(err)
		}
		h.Activate(snap)
		tokens := &admin.Tokens{Now: time.Now}
		past := time.Now().Add(-time.Hour)
		list := []admin.Token{admin.NewToken("old", admin.RoleAdmin, "expired", &past)}
		for _, role := range roles {
			list = append(list, admin.NewToken(role, role, role+"-secret", nil))
		}
		tokens.Replace(list)
		a := &admin.API{Hub: h, Tokens: tokens, Log: log, Nudge: func(string) {},
			Activate: func(_ context.Context, s *hub.Snapshot) error { h.Activate(s); return nil }}
		root := mux.NewRouter().SkipClean(true).UseEncodedPath()
		a.Mount(root.PathPrefix("/api/v1").Subrouter())
		user, _ := scim.DefaultRegistry().Type("User")
		for _, name := range []string{"ada", "jörg müller/é"} {
			if _, err := h.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": name, "active": true, "password": "topsecret-pw"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.EvaluateBatch(t.Context()); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(root)
		t.Cleanup(server.Close)
		run(t, &api{server, t, h, db})
	})
}

// call sends a request and checks what every answer has.
func (a *api) call(method, path, token, body string) (status int, text string, header http.Header) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := a.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	text = string(raw)
	for _, secret := range []string{"hunter2", "sesame-open", "swordfish", "topsecret", "-secret"} {
		if strings.Contains(text, secret) {
			a.t.Errorf("%s %s: a secret is in the answer: %s", method, path, text)
		}
	}
	if resp.StatusCode >= 400 {
		var p admin.Problem
		if err := json.Unmarshal(raw, &p); err != nil || p.Status != resp.StatusCode || p.Title == "" || p.Detail == "" || p.Code == "" ||
			resp.Header.Get("Content-Type") != "application/problem+json" {
			a.t.Errorf("%s %s: %d is no problem+json: %s", method, path, resp.StatusCode, text)
		}
	}
	return resp.StatusCode, text, resp.Header
}

// TestRoles: every route, every role.
func TestRoles(t *testing.T) {
	t.Parallel()
	const all, op, app, adm = "admin operator approver auditor", "admin operator", "admin approver", "admin"
	eachAPI(t, func(t *testing.T, a *api) {
		for _, tt := range []struct {
			method, path, body, allow string
			status                    int // for those allowed
		}{
			{"GET", "/version", "", all, 200},
			{"GET", "/config", "", all, 200},
			{"POST", "/config", `{"config":" "}`, adm, 400},
			{"POST", "/plan", `{}`, op, 200},
			{"GET", "/targets", "", all, 200},
			{"GET", "/targets/chat", "", all, 200},
			{"GET", "/targets/none", "", all, 404},
			{"GET", "/targets/chat/accounts", "", all, 200},
			{"POST", "/targets/chat/sync", "", op, 200},
			{"GET", "/targets/chat/drift", "", all, 200},
			{"POST", "/targets/chat/drift", "", op, 200},
			{"POST", "/targets/chat/pause", "", op, 200},
			{"POST", "/targets/chat/resume", "", op, 200},
			{"POST", "/targets/chat/release", `{"digest":"x"}`, app, 409},
			{"GET", "/identities", "", all, 200},
			{"GET", "/identities/ada", "", all, 200},
			{"GET", "/identities/j%C3%B6rg%20m%C3%BCller%2F%C3%A9", "", all, 200},
			{"GET", "/identities/nobody", "", all, 404},
			{"GET", "/identities/ada/explain", "", all, 200},
			{"GET", "/tokens", "", all, 200},
			{"POST", "/tokens", `{"source":"none"}`, adm, 404},
			{"POST", "/tokens/none/rotate", "{}", adm, 404},
			{"POST", "/tokens/none/revoke", "", adm, 404},
			{"GET", "/audit", "", all, 200},
			{"GET", "/audit/verify", "", all, 200},
		} {
			for _, role := range roles {
				want := 403
				if slices.Contains(strings.Fields(tt.allow), role) {
					want = tt.status
				}
				if got, text, _ := a.call(tt.method, tt.path, role+"-secret", tt.body); got != want {
					t.Errorf("%s %s as %s: %d, want %d: %s", tt.method, tt.path, role, got, want, text)
				}
			}
			for _, token := range []string{"", "wrong", "expired"} {
				got, _, h := a.call(tt.method, tt.path, token, tt.body)
				if got != 401 || !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s %s with token %q: %d %q", tt.method, tt.path, token, got, h.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

// TestBadRequests: a clear error, and nothing changes.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9<<20)
	eachAPI(t, func(t *testing.T, a *api) {
		before := a.db.Int(t, `SELECT count(*) FROM audit`)
		for _, tt := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"GET", "/nothing", "", 404, "no such address"},
			{"PUT", "/config", "{}", 405, "method"},
			{"DELETE", "/targets/chat", "", 405, "method"},
			{"POST", "/plan", ``, 400, "JSON"},
			{"POST", "/plan", `[1]`, 400, "JSON"},
			{"POST", "/plan", `{"confg":"x"}`, 400, "confg"},
			{"POST", "/plan", `{} {}`, 400, "more than one"},
			{"POST", "/plan", `{"target":"none"}`, 404, "none"},
			{"POST", "/plan", `{"config":"` + long + `"}`, 400, "8 MiB"},
			{"POST", "/config", `{"config":"a: 1","base":77}`, 400, "faults"},
			{"POST", "/config", `{}`, 400, "config is missing"},
			{"POST", "/targets/chat/release", `{"digest":"0123"}`, 409, "nothing is held"},
			{"GET", "/identities?limit=0", "", 400, "limit"},
			{"GET", "/identities?limit=many", "", 400, "limit"},
			{"GET", "/identities?cursor=%00", "", 400, ""},
			{"GET", "/identities?cursor=!!", "", 400, "cursor"},
			{"GET", "/identities?cursor=bnVsbA", "", 400, "cursor"},
			{"GET", "/identities?cursor=WyJhIl0", "", 400, "cursor"},
			{"GET", "/identities?cursor=WyJhXHUwMDAwIiwiYiJd", "", 400, "cursor"},
			{"GET", "/identities?q=a%00b", "", 400, ""},
			{"GET", "/identities?q=%ff", "", 400, ""},
			{"GET", "/identities/a%00b", "", 400, ""},
			{"GET", "/identities/%ff", "", 400, ""},
			{"GET", "/identities/ada/explain?at=yesterday", "", 400, "RFC 3339"},
			{"GET", "/audit?cursor=rubbish", "", 400, "cursor"},
			{"GET", "/audit?identity=%00", "", 400, ""},
			{"GET", "/targets/chat/accounts?cursor=%00", "", 400, ""},
		} {
			status, text, h := a.call(tt.method, tt.path, "admin-secret", tt.body)
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("%s %s: %d, want %d with %q: %.300s", tt.method, tt.path, status, tt.status, tt.want, text)
			}
			if status == 405 && !strings.Contains(h.Get("Allow"), "GET") {
				t.Errorf("%s %s: Allow %q", tt.method, tt.path, h.Get("Allow"))
			}
		}
		if after := a.db.Int(t, `SELECT count(*) FROM audit`); after != before {
			t.Errorf("%d audit entries of requests that were refused", after-before)
		}
	})
}

// TestPlanNamesAllFaults of a configuration, each with its place.
func TestPlanNamesAllFaults(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		bad := strings.Replace(configuration, "when: user.active", "when: user.actve", 1) + "targts: {}\naudit: {retain: soon}\n"
		body, err := json.Marshal(admin.PlanRequest{Config: bad, Name: "new.yaml"})
		if err != nil {
			t.Fatal(err)
		}
		status, text, _ := a.call("POST", "/plan", "operator-secret", string(body))
		var p admin.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || status != 400 || len(p.Faults) < 3 {
			t.Fatalf("%d %s", status, text)
		}
		for _, f := range p.Faults {
			if !strings.HasPrefix(f, "new.yaml:") {
				t.Errorf("a fault without its place: %s", f)
			}
		}
	})
}

// TestReleaseNeedsTheDigest of exactly what is held.
func TestReleaseNeedsTheDigest(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.db.Exec(t, `UPDATE accounts SET owned = 'created', remote_id = identity_id, applied = desired, desired = NULL, state = 'held', due = FALSE, last_error = 'too many'`)
		_, text, _ := a.call("GET", "/targets/chat", "auditor-secret", "")
		var v admin.TargetView
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.Held == nil || v.Held.Count != 2 || len(v.Held.Changes) != 2 {
			t.Fatalf("%v: %s", err, text)
		}
		release := func(digest string) (int, string) {
			status, text, _ := a.call("POST", "/targets/chat/release", "approver-secret", fmt.Sprintf(`{"digest":%q}`, digest))
			return status, text
		}
		for _, wrong := range []string{"", "0000", strings.ToUpper(v.Held.Digest) + "0", fanout.Digest("chat", v.Held.Changes[0])} {
			if status, text := release(wrong); status != 409 {
				t.Errorf("digest %q: %d %s", wrong, status, text)
			}
		}
		if n := a.db.Int(t, `SELECT count(*) FROM releases`); n != 0 {
			t.Errorf("%d releases by wrong digests", n)
		}
		if status, text := release(v.Held.Digest); status != 200 || !strings.Contains(text, `"accounts":2`) {
			t.Errorf("%d %s", status, text)
		}
		if n := a.db.Int(t, `SELECT count(*) FROM audit WHERE action = 'target.release' AND actor = 'approver'`); n != 1 {
			t.Errorf("%d audit entries of the release", n)
		}
	})
}

// TestUnusableConfigurationIsNotStored: what cannot be put in force must not
// become the active version, which a restart would then fail on.
func TestUnusableConfigurationIsNotStored(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.hub.Usable = func(*hub.Snapshot) error { return model.Fail(model.Invalid, "environment variable X is not set", nil) }
		body, err := json.Marshal(admin.ApplyRequest{Config: configuration + "# new\n"})
		if err != nil {
			t.Fatal(err)
		}
		status, text, _ := a.call("POST", "/config", "admin-secret", string(body))
		if status != 400 || !strings.Contains(text, "is not set") {
			t.Errorf("%d %s", status, text)
		}
		if v, _, err := a.hub.Store.ActiveConfig(t.Context()); v.Version != 1 || err != nil {
			t.Errorf("version %d is active: %v", v.Version, err)
		}
	})
}
