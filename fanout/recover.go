package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// A target is recovered when what the hub knew of it came from a backup, or was lost.
// The target is read in full first; accounts that exist are recognised by the target's
// match rules and taken as they are, memberships too; until a person has seen what
// differs nothing is written but for leavers; and what would be removed waits for the
// approval of each change, for what granted it may have been lost with the rest.

const (
	recoveryChunk = 100 // accounts recognised at a time
	recoveryTries = 100 // waits for accounts that are being worked on
	recoveryPause = 50 * time.Millisecond
	recoveryCalm  = 2 * time.Minute // how long reading waits for people to be decided about
)

// heldInRecovery holds the changes of a plan as the phase of a recovery asks for. It is
// pure.
//
//	change                          reading, waiting   settling
//	------------------------------------------------------------
//	held already                    stays held         stays held
//	of a leaver                     passes             passes
//	removes something               held               held
//	any other                       held               passes
func heldInRecovery(p model.Plan, r *store.Recovery) model.Plan {
	if r == nil {
		return p
	}
	out := model.Plan{Target: p.Target, Changes: slices.Clone(p.Changes)}
	for i := range out.Changes {
		c := &out.Changes[i]
		switch {
		case c.Held != "" || c.Urgent:
		case r.Phase != store.RecoverySettling:
			c.Held = store.HeldUntilRebuilt
		case c.Removes():
			c.Held = store.HeldSinceRebuilt
		}
	}
	return out
}

// recovering is the recovery of the target; nil: there is none.
func (r *runner) recovering(ctx context.Context) (*store.Recovery, error) {
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		return nil, fmt.Errorf("read target state: %w", err)
	}
	return st.Recovery, nil
}

// recoveryReads reports whether the normal lane has to wait for the target to be read.
func (r *runner) recoveryReads(ctx context.Context) (bool, error) {
	rec, err := r.recovering(ctx)
	return rec != nil && rec.Phase == store.RecoveryReading, err
}

// recoveryEnds ends a recovery of which nothing is left.
func (r *runner) recoveryEnds(ctx context.Context) error {
	rec, err := r.recovering(ctx)
	if err != nil || rec == nil || rec.Phase == store.RecoveryReading || rec.Phase == store.RecoveryWaiting && rec.Why == store.RecoveryRebuild {
		return err
	}
	if rec.Phase == store.RecoverySettling { // what was being looked at when a person agreed
		if n, err := r.w.Store.RecoveryDue(ctx, r.target.Name); err != nil || n > 0 {
			r.nudge()
			return err
		}
	}
	over, err := r.w.Store.EndRecovery(ctx, r.target.Name)
	if over {
		r.log.Info("the target is recovered")
	}
	return err
}

// groupInRecovery says why a group is not made, renamed or removed yet; empty: it is.
func (r *runner) groupInRecovery(ctx context.Context, v model.Verb) (string, error) {
	rec, err := r.recovering(ctx)
	switch {
	case err != nil || rec == nil || v == model.AdoptGroup:
		return "", err
	case rec.Phase != store.RecoverySettling:
		return store.HeldUntilRebuilt, nil
	case v == model.DeleteGroup:
		return store.HeldSinceRebuilt, nil
	}
	return "", nil
}

// recover finds out whether the sweep is to recover the target, and prepares that.
func (s *sweeping) recover(soft, hard context.Context) error {
	rec, err := s.r.recovering(soft)
	if err != nil || rec == nil || rec.Phase != store.RecoveryReading {
		return err
	}
	s.recovery = rec
	calm, err := s.recoveryBegins(soft, hard, rec)
	if err == nil && !calm {
		err = errNotCalm
	}
	return err
}

// recoveryBegins prepares a sweep that recovers: people are decided about first, as far
// as that comes to an end, and the groups that are granted are looked for. calm is false
// where that is still under way.
func (s *sweeping) recoveryBegins(soft, hard context.Context, rec *store.Recovery) (calm bool, err error) {
	r := s.r
	if r.w.Now().Before(rec.Since.Add(recoveryCalm)) {
		if marked, err := r.w.Store.AnythingMarked(soft); err != nil || marked {
			return false, err
		}
	}
	if !r.profile.Has("Group") {
		return true, nil
	}
	due, err := r.w.Store.TargetGroups(soft, r.target.Name)
	if err != nil {
		return false, fmt.Errorf("read groups: %w", err)
	}
	for _, g := range due {
		if err := s.halt(soft); err != nil {
			return false, err
		}
		if !g.Due || isOurs(g) || !g.Wanted {
			continue
		}
		if err := survive(r.log, func() error { return r.workGroup(hard, g.Name) }); err != nil {
			r.log.Warn("a group cannot be looked for", "group", g.Name, "error", err)
		}
	}
	return true, nil
}

