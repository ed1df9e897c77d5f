package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

// labels is brief with what cannot be undone and what people do.
func labels(p model.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		s := string(c.Verb)
		if c.Undo != model.UndoFreely {
			s += " " + c.Undo
		}
		if c.ByPerson {
			s += " by-person"
		}
		if c.Held != "" {
			s += " HELD"
		}
		out = append(out, s)
	}
	return out
}

// Each row of the table in deprovision.go: what the application can, who goes, and
// what follows.
func TestDeprovision(t *testing.T) {
	t.Parallel()
	anna := account("anna")
	type facts struct {
		leaver, invited, back, drill bool
	}
	tests := []struct {
		profile func(*Profile)
		policy  model.LeaverPolicy
		facts   facts
		want    []string
	}{
		{facts: facts{leaver: true}, want: []string{"disable"}},
		{facts: facts{}, want: []string{"disable"}},
		{facts: facts{back: true}, want: []string{"disable"}},
		{profile: destroys("private forks"), facts: facts{leaver: true}, want: []string{"disable"}},

		{profile: pending("deletes"), facts: facts{leaver: true, invited: true}, want: []string{"disable irreversible"}},
		{profile: pending("deletes"), facts: facts{invited: true}, want: []string{"disable irreversible HELD"}},
		{profile: pending("deletes"), facts: facts{invited: true, back: true}, want: []string{"disable irreversible HELD"}},
		{profile: pending("deletes"), facts: facts{invited: true, leaver: true, drill: true}, want: []string{"disable irreversible HELD"}},
		{profile: pending("deletes"), facts: facts{leaver: true}, want: []string{"disable"}},
		{profile: pending("refuses"), facts: facts{leaver: true, invited: true}, want: []string{"delete irreversible"}},
		{profile: pending("refuses"), facts: facts{invited: true}, want: []string{"delete irreversible HELD"}},
		{profile: pending("refuses", model.DeleteIrreversible), facts: facts{leaver: true, invited: true}, want: []string{"disable by-person"}},
		{profile: pending("refuses", model.DeleteForbidden), facts: facts{leaver: true, invited: true}, want: []string{"disable by-person"}},
		{profile: pending("refuses", model.DeleteDisables), facts: facts{invited: true}, want: []string{"disable by-person"}},
		{profile: pending("disables"), facts: facts{leaver: true, invited: true}, want: []string{"disable"}},

		{profile: untold, facts: facts{leaver: true}, want: []string{"disable"}},
		{profile: untold, facts: facts{}, want: []string{"disable HELD"}},
		{profile: untold, facts: facts{back: true}, want: []string{"disable HELD"}},
		{profile: untold, facts: facts{leaver: true, drill: true}, want: []string{"disable HELD"}},

		{profile: switching("delete", model.DeleteDisables), facts: facts{leaver: true}, want: []string{"disable"}},
		{profile: switching("delete", model.DeleteHard), facts: facts{leaver: true}, want: []string{"delete irreversible"}},
		{profile: switching("delete", model.DeleteHard), facts: facts{}, want: []string{"delete irreversible HELD"}},
		{profile: switching("delete", model.DeleteHard), facts: facts{back: true}, want: []string{"disable by-person"}},
		{profile: switching("delete", model.DeleteHard), facts: facts{leaver: true, drill: true}, want: []string{"disable by-person"}},
		{profile: switching("delete", model.DeleteIrreversible), facts: facts{leaver: true}, want: []string{"delete irreversible HELD"}},
		{profile: switching("delete", model.DeleteIrreversible), facts: facts{back: true}, want: []string{"disable by-person"}},
		{profile: switching("delete", model.DeleteForbidden), facts: facts{leaver: true}, want: []string{"disable by-person"}},
		{profile: switching("forbidden", model.DeleteHard), facts: facts{leaver: true}, want: []string{"disable by-person"}},
		{profile: switching("forbidden", model.DeleteHard), facts: facts{back: true}, want: []string{"disable by-person"}},
		{profile: switching("forbidden", model.DeleteHard), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"delete irreversible"}},
		{profile: switching("forbidden", model.DeleteIrreversible), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"disable by-person", "delete irreversible HELD"}},

		{policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"delete irreversible"}},
		{profile: restorable(30), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"delete reversible for 30d"}},
		{profile: switching("active", model.DeleteDisables), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"disable"}},
		{profile: switching("active", model.DeleteForbidden), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"disable"}},
		{profile: switching("active", model.DeleteIrreversible), policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true}, want: []string{"disable", "delete irreversible HELD"}},
		{policy: model.LeaverPolicy{First: "delete", Transfer: "required"}, facts: facts{leaver: true}, want: []string{"disable", "delete irreversible HELD"}},
		{policy: model.LeaverPolicy{First: "delete", Transfer: "required"}, facts: facts{leaver: true, invited: true}, want: []string{"delete irreversible"}},
		{policy: model.LeaverPolicy{First: "delete"}, facts: facts{leaver: true, drill: true}, want: []string{"disable"}},
	}
	for _, tt := range tests {
		p := generic(t)
		if tt.profile != nil {
			tt.profile(&p)
		}
		name := fmt.Sprintf("%s delete=%s disable=%s pending=%s %+v", tt.policy.First, p.Delete, p.Disable, p.DisablePendingUser, tt.facts)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := ours(nil, anna)
			row.Leaver, row.Invited, row.Drill = tt.facts.leaver, tt.facts.invited, tt.facts.drill
			if tt.facts.back {
				row.Desired = off(anna)
			}
			plan := Diff(model.Target{Name: "git", Leaver: tt.policy}, p, []model.AccountRow{row}, noon)
			if d := cmp.Diff(tt.want, labels(plan)); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			for _, c := range plan.Changes {
				if c.Undo != model.UndoFreely && c.Loses == "" {
					t.Errorf("%s does not say what is lost", c.Verb)
				}
			}
		})
	}
}

