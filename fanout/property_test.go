package fanout

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

func drawAccount(t *rapid.T, label string) *model.Account {
	if rapid.IntRange(0, 3).Draw(t, label+" there") == 0 {
		return nil
	}
	word := rapid.SampledFrom([]string{"", "a", "b", "A b"})
	a := &model.Account{UserName: rapid.SampledFrom([]string{"ann", "ben", "Cleo"}).Draw(t, label+" name"), Active: rapid.Bool().Draw(t, label+" active"),
		Groups: rapid.SliceOfN(rapid.SampledFrom([]string{"g", "h", "i"}), 0, 4).Draw(t, label+" groups"), Attrs: map[string]any{}}
	for _, path := range []string{"title", "name.familyName", `emails[type eq "work"].value`, "urn:x:User:dept"} {
		if v := word.Draw(t, label+path); v != "" {
			a.Attrs[path] = v
		}
	}
	if rapid.Bool().Draw(t, label+" list") {
		var list []any
		for _, v := range rapid.SliceOfN(word, 0, 3).Draw(t, label+" phones") {
			list = append(list, map[string]any{"value": v, "primary": false})
		}
		a.Attrs["phoneNumbers"] = list
	}
	return a
}

// apply is what the worker does to a row, without a target.
func apply(row model.AccountRow, changes []model.Change) model.AccountRow {
	for _, c := range changes {
		switch c.Verb {
		case model.Create, model.Adopt:
			row.Applied, row.RemoteID, row.Owned = cloneAccount(c.After), "r", model.OwnedCreated
			row.Applied.Groups = nil
		case model.Delete:
			row.Applied, row.Observed, row.RemoteID, row.Owned = nil, nil, "", ""
		case model.Disable:
			if row.Applied == nil {
				row.Observed = off(row.Observed)
				continue
			}
			row.Applied = off(row.Applied)
		case model.Update:
			groups, active := []string(nil), c.Before.Active
			if row.Applied != nil {
				groups, active = row.Applied.Groups, row.Applied.Active
			}
			row.Applied = cloneAccount(c.After)
			row.Applied.Groups = groups
			if c.Before.Active == c.After.Active {
				row.Applied.Active = active
			}
		case model.Join:
			if row.Applied == nil {
				row.Applied = cloneAccount(row.Observed)
			}
			row.Applied = cloneAccount(row.Applied)
			row.Applied.Groups = append(row.Applied.Groups, c.Group)
		case model.Part:
			row.Applied = cloneAccount(row.Applied)
			row.Applied.Groups = slices.DeleteFunc(row.Applied.Groups, func(g string) bool { return g == c.Group })
		}
	}
	return row
}

// Carrying out a plan leaves nothing to do, the plan depends on nothing but its
// input, and what is not ours is never removed.
func TestPlanConverges(t *testing.T) {
	t.Parallel()
	profiles := []Profile{}
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		p.Delete, p.Limits = model.DeleteHard, nil
		profiles = append(profiles, p)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(profiles).Draw(t, "profile")
		target := model.Target{Name: "t", Mode: model.ModeEnforce, Leaver: model.LeaverPolicy{
			First: rapid.SampledFrom([]string{"disable", "delete"}).Draw(t, "first"), RemoveMemberships: rapid.Bool().Draw(t, "part")}}
		row := model.AccountRow{Identity: "i", Desired: drawAccount(t, "desired"), Applied: drawAccount(t, "applied")}
		found := row.Applied == nil && rapid.Bool().Draw(t, "found")
		if row.Applied != nil {
			row.RemoteID, row.Owned = "r", model.OwnedAdopted
		}
		if found {
			row.RemoteID, row.Observed = "r", drawAccount(t, "observed")
		}
		plan := Diff(target, p, []model.AccountRow{row}, noon)
		if again := Diff(target, p, []model.AccountRow{row}, noon); !cmp.Equal(plan, again) {
			t.Fatalf("not deterministic: %s", cmp.Diff(plan, again))
		}
		for _, c := range plan.Changes {
			if c.Removes() && c.Verb != model.Adopt && row.Applied == nil && row.Owned == "" {
				t.Fatalf("removes what is not ours: %+v", c)
			}
		}
		after := apply(row, plan.Changes)
		if rest := Diff(target, p, []model.AccountRow{after}, noon); len(rest.Changes) > 0 {
			t.Fatalf("after %v there is still %v", brief(plan), brief(rest))
		}
		if row.Desired == nil {
			if after.Applied != nil && after.Applied.Active {
				t.Fatal("access left")
			}
			return
		}
		want, got := p.Canonical(*row.Desired), p.Canonical(*after.Applied)
		if !p.Has("Group") || (p.PartOnDisable && !want.Active) {
			want.Groups, got.Groups = nil, nil // there are none, or the application takes them by itself
		}
		if d := cmp.Diff(want, got); d != "" && !found {
			t.Fatalf("differs:\n%s", d)
		}
	})
}

// What is written reads back as it was written, whatever the order and the
// additions of the target, and canonical accounts stay as they are.
func TestObserveReadsBack(t *testing.T) {
	t.Parallel()
	p := generic(t)
	rapid.Check(t, func(t *rapid.T) {
		a := drawAccount(t, "a")
		if a == nil {
			return
		}
		want := p.Canonical(*a)
		if again := p.Canonical(want); !cmp.Equal(want, again) {
			t.Fatalf("canonical is not idempotent: %s", cmp.Diff(want, again))
		}
		doc := document(want)
		if list, ok := doc["phoneNumbers"].([]any); ok {
			slices.Reverse(list)
			for _, e := range list {
				e.(map[string]any)["display"] = "x"
			}
		}
		upper := maps.Clone(doc)
		upper["USERNAME"], upper["id"] = upper["userName"], "7"
		delete(upper, "userName")
		u, err := userOf(upper)
		if err != nil {
			t.Fatal(err)
		}
		got := observe(p, u, &want)
		got.Groups = want.Groups
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("reads back differently:\n%s", d)
		}
	})
}
