package admin_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
)

const untidy = `
database: sqlite:x.db
sources: {hr: {tokens: [{name: main, secret: sesame-open-sesame}], owner: hr-team@example.com}}
identity: {required: [displayName]}
roles:
  pays: {when: 'user.title == "<b>P</b>"', grants: [{target: chat}]}
  approves: {when: 'user.userName == "ada"', grants: [{target: chat}]}
  audits: {when: 'user.userName == "ada"', grants: [{target: chat}]}
conflicts:
  - {name: payments, roles: [pays, approves]}
  - {name: eyes, roles: [audits, approves]}
targets: {chat: {url: http://127.0.0.1:1, auth: {bearer: swordfish-swordfish}}}
`

// tidy puts the configuration in force and evaluates everybody; it adds some people.
func (a *api) tidy(names ...string) {
	a.t.Helper()
	snap, err := a.hub.Apply(a.t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(untidy), 1)
	if err != nil {
		a.t.Fatal(err)
	}
	a.hub.Activate(snap)
	user, _ := scim.DefaultRegistry().Type("User")
	for _, name := range names {
		if _, err := a.hub.Create(a.t.Context(), hub.Actor{Source: "hr", Name: "main"}, user, map[string]any{"userName": name, "active": true}); err != nil {
			a.t.Fatal(err)
		}
	}
	a.evaluateAll()
}

func (a *api) evaluateAll() {
	a.t.Helper()
	for range 20 {
		n, err := a.hub.EvaluateBatch(a.t.Context())
		if err != nil {
			a.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	a.t.Fatal("the evaluation does not end")
}

func decode[T any](t *testing.T, text string) (out T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

type listOf[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

func TestFindingsAPI(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.tidy("bob", "eve")
		var got []string
		for cursor, pages := "", 0; pages < 20; pages++ {
			status, text, _ := a.call("GET", "/findings?limit=2&cursor="+cursor, "auditor-secret", "")
			if status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			page := decode[listOf[admin.FindingView]](t, text)
			for _, f := range page.Items {
				got = append(got, strings.Join([]string{f.Source, f.Owner, f.Kind, f.Subject, f.UserName}, " "))
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		want := []string{"  conflict eyes ada"}
		for _, attribute := range []string{"displayName", "title"} {
			for _, name := range []string{"ada", "jörg müller/é", "bob", "eve"} {
				want = append(want, "hr hr-team@example.com missing "+attribute+" "+name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("findings %q\nwant %q", got, want)
		}
		for query, n := range map[string]int{"?kind=missing": 8, "?source=hr": 8, "?kind=conflict": 1, "?for=ada": 3, "?for=bob&kind=conflict": 0, "?source=none": 0} {
			if _, text, _ := a.call("GET", "/findings"+query, "auditor-secret", ""); len(decode[listOf[admin.FindingView]](t, text).Items) != n {
				t.Errorf("%s: %s, want %d", query, text, n)
			}
		}
		for query, status := range map[string]int{"?kind=nonsense": 400, "?cursor=x": 400, "?cursor=!": 400, "?limit=0": 400, "?for=nobody": 404} {
			if got, text, _ := a.call("GET", "/findings"+query, "auditor-secret", ""); got != status {
				t.Errorf("%s: %d %s", query, got, text)
			}
		}
		_, text, _ := a.call("GET", "/findings/summary", "auditor-secret", "")
		if want := `{"items":[{"source":"","kind":"conflict","count":1},{"source":"hr","kind":"missing","count":8,"owner":"hr-team@example.com"}]}`; text != want {
			t.Errorf("summary %s", text)
		}
	})
}

func TestExceptionsAPI(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.tidy("bob")
		_, text, _ := a.call("GET", "/conflicts", "auditor-secret", "")
		list := decode[listOf[admin.ConflictView]](t, text).Items
		if len(list) != 2 || list[0].Name != "payments" || len(list[0].People) != 0 || len(list[1].People) != 1 || list[1].People[0].UserName != "ada" {
			t.Errorf("conflicts %s", text)
		}
		good := `{"for":"ada","roles":["approves","audits"],"owner":"bob","until":"2d","reason":"year's end"}`
		for _, role := range []string{"auditor", "operator"} {
			if status, _, _ := a.call("POST", "/exceptions", role+"-secret", good); status != 403 {
				t.Errorf("%s: %d", role, status)
			}
		}
		for body, want := range map[string]string{
			`{"roles":["approves","audits"]}`:                                                             "for is missing",
			`{"for":"ada","roles":["approves","audits"],"owner":"bob","reason":"x"}`:                      "until is missing",
			`{"for":"ada","roles":["approves","audits"],"owner":"bob","reason":"x","until":"soon"}`:       "until: write",
			`{"for":"ada","roles":["approves","audits"],"owner":"bob","reason":"x","to":"2d"}`:            "to",
			`{"for":"ada","roles":["pays","audits"],"owner":"bob","reason":"x","until":"2d"}`:             "nothing forbids",
			`{"for":"ada","roles":["approves","audits"],"owner":"bob","until":"2001-01-01","reason":"x"}`: "passed already",
		} {
			if status, text, _ := a.call("POST", "/exceptions", "approver-secret", body); status != 400 || !strings.Contains(text, want) {
				t.Errorf("%s: %d %s, want %q", body, status, text, want)
			}
		}
		status, text, _ := a.call("POST", "/exceptions", "approver-secret", good)
		made := decode[admin.ExceptionView](t, text)
		if status != 200 || made.ID == "" || made.State != "active" || made.UserName != "ada" || made.OwnerName != "bob" || made.By != "approver" ||
			made.Until.Sub(made.From).Round(time.Minute) != 48*time.Hour {
			t.Fatalf("%d %s", status, text)
		}
		a.evaluateAll()
		if _, text, _ := a.call("GET", "/identities/ada", "auditor-secret", ""); !strings.Contains(text, `"roles":["approves","audits"]`) {
			t.Errorf("ada: %s", text)
		}
		if _, text, _ := a.call("GET", "/identities/ada/explain", "auditor-secret", ""); !strings.Contains(text, "by exception "+made.ID) {
			t.Errorf("explain: %s", text)
		}
		for query, n := range map[string]int{"": 1, "?for=ada": 1, "?for=bob": 0, "?ended=true": 1} {
			if _, text, _ := a.call("GET", "/exceptions"+query, "auditor-secret", ""); len(decode[listOf[admin.ExceptionView]](t, text).Items) != n {
				t.Errorf("%q: %s", query, text)
			}
		}
		if status, _, _ := a.call("DELETE", "/exceptions/none", "approver-secret", ""); status != 404 {
			t.Errorf("delete nothing: %d", status)
		}
		for range 2 {
			if status, text, _ := a.call("POST", "/exceptions/"+made.ID+"/revoke", "approver-secret", `{"reason":"done"}`); status != 200 || decode[admin.ExceptionView](t, text).State != "ended" {
				t.Errorf("revoke: %d %s", status, text)
			}
		}
		a.evaluateAll()
		if _, text, _ := a.call("GET", "/identities/ada", "auditor-secret", ""); !strings.Contains(text, `"roles":["audits"]`) {
			t.Errorf("ada: %s", text)
		}
		for query, n := range map[string]int{"": 0, "?ended=true": 1} {
			if _, text, _ := a.call("GET", "/exceptions"+query, "auditor-secret", ""); len(decode[listOf[admin.ExceptionView]](t, text).Items) != n {
				t.Errorf("%q: %s", query, text)
			}
		}
	})
}
