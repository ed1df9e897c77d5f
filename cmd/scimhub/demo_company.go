package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The departments of the demo's company, one for each tenth of the people.
var demoTenths = []string{"Engineering", "Engineering", "Engineering", "Engineering", "Sales", "Sales", "Support", "Support", "Finance", "People"}

// No name is so long that the two with a dot between them do not fit into 20
// characters, which is what the chat application takes.
var (
	demoGiven = []string{"Ada", "Bruno", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas",
		"Kira", "Leo", "Mira", "Nils", "Olga", "Pablo", "Quinn", "Rosa", "Sami", "Tara",
		"Umar", "Vera", "Willem", "Xenia", "Yusuf", "Zora", "Anton", "Bea", "Cem", "Dora",
		"Emil", "Frida", "Goran", "Hanna", "Ivo", "Jana", "Kofi", "Lena", "Malik", "Nora"}
	demoFamily = []string{"Abel", "Berg", "Costa", "Dahl", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen",
		"Keller", "Lopez", "Meyer", "Novak", "Okafor", "Petit", "Quist", "Rossi", "Silva", "Tanaka",
		"Ulrich", "Vogel", "Weber", "Xu", "Young", "Zeller", "Adler", "Blanc", "Cruz", "Duarte",
		"Ende", "Frank", "Greco", "Horvat", "Iqbal", "Jung", "Kim", "Lind", "Marino", "Nagy"}
)

// person is somebody in the company's HR system.
type person struct {
	ID         string // at the hub, once pushed
	UserName   string
	Nick       string
	Given      string
	Family     string
	Department string
	Team       string // the group of the department; HR moves people between groups on its own
	Manager    bool
	Active     bool
	number     int
}

// Name is how the story calls a person.
func (p *person) Name() string { return p.Given + " " + p.Family }

// company is what HR knows: the same people at every run.
type company struct {
	people   []*person
	groupIDs map[string]string // at the hub, once pushed, by name
	left     *person           // the leaver of the story
	next     int
}

func newCompany(n int) *company {
	c := &company{groupIDs: map[string]string{}}
	headed := map[string]bool{}
	for i := range n {
		p := c.hire(demoTenths[i%len(demoTenths)])
		p.Manager = !headed[p.Department]
		headed[p.Department] = true
	}
	return c
}

// hire adds the next person. Names repeat after 40 × 40 people.
func (c *company) hire(department string) *person {
	i := c.next
	c.next++
	given, family := i%len(demoGiven), (i/len(demoGiven)+i)%len(demoFamily)
	p := &person{Given: demoGiven[given], Family: demoFamily[family], Department: department, Team: teamOf(department), Active: true, number: 1000 + i}
	p.Nick = strings.ToLower(p.Given + "." + p.Family)
	p.UserName = p.Nick + "@example.com"
	c.people = append(c.people, p)
	return p
}

func teamOf(department string) string { return "team-" + strings.ToLower(department) }

// find gives the first active person for whom want holds.
func (c *company) find(want func(*person) bool) (*person, error) {
	for _, p := range c.people {
		if p.Active && want(p) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("nobody of this kind is in a company of %d", len(c.people))
}

// groups are those that HR keeps: a team for every department, and the managers.
func (c *company) groups() map[string][]*person {
	out := map[string][]*person{}
	for _, p := range c.people {
		out[p.Team] = append(out[p.Team], p)
		if p.Manager {
			out["Managers"] = append(out["Managers"], p)
		}
	}
	return out
}

// due is what a person should have at an application: it is worked out here from
// the words of the demo's configuration, without the hub, so that the demo can
// tell whether the hub is right. Groups are sorted.
func (p *person) due(app string) (account bool, groups []string) {
	if !p.Active {
		return false, nil
	}
	add := func(on bool, group string) {
		if on {
			account = true
			groups = append(groups, group)
		}
	}
	switch app {
	case "chat":
		account = true
		groups = append(groups, p.Team)
		add(p.Manager, "leads")
	case "git":
		add(p.Department == "Engineering", "engineers")
		add(p.Manager, "reviewers")
	case "cloud":
		add(p.Department == "Engineering", "developers")
		add(p.Manager, "viewers")
	case "crm":
		add(p.Department == "Sales", "sellers")
		add(p.Department == "Support", "agents")
		add(p.Manager, "reports")
	}
	slices.Sort(groups)
	return account, groups
}

// document is the person as a SCIM User.
func (p *person) document(manager string) map[string]any {
	enterprise := map[string]any{"department": p.Department, "employeeNumber": strconv.Itoa(p.number)}
	if manager != "" {
		enterprise["manager"] = map[string]any{"value": manager}
	}
	return map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:schemas:core:2.0:User", demoEnterprise},
		"userName":   p.UserName,
		"externalId": fmt.Sprintf("hr-%d", p.number),
		"name":       map[string]any{"givenName": p.Given, "familyName": p.Family, "formatted": p.Name()},
		"nickName":   p.Nick, "displayName": p.Name(), "active": p.Active,
		"emails":       []any{map[string]any{"value": p.UserName, "type": "work", "primary": true}},
		demoEnterprise: enterprise,
	}
}

const demoEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
