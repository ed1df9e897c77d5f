package store

import (
	"context"
	"time"
)

// HeldLeaver is somebody who left and whose accounts stay, because more people left
// at the source than its guard allows.
type HeldLeaver struct {
	ID     string    `json:"id"`
	Name   string    `json:"userName"`
	LeftAt time.Time `json:"left_at"`
}

// HeldLeavers lists those whom the guard of a source holds, in order of id, and locks
// them.
func (t *Tx) HeldLeavers(source string) ([]HeldLeaver, error) {
	if t.pg {
		return t.heldLeavers(source, " FOR UPDATE")
	}
	return t.heldLeavers(source, "")
}

func (t *Tx) heldLeavers(source, lock string) ([]HeldLeaver, error) {
	rows, err := t.query(`SELECT id, name, left_at FROM identities WHERE left_source = ? AND left_at IS NOT NULL AND over_guard ORDER BY id`+lock, source)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []HeldLeaver
	for rows.Next() {
		var h HeldLeaver
		var at int64
		if err := rows.Scan(&h.ID, &h.Name, &at); err != nil {
			return nil, err
		}
		h.LeftAt = fromMicros(at)
		out = append(out, h)
	}
	return out, rows.Err()
}

// ReleaseLeavers lets go of people whom their source's guard holds, and marks them.
func (t *Tx) ReleaseLeavers(ids []string) error {
	for start := 0; start < len(ids); start += 500 {
		chunk := ids[start:min(start+500, len(ids))]
		if _, err := t.exec(`UPDATE identities SET over_guard = FALSE WHERE id IN `+list(len(chunk)), anys(chunk)...); err != nil {
			return err
		}
	}
	return t.Mark(true, ids...)
}

// HeldLeavers is Tx.HeldLeavers outside of a transaction, without locks.
func (s *Store) HeldLeavers(ctx context.Context, source string) (out []HeldLeaver, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.heldLeavers(source, "")
		return err
	})
	return out, err
}
