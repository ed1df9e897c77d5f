package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// readOnly is a Connector that sends nothing that writes: whatever a dry run may come to,
// it cannot change the target.
type readOnly struct{ Connector }

func unwritten() error {
	return &ClientError{Class: Invalid, Detail: "a dry run writes nothing"}
}

// Create refuses.
func (readOnly) Create(context.Context, model.Account) (RemoteUser, error) {
	return RemoteUser{}, unwritten()
}

// Update refuses.
func (readOnly) Update(context.Context, string, model.Account, model.Account) (*RemoteUser, error) {
	return nil, unwritten()
}

// SetActive refuses.
func (readOnly) SetActive(context.Context, string, bool) (*RemoteUser, error) {
	return nil, unwritten()
}

// Delete refuses.
func (readOnly) Delete(context.Context, string) error { return unwritten() }

// CreateGroup refuses.
func (readOnly) CreateGroup(context.Context, string) (RemoteGroup, error) {
	return RemoteGroup{}, unwritten()
}

// RenameGroup refuses.
func (readOnly) RenameGroup(context.Context, string, string) error { return unwritten() }

// DeleteGroup refuses.
func (readOnly) DeleteGroup(context.Context, string) error { return unwritten() }

// PatchMembers refuses.
func (readOnly) PatchMembers(context.Context, string, []string, []string) error { return unwritten() }

// tryOut is a run that only looks. What it learns of the target is its own: a runner
// apart from the one at work, with the same connection and pace.
func (w *Worker) tryOut(ctx context.Context, live *runner, v *visit) error {
	r, err := w.newRunner(live.target)
	if err != nil {
		return err
	}
	r.trial, r.conn, r.pace = true, readOnly{live.conn}, live.pace
	r.slot.Store(live.slot.Load())
	r.health, r.noted = live.standing(), live.standing()
	ctx = withTrace(ctx, v.trace)
	err = survive(w.Log, func() error { r.look(ctx, v); return nil })
	if err != nil {
		v.end(RunFailed, "", "%s", err.Error())
	}
	return nil
}

// look finds out what a run would do.
func (r *runner) look(ctx context.Context, v *visit) {
	row, ok := r.opening(ctx, ctx, v)
	if !ok {
		return
	}
	if st, err := r.w.Store.TargetState(ctx, r.target.Name); err == nil && st.Moved != nil {
		v.end(RunHeld, row.State, "%s", st.Moved.Words)
		return
	}
	if r.idle(ctx, row) {
		r.compareOne(ctx, v, row)
		return
	}
	j := &job{row: row, intent: row.Owned == model.OwnedCreating, before: row.Sent, out: func(*job) {}, leaving: leaving{prior: row.State}}
	jobs := []*job{j}
	if err := r.prepareTrial(ctx, jobs); err != nil {
		v.end(RunFailed, row.State, "%s", err.Error())
		return
	}
	if j.err != nil {
		v.end(RunFailed, row.State, "%s", j.err.Error())
		return
	}
	r.sayKnown(ctx, j)
	if j.held != "" {
		v.trace.say(StepHeld, "%s", j.held)
		v.end(RunHeld, row.State, "a run would change nothing: %s", j.held)
		return
	}
	if err := r.trialPlan(ctx, v, jobs); err != nil {
		v.end(RunFailed, row.State, "%s", err.Error())
	}
}

// prepareTrial finds the account as resolve does, without storing anything.
func (r *runner) prepareTrial(ctx context.Context, jobs []*job) error {
	if r.target.Manual != nil {
		r.remember(jobs)
		return nil
	}
	j := jobs[0]
	rows, open, err := withReferences(ctx, r.w.Store, r.target.Name, r.profile, []model.AccountRow{j.row}, false)
	if err != nil {
		return err
	}
	j.row, j.lacking = rows[0], open[j.row.Identity]
	r.resolve(ctx, urgently(ctx), jobs, 1) // no back-off keeps anybody from looking
	r.invitations(ctx, urgently(ctx), jobs, 1)
	return r.followGroups(ctx, jobs)
}

// sayKnown says which account is meant, and whether it is as the hub believes.
func (r *runner) sayKnown(ctx context.Context, j *job) {
	row := j.row
	if row.Applied == nil || row.RemoteID == "" || r.target.Manual != nil {
		return
	}
	trace := traceOf(ctx)
	trace.say(StepMatched, "account %s is the hub's (%s)", row.RemoteID, row.Owned)
	u, err := r.get(ctx, row.RemoteID)
	if err != nil {
		trace.say(StepVerified, "it cannot be read: %s", err.Error())
		return
	}
	seen := observe(r.profile, u, row.Applied, row.Desired)
	seen.Groups = row.Applied.Groups
	for path := range seen.Attrs {
		if _, ours := row.Applied.Attrs[path]; !ours {
			delete(seen.Attrs, path)
		}
	}
	if diffs := r.strange(row, seen); len(diffs) > 0 {
		trace.say(StepVerified, "it differs from what was written: %s", shownWords(diffs))
	}
}

// trialPlan says what a run would send.
func (r *runner) trialPlan(ctx context.Context, v *visit, jobs []*job) error {
	j := jobs[0]
	p, err := r.guarded(ctx, Diff(r.inForce(), r.profile, []model.AccountRow{j.row}, r.w.Now()), jobs)
	if err != nil {
		return err
	}
	groups, err := r.w.Store.TargetGroups(ctx, r.target.Name)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	p = withGroups(p, groups)
	j.changes = p.Changes
	v.planned(p.Changes)
	if j.lacking != "" {
		v.trace.say(StepChange, "%s", j.lacking)
	}
	v.trace.changes(j.changes, j.held)
	held := len(HeldChanges(p))
	later, err := r.kept(ctx, j.row)
	if err != nil {
		return err
	}
	switch {
	case len(p.Changes) == 0 && j.row.Desired == nil && j.row.Applied == nil:
		v.end(RunNothing, j.row.State, "no account is due there, and none of the hub's is there")
	case len(p.Changes) == 0:
		v.end(RunInSync, j.row.State, "nothing would change")
	case held == len(p.Changes):
		v.end(RunHeld, j.row.State, "a run would do nothing of it: %s", HeldChanges(p)[0].Held)
	case later != "":
		v.end(RunDiffers, j.row.State, "a run would do this, but not now: %s", later)
	case r.target.Manual != nil:
		v.end(RunDiffers, j.row.State, "a run would open a task for a person")
	case held > 0:
		v.end(RunDiffers, j.row.State, "a run would do %d of %d changes; the rest is held", len(p.Changes)-held, len(p.Changes))
	default:
		v.end(RunDiffers, j.row.State, "a run would do this")
	}
	return nil
}

// kept says why nothing would be written at the target at this moment; empty: it would.
func (r *runner) kept(ctx context.Context, row model.AccountRow) (string, error) {
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		return "", fmt.Errorf("read target state: %w", err)
	}
	switch h := r.standing(); {
	case st.Paused:
		return "the target is paused", nil
	case r.w.Now().Before(h.RetryAt) && !row.Leaver:
		return "the target is left alone until " + h.RetryAt.UTC().Format(time.RFC3339), nil
	}
	return "", nil
}
