package hub_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// What a random history has: this many people, names for them, and groups a source.
const (
	historyPeople = 3
	historyNames  = 4
	historyGroups = 2
)

var historySources = []string{"hr", "okta"}

// happening is one thing of a history. It can be put to any state, where it makes no
// sense it does nothing, so that a history without some of its happenings is one, too.
type happening struct {
	what   string // see historian.do
	source string
	who    int // a person or a group
	member int // of join and part: a person, or below zero a group
	facts  map[string]string
	hours  int
}

func (e happening) String() string {
	switch e.what {
	case "tick":
		return fmt.Sprintf("%dh later", e.hours)
	case "evaluate", "batch", "both", "other":
		return "evaluation (" + e.what + ")"
	case "join", "part":
		m := fmt.Sprint("p", e.member)
		if e.member < 0 {
			m = fmt.Sprint("g", -e.member-1)
		}
		return fmt.Sprintf("%s: %s %s g%d", e.source, m, e.what, e.who)
	}
	kind := "p"
	if strings.Contains(e.what, "group") {
		kind = "g"
	}
	text := fmt.Sprintf("%s: %s %s%d", e.source, e.what, kind, e.who)
	for _, k := range slices.Sorted(maps.Keys(e.facts)) {
		text += fmt.Sprintf(" %s=%q", k, e.facts[k])
	}
	return text
}

// historyValues are the values that facts take; empty: none. Dates are hours after the
// history began, such that no two of them contradict each other.
var historyValues = map[string][]string{
	"active":     {"true", "true", "true", "false", ""},
	"title":      {"Engineer", "Lead Engineer", "Clerk", ""},
	"userType":   {"", "employee", "contractor", "parental"},
	"department": {"Engineering", "Finance", "Sales", ""},
	"start":      {"", "", "-90", "5", "20", "40"},
	"last":       {"", "", "", "45", "70", "100"},
	"from":       {"", "", "", "-30", "10", "30"},
	"until":      {"", "", "35", "60", "90"},
	"name":       {"0", "1", "2", "3"},
}

var historyDisplays = []string{"finance", "board", "app-wiki", "app-all", "crew"}

func pick[T any](dice *rand.Rand, list []T) T { return list[dice.IntN(len(list))] }

// someFacts are facts of a person at random, the more the more is asked for.
func someFacts(dice *rand.Rand, all bool) map[string]string {
	out := map[string]string{}
	keys := slices.Sorted(maps.Keys(historyValues))
	if !all {
		keys = []string{pick(dice, keys)}
	}
	for _, k := range keys {
		dated := k == "start" || k == "last" || k == "from" || k == "until"
		if all && (k == "name" || dated && dice.IntN(3) > 0) {
			continue
		}
		out[k] = pick(dice, historyValues[k])
	}
	return out
}

// beginning is what most sources begin with: people, and groups that they are in.
func beginning(dice *rand.Rand) (out []happening) {
	source := pick(dice, historySources)
	for who := range historyPeople - 1 {
		out = append(out, happening{what: "put", source: source, who: who, facts: someFacts(dice, true)})
	}
	for g := range historyGroups {
		out = append(out, happening{what: "put group", source: source, who: g, facts: map[string]string{"display": pick(dice, historyDisplays)}},
			happening{what: "join", source: source, who: g, member: dice.IntN(historyPeople)})
	}
	return out
}

// anything is a random happening at a source.
func anything(dice *rand.Rand) happening {
	e := happening{source: pick(dice, historySources), who: dice.IntN(historyPeople)}
	switch n := dice.IntN(24); {
	case n < 4:
		e.what, e.facts = "put", someFacts(dice, true)
	case n < 10:
		e.what, e.facts = "patch", someFacts(dice, false)
	case n < 12:
		e.what = "delete"
	case n < 13:
		e.what = "delete group"
	case n < 17:
		e.what, e.facts = "put group", map[string]string{"display": pick(dice, historyDisplays)}
	case n < 22:
		e.what = "join"
	default:
		e.what = "part"
	}
	if e.member = dice.IntN(historyPeople); dice.IntN(3) == 0 {
		e.member = -1 - dice.IntN(historyGroups)
	}
	if strings.Contains(e.what, "group") || e.what == "join" || e.what == "part" {
		e.who = dice.IntN(historyGroups)
	}
	return e
}

// slot is a resource: person or group number n of a source.
type slot struct {
	source string
	n      int
}

// sourceFacts are what the sources say.
type sourceFacts struct {
	users    map[slot]map[string]string
	displays map[slot]string
	members  map[slot]map[int]bool // of groups; see happening.member
}

func newSourceFacts() sourceFacts {
	return sourceFacts{users: map[slot]map[string]string{}, displays: map[slot]string{}, members: map[slot]map[int]bool{}}
}

// taken reports whether another person of the source has a name.
func (f sourceFacts) taken(s slot, name string) bool {
	for other, facts := range f.users {
		if other.source == s.source && other.n != s.n && facts["name"] == name {
			return true
		}
	}
	return false
}

// forget takes a resource out of the groups of its source.
func (f sourceFacts) forget(source string, member int) {
	for g, list := range f.members {
		if g.source == source {
			delete(list, member)
		}
	}
}

func slots[V any](m map[slot]V) []slot {
	return slices.SortedFunc(maps.Keys(m), func(a, b slot) int {
		return strings.Compare(a.source+strconv.Itoa(a.n), b.source+strconv.Itoa(b.n))
	})
}

// factPaths are the attributes that facts are written to.
var factPaths = map[string]string{
	"active": "active", "title": "title", "userType": "userType", "start": "nickName", "name": "userName",
	"department": scim.URNEnterprise + ":department", "last": scim.URNEnterprise + ":division",
	"from": scim.URNEnterprise + ":organization", "until": scim.URNEnterprise + ":costCenter",
}

// factValue is the value of a fact as a source writes it; nil: none. Names are those of
// one history alone, hours count from its beginning.
func factValue(prefix string, began time.Time, fact, value string) any {
	switch fact {
	case "active":
		if value != "" {
			return value == "true"
		}
	case "name":
		return prefix + "-n" + value
	case "start", "last", "from", "until":
		if hours, err := strconv.Atoi(value); err == nil {
			at := began.Add(time.Duration(hours) * time.Hour)
			if fact == "last" && hours%2 == 0 {
				return at.Format(time.DateOnly)
			}
			return at.Format(time.RFC3339)
		}
	}
	if value == "" {
		return nil
	}
	return value
}

// factDocument is a person as a source pushes them.
func factDocument(prefix string, began time.Time, n int, facts map[string]string) map[string]any {
	doc := map[string]any{"schemas": []any{scim.URNUser}, "externalId": fmt.Sprint(prefix, "-e", n),
		"displayName": fmt.Sprint(prefix, " ", n)}
	enterprise := map[string]any{}
	for fact, value := range facts {
		v := factValue(prefix, began, fact, value)
		if v == nil {
			continue
		}
		if attr, ok := strings.CutPrefix(factPaths[fact], scim.URNEnterprise+":"); ok {
			enterprise[attr] = v
			continue
		}
		doc[factPaths[fact]] = v
	}
	if len(enterprise) > 0 {
		doc[scim.URNEnterprise] = enterprise
		doc["schemas"] = []any{scim.URNUser, scim.URNEnterprise}
	}
	return doc
}
