package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// HistoryDoc is what the hub had worked out of a person at a moment.
type HistoryDoc struct {
	Name       string             `json:"name"`
	Stage      model.Stage        `json:"stage"`
	User       map[string]any     `json:"user"`
	Origin     map[string]string  `json:"origin,omitempty"`
	Groups     []model.Membership `json:"groups,omitempty"`
	Links      []model.Link       `json:"links,omitempty"`
	Pushed     map[string]string  `json:"pushed,omitempty"` // source -> when it last wrote, RFC 3339
	StartsAt   *time.Time         `json:"starts_at,omitempty"`
	EndsAt     *time.Time         `json:"ends_at,omitempty"`
	LeaveFrom  *time.Time         `json:"leave_from,omitempty"`
	LeaveUntil *time.Time         `json:"leave_until,omitempty"`
	OnLeave    bool               `json:"on_leave,omitempty"`
	LeftAt     *time.Time         `json:"left_at,omitempty"`
	OverGuard  bool               `json:"over_guard,omitempty"`
	MergedInto string             `json:"merged_into,omitempty"`
	Manager    string             `json:"manager,omitempty"` // identity
	Blocked    bool               `json:"blocked,omitempty"` // waits for a decision on who it is
	Grants     []HistoryGrant     `json:"grants,omitempty"`
	Denied     []model.Denied     `json:"denied,omitempty"`
	Requests   []model.Request    `json:"requests,omitempty"` // open ones, in force or waiting
	Findings   []string           `json:"findings,omitempty"`
	Exclusions []model.Exclusion  `json:"exclusions,omitempty"` // what reviewers keep from them
}

// HistoryGrant is a role held at a moment.
type HistoryGrant struct {
	Role       string         `json:"role"`
	Because    []model.Reason `json:"because"`
	ApprovedBy string         `json:"approved_by,omitempty"`
	From       time.Time      `json:"from,omitzero"`
	Until      *time.Time     `json:"until,omitempty"`
}

// HistoryRow is one version of what was known of a person: from At on, until the next.
type HistoryRow struct {
	Identity string
	At       time.Time
	Doc      HistoryDoc
}

// Hash tells the document from others. The version of the configuration that a reason
// names is not in it, nor when a source wrote last: a new version that says the same,
// and a push that changes nothing, are no news.
func (d HistoryDoc) Hash() (string, error) {
	bare := d
	bare.Pushed = nil
	bare.Grants = make([]HistoryGrant, len(d.Grants))
	for i, g := range d.Grants {
		g.Because = withoutVersions(g.Because)
		bare.Grants[i] = g
	}
	bare.Denied = make([]model.Denied, len(d.Denied))
	for i, n := range d.Denied {
		n.Because = withoutVersions(n.Because)
		bare.Denied[i] = n
	}
	bare.Links = make([]model.Link, len(d.Links))
	for i, l := range d.Links {
		l.ModifiedAt = time.Time{}
		bare.Links[i] = l
	}
	core, err := json.Marshal(bare)
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	sum := sha256.Sum256(core)
	return hex.EncodeToString(sum[:12]), nil
}

func withoutVersions(list []model.Reason) []model.Reason {
	out := make([]model.Reason, len(list))
	for i, r := range list {
		r.Version = 0
		out[i] = r
	}
	return out
}

// latest is the moment of a new row of history: now, or that of the row before where
// the clock has been set back, so that what came last counts last.
const latest = `(SELECT CASE WHEN max(h.at) > ? THEN max(h.at) ELSE CAST(? AS bigint) END FROM `

// AddHistory appends a version of what is known of a person, at the end of the
// transaction.
func (t *Tx) AddHistory(identity string, d HistoryDoc) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	t.historyLater(identity, string(doc))
	return nil
}

// HistoryAt is what was known of a person at a moment; false where nothing was.
func (t *Tx) HistoryAt(identity string, at time.Time) (HistoryRow, bool, error) {
	return t.historyRow(`identity_id = ? AND at <= ? ORDER BY at DESC LIMIT 1`, identity, micros(at))
}

// FirstHistory is the first that was known of a person.
func (t *Tx) FirstHistory(identity string) (HistoryRow, bool, error) {
	return t.historyRow(`identity_id = ? ORDER BY at LIMIT 1`, identity)
}

func (t *Tx) historyRow(where string, args ...any) (HistoryRow, bool, error) {
	r, err := scanHistory(t.row(`SELECT identity_id, at, doc FROM identity_history WHERE `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// scanHistory reads a row of identity_id, at and doc.
func scanHistory(row interface{ Scan(into ...any) error }) (r HistoryRow, err error) {
	var at int64
	var doc string
	if err := row.Scan(&r.Identity, &at, &doc); err != nil {
		return r, err
	}
	r.At = fromMicros(at)
	return r, decodeHistory(doc, &r.Doc)
}

func decodeHistory(text string, into *HistoryDoc) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // a whole number is to come back as it was stored
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	model.PlainNumbers(into.User)
	return nil
}

// History lists what became known of all people since a moment, in order of time;
// next is the cursor of the next page, empty at the end.
func (s *Store) History(ctx context.Context, since time.Time, after string, limit int) (out []HistoryRow, next string, err error) {
	at, identity := micros(since)-1, "\U0010FFFF"
	if after != "" {
		n, err := fmt.Sscanf(after, "%d.%s", &at, &identity)
		if err != nil || n != 2 {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT identity_id, at, doc FROM identity_history WHERE (at, identity_id) > (?, ?) ORDER BY at, identity_id LIMIT ?`, at, identity, limit+1)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanHistory(rows)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if len(out) > limit {
		out = out[:limit]
		last := out[limit-1]
		next = fmt.Sprintf("%d.%s", micros(last.At), last.Identity)
	}
	return out, next, err
}

// MergedFrom lists the identities that turned out to be this one, by id.
func (t *Tx) MergedFrom(identity string) ([]string, error) {
	return t.texts(`SELECT id FROM identities WHERE merged_into = ? AND merged_into <> '' ORDER BY id`, identity)
}

// EraseHistory removes all that was known of a person in the past, at targets too.
func (t *Tx) EraseHistory(identity string) error {
	for _, table := range []string{"identity_history", "account_history"} {
		if _, err := t.exec(`DELETE FROM `+table+` WHERE identity_id = ?`, identity); err != nil {
			return err
		}
	}
	_, err := t.exec(`UPDATE identities SET history_hash = '' WHERE id = ?`, identity)
	return err
}
