package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// Limits of the record of refusals. What looks alike is counted together: the first
// of a kind is written within refusalWindow, and while more come entries follow in
// growing distances up to refusalPatience. So many kinds are told apart, and so many
// new ones in a minute, of strangers and of known sources each; all others are
// counted together. So neither memory nor the audit trail grow with a flood, or with
// a client that asks the same wrong thing day and night, and a flood of strangers
// hides nothing that sources do.
const (
	refusalWindow   = 3 * time.Second
	refusalPatience = time.Minute
	refusalKinds    = 100
	refusalLast     = 5 * time.Second // for the last write, when the hub stops
)

// Refusals puts what the service provider refused into the audit trail: who was
// refused, what they wanted to do and why, in words; never what they sent. The zero
// value is not ready: see [NewRefusals].
type Refusals struct {
	store *store.Store
	log   *slog.Logger

	mu        sync.Mutex
	strangers refusalSet
	sources   refusalSet
}

// refusalSet is the kinds that are told apart.
type refusalSet struct {
	kinds map[refusalKind]*refusalCount
	fresh *rate.Limiter // of new kinds
}

func newRefusalSet() refusalSet {
	return refusalSet{map[refusalKind]*refusalCount{}, rate.NewLimiter(rate.Every(time.Minute/refusalKinds), refusalKinds)}
}

// refusalKind is what makes two refusals alike.
type refusalKind struct {
	Source, Name, Remote, Method, Resource, Type string
	Status                                       int
	Reason                                       string

	API    bool   // of the API, not of the service provider
	Person string // the id of whom it was about
}

// otherRefusals stands for the kinds that are not told apart.
func otherRefusals() refusalKind {
	return refusalKind{Reason: "more kinds of refusals came at once than are told apart"}
}

// refusalCount is what came of one kind and is not written yet, perhaps nothing.
type refusalCount struct {
	n           int
	first, last time.Time
	path        string        // of the first
	due         time.Time     // when it may be written
	hold        time.Duration // how long it is to rest after that
}

// NewRefusals makes a record that writes to the store.
func NewRefusals(s *store.Store, log *slog.Logger) *Refusals {
	return &Refusals{store: s, log: log, strangers: newRefusalSet(), sources: newRefusalSet()}
}

// Add notes a refusal; it is what scimserver.Handler.Refused wants. It does not
// wait for the database.
func (r *Refusals) Add(_ context.Context, f scimserver.Refusal) {
	kind := refusalKind{Source: f.Source, Name: f.Name, Remote: f.Remote, Method: f.Method, Resource: f.Resource,
		Type: f.Type, Status: f.Status, Reason: refusalReason(f)}
	set, path := &r.strangers, "" // what a stranger writes there may be anything
	if f.Source != "" {
		set, path = &r.sources, f.Path
	}
	now := r.store.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	c := set.counter(kind, now)
	if c.n == 0 {
		c.first, c.path = now, path
	}
	c.n, c.last = c.n+1, now
}

// counter finds the place for a kind. One that rests makes room for a new one.
func (r *refusalSet) counter(kind refusalKind, now time.Time) *refusalCount {
	if c := r.kinds[kind]; c != nil {
		return c
	}
	if kind != otherRefusals() && !(r.room() && r.fresh.AllowN(now, 1)) {
		return r.counter(otherRefusals(), now)
	}
	c := &refusalCount{due: now, hold: refusalWindow}
	r.kinds[kind] = c
	return c
}

// room reports whether one more kind can be told apart, and makes it where one rests.
func (r *refusalSet) room() bool {
	if len(r.kinds) < refusalKinds {
		return true
	}
	for kind, c := range r.kinds {
		if c.n == 0 {
			delete(r.kinds, kind)
			return true
		}
	}
	return false
}

// refusalReason says why in words that hold nothing the client sent. The detail of
// an answer may quote it; of the answers about credentials it never does.
func refusalReason(f scimserver.Refusal) string {
	if f.Status == 401 || f.Status == 429 {
		return f.Detail
	}
	if words, ok := typeReasons[f.Type]; ok {
		return words
	}
	if words, ok := statusReasons[f.Status]; ok {
		return words
	}
	return fmt.Sprintf("the request was answered with %d", f.Status)
}

var typeReasons = map[string]string{
	"uniqueness":    "another resource has a value that only one may have",
	"mutability":    "the change touches an attribute that cannot be changed",
	"invalidSyntax": "the body is not formed as the standard says",
	"invalidPath":   "the path of a change names no attribute",
	"invalidFilter": "the filter cannot be read, or asks for what cannot be asked",
	"noTarget":      "the change matches nothing that could be changed",
	"invalidValue":  "a value is missing or not of the form its attribute has",
	"tooMany":       "the question has more answers than are given",
	"sensitive":     "the question holds what must not stand in an address",
	"invalidVers":   "the version of the protocol is not spoken here",
	"invalidCursor": "the cursor is not one that was given out",
	"expiredCursor": "the cursor is too old",
	"invalidCount":  "the page size is not that of the first page",
}

