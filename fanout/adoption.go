package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// take applies the adoption rule to an account that was found. One whose creation we
// had begun is ours without it.
func (r *runner) take(j *job, u RemoteUser) error {
	if name, hit := r.protect.matchDoc(u.ID, u.Attrs); hit {
		j.held = heldProtected + ": " + name
		return nil
	}
	seen := observe(r.profile, u, j.row.Desired)
	j.row.RemoteID, j.row.Observed, j.found = u.ID, &seen, &u
	r.seenInvited(&j.row, u)
	if j.intent {
		if madeBy(j.row, u) > strange {
			j.row.Owned = model.OwnedCreated
			r.shown(&j.row, seen)
			return nil
		}
		// What we had begun to make never came to be: somebody else's was in its place.
		j.intent, j.before, j.row.Sent, j.row.Owned = false, nil, nil, ""
		if j.row.Desired == nil {
			j.row.RemoteID, j.row.Observed = "", nil
			return nil
		}
	}
	if j.row.Owned != "" { // taken over before, and what it was then was not kept
		r.shown(&j.row, seen)
		return nil
	}
	if r.target.Adopt == "never" {
		j.row.RemoteID, j.row.Observed = "", nil
		return &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %q (%s) exists already and adopt is never", u.UserName, u.ID)}
	}
	return nil
}

// likeness is how surely an account is the one that a row had begun to make.
type likeness int

const (
	strange likeness = iota // somebody else's
	alike                   // nothing speaks against it
	certain                 // it carries the externalId that was sent
)

// clockSkew is how far the clocks of the target and ours may differ.
const clockSkew = 10 * time.Minute

// madeBy compares an account that was found with what was sent to make it.
//
//	the target shows                                likeness
//	-----------------------------------------------------------------
//	a moment of creation before we began            strange
//	the id of the account that we restore           certain
//	the externalId that was sent                    certain
//	another externalId                              strange
//	none; names and addresses as sent               alike
//	none; others, and the account is wanted         strange: the adoption rule decides
//	none; others, and the account is to go          alike: it must not stay
func madeBy(row model.AccountRow, u RemoteUser) likeness {
	if row.FormerID != "" && u.ID == row.FormerID {
		return certain
	}
	if at, shown := created(u); shown && row.CreatingAt != nil && at.Before(row.CreatingAt.Add(-clockSkew)) {
		return strange
	}
	if len(row.Sent) == 0 {
		return alike // stored before what was sent was kept
	}
	best := strange
	for _, s := range row.Sent {
		best = max(best, resembles(s, u, row.Desired == nil))
	}
	return best
}

func resembles(sent model.Account, u RemoteUser, anyway bool) likeness {
	if want, _ := sent.Attrs["externalId"].(string); want != "" {
		if shown := stringOf(u.Attrs, "externalId"); shown != "" {
			if shown == want {
				return certain
			}
			return strange
		}
	}
	for path, written := range sent.Attrs {
		p, err := parseAttr(path)
		if err != nil || anyway || !personal(p.attr) {
			continue
		}
		if shown := p.get(u.Attrs); shown != nil && !covers(shown, plain(written)) {
			return strange
		}
	}
	return alike
}

// personal tells the attributes by which people differ.
func personal(attr string) bool {
	return slices.ContainsFunc([]string{"name", "emails", "displayName", "employeeNumber"}, func(p string) bool { return strings.EqualFold(p, attr) })
}

// created reads when the target made the account.
func created(u RemoteUser) (time.Time, bool) {
	raw, _ := field(u.Attrs, "meta")
	meta, _ := raw.(map[string]any)
	at, err := time.Parse(time.RFC3339, stringOf(meta, "created"))
	return at, err == nil
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
	moving := map[string]bool{} // accounts that are about to be called otherwise
	for _, row := range rows {
		if row.Desired != nil && row.Applied != nil && row.Due && row.State != model.StateHeld && scim.Fold(row.Desired.UserName) != scim.Fold(row.Applied.UserName) {
			moving[row.RemoteID] = true
		}
		if !isForeign(row) && (row.Owned != "" || row.Applied != nil) {
			first[row.RemoteID] = row.Identity
		}
	}
	making, err2 := r.making(ctx, jobs)
	for _, j := range jobs {
		if j.row.RemoteID == "" || j.err != nil {
			continue
		}
		if words := r.strangely(ctx, j); words != nil {
			j.fail(model.Change{Verb: model.Adopt, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}, words)
			j.row.RemoteID, j.row.Observed = "", nil
			continue
		}
		if err != nil || err2 != nil {
			j.drop = true
			continue
		}
		owner := first[j.row.RemoteID]
		if other := making[j.row.Identity]; other != "" && owner == j.row.Identity {
			owner = other
		}
		if owner == j.row.Identity {
			owner = r.entered(j)
		}
		if owner != j.row.Identity {
			c := model.Change{Verb: model.Adopt, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}
			j.fail(c, &ClientError{Class: Conflict, Detail: fmt.Sprintf("account %s is that of identity %s already", j.row.RemoteID, owner)})
			if moving[j.row.RemoteID] && j.row.Attempts < renameTries {
				j.soon = renameSoon // the name may be free in a moment
			}
			j.row.RemoteID, j.row.Observed, j.row.Applied = "", nil, nil
			if j.row.Owned == model.OwnedCreated {
				j.row.Owned = model.OwnedCreating
			}
		}
	}
}

// making tells of accounts that were found, and are about to be taken over, whose
// creation somebody else had begun: by identity of the row that found it.
func (r *runner) making(ctx context.Context, jobs []*job) (map[string]string, error) {
	var names []string
	for _, j := range jobs {
		if j.found != nil && j.row.Owned == "" {
			names = append(names, j.found.UserName, nameOf(j.row))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := r.w.Store.AccountsBeingMade(ctx, r.target.Name, names)
	out := map[string]string{}
	for _, j := range jobs {
		if j.found == nil || j.row.Owned != "" {
			continue
		}
		for _, row := range rows {
			if row.Identity != j.row.Identity && madeBy(row, *j.found) > strange && r.wouldFind(row, *j.found) {
				out[j.row.Identity] = row.Identity
				break
			}
		}
	}
	return out, err
}

// wouldFind reports whether an account is found by what a row sent.
func (r *runner) wouldFind(row model.AccountRow, u RemoteUser) bool {
	for _, like := range candidates(row) {
		canonical := r.profile.Canonical(*like)
		for _, attr := range r.match() {
			if value := matchValue(canonical, attr); value != "" && hasValue(u, attr, value) {
				return true
			}
		}
	}
	return false
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
