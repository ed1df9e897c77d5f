package fanout

import (
	"context"
	"fmt"

	"github.com/scimhub/scimhub/model"
)

// A 404 says that something is gone, or that the application has forgotten everything,
// or that another one answers at its address. Which of these is told by witnesses:
// accounts that the hub knows and that should be there. Where there are none to ask, one
// 404 is believed; what comes back is found by the next sweep.

const nothingThere = "others that the hub knows are not found either; nothing is concluded"

// departed reports whether the account of a row that is not wanted any more is really
// gone, which a removal takes for done. Its error says why it is not believed: whoever
// left would count as out, and would be in again once the application remembers.
func (r *runner) departed(ctx context.Context, row model.AccountRow) error {
	if row.RemoteID == "" {
		return nil
	}
	there, asked, err := r.askOthers(ctx, row.Identity)
	switch {
	case err != nil:
		return err
	case asked && !there:
		return &ClientError{Class: Garbage, Status: 404, Detail: "the target does not find the account; " + nothingThere}
	}
	return nil
}

// askOthers asks for a few accounts of others; asked is false where none is known.
func (r *runner) askOthers(ctx context.Context, identity string) (there, asked bool, err error) {
	others, err := r.w.Store.Witnesses(ctx, r.target.Name, identity, nil, witnesses)
	if err != nil || len(others) == 0 {
		return false, false, err
	}
	there, err = r.anyThere(ctx, others)
	return there, true, err
}

// groupDeparted reports whether a group is really gone at the target. nil: it is. Class
// Invalid says that it is there: something else was not found.
func (r *runner) groupDeparted(ctx context.Context, id string) error {
	err := r.timed("get-group", func() error { _, err := r.conn.Group(ctx, id); return err })
	switch {
	case err == nil:
		return &ClientError{Class: Invalid, Detail: "the group is there, an account in it is not"}
	case ClassOf(err) != Missing:
		return err
	}
	there, asked, err := r.askOthers(ctx, "")
	switch {
	case err != nil:
		return err
	case !asked: // whoever is to be in it is there a moment later
		return &ClientError{Class: Garbage, Status: 404, Detail: "the target does not find the group, and nothing else is known to be there; nothing is concluded"}
	case !there:
		return &ClientError{Class: Garbage, Status: 404, Detail: "the target does not find the group; " + nothingThere}
	}
	return nil
}

// believeNothing is believeAbsent where no group of ours can tell whether look-ups by
// name work: any other group that is listed is looked up, and where accounts are known
// one of them has to be there, or else this is another tenant.
func (r *runner) believeNothing(ctx context.Context) error {
	if there, asked, err := r.askOthers(ctx, ""); err != nil || asked && !there {
		if err == nil {
			err = &ClientError{Class: Garbage, Detail: "no group is made: none of the accounts that the hub knows is found; is this the right tenant?"}
		}
		return err
	}
	if !r.profile.ListTrustworthy { // what it lists may be made up
		return nil
	}
	var shown RemoteGroup
	err := r.timed("list-groups", func() error {
		for g, err := range r.conn.ListGroups(ctx) {
			if err != nil {
				return err
			}
			if g.Name != "" {
				shown = g
				return nil
			}
		}
		return nil
	})
	if err != nil || shown.Name == "" {
		return nil //nolint:nilerr // then there is nothing to test with
	}
	found, there, err := r.findGroup(ctx, shown.Name)
	if ClassOf(err) == Conflict || err == nil && there && found.ID == shown.ID {
		return nil
	}
	if err == nil {
		err = &ClientError{Class: Garbage, Detail: fmt.Sprintf("look-ups of groups by name do not find group %q (%s), which is listed: no group is made", shown.Name, shown.ID)}
	}
	return err
}

// stays reads the account of a leaver that was just deleted: a confirmation alone is
// nothing that access is verified gone by. nil: it is gone, or switched off.
func (r *runner) stays(ctx context.Context, j *job) error {
	if !isUrgent(ctx) || r.target.Manual != nil || r.inconsistency() > 0 {
		return nil
	}
	u, err := r.get(ctx, j.row.RemoteID)
	switch {
	case ClassOf(err) == Missing:
		return nil
	case err != nil:
		return err
	case u.Active:
		return &ClientError{Class: Garbage, Detail: "the target has confirmed the deletion, but the account is still there and active"}
	}
	return nil
}
