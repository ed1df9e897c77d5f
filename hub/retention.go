package hub

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// How old rows are taken away: in small batches with rests between, so that nobody who
// works notices.
const (
	retentionTick  = time.Minute // how often it is looked whether there is something to do
	retentionEvery = time.Hour   // between two passes over a kind of rows
	retentionBatch = 500         // rows in a transaction, about
	retentionLeast = 10 * time.Millisecond
	retentionMost  = 2 * time.Second
	retentionShare = 4 // rests last so many times as long as the batch before
	retentionGuard = 35 * 24 * time.Hour
	shrinkPages    = 500
)

// Retention takes away what is older than it is kept. Any number of replicas may run it:
// one does the work at a time.
type Retention struct {
	Hub    *Hub
	Holder string // names this replica
	Rows   *prometheus.CounterVec
	Passes *prometheus.GaugeVec
}

// NewRetention makes one, with its metrics registered, if there is a registry.
func NewRetention(h *Hub, holder string, r prometheus.Registerer) *Retention {
	k := &Retention{Hub: h, Holder: holder,
		Rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimhub_pruned_rows_total", Help: "Rows that this replica took away because they were older than they are kept, by table."}, []string{"table"}),
		Passes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "scimhub_pruning_pass_timestamp_seconds", Help: "When the last pass over old rows of a table came to its end, in seconds since 1970, by table."}, []string{"table"})}
	for _, kind := range store.PruneKinds() {
		k.Rows.WithLabelValues(kind)
	}
	if r != nil {
		r.MustRegister(k.Rows, k.Passes)
	}
	return k
}

// Run looks after it until ctx ends.
func (k *Retention) Run(ctx context.Context) {
	for rest(ctx, retentionTick) {
		if err := k.Pass(ctx); err != nil && ctx.Err() == nil {
			k.Hub.Log.WarnContext(ctx, "old rows cannot be taken away", "error", err)
		}
	}
}

// keptOf tells how long rows of each kind are kept; 0: for ever. window is the longest
// over which a guard counts.
func keptOf(doc *config.Document) map[string]time.Duration {
	window := retentionGuard
	for _, t := range doc.Targets {
		window = max(window, 2*t.Guard.Span())
	}
	r := doc.Retention
	return map[string]time.Duration{
		"idempotency": 2 * store.OnceKept, "removals": window, "releases": retentionGuard,
		"notices": r.Deliveries, "leaver_runs": r.Leavers,
		"events": r.Events, "imports": r.Events,
		"identity_history": r.History, "account_history": r.History, "grants": r.History, "drift_deleted": r.History,
		"requests": r.Decisions, "tasks": r.Decisions, "reviews": r.Decisions, "exceptions": r.Decisions,
		"exclusions": r.Decisions, "deputies": r.Decisions, "cases": r.Decisions,
		"audit": doc.Audit.Retain,
	}
}

// Pass goes once over every kind of rows that is due, unless another replica does.
func (k *Retention) Pass(ctx context.Context) error {
	snap := k.Hub.Snapshot()
	if snap == nil {
		return nil
	}
	known, err := k.Hub.Store.Pruned(ctx)
	if err != nil {
		return err
	}
	kept, worked := keptOf(snap.Doc), false
	var errs []error
	for _, kind := range store.PruneKinds() {
		k.note(known[kind])
		if kept[kind] <= 0 || k.Hub.Store.Now().Sub(known[kind].Done) < retentionEvery {
			continue
		}
		worked = true
		err := k.table(ctx, kind, kept[kind])
		if errors.Is(err, store.ErrPrunedElsewhere) || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		errs = append(errs, err) // the others go on
	}
	if worked {
		errs = append(errs, k.shrink(ctx), k.Hub.Store.ReleasePruning(ctx, k.Holder))
	}
	return errors.Join(errs...)
}

// table takes away what is too old of one kind, in batches.
func (k *Retention) table(ctx context.Context, kind string, kept time.Duration) error {
	before, total := k.Hub.Store.Now().Add(-kept), int64(0)
	for {
		began := k.Hub.Store.Now()
		rows, more, err := k.Hub.Store.PruneBatch(ctx, k.Holder, kind, before, retentionBatch)
		if err != nil {
			return err
		}
		k.Rows.WithLabelValues(kind).Add(float64(rows))
		total += rows
		if !more {
			break
		}
		if !k.rest(ctx, k.Hub.Store.Now().Sub(began)) {
			return nil
		}
	}
	if total > 0 {
		k.Hub.Log.InfoContext(ctx, "rows older than they are kept are gone", "table", kind, "rows", total)
	}
	return nil
}

// rest waits after a batch: longer where the database is slow, and where others wait
// for it. False where the context ended.
func (k *Retention) rest(ctx context.Context, took time.Duration) bool {
	pause := min(max(retentionShare*took, retentionLeast), retentionMost)
	if k.Hub.Store.Crowded() {
		pause = retentionMost
	}
	return rest(ctx, pause)
}

// shrink gives back what files have to spare.
func (k *Retention) shrink(ctx context.Context) error {
	for {
		more, err := k.Hub.Store.Shrink(ctx, shrinkPages)
		if err != nil || !more || !rest(ctx, 10*retentionLeast) {
			return err
		}
	}
}

func (k *Retention) note(p store.Pruned) {
	if !p.Done.IsZero() {
		k.Passes.WithLabelValues(p.Kind).Set(float64(p.Done.Unix()))
	}
}
