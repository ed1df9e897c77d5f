package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const mirrors = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc}
  okta: {dialect: rfc}
roles:
  engineer: {when: user.active, grants: [{target: git, group: engineers}]}
targets:
  chat: {url: http://127.0.0.1:1, groups: {mirror: ['displayName sw "chat-"']}}
  git: {url: http://127.0.0.1:2, groups: {mirror: ['displayName sw "app-"', 'externalId eq "always"']}}
`

// groups evaluates until no source group is marked.
func (w *world) groups() {
	w.t.Helper()
	for range 50 {
		n, err := w.EvaluateGroups(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("the evaluation of groups does not end")
}

// configured says that the configuration came into force.
func (w *world) configured() {
	w.t.Helper()
	if err := w.Store.Update(w.t.Context(), func(tx *store.Tx) error { return tx.MarkGroups() }); err != nil {
		w.t.Fatal(err)
	}
}

// groupsAt are the groups of a target as lines: name, + wanted or -, what grants it.
func (w *world) groupsAt(target string) (out []string) {
	w.t.Helper()
	list, err := w.Store.TargetGroups(w.t.Context(), target)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range list {
		line := g.Name + " -"
		if g.Wanted {
			line = g.Name + " +"
		}
		if g.Due {
			line += " due"
		}
		for _, f := range g.Former {
			line += " was " + f
		}
		for _, o := range g.Origins {
			line += fmt.Sprintf(" %s:%s", o.Kind, o.Label)
		}
		out = append(out, line)
	}
	return out
}

func (w *world) wantGroups(target string, want ...string) {
	w.t.Helper()
	w.groups()
	if diff := cmp.Diff(want, w.groupsAt(target)); diff != "" {
		w.t.Errorf("groups of %s (-want +got):\n%s", target, diff)
	}
}

// madeGroups says that a target has what is wanted of it.
func (w *world) madeGroups(target string) {
	w.t.Helper()
	list, err := w.Store.TargetGroups(w.t.Context(), target)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range list {
		g.RemoteID, g.Owned, g.Applied, g.State, g.Due = "r-"+g.Name, model.OwnedCreated, g.Name, string(model.StateInSync), false
		if err := w.Store.SettleGroup(w.t.Context(), store.GroupSettlement{Group: g}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestGroupsAreWantedRenamedAndUnwanted(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		w.wantGroups("git", "engineers + due role:engineers")
		a := w.team("app-a") // nobody is in it, and it is to exist
		w.team("other")
		w.wantGroups("git", "app-a + due mirror:app-a", "engineers + due role:engineers")
		w.wantGroups("chat")
		w.madeGroups("git")

		// A change of members is none of a group.
		u := w.person("ada")
		w.patch(w.group, a.ID, `[{"op":"add","path":"members","value":[{"value":"`+u.ID+`"}]}]`)
		if n := w.db.Int(w.t, `SELECT count(*) FROM group_marks`); n != 0 {
			w.t.Errorf("%d groups marked by a new member", n)
		}

		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"app-b"}]`)
		w.wantGroups("git", "app-b + due was app-a mirror:app-b", "engineers + role:engineers")
		w.madeGroups("git")
		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"APP-B"}]`)
		w.wantGroups("git", "APP-B + due was app-a mirror:APP-B", "engineers + role:engineers")
		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"app-a"}]`)
		w.wantGroups("git", "app-a + due was APP-B mirror:app-a", "engineers + role:engineers")
		w.madeGroups("git")

		// Out of the filter, into another target's.
		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"chat-a"}]`)
		w.wantGroups("git", "app-a - due was APP-B", "engineers + role:engineers")
		w.wantGroups("chat", "chat-a + due mirror:chat-a")

		w.remove("hr", w.group, a.ID)
		w.wantGroups("chat") // it was never made
		back := w.team("App-A")
		w.wantGroups("git", "app-a + due was APP-B mirror:App-A", "engineers + role:engineers")
		w.madeGroups("git")
		w.remove("hr", w.group, back.ID)
		w.wantGroups("git", "app-a - due was APP-B", "engineers + role:engineers")
		got := w.db.Strings(w.t, `SELECT action || ' ' || count(*) FROM audit WHERE action LIKE 'target.group%' GROUP BY action ORDER BY 1`)
		if diff := cmp.Diff([]string{"target.group.renamed 3", "target.group.unwanted 3", "target.group.wanted 4"}, got); diff != "" {
			w.t.Errorf("audit:\n%s", diff)
		}
	})
}

func TestGroupsOfOneNameMerge(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		a := w.team("app-x")
		b := w.create("okta", w.group, map[string]any{"schemas": a.Attrs["schemas"], "displayName": "App-X"})
		c := w.team("Engineers")
		w.patch(w.group, c.ID, `[{"op":"replace","path":"externalId","value":"always"}]`)
		w.groups()
		w.madeGroups("git")
		list := w.groupsAt("git")
		if diff := cmp.Diff([]string{"app-x + mirror:app-x mirror:App-X", "engineers + role:engineers mirror:Engineers"}, list); diff != "" {
			w.t.Errorf("merged:\n%s", diff)
		}
		// One of two leaves the name: the group stays, another is wanted.
		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"app-y"}]`)
		w.groups()
		w.madeGroups("git")
		// And comes back: its group is the other's again.
		w.patch(w.group, a.ID, `[{"op":"replace","path":"displayName","value":"APP-x"}]`)
		w.groups()
		list = w.groupsAt("git")
		if len(list) != 3 || list[0] != "app-x + mirror:APP-x mirror:App-X" || list[1] != "app-y - due" {
			w.t.Errorf("after coming back: %q", list)
		}
		w.remove("okta", w.group, b.ID)
		w.remove("hr", w.group, a.ID)
		w.groups()
		if list = w.groupsAt("git"); !strings.HasSuffix(list[0], "- due") {
			w.t.Errorf("what nothing grants: %q", list)
		}
	})
}

