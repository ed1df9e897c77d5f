package hub

import (
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// historyOf is what a decision leaves to be looked up later: what was known of the
// person, and what was decided.
func historyOf(snap *Snapshot, d Decision, k Known, next store.IdentityRow) store.HistoryDoc {
	i := d.Identity
	h := store.HistoryDoc{Name: next.Name, Stage: d.Stage, User: concealed(snap, i.User), Origin: i.Origin, Groups: i.Groups, Links: i.Links,
		StartsAt: i.StartsAt, EndsAt: i.EndsAt, LeaveFrom: i.LeaveFrom, LeaveUntil: i.LeaveUntil, OnLeave: i.OnLeave, LeftAt: next.LeftAt,
		OverGuard: next.OverGuard, MergedInto: i.MergedInto, Blocked: blocked(k), Denied: d.Denied, Findings: d.texts(), Pushed: map[string]string{}}
	if k.Manager != nil {
		h.Manager = k.Manager.ID
	}
	for _, l := range i.Links {
		h.Pushed[l.Source] = l.ModifiedAt.Format(time.RFC3339)
	}
	h.Requests = requestsAfter(d, k)
	h.Exclusions = d.exclusionsAfter(k)
	return h
}

// requestsAfter are the open requests as the decision leaves them.
func requestsAfter(d Decision, k Known) (out []model.Request) {
	changed := map[string]model.Request{}
	for _, r := range d.Requests {
		if r.ID != "" {
			changed[r.ID] = r
		}
	}
	for _, r := range k.Requests {
		if c, ok := changed[r.ID]; ok {
			r = c
		}
		if r.State.Open() {
			r.Version, r.NextAt = 0, time.Time{} // when somebody is reminded next is no fact
			out = append(out, r)
		}
	}
	return out
}

// grantsOf are the roles held from now on, with the day each began.
func grantsOf(d Decision, held []model.Grant, now time.Time) []store.HistoryGrant {
	since := map[string]time.Time{}
	for _, g := range held {
		since[g.Role] = g.From
	}
	out := make([]store.HistoryGrant, len(d.Grants))
	for n, g := range d.Grants {
		out[n] = store.HistoryGrant{Role: g.Role, Because: g.Because, ApprovedBy: g.ApprovedBy, From: now, Until: g.Until}
		if from, ok := since[g.Role]; ok {
			out[n].From = from
		}
	}
	return out
}

// note puts the hash of what is known now into the row and appends it to the history,
// if it is news. It is to be called before the row is saved.
func note(tx *store.Tx, snap *Snapshot, d Decision, k Known, next *store.IdentityRow) error {
	if d.Stage == model.Purged {
		return nil // nothing may be kept of them
	}
	doc := historyOf(snap, d, k, *next)
	doc.Grants = grantsOf(d, k.Held, tx.Now)
	if len(doc.Pushed) == 0 {
		doc.Pushed = nil
	}
	hash, err := doc.Hash()
	if err != nil || hash == k.Row.HistoryHash {
		return err
	}
	next.HistoryHash = hash
	return tx.AddHistory(d.Identity.ID, doc)
}
