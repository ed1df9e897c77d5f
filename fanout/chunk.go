package fanout

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// job is the work on one account in one round. Its row is changed as facts come
// in and is what will be settled.
type job struct {
	mu      sync.Mutex // memberships of several groups come in at once
	row     model.AccountRow
	mark    *claim
	changes []model.Change
	done    []model.Change
	failed  *model.Change
	err     error
	held    string          // why the whole row is held
	drop    bool            // nothing is settled: not begun, or taken by the urgent lane
	stolen  bool            // taken by the urgent lane
	yielded bool            // given up between two requests, for the urgent lane
	open    int             // memberships that are not through
	lost    []string        // groups that were left under a former name: to be joined again
	out     func(*job)      // takes the outcome, exactly once
	leaving leaving         // of a leaver's account, and of one that comes back after a drill
	again   bool            // dropped, but what was learnt is stored and the row is due at once
	missing bool            // the target no longer has the account; drift policy decides
	before  []model.Account // Row.Sent as it was when the work began
	sent    []model.Account // Row.Sent once the intent is stored
	intent  bool            // an earlier attempt may have created the account
	found   *RemoteUser     // the account that was found by a look-up
	refused bool            // a create was answered: the account exists
	soon    time.Duration   // a failure that passes by itself: when to try again; 0: as its class says
	lacking string          // which reference is left out, in words
	note    string          // what the audit trail says of the account beside the reasons
	tasks   []string        // tasks whose confirmation was used
	hop     hop             // of the trace that it goes on with
}

func (j *job) fail(c model.Change, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err, j.failed = err, &c
	}
}

func (j *job) did(c model.Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done = append(j.done, c)
}

// portion is what a chunk takes all the way.
type portion struct {
	rows  []model.AccountRow
	marks []*claim  // of the rows
	width int       // written at a time
	read  *sweeping // that recovers the target: what it read is taken as it is; nil: none
}

// chunk takes rows all the way: find, compare, guard, write, then hand each to
// out exactly once. Memberships come last, gathered by group.
func (r *runner) chunk(soft, hard context.Context, p portion, give func(*job)) {
	out, width := func(j *job) { j.ended(); give(j) }, p.width
	jobs := make([]*job, len(p.rows))
	for i, row := range p.rows {
		jobs[i] = &job{row: row, mark: p.marks[i], intent: row.Owned == model.OwnedCreating, before: row.Sent, out: out, leaving: leaving{prior: row.State}}
		r.resume(hard, jobs[i])
	}
	if r.target.Manual != nil {
		r.remember(jobs)
	} else {
		r.references(hard, jobs)
		r.resolve(soft, hard, jobs, width)
		r.invitations(soft, hard, jobs, width)
	}
	if err := r.plan(hard, jobs, p.read); err != nil {
		r.log.ErrorContext(hard, "plan failed", "error", err)
		for _, j := range jobs {
			j.drop = true
		}
	}
	r.groups.light.Store(onlyMemberships(jobs))
	pool := errgroup.Group{}
	pool.SetLimit(width + 4) // some always wait at the gate, so that no slot is idle
	var later []*job
	var laterMu sync.Mutex
	var given sync.WaitGroup // to the urgent lane, while they waited for the others
	work := func(j *job) {
		pool.Go(func() error {
			more := false
			if err := survive(r.log, func() error { more = r.account(soft, hard, j); return nil }); err != nil {
				j.fail(model.Change{Verb: model.Update, Identity: j.row.Identity, UserName: nameOf(j.row), RemoteID: j.row.RemoteID}, err)
			}
			if more && !r.claims.park(j.mark, func() { j.yielded = true; given.Go(func() { out(j) }) }) {
				more, j.yielded = false, true
			}
			if more {
				laterMu.Lock()
				later = append(later, j)
				laterMu.Unlock()
				return nil
			}
			out(j)
			return nil
		})
	}
	for _, wave := range waves(jobs) {
		for _, j := range wave {
			work(j)
		}
		_ = pool.Wait() // the functions return nil: failures belong to their job
	}
	later = slices.DeleteFunc(later, func(j *job) bool { return !r.claims.unpark(j.mark) })
	slices.SortFunc(later, func(a, b *job) int { return byOrder(a.changes[0], b.changes[0]) })
	r.memberships(hard, later, width)
	given.Wait()
}

