package hub_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// failing is a configuration in which almost everything fails for somebody: rules, a
// deny rule, a conflict, the rule about leave, a scope, a mapping.
const failing = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 100%, window: 1h, floor: 100000}}
identity:
  start: nickName
  end: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division'
  leave: {when: 'user.roles[0].value == "away"'}
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  base: {grants: [{target: wiki, group: base}]}
  engineer:
    when: user.title == "Engineer"
    deny: user.phoneNumbers[0].value == "barred"
    inherits: [base]
    grants: [{target: git, group: engineers}]
  docs: {when: 'user.emails[0].value.endsWith("@docs.example")', inherits: [base], grants: [{target: chat, group: docs}]}
  crew: {when: '"crew" in user.groups', grants: [{target: chat, group: crew}]}
  approves: {when: 'user.entitlements[0].value == "approves"', grants: [{target: books, group: approve}]}
  pays: {when: user.userType == "pays", grants: [{target: books, group: pay}]}
conflicts: [{roles: [approves, pays], action: refuse}]
targets:
  chat: {url: http://127.0.0.1:1, profile: generic}
  git: {url: http://127.0.0.1:2, profile: generic, scope: 'user.photos[0].value != "http://x/none"'}
  wiki: {url: http://127.0.0.1:3, profile: generic, user: {userName: user.userName, title: 'user.ims[0].value'}}
  books: {url: http://127.0.0.1:4, profile: generic}
`

// failingVersion is a configuration, with the title that makes an engineer in it, and
// whether it lets the roles that conflict in others be held together.
type failingVersion struct {
	text, title string
	together    bool
}

// failingVersions follow one another in any order. The source of everybody is missing
// in one.
var failingVersions = []failingVersion{
	{failing, "Engineer", false},
	{strings.Replace(failing, `"Engineer"`, `"Chief"`, 1), "Chief", false},
	{strings.Replace(failing, "  hr: {", "  other: {", 1), "Engineer", false},
	{strings.Replace(failing, "action: refuse", "action: report", 1), "Engineer", true},
}

// failingValues are the values of facts. Without those of lists the rules that read
// them fail; a date is hours after noon(), or no date.
var failingValues = map[string][]string{
	"active":   {"true", "true", "true", "true", "true", "false"},
	"title":    {"Engineer", "Engineer", "Chief", "Clerk"},
	"type":     {"pays", "pays", "other"},
	"phone":    {"", "free", "free", "barred"},
	"email":    {"", "a@docs.example", "a@docs.example", "a@x.example"},
	"entitled": {"", "approves", "other", "other"},
	"photo":    {"", "http://x/me", "http://x/me", "http://x/none"},
	"im":       {"", "me", "me"},
	"role":     {"", "here", "here", "here", "away"},
	"start":    {"", "", "", "-5", "60", "soon"},
	"end":      {"", "", "", "80", "400", "never"},
	"crew":     {"", "in"},
}

var failingLists = map[string]string{"phone": "phoneNumbers", "email": "emails", "entitled": "entitlements", "photo": "photos", "im": "ims", "role": "roles"}

func failingDate(value string) string {
	if hours, err := strconv.Atoi(value); err == nil {
		return noon().Add(time.Duration(hours) * time.Hour).Format(time.RFC3339)
	}
	return value
}

// failingDocument is a person with these facts, but for groups.
func failingDocument(n int, facts map[string]string) map[string]any {
	doc := map[string]any{"schemas": []any{scim.URNUser, scim.URNEnterprise}, "userName": fmt.Sprint("u", n), "externalId": fmt.Sprint("e", n),
		"active": facts["active"] == "true", "title": facts["title"], "userType": facts["type"]}
	for fact, attr := range failingLists {
		if facts[fact] != "" {
			doc[attr] = []any{map[string]any{"value": facts[fact]}}
		}
	}
	if facts["start"] != "" {
		doc["nickName"] = failingDate(facts["start"])
	}
	if facts["end"] != "" {
		doc[scim.URNEnterprise] = map[string]any{"division": failingDate(facts["end"])}
	}
	return doc
}

func randomFacts(dice *rand.Rand) map[string]string {
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(failingValues)) {
		out[k] = pick(dice, failingValues[k])
	}
	out["crew"] = ""
	return out
}

// verdict is what the facts say of something: no, perhaps, or yes.
type verdict int

const (
	certainlyNot verdict = iota
	undecided
	certainly
)

func not(v verdict) verdict { return certainly - v }

func whether(b bool) verdict {
	if b {
		return certainly
	}
	return certainlyNot
}

// read is whether a fact has a value; of one that is missing nobody can say.
func read(facts map[string]string, fact, value string) verdict {
	if facts[fact] == "" {
		return undecided
	}
	return whether(facts[fact] == value)
}

// isPresent is whether a person is to have access at all at a moment.
func isPresent(facts map[string]string, now time.Time) verdict {
	if facts == nil || facts["active"] == "false" {
		return certainlyNot
	}
	v := not(read(facts, "role", "away"))
	for fact, late := range map[string]bool{"start": false, "end": true} {
		hours, err := strconv.Atoi(facts[fact])
		switch {
		case facts[fact] == "":
		case err != nil:
			v = min(v, undecided)
		default:
			come := !now.Before(noon().Add(time.Duration(hours) * time.Hour))
			v = min(v, whether(come != late))
		}
	}
	return v
}

// waits reports whether somebody who is in a stage gets nothing: it cannot be read when
// they begin or end, or whether they are back.
func waits(facts map[string]string, stage model.Stage) bool {
	switch stage {
	case model.Active:
		return false
	case model.Leave:
		return facts["role"] == ""
	}
	return facts["start"] == "soon" || facts["end"] == "never"
}

// entitled is what the facts of a person, who held something before, say of every
// entitlement, as "target" and "target/group". It is said here once more in other words
// than a configuration's.
func entitled(facts map[string]string, version failingVersion, now time.Time, held map[string]bool) map[string]verdict {
	here := isPresent(facts, now)
	engineer := min(whether(facts["title"] == version.title), not(read(facts, "phone", "barred")))
	docs := read(facts, "email", "a@docs.example")
	base := max(engineer, docs)
	approves := read(facts, "entitled", "approves")
	pays := whether(facts["type"] == "pays")
	if !version.together {
		pays = min(pays, not(approves))
	}
	// A role that nobody can decide gives an account to those who held the role.
	through := func(v verdict, group string) verdict {
		if v == undecided && !held[group] {
			return certainlyNot
		}
		return v
	}
	inGit := not(read(facts, "photo", "http://x/none"))
	inWiki := certainly
	if facts["im"] == "" {
		inWiki = undecided
	}
	return map[string]verdict{
		"chat": here, "chat/docs": min(here, docs), "chat/crew": min(here, whether(facts["crew"] == "in")),
		"git": min(here, engineer, inGit), "git/engineers": min(here, engineer, inGit),
		"wiki": min(here, base, inWiki), "wiki/base": min(here, base, inWiki),
		"books": min(here, max(through(pays, "books/pay"), through(approves, "books/approve"))), "books/pay": min(here, pays), "books/approve": min(here, approves),
	}
}
