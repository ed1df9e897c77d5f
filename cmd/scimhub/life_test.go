package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/scimhub/scimhub/conformance/app"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestWholeLife takes people and groups through their whole life at the simulated
// application of each profile: adopted and made, moved, renamed, on leave, gone, back,
// changed by hand meanwhile, and deleted in the end, with one request in twenty going
// wrong. At the end the application must hold exactly what it should, and nothing may
// have been asked of it that it forbids or that cannot be undone.
func TestWholeLife(t *testing.T) {
	t.Parallel()
	for n, profile := range fanout.ProfileNames() {
		for d, dialect := range storetest.Dialects() {
			if !lifeInFull() && n%2 != d%2 || storetest.UnderRace && n%5 != 0 {
				continue
			}
			t.Run(profile+"/"+dialect, func(t *testing.T) {
				t.Parallel()
				people, groups := 60, 10
				if lifeInFull() {
					people, groups = 300, 40
				}
				live(t, newLifeWorld(t, profile, dialect, people, groups))
			})
		}
	}
}

// lifeInFull reports whether somebody wants the whole company, which takes minutes.
func lifeInFull() bool { return os.Getenv("SCIMHUB_TEST_FULL") != "" }

// live is the life.
func live(t *testing.T, w *lifeWorld) {
	t.Helper()
	strangers := w.untouchable()
	began := time.Now()
	defer func() { t.Logf("a life at %s: %s", w.profile.Name, time.Since(began).Round(time.Millisecond)) }()
	w.faults(lifeFaults)
	for _, part := range []struct {
		name string
		live func()
	}{
		{"everybody has joined", w.joiners},
		{"some have moved", w.movers},
		{"some have left", w.leavers},
		{"somebody has meddled", w.meddle},
		{"some are back", w.rehires},
		{"the years have passed", w.years},
	} {
		from := time.Now()
		part.live()
		t.Logf("%s after %s", part.name, time.Since(from).Round(time.Millisecond))
		w.check(part.name, strangers)
	}
	w.careful()
}

func (w *lifeWorld) joiners() {
	w.t.Helper()
	for _, p := range w.people {
		w.push(p)
	}
	for _, g := range w.projects() {
		w.pushGroup(g)
	}
	for _, p := range w.people { // the managers are known by now
		if p.manager != nil {
			w.push(p)
		}
	}
	w.rest(time.Hour)
	w.accept()
}

// some picks people by chance, always the same.
func (w *lifeWorld) some(n int, salt uint64, fits func(*liver) bool) (out []*liver) {
	rng := rand.New(rand.NewPCG(salt, 7))
	for _, i := range rng.Perm(len(w.people)) {
		if p := w.people[i]; len(out) < max(n, 1) && fits(p) {
			out = append(out, p)
		}
	}
	return out
}

func active(p *liver) bool { return p.active }

// movers change department, name, title, manager and projects; a project is renamed,
// one ends, one begins.
func (w *lifeWorld) movers() {
	w.t.Helper()
	n := len(w.people)
	departments := w.departments()
	for i, p := range w.some(n/5, 1, active) {
		p.department = departments[i%len(departments)]
		w.push(p)
	}
	for i, p := range w.some(n/20, 2, active) {
		p.userName, p.familyName = fmt.Sprintf("n%04d@ex.com", p.n), fmt.Sprintf("New%d", i)
		w.push(p)
	}
	for _, p := range w.some(n/20, 3, active) {
		p.title = "Lead"
		w.push(p)
	}
	touched := map[*livingGroup]bool{}
	for _, p := range w.some(n/10, 4, active) {
		if len(p.projects) > 0 {
			touched[p.projects[0]] = true
			p.projects = p.projects[1:]
		} else {
			p.projects = []*livingGroup{w.projects()[0]}
			touched[w.projects()[0]] = true
		}
	}
	renamed := w.projects()[1]
	renamed.name = "proj-renamed-" + renamed.name[len(renamed.name)-2:]
	touched[renamed] = true
	begun := &livingGroup{name: "proj-99"}
	w.groups = append(w.groups, begun)
	for _, p := range w.some(5, 5, active) {
		p.projects = append(p.projects, begun)
	}
	touched[begun] = true
	for _, g := range w.groups { // in their order
		if touched[g] {
			w.pushGroup(g)
		}
	}
	w.rest(time.Hour)
	w.accept()
}

