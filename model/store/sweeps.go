package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
)

// SweepChunk is the next people of a sweep, held by whoever claimed them.
type SweepChunk struct {
	Version int64 // of the configuration that is swept for
	IDs     []string
	Started time.Time // of the sweep
	Last    bool      // there is nobody after these

	after, holder string
}

// startSweep makes everybody be looked at under a version, from the beginning.
func (t *Tx) startSweep(version int64) error {
	_, err := t.exec(`INSERT INTO sweeps (id, version, done_to, started_at, holder, leased_until) VALUES (1, ?, '', ?, '', 0)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, done_to = '', started_at = excluded.started_at, holder = '', leased_until = 0`, version, micros(t.Now))
	return err
}

// ClaimSweep takes the next people of the sweep for a version, for as long as d; ok
// is false where there is none, or somebody else works on it. The marks of these
// people are raised: who works on one of them under an older version while they are
// looked at does not clear it.
func (s *Store) ClaimSweep(ctx context.Context, version int64, limit int, d time.Duration) (c SweepChunk, ok bool, err error) {
	// Most of the time there is no sweep: do not open a transaction that writes for that.
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM sweeps WHERE version = ? AND leased_until <= ?)`, version, micros(tx.Now)).Scan(&ok)
	})
	if err != nil || !ok {
		return c, false, err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		c, ok, err = tx.claimSweep(version, limit, d)
		return err
	})
	return c, ok && err == nil, err
}

func (t *Tx) claimSweep(version int64, limit int, d time.Duration) (c SweepChunk, ok bool, err error) {
	skip := ""
	if t.pg {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	var started int64
	err = t.row(`SELECT done_to, started_at FROM sweeps WHERE version = ? AND leased_until <= ?`+skip, version, micros(t.Now)).Scan(&c.after, &started)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	c.Version, c.Started, c.holder = version, fromMicros(started), uuid.NewString()
	if c.IDs, err = t.texts(`SELECT id FROM identities WHERE id > ? AND erased_at IS NULL ORDER BY id LIMIT ?`, c.after, limit); err != nil {
		return c, false, err
	}
	c.Last = len(c.IDs) < limit
	if n := len(c.IDs); n > 0 {
		if _, err := t.exec(`UPDATE marks SET generation = generation + 1 WHERE identity_id > ? AND identity_id <= ?`, c.after, c.IDs[n-1]); err != nil {
			return c, false, err
		}
	}
	_, err = t.exec(`UPDATE sweeps SET holder = ?, leased_until = ?`, c.holder, micros(t.Now.Add(d)))
	return c, true, err
}

// EndSweepChunk marks those of the chunk's people who are to be worked on, and moves
// the sweep past the chunk, in one transaction. Nothing happens where the chunk is
// somebody else's by now, or the sweep began again.
func (s *Store) EndSweepChunk(ctx context.Context, c SweepChunk, differ []string) error {
	return s.Update(ctx, func(tx *Tx) error {
		moved := `UPDATE sweeps SET done_to = ?, holder = '', leased_until = 0 WHERE version = ? AND holder = ?`
		to := c.after
		if n := len(c.IDs); n > 0 {
			to = c.IDs[n-1]
		}
		n, err := tx.exec(moved, to, c.Version, c.holder)
		if err != nil || n == 0 {
			return err
		}
		if c.Last {
			if _, err := tx.exec(`DELETE FROM sweeps WHERE version = ?`, c.Version); err != nil {
				return err
			}
		}
		tx.Now = c.Started // what a change of the configuration brings about came with that change
		return tx.Mark(false, differ...)
	})
}

// Marks counts the people to be worked on, those whom a sweep still has to look at
// among them, and gives the time since when; nil if there is nobody.
func (s *Store) Marks(ctx context.Context) (n int, oldest *time.Time, err error) {
	var at, began *int64
	var doneTo *string
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*), min(marked_at), (SELECT done_to FROM sweeps), (SELECT started_at FROM sweeps) FROM marks`).Scan(&n, &at, &doneTo, &began)
	})
	if err != nil || doneTo == nil {
		return n, timePtr(at), err
	}
	var left int
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM identities WHERE id > ? AND erased_at IS NULL`, *doneTo).Scan(&left)
	})
	if left > 0 && (at == nil || *began < *at) {
		at = began
	}
	return n + left, timePtr(at), err
}
