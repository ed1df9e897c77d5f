package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const (
	urgentChunk  = 64
	urgentWidth  = 4 // leavers of a chunk worked on at once, beside the normal lane
	urgentChunks = 8 // of them at once, so that accounts that hang hold up no others
	urgentPoll   = 200 * time.Millisecond
	dropPause    = 100 * time.Millisecond
)

// watchLeavers wakes the urgent lanes of targets where a leaver's account is due: what
// another replica decided, or was nudged about, and what has waited for its next try.
// One short look concerns all targets.
func (w *Worker) watchLeavers(ctx context.Context) {
	tick := time.NewTicker(min(urgentPoll, w.poll()))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due, err := w.Store.LeaversDue(ctx)
		if err != nil {
			continue // the lanes' own rounds say so
		}
		w.mu.Lock()
		for _, name := range due {
			if r := w.runners[name]; r != nil {
				signal(r.wakeUrgent)
			}
		}
		w.mu.Unlock()
	}
}

// urgentRound works on leavers. It heeds neither back-off nor quarantine; only an
// operator's pause stops it.
func (r *runner) urgentRound(soft, hard context.Context) error {
	rows, err := r.w.Store.DueAccounts(soft, r.target.Name, store.LaneUrgent, 1)
	if err != nil {
		return fmt.Errorf("load due leavers: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	st, err := r.w.Store.TargetState(soft, r.target.Name)
	if err != nil || st.Paused {
		return err
	}
	return r.leased(soft, hard, func(soft, hard context.Context) error { return r.leavers(soft, urgently(hard)) })
}

// leavers is a round under the lease. Chunks run side by side: who leaves now does not
// wait for those whose requests hang.
func (r *runner) leavers(soft, hard context.Context) error {
	slots := make(chan struct{}, urgentChunks)
	outcomes := make(chan *job, urgentChunk)
	var chunks, settling sync.WaitGroup
	settling.Go(func() { r.settleLeavers(hard, outcomes) })
	worked := false
	defer func() {
		chunks.Wait()
		close(outcomes)
		settling.Wait()
		r.stamp(hard, worked)
	}()
	for soft.Err() == nil {
		rows, marks, err := r.claims.seize(true, func() ([]model.AccountRow, error) {
			return r.w.Store.DueAccounts(soft, r.target.Name, store.LaneUrgent, urgentChunk*(len(slots)+1)) // those under way are due, too
		})
		if err != nil {
			return fmt.Errorf("load due leavers: %w", err)
		}
		if len(rows) == 0 {
			if r.claims.anew() {
				continue
			}
			if len(slots) == 0 {
				return nil
			}
			wait(soft, r.wakeUrgent, r.w.poll())
			continue
		}
		worked = true
		for i := 0; i < len(rows); i += urgentChunk {
			end := min(i+urgentChunk, len(rows))
			slots <- struct{}{} // chunks end by themselves: their requests have a limit
			chunks.Go(func() {
				defer func() { <-slots; signal(r.wakeUrgent) }()
				if dropped := r.leaverChunk(soft, hard, rows[i:end], marks[i:end], outcomes); dropped {
					wait(soft, nil, dropPause) // nothing could be stored, perhaps
				}
			})
		}
	}
	return nil
}

// leaverChunk works on some leavers; dropped says that there is one of whom nothing could
// be said.
func (r *runner) leaverChunk(soft, hard context.Context, rows []model.AccountRow, marks []*claim, outcomes chan<- *job) bool {
	var dropped atomic.Bool
	r.chunk(soft, hard, portion{rows: rows, marks: marks, width: urgentWidth}, func(j *job) {
		if j.drop {
			dropped.Store(true)
		}
		outcomes <- j
	})
	return dropped.Load()
}

// settleLeavers stores outcomes at once: one by itself while there are few, and all that
// came in while the last were stored where there are many.
func (r *runner) settleLeavers(ctx context.Context, outcomes <-chan *job) {
	for j := range outcomes {
		batch := []*job{j}
		for more := true; more && len(batch) < settleRows; {
			select {
			case next, ok := <-outcomes:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		r.settle(ctx, batch)
		signal(r.wakeUrgent)
	}
}

// through notes that one more membership of an account is done with; the last hands
// the account on.
func (j *job) through() {
	j.mu.Lock()
	j.open--
	last := j.open == 0
	if last && len(j.lost) > 0 && j.row.Applied != nil {
		j.row.Applied = without(j.row.Applied, j.lost...)
	}
	j.mu.Unlock()
	if last {
		j.out(j)
	}
}

// unwanted are the members whose accounts the urgent lane does not wait for; the
// others' memberships are left to it.
func (r *runner) unwanted(members []member) []member {
	return slices.DeleteFunc(members, func(m member) bool {
		wanted := r.claims.wanted(m.job.mark)
		if wanted {
			m.job.mu.Lock()
			m.job.yielded = true
			m.job.mu.Unlock()
			m.job.through()
		}
		return wanted
	})
}

// giveUp makes the row of a job that was interrupted what it is known to be: everything
// that was sent was heard of. The row is due at once, to whoever takes it next.
func (j *job) giveUp(now time.Time) {
	row := &j.row
	if len(j.before) == 0 || len(j.done) == 0 {
		row.Sent = j.before
	}
	row.State, row.Due, row.NextAttempt = model.StatePending, true, now
}
