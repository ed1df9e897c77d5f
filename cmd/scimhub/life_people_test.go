package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	breakGlass    = "breakglass@ex.com"
	lifeEmployees = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// liver is somebody whose whole life the application is to follow.
type liver struct {
	n          int
	userName   string
	givenName  string
	familyName string
	title      string
	department string
	manager    *liver
	projects   []*livingGroup
	active     bool
	id         string // at the hub; empty: not known
	left       int    // how often they left
	nick       string // that somebody gave the account at the application, which is not the hub's
	noMail     bool   // HR knows no address
	asMade     string // the user name under which the application made the account; empty: the usual one
	invited    bool   // has not accepted the invitation, where the application has invitations
}

// livingGroup is a department's group at the application, or a project's group of HR
// that is mirrored.
type livingGroup struct {
	name       string
	department string
	id         string         // of a mirrored one at the hub
	inside     []*livingGroup // groups that are members of a mirrored one
	gone       bool
}

// populate makes up people and groups; half of the groups are departments.
func (w *lifeWorld) populate(people, groups int) {
	for i := range groups {
		g := &livingGroup{name: fmt.Sprintf("proj-%02d", i)}
		if i%2 == 0 {
			g.department = fmt.Sprintf("D%02d", i)
			g.name = "dept " + g.department
		}
		w.groups = append(w.groups, g)
	}
	rng := rand.New(rand.NewPCG(5, uint64(people)))
	families := []string{"Ana", "Bjørn", "Çelik", "Dóra", "Émile", "佳子", "Siân", "O'Neil", "Zoë"}
	for i := range people {
		p := &liver{n: i, userName: fmt.Sprintf("p%04d@ex.com", i), givenName: fmt.Sprintf("Given%d", i), familyName: families[i%len(families)],
			title: "Engineer", active: true, department: w.departments()[rng.IntN(len(w.departments()))], invited: i%11 == 3}
		if i > 0 && i%3 != 0 {
			p.manager = w.people[rng.IntN(i)]
		}
		for range rng.IntN(4) {
			if g := w.projects()[rng.IntN(len(w.projects()))]; !slices.Contains(p.projects, g) {
				p.projects = append(p.projects, g)
			}
		}
		w.people = append(w.people, p)
	}
}

func (w *lifeWorld) departments() (out []string) {
	for _, g := range w.groups {
		if g.department != "" {
			out = append(out, g.department)
		}
	}
	return out
}

func (w *lifeWorld) projects() (out []*livingGroup) {
	for _, g := range w.groups {
		if g.department == "" && !g.gone {
			out = append(out, g)
		}
	}
	return out
}

func (p *liver) externalID() string { return fmt.Sprintf("E%04d", p.n) }

// doc is what HR says of a person.
func (p *liver) doc() map[string]any {
	enterprise := map[string]any{"department": p.department, "employeeNumber": fmt.Sprint(1000 + p.n)}
	if p.manager != nil && p.manager.id != "" {
		enterprise["manager"] = map[string]any{"value": p.manager.id}
	}
	doc := map[string]any{
		"schemas":  []any{"urn:ietf:params:scim:schemas:core:2.0:User", lifeEmployees},
		"userName": p.userName, "externalId": p.externalID(), "displayName": p.givenName + " " + p.familyName,
		"name": map[string]any{"givenName": p.givenName, "familyName": p.familyName}, "title": p.title, "active": p.active,
		"emails":      []any{map[string]any{"value": p.userName, "type": "work", "primary": true}},
		lifeEmployees: enterprise,
	}
	if p.noMail {
		delete(doc, "emails")
	}
	return doc
}

// push tells HR's present word of somebody.
func (w *lifeWorld) push(p *liver) {
	w.t.Helper()
	var got struct{ ID string }
	if p.id == "" {
		w.hr("POST", "/Users", p.doc(), &got)
		p.id = got.ID
		return
	}
	w.hr("PUT", "/Users/"+p.id, p.doc(), nil)
}

// pushGroup tells HR's present word of a project.
func (w *lifeWorld) pushGroup(g *livingGroup) {
	w.t.Helper()
	members := []any{}
	for _, p := range w.people {
		if slices.Contains(p.projects, g) && p.id != "" {
			members = append(members, map[string]any{"value": p.id})
		}
	}
	for _, inner := range g.inside {
		members = append(members, map[string]any{"value": inner.id, "type": "Group"})
	}
	doc := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name, "externalId": "G-" + g.name[len(g.name)-2:], "members": members}
	var got struct{ ID string }
	if g.id == "" {
		w.hr("POST", "/Groups", doc, &got)
		g.id = got.ID
		return
	}
	w.hr("PUT", "/Groups/"+g.id, doc, nil)
}

// before is what stands at the application before the hub has ever been there:
// accounts of some of the people, strangers, and one that nobody may touch.
func (w *lifeWorld) before() {
	w.t.Helper()
	add := func(userName, external, given, family, nick string) {
		doc := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": userName, "externalId": external,
			"displayName": given + " " + family, "name": map[string]any{"givenName": given, "familyName": family}, "active": true,
			"emails": []any{map[string]any{"value": userName, "type": "work", "primary": true}}}
		if nick != "" {
			doc["nickName"] = nick
		}
		w.must(w.byHand("POST", "/Users", doc, nil))
	}
	for _, p := range w.people[:len(w.people)/30] {
		if w.profile.SendUnknown && w.kept("nickName") && w.foreign == nil {
			p.nick = "Nick"
		}
		add(p.userName, p.externalID(), p.givenName, "Before", p.nick)
		p.invited = false
	}
	for i := range 5 {
		add(fmt.Sprintf("s%d@ex.com", i), fmt.Sprintf("S%d", i), "Stranger", fmt.Sprint(i), "")
	}
	add(breakGlass, "BG", "Break", "Glass", "")
	w.accept()
}

// accept has everybody accept their invitation who is to, where there are invitations.
func (w *lifeWorld) accept() {
	if w.profile.DisablePendingUser != "deletes" {
		return
	}
	waits := map[string]bool{}
	for _, p := range w.people {
		waits[strings.ToLower(p.userName)] = p.invited
	}
	for _, u := range w.state().Users {
		if name, _ := u["userName"].(string); !waits[strings.ToLower(name)] {
			w.app.Accept(name)
		}
	}
}
