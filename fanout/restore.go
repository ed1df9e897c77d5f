package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Whoever comes back should get the account back that they had: one that is switched
// off is switched on again; one that was deleted is restored under its old id where the
// application keeps it for a while.

// restorable reports whether an account that is gone may still be had back by its id.
func (r *runner) restorable(row model.AccountRow) bool {
	days := r.profile.Restore.WindowDays
	return days > 0 && row.FormerID != "" && row.GoneAt != nil && row.Desired != nil &&
		r.w.Now().Before(row.GoneAt.Add(time.Duration(days)*24*time.Hour))
}

// restoredBefore finds the account that is gone by its old id: somebody may have
// restored it at the application, or we did and were not told.
func (r *runner) restoredBefore(ctx context.Context, j *job) (RemoteUser, bool, error) {
	if j.row.FormerID == "" || r.profile.Restore.WindowDays == 0 || (j.row.Desired == nil && !j.intent) {
		return RemoteUser{}, false, nil
	}
	u, err := r.get(ctx, j.row.FormerID)
	switch {
	case ClassOf(err) == Missing:
		return RemoteUser{}, false, nil
	case err != nil:
		return RemoteUser{}, false, err
	case !r.wouldFind(j.row, u): // ids may be given to others
		return RemoteUser{}, false, nil
	}
	j.note = "restored: the account is there again under its old id"
	return u, true, nil
}

// restore switches a deleted account on again under its old id. found is false where the
// application will not; then another is made.
func (r *runner) restore(ctx context.Context, j *job, c model.Change) (found bool, err error) {
	if !r.profile.Restore.SameID || !r.restorable(j.row) {
		return false, nil
	}
	id := j.row.FormerID
	u, err := r.conn.SetActive(ctx, id, true)
	switch ClassOf(err) {
	case Missing, Invalid, Conflict, Unreadable:
		return false, nil
	case "":
	default:
		return false, err
	}
	if u == nil || u.Attrs == nil {
		seen, err := r.conn.Get(ctx, id)
		if err != nil {
			return false, err
		}
		u = &seen
	}
	if !r.wouldFind(j.row, *u) {
		if _, err := r.conn.SetActive(ctx, id, false); err != nil { // as it was: nobody asked for this one
			return false, fmt.Errorf("account %s had been this person's, is somebody else's and was switched on; it could not be switched off again: %w", id, err)
		}
		return false, &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %s had been this person's, was deleted, and is that of %q now that it is switched on again; a person has to look at it", id, u.UserName)}
	}
	j.note = "restored: the account that was deleted is there again under its old id"
	before := observe(r.profile, *u, c.After)
	before.Groups = nil
	j.row.RemoteID, j.row.Owned, j.row.Applied = id, model.OwnedCreated, &before
	r.echo(j, u)
	if len(differences(before, *c.After)) == 0 {
		return true, nil
	}
	got, err := r.conn.Update(ctx, id, before, *c.After)
	return true, r.wrote(j, model.Change{Verb: model.Update, Before: &before, After: c.After}, got, err)
}

// reactivates reports whether a change switches an account on that is switched off.
func reactivates(c model.Change) bool {
	return (c.Verb == model.Update || c.Verb == model.Adopt) && c.Before != nil && c.After != nil && !c.Before.Active && c.After.Active
}

// update writes a change in the form in which the application takes it: where a disabled
// account cannot be changed it is switched on first.
func (r *runner) update(ctx context.Context, id string, before, after model.Account) (*RemoteUser, error) {
	if before.Active || !after.Active || r.profile.UpdateWhenInactive != "no" || len(differences(before, after)) == 1 {
		return r.conn.Update(ctx, id, before, after)
	}
	if _, err := r.conn.SetActive(ctx, id, true); err != nil {
		return nil, err
	}
	before.Active = true
	return r.conn.Update(ctx, id, before, after)
}
