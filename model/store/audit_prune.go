package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// pruneBatch is how many entries one transaction takes away at most.
const pruneBatch = 2000

// PruneAudit takes away entries that are older than before, a batch of the oldest,
// and notes where each lane begins now, in the lanes' heads and in an entry, so that
// the rest still verifies. more says that there is more to take. Of the histories of
// people and accounts it takes what was over before that moment.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) (entries int64, more bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		entries, more, err = tx.pruneAudit(before)
		return err
	})
	return entries, more, err
}

func (t *Tx) pruneAudit(before time.Time) (entries int64, more bool, err error) {
	if t.pg {
		if _, err := t.exec(`SELECT pg_advisory_xact_lock(7266223013)`); err != nil {
			return 0, false, err
		}
	}
	// All lanes go forward in time together, so that the entry that says why another
	// one was erased is never taken before it.
	cut := micros(before)
	var n int64
	if err := t.row(`SELECT count(*), coalesce(max(at), 0) FROM (SELECT at FROM audit WHERE at < ? ORDER BY at LIMIT ?) x`, cut, pruneBatch).Scan(&n, &cut); err != nil || n == 0 {
		return 0, false, err
	}
	for lane := range lanes {
		taken, err := t.pruneLane(lane, cut)
		if err != nil {
			return 0, false, err
		}
		entries += taken
	}
	if entries == 0 {
		return 0, false, nil // an entry that is younger stands before all of them
	}
	histories, err := t.pruneHistories(cut)
	if err != nil {
		return 0, false, err
	}
	base, _, err := t.auditHeads()
	if err != nil {
		return 0, false, err
	}
	body, err := json.Marshal(map[string]any{"entries": entries, "histories": histories, "before": before, "lanes": base})
	if err != nil {
		return 0, false, err
	}
	return entries, n == pruneBatch, t.Audit(AuditEntry{Actor: "hub", Action: actionPrune, Object: "audit", Data: body})
}

// pruneLane takes away the beginning of a lane, up to the first entry that is younger.
func (t *Tx) pruneLane(lane int, cut int64) (int64, error) {
	if _, err := t.exec(`UPDATE audit_heads SET lane = lane WHERE lane = ?`, lane); err != nil { // whoever appends waits, or we do
		return 0, err
	}
	var last *int64
	err := t.row(`SELECT max(seq) FROM audit WHERE lane = ? AND seq < coalesce((SELECT min(seq) FROM audit WHERE lane = ? AND at > ?), 9223372036854775807)`, lane, lane, cut).Scan(&last)
	if err != nil || last == nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE audit_heads SET base_seq = ?, base_hash = (SELECT hash FROM audit WHERE lane = ? AND seq = ?) WHERE lane = ?`, *last, lane, *last, lane); err != nil {
		return 0, err
	}
	n, err := t.exec(`DELETE FROM audit WHERE lane = ? AND seq <= ?`, lane, *last)
	if err != nil {
		return 0, fmt.Errorf("prune lane %d: %w", lane, err)
	}
	return n, nil
}

// pruneHistories takes away versions that another one had replaced by then.
func (t *Tx) pruneHistories(cut int64) (int64, error) {
	people, err := t.exec(`DELETE FROM identity_history WHERE at < ? AND at < (SELECT max(l.at) FROM identity_history l WHERE l.identity_id = identity_history.identity_id AND l.at <= ?)`, cut, cut)
	if err != nil {
		return 0, err
	}
	accounts, err := t.exec(`DELETE FROM account_history WHERE at < ? AND at < (SELECT max(l.at) FROM account_history l WHERE l.identity_id = account_history.identity_id AND l.target = account_history.target AND l.at <= ?)`, cut, cut)
	return people + accounts, err
}
