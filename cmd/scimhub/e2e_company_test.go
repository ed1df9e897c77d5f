package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

const enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

var departments = []string{"Engineering", "Sales", "Support", "Legal"}

// person is what is true of somebody: what the sources were told and have
// acknowledged. Only the goroutine that pushes the person changes it.
type person struct {
	n          int
	userName   string
	externalID string
	given      string
	family     string
	title      string
	department string
	active     bool
	manager    *person
	inHR       bool
	inIDP      bool
	groups     map[string]bool // groups of the idp, by name

	hrID, idpID string // ids at the hub; empty: not pushed, or deleted
	managerID   string // the manager's id, as HR was told
}

// group is a group of the idp.
type group struct {
	name string

	mu sync.Mutex
	id string // empty: not pushed yet
}

func (g *group) getID() string   { g.mu.Lock(); defer g.mu.Unlock(); return g.id }
func (g *group) setID(id string) { g.mu.Lock(); defer g.mu.Unlock(); g.id = id }

// company is everybody, and the groups by name.
type company struct {
	people []*person
	groups []*group
}

// newCompany makes up a company; equal seeds make equal ones. One in ten people is
// known to one source only, names have letters of many kinds.
func newCompany(people, groups int, rng *rand.Rand) *company {
	c := &company{}
	givens := []string{"Ana", "Bjørn", "Çelik", "Dóra", "Émile", "佳子", "Ōkami", "Siân", "O'Neil", "Zoë"}
	for i := range groups {
		name := fmt.Sprintf("proj-%02d", i)
		switch {
		case i == 0:
			name = "team-oncall"
		case i%3 == 0:
			name = fmt.Sprintf("app-git-%02d", i)
		}
		c.groups = append(c.groups, &group{name: name})
	}
	for i := range people {
		p := &person{n: i, userName: fmt.Sprintf("person%04d@example.com", i), externalID: fmt.Sprintf("E%05d", i),
			given: givens[i%len(givens)], family: fmt.Sprintf("Family-%d", i), title: "Engineer", active: true,
			department: departments[rng.IntN(len(departments))], groups: map[string]bool{}, inHR: i%10 != 9, inIDP: i%10 != 8}
		if i%7 == 0 {
			p.title = "Lead " + p.department
		}
		if i > 0 {
			p.manager = c.people[rng.IntN(i)]
		}
		for range rng.IntN(4) {
			if p.inIDP && groups > 0 {
				p.groups[c.groups[rng.IntN(groups)].name] = true
			}
		}
		c.people = append(c.people, p)
	}
	return c
}

// hrDoc is what HR says of a person.
func (p *person) hrDoc() map[string]any {
	enterprise := map[string]any{"department": p.department, "employeeNumber": fmt.Sprint(1000 + p.n)}
	if p.managerID != "" {
		enterprise["manager"] = map[string]any{"value": p.managerID}
	}
	return map[string]any{
		"schemas":     []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN},
		"userName":    p.userName,
		"externalId":  p.externalID,
		"name":        map[string]any{"givenName": p.given, "familyName": p.family},
		"title":       p.title,
		"active":      p.active,
		"emails":      []any{map[string]any{"value": p.hrEmail(), "type": "home"}},
		enterpriseURN: enterprise,
	}
}

// idpDoc is what the identity provider says; its word on names counts only where
// HR is silent.
func (p *person) idpDoc() map[string]any {
	return map[string]any{
		"schemas":    []any{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName":   p.userName,
		"externalId": p.externalID,
		"name":       map[string]any{"givenName": p.given, "familyName": p.family},
		"title":      p.title,
		"active":     p.active,
		"emails":     []any{map[string]any{"value": p.idpEmail(), "type": "work", "primary": true}},
	}
}

func (p *person) hrEmail() string  { return fmt.Sprintf("p%04d@home.example", p.n) }
func (p *person) idpEmail() string { return fmt.Sprintf("p%04d@example.com", p.n) }

func (p *person) known() bool { return p.hrID != "" || p.idpID != "" }

// expectation is an account as it must be at an application.
type expectation struct {
	userName string
	attrs    map[string]string // path -> value; "" must be absent
	groups   []string          // sorted
}

// expected is the oracle: it says what an application must hold of a person, nil
// for no account that is active. It shares nothing with the hub but the text of
// the configuration that it was written from.
func expected(app string, p *person) *expectation {
	if !p.known() || !p.active {
		return nil
	}
	department := ""
	if p.hrID != "" {
		department = p.department
	}
	lead := strings.HasPrefix(p.title, "Lead")
	groups := map[string]bool{}
	due := false
	switch app {
	case "chat":
		due = true
		groups["everyone"] = true
		groups["eng"] = department == "Engineering"
		groups["leads"] = lead
		for g := range p.groups {
			if strings.HasPrefix(g, "proj-1") {
				groups["projects"] = true
			}
		}
	case "git":
		groups["engineers"] = department == "Engineering"
		groups["oncall"] = p.groups["team-oncall"]
		for g := range p.groups {
			if strings.HasPrefix(g, "app-git-") {
				groups[g] = true
			}
		}
		due = department != "Legal" && slices.Contains(slices.Collect(maps.Values(groups)), true)
	case "crm":
		groups["sales"] = department == "Sales"
		due = groups["sales"] || lead
	}
	if !due {
		return nil
	}
	e := &expectation{userName: p.userName, attrs: p.attributes(app, department)}
	for g, in := range groups {
		if in {
			e.groups = append(e.groups, g)
		}
	}
	slices.Sort(e.groups)
	return e
}

func (p *person) attributes(app, department string) map[string]string {
	email := p.idpEmail()
	if p.idpID == "" {
		email = p.hrEmail()
	}
	if app == "git" {
		return map[string]string{"externalId": p.externalID, "displayName": p.given + " " + p.family, "emails.0.value": email,
			"emails.0.type": "work", "title": "", "name.familyName": "", enterpriseURN + ".department": ""}
	}
	number := ""
	if p.hrID != "" {
		number = fmt.Sprint(1000 + p.n)
	}
	return map[string]string{"externalId": p.externalID, "title": p.title, "name.givenName": p.given, "name.familyName": p.family,
		"emails.0.value": email, "emails.1.value": "", enterpriseURN + ".department": department, enterpriseURN + ".employeeNumber": number}
}
