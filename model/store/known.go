package store

import (
	"context"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// AccountsBeingMade lists the accounts of these user names whose creation had begun when
// they were last heard of.
func (s *Store) AccountsBeingMade(ctx context.Context, target string, userNames []string) ([]model.AccountRow, error) {
	var out []model.AccountRow
	for chunk := range slices.Chunk(userNames, 500) {
		var rows []accountRow
		err := s.read.WithContext(ctx).Where("target = ? AND owned = 'creating' AND user_name IN ?", target, chunk).Order("identity_id").Find(&rows).Error
		if err != nil {
			return nil, err
		}
		plain, err := plainAll(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, plain...)
	}
	return out, nil
}

// Canaries lists a few accounts of a target that the hub made or took over, that
// were there when they were last seen, and that have not been written since a moment.
func (s *Store) Canaries(ctx context.Context, target string, since time.Time, limit int) ([]model.AccountRow, error) {
	var rows []accountRow
	err := s.read.WithContext(ctx).Where("target = ? AND remote_id <> '' AND applied IS NOT NULL AND owned <> '' AND drift <> 'missing' AND updated_at <= ?", target, micros(since)).
		Order("remote_id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// WithdrawIntent takes back that an account may have been made: the target has answered
// that it exists already. sent is what remains unheard of. Where somebody has decided
// anew meanwhile nothing changes; what was withdrawn is then found out again.
func (s *Store) WithdrawIntent(ctx context.Context, target string, i Intent) error {
	sent, err := encodeSent(i.Sent)
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE accounts SET owned = '', sent = ? WHERE target = ? AND identity_id = ? AND generation = ? AND owned = 'creating'`,
			sent, target, i.Identity, i.Generation)
		return err
	})
}
