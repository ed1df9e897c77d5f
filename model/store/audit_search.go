package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// AuditSearch is what of the audit trail is looked for. Texts are found anywhere in what
// they are compared with, in capitals or not.
type AuditSearch struct {
	Actor, Action, Object string    // empty: any
	Identities            []string  // nil: entries about anybody and nobody
	Since, Until          time.Time // zero: no limit; Until itself is in
	After                 string    // cursor of the page before
	Limit                 int
	// Look is how many entries are compared with the texts at most: there is no index for
	// them.
	Look int
}

// AuditFound is a page of what was found, the newest first.
type AuditFound struct {
	Entries []AuditEntry
	Next    string // cursor of the next page; it may be there where nothing was found yet
	// Reached is how far back was looked; zero: to the beginning of what was asked about.
	Reached time.Time
}

// FindAudit looks through the audit trail, from the newest entry to the oldest.
func (s *Store) FindAudit(ctx context.Context, q AuditSearch) (out AuditFound, err error) {
	where, args, err := q.span()
	if err != nil {
		return out, err
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		found, values := q.texts()
		var floor auditRow
		if len(found) > 0 {
			err := tx.row(`SELECT at, lane, seq FROM audit WHERE `+strings.Join(where, " AND ")+` ORDER BY at DESC, lane DESC, seq DESC LIMIT 1 OFFSET ?`,
				append(args, max(q.Look-1, 0))...).Scan(&floor.At, &floor.Lane, &floor.Seq)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("audit: %w", err)
			}
			if err == nil {
				where, args = append(where, "at >= ?", "(at, lane, seq) >= (?, ?, ?)"), append(args, floor.At, floor.At, floor.Lane, floor.Seq)
			}
		}
		where, args = append(where, found...), append(args, values...)
		var rows []auditRow
		err := tx.db.Where(strings.Join(where, " AND "), args...).Order("at DESC, lane DESC, seq DESC").Limit(q.Limit + 1).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		if len(rows) > q.Limit {
			rows = rows[:q.Limit]
			floor = rows[q.Limit-1]
		} else if floor.At != 0 {
			out.Reached = fromMicros(floor.At)
		}
		if floor.At != 0 {
			out.Next = fmt.Sprintf("%d.%d.%d", floor.At, floor.Lane, floor.Seq)
		}
		for _, r := range rows {
			out.Entries = append(out.Entries, r.entry())
		}
		return nil
	})
	return out, err
}

// span are the conditions for which there is an index.
func (q AuditSearch) span() (where []string, args []any, err error) {
	where = []string{"1 = 1"}
	if !q.Since.IsZero() {
		where, args = append(where, "at >= ?"), append(args, micros(q.Since))
	}
	if !q.Until.IsZero() {
		where, args = append(where, "at <= ?"), append(args, micros(q.Until))
	}
	if q.Identities != nil {
		where, args = append(where, "identity_id IN "+list(len(q.Identities))), append(args, anys(q.Identities)...)
	}
	if q.After != "" {
		var at, seq int64
		var lane int
		if _, err := fmt.Sscanf(q.After, "%d.%d.%d", &at, &lane, &seq); err != nil {
			return nil, nil, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
		}
		where, args = append(where, "at <= ?", "(at, lane, seq) < (?, ?, ?)"), append(args, at, at, lane, seq)
	}
	return where, args, nil
}

// texts are the conditions for which there is none.
func (q AuditSearch) texts() (where []string, args []any) {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	for _, t := range []struct{ column, text string }{{"actor", q.Actor}, {"action", q.Action}, {"object", q.Object}} {
		if t.text != "" {
			where, args = append(where, "lower("+t.column+`) LIKE lower(?) ESCAPE '\'`), append(args, "%"+escaped.Replace(t.text)+"%")
		}
	}
	return where, args
}
