package fanout

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// leaving is what work on a leaver's account found out beside the row.
type leaving struct {
	prior    model.AccountState // of the row as it was loaded
	accepted *time.Time         // the target confirmed that access is gone
	verified *time.Time         // it showed that
	back     *time.Time         // after a drill: it showed the account active
	awaits   bool               // it may show later what it confirmed
	nothing  string             // why there is nothing to take away
}

// readBack makes sure of what matters most: that a leaver's access is gone, and that
// it is there again after a drill.
func (r *runner) readBack(ctx context.Context, j *job) {
	switch {
	case isUrgent(ctx) && j.row.Desired == nil:
		for _, c := range j.done {
			if c.Verb == model.Disable || c.Verb == model.Delete {
				j.leaving.accepted = r.moment()
			}
		}
		if r.target.Manual != nil {
			r.witnessed(j)
			return
		}
		r.verify(ctx, j)
	case r.target.Manual != nil:
	case j.row.Drill && j.row.Desired != nil && j.row.Desired.Active && j.row.RemoteID != "":
		r.verifyBack(ctx, j)
	}
}

func (r *runner) moment() *time.Time {
	now := r.w.Now()
	return &now
}

// verify reads a leaver's account back: only what the target shows counts as
// revoked. An account that is active against what was applied is disabled once more,
// where the hub may.
//
//	the target shows                             then
//	----------------------------------------------------------------------------
//	nothing there (404)                          verified
//	inactive                                     verified
//	active, accepted a moment ago, and the
//	application is known to show writes late     read again soon
//	active, just accepted                        failed, tried again
//	active, accepted earlier, ours to write      disabled once more, read again
//	active, accepted earlier, held or a person's held, or a task
func (r *runner) verify(ctx context.Context, j *job) {
	if slices.ContainsFunc(j.changes, func(c model.Change) bool {
		return c.Held != "" && c.Removes() && c.Group == "" && !onlyDeletionWaits(c, j.row)
	}) {
		return
	}
	if j.row.Applied == nil && j.row.Owned == "" && j.row.RemoteID != "" {
		j.leaving.nothing = "the account there is not the hub's"
		return
	}
	if j.row.RemoteID == "" {
		r.revoked(j)
		return
	}
	for again := range 2 {
		u, err := r.get(ctx, j.row.RemoteID)
		c := model.Change{Verb: model.Disable, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID,
			Before: j.row.Applied, Because: gone(j.row), Urgent: true}
		switch {
		case ClassOf(err) == Missing:
			if err := r.departed(ctx, j.row); err != nil {
				j.fail(c, err)
				return
			}
			r.gone(&j.row)
			r.revoked(j)
			return
		case err != nil:
			j.fail(c, err)
			return
		case !u.Active:
			r.sawInactive(j, u)
			return
		case r.showsLate(j):
			j.leaving.awaits = true
			return
		case slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.ByPerson && c.Group == "" }):
			return // somebody has been asked to do it
		case again == 1 || j.row.Applied == nil || j.row.Owned == "" || len(j.done) > 0:
			j.fail(c, &ClientError{Class: Garbage, Detail: "the target has confirmed, but the account is still active"})
			return
		}
		if !r.disableAgain(ctx, j) {
			return
		}
	}
}

// sawInactive takes what the target showed into the row.
func (r *runner) sawInactive(j *job, u RemoteUser) {
	seen := observe(r.profile, u, j.row.Applied)
	if j.row.Applied != nil {
		seen.Groups = slices.Clone(j.row.Applied.Groups)
	}
	j.row.Observed, j.row.VerifiedAt = &seen, r.moment()
	r.revoked(j)
}

// disableAgain takes access away once more from an account that is active though it was
// taken away before, as far as it is the hub's to do. false: there is nothing to read.
func (r *runner) disableAgain(ctx context.Context, j *job) bool {
	active := *j.row.Applied
	active.Active = true
	j.row.Applied = &active
	p, err := r.guarded(ctx, Diff(r.inForce(), r.profile, []model.AccountRow{j.row}, r.w.Now()), []*job{j})
	if err != nil {
		r.log.ErrorContext(ctx, "plan failed", "error", err)
		j.drop = true
		return false
	}
	j.changes = p.Changes
	done := false
	for _, c := range p.Changes {
		if c.Group != "" || c.Held != "" || c.ByPerson {
			continue
		}
		if err := r.perform(ctx, j, c); err != nil {
			j.fail(c, err)
			return false
		}
		j.leaving.accepted, done = r.moment(), true
	}
	return done
}

