package store

import "context"

// Holders counts who holds each of some roles now, each up to a most: of more it is only
// said that they are more.
func (s *Store) Holders(ctx context.Context, most int, roles ...string) (map[string]int, error) {
	out := map[string]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		for _, role := range roles {
			n, err := tx.CountHolders(most, role)
			if err != nil {
				return err
			}
			out[role] = n
		}
		return nil
	})
	return out, err
}

// CountHolders counts who holds a role now, up to a most: of more it gives one more.
func (t *Tx) CountHolders(most int, role string) (n int, err error) {
	err = t.row(`SELECT count(*) FROM (SELECT 1 FROM grants WHERE role = ? AND ended_at IS NULL LIMIT ?) AS held`, role, most+1).Scan(&n)
	return n, err
}
