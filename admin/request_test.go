package admin_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const askable = `
database: sqlite:x.db
sources: {hr: {}}
roles:
  security: {when: 'user.title == "Security"', grants: [{target: chat}]}
  admins: {request: {by: anyone, approve: ["role:security"], reason: required}, deny: 'user.userType == "contractor"', grants: [{target: chat}]}
targets: {chat: {url: http://127.0.0.1:1}}
`

// eachAsk is the API over a hub with ada, sam of security and the contractor carl; who
// has a token has its role and name for a secret.
func eachAsk(t *testing.T, run func(t *testing.T, a *api)) {
	t.Helper()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		log := slog.New(slog.DiscardHandler)
		h := hub.New(db.Store, log)
		snap, err := h.Apply(t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(askable), 0)
		if err != nil {
			t.Fatal(err)
		}
		h.Activate(snap)
		tokens := &admin.Tokens{Now: time.Now}
		var list []admin.Token
		for _, role := range roles {
			list = append(list, admin.NewToken(role, role, role, nil))
		}
		for _, person := range []string{"ada", "sam", "carl", "ghost"} {
			token := admin.NewToken(person, admin.RolePerson, person, nil)
			token.Person = person
			list = append(list, token)
		}
		tokens.Replace(list)
		root := mux.NewRouter().SkipClean(true).UseEncodedPath()
		(&admin.API{Hub: h, Tokens: tokens, Log: log, Nudge: func(string) {}}).Mount(root.PathPrefix("/api/v1").Subrouter())
		user, _ := scim.DefaultRegistry().Type("User")
		for name, more := range map[string][2]string{"ada": {"title", "Dev"}, "sam": {"title", "Security"}, "carl": {"userType", "contractor"}} {
			if _, err := h.Create(t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": name, "active": true, more[0]: more[1]}); err != nil {
				t.Fatal(err)
			}
		}
		server := httptest.NewServer(root)
		t.Cleanup(server.Close)
		a := &api{server, t, h, db}
		a.evaluate()
		run(t, a)
	})
}

func (a *api) evaluate() {
	a.t.Helper()
	for range 20 {
		if n, err := a.hub.EvaluateBatch(a.t.Context()); err != nil || n == 0 {
			if err != nil {
				a.t.Fatal(err)
			}
			return
		}
	}
}

// TestRequestAPI: who may do what with requests, what is refused, and how.
func TestRequestAPI(t *testing.T) {
	t.Parallel()
	eachAsk(t, func(t *testing.T, a *api) {
		var made struct {
			ID       string
			Version  int64
			WaitsFor []string `json:"waits_for"`
			For      string
		}
		status, text, _ := a.call("POST", "/requests", "ada", `{"role":"admins","for":"ada","reason":"work"}`)
		if err := json.Unmarshal([]byte(text), &made); status != 200 || err != nil || made.For != "ada" || len(made.WaitsFor) != 1 {
			t.Fatalf("%d %v %s", status, err, text)
		}
		request := "/requests/" + made.ID
		for _, tt := range []struct {
			token, method, path, body string
			status                    int
			says                      string
		}{
			{"", "POST", "/requests", `{}`, 401, "API token"},
			{"auditor", "POST", "/requests", `{"role":"admins","for":"ada","reason":"x"}`, 403, "auditor may not"},
			{"approver", "POST", "/requests", `{"role":"admins","for":"ada","reason":"x"}`, 403, "acts for nobody"},
			{"ghost", "POST", "/requests", `{"role":"admins","reason":"x"}`, 403, "not known"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"x","colour":"red"}`, 400, "colour"},
			{"ada", "POST", "/requests", `{"reason":"x"}`, 400, "role is missing"},
			{"ada", "POST", "/requests", `{"role":"admins"}`, 400, "reason is missing"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"` + strings.Repeat("x", 2001) + `"}`, 400, "2000 characters"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"x","until":"tomorrow"}`, 400, "until: write"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"x"}`, 409, "waits for an answer"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"x","for":"carl"}`, 409, "carl may not hold admins, whoever approves it"},
			{"ada", "GET", "/requests?mine=maybe", "", 400, "mine must be"},
			{"ada", "GET", "/requests?state=gone", "", 400, "state must be one of"},
			{"admin", "GET", "/requests?mine=true", "", 400, "acts for a person"},
			{"auditor", "GET", "/requests?waiting=true", "", 200, made.ID},
			{"auditor", "GET", request, "", 200, made.ID},
			{"sam", "GET", request, "", 200, made.ID},
			{"carl", "GET", request, "", 404, "no request"},
			{"sam", "GET", "/requests/none", "", 404, "no request"},
			{"ada", "GET", "/identities", "", 403, "person may not"},
			{"auditor", "POST", request + "/approve", "", 403, "auditor may not"},
			{"operator", "POST", request + "/approve", "", 403, "operator is not asked, but sam"},
			{"carl", "POST", request + "/approve", "", 403, "carl is not asked"},
			{"ada", "POST", request + "/approve", "", 403, "own request"},
			{"sam", "POST", request + "/deny", "", 400, "needs a reason"},
			{"sam", "POST", request + "/approve", `{"version":77}`, 409, "look at it again"},
			{"carl", "POST", request + "/withdraw", "", 403, "who asked"},
			{"ada", "POST", request + "/revoke", `{"reason":"x"}`, 409, "not approved yet"},
			{"sam", "POST", request + "/approve", `{"version":` + jsonOf(made.Version) + `}`, 200, `"state":"approved"`},
			{"sam", "POST", request + "/deny", `{"reason":"x"}`, 409, "was approved on"},
			{"ada", "POST", request + "/withdraw", "", 409, "revoke it"},
			{"ada", "POST", "/requests", `{"role":"admins","reason":"x"}`, 409, "approved for ada already, without an end"},
			{"sam", "POST", request + "/revoke", `{"reason":"x"}`, 403, "given up by who holds it"},
			{"ada", "POST", request + "/revoke", "", 400, "reason is missing"},
			{"operator", "POST", request + "/revoke", `{"reason":"done"}`, 200, `"why":"operator: done"`},
			{"auditor", "POST", "/deputies", `{"person":"sam","deputy":"ada"}`, 403, "auditor may not"},
			{"operator", "POST", "/deputies", `{"person":"sam"}`, 400, "deputy is missing"},
			{"operator", "POST", "/deputies", `{"person":"sam","deputy":"nobody"}`, 404, "nobody"},
			{"sam", "GET", "/deputies?for=ada", "", 403, "concerns that person alone"},
			{"operator", "DELETE", "/deputies/none", "", 404, "none"},
		} {
			status, text, _ := a.call(tt.method, tt.path, tt.token, tt.body)
			if status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%s %s %s %s: %d, want %d with %q: %s", tt.token, tt.method, tt.path, tt.body, status, tt.status, tt.says, text)
			}
		}
		if n := a.db.Int(t, `SELECT count(*) FROM requests`); n != 1 {
			t.Errorf("%d requests, want the one", n)
		}
	})
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
