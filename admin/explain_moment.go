package admin

import (
	"errors"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// momentOf is what was known and decided of a person at a moment, now or earlier, in
// one form: explanations do not tell the two apart.
type momentOf struct {
	at         time.Time
	past       bool
	row        store.IdentityRow // as it is now
	doc        store.HistoryDoc
	accounts   []store.AccountHistory
	requests   map[string]model.Request // by id
	exceptions map[string]model.Exception
	reviews    map[string]time.Time // when roles are looked at next
	unknown    bool                 // nothing was known
	note       string
}

// presentOf reads what is known now: what is stored, whether or not somebody is marked.
func presentOf(tx *store.Tx, row store.IdentityRow) (momentOf, error) {
	m := momentOf{at: tx.Now, row: row}
	grants, err := tx.Grants([]string{row.ID})
	if err != nil {
		return m, err
	}
	accounts, err := tx.AccountsOf([]string{row.ID})
	if err != nil {
		return m, err
	}
	for _, a := range accounts {
		m.accounts = append(m.accounts, store.AccountHistory{Target: a.Target, Identity: a.Identity, At: a.UpdatedAt, Desired: a.Desired, Applied: a.Applied,
			Because: a.Because, Leaver: a.Leaver, State: a.State, Drift: a.Drift, ErrorClass: a.ErrorClass, LastError: a.LastError, VerifiedAt: a.VerifiedAt})
	}
	last, found, err := tx.HistoryAt(row.ID, tx.Now)
	if err != nil {
		return m, err
	}
	if found {
		m.doc = last.Doc
	}
	m.doc.Name, m.doc.Stage, m.doc.User, m.doc.Origin, m.doc.Grants = row.Name, row.Stage, row.User, row.Origin, nil
	for _, g := range grants[row.ID] {
		m.doc.Grants = append(m.doc.Grants, store.HistoryGrant{Role: g.Role, Because: g.Because, ApprovedBy: g.ApprovedBy, From: g.From, Until: g.Until})
	}
	about, err := tx.About([]string{row.ID})
	if err != nil {
		return m, err
	}
	m.doc.Requests, m.doc.Blocked = about.Requests[row.ID], about.Cases[row.ID] != nil && about.Cases[row.ID].Blocks
	m.doc.Pushed = map[string]string{}
	facts, err := tx.Facts([]string{row.ID})
	if err != nil {
		return m, err
	}
	for _, u := range facts.Users[row.ID] {
		m.doc.Pushed[u.Source] = u.Modified.Format(time.RFC3339)
	}
	return m, m.behind(tx)
}

// pastOf reads what was known at a moment from the histories.
func pastOf(tx *store.Tx, row store.IdentityRow, at time.Time) (momentOf, error) {
	m := momentOf{at: at, past: true, row: row}
	kept, err := tx.HistoryKept()
	if err != nil {
		return m, err
	}
	if at.Before(kept) && row.ErasedAt == nil && !row.CreatedAt.After(at) {
		// Something of what was true then may be gone: no answer beats half of one.
		m.unknown, m.note = true, "what was true on "+at.Format(time.RFC3339)+" is older than is kept (retention.history): the history is complete since "+kept.Format(time.RFC3339)
		return m, nil
	}
	h, found, err := tx.HistoryAt(row.ID, at)
	if err != nil {
		return m, err
	}
	if !found {
		m.unknown = true
		m.note, err = beforeKnown(tx, row, at)
		return m, err
	}
	m.doc = h.Doc
	if m.accounts, err = tx.AccountsAt(row.ID, at); err != nil {
		return m, err
	}
	return m, m.behind(tx)
}

// alsoThen is what identities had at a moment that turned out later to be this person.
func alsoThen(tx *store.Tx, row store.IdentityRow, at time.Time) (out []Explanation, err error) {
	ids, err := tx.MergedFrom(row.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		other, err := tx.Identity(id)
		if err != nil {
			return nil, err
		}
		m, err := pastOf(tx, other, at)
		if err != nil {
			return nil, err
		}
		for _, e := range m.explain() {
			e.Note = strings.TrimPrefix(e.Note+"; had by "+id+", who turned out later to be the same person", "; ")
			out = append(out, e)
		}
	}
	return out, nil
}

func beforeKnown(tx *store.Tx, row store.IdentityRow, at time.Time) (string, error) {
	first, found, err := tx.FirstHistory(row.ID)
	if err != nil {
		return "", err
	}
	switch {
	case row.ErasedAt != nil:
		return row.Name + " was erased on " + row.ErasedAt.Format(time.RFC3339) + "; nothing is kept of them", nil
	case row.CreatedAt.After(at):
		return row.Name + " was not known on " + at.Format(time.RFC3339) + ": the first that the hub heard of them is of " + row.CreatedAt.Format(time.RFC3339), nil
	case !found:
		return "nothing is recorded of " + row.Name + " yet: the history begins with the first evaluation after the upgrade", nil
	}
	return "nothing is recorded of " + row.Name + " before " + first.At.Format(time.RFC3339), nil
}

// behind reads the requests and exceptions that reasons name. Requests in the history
// are as they were; one that is not there is read as it is now.
func (m *momentOf) behind(tx *store.Tx) error {
	m.requests, m.exceptions = map[string]model.Request{}, map[string]model.Exception{}
	for _, q := range m.doc.Requests {
		m.requests[q.ID] = q
	}
	for _, acc := range m.accounts {
		for _, list := range acc.Because {
			for _, r := range list {
				if err := m.readReason(tx, r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *momentOf) readReason(tx *store.Tx, r model.Reason) error {
	if _, known := m.requests[r.Request]; r.Request != "" && !known {
		q, err := tx.Request(r.Request)
		if err != nil && model.CodeOf(err) != model.NotFound {
			return err
		}
		if err == nil {
			m.requests[q.ID] = q
		}
	}
	if _, known := m.exceptions[r.Exception]; r.Exception != "" && !known {
		x, err := tx.Exception(r.Exception)
		if err != nil && model.CodeOf(err) != model.NotFound {
			return err
		}
		if err == nil {
			m.exceptions[x.ID] = x
		}
	}
	return nil
}

// readMoment reads a date, which is its first moment in the configured zone, a time
// with a zone, or how long ago: -24h.
func (a *API) readMoment(name, text string) (time.Time, error) {
	zone := time.UTC
	if snap := a.Hub.Snapshot(); snap != nil && snap.Doc.Identity.Zone != nil {
		zone = snap.Doc.Identity.Zone
	}
	t, err := parseMoment(text, a.now(), zone)
	if err != nil {
		err = model.Fail(model.Invalid, name+" must be a date, an RFC 3339 time or how long ago: 2026-11-22, 2026-11-22T10:00:00+01:00, -24h", err)
	}
	return t, err
}

func parseMoment(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if ago, found := strings.CutPrefix(text, "-"); found {
		d, err := config.ParseDuration(ago)
		if err != nil || d < 0 {
			return time.Time{}, errors.Join(err, errors.New("it is no duration"))
		}
		return now.Add(-d), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, strings.ToUpper(text))
}
