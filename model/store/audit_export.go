package store

import (
	"context"
	"time"
)

// AuditRange is a part of the audit trail; the zero value is all of it.
type AuditRange struct {
	Since, Until time.Time // of At; Until is the first moment that is left out
	Identity     string
}

// Whole reports whether nothing is left out.
func (r AuditRange) Whole() bool { return r == AuditRange{} }

// AuditExport says what an export holds.
type AuditExport struct {
	At         time.Time   `json:"at"`
	Since      *time.Time  `json:"since,omitempty"`
	Until      *time.Time  `json:"until,omitempty"`
	Identity   string      `json:"identity,omitempty"`
	Complete   bool        `json:"complete"`
	Base       []LaneHead  `json:"base"`                 // where the lanes begin
	Heads      []LaneHead  `json:"heads"`                // where they end
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"` // the newest
}

// ExportAudit reads a part of the audit trail as it is at one moment: each lane in its
// order, or all by time. before is the hash of the entry before. Memory is bounded.
func (s *Store) ExportAudit(ctx context.Context, r AuditRange, byTime bool, begin func(AuditExport) error, visit func(e AuditEntry, before []byte) error) error {
	return s.View(ctx, func(tx *Tx) error {
		head := AuditExport{At: tx.Now, Identity: r.Identity, Complete: r.Whole()}
		if !r.Since.IsZero() {
			head.Since = &r.Since
		}
		if !r.Until.IsZero() {
			head.Until = &r.Until
		}
		var err error
		if head.Base, head.Heads, err = tx.auditHeads(); err != nil {
			return err
		}
		last, found, err := tx.LastCheckpoint()
		if err != nil {
			return err
		}
		if found {
			head.Checkpoint = &last
		}
		if err := begin(head); err != nil {
			return err
		}
		first := map[int]LaneHead{}
		for _, h := range head.Base {
			first[h.Lane] = h
		}
		return tx.exportAudit(r, byTime, func(e AuditEntry, before []byte) error {
			if h := first[e.Lane]; h.Seq > 0 && h.Seq == e.Seq-1 { // the entry before is too old to be kept
				before = h.Hash
			}
			return visit(e, before)
		})
	})
}

func (t *Tx) exportAudit(r AuditRange, byTime bool, visit func(AuditEntry, []byte) error) error {
	where, args := `TRUE`, []any{}
	if !r.Since.IsZero() {
		where, args = where+` AND a.at >= ?`, append(args, micros(r.Since))
	}
	if !r.Until.IsZero() {
		where, args = where+` AND a.at < ?`, append(args, micros(r.Until))
	}
	if r.Identity != "" {
		where, args = where+` AND a.identity_id = ?`, append(args, r.Identity)
	}
	order := `a.lane, a.seq`
	if byTime {
		order = `a.at, a.lane, a.seq`
	}
	rows, err := t.query(`SELECT a.lane, a.seq, a.at, a.actor, a.action, a.object, a.identity_id, a.data, a.hash, a.form, a.salt, a.data_hash, p.hash
FROM audit a LEFT JOIN audit p ON p.lane = a.lane AND p.seq = a.seq - 1 WHERE `+where+` ORDER BY `+order, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var before []byte
		e, err := scanAudit(rows, &before)
		if err != nil {
			return err
		}
		if err := visit(e, before); err != nil {
			return err
		}
	}
	return rows.Err()
}
