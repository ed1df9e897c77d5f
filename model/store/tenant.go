package store

// NewTenant forgets what is known by id at a target, because its URL leads to another
// tenant now: everybody who is due there is looked up and made anew. base is the host
// and path that ids are learnt at from now on.
func (t *Tx) NewTenant(target, base string) error {
	for _, s := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM accounts WHERE target = ? AND substr(identity_id, 1, 1) = CAST(? AS text)`, []any{target, "?"}},
		{`UPDATE accounts SET remote_id = '', owned = '', applied = NULL, observed = NULL, sent = NULL, former_id = '', gone_at = NULL, enabled = FALSE, disabled_at = NULL,
verified_at = NULL, drift = '', state = CASE WHEN desired IS NULL THEN 'deleted' ELSE 'pending' END, due = (desired IS NOT NULL), next_at = ?, generation = generation + 1,
attempts = 0, last_error = '', error_class = '', updated_at = ? WHERE target = ?`, []any{micros(t.Now), micros(t.Now), target}},
		{`UPDATE target_groups SET remote_id = '', owned = '', applied = '', former = '[]', state = 'pending', due = wanted, next_at = ?, last_error = '', error_class = '' WHERE target = ?`,
			[]any{micros(t.Now), target}},
		{`DELETE FROM drift_found WHERE target = ?`, []any{target}},
		{`DELETE FROM drift_progress WHERE target = ?`, []any{target}},
		{`DELETE FROM drift_members WHERE target = ?`, []any{target}},
		{`DELETE FROM drift_deleted WHERE target = ?`, []any{target}},
		{`UPDATE account_references SET remote_id = '' WHERE target = ?`, []any{target}},
	} {
		if _, err := t.exec(s.text, s.args...); err != nil {
			return err
		}
	}
	if err := t.UpdateTargetState(target, func(st *TargetState) { st.Base, st.Moved, st.Doubts = base, nil, nil }); err != nil {
		return err
	}
	ids, err := t.texts(`SELECT identity_id FROM accounts WHERE target = ? ORDER BY identity_id`, target)
	if err != nil {
		return err
	}
	return t.noteAccounts(target, ids)
}

// TenantReleased forgets the ids of a target where digest names the change of its URL
// that waits; false where it names something else.
func (t *Tx) TenantReleased(target, digest string) (m Moved, ok bool, err error) {
	st := TargetState{}
	if err := t.targetState(target, &st, ""); err != nil || st.Moved == nil || st.Moved.Digest != digest {
		return m, false, err
	}
	return *st.Moved, true, t.NewTenant(target, st.Moved.To)
}
