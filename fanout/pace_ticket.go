package fanout

import (
	"context"
	"sync/atomic"

	"github.com/scimhub/scimhub/model"
)

// ticket is a place within the limits that was waited for before the work on an account
// began: for as long as a row only waits, the urgent lane can take it.
type ticket struct {
	kind string
	used atomic.Bool
}

type ticketKey struct{}

// admit waits for the limits on a kind of request, and returns work with a ticket for
// the first request of that kind. Urgent work does not wait, nor does what makes no
// request. A ticket that is not used is lost, which keeps the limit.
func (p *pacer) admit(soft, work context.Context, kind string) context.Context {
	if kind == "" || isUrgent(work) || len(p.buckets) == 0 {
		return work
	}
	for _, b := range p.buckets {
		if b.limit.overBody > 0 || !b.limit.counts(PaceRequest{Kind: kind}) {
			continue
		}
		if b.pass(soft, false) != nil {
			return work // the request itself meets what is wrong
		}
	}
	return context.WithValue(work, ticketKey{}, &ticket{kind: kind})
}

// ticketFor uses the ticket of a context, if it has one for this kind.
func ticketFor(ctx context.Context, kind string) bool {
	t, ok := ctx.Value(ticketKey{}).(*ticket)
	return ok && t.kind == kind && t.used.CompareAndSwap(false, true)
}

// kindOfChanges is the kind of the request that writes the first change of an account
// itself; empty: none is carried out.
func kindOfChanges(j *job) string {
	if j.err != nil || j.held != "" || j.drop {
		return ""
	}
	for _, c := range j.changes {
		if c.Group != "" || c.Held != "" {
			continue
		}
		switch c.Verb {
		case model.Create:
			return "user.create"
		case model.Delete:
			return "user.delete"
		case model.Update, model.Adopt, model.Disable:
			return "user.update"
		}
	}
	return ""
}