// recognise takes over the accounts that the target shows and that rows wait for.
func (s *sweeping) recognise(soft, hard context.Context) (found store.RecoveryFound, err error) {
	r := s.r
	defer r.index.drop()
	if _, s.knew, err = r.w.Store.KnownAccounts(hard, r.target.Name, s.at.Began); err != nil {
		return found, err
	}
	busy := 0
	for after := ""; ; {
		if soft.Err() != nil {
			return found, errSweepCut
		}
		var last bool
		var next string
		var wanted int
		rows, marks, err := r.claims.reserve(recoveryChunk, func() ([]model.AccountRow, error) {
			rows, err := r.w.Store.AwaitedAccounts(soft, r.target.Name, after, recoveryChunk)
			last, next = len(rows) < recoveryChunk, after
			if len(rows) > 0 {
				next = rows[len(rows)-1].Identity
			}
			rows = slices.DeleteFunc(rows, isForeign)
			wanted = len(rows)
			return rows, err
		})
		if err != nil {
			return found, fmt.Errorf("read accounts: %w", err)
		}
		if len(rows) < wanted && busy < recoveryTries { // the normal lane still has some: it begins with no others
			busy++
			for i, row := range rows {
				r.claims.release(row.Identity, marks[i])
			}
			wait(soft, nil, recoveryPause)
			continue
		}
		after, busy = next, 0
		if len(rows) > 0 {
			var mu sync.Mutex
			var done []*job
			r.chunk(soft, hard, portion{rows, marks, max(r.profile.Concurrency, 1), s}, func(j *job) {
				mu.Lock()
				defer mu.Unlock()
				done = append(done, j)
			})
			for _, j := range done {
				recognised(&found, j)
			}
			r.settle(hard, done)
		}
		if last {
			return found, nil
		}
	}
}

// recognised counts what became of one account.
func recognised(found *store.RecoveryFound, j *job) {
	switch {
	case j.drop || j.row.Desired == nil:
		return
	case j.err != nil || (j.held != "" && j.row.Applied == nil), j.row.RemoteID != "" && j.row.Applied == nil:
		found.Ambiguous++
		return
	case j.row.RemoteID == "":
		found.Missing++
		return
	}
	found.Recognised++
	if len(j.changes) == 0 {
		found.Same++
		return
	}
	found.Differ++
	if slices.ContainsFunc(j.changes, model.Change.Removes) {
		found.Removals++
	}
}

// takeAsFound makes accounts that were found, and that the adoption rule gives to the
// hub, its own as they are. What is wanted otherwise is then a difference like any other,
// and a membership that nothing grants is a removal, which is held. s is the sweep that
// recovers the target; nil: nothing is taken.
func (r *runner) takeAsFound(ctx context.Context, jobs []*job, s *sweeping) error {
	if s == nil {
		return nil
	}
	var ids []string
	var open []*job
	for _, j := range jobs {
		if j.found == nil || j.row.Owned != "" || j.row.Desired == nil || j.row.Observed == nil || j.err != nil || j.held != "" || j.drop ||
			r.target.Adopt == "ask" || forbidden(r.target.Mode, model.Adopt) != "" {
			continue
		}
		ids, open = append(ids, j.row.RemoteID), append(open, j)
	}
	if len(open) == 0 {
		return nil
	}
	members, err := r.w.Store.SweepMembers(ctx, r.target.Name, ids)
	if err != nil {
		return fmt.Errorf("read who is in which group: %w", err)
	}
	for _, j := range open {
		applied := r.profile.Canonical(*j.row.Observed)
		applied.Groups = slices.DeleteFunc(slices.Clone(members[j.row.RemoteID]), func(g string) bool { return !s.groups[g] })
		slices.Sort(applied.Groups)
		seen := applied
		j.row.Owned, j.row.Applied, j.row.Observed = model.OwnedAdopted, &applied, &seen
		j.did(model.Change{Verb: model.Adopt, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID, Before: &seen, After: &applied,
			Because: []string{"recognised after a loss: taken as it is"}})
	}
	return nil
}

// awaitsAnother reports whether the recovery of a target waits for another sweep than one
// that ends: it was asked for while that one was under way, which may have passed what was
// pushed since. It is pure; of is the recovery that the sweep was for, nil: none.
func awaitsAnother(now, of *store.Recovery) bool {
	return now != nil && now.Phase == store.RecoveryReading && (of == nil || !of.Since.Equal(now.Since))
}

// recoveryRead ends the reading of a target: from now on what was found waits for a
// person.
func (s *sweeping) recoveryRead(ctx context.Context, found store.RecoveryFound, kinds map[string]int) error {
	r := s.r
	differing := min(kinds[driftChanged]+kinds[driftMembership]+kinds[driftResurrected], s.knew)
	found.Accounts = s.at.Checked
	found.Recognised += s.knew
	found.Differ += differing
	found.Same = max(found.Recognised-found.Differ, 0)
	found.Missing += kinds[driftMissing]
	found.Unknown = kinds[driftUnknown]
	now := r.w.Now()
	err := r.w.Store.UpdateTargetState(ctx, r.target.Name, func(st *store.TargetState) {
		if st.Recovery != nil && st.Recovery.Phase == store.RecoveryReading && !awaitsAnother(st.Recovery, s.recovery) {
			st.Recovery.Phase, st.Recovery.Read, st.Recovery.Found = store.RecoveryWaiting, &now, found
		}
	})
	r.nudge()
	return err
}

// errNotCalm ends a sweep that is to recover before people are decided about.
var errNotCalm = errors.New("people are still being decided about")