// showsLate reports whether reads may still show the account as it was before it was
// disabled.
func (r *runner) showsLate(j *job) bool {
	if j.row.Applied == nil || j.row.Applied.Active {
		return false
	}
	at := j.leaving.accepted
	if at == nil {
		at = j.row.DisabledAt
	}
	return at != nil && r.w.Now().Before(at.Add(r.inconsistency()))
}

// verifyBack reads an account back that a drill had switched off.
func (r *runner) verifyBack(ctx context.Context, j *job) {
	u, err := r.get(ctx, j.row.RemoteID)
	c := model.Change{Verb: model.Update, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID, Before: j.row.Applied, After: j.row.Desired}
	switch {
	case err != nil:
		j.fail(c, err)
	case u.Active:
		j.leaving.back = r.moment()
		j.row.VerifiedAt = j.leaving.back
	case r.inconsistency() > 0:
		j.leaving.awaits = true
	default:
		j.fail(c, &ClientError{Class: Garbage, Detail: "the target has confirmed, but the account is not active again"})
	}
}

// revoked notes that access is verified gone.
func (r *runner) revoked(j *job) {
	j.leaving.verified = r.moment()
	// Who was let in again by hand left long ago: that would be no time it took.
	if j.row.Leaver && j.row.LeaverAt != nil && !j.row.Drill && j.row.Drift != driftResurrected && j.leaving.prior != model.StateDisabled && j.leaving.prior != model.StateDeleted {
		r.w.Metrics.left(r.target.Name, *j.row.LeaverAt, *j.leaving.verified)
	}
}

// readAgainMost is the longest pause between two readings of what an application shows
// late, readAgainLeast the shortest.
const (
	readAgainLeast = 500 * time.Millisecond
	readAgainMost  = 10 * time.Second
)

// await has an account read again that the target may show as it is only later: soon
// at first, then at growing distances.
func (j *job) await(now time.Time) {
	if !j.leaving.awaits || j.err != nil || j.row.State == model.StateHeld {
		return
	}
	pause := readAgainLeast
	if j.row.DisabledAt != nil {
		pause = min(max(now.Sub(*j.row.DisabledAt)/2, readAgainLeast), readAgainMost)
	}
	j.row.State, j.row.Due, j.row.NextAttempt = model.StatePending, true, now.Add(pause)
}

// leaverProgress is how far the end of a leaver's access is at this target, for the run.
func (r *runner) leaverProgress(j *job) *store.LeaverProgress {
	row, l := &j.row, j.leaving
	if row.Drill && row.Desired != nil {
		if l.back == nil {
			return nil
		}
		return &store.LeaverProgress{Back: l.back}
	}
	if !row.Leaver || row.LeaverAt == nil || row.Desired != nil || j.yielded || j.again || j.drop {
		return nil
	}
	p := &store.LeaverProgress{Accepted: l.accepted, Note: r.confirmedOnly(j)}
	switch {
	case l.verified != nil:
		p.State, p.Verified = model.LeaverVerified, l.verified
	case ClassOf(j.err) == AwaitsPerson:
		p.State = model.LeaverTask
	case j.err != nil:
		p.State, p.Status = model.LeaverFailed, asClientError(j.err).Status
	case row.State == model.StateHeld:
		p.State = model.LeaverHeld
	case l.awaits:
		p.State = model.LeaverAccepted
	case l.nothing != "":
		p.State, p.Note = model.LeaverNotNeeded, l.nothing
	case slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.ByPerson }):
		p.State = model.LeaverTask
	default:
		p.State = model.LeaverAccepted
	}
	return p
}

// confirmedOnly says what the target confirmed and nobody read back.
func (r *runner) confirmedOnly(j *job) string {
	var left, open []string
	for _, c := range j.changes {
		if c.Verb != model.Part || c.Held != "" {
			continue
		}
		if slices.ContainsFunc(j.done, func(d model.Change) bool { return d.Verb == model.Part && d.Group == c.Group }) {
			left = append(left, c.Group)
		} else {
			open = append(open, c.Group)
		}
	}
	var parts []string
	if len(left) > 0 {
		words := "confirmed, not read back: left " + strings.Join(left, ", ")
		if !r.profile.MembersReadable {
			words += " (the application does not show members)"
		}
		parts = append(parts, words)
	}
	if len(open) > 0 {
		parts = append(parts, "still to leave: "+strings.Join(open, ", "))
	}
	return strings.Join(parts, "; ")
}
