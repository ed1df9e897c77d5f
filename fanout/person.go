package fanout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
)

// What became of a person at a target in a run.
const (
	RunInSync  = "in_sync"      // nothing to do
	RunDone    = "done"         // everything was done
	RunDiffers = "would_change" // a dry run: there is something to do
	RunDrifted = "drifted"      // the target holds something else than was written there, and nothing is to do now
	RunHeld    = "held"         // something waits for a guard, a mode, an approval
	RunWaits   = "waits"        // something waits for a person, or for the target's back-off
	RunPaused  = "paused"       // an operator has paused the target
	RunFailed  = "failed"
	RunNothing = "nothing" // no account is due, and none is there
)

// How long a run waits for what others have in hand.
const (
	visitPatience = 25 * time.Second // for the target's lease, and for the account's row
	visitPause    = 50 * time.Millisecond
	visitTries    = 3 // where somebody is decided about anew meanwhile
)

// RunAsk asks for one person at one target, now.
type RunAsk struct {
	Target   string
	Identity string
	DryRun   bool // nothing is written at the target, nor in the hub
	// Row is, for a dry run, the account as it would be decided at this moment; nil: as
	// it is stored.
	Row *model.AccountRow
	// Reserved keeps the lanes off meanwhile; nil: they may be quicker.
	Reserved *Reservation
}

// RunTarget is what a run did at one target, step by step.
type RunTarget struct {
	Target  string             `json:"target"`
	Outcome string             `json:"outcome"`
	State   model.AccountState `json:"state,omitempty"` // of the account afterwards
	Steps   []RunStep          `json:"steps"`
	Changes []model.Change     `json:"changes,omitempty"` // that were planned, those held among them
}

// visit is a run under way: one person at one target.
type visit struct {
	ask    RunAsk
	ctx    context.Context // of whoever asked: when it ends nothing new begins
	trace  *runTrace
	result *runResult
}

// runResult is what becomes of a visit; whoever asked may look before it has ended.
type runResult struct {
	mu   sync.Mutex
	out  RunTarget
	done chan struct{}
}

func (v *visit) end(outcome string, state model.AccountState, words string, args ...any) {
	v.result.mu.Lock()
	defer v.result.mu.Unlock()
	v.result.out.Outcome, v.result.out.State = outcome, state
	v.trace.say(StepOutcome, words, args...)
}

func (v *visit) planned(changes []model.Change) {
	v.result.mu.Lock()
	defer v.result.mu.Unlock()
	v.result.out.Changes = changes
}

// RunPerson works on one person's account at one target now, as the target's lanes
// would: under its lease, its pace, its guard and its mode. It returns when that is
// done, or when ctx ends; work under way is then finished all the same. A dry run only
// reads. The error says that there is no such target here; all else is in the result.
func (w *Worker) RunPerson(ctx context.Context, ask RunAsk) (RunTarget, error) {
	v := visit{ask: ask, trace: &runTrace{}, result: &runResult{out: RunTarget{Target: ask.Target}, done: make(chan struct{})}}
	var r *runner
	for { // a runner that is replaced by that of another configuration takes nobody any more
		if r = w.runnerOf(ask.Target); r != nil && !r.ended() {
			break
		}
		if ctx.Err() != nil || !w.knows(ask.Target) {
			return RunTarget{}, model.Fail(model.Unavailable, fmt.Sprintf("target %s is not worked on by this hub at the moment; try again in a few seconds", ask.Target), ctx.Err())
		}
		wait(ctx, nil, visitPause)
	}
	v.ctx = ctx
	if ask.DryRun {
		if err := w.tryOut(ctx, r, &v); err != nil {
			return RunTarget{}, err
		}
		return v.result.out.with(&v), nil
	}
	select {
	case r.visits <- v:
	case <-r.quitOnce:
		return RunTarget{}, model.Fail(model.Unavailable, fmt.Sprintf("the configuration of target %s is just changing; try again in a few seconds", ask.Target), nil)
	case <-ctx.Done():
		return RunTarget{}, model.Fail(model.Unavailable, "others are being run at target "+ask.Target+"; try again in a few seconds", ctx.Err())
	}
	select {
	case <-v.result.done:
	case <-ctx.Done():
		v.end(RunWaits, "", "it takes longer than was to be waited for, and goes on by itself: look again with explain")
	}
	v.result.mu.Lock()
	defer v.result.mu.Unlock()
	return v.result.out.with(&v), nil
}

