package fanout

import (
	"time"

	"github.com/scimhub/scimhub/model"
)

// conclude derives the state of a row from what happened to it.
//
//	outcome                                       state      due
//	--------------------------------------------------------------------------
//	a change failed                               failed     at NextAttempt, unless GivesUp
//	it was missing, drift policy report           drifted    no
//	it was missing, drift policy recreate         pending    now
//	a change is held                              held       no
//	done, account wanted                          in_sync    no
//	done, account not wanted, there               disabled   at the end of the grace period, if it is then deleted
//	done, account not wanted, gone or never there deleted    no
//	account that is not ours                      unknown    no
//
// Where the outcome of an earlier request is not known, in_sync, disabled and deleted
// are due once more when nothing can arrive any longer.
func (r *runner) conclude(j *job, now time.Time) {
	row := &j.row
	if j.err != nil {
		r.concludeFailure(j, now)
		return
	}
	drift, class := row.Drift, Class(row.ErrorClass)
	row.Attempts, row.LastError, row.ErrorClass, row.Due, row.Drift, row.NextAttempt = 0, "", "", false, "", now
	held := j.held
	for _, c := range j.changes {
		if held == "" {
			held = c.Held
		}
	}
	if row.Desired != nil {
		row.DisabledAt = nil
	} else if row.Applied != nil && !row.Applied.Active && row.DisabledAt == nil {
		row.DisabledAt = &now
	}
	row.Sent = r.uncertain(j, held)
	row.Invited = row.Invited && row.RemoteID != ""
	switch {
	case held != "":
		row.State, row.LastError, row.Drift = model.StateHeld, held, drift
	case isForeign(*row):
		row.State, row.Drift = model.StateUnknown, driftUnknown
	case row.Desired != nil:
		row.State, row.LastError = model.StateInSync, j.lacking
		if row.Invited {
			row.LastError = pendingInvitation
		}
	case row.Applied == nil && row.Owned == "":
		row.State, row.RemoteID, row.Observed = model.StateDeleted, "", nil
	default:
		row.State, row.LastError = model.StateDisabled, undeleted(r.target, r.profile, *row)
		if at, planned := deletionPlanned(r.target, r.profile, *row); planned {
			row.Due, row.NextAttempt = true, at
		}
	}
	r.mayArrive(j, class, now)
}

func (r *runner) concludeFailure(j *job, now time.Time) {
	row := &j.row
	e := asClientError(j.err)
	row.LastError, row.ErrorClass = e.Error(), string(e.Class)
	if e.Class == AwaitsPerson {
		r.concludeAsked(j, e, now)
		return
	}
	if j.missing {
		r.missing(row, now)
		return
	}
	r.intention(j, e)
	if e.Class != Throttled {
		row.Attempts++
	}
	row.State, row.Due = model.StateFailed, true
	row.NextAttempt = NextAttempt(RetryFacts{Key: row.Target + "/" + row.Identity, Attempts: row.Attempts, Leaver: row.Leaver}, e.Class, e.RetryAfter, now)
	if soon := now.Add(j.soon); j.soon > 0 && soon.Before(row.NextAttempt) {
		row.NextAttempt = soon
	}
	if GivesUp(RetryFacts{Attempts: row.Attempts, Leaver: row.Leaver}, e.Class) {
		row.Due, row.LastError = false, row.LastError+gaveUp
	}
}

// intention decides whether a failed create may still have made the account. If
// so the row says that it is ours when found, and keeps by what to find it should
// the person leave before.
func (r *runner) intention(j *job, e *ClientError) {
	row := &j.row
	if row.Applied != nil || row.RemoteID != "" || !(j.intent || creates(j)) {
		return
	}
	if j.refused && !j.intent {
		row.Owned, row.Sent = "", j.before // it was there before
		return
	}
	switch e.Class {
	case Server, Timeout, UnknownOutcome, Garbage:
		row.Owned = model.OwnedCreating
		if row.Desired != nil {
			hint := model.Account{UserName: row.Desired.UserName, Active: row.Desired.Active, Attrs: map[string]any{}}
			for _, attr := range r.match() {
				if v, ok := row.Desired.Attrs[attr]; ok {
					hint.Attrs[attr] = v
				}
			}
			row.Observed = &hint
		}
	default:
		if !j.intent {
			row.Owned, row.Sent = "", j.before
		}
	}
}
