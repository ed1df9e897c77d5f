package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// conflicting has a role for each letter in the nickName, and conflicts as given.
func conflicting(conflicts, more string) string {
	return `
database: sqlite:x.db
sources: {hr: {dialect: rfc}}
roles:
  a: {when: 'user.nickName.contains("a")', grants: [{target: chat, group: a}]}
  b: {when: 'user.nickName.contains("b")', grants: [{target: chat, group: b}]}
  c: {when: 'user.nickName.contains("c")', grants: [{target: chat, group: c}]}
  boss: {when: 'user.nickName.contains("x")', inherits: [a, b]}
  outer: {when: 'user.nickName.contains("o")', inherits: [inner]}
  inner: {grants: [{target: chat, group: inner}]}
  broken: {when: 'user.title.startsWith("T")', grants: [{target: chat, group: broken}]}
` + more + `
conflicts: ` + conflicts + `
targets: {chat: {url: http://127.0.0.1:1, profile: generic}}
`
}

func snapshot(t testing.TB, text string) *hub.Snapshot {
	t.Helper()
	snap, err := hub.Compile(1, "hub.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// someone is what is known of an active person with these attributes.
func someone(pairs ...any) hub.Known {
	attrs := map[string]any{"schemas": []any{scim.URNUser}, "userName": "ada", "active": true}
	for i := 0; i < len(pairs); i += 2 {
		attrs[pairs[i].(string)] = pairs[i+1]
	}
	return hub.Known{Row: store.IdentityRow{ID: "i1", Name: "ada", Stage: model.Active},
		Users: []store.SourceUser{{Source: "hr", ID: "r1", Attrs: attrs}}}
}

func rolesOf(d hub.Decision) (out []string) {
	for _, g := range d.Grants {
		out = append(out, g.Role)
	}
	slices.Sort(out)
	return out
}

func findingsOf(d hub.Decision, kind string) (out []model.Finding) {
	for _, f := range d.Findings {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	return out
}

func exception(id string, roles ...string) model.Exception {
	return model.Exception{ID: id, Identity: "i1", Roles: roles, Owner: "i2", OwnerStage: model.Active, From: noon().Add(-time.Hour), Until: noon().Add(time.Hour)}
}

func heldRoles(roles ...string) (out []model.Grant) {
	for _, r := range roles {
		out = append(out, model.Grant{Identity: "i1", Role: r, Because: []model.Reason{{Role: r, Rule: "x"}}, From: noon().Add(-time.Hour)})
	}
	return out
}

// TestRolesInConflict reads the table of the file, and what lists that meet lead to.
func TestRolesInConflict(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		conflicts  string
		nick       string
		title      any
		held       []string
		exceptions []model.Exception
		want       string
		findings   int
	}{
		"none":                       {`[{roles: [a, b]}]`, "a", "T", nil, nil, "a broken", 0},
		"the first stays":            {`[{roles: [a, b]}]`, "ab", "x", nil, nil, "a", 1},
		"whatever was held":          {`[{roles: [a, b]}]`, "ab", "x", []string{"b"}, nil, "a", 1},
		"report takes nothing":       {`[{roles: [a, b], action: report}]`, "ab", "x", nil, nil, "a b", 1},
		"approve is refuse":          {`[{roles: [b, a], action: approve, approve: [manager]}]`, "ab", "x", nil, nil, "b", 1},
		"one of three":               {`[{roles: [c, a, b]}]`, "abc", "x", nil, nil, "c", 1},
		"an exception":               {`[{roles: [a, b]}]`, "ab", "x", nil, []model.Exception{exception("e", "a", "b")}, "a b", 0},
		"an exception of others":     {`[{roles: [a, b]}]`, "ab", "x", nil, []model.Exception{exception("e", "a", "c")}, "a", 1},
		"of three two are excepted":  {`[{roles: [a, b, c]}]`, "abc", "x", nil, []model.Exception{exception("e", "a", "c")}, "a c", 1},
		"excepted but not the first": {`[{roles: [a, b, c]}]`, "abc", "x", nil, []model.Exception{exception("e", "b", "c")}, "a", 1},
		// b goes for a, so that nothing stands against c
		"what goes takes nothing":              {`[{roles: [b, c]}, {roles: [a, b]}]`, "abc", "x", nil, nil, "a c", 1},
		"the same in the other order":          {`[{roles: [a, b]}, {roles: [b, c]}]`, "abc", "x", nil, nil, "a c", 1},
		"a circle":                             {`[{roles: [a, b]}, {roles: [b, c]}, {roles: [c, a]}]`, "abc", "x", nil, nil, "a", 2},
		"a role that includes both":            {`[{roles: [a, b]}]`, "x", "x", nil, nil, "a boss", 1},
		"what only a taken role gives":         {`[{roles: [a, outer]}]`, "ao", "x", nil, nil, "a", 1},
		"held through what goes takes nothing": {`[{roles: [inner, c]}, {roles: [a, outer]}]`, "aoc", "x", nil, nil, "a c", 1},
		"failed, both held":                    {`[{roles: [broken, a]}]`, "a", nil, []string{"a", "broken"}, nil, "a broken", 1},
		"failed second, both held":             {`[{roles: [a, broken]}]`, "a", nil, []string{"a", "broken"}, nil, "a broken", 1},
		"failed, the other is new":             {`[{roles: [a, broken]}]`, "a", nil, []string{"broken"}, nil, "broken", 1},
		"failed and not held":                  {`[{roles: [broken, a]}]`, "a", nil, nil, nil, "a", 0},
		"failed, report":                       {`[{roles: [broken, a], action: report}]`, "a", nil, []string{"broken"}, nil, "a broken", 1},
		"failed, others decide":                {`[{roles: [broken, a, b]}]`, "ab", nil, []string{"a", "b", "broken"}, nil, "a broken", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := someone("nickName", tt.nick)
			if tt.title != nil {
				k = someone("nickName", tt.nick, "title", tt.title)
			}
			k.Held, k.Exceptions = heldRoles(tt.held...), tt.exceptions
			text := conflicting(tt.conflicts, "")
			if tt.title == nil {
				text = strings.Replace(text, `user.title.startsWith("T")`, `user.emails[3].value == "x"`, 1)
			}
			d := hub.Decide(snapshot(t, text), k, noon())
			got := rolesOf(d)
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("roles %v, want %v", got, want)
			}
			if f := findingsOf(d, model.FindingConflict); len(f) != tt.findings {
				t.Errorf("findings %v, want %d", f, tt.findings)
			}
			for _, x := range d.Denied {
				if slices.Contains(got, x.Role) || len(x.Because) == 0 || !strings.Contains(x.Because[0].Rule, "not beside") {
					t.Errorf("denied %+v", x)
				}
			}
			var ids []string
			for _, g := range d.Grants {
				for _, r := range g.Because {
					if r.Exception != "" {
						ids = append(ids, g.Role)
					}
				}
			}
			if want := len(tt.exceptions) > 0 && len(got) > 1; want != (len(ids) > 0) {
				t.Errorf("held by exception: %v", ids)
			}
		})
	}
}

