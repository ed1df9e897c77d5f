package fanout

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

type urgentKey struct{}

// urgently marks a context: its requests overtake those that wait for a slot.
func urgently(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

func isUrgent(ctx context.Context) bool {
	v, _ := ctx.Value(urgentKey{}).(bool)
	return v
}

// gate lets a bounded number of requests through at once, urgent ones first, at
// a bounded rate.
type gate struct {
	limiter *rate.Limiter

	mu      sync.Mutex
	free    int
	waiting [2][]chan struct{} // urgent, normal
}

func newGate(concurrency int, perSecond float64) *gate {
	g := &gate{free: max(concurrency, 1)}
	if perSecond > 0 {
		g.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))
	}
	return g
}

// pass waits for a slot and for the rate. done gives the slot back.
func (g *gate) pass(ctx context.Context, _ PaceRequest) (done func(error), err error) {
	if err := g.take(ctx); err != nil {
		return nil, err
	}
	if g.limiter != nil {
		if err := g.limiter.Wait(ctx); err != nil {
			g.give()
			return nil, err
		}
	}
	return func(error) { g.give() }, nil
}

func (g *gate) take(ctx context.Context) error {
	lane := 1
	if isUrgent(ctx) {
		lane = 0
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	g.waiting[lane] = append(g.waiting[lane], ready)
	g.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting[lane], ready)
	if i >= 0 {
		g.waiting[lane] = slices.Delete(g.waiting[lane], i, i+1)
	}
	g.mu.Unlock()
	if i < 0 {
		g.give() // the slot came at the same moment
	}
	return ctx.Err()
}

func (g *gate) give() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for lane := range g.waiting {
		if len(g.waiting[lane]) > 0 {
			close(g.waiting[lane][0])
			g.waiting[lane] = g.waiting[lane][1:]
			return
		}
	}
	g.free++
}
