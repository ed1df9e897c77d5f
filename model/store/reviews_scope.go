package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"database/sql"

	"github.com/scimhub/scimhub/model"
)

// HoldersAfter lists the people who hold a role, in order of their ids, after one.
func (t *Tx) HoldersAfter(role, after string, limit int) ([]string, error) {
	return t.texts(`SELECT identity_id FROM grants WHERE ended_at IS NULL AND role = ? AND identity_id > ? ORDER BY identity_id LIMIT ?`, t.planned([]any{role, after, limit})...)
}

// ReportsAfter lists the people whose manager somebody is.
func (t *Tx) ReportsAfter(manager, after string, limit int) ([]string, error) {
	return t.texts(`SELECT id FROM identities WHERE manager_id = ? AND manager_id <> '' AND id > ? ORDER BY id LIMIT ?`, manager, after, limit)
}

// MovedAfter lists the people who had another manager or department since a moment.
func (t *Tx) MovedAfter(since time.Time, after string, limit int) ([]string, error) {
	return t.texts(`SELECT identity_id FROM review_moves WHERE at >= ? AND identity_id > ? ORDER BY identity_id LIMIT ?`, micros(since), after, limit)
}

// ExemptAfter lists the people who have an exception to a conflict in force.
func (t *Tx) ExemptAfter(after string, limit int) ([]string, error) {
	return t.texts(`SELECT DISTINCT identity_id FROM exceptions WHERE ended_at IS NULL AND from_at <= ? AND until_at > ? AND identity_id > ? ORDER BY identity_id LIMIT ?`,
		micros(t.Now), micros(t.Now), after, limit)
}

