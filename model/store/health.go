package store

import "context"

// AnyRemoteID is the id of some account that the hub made or adopted at a target, to ask
// the target for; known is false where there is none.
func (s *Store) AnyRemoteID(ctx context.Context, target string) (id string, known bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		ids, err := tx.texts(`SELECT remote_id FROM accounts WHERE target = ? AND remote_id <> '' AND owned IN ('created', 'adopted') ORDER BY remote_id LIMIT 1`, target)
		if err == nil && len(ids) > 0 {
			id, known = ids[0], true
		}
		return err
	})
	return id, known, err
}
