package fanout

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

const (
	progressEvery = 3 * time.Second  // that it is counted
	progressFade  = 15 * time.Second // so far back the rate looks
	progressStale = 2 * time.Minute  // after which work that goes on is other work
)

// progress counts what this replica has done of a backlog.
type progress struct {
	done atomic.Int64 // accounts worked on; taken out with each count
	next time.Time    // only the normal lane uses what follows
	last store.Progress
}

// advance takes a count in: done accounts were worked on since the last one, waiting
// ones are left. Work after nothing waited, or after a long silence, begins anew.
func advance(p store.Progress, done, waiting int, now time.Time) store.Progress {
	elapsed := now.Sub(p.At)
	if p.Since.IsZero() || p.Waiting == 0 || elapsed > progressStale || elapsed < 0 {
		return store.Progress{Since: now, At: now, Waiting: waiting}
	}
	p.Done += done
	p.At, p.Waiting = now, waiting
	if s := elapsed.Seconds(); s > 0 {
		weight := 1 - math.Exp(-s/progressFade.Seconds())
		if p.PerSecond == 0 {
			weight = 1
		}
		p.PerSecond += (float64(done)/s - p.PerSecond) * weight
	}
	return p
}

// advance stores how far the backlog has come, now and then; with end that it is over.
func (r *runner) advance(ctx context.Context, end bool) {
	now := r.w.Now()
	g := &r.going
	if now.Before(g.next) && !end {
		return
	}
	g.next = now.Add(progressEvery)
	waiting, err := r.w.Store.DueByNow(ctx, r.target.Name)
	if err != nil {
		r.log.ErrorContext(ctx, "what waits cannot be counted", "error", err)
		return
	}
	if g.last.Since.IsZero() { // an earlier process may have begun
		if g.last, err = r.w.Store.Progress(ctx, r.target.Name); err != nil {
			r.log.ErrorContext(ctx, "progress cannot be read", "error", err)
			return
		}
	}
	g.last = advance(g.last, int(g.done.Swap(0)), waiting, now)
	if err := r.w.Store.SaveProgress(ctx, r.target.Name, g.last); err != nil {
		r.log.ErrorContext(ctx, "progress cannot be stored", "error", err)
	}
}

// ProgressView is how far a large backlog has come, as operators see it.
type ProgressView struct {
	Since     time.Time  `json:"since"`
	Total     int        `json:"total"`
	Done      int        `json:"done"`
	PerSecond float64    `json:"per_second"`
	ETA       *time.Time `json:"eta,omitempty"` // nil: nothing was done of late
}

// ShowProgress gives the progress at a target; nil where nothing large waits.
func ShowProgress(p store.Progress, now time.Time) *ProgressView {
	if p.Since.IsZero() || p.Waiting == 0 || now.Sub(p.At) > progressStale {
		return nil
	}
	v := &ProgressView{Since: p.Since, Total: p.Done + p.Waiting, Done: p.Done, PerSecond: math.Round(p.PerSecond*10) / 10}
	if p.PerSecond > 0 {
		eta := p.At.Add(time.Duration(float64(p.Waiting) / p.PerSecond * float64(time.Second))).Truncate(time.Second)
		v.ETA = &eta
	}
	return v
}