func (t RunTarget) with(v *visit) RunTarget {
	t.Steps = v.trace.all()
	return t
}

func (w *Worker) runnerOf(target string) *runner {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runners[target]
}

func (w *Worker) knows(target string) bool {
	s := w.Current()
	if s == nil {
		return false
	}
	for _, t := range s.Targets {
		if t.Name == target {
			return true
		}
	}
	return false
}

// receive takes visits until soft ends; they run side by side, and each has an end.
func (r *runner) receive(soft, hard context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	for {
		select {
		case <-soft.Done():
			return
		case v := <-r.visits:
			under.Go(func() {
				defer close(v.result.done)
				both, cancel := context.WithCancel(soft)
				defer cancel()
				defer context.AfterFunc(v.ctx, cancel)()
				if err := survive(r.log, func() error { r.visit(withTrace(both, v.trace), withTrace(hard, v.trace), &v); return nil }); err != nil {
					v.end(RunFailed, "", "%s", err.Error())
				}
			})
		}
	}
}

// visit is a run that writes.
func (r *runner) visit(soft, hard context.Context, v *visit) {
	row, ok := r.opening(soft, hard, v)
	if !ok {
		return
	}
	if row.Leaver {
		hard = urgently(hard)
	}
	deadline := r.w.Now().Add(visitPatience)
	for tries := 0; ; {
		began, settled := false, false
		err := r.leased(soft, hard, func(soft, hard context.Context) error {
			began = true
			row, mark, ok, err := r.claimOne(soft, v, deadline)
			if err != nil || !ok {
				settled = true
				return err
			}
			defer r.giveBack(row.Identity, mark) // where that has not happened
			settled = r.person(soft, hard, v, row, mark)
			return nil
		})
		switch tries++; {
		case err != nil:
			v.end(RunFailed, row.State, "%s", err.Error())
			return
		case settled:
			return
		case began && tries < visitTries:
			continue
		case began:
			v.end(RunWaits, row.State, "the person is decided about anew all the time, or the target has stopped answering: what is left is done by itself")
			return
		case soft.Err() != nil || r.w.Now().After(deadline):
			r.notLeased(hard, v, row)
			return
		}
		v.trace.say(StepState, "another replica of the hub works at the target: waiting for its slice to end")
		wait(soft, nil, visitPause)
	}
}

// notLeased says why the target could not be worked on.
func (r *runner) notLeased(ctx context.Context, v *visit, row model.AccountRow) {
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err == nil && st.Moved != nil {
		v.end(RunHeld, row.State, "%s", st.Moved.Words)
		return
	}
	v.end(RunWaits, row.State, "another replica of the hub has been working at the target for %s: the account is due there", visitPatience)
}

// opening says what the target is and tests the connection; false: it ends here.
func (r *runner) opening(soft, hard context.Context, v *visit) (model.AccountRow, bool) {
	row, found, err := r.rowOf(soft, v.ask)
	switch {
	case err != nil:
		v.end(RunFailed, "", "%s", err.Error())
		return row, false
	case !found:
		v.end(RunNothing, "", "no account is due there, and none is known")
		return row, false
	}
	st, err := r.w.Store.TargetState(soft, r.target.Name)
	if err != nil {
		v.end(RunFailed, row.State, "%s", err.Error())
		return row, false
	}
	r.forgive(st)
	h := r.standing()
	r.describe(v, st.Paused, h)
	switch {
	case st.Paused && !v.ask.DryRun:
		v.end(RunPaused, row.State, "the target is paused: nothing is written there before `scimhub target resume %s`", r.target.Name)
		return row, false
	case r.w.Now().Before(h.RetryAt) && !row.Leaver && !v.ask.DryRun:
		v.end(RunWaits, row.State, "the target is left alone until %s; `scimhub target sync %s` ends that at once", h.RetryAt.UTC().Format(time.RFC3339), r.target.Name)
		return row, false
	}
	return row, r.connects(hard, v, row)
}

