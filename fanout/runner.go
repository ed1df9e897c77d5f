package fanout

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// runner works on one target as one version of the configuration describes it.
type runner struct {
	w       *Worker
	target  model.Target
	profile Profile
	conn    Connector
	pace    *pacer
	tempo   tempo
	going   progress
	protect protector
	log     *slog.Logger

	lease  *lease
	claims claims
	ledger ledger
	groups groupBook
	index  accountIndex

	canaries canaries
	home     atomic.Bool // the ids are those of the tenant at the configured URL

	wakeNormal, wakeUrgent, wakeDrift, wakeGroups, wakeTransfer, progress chan struct{}

	invited func(RemoteUser) bool // tells accounts whose invitation is open; nil: it cannot be told

	wakeCare chan struct{}
	slot     atomic.Pointer[string] // of the credential in use; nil: the first

	healthMu sync.Mutex
	health   Health
	noted    Health // as last stored

	guardMu sync.Mutex
	pending map[string]bool // removals admitted and not settled yet

	doubtMu sync.Mutex
	doubts  doubts // of writes whose outcome could not be stored any more

	vanishings vanishings
	familiar   familiarity
	sweepAfter time.Time // not before; only the drift loop uses it

	visits chan visit // of one person, now
	trial  bool       // only looks: nothing is written anywhere

	quitOnce chan struct{}
	done     chan struct{}
}

func (w *Worker) newRunner(t model.Target) (*runner, error) {
	p, err := ProfileOf(t)
	if err != nil {
		return nil, err
	}
	r := &runner{w: w, target: t, profile: p, protect: compileProtect(t.Protect),
		log: w.Log.With("target", t.Name), pending: map[string]bool{},
		lease:      &lease{store: w.Store, target: t.Name, holder: w.Holder, freed: w.Freed},
		wakeNormal: make(chan struct{}, 1), wakeUrgent: make(chan struct{}, 1), wakeDrift: make(chan struct{}, 1), wakeGroups: make(chan struct{}, 1), progress: make(chan struct{}, 1),
		quitOnce: make(chan struct{}), done: make(chan struct{})}
	r.wakeTransfer, r.invited = make(chan struct{}, 1), compilePending(p.Pending)
	r.wakeCare, r.visits = make(chan struct{}, 1), make(chan visit)
	r.pace = newPacer(t, p, w.Store, w.Now, r.log)
	if t.Manual != nil {
		r.profile, r.conn = manualProfile(p), &manual{}
		return r, nil
	}
	r.conn, err = NewClient(t, p, ClientOptions{Transport: w.Transport, Timeout: w.Timeout, Version: w.Version, Pace: r.turn, Now: w.Now})
	return r, err
}

func (r *runner) nudge() {
	signal(r.wakeUrgent)
	signal(r.wakeNormal)
	signal(r.wakeDrift)
	signal(r.wakeGroups)
}

// stop asks the runner to end; it returns at once.
func (r *runner) stop() {
	select {
	case <-r.quitOnce:
	default:
		close(r.quitOnce)
	}
}

func (r *runner) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// run keeps the lanes going until ctx ends or stop is called. soft ends with
// them: nothing new begins. hard ends a grace period later: requests under way
// are cut off.
func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	soft, cancelSoft := context.WithCancel(ctx)
	defer cancelSoft()
	hard, cancelHard := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelHard()
	go func() {
		select {
		case <-r.quitOnce:
			cancelSoft()
		case <-soft.Done():
		}
	}()
	grace := r.w.Grace
	if grace <= 0 {
		grace = 10 * time.Second
	}
	stopTimer := context.AfterFunc(soft, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancelHard()
		case <-hard.Done():
		}
	})
	defer stopTimer()
	r.recall(soft)
	var lanes sync.WaitGroup
	lanes.Go(func() { r.loop(soft, hard, r.wakeUrgent, r.urgentRound) })
	lanes.Go(func() { r.loop(soft, hard, r.wakeNormal, r.normalRound) })
	lanes.Go(func() { r.loop(soft, hard, r.wakeDrift, r.driftRound) })
	if r.target.Manual == nil {
		lanes.Go(func() { r.care(soft, hard) })
	}
	if t := r.target; t.Manual == nil && t.Leaver.Connector != nil {
		lanes.Go(func() { r.loop(soft, hard, r.wakeTransfer, r.transferRound) })
	}
	lanes.Go(func() { r.loop(soft, hard, r.wakeGroups, r.groupRound) })
	lanes.Go(func() { r.receive(soft, hard) })
	lanes.Wait()
	r.note(hard, true)
}

// loop runs rounds of one lane: at each wake-up, and each Poll for what other
// replicas and passing time bring.
func (r *runner) loop(soft, hard context.Context, wake <-chan struct{}, round func(soft, hard context.Context) error) {
	for soft.Err() == nil {
		if err := survive(r.log, func() error { return round(soft, hard) }); err != nil && soft.Err() == nil {
			r.log.ErrorContext(hard, "round failed", "error", err)
		}
		wait(soft, wake, r.w.poll())
	}
}

// leased runs fn while this replica has the target's lease; not at all where
// another one has it.
func (r *runner) leased(soft, hard context.Context, fn func(soft, hard context.Context) error) error {
	work, ok, err := r.lease.acquire(hard)
	if err != nil || !ok {
		return err
	}
	both, cancel := context.WithCancel(soft)
	defer cancel()
	defer context.AfterFunc(work, cancel)()
	under, cut := context.WithCancel(r.lease.bind(hard))
	defer cut()
	defer context.AfterFunc(work, cut)()
	err = survive(r.log, func() error {
		if err := r.confess(under); err != nil {
			return err
		}
		if home, err := r.atHome(under); err != nil || !home {
			return err
		}
		return fn(both, under)
	})
	if e := r.lease.release(hard); err == nil {
		err = e
	}
	return err
}
