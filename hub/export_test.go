package hub

import (
	"context"
	"time"
)

// Reindex is one round of KeepIndexed.
func (h *Hub) Reindex(ctx context.Context, since time.Time) (differed bool, err error) {
	return h.reindex(ctx, since)
}