// A configuration that grants other groups, and an older one that must not decide.
func TestGroupsFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		w.team("app-a")
		w.team("chat-a")
		w.groups()
		w.madeGroups("git")
		w.madeGroups("chat")
		text := strings.NewReplacer("group: engineers", "group: builders", `sw "app-"`, `sw "nothing-"`).Replace(mirrors)
		next, err := hub.Compile(2, "hub.yaml", []byte(text), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		w.Activate(next)
		w.configured()
		w.wantGroups("git", "app-a - due", "builders + due role:builders", "engineers - due")
		w.wantGroups("chat", "chat-a + mirror:chat-a")

		w.db.Exec(w.t, `INSERT INTO config_versions (version, digest, body, by_whom, at) VALUES (3, 'd', '', 'x', 0)`)
		w.team("chat-b")
		w.groups()
		if n := w.db.Int(w.t, `SELECT count(*) FROM group_marks`); n != 1 {
			w.t.Errorf("%d marks: an older configuration has decided about a group", n)
		}
	})
}

// People who are decided about because the group they are in was renamed find it under
// its new name; and who is in it by way of another group is told which.
func TestGroupsComeBeforePeople(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		u := w.person("ada")
		kids := w.team("kids", u.ID)
		top := w.team("app-top", kids.ID)
		w.evaluate()
		w.madeGroups("git")
		account := w.state(w.identityOf(u.ID)).accounts["git"]
		want := []model.Reason{{Group: "app-top", Via: []string{"kids", "app-top"}, Sources: map[string]string{"groups": "hr"}, Version: 1}}
		if diff := cmp.Diff(want, account.Because["app-top"]); diff != "" {
			w.t.Errorf("reasons:\n%s", diff)
		}
		w.patch(w.group, top.ID, `[{"op":"replace","path":"displayName","value":"app-high"}]`)
		if _, err := w.EvaluateBatch(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		account = w.state(w.identityOf(u.ID)).accounts["git"]
		if diff := cmp.Diff([]string{"app-high", "engineers"}, account.Desired.Groups); diff != "" {
			w.t.Errorf("groups of the account:\n%s", diff)
		}
		if diff := cmp.Diff([]string{"app-high + due was app-top mirror:app-high", "engineers + role:engineers"}, w.groupsAt("git")); diff != "" {
			w.t.Errorf("groups of the target:\n%s", diff)
		}
		w.remove("hr", w.group, kids.ID) // the way is gone, the group is not
		w.evaluate()
		account = w.state(w.identityOf(u.ID)).accounts["git"]
		if diff := cmp.Diff([]string{"engineers"}, account.Desired.Groups); diff != "" {
			w.t.Errorf("groups of the account without the way:\n%s", diff)
		}
		if g := w.groupsAt("git")[0]; !strings.HasPrefix(g, "app-high +") {
			w.t.Error(g)
		}
	})
}