// leavers leave: some by their active flag, some because HR deletes them.
func (w *lifeWorld) leavers() {
	w.t.Helper()
	n := len(w.people)
	for i, p := range w.some(n/8, 6, active) {
		p.active = false
		p.left++
		if i%4 == 3 {
			w.hr("DELETE", "/Users/"+p.id, nil, nil)
			p.id = ""
			p.projects = nil
			continue
		}
		w.push(p)
	}
	w.rest(time.Hour)
}

// rehires come back, some under another name.
func (w *lifeWorld) rehires() {
	w.t.Helper()
	for i, p := range w.some(len(w.people)/20, 8, func(p *liver) bool { return !p.active }) {
		p.active = true
		if i%3 == 2 {
			p.familyName = "Back"
		}
		w.push(p)
	}
	w.rest(time.Hour)
	w.accept()
}

// meddle changes the application by hand: attributes, accounts that are switched on
// again or deleted, memberships. The next sweeps find it.
func (w *lifeWorld) meddle() {
	w.t.Helper()
	users := map[string]string{} // externalId or userName -> id
	for _, u := range w.state().Users {
		id, _ := u["id"].(string)
		for _, key := range []string{"userName", "externalId"} {
			if v, _ := u[key].(string); v != "" {
				users[v] = id
			}
		}
	}
	idOf := func(p *liver) string {
		if id := users[p.userName]; id != "" {
			return id
		}
		return users[p.externalID()]
	}
	patch := func(path string, ops ...any) {
		body := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops}
		if err := w.byHand(http.MethodPatch, path, body, nil); err != nil {
			w.t.Logf("by hand: %v", err) // the application does not let even its own people do that
		}
	}
	for _, p := range w.some(3, 9, active) {
		patch("/Users/"+idOf(p), map[string]any{"op": "replace", "path": "displayName", "value": "Somebody Else"})
	}
	for _, p := range w.some(2, 10, func(p *liver) bool { return !p.active && idOf(p) != "" }) {
		patch("/Users/"+idOf(p), map[string]any{"op": "replace", "path": "active", "value": true})
	}
	if w.profile.Has("Group") && w.profile.MembersReadable { // where they are not nobody can notice
		for _, g := range w.state().Groups[:2] {
			id, _ := g["id"].(string)
			name, _ := g["displayName"].(string)
			p := w.some(1, 11, func(p *liver) bool { return active(p) && !slices.Contains(w.groupsOf(p), name) })[0]
			patch("/Groups/"+id, map[string]any{"op": "add", "path": "members", "value": []any{map[string]any{"value": idOf(p)}}})
		}
	}
	for range max(w.hubSightings(), 2) + 1 {
		w.sweep()
	}
}

func (w *lifeWorld) hubSightings() int {
	for _, t := range w.hub.hub.Snapshot().Doc.Targets {
		return t.Drift.Sightings
	}
	return 0
}

// years pass: grace periods end.
func (w *lifeWorld) years() {
	w.t.Helper()
	for range 8 {
		w.clock.leap(5 * 24 * time.Hour)
		w.rest(time.Hour)
	}
	w.faults("")
	for range 3 {
		w.sweep()
	}
	w.clock.leap(24 * time.Hour)
	w.rest(time.Hour)
}

// untouchable are the accounts that are none of the hub's business, as they are.
func (w *lifeWorld) untouchable() map[string]string {
	out := map[string]string{}
	for _, u := range w.state().Users {
		name, _ := u["userName"].(string)
		if name == breakGlass || name[0] == 's' {
			out[name] = fingerprint(u)
		}
	}
	return out
}

// careful fails where the hub asked for what the application forbids, or did what
// cannot be undone.
func (w *lifeWorld) careful() {
	w.t.Helper()
	if w.foreign != nil {
		w.foreign.careful(w)
		return
	}
	stats := w.app.Stats()
	for _, what := range slices.Sorted(maps.Keys(stats.Forbidden)) {
		w.t.Errorf("forbidden: %s, %d times", what, stats.Forbidden[what])
	}
	withdrawn := 0 // what an invitation of somebody who has left loses is the invitation
	for _, p := range w.people {
		if p.invited && p.left > 0 {
			withdrawn++
		}
	}
	if stats.Irreversible[app.LostInvited] <= withdrawn {
		delete(stats.Irreversible, app.LostInvited)
	}
	for _, what := range w.lost {
		if stats.Irreversible[what]--; stats.Irreversible[what] == 0 {
			delete(stats.Irreversible, what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(stats.Irreversible)) {
		w.t.Errorf("irreversible: %s, %d times", what, stats.Irreversible[what])
	}
}
