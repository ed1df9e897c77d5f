package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// auditLook is how many entries one search compares with what is looked for at most.
const auditLook = 20000

// AuditSearchAnswer is a page of what was found in the audit trail, the newest first.
type AuditSearchAnswer struct {
	Items []AuditFound `json:"items"`
	Next  string       `json:"next,omitempty"` // there is more, or more to look through
	// Reached is how far back this page has looked; absent: there is nothing older, or the
	// page is full.
	Reached *time.Time `json:"reached,omitempty"`
}

// AuditFound is an entry, and the name of whom it is about.
type AuditFound struct {
	store.AuditEntry
	Person string `json:"person,omitempty"` // user name; empty: nobody, or erased since
	Erased bool   `json:"erased,omitempty"` // its data was, with the person
}

// searchAudit looks for entries: GET …?actor=&action=&object=&person=&since=&until=.
func (a *API) searchAudit(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	span, err := a.auditRange(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	q := store.AuditSearch{Actor: strings.TrimSpace(v.Get("actor")), Action: strings.TrimSpace(v.Get("action")), Object: strings.TrimSpace(v.Get("object")),
		Since: span.Since, Until: span.Until, After: v.Get("cursor"), Limit: limit, Look: auditLook}
	ctx := r.Context()
	if who := strings.TrimSpace(v.Get("person")); who != "" {
		err := a.Hub.Store.View(ctx, func(tx *store.Tx) error {
			row, err := tx.PersonNamed(who)
			if err == nil {
				q.Identities, err = tx.MergedInto(row.ID)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	found, err := a.Hub.Store.FindAudit(ctx, q)
	if err != nil {
		return nil, err
	}
	out := AuditSearchAnswer{Items: make([]AuditFound, len(found.Entries)), Next: found.Next}
	if !found.Reached.IsZero() {
		out.Reached = &found.Reached
	}
	var ids []string
	for i, e := range found.Entries {
		out.Items[i] = AuditFound{AuditEntry: e, Erased: e.Erased()}
		if e.Identity != "" {
			ids = append(ids, e.Identity)
		}
	}
	err = a.Hub.Store.View(ctx, func(tx *store.Tx) error {
		names, err := tx.NamesOf(ids)
		for i := range out.Items {
			out.Items[i].Person = names[out.Items[i].Identity]
		}
		return err
	})
	return out, err
}
