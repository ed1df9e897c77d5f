package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Decision is everything that follows from the facts about one person under one
// configuration at one moment. It is computed without I/O.
type Decision struct {
	Identity model.Identity
	Stage    model.Stage
	Grants   []model.Grant             // roles held from now on
	Desired  map[string]policy.Desired // by target; a target that could not be decided is left out
	Findings []string                  // rules and mappings that failed, in words
	Gained   []string                  // roles
	Lost     []string
	Event    string // see Transition
}

// Decide evaluates one person. What cannot be decided stays as it was: a role
// whose rule fails is kept by those who hold it, and a target whose scope or
// mapping fails is left out of Desired. A date that cannot be read takes nobody's
// access and lets nobody in: the first or the last day may be what it said.
func Decide(snap *Snapshot, row store.IdentityRow, users []store.SourceUser, groups []model.Membership, held []model.Grant, now time.Time) Decision {
	identity, findings := Resolve(snap.Doc, row, users, groups)
	d := Decision{Identity: identity, Stage: identity.Stage(now), Findings: findings, Desired: map[string]policy.Desired{}}
	if len(findings) > 0 && d.Stage == model.Active && row.Stage != model.Active {
		if d.Stage = row.Stage; d.Stage == "" {
			d.Stage = model.Prehire
		}
	}
	if d.Stage == model.Active {
		result := snap.Policy.Evaluate(identity, now)
		d.Grants = result.Grants
		for _, g := range held {
			if slices.Contains(result.Undecided, g.Role) {
				d.Grants = append(d.Grants, g)
			}
		}
		for _, e := range result.Errors {
			d.Findings = append(d.Findings, e.Error())
		}
	}
	for _, t := range snap.Doc.Targets {
		if d.Stage != model.Active {
			d.Desired[t.Name] = policy.Desired{}
			continue
		}
		desired, err := snap.Policy.Desire(t, identity, d.Grants, now)
		if err != nil {
			d.Findings = append(d.Findings, err.Error())
			continue
		}
		d.Desired[t.Name] = desired
	}
	d.Gained, d.Lost = rolesDiffer(held, d.Grants)
	d.Event = Transition(row.Stage, d.Stage, d.Gained, d.Lost)
	return d
}

// Rows turns the decision into the rows of accounts that differ from what is
// stored; for a leaver the rows carry the urgent lane.
func (d Decision) Rows(stored []model.AccountRow, leftAt *time.Time, overGuard bool) (changed, reasonsOnly []model.AccountRow) {
	have := map[string]model.AccountRow{}
	for _, a := range stored {
		have[a.Target] = a
	}
	for _, target := range slices.Sorted(maps.Keys(d.Desired)) { // rows are locked in one order by all
		want := d.Desired[target]
		old, exists := have[target]
		next := old
		next.Target, next.Identity, next.Desired, next.Because = target, d.Identity.ID, want.Account, want.Because
		leaving := want.Account == nil && (d.Stage == model.Leaver || d.Stage == model.Purged)
		next.Leaver, next.LeaverAt, next.LeaverHeld = leaving, nil, leaving && overGuard
		if leaving {
			next.LeaverAt = leftAt
		}
		switch {
		case !exists && want.Account == nil:
		case exists && sameAccount(old.Desired, next.Desired) && old.Leaver == next.Leaver && old.LeaverHeld == next.LeaverHeld:
			if !sameBecause(old.Because, next.Because) {
				reasonsOnly = append(reasonsOnly, next)
			}
		default:
			changed = append(changed, settleNew(next))
		}
	}
	return changed, reasonsOnly
}

// settleNew decides whether there is anything to do: where nothing is wanted and
// nothing was ever made there is not.
func settleNew(a model.AccountRow) model.AccountRow {
	a.Due, a.State = true, model.StatePending
	if a.Desired == nil && a.Applied == nil && a.RemoteID == "" && a.Owned == "" {
		a.Due, a.State = false, model.StateDeleted
	}
	return a
}

func sameAccount(a, b *model.Account) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UserName == b.UserName && a.Active == b.Active && slices.Equal(a.Groups, b.Groups) &&
		(len(a.Attrs) == 0 && len(b.Attrs) == 0 || reflect.DeepEqual(a.Attrs, b.Attrs))
}

// sameBecause compares reasons but for the configuration version they name: a new
// version that says the same is no news.
func sameBecause(a, b map[string][]model.Reason) bool {
	if len(a) != len(b) {
		return false
	}
	for key, list := range a {
		if !sameReasons(list, b[key]) {
			return false
		}
	}
	return true
}

// sameJSON compares what would be stored: a number of facts read back is no
// int64 any more, and an empty list may be none.
func sameJSON(x, y model.Reason) bool {
	a, err1 := json.Marshal(x)
	b, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

func sameReasons(a, b []model.Reason) bool {
	return slices.EqualFunc(a, b, func(x, y model.Reason) bool {
		x.Version, y.Version = 0, 0
		return reflect.DeepEqual(x, y) || sameJSON(x, y)
	})
}
