package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// perform carries out one change of an account and takes what the target says
// into the row.
func (r *runner) perform(ctx context.Context, j *job, c model.Change) error {
	under, end := r.changing(ctx, j, c)
	err := r.timed(string(c.Verb), func() error { return r.attempt(under, j, c) })
	end(err)
	if ClassOf(err) == Conflict && renamed(c) && j.row.Applied != nil {
		err = r.nameTaken(ctx, j, c, err)
	}
	switch {
	case err == nil:
		if j.note != "" {
			c.Because = append([]string{j.note}, c.Because...)
		}
		j.did(c)
		return nil
	case c.Verb == model.Create && ClassOf(err) == Conflict && j.row.RemoteID == "":
		return r.collided(ctx, j, err)
	case ClassOf(err) == Missing && j.row.Desired == nil && (c.Verb == model.Disable || c.Verb == model.Delete):
		if err := r.departed(ctx, j.row); err != nil {
			return err
		}
		r.gone(&j.row) // nothing there is what a removal wants
		j.did(c)
		return nil
	case ClassOf(err) == Missing && c.Verb != model.Create && r.w.Now().Before(j.row.UpdatedAt.Add(r.inconsistency())):
		return err // this application shows what is new only after a while
	case ClassOf(err) == Missing && c.Verb != model.Create:
		return r.vanished(ctx, j, err)
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
		if err := r.stays(ctx, j); err != nil {
			return err
		}
		r.gone(&j.row)
		return nil
	case model.Disable:
		return r.switchOff(ctx, j, c)
	case model.Update, model.Adopt:
		u, err := r.update(ctx, j.row.RemoteID, *c.Before, *c.After)
		return r.wrote(j, c, u, err)
	}
	return &ClientError{Class: Invalid, Detail: "nobody knows how to " + string(c.Verb)}
}

func (r *runner) create(ctx context.Context, j *job, c model.Change) error {
	if owner, mine := r.ledger.take(nameKey(c.After.UserName), j.row.Identity); !mine {
		return beingMade(c.After.UserName, owner)
	}
	if restored, err := r.restore(ctx, j, c); err != nil || restored {
		return err
	}
	u, err := r.conn.Create(ctx, *c.After)
	if err != nil {
		return err
	}
	if u.ID == j.row.FormerID {
		j.note = "restored: the application gave the old account back"
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
			if c.Verb == model.Adopt { // it was written to, so it is ours, as it is
				seen := observe(r.profile, *u, &applied)
				seen.Groups = nil
				j.row.Applied, j.row.Observed = &seen, &seen
			}
			return &ClientError{Class: Garbage, Detail: "the target confirms the change and shows the account's active unchanged"}
		}
	}
	if isForeign(j.row) {
		j.row.Observed = &applied // not ours: nothing is applied
		return nil
	}
	j.row.Applied = &applied
	if u == nil && (len(c.Fields) > 0 || c.Verb == model.Disable) {
		r.unechoed(&j.row, c.Fields)
	}
	r.echo(j, u)
	return nil
}

// renamed reports whether a change gives an account another user name.
func renamed(c model.Change) bool {
	_, _, ok := renames([]model.Change{c})
	return ok
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
	r.seenInvited(&j.row, *u)
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
	if row.RemoteID != "" {
		row.FormerID, row.GoneAt = row.RemoteID, &now
	}
	row.RemoteID, row.Owned, row.Applied, row.Observed, row.Sent, row.VerifiedAt = "", "", nil, nil, nil, &now
}

// collided meets a create that the target refuses because the account exists: it
// is looked up and goes through the adoption rule like any account found.
func (r *runner) collided(ctx context.Context, j *job, refusal error) error {
	if j.row.Desired != nil && r.ledger.other(nameKey(j.row.Desired.UserName), j.row.Identity) != "" {
		return refusal
	}
	if !j.intent {
		j.refused, j.row.Owned = true, ""
		// Stored before anything else: whoever finds the row after a crash must not take
		// for ours what was there before.
		err := r.w.Store.WithdrawIntent(context.WithoutCancel(ctx), r.target.Name, store.Intent{Identity: j.row.Identity, Generation: j.row.Generation, Sent: j.before})
		if err != nil {
			return fmt.Errorf("store that the account was there before: %w", err)
		}
	}
	u, found, err := r.existing(ctx, j, refusal)
	if err != nil || !found {
		return err
	}
	if err := r.take(j, u); err != nil || j.held != "" {
		return err
	}
	r.unlinked(ctx, []*job{j})
	if j.err != nil {
		return j.err
	}
	p, err := r.guarded(ctx, Diff(r.inForce(), r.profile, []model.AccountRow{j.row}, r.w.Now()), []*job{j})
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

// existing looks for the account because of which a create was refused. Nothing found is
// an error that says what is wrong: the application, or its look-ups.
func (r *runner) existing(ctx context.Context, j *job, refusal error) (RemoteUser, bool, error) {
	u, found, q, err := r.lookup(ctx, j, false)
	if err != nil || found {
		return u, found, err
	}
	if r.index.reload(ctx, r) { // some filters leave out accounts that are switched off
		if u, found, err = r.listed(ctx, j); err != nil || found {
			return u, found, err
		}
	}
	if err := r.sharing(ctx, j); err != nil {
		return u, false, err
	}
	said := asClientError(refusal).Detail
	for _, attr := range q.silent {
		if v, err := r.believes(ctx, attr); err == nil && v.trust == trusted {
			return u, false, &ClientError{Class: Conflict, Status: asClientError(refusal).Status,
				Detail: fmt.Sprintf("the application says that the account exists (%s), and no account has this %s: another attribute is taken, or the account is hidden; a person has to look at it there", said, strings.Join(q.silent, " or "))}
		}
	}
	return u, false, &ClientError{Class: Garbage, Status: asClientError(refusal).Status,
		Detail: fmt.Sprintf("look-ups by %s find nothing although the application says that the account exists (%s): it is neither made nor taken over", strings.Join(q.silent, " and "), said)}
}

// sharing looks for an account that has a value which no two may share, but by which
// accounts are not recognised. It is named in an error and left alone.
func (r *runner) sharing(ctx context.Context, j *job) error {
	like := r.profile.Canonical(*j.row.Desired)
	for _, attr := range r.profile.UniqueScope {
		value := matchValue(like, attr)
		if value == "" || slices.Contains(r.match(), attr) || !r.profile.Filterable(attr) {
			continue
		}
		u, found, err := r.filter(ctx, "lookup", attr, value)
		if err == nil && found {
			return &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %q (%s) has the same %s; accounts are recognised by %s here, so it is not taken over: name %s under match, or change one of the two",
				u.UserName, u.ID, attr, strings.Join(r.match(), " and "), attr)}
		}
	}
	return nil
}

func creates(j *job) bool {
	return slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Verb == model.Create && c.Held == "" })
}
