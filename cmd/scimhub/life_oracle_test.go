package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// held is an account as the application truly has it.
type held struct {
	id, userName, externalID string
	active                   bool
	doc                      map[string]any
	groups                   []string
}

func fingerprint(doc map[string]any) string {
	text, err := json.Marshal(doc)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// holdings reads the application's true state: accounts by userName, and its groups.
func (w *lifeWorld) holdings() (accounts map[string][]*held, groups map[string]int) {
	accounts, groups = map[string][]*held{}, map[string]int{}
	byID := map[string]*held{}
	state := w.state()
	for _, u := range state.Users {
		h := &held{doc: u, active: true}
		h.id, _ = u["id"].(string)
		h.userName, _ = u["userName"].(string)
		h.externalID, _ = u["externalId"].(string)
		if on, shown := u["active"].(bool); shown {
			h.active = on
		}
		key := strings.ToLower(h.userName)
		accounts[key] = append(accounts[key], h)
		byID[h.id] = h
	}
	for _, g := range state.Groups {
		name, _ := g["displayName"].(string)
		groups[name]++
		members, _ := g["members"].([]any)
		for _, m := range members {
			entry, _ := m.(map[string]any)
			id, _ := entry["value"].(string)
			if h := byID[id]; h != nil {
				h.groups = append(h.groups, name)
			}
		}
	}
	return accounts, groups
}

// check compares the application with what it should hold.
func (w *lifeWorld) check(when string, untouched map[string]string) {
	w.t.Helper()
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	accounts, groups := w.holdings()
	known := map[string]bool{}
	for _, p := range w.people {
		name := w.nameAtApp(p)
		known[name] = true
		w.checkPerson(p, accounts[name], fault)
		w.checkNick(p, accounts, fault)
	}
	for name, list := range accounts {
		switch {
		case known[name]:
		case untouched[name] == "":
			fault("%s: nobody's account", name)
		case len(list) != 1 || fingerprint(list[0].doc) != untouched[name]:
			fault("%s: was touched", name)
		}
	}
	for name := range untouched {
		if len(accounts[name]) == 0 {
			fault("%s: is gone", name)
		}
	}
	w.checkGroups(groups, fault)
	if len(faults) == 0 {
		return
	}
	slices.Sort(faults)
	w.t.Errorf("%s at %s, %d faults:\n  %s", when, w.profile.Name, len(faults), strings.Join(faults[:min(len(faults), 25)], "\n  "))
	w.diagnose(faults)
	w.t.FailNow()
}

// nameAtApp is the user name under which the application should know somebody: the
// first one for ever where it cannot rename.
func (w *lifeWorld) nameAtApp(p *liver) string {
	if !w.profile.Rename.User || w.profile.Limits["userName"].Fixed {
		return cmp.Or(p.asMade, fmt.Sprintf("p%04d@ex.com", p.n))
	}
	return strings.ToLower(p.userName)
}

func (w *lifeWorld) checkPerson(p *liver, list []*held, fault func(string, ...any)) {
	w.t.Helper()
	if len(list) > 1 {
		fault("%s: %d accounts", p.userName, len(list))
		return
	}
	switch {
	case len(list) == 0 && p.active:
		fault("%s: no account", p.userName)
		return
	case len(list) == 0:
		return // gone, or never made
	case p.active && !list[0].active:
		fault("%s: is switched off", p.userName)
		return
	case !p.active && list[0].active:
		fault("%s: has left and is still active", p.userName)
		return
	case !p.active:
		return
	}
	h := list[0]
	want := map[string]string{"displayName": p.givenName + " " + p.familyName, "name.familyName": p.familyName, "title": p.title,
		"externalId": p.externalID(), lifeEmployees + ":department": p.department}
	for path, value := range want {
		if !w.kept(path) {
			continue
		}
		if have := attributeOf(h.doc, path); have != value {
			fault("%s: %s is %q, want %q", p.userName, path, have, value)
		}
	}
	if groups := w.groupsOf(p); !slices.Equal(groups, sortedTexts(h.groups)) {
		fault("%s: in groups %q, want %q", p.userName, sortedTexts(h.groups), groups)
	}
}

// checkNick wants what the hub does not own as it was.
func (w *lifeWorld) checkNick(p *liver, accounts map[string][]*held, fault func(string, ...any)) {
	mine := accounts[w.nameAtApp(p)]
	if !p.active || len(mine) != 1 {
		return
	}
	if nick, _ := mine[0].doc["nickName"].(string); p.nick != nick {
		fault("%s: nickName, which is none of the hub's, is %q, was %q", p.userName, nick, p.nick)
	}
}

// kept reports whether the application takes and keeps an attribute.
func (w *lifeWorld) kept(path string) bool {
	p := w.profile
	covers := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool {
			return strings.EqualFold(a, path) || (len(path) > len(a) && strings.EqualFold(path[:len(a)], a) && strings.ContainsRune(".:", rune(path[len(a)])))
		})
	}
	switch {
	case covers(p.Drops), path == "externalId" && !p.StoresExternalID:
		return false
	case !p.SendUnknown:
		return covers(p.KnownAttrs)
	}
	return true
}