// describe says what the target is, as far as that matters to what follows.
func (r *runner) describe(v *visit, paused bool, h Health) {
	t := r.target
	if t.Manual != nil {
		v.trace.say(StepState, "people look after the target by hand: what is to be done there becomes a task")
	}
	if t.Mode != model.ModeEnforce && t.Mode != "" {
		v.trace.say(StepState, "mode %s", t.Mode)
	}
	if paused {
		v.trace.say(StepState, "an operator has paused the target")
	}
	switch {
	case h.quarantined():
		v.trace.say(StepState, "quarantined since %s (%s): %s", h.QuarantinedAt.UTC().Format(time.RFC3339), h.Reason, h.LastError)
	case h.Failures > 0:
		v.trace.say(StepState, "%d in a row have failed of late: %s", h.Failures, h.LastError)
	}
}

// connects tests the connection.
func (r *runner) connects(ctx context.Context, v *visit, row model.AccountRow) bool {
	if r.target.Manual != nil {
		v.trace.say(StepConnection, "there is none")
		return true
	}
	began := r.w.Now()
	if err := r.ping(withTrace(ctx, nil)); err != nil { // its requests are of no interest
		v.trace.say(StepConnection, "failed: %s", err.Error())
		v.end(RunFailed, row.State, "the connection does not work; nothing was tried")
		return false
	}
	v.trace.say(StepConnection, "works: answered in %s", r.w.Now().Sub(began).Round(time.Millisecond))
	return true
}

// rowOf is the account as it is to be worked on.
func (r *runner) rowOf(ctx context.Context, ask RunAsk) (model.AccountRow, bool, error) {
	if ask.Row != nil {
		return *ask.Row, true, nil
	}
	rows, err := r.w.Store.AccountsNamed(ctx, r.target.Name, []string{ask.Identity})
	if err != nil || len(rows) == 0 {
		return model.AccountRow{}, false, err
	}
	return rows[0], true, nil
}

// claimOne takes the row of the person, so that no lane works on it meanwhile; false:
// the visit has ended, for one does.
func (r *runner) claimOne(soft context.Context, v *visit, deadline time.Time) (row model.AccountRow, mark *claim, ok bool, err error) {
	if mark, ok := v.ask.Reserved.take(r); ok {
		rows, err := r.w.Store.AccountsNamed(soft, r.target.Name, []string{v.ask.Identity})
		if err == nil && len(rows) > 0 {
			return rows[0], mark, true, nil
		}
		r.giveBack(v.ask.Identity, mark)
		v.end(RunNothing, "", "no account is due there any more, and none is known")
		return row, nil, false, err
	}
	for {
		rows, marks, err := r.claims.seize(true, func() ([]model.AccountRow, error) {
			return r.w.Store.AccountsNamed(soft, r.target.Name, []string{v.ask.Identity})
		})
		if err != nil {
			return row, nil, false, fmt.Errorf("read the account: %w", err)
		}
		if len(rows) > 0 {
			return rows[0], marks[0], true, nil
		}
		if over := soft.Err() != nil || r.w.Now().After(deadline); over {
			v.end(RunWaits, "", "the ongoing sync of the target has the account in hand, for longer than was to be waited for")
			return row, nil, false, nil
		}
		v.trace.say(StepState, "the ongoing sync of the target has the account in hand: waiting for it")
		wait(soft, nil, visitPause)
	}
}

// giveBack ends a claim, and tells the urgent lane where that waits for it.
func (r *runner) giveBack(identity string, mark *claim) {
	if r.claims.release(identity, mark) {
		signal(r.wakeUrgent)
	}
}
