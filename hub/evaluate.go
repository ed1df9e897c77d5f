package hub

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/telemetry"
)

// How the evaluation takes its work. A batch is one transaction; small enough
// that a leaver never waits long behind it.
const (
	batchSize  = 100
	claimTime  = 15 * time.Second // so late goes on what a process held that crashed
	idlePause  = time.Second      // marks of other replicas and dates are found this late at most
	errorPause = time.Second
	stalePause = 2 * time.Second // until a mark is taken again that an older configuration must not clear
)

// Run evaluates marked identities until the context ends. Marks are claimed, so
// any number of replicas may run. It returns only when no batch is under way.
func (h *Hub) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := idlePause
		groups, groupsErr := h.EvaluateGroups(ctx)
		n, err := h.EvaluateBatch(ctx)
		if n += groups; groupsErr != nil && ctx.Err() == nil { // people do not wait for groups
			h.Log.ErrorContext(ctx, "groups of targets cannot be worked out", "error", groupsErr)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			h.Log.ErrorContext(ctx, "evaluation failed", "error", err)
			pause = errorPause
		case n > 0:
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-h.woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// EvaluateBatch claims some marks, evaluates the identities and stores what
// follows. Dates that have come are marked first. Where not much is marked, or the
// sweep has waited for long, it looks at the next people of a sweep, too. It returns
// how many it took.
func (h *Hub) EvaluateBatch(ctx context.Context) (int, error) {
	snap := h.Snapshot()
	if snap == nil {
		return 0, nil
	}
	n, err := h.evaluateMarked(ctx, snap)
	if err != nil || n >= batchSize && h.turns.Add(1)%sweepTurn != 0 {
		return n, err
	}
	swept, err := h.sweep(ctx, snap)
	return n + swept, err
}

func (h *Hub) evaluateMarked(ctx context.Context, snap *Snapshot) (int, error) {
	if err := h.watchClock(ctx); err != nil {
		return 0, err
	}
	if _, err := h.Store.MarkTimed(ctx, batchSize); err != nil {
		return 0, fmt.Errorf("timed marks: %w", err)
	}
	marks, err := h.Store.ClaimMarks(ctx, batchSize, claimTime)
	if err != nil || len(marks) == 0 {
		return 0, err
	}
	if err := h.decideAll(ctx, snap, marks); err != nil {
		return len(marks), h.oneByOne(ctx, snap, marks, err)
	}
	return len(marks), nil
}

// decideAll decides about people whose marks were claimed, and stores what follows, in one
// transaction. Only where a mirrored group was renamed that no target follows yet does it
// take several: who leaves goes first, whoever else is in the batch comes after the group.
func (h *Hub) decideAll(ctx context.Context, snap *Snapshot, marks []store.Mark) (err error) {
	urgent := slices.ContainsFunc(marks, func(m store.Mark) bool { return m.Urgent })
	if !urgent { // who may be leaving does not wait
		h.groupsBefore(ctx)
	}
	// What was claimed is finished even if the process is asked to stop meanwhile.
	ctx = context.WithoutCancel(ctx)
	if urgent {
		ctx = store.Urgently(ctx)
	}
	hops := h.resume(ctx, snap, marks)
	defer func() { endHops(hops, err) }()
	if len(marks) == 1 {
		ctx = telemetry.In(ctx, hops[marks[0].Identity].span)
	}
	for tries := 0; len(marks) > 0; tries++ {
		if tries > 0 && !h.groupsBefore(ctx) {
			tries = renamedTries
		}
		b := &batch{targets: map[string]bool{}, afterGroups: tries < renamedTries, hops: hops}
		began := h.Store.Now()
		err = h.Store.Update(ctx, func(tx *store.Tx) error {
			b.again()
			return h.survive(tx, snap, marks, b)
		})
		h.Metrics.Seconds.Observe(h.Store.Now().Sub(began).Seconds())
		if err != nil {
			return err
		}
		h.nudgeAll(b.targets)
		marks = b.waiting
	}
	return nil
}

// oneByOne works on the marks of a batch that failed, each in a transaction of
// its own, so that one bad identity stops nobody else. The bad one keeps its mark
// and is tried again when the claim ends.
func (h *Hub) oneByOne(ctx context.Context, snap *Snapshot, marks []store.Mark, cause error) error {
	h.Log.WarnContext(ctx, "batch failed, evaluating one by one", "error", cause)
	var last error
	for _, m := range marks {
		if err := h.decideAll(ctx, snap, []store.Mark{m}); err != nil {
			h.Metrics.Evaluations.WithLabelValues("error").Inc()
			last = fmt.Errorf("identity %s: %w", m.Identity, err)
		}
	}
	return last
}

func (h *Hub) nudgeAll(targets map[string]bool) {
	for t := range targets {
		h.Nudge(t)
	}
}

// survive is evaluate; a panic is an error of those it was working on.
func (h *Hub) survive(tx *store.Tx, snap *Snapshot, marks []store.Mark, b *batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h.evaluate(tx, snap, marks, b)
}

// evaluate decides about people and stores what follows. Where a newer
// configuration is active than the one in force in this process, only leavers are
// settled who leave under any; and all marks stay for whoever has the newer one.
func (h *Hub) evaluate(tx *store.Tx, snap *Snapshot, marks []store.Mark, b *batch) error {
	// One order for all who lock rows of several people: other batches, settlements.
	marks = slices.SortedFunc(slices.Values(marks), func(a, b store.Mark) int { return strings.Compare(a.Identity, b.Identity) })
	ids := names(marks, func(m store.Mark) string { return m.Identity })
	// Claims end while a process stands still or a database is slow, and others decide about
	// the same people. Whoever comes second reads what the first one stored, and newer facts.
	if err := tx.HoldIdentities(ids...); err != nil {
		return err
	}
	known, err := gather(tx, snap, ids)
	if err != nil {
		return err
	}
	stale, err := tx.NewerConfig(snap.Version)
	if err != nil {
		return err
	}
	var entries []store.AuditEntry
	var others []decided
	// Asked once people were read: whoever was read with a group's new name waits for it.
	ahead := false
	if b.afterGroups && !stale {
		if ahead, err = tx.RenamesAhead(); err != nil {
			return err
		}
	}
	for _, m := range marks {
		k, ok := known[m.Identity]
		if ok && k.Row.ErasedAt == nil {
			d := Decide(snap, k, tx.Now)
			if stale && (d.Stage != model.Leaver || !goneAnyway(k)) {
				continue
			}
			if ahead && d.Stage != model.Leaver {
				b.waiting = append(b.waiting, m)
				continue
			}
			more, err := h.saveOrErase(tx, snap, d, k, m, b, stale)
			if err != nil {
				return fmt.Errorf("identity %s: %w", m.Identity, err)
			}
			entries, others = append(entries, more...), append(others, decided{d, k})
		}
		if stale {
			continue
		}
		b.done = append(b.done, m)
	}
	if err := b.write(tx, snap.Version); err != nil {
		return err
	}
	if stale {
		if err := tx.Postpone(ids, tx.Now.Add(stalePause)); err != nil {
			return err
		}
	}
	if err := h.tellOthers(tx, others); err != nil {
		return err
	}
	followed, err := h.followReviews(tx, snap, others)
	if err != nil {
		return err
	}
	entries = append(entries, followed...)
	return tx.Audit(entries...)
}

// goneAnyway reports whether somebody has left whatever a configuration says of dates and
// authority: every source that describes them says that they are inactive, or none does.
func goneAnyway(k Known) bool {
	return every(k.Users, func(u store.SourceUser) bool { active, said := u.Attrs["active"].(bool); return said && !active })
}

// batch is what is written of all people of a batch together, with few statements.
type batch struct {
	targets  map[string]bool // where there is something to do now
	people   []store.IdentityRow
	numbers  []renumbered
	accounts []model.AccountRow
	grants   []model.Grant
	done     []store.Mark

	afterGroups bool         // nobody but leavers is decided about before groups have their new names
	waiting     []store.Mark // who is to be decided about after the groups

	hops map[string]hop // of people whose marks carried a trace; nil: none
}

// again begins anew: a transaction may be tried more than once.
func (b *batch) again() {
	*b = batch{targets: b.targets, afterGroups: b.afterGroups, hops: b.hops}
	clear(b.targets)
}

// saveIdentity leaves a row to the batch, unless others of the batch may ask the database
// for it: guards count leavers.
func (b *batch) saveIdentity(tx *store.Tx, before, next store.IdentityRow) error {
	if before.LeftAt != nil || next.LeftAt != nil || before.EvaluatedAt != nil && (before.Name != next.Name || before.Stage != next.Stage) {
		return tx.SaveIdentity(next)
	}
	b.people = append(b.people, next)
	return nil
}

func (b *batch) write(tx *store.Tx, version int64) error {
	if err := tx.SaveIdentities(b.people); err != nil {
		return err
	}
	if err := markNumbered(tx, b.numbers); err != nil {
		return err
	}
	if err := tx.AddGrants(b.grants, version); err != nil {
		return err
	}
	if err := tx.SetDesiredAll(b.accounts); err != nil {
		return err
	}
	return tx.UnmarkAll(b.done)
}

// save stores what follows from a decision, or leaves it to the batch, and returns its
// audit entries.
func (h *Hub) save(tx *store.Tx, snap *Snapshot, d Decision, k Known, m store.Mark, b *batch) ([]store.AuditEntry, error) {
	row, held, stored := k.Row, k.Held, k.Accounts
	h.count(d)
	next, err := h.nextRow(tx, snap, d, row, m, slices.ContainsFunc(stored, hasAccess))
	if err != nil {
		return nil, err
	}
	if err := note(tx, snap, d, k, &next); err != nil {
		return nil, err
	}
	if !sameRow(row, next) { // what says the same is not written again
		next.Version++
		if err := b.saveIdentity(tx, row, next); err != nil {
			return nil, err
		}
	}
	if err := b.saveGrants(tx, d, held); err != nil {
		return nil, err
	}
	changed, reasonsOnly := d.Rows(stored, pressingSince(next), next.OverGuard)
	b.hops[d.Identity.ID].decided(d, len(changed))
	for _, a := range changed {
		a.Trace = b.hops[d.Identity.ID].next
		b.accounts = append(b.accounts, a)
		b.targets[a.Target] = true
	}
	for _, a := range reasonsOnly {
		if err := tx.SetBecause(a); err != nil {
			return nil, err
		}
	}
	asked, err := h.saveRequests(tx, d, k, next)
	if err != nil {
		return nil, err
	}
	if k.Row.Number != d.Number {
		b.numbers = append(b.numbers, renumbered{d.Identity.ID, k.Row.Number, d.Number})
	}
	found, err := saveFound(tx, d, k)
	if err != nil {
		return nil, err
	}
	excluded, err := saveExclusions(tx, d, next)
	if err != nil {
		return nil, err
	}
	line, err := h.timeline(tx, snap, d, k, next)
	return slices.Concat(asked, found, excluded, line), err
}

func (b *batch) saveGrants(tx *store.Tx, d Decision, held []model.Grant) error {
	current := map[string]model.Grant{}
	for _, g := range held {
		current[g.Role] = g
	}
	due := map[string]bool{}
	for _, g := range d.Grants {
		due[g.Role] = true
		if old, ok := current[g.Role]; ok {
			if sameGrant(old, g) {
				continue
			}
			g.Identity, g.From = d.Identity.ID, old.From
			if err := tx.SetGrantReasons(g); err != nil {
				return err
			}
			continue
		}
		g.Identity, g.From = d.Identity.ID, tx.Now
		b.grants = append(b.grants, g)
	}
	for _, g := range held {
		if !due[g.Role] {
			if err := tx.EndGrant(d.Identity.ID, g.Role); err != nil {
				return err
			}
		}
	}
	return nil
}
