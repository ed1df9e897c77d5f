package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/scimhub/scimhub/model"
)

// Doubt adds to what was sent and not heard of, by identity: this replica did so when it
// had lost the lease already, so that the outcomes could not be stored. The accounts are
// due at once and read again before they are compared. Facts stay as they are.
func (s *Store) Doubt(ctx context.Context, target string, sent map[string][]model.Account) error {
	return s.Update(ctx, func(tx *Tx) error {
		for _, id := range slices.Sorted(maps.Keys(sent)) {
			if err := tx.doubt(target, id, sent[id]); err != nil {
				return fmt.Errorf("account %s at %s: %w", id, target, err)
			}
		}
		return tx.noteAccounts(target, slices.Sorted(maps.Keys(sent)))
	})
}

func (t *Tx) doubt(target, identity string, sent []model.Account) error {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	var before *string
	switch err := t.row(`SELECT sent FROM accounts WHERE target = ? AND identity_id = ?`+lock, target, identity).Scan(&before); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	have, err := decodeSent(before)
	if err != nil {
		return err
	}
	text, err := encodeSent(append(have, sent...))
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE accounts SET sent = ?, sent_at = ?, due = TRUE, state = ?, next_at = ?,
owned = CASE WHEN owned = '' AND remote_id = '' AND applied IS NULL THEN ? ELSE owned END WHERE target = ? AND identity_id = ?`,
		text, micros(t.Now), string(model.StatePending), micros(t.Now), model.OwnedCreating, target, identity)
	return err
}
