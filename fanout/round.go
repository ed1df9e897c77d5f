package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// normalRound works through everything due but leavers. It keeps the pipeline
// full: the next chunk is loaded while the last one's tail is still under way.
func (r *runner) normalRound(soft, hard context.Context) error {
	ready, err := r.mayWork(soft)
	if err != nil || !ready {
		return err
	}
	if reads, err := r.recoveryReads(soft); err != nil || reads {
		return err
	}
	rows, err := r.w.Store.DueAccounts(soft, r.target.Name, store.LaneNormal, 1)
	if err != nil {
		return fmt.Errorf("load due accounts: %w", err)
	}
	if len(rows) == 0 && !r.standing().quarantined() && !r.confessing() {
		return r.recoveryEnds(soft)
	}
	return r.leased(soft, hard, r.backlog)
}

// mayWork is false while an operator's pause or the target's back-off lasts.
func (r *runner) mayWork(ctx context.Context) (bool, error) {
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		return false, fmt.Errorf("read target state: %w", err)
	}
	r.forgive(st)
	return !st.Paused && !r.w.Now().Before(r.standing().RetryAt), nil
}

// backlog is a round under the lease.
func (r *runner) backlog(soft, hard context.Context) error {
	defer r.index.drop()
	width := max(r.profile.Concurrency, 1)
	settled := r.newSettler(hard)
	var chunks sync.WaitGroup
	active := 0 // chunks; the counter below is of rows
	var failure error
	for soft.Err() == nil {
		size := r.chunkSize(width)
		limit := r.tempo.warm.next(size)
		if r.standing().probing() {
			r.tempo.warm.begin(width)
			chunks.Wait()
			settled.flush()
			if !r.probed(hard) {
				break
			}
			if r.standing().probing() {
				limit = 1 // the target has to show itself well with one account first
			}
		}
		rows, marks, err := r.claims.reserve(limit, func() ([]model.AccountRow, error) {
			return r.w.Store.DueAccounts(soft, r.target.Name, store.LaneNormal, r.claims.count()+limit)
		})
		if err != nil {
			failure = fmt.Errorf("load due accounts: %w", err)
			break
		}
		if len(rows) == 0 {
			if settled.idle() {
				break
			}
			wait(soft, r.progress, r.w.poll())
			continue
		}
		if active++; len(rows) >= size {
			r.advance(hard, false)
		}
		settled.expect(len(rows))
		chunks.Go(func() { r.chunk(soft, hard, portion{rows: rows, marks: marks, width: width}, settled.add) })
		room := size + settleRows
		if limit < size {
			room = limit / 2
		}
		for settled.open() > room && soft.Err() == nil {
			wait(soft, r.progress, r.w.poll())
		}
	}
	chunks.Wait()
	settled.close()
	if !r.going.last.Since.IsZero() {
		r.advance(hard, true)
	}
	r.note(hard, active > 0)
	r.stamp(hard, active > 0)
	return failure
}

// stamp stores when the target was last asked and last did something.
func (r *runner) stamp(ctx context.Context, worked bool) {
	if !worked {
		return
	}
	now := r.w.Now()
	well := r.standing().Failures == 0
	err := r.w.Store.UpdateTargetState(context.WithoutCancel(ctx), r.target.Name, func(st *store.TargetState) {
		st.LastAttempt = &now
		if well {
			st.LastSuccess = &now
		}
	})
	if err != nil {
		r.log.ErrorContext(ctx, "target state cannot be stored", "error", err)
	}
}

// guarded applies the guard with the facts of this moment. What it admits counts
// from now on, so that chunks and lanes running side by side share one limit.
func (r *runner) guarded(ctx context.Context, p model.Plan, rows []*job) (model.Plan, error) {
	if len(p.Changes) > 0 {
		rec, err := r.recovering(ctx)
		if err != nil {
			return p, err
		}
		p = heldInRecovery(p, rec)
	}
	var digests []string
	removes := false
	for _, c := range p.Changes {
		if awaitsApproval(c.Held) || (c.Held == "" && c.Removes()) {
			digests = append(digests, Digest(p.Target, c))
		}
		removes = removes || (c.Held == "" && c.Removes())
	}
	if len(digests) == 0 {
		return p, nil
	}
	facts := GuardFacts{Guard: r.target.Guard, LeaverHeld: map[string]bool{}}
	for _, j := range rows {
		if j.row.Leaver && j.row.LeaverHeld {
			facts.LeaverHeld[j.row.Identity] = true
		}
	}
	var err error
	if facts.Approved, err = r.w.Store.Approved(ctx, r.target.Name, digests); err != nil {
		return p, fmt.Errorf("read approvals: %w", err)
	}
	r.guardMu.Lock()
	defer r.guardMu.Unlock()
	if slices.ContainsFunc(p.Changes, func(c model.Change) bool { return c.Held == "" && c.Removes() && !c.Urgent }) { // leavers pass whatever the count
		if err := r.count(ctx, &facts); err != nil {
			return p, err
		}
	}
	out := Guard(p, facts)
	for _, c := range out.Changes {
		if c.Held == "" && c.Removes() {
			r.pending[c.Identity] = true
		}
	}
	return out, nil
}

// count reads population and removals; what is under way counts as removed.
func (r *runner) count(ctx context.Context, f *GuardFacts) error {
	since := r.w.Now().Add(-r.target.Guard.Span())
	gone, err := r.w.Store.Removals(ctx, r.target.Name, since)
	if err != nil {
		return fmt.Errorf("count removals: %w", err)
	}
	if f.Population, err = r.w.Store.Population(ctx, r.target.Name, since); err != nil {
		return fmt.Errorf("count accounts: %w", err)
	}
	if f.Asked, err = r.w.Store.AskedRemovals(ctx, r.target.Name); err != nil {
		return fmt.Errorf("count tasks: %w", err)
	}
	f.AlreadyRemoved = gone
	for id := range r.pending {
		if !f.Asked[id] {
			f.AlreadyRemoved++
		}
	}
	return nil
}
