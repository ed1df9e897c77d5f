package fanout

import (
	"context"
	"log/slog"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// pacer lets the requests to one target through: as fast as the limits of the target
// and its application allow, which all replicas share, and as many at once as the
// target bears at the moment.
type pacer struct {
	gate    *gate
	buckets []*bucket
	log     *slog.Logger
}

func newPacer(t model.Target, p Profile, s *store.Store, now func() time.Time, log *slog.Logger) *pacer {
	out := &pacer{gate: newGate(p.Concurrency, now), log: log}
	for _, l := range limitsOf(t, p) {
		out.buckets = append(out.buckets, newBucket(l, s, now))
	}
	return out
}

// pass waits until a request may be sent. done takes how it ended.
func (p *pacer) pass(ctx context.Context, r PaceRequest) (done func(error), err error) {
	urgent := isUrgent(ctx)
	admitted := ticketFor(ctx, r.Kind)
	for _, b := range p.buckets {
		if b.limit.counts(r) && !(admitted && b.limit.overBody <= 0 && !b.limit.members) {
			for range b.limit.units(r) {
				if err := b.pass(ctx, urgent); err != nil {
					return nil, err
				}
			}
		}
	}
	leave, err := p.gate.pass(ctx, r)
	if err != nil {
		return nil, err
	}
	return func(err error) {
		leave(err)
		p.answered(ctx, r, err)
	}, nil
}

// answered stops the kinds of request of which the application had too many. Where no
// limit is known for this kind alone, the target as a whole waits (see Health).
func (p *pacer) answered(ctx context.Context, r PaceRequest, err error) {
	var e *ClientError
	if err != nil {
		e = asClientError(err)
	}
	for _, b := range p.buckets {
		if !b.limit.counts(r) {
			continue
		}
		if e != nil && e.Class == Throttled && !b.limit.all() {
			e.Paced = true
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if err := b.answered(limit, e); err != nil {
			p.log.ErrorContext(ctx, "the pause that the target asked for cannot be shared", "error", err)
		}
		cancel()
	}
}
