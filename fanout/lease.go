package fanout

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

const (
	leaseFor    = 6 * time.Second // so late goes on what a process held that crashed
	renewEvery  = time.Second
	renewAgain  = 250 * time.Millisecond  // after a failure
	leaseMargin = time.Second             // no write begins when the lease has less left
	leaseFresh  = 2500 * time.Millisecond // nor when the database has last confirmed it so long ago
)

// lease is this replica's turn at a target, shared by the target's lanes: taken
// with the first one that has work, renewed while any has, given back with the
// last. Where it cannot be renewed in time the context of all of them ends.
//
// A replica may be stopped at any moment (a machine that is moved, a process that is
// suspended) and go on later without knowing. So each write asks first whether the
// lease lasts, by this machine's own clock, and each transaction whether it is still
// this replica's, in the database.
type lease struct {
	store          *store.Store
	target, holder string

	freed   func(target string) // told when the lease was given back; may be nil
	busy    atomic.Bool         // this replica has it
	refused atomic.Bool         // another one had it when there was work here

	mu     sync.Mutex
	users  int
	ctx    context.Context
	cancel context.CancelFunc
	stop   chan struct{}

	renewing sync.Mutex // one renewal at a time
	untilMu  sync.Mutex
	until    time.Time // with the monotonic clock: it lasts at least so long
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
	until := leaseClock().Add(leaseFor) // asked before the database's clock is
	ok, err = l.store.LeaseTarget(ctx, l.target, l.holder, leaseFor)
	if err != nil || !ok {
		if err != nil {
			err = fmt.Errorf("lease target %s: %w", l.target, err)
		}
		l.refused.Store(err == nil)
		return nil, false, err
	}
	l.prolonged(until)
	l.busy.Store(true)
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx)) // outlives the lane that took it
	l.users, l.stop = 1, make(chan struct{})
	go l.renew(l.ctx, l.cancel, l.stop)
	return l.ctx, true, nil
}

// leaseClock is the machine's clock: a lease is a promise about time as it passes, which
// no other clock tells.
func leaseClock() time.Time { return time.Now() } //nolint:forbidigo // see above

func (l *lease) prolonged(until time.Time) {
	l.untilMu.Lock()
	defer l.untilMu.Unlock()
	l.until = until
}

// left is how long the lease lasts at least. The monotonic clock may stand still while
// a machine sleeps, the other one may be set; the worse of both counts.
func (l *lease) left() time.Duration {
	l.untilMu.Lock()
	defer l.untilMu.Unlock()
	now := leaseClock()
	return min(l.until.Sub(now), l.until.Round(0).Sub(now.Round(0)))
}

// concerned reports whether news of work at the target are for this replica: it works
// there, or has found another one doing so.
func (l *lease) concerned() bool { return l.busy.Load() || l.refused.Swap(false) }

// fresh reports whether writes may go out on what is known of the lease: it lasts, and
// the database said so a moment ago.
func (l *lease) fresh() bool {
	left := l.left()
	return left > leaseMargin && left > leaseFor-leaseFresh && l.store.Reachable()
}

// renew prolongs the lease now and then. While the database cannot be had it tries
// again until too little is left.
func (l *lease) renew(ctx context.Context, lost context.CancelFunc, stop chan struct{}) {
	timer := time.NewTimer(renewEvery)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(renewEvery)
		ok, err := l.prolong(ctx)
		switch {
		case err == nil && ok:
		case err == nil, l.left() <= leaseMargin:
			lost()
			return
		default:
			timer.Reset(renewAgain)
		}
	}
}

// prolong renews the lease once; ok is false where another replica has had it since.
func (l *lease) prolong(ctx context.Context) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(l.left()-leaseMargin/2, leaseMargin/2))
	defer cancel()
	until := leaseClock().Add(leaseFor)
	if ok, err = l.store.RenewTarget(ctx, l.target, l.holder, leaseFor); err == nil && ok {
		l.prolonged(until)
	}
	return ok, err
}

type leaseKey struct{}

// bind makes a context one of work under the lease: its writes to the target and to the
// store are this replica's only while it holds the lease.
func (l *lease) bind(ctx context.Context) context.Context {
	return store.UnderLease(context.WithValue(ctx, leaseKey{}, l), l.target, l.holder)
}

// fence says nil where a request may be sent: reads always, writes while the lease of
// which the context is lasts. Where too little is left, or the database was not heard of
// for a while, it is renewed first: a replica that has lost the database writes nothing.
func fence(ctx context.Context, kind string) error {
	l, bound := ctx.Value(leaseKey{}).(*lease)
	if !bound || strings.HasSuffix(kind, ".get") || strings.HasSuffix(kind, ".list") || l.fresh() {
		return nil
	}
	l.renewing.Lock()
	defer l.renewing.Unlock()
	if l.fresh() {
		return nil
	}
	ok, err := l.prolong(ctx)
	if ok && err == nil && l.left() > leaseMargin {
		return nil
	}
	l.lose()
	return outrun()
}

// fencedBody is the body of a write under a lease. It is read when there is a connection
// and the request goes out: until then much time may have passed, or the process have
// been stopped.
type fencedBody struct {
	io.ReadCloser
	lease *lease
	begun bool
}

// Read fails where another replica may work on the target by now; without its body
// nobody carries a request out. What has begun to go out goes on: it may be there already.
func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.begun && (b.lease.left() <= leaseMargin/2 || !b.lease.store.Reachable()) {
		b.lease.lose()
		return 0, outrun()
	}
	b.begun = true
	return b.ReadCloser.Read(p)
}

func outrun() *ClientError {
	return &ClientError{Class: Network, Detail: "nothing was sent: another replica may work on this target by now", Err: context.Canceled}
}

// fenceBody has the lease looked at once more when a request goes out.
func fenceBody(ctx context.Context, req *http.Request) {
	l, bound := ctx.Value(leaseKey{}).(*lease)
	if !bound || req.Body == nil || req.Method == http.MethodGet {
		return
	}
	req.Body = &fencedBody{ReadCloser: req.Body, lease: l}
	if again := req.GetBody; again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &fencedBody{ReadCloser: body, lease: l}, err
		}
	}
}

// lose ends all work under the lease.
func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users > 0 {
		l.cancel()
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
	l.busy.Store(false)
	if !had {
		return nil
	}
	if err := l.store.ReleaseTarget(context.WithoutCancel(ctx), l.target, l.holder); err != nil {
		return fmt.Errorf("give the lease of target %s back: %w", l.target, err)
	}
	if l.freed != nil {
		l.freed(l.target)
	}
	return nil
}

// turn waits until a request may be sent: for the target's pace, then for its lease.
func (r *runner) turn(ctx context.Context, q PaceRequest) (done func(error), err error) {
	done, err = r.pace.pass(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := fence(ctx, q.Kind); err != nil {
		done(err)
		return nil, err
	}
	return done, nil
}
