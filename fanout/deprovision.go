package fanout

import (
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// What becomes of an account that is not to be used any more, at an application that
// may be unable to switch accounts off, or to delete them, or does more than was asked
// for. Leavers lose access at once wherever the application can take it, whatever else
// waits; everything that could not be taken back waits for the grace period of the
// leaver policy or for a person.
//
//	profile                        account                     leaver               anybody else
//	---------------------------------------------------------------------------------------------------
//	disable: active                                            disable              disable
//	disable: active                invited, pending deletes    disable (destroys)   held
//	disable: active                perhaps invited, deletes    disable (may destroy) held
//	disable: active                invited, pending refuses    delete, else person  held, else person
//	disable: delete                delete: disable             disable by DELETE    disable by DELETE
//	disable: delete                delete: hard                delete               held; who comes back: person
//	disable: delete                delete: irreversible        held                 held; who comes back: person
//	disable: delete                delete: forbidden           person               person
//	disable: forbidden                                         person               person
//
// Where a deletion waits the account is switched off meanwhile, also with first: delete.

// What is lost, in words.
const (
	lossAccount    = "the account and what it owns there"
	lossInvitation = "the invitation, which has not been accepted yet, and the account with it"
	lossPerhaps    = "the account, should its invitation not have been accepted yet (it cannot be told here)"
)

// What a person has to do, and why.
const (
	bySwitch  = "a person has to switch it off: the application does not let the hub do it"
	byInvite  = "a person has to switch it off: the application refuses that while the invitation is open"
	byDelete  = "a person has to switch it off: the application lets the hub delete accounts alone, and this one is to be used again"
	noDrill   = "a drill takes away nothing that it could not give back"
	noDelete  = "stays disabled: the application does not delete accounts over SCIM"
	noDestroy = "stays disabled: DELETE only deactivates at this application"
)

// remove decides what happens to an account that is no longer due.
func (d *differ) remove(r model.AccountRow, base model.Change, applied, observed *model.Account) []model.Change {
	actual := applied
	if actual == nil {
		actual = observed
	}
	unknown := isForeign(r) && d.target.Drift.Unknown == "disable"
	switch {
	case actual == nil || r.RemoteID == "":
		return nil // absent, or not found again yet
	case applied == nil && r.Owned == "" && !unknown:
		return nil // not ours
	}
	actual = possiblyActive(actual, r.Sent)
	c := base
	c.Before, c.Because = actual, gone(r)
	if unknown && applied == nil && r.Owned == "" {
		if !actual.Active {
			return nil
		}
		c.Because = []string{"nobody the hub knows has this account (drift unknown: disable)"}
		c = d.switchOff(r, c, actual)
		if c.ByPerson { // nobody is asked about accounts that are not the hub's
			c.ByPerson, c.Held = false, bySwitch
		}
		return []model.Change{c}
	}
	if d.deletes(r, actual) {
		return d.deletion(r, c, actual)
	}
	var out []model.Change
	if actual.Active {
		out = append(out, d.switchOff(r, c, actual))
	}
	if d.target.Leaver.RemoveMemberships || d.profile.PartOnDisable {
		out = append(out, d.parts(r, base, possibleGroups(actual, r.Sent), nil)...)
	}
	return out
}

// deletes applies the leaver policy: at once with first: delete, after the grace
// period with then: delete, never where the application cannot, nor for a drill.
func (d *differ) deletes(r model.AccountRow, actual *model.Account) bool {
	l := d.target.Leaver
	switch {
	case !d.profile.deletes() || r.Drill:
		return false
	case l.First == "delete":
		return true
	case actual.Active || l.Then != "delete" || r.DisabledAt == nil:
		return false
	}
	return !d.now.Before(r.DisabledAt.Add(l.After))
}

// deletion is the end of the leaver policy. While it waits for anything the account is
// at least switched off.
func (d *differ) deletion(r model.AccountRow, c model.Change, actual *model.Account) []model.Change {
	off := c
	c.Verb, c.Undo, c.Loses = model.Delete, d.undoDelete(), lossAccount
	switch {
	case r.Invited:
		c.Loses = lossInvitation
	case d.target.Leaver.Transfer == "required" && !transferred(r):
		c.Held = heldTransfer
	case d.profile.Delete == model.DeleteIrreversible:
		c.Held = heldIrreversible
	}
	if !actual.Active || (c.Held == "" && forbidden(d.target.Mode, model.Delete) == "") {
		return []model.Change{c}
	}
	off = d.switchOff(r, off, actual)
	if off.Verb == model.Delete {
		return []model.Change{c}
	}
	return []model.Change{off, c}
}

func (d *differ) undoDelete() string {
	if days := d.profile.Restore.WindowDays; days > 0 && d.profile.Delete != model.DeleteIrreversible {
		return fmt.Sprintf("%s for %dd", model.UndoFreely, days)
	}
	return model.UndoNever
}

// switchOff is how the account, active as far as is known, loses its access.
func (d *differ) switchOff(r model.AccountRow, c model.Change, actual *model.Account) model.Change {
	c.Verb, c.After, c.Undo, c.Loses = model.Disable, inactive(actual), model.UndoFreely, d.profile.DisableDestroys
	leaver := r.Leaver && r.Desired == nil && !r.Drill
	back := r.Desired != nil || r.Drill // somebody will use it again
	p := d.profile
	byPerson := func(why string) {
		c.ByPerson, c.Because = true, append([]string{why}, c.Because...)
	}
	switch {
	case p.Disable == "forbidden" || (p.Disable == "delete" && p.Delete == model.DeleteForbidden):
		byPerson(bySwitch)
	case r.Invited && p.DisablePendingUser == "deletes":
		c.Undo, c.Loses = model.UndoNever, lossInvitation
		if !leaver {
			c.Held = heldInvitation
		}
	case r.Invited && p.DisablePendingUser == "refuses" && p.Delete == model.DeleteHard:
		c.Verb, c.After, c.Undo, c.Loses = model.Delete, nil, d.undoDelete(), lossInvitation
		if !leaver {
			c.Held = heldInvitation
		}
	case r.Invited && p.DisablePendingUser == "refuses":
		byPerson(byInvite)
	case p.Disable == "delete" && p.deletes() && back:
		byPerson(byDelete)
	case p.Disable == "delete" && p.deletes():
		c.Verb, c.After, c.Undo, c.Loses = model.Delete, nil, d.undoDelete(), lossAccount
		switch {
		case p.Delete == model.DeleteIrreversible:
			c.Held = heldIrreversible
		case !leaver:
			c.Held = heldDestroys
		}
	case p.DisablePendingUser == "deletes" && p.Pending == "":
		c.Loses = lossOf(p.DisableDestroys, lossPerhaps)
		if !leaver {
			c.Held = heldPerhaps
		}
	}
	if r.Drill && (c.Verb == model.Delete || c.Undo == model.UndoNever) {
		c.Held = noDrill
	}
	return c
}

func lossOf(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// undoable says of every change that nobody has labelled yet how it can be taken back.
func undoable(changes []model.Change) {
	for i := range changes {
		if changes[i].Undo == "" && changes[i].Verb != model.Report {
			changes[i].Undo = model.UndoFreely
		}
	}
}

// deletionPlanned is when the account of a row that is switched off is to be deleted;
// false where that will not happen by itself.
func deletionPlanned(t model.Target, p Profile, r model.AccountRow) (at time.Time, planned bool) {
	if r.Desired != nil || r.DisabledAt == nil || r.Drill || isForeign(r) || r.Applied == nil || !p.deletes() {
		return at, false
	}
	switch {
	case t.Leaver.First == "delete":
		return *r.DisabledAt, true
	case t.Leaver.Then == "delete":
		return r.DisabledAt.Add(t.Leaver.After), true
	}
	return at, false
}

// undeleted says in words why a disabled account stays although the leaver policy wants
// it deleted; empty: nothing keeps it.
func undeleted(t model.Target, p Profile, r model.AccountRow) string {
	wanted := t.Leaver.First == "delete" || t.Leaver.Then == "delete"
	switch {
	case !wanted || r.Drill:
		return ""
	case p.Delete == model.DeleteForbidden:
		return noDelete
	case p.Delete == model.DeleteDisables:
		return noDestroy
	}
	return ""
}

// transferred reports whether what the person owns was handed on after access ended.
func transferred(r model.AccountRow) bool {
	return r.TransferredAt != nil && r.DisabledAt != nil && !r.TransferredAt.Before(*r.DisabledAt)
}

// onlyDeletionWaits reports whether a held change is the deletion of an account that is
// switched off already: access is gone though something waits.
func onlyDeletionWaits(c model.Change, row model.AccountRow) bool {
	return c.Verb == model.Delete && row.Applied != nil && !row.Applied.Active
}
