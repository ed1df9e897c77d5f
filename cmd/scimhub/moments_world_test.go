package main_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// watched is a simulated application in this process, which sees every change in the
// order in which it happened, and can have the hub killed in the middle of one.
type watched struct {
	name   string
	app    *app.App
	server *httptest.Server

	mu      sync.Mutex
	newest  map[string]int // the highest number that was written of each person
	stale   []string       // older numbers that came after
	writes  int
	trigger atomic.Pointer[trigger]
}

// trigger kills a hub at a write that is counted down to.
type trigger struct {
	left atomic.Int64
	kill func()
}

func startWatched(t *testing.T, profile string) *watched {
	t.Helper()
	a := &watched{name: profile, newest: map[string]int{}}
	var err error
	if a.app, err = app.New(app.Options{Profile: profile, Token: appToken, Pace: math.Inf(1), Wrote: a.wrote}); err != nil {
		t.Fatal(err)
	}
	a.server = httptest.NewServer(a.app.Handler())
	t.Cleanup(a.server.Close)
	return a
}

// wrote takes note of one change. Each person's display name carries a number that only
// rises.
func (a *watched) wrote(id string, attrs map[string]any) {
	var who string
	var n int
	name := text(attrs, "displayName")
	if _, err := fmt.Sscanf(name, "%s %d", &who, &n); err == nil {
		a.mu.Lock()
		a.writes++
		if n < a.newest[who] {
			a.stale = append(a.stale, fmt.Sprintf("%s: %s %d after %d (account %s)", a.name, who, n, a.newest[who], id))
		}
		a.newest[who] = max(n, a.newest[who])
		a.mu.Unlock()
	}
	if tr := a.trigger.Load(); tr != nil && tr.left.Add(-1) == 0 {
		tr.kill()
	}
}

func (a *watched) faults(t *testing.T, text string) {
	t.Helper()
	if err := a.app.SetFaults(text); err != nil {
		t.Fatal(err)
	}
}

// moved is somebody whose number rises with each change.
type moved struct {
	n          int
	renames    int
	number     int
	department string
	active     bool
	id         string // at the hub; empty: not there yet
	projects   map[int]bool
}

func (p *moved) key() string      { return fmt.Sprintf("Given%04d", p.n) }
func (p *moved) userName() string { return fmt.Sprintf("p%04dr%d@ex.com", p.n, p.renames) }

func (p *moved) doc() map[string]any {
	return map[string]any{
		"schemas":  []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN},
		"userName": p.userName(), "externalId": fmt.Sprintf("E%04d", p.n), "displayName": fmt.Sprintf("%s %d", p.key(), p.number),
		"name": map[string]any{"givenName": p.key(), "familyName": "Family"}, "active": p.active,
		"emails":      []any{map[string]any{"value": fmt.Sprintf("m%04d@ex.com", p.n), "type": "work", "primary": true}},
		enterpriseURN: map[string]any{"department": p.department},
	}
}

// movedGroup is a project's group, which every application mirrors.
type movedGroup struct {
	n, renames int
	id         string
}

func (g *movedGroup) name() string { return fmt.Sprintf("proj-%02d.%d", g.n, g.renames) }

// moments is a company whose people and groups keep changing, and its applications.
type moments struct {
	*world
	watched []*watched
	people  []*moved
	groups  []*movedGroup
	hr      *source
}

const momentsConfig = `
listen: 127.0.0.1:PORT
database: "${env:E2E_DATABASE}"
admin:
  tokens: [{name: ops, secret: "${env:E2E_ADMIN_TOKEN}", role: admin}]
sources:
  hr:
    tokens: [{name: main, secret: "${env:E2E_HR_TOKEN}"}]
    guard: {leavers: 100%, floor: 100000}
roles:
  a: {when: 'user.active && user.enterprise.department == "A"', grants: [GRANTS_A]}
  b: {when: 'user.active && user.enterprise.department == "B"', grants: [GRANTS_B]}
targets:
`

