package fanout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func generic(t testing.TB) Profile {
	t.Helper()
	p, err := ProfileNamed("generic")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// brief is a change in a few words, held ones with a mark.
func brief(p model.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		s := string(c.Verb) + " " + c.UserName
		if c.Group != "" {
			s += " " + c.Group
		}
		var paths []string
		for _, f := range c.Fields {
			paths = append(paths, f.Path)
		}
		if c.Verb == model.Update && len(paths) > 0 {
			s += " " + strings.Join(paths, ",")
		}
		if c.Held != "" {
			s += " HELD"
		}
		out = append(out, s)
	}
	return out
}

func ours(desired, applied *model.Account) model.AccountRow {
	return model.AccountRow{Identity: "i", RemoteID: "r", Owned: model.OwnedCreated, Desired: desired, Applied: applied}
}

func off(a *model.Account) *model.Account { c := *a; c.Active = false; return &c }

func retitled(a *model.Account, title string) *model.Account {
	c := cloneAccount(a)
	c.Attrs["title"] = title
	return c
}

// Each row of the table in Diff's comment, and what surrounds it.
func TestDiff(t *testing.T) {
	t.Parallel()
	anna := account("anna", "eng")
	old, fresh := noon.Add(-31*24*time.Hour), noon.Add(-time.Hour)
	aged := func(at time.Time) model.AccountRow {
		r := ours(nil, off(anna))
		r.State, r.DisabledAt = model.StateDisabled, &at
		return r
	}
	thenDelete := func(t *model.Target) { t.Leaver.Then, t.Leaver.After = "delete", 30*24*time.Hour }
	stranger := model.AccountRow{Identity: "?9", RemoteID: "9", State: model.StateUnknown, Observed: account("who")}
	tests := []struct {
		name    string
		target  func(*model.Target)
		profile func(*Profile)
		row     model.AccountRow
		want    []string
	}{
		{name: "present, absent", row: model.AccountRow{Identity: "i", Desired: anna}, want: []string{"create anna", "join anna eng"}},
		{name: "present, same, ours", row: ours(anna, anna)},
		{name: "same but for the order of lists", row: ours(
			&model.Account{UserName: "a", Attrs: map[string]any{"emails": []any{map[string]any{"value": "1", "primary": false}, map[string]any{"value": "2"}}}},
			&model.Account{UserName: "a", Attrs: map[string]any{"emails": []any{map[string]any{"value": "2"}, map[string]any{"value": "1"}}}})},
		{name: "same but for the kind of number", row: ours(
			&model.Account{UserName: "a", Attrs: map[string]any{"x": int64(3)}}, &model.Account{UserName: "a", Attrs: map[string]any{"x": 3.0}})},
		{name: "present, differs, ours", row: ours(retitled(anna, "Boss"), anna), want: []string{"update anna title"}},
		{name: "attribute no longer assigned", row: ours(&model.Account{UserName: "anna", Active: true}, &model.Account{UserName: "anna", Active: true, Attrs: map[string]any{"title": "x"}}), want: []string{"update anna title"}},
		{name: "present, inactive, ours", row: ours(anna, off(anna)), want: []string{"update anna active"}},
		{name: "present inactive, active, ours", row: ours(retitled(off(anna), "Away"), anna), want: []string{"disable anna", "update anna title"}},
		{name: "found, not ours", row: model.AccountRow{Identity: "i", RemoteID: "r", Desired: anna, Observed: off(account("anna"))}, want: []string{"adopt anna", "join anna eng"}},
		{name: "found, not ours, ask", target: func(t *model.Target) { t.Adopt = "ask" },
			row: model.AccountRow{Identity: "i", RemoteID: "r", Desired: anna, Observed: account("anna")}, want: []string{"adopt anna HELD", "join anna eng HELD"}},
		{name: "found, intent is ours", target: func(t *model.Target) { t.Adopt = "ask" },
			row: model.AccountRow{Identity: "i", RemoteID: "r", Owned: model.OwnedCreating, Desired: anna, Observed: account("anna")}, want: []string{"join anna eng"}},
		{name: "groups differ", row: ours(account("anna", "b", "c"), account("anna", "a", "b")), want: []string{"part anna a", "join anna c"}},
		{name: "absent, active, ours", row: ours(nil, anna), want: []string{"disable anna"}},
		{name: "absent, active, first delete", target: func(t *model.Target) { t.Leaver.First = "delete" }, row: ours(nil, anna), want: []string{"delete anna"}},
		{name: "absent, inactive, first delete", target: func(t *model.Target) { t.Leaver.First = "delete" }, row: ours(nil, off(anna)), want: []string{"delete anna"}},
		{name: "absent, inactive, not aged out", target: thenDelete, row: aged(fresh)},
		{name: "absent, inactive, aged out", target: thenDelete, row: aged(old), want: []string{"delete anna"}},
		{name: "absent, inactive, aged out, no then", row: aged(old)},
		{name: "absent, inactive, never disabled by us", target: thenDelete, row: ours(nil, off(anna))},
		{name: "the application cannot delete", target: func(t *model.Target) { t.Leaver.First = "delete" }, profile: func(p *Profile) { p.Delete = model.DeleteForbidden }, row: ours(nil, anna), want: []string{"disable anna"}},
		{name: "memberships are taken away", target: func(t *model.Target) { t.Leaver.RemoveMemberships = true }, row: ours(nil, anna), want: []string{"disable anna", "part anna eng"}},
		{name: "memberships are taken away later", target: func(t *model.Target) { t.Leaver.RemoveMemberships = true }, row: aged(fresh), want: []string{"part anna eng"}},
		{name: "the application wants memberships away", profile: func(p *Profile) { p.PartOnDisable = true }, row: ours(nil, anna), want: []string{"disable anna", "part anna eng"}},
		{name: "absent, found, not ours", row: model.AccountRow{Identity: "i", RemoteID: "r", Observed: anna}},
		{name: "absent, never created", row: model.AccountRow{Identity: "i", Owned: model.OwnedCreating}},
		{name: "unknown, report", row: stranger},
		{name: "unknown, disable", target: func(t *model.Target) { t.Drift.Unknown = "disable" }, row: stranger, want: []string{"disable who"}},
		{name: "deletion wants a transfer", target: func(t *model.Target) { t.Leaver.First, t.Leaver.Transfer = "delete", "required" }, row: ours(nil, anna), want: []string{"disable anna", "delete anna HELD"}},
		{name: "deletion cannot be undone", target: func(t *model.Target) { t.Leaver.First = "delete" }, profile: func(p *Profile) { p.Delete = model.DeleteIrreversible }, row: ours(nil, anna), want: []string{"disable anna", "delete anna HELD"}},
		{name: "protected", target: func(t *model.Target) { t.Protect = []string{`userName eq "ANNA"`} }, row: ours(nil, anna), want: []string{"disable anna HELD"}},
		{name: "protected by what it was", target: func(t *model.Target) { t.Protect = []string{`title eq "root"`} }, row: ours(retitled(anna, "x"), retitled(anna, "root")), want: []string{"update anna title HELD"}},
		{name: "a filter that cannot be read protects all", target: func(t *model.Target) { t.Protect = []string{`nonsense(`} }, row: ours(nil, anna), want: []string{"disable anna HELD"}},
		{name: "name too long", profile: func(p *Profile) { p.Limits = map[string]model.AttrLimit{"userName": {Len: 3}} }, row: model.AccountRow{Identity: "i", Desired: anna}, want: []string{"create anna HELD", "join anna eng HELD"}},
		{name: "name too long to disable", profile: func(p *Profile) { p.Limits = map[string]model.AttrLimit{"userName": {Len: 3}} }, row: ours(nil, anna), want: []string{"disable anna"}},
		{name: "observe", target: func(t *model.Target) { t.Mode = model.ModeObserve }, row: ours(account("anna", "x"), account("anna", "y")), want: []string{"part anna y HELD", "join anna x HELD"}},
		{name: "a mode nobody knows", target: func(t *model.Target) { t.Mode = "yolo" }, row: ours(nil, anna), want: []string{"disable anna HELD"}},
		{name: "create-only creates", target: func(t *model.Target) { t.Mode = model.ModeCreateOnly }, row: model.AccountRow{Identity: "i", Desired: anna}, want: []string{"create anna", "join anna eng"}},
		{name: "create-only updates nothing", target: func(t *model.Target) { t.Mode = model.ModeCreateOnly }, row: ours(retitled(anna, "x"), anna), want: []string{"update anna title HELD"}},
		{name: "create-only adopts without writing", target: func(t *model.Target) { t.Mode = model.ModeCreateOnly },
			row: model.AccountRow{Identity: "i", RemoteID: "r", Desired: account("anna"), Observed: retitled(account("anna"), "x")}, want: []string{"adopt anna", "update anna title HELD"}},
		{name: "no-delete disables", target: func(t *model.Target) { t.Mode = model.ModeNoDelete }, row: ours(nil, anna), want: []string{"disable anna"}},
		{name: "no-delete deletes nothing", target: func(t *model.Target) { t.Mode = model.ModeNoDelete; t.Leaver.First = "delete" }, row: ours(nil, anna), want: []string{"disable anna", "delete anna HELD"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := model.Target{Name: "git", Mode: model.ModeEnforce, Adopt: "auto", Leaver: model.LeaverPolicy{First: "disable"}}
			profile := generic(t)
			if tt.target != nil {
				tt.target(&target)
			}
			if tt.profile != nil {
				tt.profile(&profile)
			}
			got := brief(Diff(target, profile, []model.AccountRow{tt.row}, noon))
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

func TestDiffOrder(t *testing.T) {
	t.Parallel()
	leaver := ours(nil, account("zoe", "eng"))
	leaver.Identity, leaver.Leaver = "z", true
	mover := ours(account("bob", "new"), account("bob", "eng", "adm"))
	mover.Identity = "b"
	gone := ours(nil, account("amy"))
	gone.Identity = "a"
	rows := []model.AccountRow{{Identity: "n", Desired: account("new", "eng")}, mover, gone, leaver}
	want := []string{"disable zoe", "disable amy", "part bob adm", "part bob eng", "create new", "join bob new", "join new eng"}
	target := model.Target{Name: "git", Mode: model.ModeEnforce}
	for i := range len(rows) {
		turned := append(append([]model.AccountRow{}, rows[i:]...), rows[:i]...)
		if d := cmp.Diff(want, brief(Diff(target, generic(t), turned, noon))); d != "" {
			t.Fatalf("turned by %d (-want +got):\n%s", i, d)
		}
	}
}

// What a guard may hold must not slip through beside it: the update of a row that
// is disabled as well must not say active false itself.
func TestDiffUpdateBesideDisable(t *testing.T) {
	t.Parallel()
	row := ours(retitled(off(account("anna")), "Away"), account("anna"))
	for _, c := range Diff(model.Target{Name: "git"}, generic(t), []model.AccountRow{row}, noon).Changes {
		if c.Verb == model.Update && len(differences(*c.Before, *c.After)) != 1 {
			t.Errorf("update writes %v", differences(*c.Before, *c.After))
		}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	disable := func(id string, urgent bool) model.Change {
		return model.Change{Verb: model.Disable, Identity: id, UserName: id, Urgent: urgent}
	}
	part := func(id, group string) model.Change {
		return model.Change{Verb: model.Part, Identity: id, UserName: id, Group: group}
	}
	held := func(c model.Change, why string) model.Change { c.Held = why; return c }
	adoptOff := func(id string) model.Change { // taken over and switched off
		return model.Change{Verb: model.Adopt, Identity: id, Before: &model.Account{Active: true}, After: &model.Account{}}
	}
	tests := []struct {
		name    string
		facts   GuardFacts
		changes []model.Change
		held    []string // identity/group of those held
	}{
		{name: "below", facts: GuardFacts{Guard: model.Guard{Floor: 2}}, changes: []model.Change{disable("a", false), disable("b", false)}},
		{name: "beyond", facts: GuardFacts{Guard: model.Guard{Floor: 2}}, changes: []model.Change{disable("a", false), disable("b", false), disable("c", false)}, held: []string{"c/"}},
		{name: "percent", facts: GuardFacts{Guard: model.Guard{Percent: 50}, Population: 4}, changes: []model.Change{disable("a", false), disable("b", false), disable("c", false)}, held: []string{"c/"}},
		{name: "window counts", facts: GuardFacts{Guard: model.Guard{Floor: 2}, AlreadyRemoved: 1}, changes: []model.Change{disable("a", false), disable("b", false)}, held: []string{"b/"}},
		{name: "the removed belong to the population", facts: GuardFacts{Guard: model.Guard{Percent: 50}, Population: 4, AlreadyRemoved: 1}, changes: []model.Change{disable("a", false), disable("b", false)}, held: []string{"b/"}},
		{name: "no removals at all", facts: GuardFacts{}, changes: []model.Change{{Verb: model.Create, Identity: "a"}, {Verb: model.Join, Identity: "a", Group: "g"}, disable("b", false)}, held: []string{"b/"}},
		{name: "an account counts once", facts: GuardFacts{Guard: model.Guard{Floor: 1}}, changes: []model.Change{disable("a", false), part("a", "g"), part("a", "h"), part("b", "g")}, held: []string{"b/g"}},
		{name: "all or nothing for one account", facts: GuardFacts{Guard: model.Guard{Floor: 0}}, changes: []model.Change{part("a", "g"), part("a", "h")}, held: []string{"a/g", "a/h"}},
		{name: "leavers pass and count", facts: GuardFacts{Guard: model.Guard{Floor: 1}}, changes: []model.Change{disable("l", true), disable("m", true), disable("a", false)}, held: []string{"a/"}},
		{name: "held leavers wait", facts: GuardFacts{Guard: model.Guard{Floor: 9}, LeaverHeld: map[string]bool{"l": true}}, changes: []model.Change{disable("l", true), disable("m", true)}, held: []string{"l/"}},
		{name: "approved passes", facts: GuardFacts{Approved: map[string]string{Digest("git", disable("b", false)): "ops"}}, changes: []model.Change{disable("a", false), disable("b", false)}, held: []string{"a/"}},
		{name: "approved for another group", facts: GuardFacts{Approved: map[string]string{Digest("git", part("a", "g")): "ops"}}, changes: []model.Change{part("a", "h")}, held: []string{"a/h"}},
		{name: "approved held leaver", facts: GuardFacts{LeaverHeld: map[string]bool{"l": true}, Approved: map[string]string{Digest("git", disable("l", true)): "ops"}}, changes: []model.Change{disable("l", true)}},
		{name: "mode stays", facts: GuardFacts{Guard: model.Guard{Floor: 9}, Approved: map[string]string{Digest("git", disable("a", false)): "ops"}}, changes: []model.Change{held(disable("a", false), "mode observe does not disable")}, held: []string{"a/"}},
		{name: "held by mode does not count", facts: GuardFacts{Guard: model.Guard{Floor: 1}}, changes: []model.Change{held(disable("a", false), "mode"), disable("b", false)}, held: []string{"a/"}},
		{name: "adoption approved, its joins with it", facts: GuardFacts{Approved: map[string]string{Digest("git", model.Change{Verb: model.Adopt, Identity: "a", RemoteID: "1"}): "ops"}},
			changes: []model.Change{held(model.Change{Verb: model.Adopt, Identity: "a", RemoteID: "1"}, heldAdopt), held(model.Change{Verb: model.Join, Identity: "a", Group: "g"}, heldAdopt)}},
		{name: "adoption that switches off is a removal", facts: GuardFacts{Guard: model.Guard{Floor: 1}},
			changes: []model.Change{adoptOff("a"), adoptOff("b"), {Verb: model.Join, Identity: "a", Group: "g"}, {Verb: model.Join, Identity: "b", Group: "g"}}, held: []string{"b/", "b/g"}},
		{name: "adoption of another account", facts: GuardFacts{Approved: map[string]string{Digest("git", model.Change{Verb: model.Adopt, Identity: "a", RemoteID: "2"}): "ops"}},
			changes: []model.Change{held(model.Change{Verb: model.Adopt, Identity: "a", RemoteID: "1"}, heldAdopt)}, held: []string{"a/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range HeldChanges(Guard(model.Plan{Target: "git", Changes: tt.changes}, tt.facts)) {
				got = append(got, c.Identity+"/"+c.Group)
			}
			if d := cmp.Diff(tt.held, got); d != "" {
				t.Errorf("held (-want +got):\n%s", d)
			}
		})
	}
}

func TestGuardWords(t *testing.T) {
	t.Parallel()
	var changes []model.Change
	for i := range 52 {
		changes = append(changes, model.Change{Verb: model.Disable, Identity: fmt.Sprint(i)})
	}
	p := Guard(model.Plan{Changes: changes}, GuardFacts{Guard: model.Guard{Percent: 10, Floor: 5, Window: time.Hour}, Population: 500})
	held := HeldChanges(p)
	if len(held) != 2 || held[0].Held != "removal 51 of at most 50 within 1h0m0s (10% of 500 accounts)" || !strings.HasPrefix(held[1].Held, "removal 52 of") {
		t.Errorf("held: %+v", held)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	base := model.Change{Verb: model.Update, Identity: "i", After: account("anna", "g")}
	same := base
	same.Because, same.Before, same.Held, same.UserName = []string{"x"}, account("b"), "y", "z"
	if Digest("t", base) != Digest("t", same) {
		t.Error("reasons or the state before change the digest")
	}
	other := []model.Change{base, base, base, base}
	other[0].Verb = model.Create
	other[1].Identity = "j"
	other[2].Group = "g"
	other[3].After = account("anna", "h")
	for i, c := range other {
		if Digest("t", base) == Digest("t", c) {
			t.Errorf("change %d has the same digest", i)
		}
	}
	if Digest("t", base) == Digest("u", base) {
		t.Error("another target has the same digest")
	}
	ints := base
	ints.After = cloneAccount(base.After)
	ints.After.Attrs["n"] = int64(4)
	floats := base
	floats.After = cloneAccount(base.After)
	floats.After.Attrs["n"] = 4.0
	if Digest("t", ints) != Digest("t", floats) {
		t.Error("a number read back from the database changes the digest")
	}
	a, b := base, base
	a.Held, b.Held, b.Identity = "x", "x", "j"
	one, two := PlanDigest(model.Plan{Target: "t", Changes: []model.Change{a, b}}), PlanDigest(model.Plan{Target: "t", Changes: []model.Change{b, base, a}})
	if one != two || len(one) != 16 {
		t.Errorf("plan digests %q and %q", one, two)
	}
	if PlanDigest(model.Plan{Changes: []model.Change{base}}) != "" {
		t.Error("nothing held has a digest")
	}
}

func cloneAccount(a *model.Account) *model.Account {
	if a == nil {
		return nil
	}
	c := *a
	if a.Attrs != nil {
		c.Attrs = maps.Clone(a.Attrs)
	}
	c.Groups = slices.Clone(a.Groups)
	return &c
}
