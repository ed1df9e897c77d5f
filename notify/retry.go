package notify

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// waits are the times between attempts, as Standard Webhooks advises: a receiver that is
// down over a weekend is told on Monday.
func waits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// settle says what becomes of a delivery after an attempt. It is pure.
func settle(d store.Delivery, o outcome, now time.Time) store.DeliveryResult {
	r := store.DeliveryResult{State: store.DeliveryPending, Status: o.status, Answer: o.words}
	switch list := waits(); {
	case o.ok:
		r.State = store.DeliveryDone
	case o.final, d.Attempts > len(list):
		r.State = store.DeliveryFailed
	default:
		wait := list[max(d.Attempts, 1)-1]
		r.Next = now.Add(max(wait+jitter(d, wait), o.after))
	}
	return r
}

// jitter spreads attempts, so that what failed together does not come again together: up
// to a fifth of the wait, the same whoever works it out.
func jitter(d store.Delivery, wait time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.ID + strconv.Itoa(d.Attempts)))
	return time.Duration(int64(wait) / 5 * int64(h.Sum32()%1000) / 1000)
}
