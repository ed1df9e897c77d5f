// Package hub makes every write to the hub's own data: what sources push, who a
// person is, which roles they hold, what is asked and approved. A write of a
// source is one transaction (resource, event, audit entry, mark); what follows
// from it is decided later, from the state, by one evaluation. The package never
// talks to a target and does not know HTTP.
package hub

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
	"github.com/scimhub/scimhub/telemetry"
)

// Hub is the hub's own data and the rules for changing it. It is safe for
// concurrent use.
type Hub struct {
	Store   *store.Store
	Log     *slog.Logger
	Metrics *Metrics
	// Nudge is told that an account at a target may be due; it must not block.
	Nudge func(target string)
	// Busy is told that people are marked while the evaluation still works on others: who
	// is idle elsewhere may help. It must not block; may be nil.
	Busy  func()
	Check Check // of configurations; may be nil
	// Tracing goes on with the traces of what was pushed; nil: nothing is traced.
	Tracing *telemetry.Tracing
	// Usable says why a configuration could not be put in force in this process, such
	// as a secret that is not there; may be nil. What is not usable is not stored.
	Usable func(*Snapshot) error
	// DrillExempt says why a drill must leave a target out, by what only a package above
	// this one knows of its application; empty: it need not. May be nil.
	DrillExempt func(model.Target) string

	lastTurn     atomic.Int64 // when evaluation last looked at the clock, microseconds
	lastSchedule atomic.Int64 // when campaigns of the configuration were last looked at, microseconds
	reviewsWoken chan struct{}
	snapshot     atomic.Pointer[Snapshot]
	turns        atomic.Uint64 // full batches, for the sweep to get its turn
	woken        chan struct{}
	activated    chan struct{} // tells KeepIndexed
	declared     sync.Map      // of *scim.ResourceType: types of which nothing undeclared is stored
	hashing      chan struct{} // held by whoever hashes a password
	sources      sourceWatch
}

// New makes a hub over a store. Nothing runs until Run is called.
func New(s *store.Store, log *slog.Logger) *Hub {
	return &Hub{Store: s, Log: log, Metrics: NewMetrics(nil), Nudge: func(string) {}, woken: make(chan struct{}, 1), reviewsWoken: make(chan struct{}, 1), hashing: make(chan struct{}, hashedAtOnce),
		sources: sourceWatch{passed: make(chan struct{}, 1)}}
}

// Actor is who asks for a write.
type Actor struct {
	Source string // the source, or empty for an operator
	Name   string // the credential

	// StrictReferences refuses members and managers that do not exist: what a dialect
	// without UnresolvedReferences asks for.
	StrictReferences bool
	// UniqueGroupNames refuses a second group of the same displayName, as the dialect's
	// flag of this name says.
	UniqueGroupNames bool
}

func (a Actor) String() string {
	if a.Source == "" {
		return a.Name
	}
	return "source " + a.Source + "/" + a.Name
}

// Snapshot is the configuration in force: a document and the policy compiled
// from it. It is replaced as a whole.
type Snapshot struct {
	Version int64
	Doc     *config.Document
	Policy  *policy.Engine
}

// Snapshot is the configuration in force; nil before the first Activate.
func (h *Hub) Snapshot() *Snapshot { return h.snapshot.Load() }

// Activate puts a configuration in force in this process.
func (h *Hub) Activate(s *Snapshot) {
	h.snapshot.Store(s)
	h.declared.Clear()
	select {
	case h.activated <- struct{}{}:
	default:
	}
	h.Wake()
}

// Wake tells the evaluation that there may be marks. Losing it costs time only.
func (h *Hub) Wake() {
	if !h.Look() && h.Busy != nil {
		h.Busy()
	}
}

// Look has the evaluation look for marks; false: it has not come to look yet since it was
// last told.
func (h *Hub) Look() bool {
	select {
	case h.woken <- struct{}{}:
		return true
	default:
		return false
	}
}

// Check finds faults of a configuration that only a package above this one can
// see, such as a target profile that does not exist.
type Check func(*config.Document) []config.Fault

// Compile parses and compiles a configuration; the error lists every fault.
func Compile(version int64, name string, text []byte, check Check) (*Snapshot, error) {
	doc, _ := config.Parse(name, text)
	engine, faults := policy.Compile(version, doc) // the document's own faults are among them
	if check != nil {
		faults = config.SortFaults(append(faults, check(doc)...))
	}
	if len(faults) > 0 {
		return nil, &FaultsError{Faults: faults}
	}
	return &Snapshot{Version: version, Doc: doc, Policy: engine}, nil
}

// FaultsError is a configuration that was refused: all that is wrong with it.
type FaultsError struct{ Faults []config.Fault }

// Error lists the faults, one a line, each beginning with file:line:column.
func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes it a model.Invalid for every front.
func (e *FaultsError) Unwrap() error {
	return model.Fail(model.Invalid, fmt.Sprintf("the configuration has %d faults", len(e.Faults)), nil)
}

func newID() (string, error) {
	id, err := uuid.NewV7() // grows with time: listings have a stable order, indexes stay dense
	if err != nil {
		return "", fmt.Errorf("new id: %w", err)
	}
	return id.String(), nil
}
