package fanout

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
)

// vanishings counts accounts that were found gone by writes, in the guard's window.
type vanishings struct {
	mu sync.Mutex
	at []time.Time
}

// admit takes one more into the count, unless there are as many as are believed.
func (v *vanishings) admit(now time.Time, window time.Duration, limit int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.at) > 0 && now.Sub(v.at[0]) >= window {
		v.at = v.at[1:]
	}
	if len(v.at) >= limit {
		return false
	}
	v.at = append(v.at, now)
	return true
}

// vanished meets an account that a write did not find: drift of kind missing, treated
// by the drift policy. It is believed where a read by id says so, too, another account
// is still found, and not more are gone than the guard lets go at once: a target that
// has forgotten everybody, or is another one, gets nobody made anew.
func (r *runner) vanished(ctx context.Context, j *job, err error) error {
	why, doubt := r.unbelieved(ctx, j.row)
	switch {
	case doubt != nil:
		return doubt
	case why != "":
		return &ClientError{Class: Missing, Detail: "the target does not find the account; " + why + "; nothing is concluded", Err: err}
	}
	j.missing = true
	return err
}

func (r *runner) unbelieved(ctx context.Context, row model.AccountRow) (why string, err error) {
	if _, err := r.get(ctx, row.RemoteID); ClassOf(err) != Missing {
		if err == nil {
			err = &ClientError{Class: Garbage, Detail: "the target shows the account and does not find it for a write"}
		}
		return "", err
	}
	others, err := r.w.Store.Witnesses(ctx, r.target.Name, row.Identity, nil, witnesses)
	if err != nil {
		return "", err
	}
	known, _, err := r.w.Store.KnownAccounts(ctx, r.target.Name, r.w.Now())
	if err != nil {
		return "", err
	}
	if there, err := r.anyThere(ctx, others); err != nil {
		return "", err
	} else if !there && len(others) > 0 {
		return "others that the hub knows are not found either", nil
	}
	if limit := max(1, r.target.Guard.Limit(known)); !r.vanishings.admit(r.w.Now(), r.target.Guard.Span(), limit) {
		return fmt.Sprintf("%d of %d accounts have gone in a short time already", limit, known), nil
	}
	return "", nil
}

// witnesses is how many accounts are asked for before it is said that none is there.
const witnesses = 3

// anyThere reports whether one of the accounts is found by its id.
func (r *runner) anyThere(ctx context.Context, ids []string) (bool, error) {
	for _, id := range ids {
		_, err := r.get(ctx, id)
		if err == nil {
			return true, nil
		}
		if ClassOf(err) != Missing {
			return false, err
		}
	}
	return false, nil
}

// unechoed takes into a row that a write was confirmed without showing the account:
// what was seen before is no longer what is there, and nothing was verified.
func (r *runner) unechoed(row *model.AccountRow, fields []model.FieldDiff) {
	row.VerifiedAt = nil
	if row.Observed == nil {
		return
	}
	if !r.profile.EchoesBody {
		row.Observed = nil
		return
	}
	seen := *row.Observed
	if seen.Attrs = maps.Clone(row.Observed.Attrs); seen.Attrs == nil {
		seen.Attrs = map[string]any{}
	}
	seen.Active, seen.UserName = row.Applied.Active, row.Applied.UserName
	for _, f := range fields {
		if v, ok := row.Applied.Attrs[f.Path]; ok {
			seen.Attrs[f.Path] = v
		} else {
			delete(seen.Attrs, f.Path)
		}
	}
	row.Observed = &seen
}