func attributeOf(doc map[string]any, path string) string {
	if rest, ok := strings.CutPrefix(path, lifeEmployees+":"); ok {
		doc, _ = doc[lifeEmployees].(map[string]any)
		path = rest
	}
	parent, sub, nested := strings.Cut(path, ".")
	if nested {
		doc, _ = doc[parent].(map[string]any)
		parent = sub
	}
	text, _ := doc[parent].(string)
	return text
}

// groupsOf are the groups somebody should be in at the application.
func (w *lifeWorld) groupsOf(p *liver) []string {
	out := []string{}
	if !w.profile.Has("Group") {
		return out
	}
	for _, g := range w.groups {
		if !g.gone && (g.department != "" && g.department == p.department || slices.ContainsFunc(p.projects, g.holds)) {
			out = append(out, g.name)
		}
	}
	return sortedTexts(out)
}

// holds reports whether who is in another group is in this one, too.
func (g *livingGroup) holds(other *livingGroup) bool {
	return g == other || slices.ContainsFunc(g.inside, func(inner *livingGroup) bool { return !inner.gone && inner.holds(other) })
}

func sortedTexts(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return out
}

// checkGroups wants each group once; old names may stand where a group cannot be renamed.
func (w *lifeWorld) checkGroups(have map[string]int, fault func(string, ...any)) {
	if !w.profile.Has("Group") {
		return
	}
	for _, g := range w.groups {
		empty := g.department != "" && !slices.ContainsFunc(w.people, func(p *liver) bool { return p.active && p.department == g.department })
		if have[g.name] != 1 && !empty && !g.gone {
			fault("group %q is there %d times", g.name, have[g.name])
		}
	}
	for _, g := range w.groups {
		if g.gone && w.remove == "delete" && w.profile.DeleteGroup == "hard" && have[g.name] > 0 {
			fault("group %q is still there", g.name)
		}
	}
	for name, n := range have {
		if n > 1 {
			fault("group %q is there %d times", name, n)
		}
	}
}

// diagnose says what the hub thinks of those whom a fault names.
func (w *lifeWorld) diagnose(faults []string) {
	w.t.Helper()
	shown := 0
	for after := ""; shown < 8; {
		rows, err := w.hub.store.Accounts(w.t.Context(), lifeTarget, after, 500)
		if err != nil || len(rows) == 0 {
			return
		}
		after = rows[len(rows)-1].Identity
		for _, row := range rows {
			name := ""
			if row.Desired != nil {
				name = row.Desired.UserName
			} else if row.Applied != nil {
				name = row.Applied.UserName
			}
			if name != "" && shown < 8 && slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, name+":") }) {
				shown++
				text, _ := json.Marshal(row)
				w.t.Logf("the hub on %s: %s", name, text)
			}
		}
	}
}