// AccountsAfter reads the accounts of a target in order of identity; unknown ones, which
// are nobody's, alone, or the others alone.
func (t *Tx) AccountsAfter(target, after string, unknown bool, limit int) ([]model.AccountRow, error) {
	where := `target = ? AND identity_id > ? AND state <> 'unknown'`
	if unknown {
		where = `target = ? AND identity_id > ? AND state = 'unknown'`
	}
	var rows []accountRow
	if err := t.db.Where(where, target, after).Order("identity_id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return plainAll(rows)
}

// Reviewed is what a review has to know of a person.
type Reviewed struct {
	Person
	Manager string // identity; empty: none
	Named   string // as manager
	User    map[string]any
}

// Reviewed reads people, by identity.
func (t *Tx) Reviewed(ids []string) (map[string]Reviewed, error) {
	out := map[string]Reviewed{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := t.query(`SELECT id, name, stage, manager_id, manager_named, user_doc FROM identities WHERE id IN `+list(len(ids)), anys(ids)...)
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Reviewed
		var doc string
		if err := rows.Scan(&p.ID, &p.Name, &p.Stage, &p.Manager, &p.Named, &doc); err != nil {
			return nil, fmt.Errorf("people: %w", err)
		}
		if err := json.Unmarshal([]byte(doc), &p.User); err != nil {
			return nil, fmt.Errorf("people: %s: %w", p.ID, err)
		}
		out[p.ID] = p
	}
	return out, rows.Err()
}

// PeerKey is a manager's reports and a role.
type PeerKey struct{ Manager, Role string }

// Peers counts, for managers, the reports who are here, and of these who holds a role:
// the former under an empty role.
func (t *Tx) Peers(managers, roles []string) (map[PeerKey]int, error) {
	out := map[PeerKey]int{}
	if len(managers) == 0 || len(roles) == 0 {
		return out, nil
	}
	take := func(text string, args ...any) error {
		rows, err := t.query(text, args...)
		if err != nil {
			return fmt.Errorf("peers: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var k PeerKey
			var n int
			if err := rows.Scan(&k.Manager, &k.Role, &n); err != nil {
				return fmt.Errorf("peers: %w", err)
			}
			out[k] = n
		}
		return rows.Err()
	}
	m := list(len(managers))
	if err := take(`SELECT manager_id, '', count(*) FROM identities WHERE manager_id <> '' AND manager_id IN `+m+` AND stage IN ('active', 'leave') GROUP BY manager_id`, anys(managers)...); err != nil {
		return nil, err
	}
	return out, take(`SELECT i.manager_id, g.role, count(*) FROM identities i JOIN grants g ON g.identity_id = i.id AND g.ended_at IS NULL
WHERE i.manager_id <> '' AND i.manager_id IN `+m+` AND i.stage IN ('active', 'leave') AND g.role IN `+list(len(roles))+` GROUP BY i.manager_id, g.role`,
		append(anys(managers), anys(roles)...)...)
}

// Move is that somebody had another manager or department.
type Move struct {
	Identity string
	At       time.Time
	How      string // in words
	Due      bool   // a review of what they keep is to be made
}

// SetMoves notes moves, the last one of each person.
func (t *Tx) SetMoves(moves []Move) error {
	for chunk := range portions(moves) {
		args := make([]any, 0, 4*len(chunk))
		for _, m := range chunk {
			args = append(args, m.Identity, micros(m.At), m.How, m.Due)
		}
		if _, err := t.exec(`INSERT INTO review_moves (identity_id, at, how, due) VALUES `+tuples(`(?,?,?,?)`, len(chunk))+
			` ON CONFLICT (identity_id) DO UPDATE SET at = excluded.at, how = excluded.how, due = excluded.due`, args...); err != nil {
			return fmt.Errorf("moves: %w", err)
		}
	}
	return nil
}

// Moves reads when people moved last, by identity.
func (t *Tx) Moves(ids []string) (map[string]Move, error) {
	out := map[string]Move{}
	if len(ids) == 0 {
		return out, nil
	}
	found, err := t.movesWhere(`identity_id IN `+list(len(ids)), anys(ids)...)
	for _, m := range found {
		out[m.Identity] = m
	}
	return out, err
}

func (t *Tx) movesWhere(where string, args ...any) (out []Move, err error) {
	rows, err := t.query(`SELECT identity_id, at, how, due FROM review_moves WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("moves: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Move
		var at int64
		if err := rows.Scan(&m.Identity, &at, &m.How, &m.Due); err != nil {
			return nil, fmt.Errorf("moves: %w", err)
		}
		m.At = fromMicros(at)
		out = append(out, m)
	}
	return out, rows.Err()
}

// TakeMoves are moves of which a review is to be made, which is the caller's to do now,
// the oldest first.
func (t *Tx) TakeMoves(limit int) ([]Move, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	found, err := t.movesWhere(`due ORDER BY at, identity_id LIMIT ?`+lock, limit)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ids := make([]string, len(found))
	for i, m := range found {
		ids[i] = m.Identity
	}
	_, err = t.exec(`UPDATE review_moves SET due = FALSE WHERE identity_id IN `+list(len(ids)), anys(ids)...)
	return found, err
}

// AddExclusion stores a new exclusion.
func (t *Tx) AddExclusion(e model.Exclusion) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO exclusions (id, identity_id, ended_at, doc) VALUES (?,?,?,?)`, e.ID, e.Identity, microsPtr(e.Ended), string(doc))
	return err
}

// SaveExclusion stores what became of one; false where it had ended already.
func (t *Tx) SaveExclusion(e model.Exclusion) (bool, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	n, err := t.exec(`UPDATE exclusions SET ended_at = ?, doc = ? WHERE id = ? AND ended_at IS NULL`, microsPtr(e.Ended), string(doc), e.ID)
	return n == 1, err
}

// Exclusion reads one. model.NotFound if there is none.
func (t *Tx) Exclusion(id string) (e model.Exclusion, err error) {
	var doc string
	err = t.row(`SELECT doc FROM exclusions WHERE id = ?`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return e, model.Fail(model.NotFound, fmt.Sprintf("there is no exclusion with the id %q", id), nil)
	}
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal([]byte(doc), &e)
}

// moveExclusions gives exclusions that have not ended to an identity: what a reviewer took
// from one of two people who turn out to be one is taken from that one.
func (t *Tx) moveExclusions(to, where string, args ...any) error {
	found, err := t.exclusionsWhere(`ended_at IS NULL AND `+where+` ORDER BY id`, args...)
	if err != nil {
		return err
	}
	for _, e := range found {
		e.Identity = to
		doc, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE exclusions SET identity_id = ?, doc = ? WHERE id = ?`, to, string(doc), e.ID); err != nil {
			return err
		}
	}
	return nil
}

// exclusionsOf reads the exclusions of people that have not ended, in order.
func (t *Tx) exclusionsOf(ids []string) (map[string][]model.Exclusion, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := t.exclusionsWhere(`ended_at IS NULL AND identity_id IN `+list(len(ids))+` ORDER BY identity_id, id`, anys(ids)...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := map[string][]model.Exclusion{}
	for _, e := range found {
		out[e.Identity] = append(out[e.Identity], e)
	}
	return out, nil
}

func (t *Tx) exclusionsWhere(where string, args ...any) ([]model.Exclusion, error) {
	docs, err := t.texts(`SELECT doc FROM exclusions WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("exclusions: %w", err)
	}
	out := make([]model.Exclusion, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, fmt.Errorf("exclusions: %w", err)
		}
	}
	return out, nil
}

// Exclusions lists exclusions, the newest first, and the cursor of the next page: of one
// person, or all; those that have ended, too, where asked for.
func (t *Tx) Exclusions(identity string, ended bool, after string, limit int) (out []model.Exclusion, next string, err error) {
	where, args := []string{`TRUE`}, []any{}
	if identity != "" {
		where, args = append(where, `identity_id = ?`), append(args, identity)
	}
	if !ended {
		where = append(where, `ended_at IS NULL`)
	}
	if after != "" {
		where, args = append(where, `id < ?`), append(args, after)
	}
	out, err = t.exclusionsWhere(strings.Join(where, ` AND `)+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
	if err == nil && len(out) > limit {
		out = out[:limit]
		next = out[limit-1].ID
	}
	return out, next, err
}

// eraseReviews removes what is personal from the items and exclusions of somebody. What
// stays is that there was one, what was decided about it and when.
func (t *Tx) eraseReviews(id string) error {
	items, err := t.reviewItemsWhere(`identity_id = ?`, id)
	if err != nil {
		return err
	}
	book := t.ReviewBook()
	for _, i := range items {
		now := i
		now.Person, now.Access.Why, now.Access.ApprovedBy, now.Access.Facts, now.Changed = id, nil, "", nil, ""
		now.Hints.Manager, now.Hints.Department, now.Hints.MovedHow, now.Hints.Because = "", "", "", ""
		if d := now.Decision; d != nil {
			plain := *d
			plain.Reason = ""
			now.Decision = &plain
		}
		now.Earlier = nil
		for _, d := range i.Earlier {
			d.Reason = ""
			now.Earlier = append(now.Earlier, d)
		}
		if err := book.Save(i, now); err != nil {
			return err
		}
	}
	if err := book.Close(); err != nil {
		return err
	}
	exclusions, err := t.exclusionsWhere(`identity_id = ?`, id)
	if err != nil {
		return err
	}
	for _, e := range exclusions {
		e.Reason, e.Facts, e.EndedWhy = "", nil, ""
		if e.Ended == nil {
			e.Ended = &t.Now
		}
		doc, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE exclusions SET ended_at = ?, doc = ? WHERE id = ?`, microsPtr(e.Ended), string(doc), e.ID); err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM review_moves WHERE identity_id = ?`, id)
	return err
}
