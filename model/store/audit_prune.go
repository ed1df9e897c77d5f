package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// pruneAuditBatch is how many entries PruneAudit takes away at most.
const pruneAuditBatch = 2000

// auditLock is the advisory lock of whoever signs a checkpoint or shortens the trail.
const auditLock = `SELECT pg_advisory_xact_lock(7266223015)`

// PruneAudit takes away entries that are older than before, a batch of the oldest,
// and notes where each lane begins now, in the lanes' heads and in an entry, so that
// the rest still verifies. more says that there is more to take.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) (entries int64, more bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		entries, more, err = tx.pruneAudit(before, pruneAuditBatch)
		return err
	})
	return entries, more, err
}

func (t *Tx) pruneAudit(before time.Time, limit int) (entries int64, more bool, err error) {
	if t.pg {
		if _, err := t.exec(auditLock); err != nil {
			return 0, false, err
		}
	}
	// All lanes go forward in time together, so that the entry that says why another
	// one was erased is never taken before it.
	cut := micros(before)
	var n int
	if err := t.row(`SELECT count(*), coalesce(max(at), 0) FROM (SELECT at FROM audit WHERE at < ? ORDER BY at LIMIT ?) x`, t.planned([]any{cut, limit})...).Scan(&n, &cut); err != nil || n == 0 {
		return 0, false, err
	}
	begins := make([]LaneHead, 0, lanes)
	for lane := range lanes {
		taken, begin, err := t.pruneLane(lane, cut)
		if err != nil {
			return 0, false, err
		}
		if entries += taken; taken > 0 {
			begins = append(begins, begin)
		}
	}
	if entries == 0 {
		return 0, false, nil // an entry that is younger stands before all of them
	}
	for _, b := range begins { // last of all: whoever writes an entry waits from here on
		if _, err := t.exec(`UPDATE audit_heads SET base_seq = ?, base_hash = ? WHERE lane = ?`, b.Seq, b.Hash, b.Lane); err != nil {
			return 0, false, err
		}
	}
	base, _, err := t.auditHeads()
	if err != nil {
		return 0, false, err
	}
	body, err := json.Marshal(map[string]any{"entries": entries, "before": before, "lanes": base})
	if err != nil {
		return 0, false, err
	}
	return entries, n == limit, t.Audit(AuditEntry{Actor: "hub", Action: actionPrune, Object: "audit", Data: body})
}

// pruneLane takes away the beginning of a lane, up to the first entry that is younger,
// and tells behind which entry the lane begins then.
func (t *Tx) pruneLane(lane int, cut int64) (n int64, begin LaneHead, err error) {
	begin.Lane = lane
	var last *int64
	err = t.row(`SELECT max(seq) FROM audit WHERE lane = ? AND seq < coalesce((SELECT min(seq) FROM audit WHERE lane = ? AND at > ?), 9223372036854775807)`, lane, lane, cut).Scan(&last)
	if err != nil || last == nil {
		return 0, begin, err
	}
	begin.Seq = *last
	if err := t.row(`SELECT hash FROM audit WHERE lane = ? AND seq = ?`, lane, *last).Scan(&begin.Hash); err != nil {
		return 0, begin, err
	}
	if n, err = t.forgetAudit(lane, *last); err != nil {
		return 0, begin, fmt.Errorf("prune lane %d: %w", lane, err)
	}
	return n, begin, nil
}
