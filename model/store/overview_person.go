package store

import "context"

// Around is whom a person belongs with.
type Around struct {
	ManagerID   string // empty: none, or not found
	ManagerName string
	Reports     int // people whose manager this is, no more than were asked for
}

// Around reads it; reports are not counted beyond most.
func (t *Tx) Around(id string, most int) (out Around, err error) {
	// The id is given again, not taken from the row: its column has another collation than
	// that of managers, and no index serves a comparison of the two.
	err = t.row(`SELECT i.manager_id, coalesce(m.name, ''), (SELECT count(*) FROM (SELECT 1 FROM identities r WHERE r.manager_id = ? AND r.manager_id <> '' LIMIT ?) AS x)
FROM identities i LEFT JOIN identities m ON m.id = i.manager_id AND i.manager_id <> '' WHERE i.id = ?`, id, most, id).Scan(&out.ManagerID, &out.ManagerName, &out.Reports)
	return out, err
}

// LastEvents are the newest lines of a person's timeline, the newest first.
func (s *Store) LastEvents(ctx context.Context, identity string, limit int) (out []TimelineEvent, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.events(`identity_id = ? ORDER BY id DESC LIMIT ?`, identity, limit)
		return err
	})
	return out, err
}
