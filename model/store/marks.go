package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Mark says that an identity may differ from what was last worked out for it.
type Mark struct {
	Identity   string
	Generation int64
	Urgent     bool
	MarkedAt   time.Time
	Trace      string // of the last traced write that marked it, for telemetry.Resume; empty: none
}

// Mark marks identities in this transaction.
func (t *Tx) Mark(urgent bool, identities ...string) error {
	for _, p := range t.markPieces(identities, urgent) {
		if _, err := t.exec(p.text, p.args...); err != nil {
			return err
		}
	}
	return nil
}

// MarkTimed marks the identities whose moment has come: a start or an end date.
func (s *Store) MarkTimed(ctx context.Context, limit int) (int, error) {
	var ids []string
	due := false
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM identities WHERE next_at <= ?)`, tx.planned([]any{micros(tx.Now)})...).Scan(&due)
	})
	if err != nil || !due {
		return 0, err
	}
	err = s.Update(Urgently(ctx), func(tx *Tx) error {
		ids = nil
		skip := "" // who is being decided about is found the next time, if at all
		if tx.pg {
			skip = " FOR NO KEY UPDATE SKIP LOCKED"
		}
		if err := tx.db.Raw(`SELECT id FROM identities WHERE next_at <= ? ORDER BY next_at, id LIMIT ?`+skip, micros(tx.Now), limit).Scan(&ids).Error; err != nil {
			return err
		}
		for start := 0; start < len(ids); start += 500 {
			chunk := ids[start:min(start+500, len(ids))]
			if _, err := tx.exec(`UPDATE identities SET next_at = NULL WHERE id IN `+list(len(chunk)), anys(chunk)...); err != nil {
				return err
			}
		}
		return tx.Mark(true, ids...)
	})
	return len(ids), err
}

// ClaimMarks takes up to limit marks for as long as d, urgent ones first, the
// oldest before the newer. No two callers get the same mark at one time.
func (s *Store) ClaimMarks(ctx context.Context, limit int, d time.Duration) ([]Mark, error) {
	var out []Mark
	claim := func(tx *Tx) error {
		out = nil
		skip := ""
		if tx.pg {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		now := micros(tx.Now)
		// Materialised, or a plan might run the inner select more than once and claim too much.
		rows, err := tx.query(`WITH c AS MATERIALIZED (SELECT identity_id FROM marks WHERE leased_until <= ? ORDER BY urgent DESC, marked_at, identity_id LIMIT ?`+skip+`)
UPDATE marks SET leased_until = ? FROM c WHERE marks.identity_id = c.identity_id
RETURNING marks.identity_id, marks.generation, marks.urgent, marks.marked_at, marks.trace`, now, limit, micros(tx.Now.Add(d)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var m Mark
			var at int64
			if err := rows.Scan(&m.Identity, &m.Generation, &m.Urgent, &at, &m.Trace); err != nil {
				return err
			}
			m.MarkedAt = fromMicros(at)
			out = append(out, m)
		}
		return rows.Err()
	}
	err := s.Update(Urgently(ctx), claim)
	slices.SortFunc(out, func(a, b Mark) int {
		if a.Urgent != b.Urgent {
			return map[bool]int{true: -1, false: 1}[a.Urgent]
		}
		return cmp.Or(a.MarkedAt.Compare(b.MarkedAt), cmp.Compare(a.Identity, b.Identity))
	})
	return out, err
}

// Unmark clears the mark if its generation is still the one worked on; otherwise
// it only ends the claim, so that the identity is worked on again.
func (t *Tx) Unmark(m Mark) error {
	n, err := t.exec(`DELETE FROM marks WHERE identity_id = ? AND generation = ?`, m.Identity, m.Generation)
	if err != nil || n == 1 {
		return err
	}
	_, err = t.exec(`UPDATE marks SET leased_until = 0 WHERE identity_id = ?`, m.Identity)
	return err
}

// Postpone keeps the marks of identities and lets nobody take them before a moment.
func (t *Tx) Postpone(identities []string, until time.Time) error {
	if len(identities) == 0 {
		return nil
	}
	_, err := t.exec(`UPDATE marks SET leased_until = ? WHERE identity_id IN `+list(len(identities)), append([]any{micros(until)}, anys(identities)...)...)
	return err
}

// Reclaim frees what an earlier process held when it ended without giving it back:
// claims on marks and sweeps, and leases on targets. It does so on SQLite alone, whose file one
// process serves; on PostgreSQL they may be another replica's, and run out by
// themselves.
func (s *Store) Reclaim(ctx context.Context) error {
	if s.pg {
		return nil
	}
	return s.Update(ctx, func(tx *Tx) error {
		for _, table := range []string{"marks", "sweeps"} {
			if _, err := tx.exec(`UPDATE ` + table + ` SET leased_until = 0 WHERE leased_until > 0`); err != nil {
				return err
			}
		}
		_, err := tx.exec(`UPDATE targets SET holder = '', leased_until = 0 WHERE holder <> ''`)
		return err
	})
}

// MarkMembers marks the people who are in a group now, directly or by way of groups
// that it lists. Until the transaction ends none of these groups changes: somebody who
// joins meanwhile would be in a group that is about to go, or to come, and unmarked.
func (t *Tx) MarkMembers(group string) error {
	if err := t.holdBelow(group); err != nil {
		return err
	}
	column, value, conflict, trace := traceColumn(t.carried())
	if value != "" {
		value = ", CAST(? AS text)"
	}
	_, err := t.exec(`INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until`+column+`) `+membersBelow(t.pg)+joins(t.pg, `
SELECT DISTINCT r.identity_id, CAST(? AS bigint), FALSE, CAST(? AS bigint), 0`+value+` FROM down JOIN resources r ON r.id = down.id AND r.source = down.source WHERE r.identity_id <> '' ORDER BY 1
ON CONFLICT (identity_id) DO UPDATE SET generation = CASE WHEN excluded.generation > marks.generation THEN excluded.generation ELSE marks.generation + 1 END`+conflict), append([]any{group, micros(t.Now), micros(t.Now)}, trace...)...)
	return err
}

// holdBelow waits for changes of the groups below one, and keeps others out. On SQLite
// there is one writer anyway.
func (t *Tx) holdBelow(group string) error {
	if !t.pg {
		return nil
	}
	_, err := t.exec(membersBelow(true)+`
SELECT g.id FROM resources g WHERE g.kind = 'Group' AND g.id = ANY(ARRAY(SELECT id FROM down)) ORDER BY g.id FOR KEY SHARE`, group)
	return err
}

// TimedNow counts the identities whose moment has come and that are not marked yet.
func (t *Tx) TimedNow() (n int, err error) {
	err = t.row(`SELECT count(*) FROM identities WHERE next_at <= ?`, micros(t.Now)).Scan(&n)
	return n, err
}
