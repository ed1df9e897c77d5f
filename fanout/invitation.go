package fanout

import (
	"context"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// pendingInvitation is what a row says of itself while nobody has accepted.
const pendingInvitation = "pending invitation: it has not been accepted yet"

// compilePending makes the test that tells accounts whose invitation is open; nil where
// an application's cannot be told. A filter over attributes that the User schema does
// not have may hold only and-joined eq; any other tells nobody.
func compilePending(text string) func(RemoteUser) bool {
	if text == "" {
		return nil
	}
	if p := compileProtect([]string{text}); p.broken == "" {
		return func(u RemoteUser) bool {
			_, hit := p.matchDoc(u.ID, u.Attrs)
			return hit
		}
	}
	f, err := scim.ParseFilter(text)
	if err != nil {
		return nil
	}
	conds, err := conditions(f)
	if err != nil {
		return nil
	}
	return func(u RemoteUser) bool {
		for _, c := range conds {
			v, ok := field(u.Attrs, c.attr)
			if !ok || !looselyEqual(v, scalarText(c.value)) {
				return false
			}
		}
		return len(conds) > 0
	}
}

// seenInvited takes into the row whether the target shows the account as invited. What
// was held only because it was becomes due once it was accepted.
func (r *runner) seenInvited(row *model.AccountRow, u RemoteUser) {
	if r.invited == nil || u.Attrs == nil {
		return
	}
	was := row.Invited
	row.Invited = r.invited(u)
	switch {
	case !was || row.Invited:
	case row.State == model.StateHeld && row.LastError == heldInvitation:
		row.Due, row.NextAttempt = true, r.w.Now()
	case row.LastError == pendingInvitation:
		row.LastError = ""
	}
}

// noteInvited is seenInvited for who only looks.
func (r *runner) noteInvited(ctx context.Context, row model.AccountRow, u RemoteUser) {
	was := row.Invited
	if r.seenInvited(&row, u); row.Invited == was {
		return
	}
	if err := r.w.Store.SetInvited(context.WithoutCancel(ctx), row); err != nil {
		r.log.ErrorContext(ctx, "what the target showed cannot be stored", "error", err)
	} else if row.Due {
		r.nudge()
	}
}

// invitations reads the accounts again that are about to be switched off, at
// applications that treat open invitations in another way: one that was accepted since
// it was last seen is an account like any other. Where it cannot be read the last word
// stands, and leavers do not wait for it.
func (r *runner) invitations(soft, hard context.Context, jobs []*job, width int) {
	if r.invited == nil || r.profile.DisablePendingUser == "disables" {
		return
	}
	var open []*job
	for _, j := range jobs {
		row := j.row
		off := row.Desired == nil || !row.Desired.Active
		if j.err == nil && j.held == "" && !j.drop && off && row.Applied != nil && row.Applied.Active && row.RemoteID != "" {
			open = append(open, j)
		}
	}
	r.ask(soft, hard, open, width, func(ctx context.Context, j *job) {
		if u, err := r.get(ctx, j.row.RemoteID); err == nil {
			r.seenInvited(&j.row, u)
		}
	})
}

// switchOff carries a Disable out in the way that the application knows.
func (r *runner) switchOff(ctx context.Context, j *job, c model.Change) error {
	switch {
	case r.target.Manual == nil && (c.ByPerson || r.profile.Disable == "forbidden"):
		if err := r.asked(ctx, j, model.TaskSwitchOff, []model.Change{c}); err != nil {
			return err
		}
		return r.doneByPerson(ctx, j, c)
	case r.profile.Disable == "delete" && r.profile.Delete == model.DeleteDisables:
		return r.wrote(j, c, nil, r.conn.Delete(ctx, j.row.RemoteID))
	}
	u, err := r.conn.SetActive(ctx, j.row.RemoteID, false)
	if err := r.wrote(j, c, u, err); err != nil {
		return err
	}
	mayBeGone := r.profile.DisablePendingUser == "deletes" && (j.row.Invited || r.profile.Pending == "")
	if mayBeGone && !isForeign(j.row) {
		if _, err := r.get(ctx, j.row.RemoteID); ClassOf(err) == Missing {
			r.gone(&j.row)
		}
	}
	return nil
}

// doneByPerson takes an account that a person says they have switched off into the row,
// where the application shows it so.
func (r *runner) doneByPerson(ctx context.Context, j *job, c model.Change) error {
	u, err := r.get(ctx, j.row.RemoteID)
	if err == nil && u.Active {
		return &ClientError{Class: Garbage, Detail: "somebody has confirmed that the account is switched off, but it is still active"}
	}
	if ClassOf(err) == Unreadable {
		return r.wrote(j, c, nil, nil)
	}
	if err != nil {
		return err
	}
	return r.wrote(j, c, &u, nil)
}
