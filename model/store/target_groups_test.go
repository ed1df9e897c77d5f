package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestTargetGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		groups := []store.TargetGroup{
			{Target: "git", Name: "eng", Former: []string{"dev"}, RemoteID: "g1", Owned: "created", State: "in_sync", NextAttempt: noon()},
			{Target: "git", Name: "new", State: "pending", NextAttempt: time.UnixMicro(0).UTC()},
			{Target: "git", Name: "ops", State: "failed", LastError: "no", Attempts: 3, NextAttempt: noon().Add(time.Hour)},
		}
		for _, g := range []store.TargetGroup{groups[2], groups[0], {Target: "chat", Name: "all"}} {
			update(t, db, func(tx *store.Tx) error { return tx.AddGroup(g) })
		}
		for _, name := range []string{"ENG", "dev", "ops", "new", "New"} { // what is known of one stays as it is
			if err := db.EnsureGroup(t.Context(), "git", name); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.TargetGroups(t.Context(), "git")
		if diff := cmp.Diff(groups, got, cmpopts.IgnoreFields(store.TargetGroup{}, "Generation", "UpdatedAt")); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// What accounts are to be may be old where the person is marked, where the row was
// decided anew, and right after a source group was marked.
func TestDecidingAnew(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		update(t, db, func(tx *store.Tx) error {
			return tx.SetDesiredAll([]model.AccountRow{{Target: "git", Identity: "i1"}, {Target: "git", Identity: "i2"}, {Target: "chat", Identity: "i1"}})
		})
		want := func(when string, want bool, generations map[string]int64) {
			t.Helper()
			if anew, err := db.DecidingAnew(t.Context(), "git", generations); anew != want || err != nil {
				t.Errorf("%s: %t, %v", when, anew, err)
			}
		}
		want("as decided", false, map[string]int64{"i1": 1, "i2": 1})
		update(t, db, func(tx *store.Tx) error { return tx.SetDesired(model.AccountRow{Target: "chat", Identity: "i1"}) })
		want("decided anew elsewhere", false, map[string]int64{"i1": 1})
		update(t, db, func(tx *store.Tx) error { return tx.SetDesired(model.AccountRow{Target: "git", Identity: "i1"}) })
		want("decided anew", true, map[string]int64{"i1": 1, "i2": 1})
		want("of that generation", false, map[string]int64{"i1": 2})
		update(t, db, func(tx *store.Tx) error { return tx.Mark(false, "i2") })
		want("marked", true, map[string]int64{"i1": 2, "i2": 1})
		want("another is marked", false, map[string]int64{"i1": 2})
		update(t, db, func(tx *store.Tx) error { return tx.MarkGroups() })
		db.Exec(t, `UPDATE group_marks SET marked_at = ?`, db.Now().UnixMicro())
		want("a group is marked", true, map[string]int64{"i1": 2})
		db.Exec(t, `UPDATE group_marks SET marked_at = ?`, db.Now().Add(-time.Hour).UnixMicro())
		want("a group has been marked for long", false, map[string]int64{"i1": 2})
	})
}

// A row keeps what is known of the target when something else is wanted meanwhile, and
// an outcome finds its group though it is called otherwise by now.
func TestSettleGroup(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		read := func(name string) store.TargetGroup {
			t.Helper()
			g, _, err := db.TargetGroup(t.Context(), "git", name)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		origin := store.GroupOrigin{Kind: store.OriginMirror, Ref: "g1", Label: "Übung", Source: "hr", Name: "Übung"}
		update(t, db, func(tx *store.Tx) error {
			if err := tx.AddGroup(store.TargetGroup{Target: "git", Name: "Übung", Wanted: true, State: "pending", Due: true}); err != nil {
				return err
			}
			return tx.AddOrigin("git", origin)
		})
		g := read("ÜBUNG")
		if g.Name != "Übung" || !g.Wanted || len(g.Origins) != 1 || g.Origins[0] != origin {
			t.Fatalf("by a name in other letters: %+v", g)
		}
		if ok, err := db.IntendGroup(t.Context(), "git", "Übung"); !ok || err != nil || read("Übung").Owned != "creating" {
			t.Errorf("intent: %v, %v", ok, err)
		}
		update(t, db, func(tx *store.Tx) error { return tx.RenameWanted(g, "Weg") })
		g.RemoteID, g.Owned, g.Applied, g.State, g.Due = "r1", "created", "Übung", "in_sync", false
		if err := db.SettleGroup(t.Context(), store.GroupSettlement{Group: g, Done: []model.Change{{Verb: model.CreateGroup, Group: "Übung"}}}); err != nil {
			t.Fatal(err)
		}
		now := read("Weg")
		if now.RemoteID != "r1" || now.Owned != "created" || now.State != "pending" || !now.Due || now.Origins[0].Name != "Weg" {
			t.Errorf("renamed while it was made: %+v", now)
		}
		if by := read("übung"); by.Name != "Weg" {
			t.Errorf("by its former name: %+v", by)
		}
		if ok, err := db.IntendGroup(t.Context(), "git", "Weg"); ok || err != nil {
			t.Errorf("what is there already is about to be made: %v, %v", ok, err)
		}
		// What keeps its name becomes two.
		if err := db.SplitGroup(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		old, fresh := read("Übung"), read("Weg")
		if old.Name != "Übung" || old.RemoteID != "r1" || old.Wanted || !old.Due || fresh.RemoteID != "" || !fresh.Wanted || len(fresh.Former) > 0 {
			t.Errorf("split: %+v and %+v", old, fresh)
		}
		// Gone, but wanted again meanwhile: the row stays.
		update(t, db, func(tx *store.Tx) error { return tx.WantGroup("git", "Übung", true) })
		old.RemoteID = ""
		if err := db.SettleGroup(t.Context(), store.GroupSettlement{Group: old, Gone: true}); err != nil {
			t.Fatal(err)
		}
		if g := read("Übung"); !g.Wanted || !g.Due || g.RemoteID != "" {
			t.Errorf("wanted while it went: %+v", g)
		}
	})
}

func TestGroupCounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		in := func(groups ...string) *model.Account {
			return &model.Account{UserName: "x", Active: true, Groups: groups}
		}
		off := in("eng")
		off.Active = false
		rows := []model.AccountRow{
			{Target: "git", Identity: "i1", Desired: in("eng", "a \"b\""), Applied: in("eng")},
			{Target: "git", Identity: "i2", Applied: off},
			{Target: "git", Identity: "i3", Desired: in(), Applied: in(), Sent: []model.Account{*in("ops")}},
			{Target: "git", Identity: "i4", Desired: &model.Account{UserName: "y", Attrs: map[string]any{"title": "eng"}}},
			{Target: "chat", Identity: "i1", Desired: in("eng")},
		}
		update(t, db, func(tx *store.Tx) error { return tx.SetDesiredAll(rows) })
		for _, r := range rows {
			r.Generation = 1
			if err := db.Settle(t.Context(), r.Target, []store.Settlement{{Row: r}}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.GroupCounts(t.Context(), "git")
		want := map[string]store.GroupCount{"eng": {Members: 2, Wanted: 1}, "a \"b\"": {Wanted: 1}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		for name, n := range map[string]int{"eng": 1, "a \"b\"": 1, "ops": 1, "none": 0} { // of i2 the account is switched off
			if got, err := db.AccountsIn(t.Context(), "git", []string{name}); got != n || err != nil {
				t.Errorf("%s: %d accounts, want %d: %v", name, got, n, err)
			}
		}
	})
}

// The way to a group is the shortest, by name among equals; circles end.
func TestFactsOfNestedGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		foreign := newGroup(t, "g9", "foreign", store.Member{ID: "g1"})
		foreign.Source = "okta"
		create(t, db, newUser(t, "u1", "ada", nil), newUser(t, "u2", "bob", nil),
			newGroup(t, "g1", "team", store.Member{ID: "u1"}), newGroup(t, "g2", "area", store.Member{ID: "g1"}, store.Member{ID: "u2"}),
			newGroup(t, "g3", "top", store.Member{ID: "g2"}, store.Member{ID: "g4"}), newGroup(t, "g4", "aside", store.Member{ID: "g1"}), foreign)
		update(t, db, func(tx *store.Tx) error { // in a circle
			return tx.ModifyResource(store.ResourceWrite{Source: "hr", Actor: "test", Type: groupType(t), Action: "modify",
				Resource: newGroup(t, "g1", "team").Resource, Joined: []store.Member{{ID: "g3"}}})
		})
		err := db.View(t.Context(), func(tx *store.Tx) error {
			f, err := tx.Facts([]string{"i-u1", "i-u2"})
			if err != nil {
				return err
			}
			want := []model.Membership{
				{Source: "hr", GroupID: "g2", Display: "area", Via: []string{"team", "area"}},
				{Source: "hr", GroupID: "g4", Display: "aside", Via: []string{"team", "aside"}},
				{Source: "hr", GroupID: "g1", Display: "team"},
				{Source: "hr", GroupID: "g3", Display: "top", Via: []string{"team", "area", "top"}},
			}
			if diff := cmp.Diff(want, f.Groups["i-u1"]); diff != "" {
				t.Errorf("ada:\n%s", diff)
			}
			want = []model.Membership{
				{Source: "hr", GroupID: "g2", Display: "area"},
				{Source: "hr", GroupID: "g4", Display: "aside", Via: []string{"area", "top", "team", "aside"}},
				{Source: "hr", GroupID: "g1", Display: "team", Via: []string{"area", "top", "team"}},
				{Source: "hr", GroupID: "g3", Display: "top", Via: []string{"area", "top"}},
			}
			if diff := cmp.Diff(want, f.Groups["i-u2"]); diff != "" {
				t.Errorf("bob:\n%s", diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
