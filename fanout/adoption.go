package fanout

import (
	"context"
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// take applies the adoption rule to an account that was found. One whose
// creation we had begun is ours: it was not there when the intent was written.
func (r *runner) take(j *job, u RemoteUser) error {
	if name, hit := r.protect.matchDoc(u.ID, u.Attrs); hit {
		j.held = heldProtected + ": " + name
		return nil
	}
	seen := observe(r.profile, u, j.row.Desired)
	j.row.RemoteID, j.row.Observed = u.ID, &seen
	if j.intent {
		j.row.Owned = model.OwnedCreated
		r.shown(&j.row, seen)
		return nil
	}
	if r.target.Adopt == "never" {
		j.row.RemoteID, j.row.Observed = "", nil
		return &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %q (%s) exists already and adopt is never", u.UserName, u.ID)}
	}
	return nil
}

// unlinked fails rows whose account belongs to somebody else by now: to another
// row in the store or to another one of this chunk.
func (r *runner) unlinked(ctx context.Context, jobs []*job) {
	var ids []string
	first := map[string]string{}
	for _, j := range jobs {
		if j.row.RemoteID != "" && j.err == nil {
			ids = append(ids, j.row.RemoteID)
			if _, taken := first[j.row.RemoteID]; !taken {
				first[j.row.RemoteID] = j.row.Identity
			}
		}
	}
	if len(ids) == 0 {
		return
	}
	rows, err := r.w.Store.AccountsByRemote(ctx, r.target.Name, ids)
	for _, row := range rows {
		if !isForeign(row) && (row.Owned != "" || row.Applied != nil) {
			first[row.RemoteID] = row.Identity
		}
	}
	for _, j := range jobs {
		if j.row.RemoteID == "" || j.err != nil {
			continue
		}
		if err != nil {
			j.drop = true
			continue
		}
		owner := first[j.row.RemoteID]
		if owner == j.row.Identity {
			owner = r.entered(j)
		}
		if owner != j.row.Identity {
			c := model.Change{Verb: model.Adopt, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}
			j.fail(c, &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %s is that of identity %s already", j.row.RemoteID, owner)})
			j.row.RemoteID, j.row.Observed, j.row.Applied = "", nil, nil
			if j.row.Owned == model.OwnedCreated {
				j.row.Owned = model.OwnedCreating
			}
		}
	}
}

// entered is whose the account of a job is by the ledger: the job's own, from now on,
// unless it is somebody else's.
func (r *runner) entered(j *job) string {
	if j.row.Observed != nil {
		if other := r.ledger.other(nameKey(j.row.Observed.UserName), j.row.Identity); other != "" {
			return other
		}
	}
	owner, _ := r.ledger.take(idKey(j.row.RemoteID), j.row.Identity)
	return owner
}

// isForeign tells the rows of accounts that are nobody's the hub knows.
func isForeign(r model.AccountRow) bool { return strings.HasPrefix(r.Identity, "?") }
