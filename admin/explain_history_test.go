package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// pastConfig is one of the configurations of the random history; n makes them differ.
func pastConfig(n int) string {
	departments := []string{"Engineering", "Sales", "Finance"}
	return fmt.Sprintf(`
database: sqlite:x.db
sources: {hr: {dialect: rfc, guard: {leavers: 100%%, window: 1h, floor: 100}}}
roles:
  employee: {when: 'user.active && "%d" != ""', grants: [{target: chat}]}
  special:
    when: user.title == %q
    inherits: [employee]
    deny: user.userType == "contractor"
    grants: [{target: git, group: special-%d}, {target: chat, group: all}]
  keeper: {when: 'user.title == "Sales"', handover: 36h, grants: [{target: wiki}]}
  asked: {request: {by: anyone, approve: ["user:p0"], expires: 5d, reason: optional}, grants: [{target: git, group: asked}]}
targets:
  chat: {url: "http://127.0.0.1:1", profile: generic}
  git: {url: "http://127.0.0.1:2", profile: generic, groups: {mirror: ['displayName sw "app-"']}}
  wiki: {url: "http://127.0.0.1:3", profile: generic, scope: user.title != "Finance"}
`, n%3, departments[n%3], n%2)
}

// past is a hub whose history is random, and the log of what was true in it.
type past struct {
	*hub.Hub
	t       *testing.T
	db      *storetest.DB
	clock   *storetest.Clock
	dice    *rand.Rand
	server  *httptest.Server
	version int64
	users   map[string]string // userName -> resource
	groups  []string
	log     []logLine
}

// logLine is what explain said of everybody at a moment.
type logLine struct {
	at   time.Time
	said map[string]string
}

func newPast(t *testing.T, dialect string, seed uint64) *past {
	t.Helper()
	clock := storetest.NewClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
	db := storetest.Open(t, dialect, store.Options{Now: clock.Now})
	log := slog.New(slog.DiscardHandler)
	p := &past{Hub: hub.New(db.Store, log), t: t, db: db, clock: clock, dice: rand.New(rand.NewPCG(seed, 1)), users: map[string]string{}} //nolint:gosec // a history, no secret
	tokens := &admin.Tokens{Now: clock.Now}
	tokens.Replace([]admin.Token{admin.NewToken("auditor", admin.RoleAuditor, "auditor-secret", nil)})
	a := &admin.API{Hub: p.Hub, Tokens: tokens, Log: log, Nudge: func(string) {}, Activate: func(context.Context, *hub.Snapshot) error { return nil }}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	a.Mount(root.PathPrefix("/api/v1").Subrouter())
	p.server = httptest.NewServer(root)
	t.Cleanup(p.server.Close)
	p.configure()
	for i := range 6 {
		p.push(fmt.Sprint("p", i))
	}
	p.settle()
	return p
}

func (p *past) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *past) configure() {
	snap, err := p.Apply(p.t.Context(), hub.Actor{Name: "ops"}, "hub.yaml", []byte(pastConfig(int(p.version))), p.version)
	p.must(err)
	p.version = snap.Version
	p.Activate(snap)
}

func kind(name string) *scim.ResourceType {
	rt, _ := scim.DefaultRegistry().Type(name)
	return rt
}

func (p *past) one(list ...string) string { return list[p.dice.IntN(len(list))] }

// push creates somebody, or changes them.
func (p *past) push(name string) {
	attrs := map[string]any{"userName": name, "externalId": "E-" + name, "active": p.dice.IntN(6) > 0,
		"title": p.one("Engineering", "Sales", "Finance"), "userType": p.one("", "", "contractor")}
	if attrs["userType"] == "" {
		delete(attrs, "userType")
	}
	p.replace(name, attrs)
}

// replace pushes attributes of somebody.
func (p *past) replace(name string, attrs map[string]any) {
	by := hub.Actor{Source: "hr", Name: "main"}
	attrs["schemas"] = []any{scim.URNUser}
	if id, ok := p.users[name]; ok {
		_, err := p.Modify(p.t.Context(), by, kind("User"), id, func(scim.Meta) error { return nil }, scim.Change{Replace: attrs}, scim.Fields{})
		p.must(err)
		return
	}
	r, err := p.Create(p.t.Context(), by, kind("User"), attrs)
	p.must(err)
	p.users[name] = r.ID
}

func (p *past) anybody() string { return fmt.Sprint("p", p.dice.IntN(6)) }

