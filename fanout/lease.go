package fanout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

const (
	leaseFor   = 15 * time.Second // so late goes on what a process held that crashed
	renewEvery = 5 * time.Second
)

// lease is this replica's turn at a target, shared by the target's lanes: taken
// with the first one that has work, renewed while any has, given back with the
// last. Where a renewal fails the context of all of them ends at once.
type lease struct {
	store          *store.Store
	target, holder string

	mu     sync.Mutex
	users  int
	ctx    context.Context
	cancel context.CancelFunc
	stop   chan struct{}
}

// acquire joins or takes the lease; ok is false where another replica has it.
func (l *lease) acquire(ctx context.Context) (work context.Context, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users > 0 {
		if l.ctx.Err() != nil {
			return nil, false, nil // lost; the others are about to notice
		}
		l.users++
		return l.ctx, true, nil
	}
	ok, err = l.store.LeaseTarget(ctx, l.target, l.holder, leaseFor)
	if err != nil || !ok {
		if err != nil {
			err = fmt.Errorf("lease target %s: %w", l.target, err)
		}
		return nil, false, err
	}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx)) // outlives the lane that took it
	l.users, l.stop = 1, make(chan struct{})
	go l.renew(l.ctx, l.cancel, l.stop)
	return l.ctx, true, nil
}

func (l *lease) renew(ctx context.Context, lost context.CancelFunc, stop chan struct{}) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			limit, cancel := context.WithTimeout(ctx, leaseFor-renewEvery-time.Second)
			ok, err := l.store.LeaseTarget(limit, l.target, l.holder, leaseFor)
			cancel()
			if err != nil || !ok {
				lost()
				return
			}
		}
	}
}

// release leaves the lease; the last one gives it back.
func (l *lease) release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users > 0 {
		return nil
	}
	close(l.stop)
	had := l.ctx.Err() == nil
	l.cancel()
	if !had {
		return nil
	}
	if err := l.store.ReleaseTarget(context.WithoutCancel(ctx), l.target, l.holder); err != nil {
		return fmt.Errorf("give the lease of target %s back: %w", l.target, err)
	}
	return nil
}