func destroys(what string) func(*Profile) { return func(p *Profile) { p.DisableDestroys = what } }
func restorable(days int) func(*Profile) {
	return func(p *Profile) { p.Restore.WindowDays = days }
}
func switching(disable, remove string) func(*Profile) {
	return func(p *Profile) { p.Disable, p.Delete = disable, remove }
}
func pending(does string, remove ...string) func(*Profile) {
	return func(p *Profile) {
		p.DisablePendingUser, p.Pending = does, `userType eq "invited"`
		if len(remove) > 0 {
			p.Delete = remove[0]
		}
	}
}

// What lets a change through that nobody can take back: somebody approved it, or the
// leaver policy asks for deletion where the application deletes like any other, or a
// leaver whose account is an invitation, or has no other way to be switched off.
func TestNothingIrreversibleByItself(t *testing.T) {
	t.Parallel()
	pick := func(rt *rapid.T, name string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, name) }
	rapid.Check(t, func(rt *rapid.T) {
		p := generic(t)
		p.Delete = pick(rt, "delete", model.DeleteHard, model.DeleteDisables, model.DeleteForbidden, model.DeleteIrreversible)
		p.Disable = pick(rt, "disable", "active", "delete", "forbidden")
		p.DisablePendingUser = pick(rt, "pending", "disables", "deletes", "refuses")
		p.Pending = pick(rt, "told", "", `userType eq "invited"`)
		p.PartOnDisable = rapid.Bool().Draw(rt, "part")
		policy := model.LeaverPolicy{First: pick(rt, "first", "disable", "delete"), Then: pick(rt, "then", "", "delete"),
			After: 24 * time.Hour, Transfer: pick(rt, "transfer", "", "required"), RemoveMemberships: rapid.Bool().Draw(rt, "memberships")}
		target := model.Target{Name: "git", Leaver: policy, Mode: model.Mode(pick(rt, "mode", "enforce", "no-delete", "create-only", "observe"))}
		applied := account("anna", "eng")
		applied.Active = rapid.Bool().Draw(rt, "active")
		row := ours(nil, applied)
		row.Leaver, row.Invited, row.Drill = rapid.Bool().Draw(rt, "leaver"), rapid.Bool().Draw(rt, "invited"), rapid.Bool().Draw(rt, "drill")
		row.Drill = row.Drill && row.Leaver
		if rapid.Bool().Draw(rt, "comes back") {
			row.Desired, row.Leaver, row.Drill = off(applied), false, false
		}
		long, short := noon.Add(-48*time.Hour), noon.Add(-time.Hour)
		if !applied.Active && row.Desired == nil {
			row.DisabledAt = rapid.SampledFrom([]*time.Time{nil, &long, &short}).Draw(rt, "disabled")
			row.TransferredAt = rapid.SampledFrom([]*time.Time{nil, &long, &noon}).Draw(rt, "transferred")
		}
		plan := Guard(Diff(target, p, []model.AccountRow{row}, noon), GuardFacts{Guard: model.Guard{Percent: 100, Floor: 9}})
		byPolicy := policy.First == "delete" || (policy.Then == "delete" && !applied.Active && row.DisabledAt == &long)
		handed := policy.Transfer == "" || row.Invited || transferred(row)
		secured := !applied.Active || target.Mode == model.ModeObserve || target.Mode == model.ModeCreateOnly
		for _, c := range plan.Changes {
			secured = secured || (c.Verb == model.Disable || c.Verb == model.Delete)
			if c.Held != "" || c.Undo != model.UndoNever {
				continue
			}
			urgent := row.Leaver && row.Desired == nil && !row.Drill
			switch {
			case c.ByPerson:
				rt.Errorf("a person is asked for what cannot be undone, unasked: %+v", c)
			case row.Drill || row.Desired != nil:
				rt.Errorf("%s cannot be undone, and the account is to be used again", c.Verb)
			case c.Verb == model.Delete && p.Delete == model.DeleteHard && byPolicy && handed:
			case c.Verb == model.Delete && p.Delete == model.DeleteIrreversible && byPolicy && row.Invited:
			case urgent && row.Invited && p.DisablePendingUser != "disables":
			case urgent && p.Disable == "delete" && p.Delete == model.DeleteHard:
			default:
				rt.Errorf("%s cannot be undone and nothing asked for it: policy %+v, row invited %v leaver %v", c.Verb, policy, row.Invited, row.Leaver)
			}
		}
		if !secured {
			rt.Errorf("access stays and nothing says so: %v", labels(plan))
		}
	})
}

