package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

// oracleRule is a condition whose outcome for a person is known without CEL.
type oracleRule struct {
	text    string
	outcome func(title string, groups []string) string // "yes", "no", "error"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

var oracleRules = []oracleRule{
	{`true`, func(string, []string) string { return "yes" }},
	{`user.title == "A"`, func(t string, _ []string) string { return yesNo(t == "A") }},
	{`user.title == "B" && user.active`, func(t string, _ []string) string { return yesNo(t == "B") }},
	{`user.title in ["A", "C"]`, func(t string, _ []string) string { return yesNo(t == "A" || t == "C") }},
	{`user.title != "A"`, func(t string, _ []string) string { return yesNo(t != "A") }},
	{`user.title == ""`, func(t string, _ []string) string { return yesNo(t == "") }},
	{`"g" in user.groups`, func(_ string, g []string) string { return yesNo(slices.Contains(g, "g")) }},
	{`"h" in user.groups && user.title == "A"`, func(t string, g []string) string { return yesNo(slices.Contains(g, "h") && t == "A") }},
	{`user.emails[0].value == "x"`, func(string, []string) string { return "error" }},
	{`user.title == "A" && user.emails[0].value == "x"`, func(t string, _ []string) string {
		if t == "A" {
			return "error"
		}
		return "no"
	}},
}

// oracleRole is a role of the random policy; rules are places in oracleRules, -1 none.
type oracleRole struct {
	when, deny int
	inherits   []int
}

// TestEvaluateAgainstOracle compares Evaluate with a naive reading of the words: a
// role is held for sure if it is in every world, undecided if in some but not all,
// where each failing rule is true or false in one half of the worlds.
func TestEvaluateAgainstOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		roles := drawRoles(t)
		title := rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(t, "title")
		groups := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"g", "h", "i"}), 0, 3, rapid.ID).Draw(t, "groups")
		doc, faults := config.Parse("hub.yaml", []byte(rolesText(roles)))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		e, faults := policy.Compile(1, doc)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		i := model.Identity{User: map[string]any{}}
		if title != "" {
			i.User["title"] = title
		}
		for _, g := range groups {
			i.Groups = append(i.Groups, model.Membership{Display: g})
		}
		got := e.Evaluate(i, nil, today)
		always, sometimes := worlds(roles, title, groups)
		state := map[string]string{}
		for _, g := range got.Grants {
			state[g.Role] = "held"
			checkReasons(t, roles, g, title, groups)
		}
		for _, u := range got.Undecided {
			if state[u] != "" {
				t.Fatalf("%s is held and undecided", u)
			}
			state[u] = "undecided"
		}
		for n := range roles {
			name, want := fmt.Sprintf("r%d", n), ""
			switch {
			case always[n]:
				want = "held"
			case sometimes[n]:
				want = "undecided"
			}
			// Kleene's logic may be unsure where all worlds agree, never the other way round.
			if state[name] != want && state[name] != "undecided" {
				t.Fatalf("%s is %q, want %q in\n%s\ntitle %q groups %v", name, state[name], want, rolesText(roles), title, groups)
			}
			if state[name] != want && len(got.Errors) == 0 {
				t.Fatalf("%s is undecided, and no rule failed", name)
			}
		}
	})
}

func drawRoles(t *rapid.T) []oracleRole {
	roles := make([]oracleRole, rapid.IntRange(1, 8).Draw(t, "roles"))
	for n := range roles {
		roles[n].when = rapid.IntRange(-1, len(oracleRules)-1).Draw(t, "when")
		roles[n].deny = max(-1, rapid.IntRange(-12, len(oracleRules)-1).Draw(t, "deny"))
		for m := range n { // only earlier ones: no circles
			if rapid.IntRange(0, 2).Draw(t, "inherits") == 0 {
				roles[n].inherits = append(roles[n].inherits, m)
			}
		}
	}
	return roles
}

func rolesText(roles []oracleRole) string {
	var b strings.Builder
	b.WriteString("roles:\n")
	for n, r := range roles {
		fmt.Fprintf(&b, "  r%d:\n    inherits: [", n)
		for k, m := range r.inherits {
			if k > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "r%d", m)
		}
		b.WriteString("]\n")
		for key, rule := range map[string]int{"when": r.when, "deny": r.deny} {
			if rule >= 0 {
				fmt.Fprintf(&b, "    %s: '%s'\n", key, oracleRules[rule].text)
			}
		}
	}
	return b.String()
}

// worlds tries both outcomes of every rule that fails, text by text.
func worlds(roles []oracleRole, title string, groups []string) (always, sometimes []bool) {
	var failing []int
	for k, r := range oracleRules {
		if r.outcome(title, groups) == "error" {
			failing = append(failing, k)
		}
	}
	always, sometimes = make([]bool, len(roles)), make([]bool, len(roles))
	for n := range always {
		always[n] = true
	}
	for world := range 1 << len(failing) {
		truth := func(rule int) bool {
			if rule < 0 {
				return false
			}
			if k := slices.Index(failing, rule); k >= 0 {
				return world>>k&1 == 1
			}
			return oracleRules[rule].outcome(title, groups) == "yes"
		}
		var holds func(n int) bool
		holds = func(n int) bool {
			if truth(roles[n].deny) {
				return false
			}
			if truth(roles[n].when) {
				return true
			}
			for m, r := range roles {
				if slices.Contains(r.inherits, n) && holds(m) {
					return true
				}
			}
			return false
		}
		for n := range roles {
			h := holds(n)
			always[n] = always[n] && h
			sometimes[n] = sometimes[n] || h
		}
	}
	return always, sometimes
}

// checkReasons wants one reason for each rule that matches and leads to the role,
// and a way that is there.
func checkReasons(t *rapid.T, roles []oracleRole, g model.Grant, title string, groups []string) {
	if len(g.Because) == 0 {
		t.Fatalf("%s is held for no reason", g.Role)
	}
	seen := map[string]bool{}
	for _, r := range g.Because {
		if seen[r.Role] {
			t.Fatalf("%s: two reasons by %s", g.Role, r.Role)
		}
		seen[r.Role] = true
		var from int
		if _, err := fmt.Sscanf(r.Role, "r%d", &from); err != nil {
			t.Fatal(err)
		}
		if oracleRules[roles[from].when].outcome(title, groups) != "yes" {
			t.Fatalf("%s: rule of %s does not match", g.Role, r.Role)
		}
		at := from
		for _, via := range r.Via {
			var to int
			if _, err := fmt.Sscanf(via, "r%d", &to); err != nil || !slices.Contains(roles[at].inherits, to) {
				t.Fatalf("%s: there is no way %s %v", g.Role, r.Role, r.Via)
			}
			at = to
		}
		if fmt.Sprintf("r%d", at) != g.Role {
			t.Fatalf("%s: the way %s %v ends elsewhere", g.Role, r.Role, r.Via)
		}
	}
}
