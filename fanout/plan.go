package fanout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// The words of changes that wait for a person; an approval of their digest
// carries them out. Everything else that is held stays held whoever approves.
const (
	heldAdopt        = "an account that exists is taken over only when somebody approves it (adopt: ask)"
	heldTransfer     = "deletion waits until what the person owns there has been handed on (transfer: required), by a task, or somebody approves"
	heldIrreversible = "deletion cannot be undone at this application and waits for approval"
	heldInvitation   = "switching it off would delete the account, whose invitation is still open; it waits until that is accepted or somebody approves"
	heldPerhaps      = "switching it off would delete the account if its invitation is still open, which cannot be told here; it waits until somebody approves (state pending below the target if your application shows it)"
	heldDestroys     = "the application switches accounts off by deleting them; that waits until somebody approves"
	heldProtected    = "protected"
)

// Diff compares what a target should hold (Desired) with what the hub knows that
// it holds (Applied; Observed where an account was found that is not ours yet).
// It is pure: equal input gives an equal plan, whatever the order of the rows.
//
//	desired          actual                          change
//	-------------------------------------------------------------------------------------
//	present          absent                          create, join each group
//	present          same, ours                      –
//	present          differs, ours                   update (Fields lists each path)
//	present          inactive, ours                  update (active false -> true)
//	present inactive active, ours                    disable, update of the rest
//	present          found, not ours                 adopt (held with adopt: ask), join each group
//	present          found, intent to create is ours update what differs, join each group
//	group wanted     not a member                    join
//	group not wanted member through the hub          part
//	absent           active, ours                    disable, or delete with first: delete
//	absent           inactive, ours, not aged out    –
//	absent           inactive, ours, aged out        delete with then: delete
//	absent           disabled, memberships: remove   part from each group
//	absent           not ours                        – (never removed because unknown)
//	absent           unknown, drift unknown: disable disable
//	any              matches a protect filter        as above, all held
//
// An account the hub neither created nor adopted (Applied nil, Owned empty) is
// never removed. A profile that cannot delete gets disable instead. The mode is
// a filter over the result: what it forbids stays in the plan, held, in words.
//
// Changes are ordered: leavers first; then disable, delete and part; then adopt,
// create and update; then join; within these by user name, verb and group.
func Diff(t model.Target, p Profile, rows []model.AccountRow, now time.Time) model.Plan {
	d := differ{target: t, profile: p, now: now, protect: compileProtect(t.Protect)}
	plan := model.Plan{Target: t.Name}
	for _, r := range rows {
		changes := d.split(r, d.row(r))
		d.hold(r, changes)
		plan.Changes = append(plan.Changes, changes...)
	}
	slices.SortStableFunc(plan.Changes, byOrder)
	return plan
}

type differ struct {
	target  model.Target
	profile Profile
	now     time.Time
	protect protector
}

// rank is the stage of a verb within a plan.
func rank(v model.Verb) int {
	switch v {
	case model.Disable, model.Delete, model.Part:
		return 0
	case model.Adopt, model.Create, model.Update:
		return 1
	case model.CreateGroup, model.AdoptGroup, model.RenameGroup:
		return 2
	case model.Join:
		return 3
	}
	return 4
}

