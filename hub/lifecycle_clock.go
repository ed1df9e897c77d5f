package hub

import (
	"context"
	"fmt"
	"time"
)

// slowClock is by how much the clock has to go back to count as set back.
const slowClock = 30 * time.Second

// watchClock notices that the clock was set back, while this process runs or before it
// began, and has the people looked at again who were evaluated in what is the future now.
func (h *Hub) watchClock(ctx context.Context) error {
	now := h.Store.Now().UnixMicro()
	last := h.lastTurn.Swap(now)
	if last != 0 && now > last-slowClock.Microseconds() {
		return nil
	}
	n, err := h.Store.SetBack(ctx)
	if err != nil {
		h.lastTurn.CompareAndSwap(now, last) // not done yet
		return fmt.Errorf("clock set back: %w", err)
	}
	if n > 0 {
		h.Log.WarnContext(ctx, "the clock was set back, people are looked at again", "people", n)
	}
	return nil
}
