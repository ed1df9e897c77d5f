package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

const patience = 5 * time.Second // that a request of the normal lane waits for a pause to end

// bucket is this process's share of a limit: slots taken out of the database in
// batches of about rateAhead and used up here.
type bucket struct {
	limit rateLimit
	store *store.Store
	now   func() time.Time
	turn  [2]chan struct{} // urgent, normal: one of each waits for a slot, the others for their turn

	mu        sync.Mutex
	slots     []time.Time // their moments, sorted
	want      int         // how many to take next time
	taken     time.Time   // when some were taken last
	pause     store.RateState
	throttled int // times in a row
}

func newBucket(l rateLimit, s *store.Store, now func() time.Time) *bucket {
	return &bucket{limit: l, store: s, now: now, turn: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}
}

// pass waits for a slot. Urgent requests overtake normal ones. A pause that is longer
// than patience is the answer to a normal request, which then was not sent.
func (b *bucket) pass(ctx context.Context, urgent bool) error {
	turn := b.turn[1]
	if urgent {
		turn = b.turn[0]
	}
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turn }()
	for {
		ok, wait, err := b.try(ctx, urgent)
		if ok || err != nil {
			return err
		}
		if err := sleep(ctx, b.now, wait); err != nil {
			return err
		}
	}
}

// try uses a slot of this process, or takes some more.
func (b *bucket) try(ctx context.Context, urgent bool) (ok bool, wait time.Duration, err error) {
	if ok, wait = b.use(urgent); ok || wait > 0 {
		return ok, wait, nil
	}
	var slots []time.Time
	var pause store.RateState
	err = b.store.UpdateRate(ctx, b.limit.name, func(st *store.RateState) {
		slots, wait = b.limit.take(st, b.batch(), urgent, b.now())
		pause = *st
	})
	if err != nil {
		return false, 0, fmt.Errorf("share the rate %s: %w", b.limit.name, err)
	}
	if len(slots) == 0 {
		if d := paused(pause, urgent, b.now()); !urgent && d > patience {
			return false, 0, &ClientError{Class: Throttled, RetryAfter: d, Paced: !b.limit.all(),
				Detail: "the application has asked to wait until " + pause.PausedUntil.UTC().Format(time.RFC3339)}
		}
		return false, wait, nil
	}
	b.mu.Lock()
	b.slots = append(b.slots, slots...)
	slices.SortFunc(b.slots, time.Time.Compare)
	b.mu.Unlock()
	return b.tryOwn(urgent)
}

func (b *bucket) tryOwn(urgent bool) (bool, time.Duration, error) {
	ok, wait := b.use(urgent)
	return ok, wait, nil
}

// use takes one of this process's slots; wait is how long until the next one is good.
// Both are zero where there is none.
func (b *bucket) use(urgent bool) (ok bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.slots = slices.DeleteFunc(b.slots, func(at time.Time) bool { return now.After(at.Add(b.limit.late())) })
	if len(b.slots) == 0 {
		return false, 0
	}
	if d := paused(b.pause, urgent, now); d > 0 {
		b.slots = nil // the pause is asked for at the database
		return false, 0
	}
	if wait = b.slots[0].Add(-b.limit.early(urgent)).Sub(now); wait > 0 {
		return false, wait
	}
	b.slots = b.slots[1:]
	return true, 0
}

// batch is how many slots to take: more each time as long as they are used up quickly.
func (b *bucket) batch() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if most := max(int(rateAhead/b.limit.interval), 1); b.want == 0 || now.Sub(b.taken) > 5*rateAhead {
		b.want = 1
	} else {
		b.want = min(2*b.want, most)
	}
	b.taken = now
	return b.want
}

// answered takes what became of a request: throttled ones stop all requests of these
// kinds, at all replicas, for as long as the application asks.
func (b *bucket) answered(ctx context.Context, e *ClientError) error {
	b.mu.Lock()
	now := b.now()
	if e == nil || e.Class != Throttled {
		b.throttled = 0
		b.mu.Unlock()
		return nil
	}
	d := e.RetryAfter
	if d <= 0 {
		d = min(time.Second<<min(b.throttled, 6), time.Minute)
	}
	b.throttled++
	pause := store.RateState{PausedFrom: now, PausedUntil: now.Add(min(d, longestPause))}
	if !ahead(b.pause, now) && !pause.PausedUntil.After(b.pause.PausedUntil) {
		b.mu.Unlock()
		return nil
	}
	b.pause, b.slots = pause, nil
	b.mu.Unlock()
	return b.store.UpdateRate(ctx, b.limit.name, func(st *store.RateState) {
		if ahead(*st, now) || pause.PausedUntil.After(st.PausedUntil) {
			if ahead(*st, now) || !st.PausedUntil.After(now) {
				st.PausedFrom = pause.PausedFrom
			}
			st.PausedUntil = pause.PausedUntil
		}
	})
}

// sleepLook is how often a wait looks at the clock.
const sleepLook = 20 * time.Millisecond

// sleep waits for d, at least a little, by the clock or in earnest, whichever is over
// first, or until ctx ends.
func sleep(ctx context.Context, now func() time.Time, d time.Duration) error {
	d = max(d, 100*time.Microsecond)
	until := now().Add(d)
	for waited := time.Duration(0); ; {
		left := min(d-waited, until.Sub(now()))
		if left <= 0 {
			return nil
		}
		step := min(left, sleepLook)
		waited += step
		timer := time.NewTimer(step)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