// happen is one random thing.
func (p *past) happen() {
	by := hub.Actor{Source: "hr", Name: "main"}
	always := func(scim.Meta) error { return nil }
	switch n := p.dice.IntN(20); {
	case n < 10:
		p.push(p.anybody())
	case n < 12:
		if name := p.anybody(); p.users[name] != "" {
			p.must(p.Delete(p.t.Context(), by, kind("User"), p.users[name], always))
			delete(p.users, name)
		}
	case n < 15:
		members := []any{}
		for _, id := range p.users {
			if p.dice.IntN(2) == 0 {
				members = append(members, map[string]any{"value": id})
			}
		}
		r, err := p.Create(p.t.Context(), by, kind("Group"), map[string]any{"schemas": []any{scim.URNGroup}, "displayName": fmt.Sprint("app-", len(p.log), "-", len(p.groups)), "members": members})
		p.must(err)
		p.groups = append(p.groups, r.ID)
	case n < 16 && len(p.groups) > 0:
		p.must(p.Delete(p.t.Context(), by, kind("Group"), p.groups[0], always))
		p.groups = p.groups[1:]
	case n < 17:
		p.configure()
	default:
		ops := hub.Who{Name: "ops", Operator: true, Override: true}
		r, err := p.AskRequest(p.t.Context(), ops, hub.Ask{Role: "asked", For: p.anybody(), Reason: "it is needed"})
		if err == nil && p.dice.IntN(4) > 0 {
			_, err = p.DecideRequest(p.t.Context(), ops, r.ID, hub.Verdict{Approve: p.dice.IntN(4) > 0, Reason: "so"})
			p.must(err)
		}
	}
}

// settle evaluates, lets the targets do some of what is due, and notes what is true.
func (p *past) settle() {
	ctx := p.t.Context()
	for range 100 {
		n, err := p.EvaluateBatch(ctx)
		p.must(err)
		if n == 0 {
			break
		}
	}
	for _, target := range []string{"chat", "git", "wiki"} {
		due, err := p.db.DueAccounts(ctx, target, store.LaneAll, 100)
		p.must(err)
		var outcomes []store.Settlement
		for _, row := range due {
			if p.dice.IntN(5) > 0 {
				outcomes = append(outcomes, store.Settlement{Row: p.worked(row)})
			}
		}
		p.must(p.db.Settle(ctx, target, outcomes))
	}
	line := logLine{at: p.clock.Now(), said: map[string]string{}}
	for i := range 6 {
		line.said[fmt.Sprint("p", i)] = p.explain(fmt.Sprint("p", i), "")
	}
	p.log = append(p.log, line)
}

// worked is what becomes of an account at its target.
func (p *past) worked(row model.AccountRow) model.AccountRow {
	row.Due, row.LastError, row.ErrorClass = false, "", ""
	switch p.dice.IntN(6) {
	case 0:
		row.State, row.LastError, row.ErrorClass, row.Due, row.NextAttempt = model.StateFailed, "503", "unavailable", true, p.clock.Now()
	case 1:
		row.State, row.LastError = model.StateHeld, "too many"
	default:
		row.Owned, row.RemoteID, row.State = model.OwnedCreated, "r-"+row.Identity, model.StateInSync
		if row.Desired == nil {
			row.State = model.StateDisabled
			if row.Applied != nil {
				gone := *row.Applied
				gone.Active = false
				row.Applied = &gone
			}
			break
		}
		applied := *row.Desired
		row.Applied = &applied
	}
	return row
}

// explain asks the API. What differs between now and later without anything having
// changed, when a source wrote last and which moment was asked about, is left out.
func (p *past) explain(person, at string) string {
	path := p.server.URL + "/api/v1/identities/" + person + "/explain"
	if at != "" {
		path += "?at=" + url.QueryEscape(at)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, path, http.NoBody)
	p.must(err)
	req.Header.Set("Authorization", "Bearer auditor-secret")
	res, err := p.server.Client().Do(req)
	p.must(err)
	defer res.Body.Close()
	var answer admin.ExplainAnswer
	p.must(json.NewDecoder(res.Body).Decode(&answer))
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("explain %s at %s: %s", person, at, res.Status)
	}
	var out []string
	for _, e := range answer.Items {
		e.VerifiedAt = nil
		for i := range e.Because {
			e.Because[i].Pushed = nil
		}
		text, err := json.Marshal(e)
		p.must(err)
		out = append(out, string(text))
	}
	return strings.Join(out, "\n")
}

// TestExplainAgreesWithTheLog: at 1,000 random moments of a random history, explain
// says what it said then.
func TestExplainAgreesWithTheLog(t *testing.T) {
	t.Parallel()
	const steps, questions = 150, 1000
	for _, dialect := range storetest.OnTurn(t) {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, dialect, 42)
			begin := p.clock.Now()
			for range steps {
				p.clock.Add(time.Duration(1+p.dice.Int64N(int64(30*time.Hour/time.Microsecond))) * time.Microsecond)
				for range 1 + p.dice.IntN(3) {
					p.happen()
				}
				p.settle()
			}
			length := p.clock.Now().Sub(begin)
			some := 0
			for range questions {
				at := begin.Add(time.Duration(p.dice.Int64N(int64(length/time.Microsecond)+1)) * time.Microsecond)
				n := sort.Search(len(p.log), func(i int) bool { return p.log[i].at.After(at) }) - 1
				person := p.anybody()
				want, got := p.log[n].said[person], p.explain(person, at.Format(time.RFC3339Nano))
				if want != "" {
					some++
				}
				if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Fatalf("%s at %s (-what was true, +what explain says now):\n%s", person, at, diff)
				}
			}
			if some < questions/3 {
				t.Errorf("only %d of %d questions were about anything", some, questions)
			}
			if _, faults, err := p.db.VerifyAudit(t.Context()); err != nil || len(faults) > 0 {
				t.Errorf("audit: %v %v", faults, err)
			}
		})
	}
}
