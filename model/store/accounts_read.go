package store

import (
	"context"

	"github.com/scimhub/scimhub/model"
)

// accountColumns are those of accountRow, in the order of accountRow.into.
const accountColumns = `target, identity_id, user_name, remote_id, owned, desired, applied, observed, sent, because, invited, transferred_at, leaver, leaver_at, leaver_held, drill,
state, drift, due, enabled, disabled_at, generation, attempts, next_at, last_error, error_class, verified_at, updated_at, sent_at, creating_at, former_id, gone_at, trace`

func (r *accountRow) into() []any {
	return []any{&r.Target, &r.IdentityID, &r.UserName, &r.RemoteID, &r.Owned, &r.Desired, &r.Applied, &r.Observed, &r.Sent, &r.Because, &r.Invited, &r.TransferredAt, &r.Leaver, &r.LeaverAt, &r.LeaverHeld, &r.Drill,
		&r.State, &r.Drift, &r.Due, &r.Enabled, &r.DisabledAt, &r.Generation, &r.Attempts, &r.NextAt, &r.LastError, &r.ErrorClass, &r.VerifiedAt, &r.UpdatedAt, &r.SentAt, &r.CreatingAt, &r.FormerID, &r.GoneAt, &r.Trace}
}

// accountsWhere reads accounts: what follows FROM accounts.
func (t *Tx) accountsWhere(rest string, args ...any) ([]model.AccountRow, error) {
	rows, err := t.query(`SELECT `+accountColumns+` FROM accounts `+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []model.AccountRow{}
	var r accountRow
	into := r.into()
	for rows.Next() {
		r = accountRow{}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		a, err := r.plain()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// accountsNow is accountsWhere without a transaction.
func (s *Store) accountsNow(ctx context.Context, rest string, args ...any) (out []model.AccountRow, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.accountsWhere(rest, args...)
		return err
	})
	return out, err
}
