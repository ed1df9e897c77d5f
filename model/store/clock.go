package store

import (
	"context"
	"time"
)

// clockSlack is how far clocks of replicas may differ; claimLimit is longer than
// anything is ever claimed or leased for.
const (
	clockSlack = time.Minute
	claimLimit = 10 * time.Minute
)

// SetBack puts right what a clock that was ahead has left behind, after it has been
// set back: people who were evaluated at a moment that is still to come are marked, for
// dates may not have come yet that had then; claims and leases that would last until
// that moment end. It returns how many people were marked.
func (s *Store) SetBack(ctx context.Context) (n int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		limit := micros(tx.Now.Add(claimLimit))
		if _, err := tx.exec(`UPDATE marks SET leased_until = 0 WHERE leased_until > ?`, limit); err != nil {
			return err
		}
		if _, err := tx.exec(`UPDATE targets SET holder = '', leased_until = 0 WHERE leased_until > ?`, limit); err != nil {
			return err
		}
		n, err = tx.exec(`INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until)
SELECT id, CAST(? AS bigint), FALSE, CAST(? AS bigint), 0 FROM identities WHERE evaluated_at > ? AND erased_at IS NULL ORDER BY id
ON CONFLICT (identity_id) DO UPDATE SET generation = CASE WHEN excluded.generation > marks.generation THEN excluded.generation ELSE marks.generation + 1 END`,
			micros(tx.Now), micros(tx.Now), micros(tx.Now.Add(clockSlack)))
		return err
	})
	return n, err
}
