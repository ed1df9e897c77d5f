package store

import (
	"slices"

	"github.com/scimhub/scimhub/model"
)

// MoveAccounts gives the accounts of one identity to another, at each target where
// that one has none; the remote account goes on as it is. Where both have one each
// keeps its own. It returns the targets, sorted.
func (t *Tx) MoveAccounts(from, to string) (moved []string, err error) {
	mine, theirs, err := t.accountsOfBoth(from, to)
	if err != nil {
		return nil, err
	}
	for target, a := range mine {
		other, exists := theirs[target]
		if !somethingThere(a) || exists && somethingThere(other) {
			continue
		}
		if err := t.moveAccount(a, other, to); err != nil {
			return nil, err
		}
		moved = append(moved, target)
		if a.RemoteID == "" {
			continue
		}
		_, err := t.exec(`INSERT INTO linked_accounts (identity_id, target, remote_id, at) VALUES (?,?,?,?) ON CONFLICT (identity_id, target) DO UPDATE SET remote_id = excluded.remote_id, at = excluded.at`,
			from, target, a.RemoteID, micros(t.Now))
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(moved)
	return moved, nil
}

// ReturnAccounts gives back the accounts that came from one identity to another by
// links, as long as that one still has them.
func (t *Tx) ReturnAccounts(to, holder string) (moved []string, err error) {
	mine, theirs, err := t.accountsOfBoth(to, holder)
	if err != nil {
		return nil, err
	}
	came, err := t.cameFrom(to)
	if err != nil {
		return nil, err
	}
	for target, a := range theirs {
		other, exists := mine[target]
		if a.RemoteID == "" || came[target] != a.RemoteID || exists && somethingThere(other) {
			continue
		}
		if err := t.moveAccount(a, other, to); err != nil {
			return nil, err
		}
		moved = append(moved, target)
	}
	slices.Sort(moved)
	_, err = t.exec(`DELETE FROM linked_accounts WHERE identity_id = ?`, to)
	return moved, err
}

// cameFrom lists the accounts that were an identity's before it was linked: target ->
// remote id.
func (t *Tx) cameFrom(identity string) (map[string]string, error) {
	return t.byText(`SELECT target, remote_id FROM linked_accounts WHERE identity_id = ?`, identity)
}

// accountsOfBoth reads and locks the accounts of two identities, by target.
func (t *Tx) accountsOfBoth(one, two string) (ofOne, ofTwo map[string]model.AccountRow, err error) {
	if t.pg {
		if _, err := t.texts(`SELECT target FROM accounts WHERE identity_id IN (?,?) ORDER BY identity_id, target FOR UPDATE`, one, two); err != nil {
			return nil, nil, err
		}
	}
	rows, err := t.AccountsOf([]string{one, two})
	ofOne, ofTwo = map[string]model.AccountRow{}, map[string]model.AccountRow{}
	for _, a := range rows {
		if a.Identity == one {
			ofOne[a.Target] = a
		} else {
			ofTwo[a.Target] = a
		}
	}
	return ofOne, ofTwo, err
}

// somethingThere reports whether there is something at the target, or may be.
func somethingThere(a model.AccountRow) bool {
	return a.Applied != nil || a.Owned != "" || a.RemoteID != "" || len(a.Sent) > 0
}

// moveAccount gives a row another identity, whose own row, if it has one, says that
// nothing is there. The generation grows beyond both: work on either that is under way
// is stored no more, and a release given for either is over. What may have been sent
// stays in the row, so that the account is found and read again as after a crash.
//
// What was wanted for the former owner is nobody's wish any more, and may have been the
// removal of the account: nothing is done at the target before it is worked out what the
// new owner should have, however long that takes or fails. The row says that it is held
// though nobody leaves, which no evaluation takes for what it would write itself.
func (t *Tx) moveAccount(a, other model.AccountRow, to string) error {
	if _, err := t.exec(`DELETE FROM accounts WHERE target = ? AND identity_id = ?`, a.Target, to); err != nil {
		return err
	}
	// Nobody has left: the urgent lane is not for this account any more.
	_, err := t.exec(`UPDATE accounts SET identity_id = ?, leaver = FALSE, leaver_at = NULL, leaver_held = TRUE, drill = FALSE, due = FALSE, generation = ?, attempts = 0, next_at = ?, updated_at = ? WHERE target = ? AND identity_id = ?`,
		to, max(a.Generation, other.Generation)+1, micros(t.Now), micros(t.Now), a.Target, a.Identity)
	if err != nil {
		return err
	}
	if err := t.noteGone(a.Target, a.Identity); err != nil {
		return err
	}
	if err := t.dropTasks(a.Target, a.Identity, to); err != nil {
		return err
	}
	return t.noteAccounts(a.Target, []string{to})
}

// noteGone says in the history that somebody has no account at a target any more.
func (t *Tx) noteGone(target, identity string) error {
	now := micros(t.Now)
	_, err := t.exec(`INSERT INTO account_history (`+accountHistoryColumns+`)
SELECT CAST(? AS text), CAST(? AS text), x.at, NULL, NULL, '{}', FALSE, CAST(? AS text), '', '', '', NULL FROM (SELECT `+latest+`account_history h WHERE h.identity_id = ? AND h.target = ?) AS at) x WHERE TRUE
ON CONFLICT (identity_id, target, at) DO UPDATE SET desired = NULL, applied = NULL, because = excluded.because, leaver = FALSE, state = excluded.state, drift = '', error_class = '', last_error = '', verified_at = NULL`,
		identity, target, string(model.StateDeleted), now, now, identity, target)
	return err
}
