package fanout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

type urgentKey struct{}

// urgently marks a context: its requests overtake those that wait for a slot.
func urgently(ctx context.Context) context.Context {
	return store.Urgently(context.WithValue(ctx, urgentKey{}, true))
}

func isUrgent(ctx context.Context) bool {
	v, _ := ctx.Value(urgentKey{}).(bool)
	return v
}

type leisureKey struct{}

// leisurely marks a context: its requests let all others go first.
func leisurely(ctx context.Context) context.Context {
	return context.WithValue(ctx, leisureKey{}, true)
}

func isLeisurely(ctx context.Context) bool {
	v, _ := ctx.Value(leisureKey{}).(bool)
	return v
}

// urgentBeyond is how long an urgent request waits for a slot before one of them goes
// beyond the limit: requests that hang must not keep a leaver in.
const urgentBeyond = time.Second

// gate lets as many requests through at once as the target bears, urgent ones first.
type gate struct {
	now func() time.Time

	mu      sync.Mutex
	bears   bearing
	inUse   int
	waiting [3][]chan struct{} // urgent, normal, leisurely
}

func newGate(concurrency int, now func() time.Time) *gate {
	return &gate{now: now, bears: newBearing(concurrency)}
}

// pass waits for a slot. done gives it back, with how the request ended.
func (g *gate) pass(ctx context.Context, r PaceRequest) (done func(error), err error) {
	if err := g.take(ctx); err != nil {
		return nil, err
	}
	began := g.now()
	return func(err error) { g.give(r.Kind, began, err) }, nil
}

func (g *gate) take(ctx context.Context) error {
	lane := 1
	switch {
	case isUrgent(ctx):
		lane = 0
	case isLeisurely(ctx):
		lane = 2
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.inUse < g.bears.slots() {
		g.inUse++
		g.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	g.waiting[lane] = append(g.waiting[lane], ready)
	g.mu.Unlock()
	var beyond <-chan time.Time
	if lane == 0 {
		timer := time.NewTicker(urgentBeyond)
		defer timer.Stop()
		beyond = timer.C
	}
	for {
		select {
		case <-ready:
			return nil
		case <-beyond:
			if g.squeeze(ready) {
				return nil
			}
		case <-ctx.Done():
			g.abandon(lane, ready)
			return ctx.Err()
		}
	}
}

// squeeze lets an urgent request through that has waited for too long: one at a time
// beyond what the target bears.
func (g *gate) squeeze(ready chan struct{}) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting[0], ready)
	if i < 0 {
		return true // its turn came at this moment
	}
	if g.inUse > g.bears.slots() {
		return false
	}
	g.waiting[0] = slices.Delete(g.waiting[0], i, i+1)
	g.inUse++
	return true
}

func (g *gate) abandon(lane int, ready chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting[lane], ready); i >= 0 {
		g.waiting[lane] = slices.Delete(g.waiting[lane], i, i+1)
		return
	}
	g.inUse-- // the slot came at the same moment
	g.wake()
}

func (g *gate) give(kind string, began time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bears.answered(kind, began, g.now(), g.inUse, ClassOf(err))
	g.inUse--
	g.wake()
}

// wake lets those through for whom there is room by now.
func (g *gate) wake() {
	for lane := range g.waiting {
		for len(g.waiting[lane]) > 0 && g.inUse < g.bears.slots() {
			close(g.waiting[lane][0])
			g.waiting[lane] = g.waiting[lane][1:]
			g.inUse++
		}
	}
}

// state is how many requests may be under way, are, and wait.
func (g *gate) state() (slots, inUse, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bears.slots(), g.inUse, len(g.waiting[0]) + len(g.waiting[1]) + len(g.waiting[2])
}