// A leaver is switched off whatever the deletion waits for, also with first: delete.
func TestDeletionThatWaitsLeavesNoAccess(t *testing.T) {
	t.Parallel()
	p := generic(t)
	p.Delete = model.DeleteIrreversible
	target := model.Target{Name: "git", Leaver: model.LeaverPolicy{First: "delete"}}
	row := ours(nil, account("anna"))
	row.Leaver = true
	first := Diff(target, p, []model.AccountRow{row}, noon)
	if got := brief(first); !slices.Equal(got, []string{"disable anna", "delete anna HELD"}) {
		t.Fatal(got)
	}
	approved := Guard(first, GuardFacts{Approved: map[string]string{Digest("git", first.Changes[1]): "ops"}})
	if got := brief(approved); !slices.Equal(got, []string{"disable anna", "delete anna"}) {
		t.Errorf("approved: %v", got)
	}
}

// Who approved switching an account off has not approved destroying it.
func TestApprovalOfWhatDestroys(t *testing.T) {
	t.Parallel()
	p := generic(t)
	pending("deletes")(&p)
	row := ours(nil, account("anna"))
	target := model.Target{Name: "git"}
	plain := Diff(target, p, []model.AccountRow{row}, noon).Changes[0]
	row.Invited = true
	plan := Diff(target, p, []model.AccountRow{row}, noon)
	if Digest("git", plain) == Digest("git", plan.Changes[0]) {
		t.Error("both have one digest")
	}
	if got := HeldChanges(Guard(plan, GuardFacts{Guard: model.Guard{Floor: 9}, Approved: map[string]string{Digest("git", plain): "ops"}})); len(got) != 1 {
		t.Errorf("held: %v", got)
	}
	if got := HeldChanges(Guard(plan, GuardFacts{Guard: model.Guard{Floor: 9}, Approved: map[string]string{Digest("git", plan.Changes[0]): "ops"}})); len(got) != 0 {
		t.Errorf("held though approved: %v", got)
	}
}

// Whom a person was asked about counts at the guard until it is done, and is not held.
func TestGuardCountsTasks(t *testing.T) {
	t.Parallel()
	var changes []model.Change
	for _, id := range []string{"a", "b", "c"} {
		changes = append(changes, model.Change{Verb: model.Disable, Identity: id, UserName: id})
	}
	got := HeldChanges(Guard(model.Plan{Target: "wiki", Changes: changes}, GuardFacts{Guard: model.Guard{Floor: 2}, Asked: map[string]bool{"b": true}}))
	if len(got) != 1 || got[0].Identity != "c" {
		t.Errorf("held: %+v", got)
	}
}

func TestRenderConsequences(t *testing.T) {
	t.Parallel()
	p := generic(t)
	p.DisableDestroys = "private forks"
	row := ours(nil, account("anna"))
	row.Leaver = true
	text := Render(Diff(model.Target{Name: "git", Leaver: model.LeaverPolicy{First: "delete", Transfer: "required"}}, p, []model.AccountRow{row}, noon))
	for _, want := range []string{"- disable  anna  loses private forks", "! delete   anna  held: deletion waits", "cannot be undone; loses the account and what it owns there"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// untold is an application that deletes invited people who are suspended, and does not
// show who is invited.
func untold(p *Profile) { p.DisablePendingUser, p.Pending = "deletes", "" }