// TestRolesInConflictHold: nobody holds two roles that exclude each other, nothing is
// taken but for what stays, and the history of the person makes no difference.
func TestRolesInConflictHold(t *testing.T) {
	t.Parallel()
	letters := []string{"a", "b", "c"}
	lists := []string{"[a, b]", "[b, a]", "[b, c]", "[c, b]", "[a, c]", "[c, a]", "[a, b, c]", "[c, b, a]", "[outer, c]", "[b, outer]"}
	rapid.Check(t, func(t *rapid.T) {
		var conflicts []string
		for _, l := range rapid.SliceOfNDistinct(rapid.SampledFrom(lists), 1, 3, rapid.ID).Draw(t, "conflicts") {
			conflicts = append(conflicts, "{roles: "+l+"}")
		}
		snap, err := hub.Compile(1, "hub.yaml", []byte(conflicting("["+strings.Join(conflicts, ", ")+"]", "")), nil)
		if err != nil {
			t.Fatal(err)
		}
		nick := strings.Join(rapid.SliceOfDistinct(rapid.SampledFrom(append(letters, "x", "o")), rapid.ID).Draw(t, "roles"), "")
		k := someone("nickName", nick, "title", "none")
		fresh := hub.Decide(snap, k, noon())
		k.Held = heldRoles(rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "boss", "outer", "inner"}), rapid.ID).Draw(t, "held")...)
		later := hub.Decide(snap, k, noon())
		if diff := cmp.Diff(rolesOf(fresh), rolesOf(later)); diff != "" {
			t.Errorf("what was held matters: %s", diff)
		}
		free := hub.Decide(snapshotOf(t, conflicting("[]", "")), k, noon())
		got := rolesOf(later)
		for _, c := range snap.Doc.Conflicts {
			held := slices.DeleteFunc(slices.Clone(c.Roles), func(r string) bool { return !slices.Contains(got, r) })
			if len(held) > 1 {
				t.Errorf("%v are held together", held)
			}
		}
		for _, x := range later.Denied {
			if !slices.Contains(rolesOf(free), x.Role) {
				t.Errorf("%s was never due", x.Role)
			}
			for n, r := range x.Because {
				if by, _, ok := strings.Cut(strings.TrimPrefix(r.Rule, "not beside "), " ("); n == 0 && ok && !slices.Contains(got, by) {
					t.Errorf("%s is taken for %s, which is not held: %v", x.Role, by, got)
				}
			}
		}
	})
}

func snapshotOf(t *rapid.T, text string) *hub.Snapshot {
	snap, err := hub.Compile(1, "hub.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