// plan computes the guarded changes of the jobs that can be worked on and stores
// what is about to be sent before any of it is. read is that of a portion.
func (r *runner) plan(ctx context.Context, jobs []*job, read *sweeping) error {
	if err := r.followGroups(ctx, jobs); err != nil {
		return err
	}
	if err := r.takeAsFound(ctx, jobs, read); err != nil {
		return err
	}
	var rows []model.AccountRow
	by := map[string]*job{}
	for _, j := range jobs {
		if j.err == nil && j.held == "" && !j.drop {
			rows = append(rows, j.row)
			by[j.row.Identity] = j
			j.changes = nil
		}
	}
	var p model.Plan
	err := survive(r.log, func() (err error) {
		p, err = r.guarded(ctx, Diff(r.inForce(), r.profile, rows, r.w.Now()), jobs)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range p.Changes {
		by[c.Identity].changes = append(by[c.Identity].changes, c)
	}
	for _, j := range jobs {
		j.planned()
	}
	traceOf(ctx).changes(p.Changes, "")
	return r.intend(ctx, jobs)
}

// account carries out the changes of the account itself; more says that
// memberships follow.
func (r *runner) account(soft, hard context.Context, j *job) (more bool) {
	hard = r.pace.admit(soft, j.hop.in(hard), kindOfChanges(j)) // the wait is over before nobody may take the row any more
	if !r.claims.start(j.row.Identity, j.mark) {
		j.drop, j.stolen = true, true
		return false
	}
	if j.err != nil || j.held != "" || j.drop {
		return false
	}
	if j.drop = r.halted(soft, hard); j.drop {
		return false
	}
	if err := r.confirmed(hard, j); err != nil {
		j.fail(j.changes[0], err)
		return false
	}
	for _, c := range j.changes {
		if c.Group != "" || c.Held != "" {
			continue
		}
		if j.yielded = r.claims.wanted(j.mark); j.yielded {
			return false
		}
		if err := r.perform(hard, j, c); err != nil {
			j.fail(c, err)
			return false
		}
	}
	r.readBack(hard, j)
	if j.err != nil || j.row.RemoteID == "" {
		return false
	}
	return slices.ContainsFunc(j.changes, func(c model.Change) bool {
		return c.Group != "" && c.Held == "" && c.Verb != model.CreateGroup
	})
}

// timed measures one operation and takes its outcome into the target's health.
func (r *runner) timed(verb string, op func() error) error {
	began := r.w.Now()
	err := survive(r.log, op)
	ended := r.w.Now()
	r.w.Metrics.operation(r.target.Name, verb, err, began, ended)
	if verb != "list" { // a sweep's list takes as long as the target is large
		r.tempo.add(ended.Sub(began))
	}
	r.judge(verb, err)
	return err
}

// settler gathers outcomes and stores them many at a time: at most settleRows,
// or what came in settleEvery.
type settler struct {
	r    *runner
	ctx  context.Context
	in   chan *job
	now  chan struct{} // somebody waits for what came in
	kick chan chan struct{}
	end  chan struct{}

	mu      sync.Mutex
	pending int
}

const (
	settleRows  = 100
	settleEvery = 50 * time.Millisecond
)

func (r *runner) newSettler(ctx context.Context) *settler {
	s := &settler{r: r, ctx: ctx, in: make(chan *job, settleRows), now: make(chan struct{}, 1), kick: make(chan chan struct{}), end: make(chan struct{})}
	go s.run()
	return s
}

func (s *settler) expect(n int) { s.mu.Lock(); s.pending += n; s.mu.Unlock() }
func (s *settler) open() int    { s.mu.Lock(); defer s.mu.Unlock(); return s.pending }
func (s *settler) idle() bool   { return s.open() == 0 }
func (s *settler) flush()       { done := make(chan struct{}); s.kick <- done; <-done }
func (s *settler) close()       { close(s.in); <-s.end }

// add takes an outcome; one that the urgent lane waits for is not kept waiting.
func (s *settler) add(j *job) {
	s.in <- j
	if s.r.claims.wanted(j.mark) {
		signal(s.now)
	}
}

func (s *settler) run() {
	defer close(s.end)
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	var batch []*job
	store := func() {
		if len(batch) == 0 {
			return
		}
		s.r.settle(s.ctx, batch)
		s.expect(-len(batch))
		batch = nil
		signal(s.r.progress)
	}
	for {
		select {
		case j, ok := <-s.in:
			if !ok {
				store()
				return
			}
			if batch = append(batch, j); len(batch) >= settleRows {
				store()
			}
		case <-tick.C:
			store()
		case <-s.now:
			for len(s.in) > 0 {
				batch = append(batch, <-s.in)
			}
			store()
		case done := <-s.kick:
			for len(s.in) > 0 {
				batch = append(batch, <-s.in)
			}
			store()
			close(done)
		}
	}
}

// settle stores outcomes and gives the rows back. Where the database refuses, the
// facts are lost, not wrong: the rows are still due, and an account that was
// created is found again by its intent.
func (r *runner) settle(ctx context.Context, jobs []*job) {
	now := r.w.Now()
	var list []store.Settlement
	removed := map[string]bool{}
	for _, j := range jobs {
		for _, c := range j.changes {
			if c.Held == "" && c.Removes() {
				removed[j.row.Identity] = true
			}
		}
		switch {
		case j.stolen:
			continue
		case j.yielded && j.err == nil:
			j.giveUp(now)
		case j.drop && !j.intent && creates(j):
			// The intent was stored and nothing was sent: it must not make somebody
			// else's account ours later.
			j.row.Sent = j.before
		case j.again:
			j.row.State, j.row.Due, j.row.NextAttempt = model.StatePending, true, now
		case j.drop:
			continue
		default:
			r.conclude(j, now)
			j.await(now)
		}
		list = append(list, store.Settlement{Row: j.row, Done: j.done, Failed: j.failed, Leaver: r.leaverProgress(j)})
	}
	ctx = context.WithoutCancel(ctx)
	tasks, err := r.taskChanges(ctx, jobs)
	if len(removed) > 0 {
		r.guardMu.Lock()
	}
	r.going.done.Add(int64(len(list)))
	if err == nil {
		err = r.w.Store.Settle(ctx, r.target.Name, list, tasks.save)
	}
	if err != nil {
		r.log.ErrorContext(ctx, "outcomes cannot be stored", "error", err)
		r.doubtful(jobs, err)
	}
	for _, j := range jobs {
		if err == nil { // else nobody knows yet whose the accounts are
			r.ledger.release(j.row.Identity)
		}
	}
	if len(removed) > 0 {
		for id := range removed {
			delete(r.pending, id)
		}
		r.guardMu.Unlock()
	}
	if err == nil && !tasks.none() {
		signal(r.wakeTransfer)
	}
	wanted := false
	for _, j := range jobs {
		wanted = r.claims.release(j.row.Identity, j.mark) || wanted
	}
	if wanted {
		signal(r.wakeUrgent)
	}
	r.wakeAsked(ctx, jobs)
}
