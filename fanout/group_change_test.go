package fanout

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

func TestGroupChange(t *testing.T) {
	t.Parallel()
	ours := store.TargetGroup{Name: "eng", Applied: "eng", RemoteID: "g1", Owned: model.OwnedCreated, Wanted: true}
	with := func(change func(*store.TargetGroup)) store.TargetGroup { g := ours; change(&g); return g }
	for _, c := range []struct {
		name   string
		target func(*model.Target)
		group  store.TargetGroup
		want   string // verb and held words; what stays and why
	}{
		{"nothing to do", nil, ours, ""},
		{"to be made", nil, store.TargetGroup{Name: "eng", Wanted: true}, "create-group"},
		{"found", nil, with(func(g *store.TargetGroup) { g.Owned = "" }), "adopt-group"},
		{"found, ask", func(t *model.Target) { t.Groups.Adopt = "ask" }, with(func(g *store.TargetGroup) { g.Owned = "" }), "adopt-group " + heldAdoptGroup},
		{"found, never", func(t *model.Target) { t.Groups.Adopt = "never" }, with(func(g *store.TargetGroup) { g.Owned = "" }), "adopt-group " + neverAdoptGroup},
		{"found, observed", func(t *model.Target) { t.Mode = model.ModeObserve }, with(func(g *store.TargetGroup) { g.Owned = "" }), "adopt-group mode observe does not adopt-group"},
		{"renamed", nil, with(func(g *store.TargetGroup) { g.Name = "dev" }), "rename-group"},
		{"renamed, adopted", nil, with(func(g *store.TargetGroup) { g.Name, g.Owned = "dev", model.OwnedAdopted }), "rename-group"},
		{"in other letters", nil, with(func(g *store.TargetGroup) { g.Name = "ENG" }), "rename-group"},
		{"in other letters, adopted", nil, with(func(g *store.TargetGroup) { g.Name, g.Owned = "ENG", model.OwnedAdopted }), ""},
		{"renamed where groups keep their names", func(t *model.Target) { t.Profile = "atlassian" }, with(func(g *store.TargetGroup) { g.Name = "dev" }), "create-group"},
		{"in other letters where groups keep their names", func(t *model.Target) { t.Profile = "atlassian" }, with(func(g *store.TargetGroup) { g.Name = "ENG" }), ""},
		{"renamed, protected", func(t *model.Target) { t.Protect = []string{`displayName eq "Eng"`} }, with(func(g *store.TargetGroup) { g.Name = "dev" }), `rename-group protected: displayName eq "Eng"`},
		{"renamed, create-only", func(t *model.Target) { t.Mode = model.ModeCreateOnly }, with(func(g *store.TargetGroup) { g.Name = "dev" }), "rename-group mode create-only does not rename-group"},
		{"too long", func(t *model.Target) {
			t.Overrides = map[string]any{"attr_limits": map[string]any{groupNameLimit: map[string]any{"len": 2}}}
		}, store.TargetGroup{Name: "eng", Wanted: true}, "create-group the group's name has 3 characters, generic takes at most 2: give it a shorter one at its source"},
		{"no groups", func(t *model.Target) { t.Profile = "gitlab" }, store.TargetGroup{Name: "eng", Wanted: true}, "create-group " + heldNoGroups},
		{"unwanted, kept", nil, with(func(g *store.TargetGroup) { g.Wanted = false }), "stays: nothing grants it any longer; it stays (groups.remove: keep)"},
		{"unwanted, deleted", func(t *model.Target) { t.Groups.Remove = "delete" }, with(func(g *store.TargetGroup) { g.Wanted = false }), "delete-group"},
		{"unwanted, deleted, no-delete", func(t *model.Target) { t.Groups.Remove, t.Mode = "delete", model.ModeNoDelete }, with(func(g *store.TargetGroup) { g.Wanted = false }), "delete-group mode no-delete does not delete-group"},
		{"unwanted, deleted for ever", func(t *model.Target) { t.Groups.Remove, t.Profile = "delete", "slack" }, with(func(g *store.TargetGroup) { g.Wanted = false }), "delete-group " + heldDeleteGroup},
		{"unwanted, adopted", func(t *model.Target) { t.Groups.Remove = "delete" }, with(func(g *store.TargetGroup) { g.Wanted, g.Owned = false, model.OwnedAdopted }), "stays: nothing grants it any longer; it was there before the hub and stays"},
		{"unwanted, not ours", func(t *model.Target) { t.Groups.Remove = "delete" }, with(func(g *store.TargetGroup) { g.Wanted, g.Owned = false, "" }), ""},
		{"unwanted, protected", func(t *model.Target) { t.Groups.Remove, t.Protect = "delete", []string{`displayName sw "e"`} }, with(func(g *store.TargetGroup) { g.Wanted = false }), `delete-group protected: displayName sw "e"`},
	} {
		target := model.Target{Name: "git", Mode: model.ModeEnforce}
		if c.target != nil {
			c.target(&target)
		}
		p := groupProfile(t, target)
		change, ok, why := newGroupDiffer(target, p).change(c.group)
		got := ""
		switch {
		case ok:
			got = strings.TrimSpace(string(change.Verb) + " " + change.Held)
		case why != "":
			got = "stays: " + why
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		// What waits for approval passes with the digest of exactly this change.
		if ok && groupAwaitsApproval(change.Held) {
			g := c.group
			g.Approved = Digest("git", change)
			if again, _, _ := newGroupDiffer(target, p).change(g); again.Held != "" {
				t.Errorf("%s: approved and held: %s", c.name, again.Held)
			}
			g.RemoteID = "another"
			if again, _, _ := newGroupDiffer(target, p).change(g); again.Held == "" {
				t.Errorf("%s: the approval of one group holds for another", c.name)
			}
		}
	}
}

func TestGroupNamesFollow(t *testing.T) {
	t.Parallel()
	generic := groupProfile(t, model.Target{})
	names := namesOf([]store.TargetGroup{{Name: "new", Former: []string{"old", "older"}}, {Name: "Other"}, {Name: "again"}, {Name: "was", Former: []string{"again"}}}, generic)
	row := model.AccountRow{Desired: &model.Account{Groups: []string{"OTHER", "new", "was"}}, Applied: &model.Account{Groups: []string{"again", "old", "other"}},
		Sent: []model.Account{{Groups: []string{"older", "x"}}}}
	got := names.follow(row)
	// again is a group of its own by now: who is in it is not in the one called so before.
	if diff := cmp.Diff([]string{"OTHER", "again", "new"}, got.Applied.Groups); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"new", "x"}, got.Sent[0].Groups); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"again", "old", "other"}, row.Applied.Groups); diff != "" {
		t.Error("the row itself was changed: ", diff)
	}
	// What may have been sent counts: it is no other group that the account leaves.
	sent := model.AccountRow{Desired: &model.Account{Groups: []string{"old"}}, Applied: &model.Account{Groups: []string{"old"}}, Sent: []model.Account{{Groups: []string{"older"}}}}
	if got := names.follow(sent); !slices.Equal(got.Sent[0].Groups, []string{"old"}) {
		t.Errorf("sent: %v", got.Sent[0].Groups)
	}
	keep := generic
	keep.Rename.Group = false
	got = namesOf([]store.TargetGroup{{Name: "new", Former: []string{"old"}}}, keep).follow(row)
	if diff := cmp.Diff([]string{"OTHER", "again", "old"}, got.Applied.Groups); diff != "" {
		t.Error("where groups keep their names the old one is another: ", diff)
	}
}
