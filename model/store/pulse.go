package store

import "context"

// Pulse is a number that grows with everything that happens: how many audit entries
// there have been. Two equal ones say that nobody has anything new to look at.
func (s *Store) Pulse(ctx context.Context) (n int64, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT coalesce(sum(seq), 0) FROM audit_heads`).Scan(&n)
	})
	return n, err
}