const momentsTarget = `  NAME:
    url: URL
    auth: {bearer: "${env:E2E_APP_TOKEN}"}
    profile: NAME
    rate: {buckets: []}
    groups: {mirror: ['displayName sw "proj-"']}
    guard: {removals: 100%, floor: 100000}
`

// newMoments writes the configuration and starts no hub yet. The configuration of each
// replica differs by its port alone.
func newMoments(t *testing.T, database string, people int, profiles ...string) *moments {
	t.Helper()
	m := &moments{world: &world{t: t, dir: t.TempDir(), database: database}}
	var targets, inA, inB strings.Builder
	for _, profile := range profiles {
		a := startWatched(t, profile)
		m.watched = append(m.watched, a)
		targets.WriteString(strings.NewReplacer("NAME", profile, "URL", a.server.URL+app.Prefix).Replace(momentsTarget))
		fmt.Fprintf(&inA, "{target: %s, group: dept a},", profile)
		fmt.Fprintf(&inB, "{target: %s, group: dept b},", profile)
	}
	text := strings.NewReplacer("GRANTS_A", inA.String(), "GRANTS_B", inB.String()).Replace(momentsConfig) + targets.String()
	port := storetest.Port(t)
	m.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	m.config = filepath.Join(m.dir, "hub.yaml")
	if err := os.WriteFile(m.config, []byte(strings.ReplaceAll(text, "PORT", fmt.Sprint(port))), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range people {
		m.people = append(m.people, &moved{n: n, active: true, department: []string{"A", "B"}[n%2], projects: map[int]bool{}})
	}
	for n := range 4 {
		m.groups = append(m.groups, &movedGroup{n: n})
	}
	m.hr = m.source("hr")
	return m
}

// spoil has answers be lost, and requests be repeated on the way: the latter only where
// two groups of one name are refused, for elsewhere nobody could tell them apart.
func (m *moments) spoil(text, twice string) {
	m.t.Helper()
	for _, a := range m.watched {
		profile, err := app.ProfileNamed(a.name)
		if err != nil {
			m.t.Fatal(err)
		}
		if profile.UniqueGroupNames && twice != "" {
			a.faults(m.t, text+","+twice)
		} else {
			a.faults(m.t, text)
		}
	}
}

// live has everybody join, then move, be renamed, leave and come back until end is
// closed; groups get other names and members meanwhile. The error is the first of any.
func (m *moments) live(ctx context.Context, seed uint64, end <-chan struct{}) (wait func() error) {
	const width = 3
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for worker := range width {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(worker)+100))
			if err := m.work(ctx, worker, width, rng, end); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	return func() error {
		workers.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
		return nil
	}
}

func (m *moments) work(ctx context.Context, worker, width int, rng *rand.Rand, end <-chan struct{}) error {
	var people []*moved
	var groups []*movedGroup
	for _, p := range m.people {
		if p.n%width == worker {
			people = append(people, p)
		}
	}
	for _, g := range m.groups {
		if g.n%width == worker {
			groups = append(groups, g)
		}
	}
	for _, g := range groups {
		id, err := m.hr.create(ctx, "/Groups", "displayName", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name()})
		if err != nil {
			return err
		}
		g.id = id
	}
	for {
		select {
		case <-end:
			return nil
		default:
		}
		if err := m.change(ctx, people[rng.IntN(len(people))], groups, rng); err != nil {
			return err
		}
	}
}

// change does one thing to a person or a group and returns when it is acknowledged.
func (m *moments) change(ctx context.Context, p *moved, groups []*movedGroup, rng *rand.Rand) error {
	if p.id == "" {
		id, err := m.hr.create(ctx, "/Users", "userName", p.doc())
		p.id = id
		return err
	}
	g := groups[rng.IntN(len(groups))]
	switch rng.IntN(12) {
	case 0:
		g.renames++
		return m.hr.patch(ctx, "/Groups/"+g.id, op("replace", "displayName", g.name()))
	case 1, 2, 3:
		if p.projects[g.n] {
			delete(p.projects, g.n)
			return m.hr.patch(ctx, "/Groups/"+g.id, op("remove", `members[value eq "`+p.id+`"]`, nil))
		}
		p.projects[g.n] = true
		return m.hr.patch(ctx, "/Groups/"+g.id, op("add", "members", []any{map[string]any{"value": p.id}}))
	case 4, 5:
		p.active = !p.active
	case 6:
		p.department = map[string]string{"A": "B", "B": "A"}[p.department]
	case 7:
		p.renames++
	}
	p.number++
	return m.hr.change(ctx, http.MethodPut, "/Users/"+p.id, p.doc())
}

