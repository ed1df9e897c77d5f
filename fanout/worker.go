package fanout

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/telemetry"
)

// Snapshot is the part of the active configuration that the fan-out needs. It is
// never changed; a new version is a new Snapshot.
type Snapshot struct {
	Version int64
	Targets []model.Target
}

// Worker makes targets hold what the store says they should. It keeps, for each
// configured target, a normal lane, an urgent lane for leavers and the drift
// sweep going; they share the target's lease, rate and concurrency. One target's
// trouble never touches another.
//
// What the process holds may be lost at any time: work is found again in the
// store, and an account whose creation was under way is looked for first.
type Worker struct {
	Store   *store.Store
	Current func() *Snapshot // the active configuration; nil: none yet
	Holder  string           // names this replica in leases; no two alike
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time

	// Expires, if set, is told when the credential in use at a target ends; nil: not known.
	Expires func(target string, at *time.Time)

	// Freed, if set, is told that the lease of a target was given back, for other
	// replicas to know; it must not block.
	Freed func(target string)

	Transport http.RoundTripper // nil: one per target
	Timeout   time.Duration     // per request; 0: 30 s
	Version   string            // of scimhub, for User-Agent
	Poll      time.Duration     // how often work from elsewhere is looked for; 0: 1 s
	Grace     time.Duration     // for requests under way when Run is told to stop; 0: 10 s

	Tracing *telemetry.Tracing // goes on with the traces of what was decided; nil: nothing is traced

	mu      sync.Mutex
	runners map[string]*runner
	wake    chan struct{}
}

// Run works until ctx ends, then lets requests under way finish for Grace. It
// returns nil; trouble with a target or the database is logged and tried again.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	w.runners = map[string]*runner{}
	w.wake = make(chan struct{}, 1)
	w.mu.Unlock()
	var stopping sync.WaitGroup
	stopping.Go(func() { w.watchLeavers(ctx) })
	for ctx.Err() == nil {
		w.follow(ctx, &stopping)
		wait(ctx, w.wake, w.poll())
	}
	w.mu.Lock()
	for _, r := range w.runners {
		r.stop()
	}
	w.mu.Unlock()
	stopping.Wait()
	return nil
}

// Nudge says that a target has work, or with no name that all may, or that the
// configuration changed. It never blocks; losing one costs at most Poll.
func (w *Worker) Nudge(targets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(targets) == 0 {
		signal(w.wake)
		for _, r := range w.runners {
			r.nudge()
		}
		return
	}
	for _, name := range targets {
		if r := w.runners[name]; r != nil {
			r.nudge()
			continue
		}
		signal(w.wake)
	}
}

// Heard says that another replica has brought work to a target, or has given back its
// lease: it concerns whoever works there, or wanted to. It never blocks.
func (w *Worker) Heard(targets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range targets {
		if r := w.runners[name]; r != nil && r.lease.concerned() {
			r.nudge()
		}
	}
}

// follow starts and stops runners so that they are those of the configuration.
func (w *Worker) follow(ctx context.Context, stopping *sync.WaitGroup) {
	snapshot := w.Current()
	if snapshot == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted := map[string]model.Target{}
	for _, t := range snapshot.Targets {
		wanted[t.Name] = t
	}
	for name, r := range w.runners {
		t, keep := wanted[name]
		if keep && reflect.DeepEqual(t, r.target) && !r.ended() {
			continue
		}
		r.stop()
		if !r.ended() {
			continue // one at a time: its successor starts when it has ended
		}
		delete(w.runners, name)
		if !keep {
			w.Metrics.forget(name)
		}
	}
	for name, t := range wanted {
		if w.runners[name] != nil {
			continue
		}
		r, err := w.newRunner(t)
		if err != nil {
			w.Log.ErrorContext(ctx, "target cannot be worked on", "target", name, "error", err)
			continue
		}
		w.runners[name] = r
		stopping.Go(func() {
			r.run(ctx)
			signal(w.wake)
		})
	}
}

func (w *Worker) poll() time.Duration {
	if w.Poll > 0 {
		return w.Poll
	}
	return time.Second
}

// signal wakes whoever waits on the channel; one pending signal is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns on a signal, after d or when ctx ends.
func wait(ctx context.Context, c <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	case <-ctx.Done():
	}
}
