package store

import (
	"context"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// AccountFilter narrows a list of accounts at a target; empty fields do not.
type AccountFilter struct {
	State model.AccountState
	Class string // of the last error
	After string // identity, of the last account of the previous page
	Limit int
}

// AccountPage lists accounts of a target, in order of identity.
func (s *Store) AccountPage(ctx context.Context, target string, f AccountFilter) ([]model.AccountRow, error) {
	q := s.read.WithContext(ctx).Where("target = ? AND identity_id > ?", target, f.After)
	if f.State != "" {
		q = q.Where("state = ?", string(f.State))
	}
	if f.Class != "" {
		q = q.Where("error_class = ? AND error_class <> ''", f.Class)
	}
	var rows []accountRow
	if err := q.Order("identity_id").Limit(f.Limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// GroupFilter narrows a list of groups at a target; empty fields do not.
type GroupFilter struct {
	Prefix string // of the name, whatever the case
	State  string
	After  string // name of the last group of the previous page
	Limit  int
}

// GroupPage lists groups of a target with what grants them, by name.
func (s *Store) GroupPage(ctx context.Context, target string, f GroupFilter) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		q := tx.db.Where("target = ? AND name > ?", target, f.After).Order("name").Limit(f.Limit)
		if folded := scim.Fold(f.Prefix); folded != "" {
			q = q.Where("fold >= ? AND fold < ?", folded, folded+"\U0010FFFF")
		}
		if f.State != "" {
			q = q.Where("state = ?", f.State)
		}
		out, err = tx.groupsAt(target, q)
		return err
	})
	return out, err
}

// MoreAccounts reports whether a target has more accounts than that.
func (s *Store) MoreAccounts(ctx context.Context, target string, than int) (more bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		var n int
		if err := tx.row(`SELECT count(*) FROM (SELECT 1 FROM accounts WHERE target = ? LIMIT ?) x`, target, than+1).Scan(&n); err != nil {
			return err
		}
		more = n > than
		return nil
	})
	return more, err
}