func byOrder(a, b model.Change) int {
	urgent := func(c model.Change) int {
		if c.Urgent {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(urgent(a), urgent(b)),
		cmp.Compare(rank(a.Verb), rank(b.Verb)),
		cmp.Compare(a.UserName, b.UserName),
		cmp.Compare(a.Identity, b.Identity),
		cmp.Compare(last(a.Verb), last(b.Verb)),
		cmp.Compare(a.Verb, b.Verb),
		cmp.Compare(a.Group, b.Group),
	)
}

// last puts the deletion of an account behind switching it off.
func last(v model.Verb) int {
	if v == model.Delete {
		return 1
	}
	return 0
}

// row gives the changes of one account, nothing held yet but for approvals.
func (d *differ) row(r model.AccountRow) []model.Change {
	desired, applied, observed := d.profile.canonical(r.Desired), d.profile.canonical(r.Applied), d.profile.canonical(r.Observed)
	if d.losesGroups(desired) {
		desired.Groups = nil
	}
	base := model.Change{Identity: r.Identity, RemoteID: r.RemoteID, UserName: nameOf(r), Urgent: r.Leaver}
	if desired == nil {
		return d.remove(r, base, applied, observed)
	}
	switch {
	case applied == nil && r.RemoteID != "" && observed != nil && r.Owned == "":
		return d.adopt(r, base, desired, observed)
	case applied == nil && r.RemoteID != "" && observed != nil:
		// The create reached the target though its answer did not reach us.
		found := *observed
		found.Groups = nil
		return d.update(r, base, desired, &found)
	case applied == nil:
		c := base
		c.Verb, c.RemoteID, c.After = model.Create, "", desired
		c.Fields = differences(model.Account{}, *desired)
		c.Because = reasons(r, "")
		return append([]model.Change{c}, d.joins(r, base, desired.Groups, nil)...)
	}
	return d.update(r, base, desired, applied)
}

func (d *differ) adopt(r model.AccountRow, base model.Change, desired, observed *model.Account) []model.Change {
	c := base
	c.Verb, c.Before, c.After, c.Because = model.Adopt, observed, desired, append([]string{d.matchedBy(desired, observed)}, reasons(r, "")...)
	if reactivates(c) {
		c.Because = append([]string{restoredWords(r)}, c.Because...)
	}
	c.Fields = differences(*observed, *desired)
	if d.target.Adopt == "ask" {
		c.Held = heldAdopt
	}
	if observed.Active && !desired.Active {
		if off := d.switchOff(r, base, observed); off.Held != "" || off.ByPerson {
			c.Held = cmp.Or(off.Held, bySwitch)
		}
	}
	out := []model.Change{c}
	if d.target.Mode == model.ModeCreateOnly && len(c.Fields) > 0 {
		// Taking over is allowed, writing is not: the difference stays to be seen.
		u := c
		u.Verb, u.Held = model.Update, ""
		kept := *observed
		out[0].After, out[0].Fields = &kept, nil
		out = append(out, u)
	}
	return append(out, d.joins(r, base, desired.Groups, nil)...) // joining twice does no harm
}

func (d *differ) update(r model.AccountRow, base model.Change, desired, applied *model.Account) []model.Change {
	var out []model.Change
	fields := differences(*applied, *desired)
	if applied.Active && !desired.Active {
		c := base
		c.Before = applied
		c.Because = append([]string{"the account is not to be active now"}, reasons(r, "")...)
		out = append(out, d.switchOff(r, c, applied))
		fields = slices.DeleteFunc(fields, func(f model.FieldDiff) bool { return f.Path == "active" })
		// The update must not carry out what a guard may hold.
		rest := *desired
		rest.Active = true
		desired = &rest
	}
	if len(fields) > 0 {
		c := base
		c.Verb, c.Before, c.After, c.Fields, c.Because = model.Update, applied, desired, fields, reasons(r, "")
		if reactivates(c) {
			c.Because = append([]string{restoredWords(r)}, c.Because...)
		}
		out = append(out, c)
	}
	out = append(out, d.joins(r, base, desired.Groups, certainGroups(applied, r.Sent))...)
	return append(out, d.parts(r, base, possibleGroups(applied, r.Sent), desired.Groups)...)
}

func (d *differ) joins(r model.AccountRow, base model.Change, want, have []string) []model.Change {
	return d.memberships(model.Join, r, base, want, have)
}

func (d *differ) parts(r model.AccountRow, base model.Change, have, want []string) []model.Change {
	if !d.profile.Has("Group") {
		return nil // of former times: there is nothing to leave any more
	}
	return d.memberships(model.Part, r, base, have, want)
}

// losesGroups reports whether an account is to be there, switched off, at an application
// that takes the memberships of such accounts: the hub must know that they are gone, or
// nobody would get them back.
func (d *differ) losesGroups(desired *model.Account) bool {
	return d.profile.PartOnDisable && desired != nil && !desired.Active
}

// memberships makes a change per group of list that is not in other.
func (d *differ) memberships(v model.Verb, r model.AccountRow, base model.Change, list, other []string) []model.Change {
	var out []model.Change
	for _, g := range list {
		if slices.Contains(other, g) {
			continue
		}
		c := base
		c.Verb, c.Group = v, g
		if c.Because = reasons(r, g); v == model.Part {
			c.Because = gone(r)
			if d.losesGroups(r.Desired) {
				c.Because = []string{"who is switched off loses the memberships at this application; they are given back with the account"}
			}
		}
		out = append(out, c)
	}
	return out
}

// hold marks what protection, the application's rules or the mode forbid.
func (d *differ) hold(r model.AccountRow, changes []model.Change) {
	if len(changes) == 0 {
		return
	}
	undoable(changes)
	for i := range changes {
		changes[i].ByPerson = changes[i].ByPerson || d.target.Manual != nil
	}
	why := ""
	if name, hit := d.protect.matches(r); hit {
		why = heldProtected + ": " + name
	}
	words, owns := credentialOwner(d.target, r)
	for i := range changes {
		c := &changes[i]
		if why != "" {
			c.Held = why
			continue
		}
		if owns && c.Group == "" && c.Removes() {
			c.Held = words
			continue
		}
		if rank(c.Verb) == 1 && r.Desired != nil {
			c.Because = slices.Concat(c.Because, d.profile.LeftOut(*r.Desired))
		}
		if c.Verb == model.Create && c.After != nil {
			if words := d.profile.Unfit(*c.After); words != nil {
				c.Held = strings.Join(words, "; ")
				continue
			}
		}
		if words := forbidden(d.target.Mode, c.Verb); words != "" {
			c.Held = words
		}
		if c.Held == "" && c.Verb == model.Join && !d.profile.Has("Group") {
			c.Held = heldNoGroups
		}
		if c.Held == "" && c.Verb == model.Join && rank(changes[0].Verb) == 1 && changes[0].Verb != model.Update {
			c.Held = changes[0].Held // no memberships for an account that is not taken or made
		}
	}
}

// forbidden says in words why a mode does not carry a verb out; empty: it does.
// A mode nobody knows allows nothing. Joining a group adds access and belongs to
// creating, so create-only allows it.
func forbidden(m model.Mode, v model.Verb) string {
	switch m {
	case model.ModeEnforce, "":
		return ""
	case model.ModeNoDelete:
		if v != model.Delete && v != model.DeleteGroup {
			return ""
		}
	case model.ModeCreateOnly:
		switch v {
		case model.Create, model.Adopt, model.Join, model.CreateGroup, model.AdoptGroup, model.Report:
			return ""
		}
	}
	return "mode " + string(m) + " does not " + string(v)
}

func inactive(a *model.Account) *model.Account {
	return &model.Account{UserName: a.UserName}
}

// nameOf is the user name people know the account by.
func nameOf(r model.AccountRow) string {
	for _, a := range []*model.Account{r.Desired, r.Applied, r.Observed} {
		if a != nil && a.UserName != "" {
			return a.UserName
		}
	}
	return r.Identity
}
