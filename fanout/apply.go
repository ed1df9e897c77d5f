package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// perform carries out one change of an account and takes what the target says
// into the row.
func (r *runner) perform(ctx context.Context, j *job, c model.Change) error {
	err := r.timed(string(c.Verb), func() error { return r.attempt(ctx, j, c) })
	switch {
	case err == nil:
		j.did(c)
		return nil
	case c.Verb == model.Create && ClassOf(err) == Conflict:
		return r.collided(ctx, j, err)
	case ClassOf(err) == Missing && j.row.Desired == nil && (c.Verb == model.Disable || c.Verb == model.Delete):
		r.gone(&j.row) // nothing there is what a removal wants
		j.did(c)
		return nil
	case ClassOf(err) == Missing && c.Verb != model.Create:
		return r.vanished(j, err)
	}
	return err
}

func (r *runner) attempt(ctx context.Context, j *job, c model.Change) error {
	switch c.Verb {
	case model.Create:
		return r.create(ctx, j, c)
	case model.Delete:
		if err := r.conn.Delete(ctx, j.row.RemoteID); err != nil {
			return err
		}
		r.gone(&j.row)
		return nil
	case model.Disable:
		u, err := r.conn.SetActive(ctx, j.row.RemoteID, false)
		return r.wrote(j, c, u, err)
	case model.Update, model.Adopt:
		u, err := r.conn.Update(ctx, j.row.RemoteID, *c.Before, *c.After)
		return r.wrote(j, c, u, err)
	}
	return &ClientError{Class: Invalid, Detail: "nobody knows how to " + string(c.Verb)}
}

func (r *runner) create(ctx context.Context, j *job, c model.Change) error {
	if owner, mine := r.ledger.take(nameKey(c.After.UserName), j.row.Identity); !mine {
		return beingMade(c.After.UserName, owner)
	}
	u, err := r.conn.Create(ctx, *c.After)
	if err != nil {
		return err
	}
	applied := *c.After
	applied.Groups = nil
	j.row.RemoteID, j.row.Owned, j.row.Applied = u.ID, model.OwnedCreated, &applied
	r.echo(j, &u)
	return nil
}

// wrote takes a successful write into the row. An answer that shows another
// active than was written is a failure: access would look taken away and not be.
func (r *runner) wrote(j *job, c model.Change, u *RemoteUser, err error) error {
	if err != nil {
		return err
	}
	before := c.Before
	if j.row.Applied != nil {
		before = j.row.Applied
	}
	applied := *before
	if c.Verb == model.Disable {
		applied.Active = false
	} else {
		applied.UserName, applied.Attrs = c.After.UserName, c.After.Attrs
		if c.Before.Active != c.After.Active {
			applied.Active = c.After.Active
		}
	}
	if c.Verb == model.Adopt {
		applied.Groups = nil
		j.row.Owned = model.OwnedAdopted
	}
	if u != nil && u.Attrs != nil {
		if _, shown := field(u.Attrs, "active"); shown && u.Active != applied.Active {
			return &ClientError{Class: Garbage, Detail: "the target confirms the change and shows the account's active unchanged"}
		}
	}
	if isForeign(j.row) {
		j.row.Observed = &applied // not ours: nothing is applied
		return nil
	}
	j.row.Applied = &applied
	r.echo(j, u)
	return nil
}

func beingMade(userName, owner string) error {
	return &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %q is being made for identity %s", userName, owner)}
}

// echo remembers what the target showed right after a write. A target that
// changes what it is given (case, format) shows that later, too; it is no drift.
func (r *runner) echo(j *job, u *RemoteUser) {
	if u == nil || u.Attrs == nil {
		return
	}
	seen := observe(r.profile, *u, j.row.Applied)
	seen.Groups = slices.Clone(j.row.Applied.Groups)
	j.row.Observed = &seen
	if len(differences(*j.row.Applied, seen)) == 0 {
		now := r.w.Now()
		j.row.VerifiedAt = &now
	}
}

// gone takes the absence of the account into the row.
func (r *runner) gone(row *model.AccountRow) {
	now := r.w.Now()
	row.RemoteID, row.Owned, row.Applied, row.Observed, row.Sent, row.VerifiedAt = "", "", nil, nil, nil, &now
}

// collided meets a create that the target refuses because the account exists: it
// is looked up and goes through the adoption rule like any account found.
func (r *runner) collided(ctx context.Context, j *job, refusal error) error {
	if j.row.Desired != nil && r.ledger.other(nameKey(j.row.Desired.UserName), j.row.Identity) != "" {
		return refusal
	}
	u, found, err := r.lookup(ctx, j, false)
	if err != nil {
		return err
	}
	if !found {
		return refusal
	}
	if !j.intent {
		j.row.Owned = ""
	}
	if err := r.take(j, u); err != nil || j.held != "" {
		return err
	}
	r.unlinked(ctx, []*job{j})
	if j.err != nil {
		return j.err
	}
	p, err := r.guarded(ctx, Diff(r.target, r.profile, []model.AccountRow{j.row}, r.w.Now()), []*job{j})
	if err != nil {
		return err
	}
	j.changes = p.Changes
	for _, next := range p.Changes {
		if next.Group != "" || next.Held != "" || next.Verb == model.Create {
			continue
		}
		if err := r.perform(ctx, j, next); err != nil {
			return err
		}
	}
	return nil
}

// vanished meets an account that somebody deleted at the target: drift of kind
// missing, treated by the drift policy.
func (r *runner) vanished(j *job, err error) error {
	j.missing = true
	return err
}

// verify reads a leaver's account back: only what the target shows counts as
// revoked. An account that is active against what was applied is disabled once more.
func (r *runner) verify(ctx context.Context, j *job) {
	held := slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Held != "" && c.Removes() && c.Group == "" })
	if _, protected := r.protect.matches(j.row); held || protected || j.row.LeaverHeld || (j.row.Applied == nil && j.row.Owned == "" && j.row.RemoteID != "") {
		return
	}
	if j.row.RemoteID == "" {
		r.revoked(j)
		return
	}
	for try := range 2 {
		u, err := r.get(ctx, j.row.RemoteID)
		c := model.Change{Verb: model.Disable, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID,
			Before: j.row.Applied, Because: gone(j.row), Urgent: true}
		switch {
		case ClassOf(err) == Missing:
			r.gone(&j.row)
			r.revoked(j)
			return
		case err != nil:
			j.fail(c, err)
			return
		case !u.Active:
			now := r.w.Now()
			seen := observe(r.profile, u, j.row.Applied)
			if j.row.Applied != nil {
				seen.Groups = slices.Clone(j.row.Applied.Groups)
			}
			j.row.Observed, j.row.VerifiedAt = &seen, &now
			r.revoked(j)
			return
		case try == 1 || j.row.Applied == nil || j.row.Owned == "" || len(j.changes) > 0:
			j.fail(c, &ClientError{Class: Garbage, Detail: "the target has confirmed, but the account is still active"})
			return
		}
		active := *j.row.Applied
		active.Active = true
		j.row.Applied = &active
		c.Before, c.After = &active, inactive(&active)
		if words := forbidden(r.target.Mode, c.Verb); words != "" {
			j.held = words
			return
		}
		if err := r.perform(ctx, j, c); err != nil {
			j.fail(c, err)
			return
		}
	}
}

func (r *runner) revoked(j *job) {
	if j.row.Leaver && j.row.LeaverAt != nil && len(j.done) > 0 {
		r.w.Metrics.left(r.target.Name, *j.row.LeaverAt, r.w.Now())
	}
}

func creates(j *job) bool {
	return slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Verb == model.Create && c.Held == "" })
}
