package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Place is where a listing in order of time goes on: behind a moment, or behind one of
// the rows of that moment.
type Place struct {
	At  time.Time
	Key string // of the row; the rows of At that have no greater key were seen
	// Whole says that every row of At was seen, and None that none was.
	Whole, None bool
}

// where is the condition on rows that have a moment and a key, an expression of text.
func (p Place) where(key string) (text string, args []any) {
	switch at := micros(p.At); {
	case p.None:
		return ` AND at >= ?`, []any{at}
	case p.Whole:
		return ` AND at > ?`, []any{at}
	default:
		return ` AND (at > ? OR at = ? AND ` + key + ` > ?)`, []any{at, at, p.Key}
	}
}

// FactsAfter lists versions of people's history behind a place, until a moment.
func (t *Tx) FactsAfter(ids []string, p Place, until time.Time, limit int) (out []HistoryRow, err error) {
	where, args := p.where(`identity_id`)
	rows, err := t.query(`SELECT identity_id, at, doc FROM identity_history WHERE identity_id IN `+list(len(ids))+where+` AND at <= ? ORDER BY at, identity_id LIMIT ?`,
		append(append(anys(ids), args...), micros(until), limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanHistory(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// accountKey orders account history within a moment.
const accountKey = `(identity_id || ' ' || target)`

// AccountVersions lists versions of people's accounts behind a place, until a moment.
func (t *Tx) AccountVersions(ids []string, p Place, until time.Time, limit int) ([]AccountHistory, error) {
	where, args := p.where(accountKey)
	rows, err := t.query(`SELECT `+accountHistoryColumns+` FROM account_history WHERE identity_id IN `+list(len(ids))+where+` AND at <= ? ORDER BY at, `+accountKey+` LIMIT ?`,
		append(append(anys(ids), args...), micros(until), limit)...)
	if err != nil {
		return nil, err
	}
	return scanAccountHistory(rows)
}

// AccountBefore is the version of an account before a moment; false where there is none.
func (t *Tx) AccountBefore(identity, target string, at time.Time) (h AccountHistory, ok bool, err error) {
	rows, err := t.query(`SELECT `+accountHistoryColumns+` FROM account_history WHERE identity_id = ? AND target = ? AND at < ? ORDER BY at DESC LIMIT 1`, identity, target, micros(at))
	if err != nil {
		return h, false, err
	}
	found, err := scanAccountHistory(rows)
	if err != nil || len(found) == 0 {
		return h, false, err
	}
	return found[0], true, nil
}

// EventsAfter lists lines of people's timelines behind a place, until a moment.
func (t *Tx) EventsAfter(ids []string, p Place, until time.Time, limit int) ([]TimelineEvent, error) {
	where, args := p.where(`id`)
	return t.events(`identity_id IN `+list(len(ids))+where+` AND at <= ? ORDER BY at, id LIMIT ?`, append(append(anys(ids), args...), micros(until), limit)...)
}

// auditKey orders entries of the audit trail within a moment.
const auditKey = `(substr('00' || CAST(lane AS text), -2) || substr('0000000000000000000' || CAST(seq AS text), -19))`

// auditKeyPG is auditKey for PostgreSQL, where substr does not count from the end.
const auditKeyPG = `(lpad(CAST(lane AS text), 2, '0') || lpad(CAST(seq AS text), 19, '0'))`

// AuditKey is the key of an entry within its moment.
func AuditKey(e AuditEntry) string { return fmt.Sprintf("%02d%019d", e.Lane, e.Seq) }

// AuditAfter lists entries of the audit trail about people behind a place, until a moment.
func (t *Tx) AuditAfter(ids []string, p Place, until time.Time, limit int) (out []AuditEntry, err error) {
	key := auditKey
	if t.pg {
		key = auditKeyPG
	}
	where, args := p.where(key)
	var rows []auditRow
	err = t.db.Raw(`SELECT `+auditColumns+` FROM audit WHERE identity_id <> '' AND identity_id IN `+list(len(ids))+where+` AND at <= ? ORDER BY at, lane, seq LIMIT ?`,
		append(append(anys(ids), args...), micros(until), limit)...).Scan(&rows).Error
	for _, r := range rows {
		out = append(out, r.entry())
	}
	return out, err
}

// personMost bounds what is read of one person at once of what is not paged.
const personMost = 5000

// RequestsAbout reads all requests for people, closed ones too, in order.
func (t *Tx) RequestsAbout(ids []string) ([]model.Request, error) {
	return t.requestsWhere(`identity_id IN `+list(len(ids))+` ORDER BY id LIMIT `+strconv.Itoa(personMost), anys(ids)...)
}

// ExceptionsAbout reads all exceptions of people, ended ones too, in order.
func (t *Tx) ExceptionsAbout(ids []string) ([]model.Exception, error) {
	return t.exceptions(`WHERE e.identity_id IN `+list(len(ids))+` ORDER BY e.id LIMIT `+strconv.Itoa(personMost), anys(ids)...)
}

// ReviewedAbout reads all items of access reviews about people, in order.
func (t *Tx) ReviewedAbout(ids []string) ([]model.ReviewItem, error) {
	return t.reviewItemsWhere(`identity_id <> '' AND identity_id IN `+list(len(ids))+` ORDER BY id LIMIT `+strconv.Itoa(personMost), anys(ids)...)
}
