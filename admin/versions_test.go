package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/admin"
)

// referred is a configuration without secrets in plain text.
const referred = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles: {employee: {when: user.active, grants: [{target: chat}]}}
targets: {chat: {url: http://127.0.0.1:1}}
`

func (a *api) applied(base int, text string) {
	a.t.Helper()
	body, _ := json.Marshal(admin.ApplyRequest{Config: text, Name: "hub.yaml", Base: int64(base)})
	if status, answer, _ := a.call("POST", "/config", "admin-secret", string(body)); status != http.StatusOK {
		a.t.Fatalf("%d %s", status, answer)
	}
}

// TestRollBack: who may, what is refused and why, and what it makes.
func TestRollBack(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		a.applied(1, referred)
		a.applied(2, strings.Replace(referred, "user.active", "user.active && user.title != ''", 1))
		for _, c := range []struct {
			token, body string
			status      int
			want        string
		}{
			{"operator-secret", `{}`, 403, "may not do this"},
			{"auditor-secret", `{"dry_run":true}`, 403, "may not do this"},
			{"admin-secret", `{"version":3}`, 400, "version 3 is in force"},
			{"admin-secret", `{"version":9}`, 400, "version 3 is in force"},
			{"admin-secret", `{"version":-1}`, 400, "numbers from 1"},
			{"admin-secret", `{"base":2}`, 409, "at version 3 by now, not 2"},
			{"admin-secret", `{"to":2}`, 400, "unknown field"},
			{"admin-secret", `{"version":1}`, 0, "version 1 had secrets in plain text, which are not kept: line 3 (secret), line 4 (secret), line 6 (bearer)"},
			{"admin-secret", `{"dry_run":true}`, 200, `"text_of":2,"base":3,"plan":{`},
		} {
			status, answer, _ := a.call("POST", "/config/rollback", c.token, c.body)
			if c.status != 0 && status != c.status || !strings.Contains(answer, c.want) {
				t.Errorf("%s %s: %d %s, want %q", c.token, c.body, status, answer, c.want)
			}
		}
		if status, answer, _ := a.call("GET", "/config/versions", "auditor-secret", ""); status != 200 || strings.Count(answer, `"version"`) != 3 {
			t.Errorf("versions after nothing was done: %d %s", status, answer)
		}
		var wg sync.WaitGroup
		statuses := make([]int, 4)
		for i := range statuses {
			wg.Go(func() {
				statuses[i], _, _ = a.call("POST", "/config/rollback", "admin-secret", `{"version":2,"base":3}`)
			})
		}
		wg.Wait()
		slices.Sort(statuses)
		if !slices.Equal(statuses, []int{200, 409, 409, 409}) {
			t.Errorf("four at once: %v", statuses)
		}
		if n := a.db.Int(t, `SELECT count(*) FROM audit WHERE action = 'config.rollback'`); n != 1 {
			t.Errorf("%d entries in the audit trail", n)
		}
		if n := a.db.Int(t, `SELECT count(*) FROM config_rolled_back WHERE version = 3`); n != 1 {
			t.Error("what was rolled back is not remembered")
		}
	})
}

// TestConfigVersions: lists in pages, texts without secrets, differences.
func TestConfigVersions(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		for base := 1; base < 5; base++ {
			a.applied(base, fmt.Sprintf("%s# %d\n", referred, base))
		}
		seen, cursor := 0, ""
		for range 10 {
			_, text, _ := a.call("GET", "/config/versions?limit=2&cursor="+cursor, "auditor-secret", "")
			var answer struct {
				Items []admin.ConfigVersionView `json:"items"`
				Next  string                    `json:"next"`
			}
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				t.Fatal(err)
			}
			for _, v := range answer.Items {
				if want := int64(5 - seen); v.Version != want || v.Active != (want == 5) || v.Text != "" {
					t.Errorf("%+v, want version %d", v, want)
				}
				seen++
			}
			if cursor = answer.Next; cursor == "" {
				break
			}
		}
		if seen != 5 {
			t.Errorf("%d versions in pages of two, want 5", seen)
		}
		for path, want := range map[string]string{
			"/config/versions/1":           "${literal:",
			"/config/versions/6":           "no version 6",
			"/config/versions/none":        "a version is a number",
			"/config/versions?cursor=x":    "not one of this listing",
			"/config/diff?from=2&to=3":     `-# 1\n+# 2`,
			"/config/diff?from=2":          "a version is a number",
			"/config/diff?from=1&to=2":     `"gained":0`,
			"/export/identities?limit=1":   `"scimhub_people":1`,
			"/export/identities?cursor=eA": `"items":[]`,
		} {
			_, text, _ := a.call("GET", path, "auditor-secret", "")
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s, want %s", path, text, want)
			}
			for _, secret := range []string{"hunter2", "sesame", "swordfish", "topsecret"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows a secret", path)
				}
			}
		}
	})
}