var statusReasons = map[int]string{
	400: "the request cannot be understood",
	403: "the credentials do not allow this",
	404: "there is no such resource",
	405: "this cannot be done there",
	409: "the state of the resource does not allow this",
	412: "the resource has changed since the client read it",
	413: "the body is too large",
	415: "the body is of a kind that is not read here",
}

// Run writes what was noted every few seconds, until ctx ends, and then what is left.
func (r *Refusals) Run(ctx context.Context) {
	tick := time.NewTicker(refusalWindow)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.write(ctx, false)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalLast)
			defer cancel()
			r.write(last, true)
			return
		}
	}
}

func (r *Refusals) write(ctx context.Context, all bool) {
	if err := r.Flush(ctx, all); err != nil && ctx.Err() == nil {
		r.log.WarnContext(ctx, "refusals cannot be written to the audit trail yet", "error", err)
	}
}

// Flush writes what is due, or all that was noted, to the audit trail in one
// transaction. What cannot be written is kept and counted on.
func (r *Refusals) Flush(ctx context.Context, all bool) error {
	now := r.store.Now()
	r.mu.Lock()
	strangers, sources := r.strangers.take(now, all), r.sources.take(now, all)
	r.mu.Unlock()
	if len(strangers)+len(sources) == 0 {
		return nil
	}
	entries, err := refusalEntries(strangers, sources)
	if err == nil {
		err = r.store.Update(ctx, func(tx *store.Tx) error { return tx.Audit(entries...) })
	}
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.strangers.restore(strangers)
		r.sources.restore(sources)
		return err
	}
	if n := strangers[otherRefusals()].n + sources[otherRefusals()].n; n > 0 {
		r.log.WarnContext(ctx, "more kinds of refusals came than are told apart", "refusals", n)
	}
	return nil
}

// take empties what is due and lets it rest, and forgets what rested without more.
func (r *refusalSet) take(now time.Time, all bool) map[refusalKind]refusalCount {
	taken := map[refusalKind]refusalCount{}
	for kind, c := range r.kinds {
		switch ready := all || !now.Before(c.due); {
		case !ready:
		case c.n == 0:
			delete(r.kinds, kind)
		default:
			taken[kind] = *c
			c.n, c.hold = 0, min(2*c.hold, refusalPatience)
			c.due = now.Add(c.hold)
		}
	}
	return taken
}

// restore counts what was taken as before, and makes it due at once.
func (r *refusalSet) restore(taken map[refusalKind]refusalCount) {
	for kind, old := range taken {
		c := r.counter(kind, old.due)
		if c.n == 0 {
			c.last = old.last
		}
		c.n, c.first, c.path, c.due = c.n+old.n, old.first, old.path, old.due
	}
}

// refusalEntries are in the order of their first refusal.
func refusalEntries(strangers, sources map[refusalKind]refusalCount) (out []store.AuditEntry, err error) {
	add := func(actor string, kind refusalKind, c refusalCount) {
		e, fault := refusalEntry(actor, kind, c)
		out, err = append(out, e), errors.Join(err, fault)
	}
	for kind, c := range strangers {
		add("unauthenticated", kind, c)
	}
	for kind, c := range sources {
		actor := "several sources"
		if kind != otherRefusals() {
			actor = Actor{Source: kind.Source, Name: kind.Name}.String()
		}
		add(actor, kind, c)
	}
	slices.SortFunc(out, func(a, b store.AuditEntry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(string(a.Data), string(b.Data)))
	})
	return out, err
}

func refusalEntry(actor string, kind refusalKind, c refusalCount) (store.AuditEntry, error) {
	data, err := json.Marshal(struct {
		Reason string     `json:"reason"`
		Status int        `json:"status,omitempty"`
		Type   string     `json:"type,omitempty"`
		Method string     `json:"method,omitempty"`
		Path   string     `json:"path,omitempty"` // of the first
		Remote string     `json:"remote,omitempty"`
		Count  int        `json:"count"`
		Until  *time.Time `json:"until,omitempty"` // of the last, where there were several
	}{kind.Reason, kind.Status, kind.Type, kind.Method, c.path, kind.Remote, c.n, until(c)})
	if err != nil {
		return store.AuditEntry{}, err
	}
	object := kind.Resource
	if object == "" {
		object = "scim"
	}
	action := "scim.refused"
	if kind.API {
		action = "api.refused"
	}
	return store.AuditEntry{At: c.first, Actor: actor, Action: action, Object: object, Identity: kind.Person, Data: data}, nil
}

func until(c refusalCount) *time.Time {
	if c.n < 2 {
		return nil
	}
	return &c.last
}