// asAcknowledged compares every application with what was acknowledged.
func (m *moments) asAcknowledged() error {
	var faults []string
	for _, a := range m.watched {
		faults = append(faults, m.faultsOf(a)...)
	}
	if len(faults) == 0 {
		return nil
	}
	slices.Sort(faults)
	return fmt.Errorf("%d differences:\n  %s", len(faults), strings.Join(faults[:min(len(faults), 12)], "\n  "))
}

func (m *moments) faultsOf(a *watched) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, a.name+": "+fmt.Sprintf(format, args...)) }
	state := a.app.State(a.server.URL + app.Prefix)
	accounts, byID, groups := map[string][]map[string]any{}, map[string]string{}, map[string][]string{}
	for _, u := range state.Users {
		who, _, _ := strings.Cut(text(u, "displayName"), " ")
		accounts[who] = append(accounts[who], u)
		byID[text(u, "id")] = who
	}
	for _, g := range state.Groups {
		name := text(g, "displayName")
		if groups[name] != nil {
			fault("group %q is there twice", name)
		}
		groups[name] = []string{}
		list, _ := g["members"].([]any)
		for _, entry := range list {
			member, _ := entry.(map[string]any)
			groups[name] = append(groups[name], byID[text(member, "value")])
		}
	}
	for _, p := range m.people {
		list := accounts[p.key()]
		delete(accounts, p.key())
		switch {
		case len(list) > 1:
			fault("%s has %d accounts", p.key(), len(list))
		case !p.active || p.id == "":
			if len(list) == 1 && list[0]["active"] != false {
				fault("%s has left and is active", p.key())
			}
			continue
		case len(list) == 0:
			fault("%s has no account", p.key())
			continue
		}
		u := list[0]
		if want := fmt.Sprintf("%s %d", p.key(), p.number); u["active"] != true || text(u, "displayName") != want || text(u, "userName") != p.userName() {
			fault("%s: %v %q %q, want %q %q", p.key(), u["active"], text(u, "displayName"), text(u, "userName"), want, p.userName())
		}
		for name, members := range groups {
			if want := m.belongs(p, name); slices.Contains(members, p.key()) != want {
				fault("%s in %q: %t, want %t", p.key(), name, !want, want)
			}
		}
	}
	for who := range accounts {
		fault("nobody's account: %q", who)
	}
	for _, g := range m.groups {
		if _, there := groups[g.name()]; !there {
			fault("group %q is not there", g.name())
		}
		delete(groups, g.name())
	}
	for name := range groups {
		if name != "dept a" && name != "dept b" {
			fault("group %q is left", name)
		}
	}
	return faults
}

func (m *moments) belongs(p *moved, group string) bool {
	if group == "dept a" || group == "dept b" {
		return strings.EqualFold(group, "dept "+p.department)
	}
	for _, g := range m.groups {
		if g.name() == group {
			return p.projects[g.n]
		}
	}
	return false
}

// report tells what the applications saw, and wants no older value written over a newer
// one at any time.
func (m *moments) report() {
	m.t.Helper()
	for _, a := range m.watched {
		a.mu.Lock()
		m.t.Logf("%s: %d writes, %d answers 409, irreversible %v, forbidden %v", a.name, a.writes, a.app.Stats().DuplicatesRefused, a.app.Stats().Irreversible, a.app.Stats().Forbidden)
		for _, s := range a.stale {
			m.t.Errorf("an older value was written over a newer one: %s", s)
		}
		a.mu.Unlock()
	}
}
