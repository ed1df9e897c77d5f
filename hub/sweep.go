package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// sweepChunk is how many people a sweep looks at in one go.
const sweepChunk = 300

// sweepTurn is how many full batches of marks are worked on at most before a sweep
// gets its turn: marks overtake it, but do not stop it.
const sweepTurn = 8

// sweep looks at the next people under a configuration that came into force, and marks
// those of whom it decides anything else than what is stored. It only reads: those
// marked are worked on as if a fact of theirs had changed, so that of a change that
// concerns one person in a hundred one in a hundred is written. It returns how many
// people it looked at.
func (h *Hub) sweep(ctx context.Context, snap *Snapshot) (int, error) {
	c, ok, err := h.Store.ClaimSweep(ctx, snap.Version, sweepChunk, claimTime)
	if err != nil || !ok {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // what was claimed is finished
	differ, err := h.differing(ctx, snap, c.IDs)
	if err != nil { // whose fault it is shows when they are worked on one by one
		h.Log.WarnContext(ctx, "people cannot be compared, all of them are worked on", "people", len(c.IDs), "error", err)
		differ = c.IDs
	}
	if err := h.Store.EndSweepChunk(ctx, c, differ); err != nil {
		return 0, err
	}
	if c.Last {
		h.Log.InfoContext(ctx, "everybody was looked at under the new configuration", "version", snap.Version)
	}
	return len(c.IDs), nil
}

// sweepers is how many work on one chunk: while one waits for the database another
// decides. Half of the processors are left to those who serve.
func sweepers() int { return min(8, max(2, runtime.GOMAXPROCS(0)/2)) }

// differing are those of some people of whom a decision would change what is stored.
func (h *Hub) differing(ctx context.Context, snap *Snapshot, ids []string) ([]string, error) {
	n := sweepers()
	found := make([][]string, n)
	var work errgroup.Group
	for i := range n {
		part := ids[len(ids)*i/n : len(ids)*(i+1)/n]
		work.Go(func() (err error) {
			found[i], err = h.differingOf(ctx, snap, part)
			return err
		})
	}
	err := work.Wait()
	return slices.Concat(found...), err
}

func (h *Hub) differingOf(ctx context.Context, snap *Snapshot, ids []string) (differ []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if len(ids) == 0 {
		return nil, nil
	}
	var known map[string]Known
	var now time.Time
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		now = tx.Now
		known, err = gather(tx, snap, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		k, ok := known[id]
		if !ok {
			continue
		}
		d := Decide(snap, k, now)
		if d.differs(k, now) {
			differ = append(differ, id)
			continue // counted when it is stored
		}
		h.count(d)
	}
	return differ, nil
}

// differs reports whether storing the decision would change anything but the time of
// evaluation.
func (d Decision) differs(k Known, now time.Time) bool {
	next := d.row(k.Row, now)
	if !sameRow(k.Row, next) || d.Stage == model.Leaver && next.LeftAt == nil && d.Identity.MergedInto == "" || d.Purge || len(d.Requests) > 0 || k.managerNow() != k.noted {
		return true
	}
	if len(k.Held) != len(d.Grants) {
		return true
	}
	held := map[string]model.Grant{}
	for _, g := range k.Held {
		held[g.Role] = g
	}
	for _, g := range d.Grants {
		if old, ok := held[g.Role]; !ok || !sameGrant(old, g) {
			return true
		}
	}
	changed, reasonsOnly := d.Rows(k.Accounts, pressingSince(next), next.OverGuard)
	return len(changed)+len(reasonsOnly) > 0
}

// row is the identity's row after the decision, but for what is noted once when
// somebody leaves.
func (d Decision) row(row store.IdentityRow, now time.Time) store.IdentityRow {
	next := row
	next.Name, next.Stage, next.User, next.Origin, next.Findings = d.Identity.Name(), d.Stage, d.Identity.User, d.Identity.Origin, d.texts()
	if len(d.Identity.User) == 0 { // deleted before anybody looked: they are the same when they come back
		next.Name = row.Name
	}
	next.Number = d.Number
	next.EvaluatedAt = &now
	next.NextAt = nil
	if !d.Next.IsZero() {
		next.NextAt = &d.Next
	}
	if d.Stage != model.Leaver {
		next.LeftAt, next.LeftSource, next.OverGuard, next.LeftPlanned = nil, "", false, false
	}
	d.noteEnd(row, &next, now)
	lookAtEnd(&next, now)
	return next
}

// sameRow reports whether two rows would be stored alike but for their version and the
// time of evaluation.
func sameRow(a, b store.IdentityRow) bool {
	if !sameMoment(a.NextAt, b.NextAt) || !sameMoment(a.LeftAt, b.LeftAt) || !sameDocument(a.User, b.User) ||
		!maps.Equal(a.Origin, b.Origin) || !slices.Equal(a.Findings, b.Findings) {
		return false
	}
	for _, r := range []*store.IdentityRow{&a, &b} {
		r.Version, r.EvaluatedAt, r.NextAt, r.LeftAt, r.User, r.Origin, r.Findings = 0, nil, nil, nil, nil, nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// sameMoment compares times as they are stored, in microseconds.
func sameMoment(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UnixMicro() == b.UnixMicro()
}

// sameDocument compares what would be stored: a number of another type may read alike.
func sameDocument(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// sameGrant compares what is kept of a role that is held before and after.
func sameGrant(a, b model.Grant) bool {
	return a.ApprovedBy == b.ApprovedBy && sameMoment(a.Until, b.Until) && sameReasons(a.Because, b.Because)
}

// count counts a decision, and says what could not be decided.
func (h *Hub) count(d Decision) {
	result := "ok"
	if failed := d.Failures(); len(failed) > 0 {
		result = "error"
		h.Log.Warn("rule or mapping failed, access kept as it is", "identity", d.Identity.ID, "findings", failed)
	}
	h.Metrics.Evaluations.WithLabelValues(result).Inc()
}
