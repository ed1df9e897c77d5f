package hub

import (
	"errors"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// maxReason is how many bytes of a reason are kept.
const maxReason = 300

// APIRefusal is a request of an operator, or of a stranger, that the API refused: who
// may not do this, or what a guard, a digest or somebody else's change forbids.
type APIRefusal struct {
	Actor  string // of a known token; empty: a stranger
	Remote string // address of the other side, without its port
	Method string
	Route  string // the address as the table of routes has it; never what the client wrote
	Person string // whom the request was about, as the address names them; may be empty
	Status int
	Reason string // the message that was answered
}

// AddAPI notes a refusal of the API, like Add.
func (r *Refusals) AddAPI(f APIRefusal) {
	reason := f.Reason
	for len(reason) > maxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	kind := refusalKind{API: true, Name: f.Actor, Remote: f.Remote, Method: f.Method, Resource: "api", Status: f.Status, Reason: reason}
	set := &r.strangers
	if f.Actor != "" {
		set, kind.Person = &r.sources, f.Person
	}
	now := r.store.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	c := set.counter(kind, now)
	if c.n == 0 {
		c.first, c.path = now, f.Route
	}
	c.n, c.last = c.n+1, now
}

// namePeople replaces the names of people in entries by their ids, so that the entries
// go with them when they are erased.
func namePeople(tx *store.Tx, entries []store.AuditEntry) ([]store.AuditEntry, error) {
	out := append([]store.AuditEntry(nil), entries...) // the transaction may be run again
	for i, e := range out {
		if e.Identity == "" {
			continue
		}
		row, err := tx.FindIdentity(e.Identity)
		if known, ok := errors.AsType[*model.Error](err); err != nil && !(ok && (known.Code == model.NotFound || known.Code == model.Conflict)) {
			return nil, err
		}
		out[i].Identity = row.ID
	}
	return out, nil
}
