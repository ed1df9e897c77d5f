package fanout

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

// perform is what the worker does with the changes of one account, and the person with
// what is a person's.
func perform(t *rapid.T, r *runner, app *paper, j *job, show func() string) {
	for _, c := range j.changes {
		if c.Group != "" || c.Held != "" {
			continue
		}
		if j.row.RemoteID != "" && app.users[j.row.RemoteID] == nil && j.row.Desired == nil {
			r.gone(&j.row) // others are there, so that it is believed
			j.did(c)
			return
		}
		var err error
		lost := len(app.lost)
		if c.ByPerson {
			if u := app.users[j.row.RemoteID]; u != nil {
				u.Active = false
			}
			err = r.wrote(j, c, nil, nil)
			j.did(c)
		} else {
			err = r.perform(t.Context(), j, c)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.Verb, err, show())
		}
		if len(app.lost) > lost && c.Loses == "" {
			t.Fatalf("%s lost an account and did not say so\n%s", c.Verb, show())
		}
	}
	for _, c := range j.changes {
		if c.Group == "" || c.Held != "" || j.row.RemoteID == "" {
			continue
		}
		if err := app.member(c, j.row.RemoteID); err != nil && ClassOf(err) != Missing {
			t.Fatalf("%s %s: %v\n%s", c.Verb, c.Group, err, show())
		}
		r.settleMember(member{j, c})
	}
}

// checkOutcome compares what the hub believes, what there is and what is wanted.
func checkOutcome(t *rapid.T, target model.Target, p Profile, app *paper, j *job, show func() string) {
	row := j.row
	truth := app.users[row.RemoteID]
	free := !slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Held != "" })
	switch {
	case isForeign(row), row.Applied == nil && truth == nil:
	case truth == nil && slices.ContainsFunc(j.before, isNone): // deleted before
	case row.Applied == nil && row.Owned == "" && row.Observed != nil: // found, and not taken
	case row.Applied == nil && free && row.Desired != nil, row.Applied != nil && truth == nil:
		t.Fatalf("applied %v, there is %v\n%s", row.Applied, truth, show())
	case row.Applied != nil:
		have, want := p.Canonical(truth.Account), p.Canonical(*row.Applied)
		if row.Desired == nil && len(j.before) > 0 { // not read again
			if truth.Active && !possiblyActive(row.Applied, row.Sent).Active {
				t.Fatalf("it is active, and nobody knows\n%s", show())
			}
			want.Active = have.Active
		}
		if len(row.Sent) > 0 || row.Desired == nil && p.PartOnDisable {
			have.Groups, want.Groups = nil, nil // not certain
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("the hub believes what is not so (-believed +there):\n%s\n%s", d, show())
		}
	}
	if !free || isForeign(row) {
		return
	}
	if row.Desired != nil {
		have, want := p.Canonical(truth.Account), p.Canonical(*row.Desired)
		if row.Owned == model.OwnedAdopted && slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Verb == model.Adopt }) {
			have.Groups = want.Groups // others' memberships stay
		}
		if !p.Has("Group") || !want.Active && p.PartOnDisable {
			have.Groups, want.Groups = nil, nil
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Fatalf("not what is wanted (-wanted +there):\n%s\n%s", d, show())
		}
		return
	}
	if truth != nil && row.Owned != "" && (truth.Active || target.Leaver.RemoveMemberships && len(truth.Groups) > 0) {
		t.Fatalf("access stays: %+v\n%s", truth, show())
	}
}