// Who may be leaving does not wait for a group's new name: they go at once. Whoever stays
// is not decided about before the group has it, for another would be made under that name.
func TestUrgentPeopleDoNotOvertakeAGroupsNewName(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		u, gone := w.person("ada"), w.person("bob")
		top := w.team("app-top", u.ID, gone.ID)
		w.evaluate()
		w.madeGroups("git")
		w.patch(w.group, top.ID, `[{"op":"replace","path":"displayName","value":"app-high"}]`)
		w.patch(w.user, gone.ID, `[{"op":"replace","path":"active","value":false}]`)
		w.patch(w.user, u.ID, `[{"op":"replace","path":"active","value":false}]`)
		w.patch(w.user, u.ID, `[{"op":"replace","path":"active","value":true}]`) // back, and marked urgent still
		if n := w.db.Int(w.t, `SELECT count(*) FROM marks WHERE urgent`); n != 2 {
			w.t.Fatalf("%d people marked urgent, want 2", n)
		}
		if _, err := w.EvaluateBatch(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"app-high + due was app-top mirror:app-high", "engineers + role:engineers"}, w.groupsAt("git")); diff != "" {
			w.t.Errorf("groups of the target:\n%s", diff)
		}
		if account := w.state(w.identityOf(u.ID)).accounts["git"]; account.Desired == nil || !slices.Equal(account.Desired.Groups, []string{"app-high", "engineers"}) {
			w.t.Errorf("who is back is to be %+v", account.Desired)
		}
		if s := w.state(w.identityOf(gone.ID)); s.row.Stage != model.Leaver || s.accounts["git"].Desired != nil {
			w.t.Errorf("who has left is %s and to be %+v", s.row.Stage, s.accounts["git"].Desired)
		}
		if left := w.marked(); len(left) > 0 {
			w.t.Errorf("still marked: %q", left)
		}
	})
}

// People do not wait for ever for groups that cannot be worked out; leavers not at all.
func TestPeopleDoNotWaitForGroupsForEver(t *testing.T) {
	t.Parallel()
	each(t, mirrors, func(w *world) {
		u, gone := w.person("ada"), w.person("bob")
		top := w.team("app-top", u.ID, gone.ID)
		w.evaluate()
		w.madeGroups("git")
		w.patch(w.group, top.ID, `[{"op":"replace","path":"displayName","value":"app-high"}]`)
		w.patch(w.user, gone.ID, `[{"op":"replace","path":"active","value":false}]`)
		w.db.Exec(w.t, `UPDATE target_groups SET former = 'no list' WHERE target = 'git'`)
		if _, err := w.EvaluateBatch(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if s := w.state(w.identityOf(gone.ID)); s.row.Stage != model.Leaver {
			w.t.Errorf("who has left is %s", s.row.Stage)
		}
		if account := w.state(w.identityOf(u.ID)).accounts["git"]; account.Desired == nil || !slices.Contains(account.Desired.Groups, "app-high") {
			w.t.Errorf("who stays is to be %+v", account.Desired)
		}
	})
}
