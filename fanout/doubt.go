package fanout

import (
	"context"
	"errors"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// doubts are what this replica sent before it noticed that it had lost the lease, by
// identity. What it learnt of it must not be stored, for another replica knows more by
// now; but a write of its own may have come after one of the other's. With the next lease
// the accounts are read again.
type doubts map[string][]model.Account

// doubtful keeps what was sent for jobs whose outcome was refused.
func (r *runner) doubtful(jobs []*job, refusal error) {
	if !errors.Is(refusal, store.ErrLeaseLost) {
		return
	}
	r.lease.lose()
	r.doubtMu.Lock()
	defer r.doubtMu.Unlock()
	for _, j := range jobs {
		if len(j.sent) == 0 || (j.drop && !j.again) {
			continue
		}
		if r.doubts == nil {
			r.doubts = doubts{}
		}
		for _, a := range j.sent {
			r.doubts[j.row.Identity] = withSent(r.doubts[j.row.Identity], a)
		}
	}
}

// confess stores what is doubtful, under a new lease.
func (r *runner) confess(ctx context.Context) error {
	r.doubtMu.Lock()
	open := r.doubts
	r.doubts = nil
	r.doubtMu.Unlock()
	if len(open) == 0 {
		return nil
	}
	err := r.w.Store.Doubt(ctx, r.target.Name, open)
	if err == nil {
		r.log.WarnContext(ctx, "accounts are read again that were written while the lease was being lost", "accounts", len(open))
		return nil
	}
	r.doubtMu.Lock()
	defer r.doubtMu.Unlock()
	for id, list := range r.doubts {
		for _, a := range list {
			open[id] = withSent(open[id], a)
		}
	}
	r.doubts = open
	return err
}

// confessing reports whether something doubtful waits for a lease.
func (r *runner) confessing() bool {
	r.doubtMu.Lock()
	defer r.doubtMu.Unlock()
	return len(r.doubts) > 0
}
