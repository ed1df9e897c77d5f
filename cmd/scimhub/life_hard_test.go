package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestHardLife is the life that most people do not have: groups that were there before,
// no address, names at the limit, swapped, in other letters; a manager with another name,
// groups within groups, one deleted at its source, an account deleted by hand, a stranger
// who is hired, a mass of leavers that waits for a person. The hub is stopped and
// started in every part of it, whatever it is doing.
func TestHardLife(t *testing.T) {
	t.Parallel()
	dialects := storetest.Dialects()
	for n, profile := range []string{"generic", "aws", "atlassian", "github", "slack"} {
		if !lifeInFull() && n%3 != 0 || storetest.UnderRace && n > 0 {
			continue
		}
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w := newLifeWorld(t, profile, dialects[n%len(dialects)], 60, 10, func(w *lifeWorld) {
				w.remove, w.mass = "delete", "20%"
				w.people[7].noMail = !slices.Contains(w.profile.MatchKeys, "emails")
				w.people[8].userName = longName(w.profile.Limits["userName"].Len)
				w.people[8].asMade = w.people[8].userName
			})
			w.groupsBefore()
			strangers := w.untouchable()
			w.faults(lifeFaults)
			defer w.careful()
			for _, part := range []struct {
				name string
				live func(map[string]string)
			}{
				{"everybody has joined", func(map[string]string) { w.joiners() }},
				{"names have moved", func(map[string]string) { w.otherNames() }},
				{"groups have moved", func(map[string]string) { w.otherGroups() }},
				{"somebody was deleted by hand, a stranger was hired", w.otherPeople},
				{"many have left at once", func(map[string]string) { w.massLeave() }},
				{"some are back", func(map[string]string) { w.stumble(); w.rehires() }},
			} {
				part.live(strangers)
				w.check(part.name, strangers)
			}
			w.faults("")
		})
	}
}

// longName is a user name as long as an application takes it.
func longName(most int) string {
	const end = "@ex.com"
	if most == 0 {
		most = 60
	}
	return strings.Repeat("q", most-len(end)) + end
}

// stumble stops and starts the hub when the application has had some more requests.
func (w *lifeWorld) stumble() {
	w.t.Helper()
	w.hub.hub.Wake()
	before := w.app.Stats().Total()
	w.stumbles++
	rng := rand.New(rand.NewPCG(w.stumbles, 3))
	for range 1 + rng.IntN(40) { // so long at most: there may be nothing to do
		if w.app.Stats().Total() >= before+10 {
			break
		}
		if w.busy() == "" {
			break
		}
	}
	w.restart()
}

// groupsBefore makes groups of names that the hub will want, with a stranger in one.
func (w *lifeWorld) groupsBefore() {
	w.t.Helper()
	if !w.profile.Has("Group") {
		return
	}
	stranger := ""
	for _, u := range w.state().Users {
		if u["userName"] == "s0@ex.com" {
			stranger, _ = u["id"].(string)
		}
	}
	for i, g := range w.groups[:2] {
		members := []any{}
		if i == 0 {
			members = append(members, map[string]any{"value": stranger})
		}
		w.must(w.byHand("POST", "/Groups", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name, "members": members}, nil))
	}
}

// otherNames swaps the user names of two, writes one in other letters, and gives a
// manager another name.
func (w *lifeWorld) otherNames() {
	w.t.Helper()
	a, b := w.people[10], w.people[11]
	old := a.userName
	a.userName = "between@ex.com"
	w.push(a)
	b.userName, old = old, b.userName
	w.push(b)
	a.userName = old
	w.push(a)
	c := w.people[12]
	c.userName = strings.ToUpper(c.userName[:1]) + c.userName[1:]
	w.push(c)
	boss := w.people[1]
	for _, p := range w.people {
		if p.manager != nil {
			boss = p.manager
		}
	}
	boss.familyName, boss.userName = "Renamed", "boss@ex.com"
	w.push(boss)
	w.stumble()
	w.rest(time.Hour)
}

// otherGroups renames a project, puts one into another, and deletes one at its source.
func (w *lifeWorld) otherGroups() {
	w.t.Helper()
	projects := w.projects()
	projects[0].name = "proj-new-" + projects[0].name[len(projects[0].name)-2:]
	w.pushGroup(projects[0])
	projects[1].inside = []*livingGroup{projects[2]}
	w.pushGroup(projects[1])
	w.stumble()
	gone := projects[3]
	w.hr("DELETE", "/Groups/"+gone.id, nil, nil)
	gone.gone = true
	w.rest(time.Hour)
	w.stumble()
	w.rest(time.Hour)
}

// otherPeople deletes somebody's account by hand, which has to be made again, and hires a
// stranger, whose account has to be taken over.
func (w *lifeWorld) otherPeople(strangers map[string]string) {
	w.t.Helper()
	lost := w.people[20]
	for _, u := range w.state().Users {
		if name, _ := u["userName"].(string); w.profile.Delete == "hard" && strings.EqualFold(name, w.nameAtApp(lost)) { // elsewhere that is for good
			w.must(w.byHand("DELETE", fmt.Sprintf("/Users/%v", u["id"]), nil, nil))
		}
	}
	for what := range w.app.Stats().Irreversible { // that was the person at the application
		w.lost = append(w.lost, what)
	}
	hired := &liver{n: 7001, userName: "s1@ex.com", givenName: "Stranger", familyName: "Hired", title: "Engineer", active: true, asMade: "s1@ex.com", department: w.departments()[0]}
	w.people = append(w.people, hired)
	delete(strangers, "s1@ex.com")
	w.push(hired)
	w.push(&liver{n: 7002, userName: breakGlass, givenName: "Break", familyName: "Hired", title: "Engineer", active: true, department: w.departments()[0]}) // whose account stays as it is
	w.rest(time.Hour)
	for range max(w.hubSightings(), 2) + 1 {
		w.sweep()
	}
	w.stumble()
	w.rest(time.Hour)
}

// massLeave has half of the people leave at once, of which the guard holds most until
// somebody releases them by their digest; nobody of those loses anything before.
func (w *lifeWorld) massLeave() {
	w.t.Helper()
	all := w.some(30, 6, active)
	for _, p := range all {
		p.active = false
		p.left++
		w.push(p)
	}
	w.stumble()
	w.rest(time.Hour)
	held, err := w.hub.store.HeldLeavers(w.t.Context(), "hr")
	w.must(err)
	accounts, _ := w.holdings()
	stillOn := 0
	for _, p := range all {
		for _, h := range accounts[w.nameAtApp(p)] {
			if h.active {
				stillOn++
			}
		}
	}
	if len(held) < 10 || stillOn < len(held) {
		w.t.Errorf("%d of 30 leavers are held and %d accounts are on", len(held), stillOn)
	}
	w.release("0123456789abcdef", false)
	w.release(hub.LeaversDigest("hr", held), true)
	w.stumble()
	w.rest(time.Hour)
}

// release lets held leavers go by a digest.
func (w *lifeWorld) release(digest string, right bool) {
	w.t.Helper()
	err := w.call(storySecret, "POST", w.hub.URL+"/api/v1/sources/hr/release", map[string]any{"digest": digest}, nil)
	if (err == nil) != right {
		w.t.Errorf("release of leavers by digest %s: %v", digest, err)
	}
}
