package fanout

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
)

// resolve finds the accounts of rows of which nothing is known at the target, so
// that what exists is taken over by rule instead of made twice; and it reads those
// again of which it is not certain what became of the last write.
func (r *runner) resolve(soft, hard context.Context, jobs []*job, width int) {
	var open, again []*job
	for _, j := range jobs {
		switch {
		case j.row.Applied == nil && (j.row.Desired != nil || j.intent || j.row.Owned != "" && j.row.RemoteID != "") && j.row.State != model.StateUnknown:
			open = append(open, j)
		case j.row.Applied != nil && j.row.RemoteID != "" && len(j.row.Sent) > 0:
			again = append(again, j)
		}
	}
	r.ask(soft, hard, again, width, r.reread)
	if len(open) == 0 {
		return
	}
	r.index.prepare(hard, r, open)
	r.ask(soft, hard, open, width, r.find)
	r.unlinked(hard, open)
}

// ask puts a question about each job to the target.
func (r *runner) ask(soft, hard context.Context, jobs []*job, width int, question func(context.Context, *job)) {
	pool := errgroup.Group{}
	pool.SetLimit(width)
	for _, j := range jobs {
		pool.Go(func() error {
			if j.drop = r.halted(soft, hard); !j.drop {
				err := survive(r.log, func() error { question(hard, j); return nil })
				if err != nil {
					j.fail(model.Change{Verb: model.Update, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}, err)
				}
			}
			return nil
		})
	}
	_ = pool.Wait() // the functions return nil: failures belong to their job
}

// halted reports whether nothing new may begin: the worker stops, or the target
// is being waited for, which leavers do not heed.
func (r *runner) halted(soft, hard context.Context) bool {
	return soft.Err() != nil || (!isUrgent(hard) && r.w.Now().Before(r.standing().RetryAt))
}

// find looks for the account of one row and applies the adoption rule.
func (r *runner) find(ctx context.Context, j *job) {
	if err := r.search(ctx, j); err != nil {
		j.fail(model.Change{Verb: model.Create, Identity: j.row.Identity, UserName: nameOf(j.row)}, err)
	}
}

func (r *runner) search(ctx context.Context, j *job) error {
	if j.row.RemoteID != "" { // found before, held for approval
		u, err := r.get(ctx, j.row.RemoteID)
		if err == nil {
			return r.take(j, u)
		}
		if ClassOf(err) != Missing && j.row.Desired == nil && j.row.Owned == model.OwnedAdopted {
			j.row.Applied = &model.Account{UserName: nameOf(j.row), Active: true} // for all that is known: it is switched off unread
			return nil
		}
		if ClassOf(err) != Missing {
			return err
		}
		if j.row.Desired == nil && !j.intent {
			if err := r.departed(ctx, j.row); err != nil {
				return err
			}
			r.gone(&j.row)
			return nil
		}
		j.row.RemoteID, j.row.Observed = "", nil
	}
	u, found, err := r.restoredBefore(ctx, j)
	var q *inquiry
	if err == nil && !found {
		u, found, q, err = r.lookup(ctx, j, !j.intent)
	}
	if err == nil && !found {
		if left := r.unsettled(j.row); j.intent && left > 0 {
			j.soon = left
			return &ClientError{Class: UnknownOutcome, Detail: "the answer to a create was lost, and this application shows what is new only after a while: it is looked for again in " + left.String()}
		}
		u, found, err = r.absence(ctx, j, q)
	}
	if err != nil {
		return err
	}
	if !found {
		j.row.Observed = nil
		if j.row.Desired == nil {
			j.row.Owned = "" // the create never arrived; nothing is there to remove
		}
		return nil
	}
	return r.take(j, u)
}

// unsettled is how long reads may still show what was before the last write.
func (r *runner) unsettled(row model.AccountRow) time.Duration {
	if row.SentAt == nil {
		return 0
	}
	return max(row.SentAt.Add(r.inconsistency()).Sub(r.w.Now()), 0).Round(time.Millisecond)
}

func (r *runner) get(ctx context.Context, id string) (u RemoteUser, err error) {
	err = r.timed("get", func() error {
		u, err = r.conn.Get(ctx, id)
		return err
	})
	return u, err
}
