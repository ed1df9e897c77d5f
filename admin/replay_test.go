package admin_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

const replayed = `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer: {when: user.title == "Engineer", grants: [{target: git, group: engineers}]}
targets:
  chat: {url: http://127.0.0.1:1}
  git: {url: http://127.0.0.1:2}
`

// recorded is a hub that has been running for a while.
type recorded struct {
	*hub.Hub
	t     *testing.T
	clock *storetest.Clock
	user  *scim.ResourceType
}

func (p *recorded) evaluate() {
	p.t.Helper()
	for range 20 {
		n, err := p.EvaluateBatch(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	p.t.Fatal("the evaluation does not end")
}

func (p *recorded) apply(base int64, text string) {
	p.t.Helper()
	snap, err := p.Apply(p.t.Context(), hub.Actor{Name: "test"}, "hub.yaml", []byte(text), base)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Activate(snap)
	p.evaluate()
}

func (p *recorded) person(name, title string) string {
	p.t.Helper()
	r, err := p.Create(p.t.Context(), hub.Actor{Source: "hr", Name: "main"}, p.user, map[string]any{"userName": name, "title": title, "active": true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.evaluate()
	return r.ID
}

func (p *recorded) title(id, title string) {
	p.t.Helper()
	body := `{"schemas":["` + scim.URNPatchOp + `"],"Operations":[{"op":"replace","path":"title","value":"` + title + `"}]}`
	patch, err := scim.ParsePatch([]byte(body), p.user, scim.Dialect{})
	if err == nil {
		_, err = p.Modify(p.t.Context(), hub.Actor{Source: "hr", Name: "main"}, p.user, id, func(scim.Meta) error { return nil }, scim.Change{Patch: patch}, scim.Fields{})
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.evaluate()
}

// TestReplay: what a configuration would have decided, and when.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			day := func(n int) time.Time { return time.Date(2027, 3, 1+n, 12, 0, 0, 0, time.UTC) }
			clock := storetest.NewClock(day(0))
			db := storetest.Open(t, dialect, store.Options{Now: clock.Now})
			p := &recorded{Hub: hub.New(db.Store, slog.New(slog.DiscardHandler)), t: t, clock: clock}
			p.user, _ = scim.DefaultRegistry().Type("User")
			api := &admin.API{Hub: p.Hub}
			p.apply(0, replayed)
			ada := p.person("ada", "Engineer")
			clock.Set(day(10))
			p.title(ada, "Sales")
			clock.Set(day(15))
			p.apply(1, strings.Replace(replayed, "[{target: git, group: engineers}]", "[{target: git, group: devs}]", 1))
			clock.Set(day(20))
			p.person("bob", "Engineer")
			clock.Set(day(30))

			run := func(text string, since time.Time, limit int) admin.ReplayAnswer {
				t.Helper()
				snap, err := hub.Compile(9, "new.yaml", []byte(text), nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := api.Replay(t.Context(), snap, since, limit)
				if err != nil {
					t.Fatal(err)
				}
				for i := range answer.Differences {
					answer.Differences[i].Identity = ""
				}
				return answer
			}
			from, till := day(10), day(15)
			same := run(strings.Replace(replayed, "engineers", "devs", 1), day(16), 100)
			if same.Affected != 0 || len(same.Differences) != 0 || same.Moments != 2 || same.People != 2 {
				t.Errorf("what is in force decides otherwise than it did: %+v", same)
			}
			got := run(strings.Replace(replayed, `"Engineer"`, `"Sales"`, 1), day(5), 100)
			want := []admin.ReplayDifference{
				{Person: "ada", From: day(5), Until: &from, Lost: []string{"engineer"}, AccessLost: []string{"git", "git:engineers"}},
				{Person: "ada", From: day(10), Gained: []string{"engineer"}, AccessGained: []string{"git", "git:engineers"}},
				{Person: "bob", From: day(20), Lost: []string{"engineer"}, AccessLost: []string{"git", "git:devs"}},
			}
			if diff := cmp.Diff(want, got.Differences); diff != "" {
				t.Error(diff)
			}
			counts := []admin.ReplayCount{{Name: "engineer", Gained: 1, Lost: 2}}
			if diff := cmp.Diff(counts, got.Roles); diff != "" || got.Affected != 2 {
				t.Errorf("%d affected\n%s", got.Affected, diff)
			}
			// A role that gives another group is a difference of access alone.
			got = run(replayed, day(1), 100)
			want = []admin.ReplayDifference{{Person: "bob", From: day(20), AccessGained: []string{"git:engineers"}, AccessLost: []string{"git:devs"}}}
			if diff := cmp.Diff(want, got.Differences); diff != "" {
				t.Errorf("between %s: %s", till, diff)
			}
			if got = run(strings.Replace(replayed, `"Engineer"`, `"Sales"`, 1), day(5), 1); len(got.Differences) != 1 || got.More != 2 || got.Affected != 2 {
				t.Errorf("with a limit of 1: %+v", got)
			}
		})
	}
}

// TestReplayRefuses: bad requests say what is wrong.
func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	eachAPI(t, func(t *testing.T, a *api) {
		for body, want := range map[string]string{
			`{}`:             "config is missing",
			`{"config":"x"}`: "since is missing",
			`{"config":"x","since":"2999-01-01T00:00:00Z"}`:            "in the future",
			`{"config":"x","since":"2020-01-01T00:00:00Z","limit":-1}`: "limit must be",
			`{"config":"- x","since":"2020-01-01T00:00:00Z"}`:          "has 1 faults",
			`{"config":"x","when":1}`:                                  "unknown field",
		} {
			if status, text, _ := a.call("POST", "/replay", "admin-secret", body); status != 400 || !strings.Contains(text, want) {
				t.Errorf("%s: %d %s", body, status, text)
			}
		}
		if status, _, _ := a.call("POST", "/replay", "auditor-secret", `{}`); status != 403 {
			t.Errorf("an auditor: %d", status)
		}
	})
}
