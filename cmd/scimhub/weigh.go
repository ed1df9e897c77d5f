package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

const (
	// weighAtMost is how long a start waits until it is known what a changed file would
	// do to everybody: some ten thousand people are compared in that time.
	weighAtMost = 5 * time.Second
	// weighAgain is how long after a failure it is tried again.
	weighAgain = 10 * time.Second
)

// weighing compares a changed file with everybody and writes nothing.
type weighing struct {
	options instanceOptions
	file    *hub.Snapshot
	active  store.ConfigVersion // what it would come after
	stop    context.CancelFunc

	done   chan struct{} // closed when there is an answer:
	reason string        // why it must not be put in force without a person looking at it
	err    error
}

func (i *instance) weigh(ctx context.Context, o instanceOptions, active store.ConfigVersion, file *hub.Snapshot) *weighing {
	ctx, stop := context.WithCancel(ctx)
	w := &weighing{options: o, file: file, active: active, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.reason, w.err = i.unsafe(ctx, active, file)
	}()
	return w
}

// endsWithin reports whether there is an answer in that time.
func (w *weighing) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.done:
		return true
	case <-timer.C:
		return false
	}
}

func (w *weighing) wait() (reason string, err error) {
	<-w.done
	return w.reason, w.err
}

// weighed puts the file in force that the start did not wait for, or says why not.
func (i *instance) weighed(ctx context.Context) {
	w := i.weighing
	if w == nil {
		return
	}
	stop := context.AfterFunc(ctx, w.stop)
	defer stop()
	reason, err := w.wait()
	for err != nil && ctx.Err() == nil {
		i.log.WarnContext(ctx, "the configuration file cannot be compared with everybody; it is tried again", "file", w.options.Name, "error", err)
		again := time.NewTimer(weighAgain)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
		reason, err = i.unsafe(ctx, w.active, w.file)
	}
	if ctx.Err() != nil {
		return
	}
	if reason == "" {
		if err = i.putInForce(ctx, w.options, w.active.Version); err == nil || i.sameInForce(ctx, w.file) {
			return
		}
		reason = err.Error()
	}
	i.log.ErrorContext(ctx, "the configuration file is not put in force, the active version is served", "file", w.options.Name, "version", i.hub.Snapshot().Version, "reason", reason)
}

// sameInForce reports whether the text of a file is the active version: another replica
// started with it, and was quicker.
func (i *instance) sameInForce(ctx context.Context, file *hub.Snapshot) bool {
	active, ok, err := i.store.ActiveConfig(ctx)
	return err == nil && ok && active.Digest == file.Doc.Digest()
}

// unsafe says why a file must not be put in force without a person looking at it:
// somebody rolled this very text back, or the guards would hold somebody whom they do
// not hold under the active version.
func (i *instance) unsafe(ctx context.Context, active store.ConfigVersion, file *hub.Snapshot) (string, error) {
	back, found, err := i.store.RolledBack(ctx, file.Doc.Digest())
	if err != nil {
		return "", err
	}
	if found {
		return fmt.Sprintf("its text was version %d, which %s rolled back at %s; to put it in force all the same: scimhub apply --config %s",
			back.Version, back.By, back.At.Format(time.RFC3339), file.Doc.Name), nil
	}
	plan, err := i.api.Plan(ctx, file, "")
	if err != nil || plan.Held == 0 {
		return "", err
	}
	if now, err := hub.Compile(active.Version, "active", []byte(active.Body), checkProfiles); err == nil {
		before, err := i.api.Plan(ctx, now, "")
		if err != nil {
			return "", err
		}
		was := heldAccounts(before)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(heldAccounts(plan))), func(a string) bool { return !was[a] }) {
			return "", nil
		}
	}
	return fmt.Sprintf("it would take access from %d accounts, %d of them beyond a guard's limit: scimhub plan --config %s, then scimhub apply", plan.Removals, plan.Held, file.Doc.Name), nil
}

// heldAccounts are the accounts of a plan whose loss of access is held.
func heldAccounts(a admin.PlanAnswer) map[string]bool {
	out := map[string]bool{}
	for _, p := range a.Plans {
		for _, c := range p.Changes {
			if c.Held != "" && c.Removes() {
				out[p.Target+"/"+c.Identity] = true
			}
		}
	}
	return out
}
