package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// AccountHistory is one version of an account at a target: from At on, until the next.
type AccountHistory struct {
	Target     string
	Identity   string
	At         time.Time
	Desired    *model.Account // what was due; nil: nothing
	Applied    *model.Account // what the hub had written last; nil: nothing
	Because    map[string][]model.Reason
	Leaver     bool
	State      model.AccountState
	Drift      string
	ErrorClass string
	LastError  string
	VerifiedAt *time.Time
}

const accountHistoryColumns = `identity_id, target, at, desired, applied, because, leaver, state, drift, error_class, last_error, verified_at`

// sameAsDesired stands for an applied account that is the desired one.
const sameAsDesired = `CASE WHEN a.applied = a.desired THEN '=' ELSE a.applied END`

// noteAccounts appends the accounts of people at a target to the history, as they are
// now, where they differ from the last that is known of them.
func (t *Tx) noteAccounts(target string, identities []string) error {
	rows := newRowset("target text", "identity_id text")
	for _, id := range identities {
		rows.add(target, id)
	}
	return t.noteRows(rows)
}

// noteRows is noteAccounts of rows of target and identity_id.
func (t *Tx) noteRows(rows *rowset) error {
	now := micros(t.Now)
	// The last version of each is read by itself, in the order of the index: a plan that
	// joined the histories would read all of them where it takes them for few.
	last, first := `JOIN LATERAL (SELECT * FROM account_history h WHERE h.identity_id = a.identity_id AND h.target = a.target ORDER BY h.at DESC LIMIT 1) h ON TRUE`, `h.at IS NULL`
	if !t.pg {
		last = `JOIN account_history h ON h.identity_id = a.identity_id AND h.target = a.target AND h.at = (SELECT max(l.at) FROM account_history l WHERE l.identity_id = a.identity_id AND l.target = a.target)`
	}
	_, err := t.inRows(rows, `INSERT INTO account_history (`+accountHistoryColumns+`)
SELECT a.identity_id, a.target, CASE WHEN h.at > ? THEN h.at ELSE CAST(? AS bigint) END, a.desired, `+sameAsDesired+`, a.because, a.leaver, a.state, a.drift, a.error_class, a.last_error, a.verified_at
FROM v JOIN accounts a ON a.target = v.target AND a.identity_id = v.identity_id LEFT `+last+`
WHERE `+first+` OR NOT (h.desired IS NOT DISTINCT FROM a.desired AND h.applied IS NOT DISTINCT FROM (`+sameAsDesired+`) AND h.because = a.because
AND h.leaver = a.leaver AND h.state = a.state AND h.drift = a.drift AND h.error_class = a.error_class)
ON CONFLICT (identity_id, target, at) DO UPDATE SET desired = excluded.desired, applied = excluded.applied, because = excluded.because, leaver = excluded.leaver,
state = excluded.state, drift = excluded.drift, error_class = excluded.error_class, last_error = excluded.last_error, verified_at = excluded.verified_at`, now, now)
	if err != nil {
		return fmt.Errorf("account history: %w", err)
	}
	return nil
}

// AccountsAt are the accounts of a person as they were at a moment, by target.
func (t *Tx) AccountsAt(identity string, at time.Time) (out []AccountHistory, err error) {
	rows, err := t.query(`SELECT `+accountHistoryColumns+` FROM account_history h WHERE h.identity_id = ? AND h.at <= ?
AND h.at = (SELECT max(l.at) FROM account_history l WHERE l.identity_id = h.identity_id AND l.target = h.target AND l.at <= ?) ORDER BY h.target`, identity, micros(at), micros(at))
	if err != nil {
		return nil, err
	}
	return scanAccountHistory(rows)
}

// scanAccountHistory reads rows of accountHistoryColumns, and closes them.
func scanAccountHistory(rows *sql.Rows) (out []AccountHistory, err error) {
	defer rows.Close()
	for rows.Next() {
		var h AccountHistory
		var moment int64
		var desired, applied *string
		var because string
		var verified *int64
		if err := rows.Scan(&h.Identity, &h.Target, &moment, &desired, &applied, &because, &h.Leaver, &h.State, &h.Drift, &h.ErrorClass, &h.LastError, &verified); err != nil {
			return nil, err
		}
		if applied != nil && *applied == "=" {
			applied = desired
		}
		if h.Desired, err = decodeAccount(desired); err != nil {
			return nil, err
		}
		if h.Applied, err = decodeAccount(applied); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(because), &h.Because); err != nil {
			return nil, err
		}
		h.At, h.VerifiedAt = fromMicros(moment), timePtr(verified)
		out = append(out, h)
	}
	return out, rows.Err()
}
