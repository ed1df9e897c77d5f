package hub

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// deviationsEvery is how often counts are written. What a killed process had not
// written is lost: they tell what a source does, nothing hangs on the last digit.
const deviationsEvery = 2 * time.Second

// Deviations counts what sources send that only their dialect lets pass. Both
// names are bounded: configured sources, and the flags of scim.Dialect.
type Deviations struct {
	Store *store.Store
	Log   *slog.Logger

	mu     sync.Mutex
	counts map[[2]string]store.Deviation
}

// Seen counts one deviation; it does not block.
func (d *Deviations) Seen(source, deviation string) {
	now := d.Store.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = map[[2]string]store.Deviation{}
	}
	key := [2]string{source, deviation}
	d.counts[key] = store.Deviation{Source: source, Name: deviation, N: d.counts[key].N + 1, LastAt: now}
}

// Run writes the counts from time to time until ctx ends, and then once more.
func (d *Deviations) Run(ctx context.Context) {
	tick := time.NewTicker(deviationsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), deviationsEvery)
			defer cancel()
			d.flush(last)
			return
		case <-tick.C:
			d.flush(ctx)
		}
	}
}

func (d *Deviations) flush(ctx context.Context) {
	d.mu.Lock()
	counts := d.counts
	d.counts = nil
	d.mu.Unlock()
	list := make([]store.Deviation, 0, len(counts))
	for _, c := range counts {
		list = append(list, c)
	}
	// One order for all replicas, so that they do not lock each other out.
	slices.SortFunc(list, func(a, b store.Deviation) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Name, b.Name))
	})
	if len(list) == 0 {
		return
	}
	if err := d.Store.AddDeviations(ctx, list); err != nil {
		d.Log.WarnContext(ctx, "deviations of sources were not counted", "error", err)
	}
}
