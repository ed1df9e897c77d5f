package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// Limits of the record of refusals. What comes in one window and looks alike is one
// entry with a count; so many kinds are told apart, all others counted together. So
// neither memory nor the audit trail grow with a flood.
const (
	refusalWindow = 3 * time.Second
	refusalKinds  = 100
	refusalFlush  = 5 * time.Second // for the last write, when the hub stops
)

// Refusals puts what the service provider refused into the audit trail: who was
// refused, what they wanted to do and why, in words; never what they sent. The zero
// value is not ready: see [NewRefusals].
type Refusals struct {
	store *store.Store
	log   *slog.Logger

	mu    sync.Mutex
	kinds map[refusalKind]*refusalCount
	more  refusalCount // of kinds beyond the limit
}

// refusalKind is what makes two refusals alike.
type refusalKind struct {
	Source, Name, Remote, Method, Resource, Type string
	Status                                       int
	Reason                                       string
}

type refusalCount struct {
	n           int
	first, last time.Time
	path        string // of the first
}

func (c *refusalCount) add(n int, first, last time.Time) {
	if c.n == 0 {
		c.first = first
	}
	c.n, c.last = c.n+n, last
}

// NewRefusals makes a record that writes to the store.
func NewRefusals(s *store.Store, log *slog.Logger) *Refusals {
	return &Refusals{store: s, log: log, kinds: map[refusalKind]*refusalCount{}}
}

// Add notes a refusal; it is what scimserver.Handler.Refused wants. It does not
// wait for the database.
func (r *Refusals) Add(_ context.Context, f scimserver.Refusal) {
	kind := refusalKind{Source: f.Source, Name: f.Name, Remote: f.Remote, Method: f.Method, Resource: f.Resource,
		Type: f.Type, Status: f.Status, Reason: refusalReason(f)}
	path := ""
	if f.Source != "" { // what a stranger writes there may be anything
		path = f.Path
	}
	now := r.store.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(kind, 1, now, now, path)
}

func (r *Refusals) count(kind refusalKind, n int, first, last time.Time, path string) {
	c := r.kinds[kind]
	switch {
	case c != nil:
	case len(r.kinds) >= refusalKinds:
		c = &r.more
	default:
		c = &refusalCount{path: path}
		r.kinds[kind] = c
	}
	c.add(n, first, last)
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
			r.write(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalFlush)
			defer cancel()
			r.write(last)
			return
		}
	}
}

func (r *Refusals) write(ctx context.Context) {
	if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
		r.log.Warn("refusals cannot be written to the audit trail yet", "error", err)
	}
}

// Flush writes what was noted to the audit trail, in one transaction. What cannot
// be written is kept and counted on.
func (r *Refusals) Flush(ctx context.Context) error {
	r.mu.Lock()
	kinds, more := r.kinds, r.more
	r.kinds, r.more = map[refusalKind]*refusalCount{}, refusalCount{}
	r.mu.Unlock()
	if len(kinds) == 0 {
		return nil
	}
	entries, err := refusalEntries(kinds, more)
	if err == nil {
		err = r.store.Update(ctx, func(tx *store.Tx) error { return tx.Audit(entries...) })
	}
	if err != nil {
		r.restore(kinds, more)
		return err
	}
	if more.n > 0 {
		r.log.Warn("more kinds of refusals came than are told apart", "refusals", more.n)
	}
	return nil
}

func (r *Refusals) restore(kinds map[refusalKind]*refusalCount, more refusalCount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newer := r.kinds
	r.kinds = kinds
	for kind, c := range newer {
		r.count(kind, c.n, c.first, c.last, c.path)
	}
	if more.n > 0 {
		later := r.more
		r.more = more
		if later.n > 0 {
			r.more.add(later.n, later.first, later.last)
		}
	}
}

// refusalEntries are in the order of their first refusal.
func refusalEntries(kinds map[refusalKind]*refusalCount, more refusalCount) (out []store.AuditEntry, err error) {
	for kind, c := range kinds {
		actor := "unauthenticated"
		if kind.Source != "" {
			actor = Actor{Source: kind.Source, Name: kind.Name}.String()
		}
		e, err := refusalEntry(actor, kind, *c)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b store.AuditEntry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(string(a.Data), string(b.Data)))
	})
	if more.n > 0 {
		e, err := refusalEntry("several", refusalKind{Reason: "more kinds of refusals came at once than are told apart"}, more)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
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
	return store.AuditEntry{At: c.first, Actor: actor, Action: "scim.refused", Object: object, Data: data}, nil
}

func until(c refusalCount) *time.Time {
	if c.n < 2 {
		return nil
	}
	return &c.last
}
