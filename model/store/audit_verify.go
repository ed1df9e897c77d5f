package store

import (
	"context"
	"database/sql"
	"fmt"
)

// VerifyAudit walks every lane and reports how many entries hold, and each place
// where an entry was changed, removed or added, or erased without a reason. Memory
// is bounded. It cannot show that somebody with access to the database has rewritten
// all of it: see VerifyCheckpoints.
func (s *Store) VerifyAudit(ctx context.Context) (checked int64, faults []AuditFault, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		checked, faults, err = tx.verifyAudit()
		return err
	})
	return checked, faults, err
}

func (t *Tx) verifyAudit() (checked int64, faults []AuditFault, err error) {
	c, heads, err := t.auditChain()
	if err != nil {
		return 0, nil, err
	}
	for lane := range lanes {
		if err := t.walkLane(lane, func(e AuditEntry) error { c.Add(e, nil); return nil }); err != nil {
			return c.Checked, nil, err
		}
	}
	faults, checked = c.End(heads), c.Checked
	stray, err := t.strayLanes()
	return checked, append(faults, stray...), err
}

// auditChain begins a check at the beginning of every lane; heads are the ends.
func (t *Tx) auditChain() (*AuditChain, []LaneHead, error) {
	base, heads, err := t.auditHeads()
	if err != nil {
		return nil, nil, err
	}
	c := NewAuditChain(base)
	for lane := range lanes {
		if _, ok := c.base[lane]; !ok {
			c.at[lane] = LaneHead{Lane: lane}
			c.fault(lane, 0, "the head of the lane is missing")
		}
	}
	return c, heads, nil
}

// auditHeads are the places where the lanes begin, and where they end.
func (t *Tx) auditHeads() (base, heads []LaneHead, err error) {
	rows, err := t.query(`SELECT lane, seq, hash, base_seq, base_hash FROM audit_heads ORDER BY lane`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h, b LaneHead
		if err := rows.Scan(&h.Lane, &h.Seq, &h.Hash, &b.Seq, &b.Hash); err != nil {
			return nil, nil, err
		}
		b.Lane = h.Lane
		base, heads = append(base, b), append(heads, h)
	}
	return base, heads, rows.Err()
}

const auditColumns = `lane, seq, at, actor, action, object, identity_id, data, hash, form, salt, data_hash`

// walkLane reads a lane from its beginning.
func (t *Tx) walkLane(lane int, visit func(AuditEntry) error) error {
	rows, err := t.query(`SELECT `+auditColumns+` FROM audit WHERE lane = ? ORDER BY seq`, lane)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return err
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanAudit(rows *sql.Rows, more ...any) (AuditEntry, error) {
	var r auditRow
	into := append([]any{&r.Lane, &r.Seq, &r.At, &r.Actor, &r.Action, &r.Object, &r.IdentityID, &r.Data, &r.Hash, &r.Form, &r.Salt, &r.DataHash}, more...)
	err := rows.Scan(into...)
	return r.entry(), err
}

// strayLanes finds entries in lanes that nobody writes.
func (t *Tx) strayLanes() (faults []AuditFault, err error) {
	rows, err := t.query(`SELECT lane, min(seq), count(*) FROM audit WHERE lane < 0 OR lane >= ? GROUP BY lane ORDER BY lane`, lanes)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f AuditFault
		var n int64
		if err := rows.Scan(&f.Lane, &f.Seq, &n); err != nil {
			return faults, err
		}
		f.Message = fmt.Sprintf("%d entries were added in a lane that does not exist", n)
		faults = append(faults, f)
	}
	return faults, rows.Err()
}
