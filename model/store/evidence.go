package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// EverAt lists identities that have, or had at any time, an account at a target, by id
// after the given one.
func (t *Tx) EverAt(target, after string, limit int) ([]string, error) {
	return t.texts(`SELECT identity_id FROM account_history WHERE target = ? AND identity_id > ? GROUP BY identity_id ORDER BY identity_id LIMIT ?`, target, after, limit)
}

// EverHeld lists identities that hold, or held at any time, a role, by id after the
// given one.
func (t *Tx) EverHeld(role, after string, limit int) ([]string, error) {
	const part = `SELECT DISTINCT identity_id FROM grants WHERE role = ? AND identity_id > ? AND ended_at IS `
	return t.texts(`SELECT identity_id FROM (SELECT identity_id FROM (`+part+`NULL ORDER BY identity_id LIMIT ?) AS a UNION SELECT identity_id FROM (`+part+`NOT NULL ORDER BY identity_id LIMIT ?) AS b) AS c ORDER BY identity_id LIMIT ?`,
		role, after, limit, role, after, limit, limit)
}

// IdentitiesByID reads people, by id.
func (t *Tx) IdentitiesByID(ids []string) (map[string]IdentityRow, error) {
	out := map[string]IdentityRow{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []identityRow
	if err := t.db.Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		p, err := r.plain()
		if err != nil {
			return nil, err
		}
		out[r.ID] = p
	}
	return out, nil
}

// HistoryBetween is what was known of people between two moments, by identity, in order
// of time: the version at the first moment, and all that came later.
func (t *Tx) HistoryBetween(ids []string, from, until time.Time) (map[string][]HistoryRow, error) {
	out := map[string][]HistoryRow{}
	if len(ids) == 0 {
		return out, nil
	}
	args := append(anys(ids), micros(until), micros(from))
	rows, err := t.query(`SELECT identity_id, at, doc FROM identity_history h WHERE h.identity_id IN `+list(len(ids))+` AND h.at <= ?
AND h.at >= coalesce((SELECT max(l.at) FROM identity_history l WHERE l.identity_id = h.identity_id AND l.at <= ?), 0) ORDER BY h.identity_id, h.at`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanHistory(rows)
		if err != nil {
			return nil, err
		}
		out[r.Identity] = append(out[r.Identity], r)
	}
	return out, rows.Err()
}

// AccountsBetween are the accounts of people between two moments, at one target or, with
// none, at all, by identity, in order of time: the version of each at the first moment,
// and all that came later.
func (t *Tx) AccountsBetween(ids []string, target string, from, until time.Time) (map[string][]AccountHistory, error) {
	out := map[string][]AccountHistory{}
	if len(ids) == 0 {
		return out, nil
	}
	args, where := anys(ids), ``
	if target != "" {
		where, args = ` AND h.target = ?`, append(args, target)
	}
	rows, err := t.query(`SELECT `+accountHistoryColumns+` FROM account_history h WHERE h.identity_id IN `+list(len(ids))+where+` AND h.at <= ?
AND h.at >= coalesce((SELECT max(l.at) FROM account_history l WHERE l.identity_id = h.identity_id AND l.target = h.target AND l.at <= ?), 0) ORDER BY h.identity_id, h.at, h.target`,
		append(args, micros(until), micros(from))...)
	if err != nil {
		return nil, err
	}
	found, err := scanAccountHistory(rows)
	for _, h := range found {
		out[h.Identity] = append(out[h.Identity], h)
	}
	return out, err
}

// GrantEver is a role that somebody holds or held.
type GrantEver struct {
	ID string
	model.Grant
	Version int64      // of the configuration that gave it
	EndedAt *time.Time // nil: it is held
}

// GrantsEver are the roles that people hold or held at any time between two moments, by
// identity, in order of their beginning. With a role only that one.
func (t *Tx) GrantsEver(ids []string, role string, from, until time.Time) (map[string][]GrantEver, error) {
	out := map[string][]GrantEver{}
	if len(ids) == 0 {
		return out, nil
	}
	q := t.db.Where("identity_id IN ?", ids).Where("from_at <= ? AND (ended_at IS NULL OR ended_at > ?)", micros(until), micros(from))
	if role != "" {
		q = q.Where("role = ?", role)
	}
	var rows []grantRow
	if err := q.Order("identity_id, from_at, role").Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		g, err := r.plain()
		if err != nil {
			return nil, err
		}
		out[r.IdentityID] = append(out[r.IdentityID], GrantEver{ID: r.ID, Grant: g, Version: r.Version, EndedAt: timePtr(r.EndedAt)})
	}
	return out, nil
}

// RequestsByID reads requests; those that are not there are left out.
func (t *Tx) RequestsByID(ids []string) (map[string]model.Request, error) {
	out := map[string]model.Request{}
	for start := 0; start < len(ids); start += 500 {
		chunk := ids[start:min(start+500, len(ids))]
		found, err := t.requestsWhere(`id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			out[r.ID] = r
		}
	}
	return out, nil
}

// ExceptionsByID reads exceptions; those that are not there are left out.
func (t *Tx) ExceptionsByID(ids []string) (map[string]model.Exception, error) {
	out := map[string]model.Exception{}
	for start := 0; start < len(ids); start += 500 {
		chunk := ids[start:min(start+500, len(ids))]
		found, err := t.exceptions(`WHERE e.id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			out[e.ID] = e
		}
	}
	return out, nil
}

// eraseAccountHistory keeps of the accounts that somebody had that there were accounts,
// with groups, roles and moments, and takes out names, attributes, facts and words: who
// had access to what can be answered when nobody knows any more who that was.
func (t *Tx) eraseAccountHistory(id string) error {
	rows, err := t.query(`SELECT `+accountHistoryColumns+` FROM account_history WHERE identity_id = ?`, id)
	if err != nil {
		return err
	}
	list, err := scanAccountHistory(rows)
	if err != nil {
		return err
	}
	for _, h := range list {
		desired, err1 := encodeAccount(bareAccount(h.Desired))
		applied, err2 := encodeAccount(bareAccount(h.Applied))
		because, err3 := json.Marshal(bareReasons(h.Because))
		for _, err := range []error{err1, err2, err3} {
			if err != nil {
				return fmt.Errorf("account history: %w", err)
			}
		}
		if _, err := t.exec(`UPDATE account_history SET desired = ?, applied = ?, because = ?, last_error = '' WHERE identity_id = ? AND target = ? AND at = ?`,
			desired, applied, string(because), id, h.Target, micros(h.At)); err != nil {
			return err
		}
	}
	return nil
}

func bareAccount(a *model.Account) *model.Account {
	if a == nil {
		return nil
	}
	return &model.Account{Active: a.Active, Groups: a.Groups}
}

func bareReasons(all map[string][]model.Reason) map[string][]model.Reason {
	out := map[string][]model.Reason{}
	for key, reasons := range all {
		for _, r := range reasons {
			out[key] = append(out[key], model.Reason{Role: r.Role, Via: r.Via, Request: r.Request, Group: r.Group, Version: r.Version,
				HandOver: r.HandOver, KeptUntil: r.KeptUntil, Exception: r.Exception})
		}
	}
	return out
}
