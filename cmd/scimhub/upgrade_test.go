package main_test

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestUpgradeTouchesNobody has an earlier release fill applications and a database, with
// some changes held, some that failed and some that wait, and starts this one on it: no
// account is touched that did not wait for a change, and nothing is removed.
//
//	git worktree add /tmp/before v0.3.0 && (cd /tmp/before && go build -o /tmp/before/scimhub ./cmd/scimhub)
//	SCIMHUB_E2E=full SCIMHUB_BEFORE=/tmp/before/scimhub go test -run TestUpgradeTouchesNobody ./cmd/scimhub
func TestUpgradeTouchesNobody(t *testing.T) {
	t.Parallel()
	before := os.Getenv("SCIMHUB_BEFORE")
	if before == "" {
		t.Skip("SCIMHUB_BEFORE names no program of an earlier release")
	}
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			m := newMoments(t, storetest.URL(t, dialect), sized(500, 120, 60), "generic", "github", "slack")
			text, err := os.ReadFile(m.config)
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.NewReplacer("    guard: {removals: 100%, floor: 100000}", "    guard: {removals: 4%, floor: 2}",
				"    rate: {buckets: []}\n", "").Replace(string(text))) // what earlier releases do not know
			if err := os.WriteFile(m.config, text, 0o600); err != nil {
				t.Fatal(err)
			}
			m.hub = launchProgram(t, before, "earlier hub", m.env(), "serve", "--config", m.config)
			await(t, time.Minute, "the earlier hub is ready", func() error { return m.ready(t.Context()) })
			m.fill()
			m.hub.stop(t)
			m.upgraded()
		})
	}
}

// fill brings everybody in, then moves some to where they have nothing, and has slack go
// down while names change and others join.
func (m *moments) fill() {
	m.t.Helper()
	t, late := m.t, len(m.people)/25
	joiners, first := m.people[:late], m.people[late:]
	inParallel(t, 4, m.groups, func(g *movedGroup) error {
		id, err := m.hr.create(t.Context(), "/Groups", "displayName", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name()})
		g.id = id
		return err
	})
	push := func(p *moved) error {
		if p.id == "" {
			id, err := m.hr.create(t.Context(), "/Users", "userName", p.doc())
			p.id = id
			return err
		}
		return m.hr.change(t.Context(), http.MethodPut, "/Users/"+p.id, p.doc())
	}
	inParallel(t, 6, first, push)
	for _, p := range first {
		g := m.groups[p.n%len(m.groups)]
		p.projects[g.n] = true
		if err := m.hr.patch(t.Context(), "/Groups/"+g.id, op("add", "members", []any{map[string]any{"value": p.id}})); err != nil {
			t.Fatal(err)
		}
	}
	m.people = first
	await(t, 3*time.Minute, "everybody is everywhere", m.asAcknowledged)
	m.people = append(m.people, joiners...)
	m.app("slack").faults(t, "down")
	inParallel(t, 6, first[:late], func(p *moved) error { p.number++; return push(p) })
	inParallel(t, 6, joiners, push)
	movers := first[late : 4*late]
	inParallel(t, 6, movers, func(p *moved) error { p.department = "C"; return push(p) })
	for _, p := range movers {
		for n := range p.projects {
			if err := m.hr.patch(t.Context(), "/Groups/"+m.groups[n].id, op("remove", `members[value eq "`+p.id+`"]`, nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"generic", "github"} {
		await(t, time.Minute, "much is held at "+name, func() error {
			if v := m.target(name); v.Accounts["held"] < late || v.Accounts["pending"]+v.Accounts["failed"] > 0 {
				return fmt.Errorf("%+v", v)
			}
			return nil
		})
	}
	await(t, time.Minute, "slack is waited for", func() error {
		if v := m.target("slack"); v.Accounts["pending"]+v.Accounts["failed"] < late || v.ErrorClass == "" {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
}

func (m *moments) app(name string) *watched {
	for _, a := range m.watched {
		if a.name == name {
			return a
		}
	}
	m.t.Fatalf("there is no application %s", name)
	return nil
}

// upgraded starts this release, and wants nothing to happen but what waited.
func (m *moments) upgraded() {
	m.t.Helper()
	t := m.t
	states, held := map[string]app.State{}, map[string]int{}
	for _, a := range m.watched {
		states[a.name] = a.app.State(a.server.URL + app.Prefix)
	}
	m.start()
	for _, a := range m.watched {
		held[a.name] = m.target(a.name).Accounts["held"]
	}
	m.app("slack").faults(t, "")
	await(t, 2*time.Minute, "what waited is done", func() error {
		if v := m.target("slack"); v.Accounts["pending"]+v.Accounts["failed"] > 0 {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
	for _, a := range m.watched {
		m.wantExit(0, "target", "sync", a.name)
	}
	await(t, time.Minute, "everybody was looked at", func() error {
		if n := m.count(`SELECT (SELECT count(*) FROM marks) + (SELECT count(*) FROM sweeps)`); n > 0 {
			return fmt.Errorf("%d marks and sweeps are left", n)
		}
		return nil
	})
	for _, name := range []string{"generic", "github"} {
		if now := m.app(name).app.State(m.app(name).server.URL + app.Prefix); !reflect.DeepEqual(now, states[name]) {
			t.Errorf("%s was touched by the upgrade", name)
		}
		if v := m.target(name); v.Accounts["held"] != held[name] || held[name] == 0 {
			t.Errorf("%s: held are %d, were %d", name, v.Accounts["held"], held[name])
		}
	}
	active := func(s app.State) map[string]bool {
		out := map[string]bool{}
		for _, u := range s.Users {
			out[text(u, "id")] = u["active"] == true
		}
		return out
	}
	a := m.app("slack")
	was, now := active(states["slack"]), active(a.app.State(a.server.URL+app.Prefix))
	lost := 0
	for id, on := range was {
		if on && !now[id] {
			lost++
		}
	}
	limit := len(was) * 4 / 100
	t.Logf("%d people; held %v; slack lost %d of %d within its guard of %d", len(m.people), held, lost, len(was), limit)
	if lost > limit {
		t.Errorf("slack lost %d accounts, its guard allows %d", lost, limit)
	}
}
