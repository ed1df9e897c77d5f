package fanout

import (
	"bytes"
	"context"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// A write that was sent and not heard of may have been carried out: the answer was
// lost, or this process ended before it was stored. Until one is heard of that
// settles everything, the row keeps what was sent beside what was applied. Whoever
// works on it next reads the account again, leaves every group that it may be in
// and should not be, and joins every group that it may not be in.

// intended is the account as it is once all changes of a row are carried out that
// are not held; the zero Account where that deletes it.
func intended(row model.AccountRow, changes []model.Change) model.Account {
	var a model.Account
	if row.Applied != nil {
		a = *row.Applied
	}
	groups := slices.Clone(a.Groups)
	for _, c := range changes {
		if c.Held != "" {
			continue
		}
		switch c.Verb {
		case model.Create, model.Adopt:
			a = *c.After
			groups = nil
		case model.Update:
			a.UserName, a.Attrs = c.After.UserName, c.After.Attrs
			if c.Before.Active != c.After.Active {
				a.Active = c.After.Active
			}
		case model.Disable:
			a.Active = false
		case model.Delete:
			return model.Account{}
		case model.Join:
			groups = append(groups, c.Group)
		case model.Part:
			groups = slices.DeleteFunc(groups, func(g string) bool { return g == c.Group })
		}
	}
	slices.Sort(groups)
	a.Groups = slices.Compact(groups)
	return a
}

// intend notes what is about to be sent for the jobs that have something to send.
func (r *runner) intend(ctx context.Context, jobs []*job) error {
	var intents []store.Intent
	var open []*job
	for _, j := range jobs {
		if !slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Held == "" }) {
			continue
		}
		j.row.Sent = withSent(j.row.Sent, intended(j.row, j.changes))
		intents = append(intents, store.Intent{Identity: j.row.Identity, Generation: j.row.Generation, Create: creates(j), Sent: j.row.Sent})
		open = append(open, j)
	}
	if len(intents) == 0 {
		return nil
	}
	stored, err := r.w.Store.SaveIntents(ctx, r.target.Name, intents)
	if err != nil {
		return err
	}
	for _, j := range open {
		if !stored[j.row.Identity] {
			j.drop, j.changes = true, nil // decided anew: it is read again
			continue
		}
		j.sent = j.row.Sent
	}
	return nil
}

// uncertain is what remains open of a row whose changes were carried out or held:
// the memberships, unless all that it may have were put right.
func (r *runner) uncertain(j *job, held string) []model.Account {
	row := &j.row
	removed := r.target.Leaver.RemoveMemberships || r.profile.PartOnDisable
	switch {
	case row.Applied == nil && held != "":
		return j.before
	case row.Applied == nil, held == "" && (row.Desired != nil || removed):
		return nil
	}
	switched := slices.ContainsFunc(j.done, func(c model.Change) bool { return c.Verb == model.Disable })
	var out []model.Account
	for _, s := range row.Sent {
		a := *row.Applied
		a.Active = a.Active || s.Active && !switched // a held disable must not be forgotten
		if a.Groups = settledGroups(s.Groups, j.done); a.Active != row.Applied.Active || !slices.Equal(a.Groups, row.Applied.Groups) {
			out = withSent(out, a)
		}
	}
	return out
}

// settledGroups are groups that an account may be in, after changes that were confirmed:
// of those it is certain whatever became of what was sent before.
func settledGroups(groups []string, done []model.Change) []string {
	out := slices.Clone(groups)
	for _, c := range done {
		switch c.Verb {
		case model.Join:
			out = append(out, c.Group)
		case model.Part:
			out = slices.DeleteFunc(out, func(g string) bool { return g == c.Group })
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withSent adds an account to a list that may be shared, once.
func withSent(list []model.Account, a model.Account) []model.Account {
	text := canonicalJSON(a)
	for _, have := range list {
		if bytes.Equal(canonicalJSON(have), text) {
			return list
		}
	}
	return append(slices.Clone(list), a)
}

// reread takes what the target shows of an account into a row of which writes were
// sent and not heard of. Memberships stay open: not every target shows them.
func (r *runner) reread(ctx context.Context, j *job) {
	if err := r.readAgain(ctx, j); err != nil {
		j.fail(model.Change{Verb: model.Update, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}, err)
	}
}

func (r *runner) readAgain(ctx context.Context, j *job) error {
	if left := r.unsettled(j.row); left > 0 {
		if j.row.Desired == nil {
			return nil // whatever may be active is switched off, whatever a read would show
		}
		j.soon = left
		return &ClientError{Class: UnknownOutcome, Detail: "the answer to a change was lost, and this application shows what is new only after a while: it is read again in " + left.String()}
	}
	u, err := r.get(ctx, j.row.RemoteID)
	if ClassOf(err) == Missing {
		deleted := slices.ContainsFunc(j.row.Sent, isNone)
		if j.row.Desired == nil || deleted {
			if err := r.departed(ctx, j.row); err != nil {
				return err
			}
		}
		switch {
		case j.row.Desired == nil:
			r.gone(&j.row)
			return nil
		case deleted:
			// Stored before another is made: whoever finds the row after a crash
			// must not look for the new account by the old one's id.
			r.gone(&j.row)
			j.drop, j.again = true, true
			return nil
		}
		return r.vanished(ctx, j, err)
	}
	if err != nil && j.row.Desired == nil {
		return nil // as above: nobody keeps access because a read failed
	}
	if err == nil && j.row.Desired != nil {
		err = r.otherwise(ctx, j.row, u)
	}
	if err != nil {
		return err
	}
	like := []*model.Account{j.row.Desired, j.row.Applied}
	for i := range j.row.Sent {
		like = append(like, &j.row.Sent[i])
	}
	seen := observe(r.profile, u, like...)
	seen.Groups = slices.Clone(j.row.Applied.Groups)
	r.seenInvited(&j.row, u)
	r.shown(&j.row, seen)
	return nil
}

// shown makes what the target showed of the account itself certain.
func (r *runner) shown(row *model.AccountRow, seen model.Account) {
	applied := seen
	row.Applied, row.Observed = &applied, &seen
	sent := make([]model.Account, 0, len(row.Sent))
	for _, s := range row.Sent {
		a := seen
		a.Groups = s.Groups
		sent = append(sent, a)
	}
	row.Sent = sent
}

// isNone tells the account that says that there is none.
func isNone(a model.Account) bool { return a.UserName == "" && !a.Active && len(a.Attrs) == 0 }

// certainGroups are those that the account is in whatever became of what was sent.
func certainGroups(applied *model.Account, sent []model.Account) []string {
	out := slices.Clone(applied.Groups)
	for _, s := range sent {
		out = slices.DeleteFunc(out, func(g string) bool { return !slices.Contains(s.Groups, g) })
	}
	return out
}

// possibleGroups are those that the account may be in.
func possibleGroups(applied *model.Account, sent []model.Account) []string {
	out := slices.Clone(applied.Groups)
	for _, s := range sent {
		out = append(out, s.Groups...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// possiblyActive is the account as active as it may be.
func possiblyActive(a *model.Account, sent []model.Account) *model.Account {
	if a.Active || !slices.ContainsFunc(sent, func(s model.Account) bool { return s.Active }) {
		return a
	}
	active := *a
	active.Active = true
	return &active
}
