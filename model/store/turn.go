package store

import (
	"context"
	"sync"
)

type urgentKey struct{}

// Urgently marks a context: on SQLite, whose writers take turns, its transactions go
// before all others that wait.
func Urgently(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// turns lets one writer in at a time, urgent ones first, else in order of arrival. The
// pool of connections would take one of those who wait at random.
type turns struct {
	mu      sync.Mutex
	busy    bool
	waiting [2][]chan struct{} // urgent, others
}

// take waits for its turn; next lets the next one in.
func (t *turns) take(ctx context.Context) (next func(), err error) {
	lane := 1
	if urgent, _ := ctx.Value(urgentKey{}).(bool); urgent {
		lane = 0
	}
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return t.next, nil
	}
	ready := make(chan struct{})
	t.waiting[lane] = append(t.waiting[lane], ready)
	t.mu.Unlock()
	select {
	case <-ready:
		return t.next, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	for i, c := range t.waiting[lane] {
		if c == ready {
			t.waiting[lane] = append(t.waiting[lane][:i], t.waiting[lane][i+1:]...)
			t.mu.Unlock()
			return nil, ctx.Err()
		}
	}
	t.mu.Unlock()
	t.next() // its turn came at the same moment
	return nil, ctx.Err()
}

func (t *turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for lane := range t.waiting {
		if len(t.waiting[lane]) > 0 {
			close(t.waiting[lane][0])
			t.waiting[lane] = t.waiting[lane][1:]
			return
		}
	}
	t.busy = false
}
