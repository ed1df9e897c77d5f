package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// SweepProgress is how far a drift sweep of a target has come, so that another
// process goes on where one stopped.
type SweepProgress struct {
	Began   time.Time `json:"began"`
	Saved   time.Time `json:"saved"`
	Phase   string    `json:"phase"`
	Place   string    `json:"place,omitempty"` // where the phase goes on; empty: at its beginning
	Checked int       `json:"checked,omitempty"`
	Groups  []string  `json:"groups,omitempty"` // whose members were read
	Note    string    `json:"note,omitempty"`   // what could not be read, in words
	Gone    []string  `json:"gone,omitempty"`   // groups that are not there any more
	New     int       `json:"new,omitempty"`    // found for the first time
	Others  int       `json:"others,omitempty"` // accounts that look like somebody else's
}

// SweepProgress reads how far the sweep under way at a target has come; ok is false
// where there is none.
func (s *Store) SweepProgress(ctx context.Context, target string) (p SweepProgress, ok bool, err error) {
	var body string
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT body FROM drift_progress WHERE target = ?`, target).Scan(&body)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	return p, true, json.Unmarshal([]byte(body), &p)
}

// SaveSweepProgress keeps how far a sweep has come.
func (s *Store) SaveSweepProgress(ctx context.Context, target string, p SweepProgress) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.saveSweepProgress(target, p) })
}

func (t *Tx) saveSweepProgress(target string, p SweepProgress) error {
	p.Saved = t.Now
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO drift_progress (target, body) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET body = excluded.body`, target, string(body))
	return err
}

// ConfirmSweep believes what a sweep found: it counts as a sighting, and what it did
// not find any more is forgotten. p is the progress after that.
func (s *Store) ConfirmSweep(ctx context.Context, target string, p SweepProgress) error {
	return s.Update(ctx, func(tx *Tx) error {
		if _, err := tx.exec(`UPDATE drift_found SET sightings = sightings + 1 WHERE target = ? AND sweep = ?`, target, micros(p.Began)); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM drift_found WHERE target = ? AND sweep < ?`, target, micros(p.Began)); err != nil {
			return err
		}
		return tx.saveSweepProgress(target, p)
	})
}

// Sweep is what the last drift sweep of a target found, whatever was done about it.
type Sweep struct {
	At       time.Time      `json:"at"`      // when it began
	Ended    time.Time      `json:"ended"`   // when it was at its end
	Checked  int            `json:"checked"` // accounts the target showed
	Known    int            `json:"known"`   // accounts that the hub knows there
	Total    int            `json:"total"`   // differences, those beyond the list included
	Kinds    map[string]int `json:"kinds,omitempty"`
	By       string         `json:"by"`                // list, or id where the application's lists are not to be trusted
	Unknown  string         `json:"unknown,omitempty"` // why accounts that are nobody's cannot be seen
	Members  string         `json:"members,omitempty"` // why memberships cannot be seen
	Refused  string         `json:"refused,omitempty"` // why nothing was concluded; empty: it was
	Findings []Finding      `json:"findings,omitempty"`
}

// EndSweep keeps what a sweep found in place of the one before, and ends it. Where it
// was refused, what was found for the first time and may be the target's lie is
// forgotten.
func (s *Store) EndSweep(ctx context.Context, target string, sweep Sweep) error {
	sweep.Findings = nil // in rows of their own
	body, err := json.Marshal(sweep)
	if err != nil {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		if sweep.Refused != "" {
			if _, err := tx.exec(`DELETE FROM drift_found WHERE target = ? AND sweep = ? AND sightings = 0`, target, micros(sweep.At)); err != nil {
				return err
			}
		}
		for _, text := range []string{`DELETE FROM drift_members WHERE target = ?`, `DELETE FROM drift_progress WHERE target = ?`} {
			if _, err := tx.exec(text, target); err != nil {
				return err
			}
		}
		if _, err := tx.exec(`INSERT INTO targets (name, holder, leased_until, state) VALUES (?, '', 0, '{}') ON CONFLICT (name) DO NOTHING`, target); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE targets SET sweep = ? WHERE name = ?`, string(body), target)
		return err
	})
}

// lastFindings is how many findings come with the last sweep; Found lists all.
const lastFindings = 1000

// SweepSummary reads what the last sweep of a target was, without what it found in
// single; ok is false where there was none.
func (s *Store) SweepSummary(ctx context.Context, target string) (sweep Sweep, ok bool, err error) {
	var body string
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT sweep FROM targets WHERE name = ?`, target).Scan(&body)
	})
	if errors.Is(err, sql.ErrNoRows) || (err == nil && body == "") {
		return sweep, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &sweep)
	}
	sweep.Findings = nil
	return sweep, err == nil, err
}

// LastSweep is SweepSummary with the first of what was found; Found lists all.
func (s *Store) LastSweep(ctx context.Context, target string) (sweep Sweep, ok bool, err error) {
	if sweep, ok, err = s.SweepSummary(ctx, target); err != nil || !ok {
		return sweep, ok, err
	}
	sweep.Findings, _, err = s.Found(ctx, FoundFilter{Target: target, Limit: lastFindings})
	return sweep, err == nil, err
}

// KnownAccounts counts the accounts that the hub has at a target, and those of them
// that the sweep of a beginning saw.
func (s *Store) KnownAccounts(ctx context.Context, target string, began time.Time) (known, seen int, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*), coalesce(sum(CASE WHEN seen_at >= ? THEN 1 ELSE 0 END), 0) FROM accounts
WHERE target = ? AND remote_id <> '' AND applied IS NOT NULL AND (seen_at >= ? OR updated_at < ?)`, micros(began), target, micros(began), micros(began)).Scan(&known, &seen)
	})
	return known, seen, err
}

// UnseenAccounts lists accounts with an id at the target that the sweep of a beginning
// did not see, by identity, after one.
func (s *Store) UnseenAccounts(ctx context.Context, target string, began time.Time, after string, limit int) ([]model.AccountRow, error) {
	var rows []accountRow
	err := s.read.WithContext(ctx).Where("target = ? AND identity_id > ? AND remote_id <> '' AND seen_at < ?", target, after, micros(began)).Order("identity_id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// AwaitedAccounts lists accounts that are wanted, or were, and not known at the target
// yet, by identity, after one.
func (s *Store) AwaitedAccounts(ctx context.Context, target, after string, limit int) ([]model.AccountRow, error) {
	var rows []accountRow
	err := s.read.WithContext(ctx).Where("target = ? AND identity_id > ? AND applied IS NULL AND (desired IS NOT NULL OR observed IS NOT NULL)", target, after).Order("identity_id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// Witnesses are the ids of some accounts of the hub's, not that of an identity, that
// the target should show; with began those that the sweep of that beginning saw.
func (s *Store) Witnesses(ctx context.Context, target, identity string, began *time.Time, limit int) (ids []string, err error) {
	where, args := ``, []any{target, identity}
	if began != nil {
		where, args = ` AND seen_at >= ?`, append(args, micros(*began))
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		// Some applications do not show accounts that are switched off.
		for _, first := range []string{` AND state = 'in_sync'`, ``} {
			ids, err = tx.texts(`SELECT remote_id FROM accounts WHERE target = ? AND identity_id <> ? AND remote_id <> '' AND applied IS NOT NULL AND drift <> 'missing'`+where+first+` ORDER BY identity_id LIMIT ?`, append(slices.Clone(args), limit)...)
			if err != nil || len(ids) > 0 {
				return err
			}
		}
		return nil
	})
	return ids, err
}

// AccountsNamed lists the accounts of identities at a target, strangers' among them.
func (s *Store) AccountsNamed(ctx context.Context, target string, identities []string) ([]model.AccountRow, error) {
	if len(identities) == 0 {
		return nil, nil
	}
	var rows []accountRow
	if err := s.read.WithContext(ctx).Where("target = ? AND identity_id IN ?", target, identities).Order("identity_id").Find(&rows).Error; err != nil {
		return nil, err
	}
	return plainAll(rows)
}

// ForgetStrangers removes the rows of accounts that are nobody's and that the sweep of
// a beginning, which read all there are, did not find any more.
func (s *Store) ForgetStrangers(ctx context.Context, target string, began time.Time, all bool) error {
	if !all {
		return nil
	}
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM accounts WHERE target = ? AND substr(identity_id, 1, 1) = '?' AND NOT EXISTS (
SELECT 1 FROM drift_found f WHERE f.target = accounts.target AND f.object = accounts.identity_id AND f.kind = 'unknown' AND f.sweep = ?)`, target, micros(began))
		return err
	})
}

// ResetSweepMembers forgets who was read to be in a group; with no name, in any.
func (s *Store) ResetSweepMembers(ctx context.Context, target, group string) error {
	return s.Update(ctx, func(tx *Tx) error {
		if group == "" {
			_, err := tx.exec(`DELETE FROM drift_members WHERE target = ?`, target)
			return err
		}
		_, err := tx.exec(`DELETE FROM drift_members WHERE target = ? AND group_name = ?`, target, group)
		return err
	})
}

// AddSweepMembers notes that accounts are in a group.
func (s *Store) AddSweepMembers(ctx context.Context, target, group string, ids []string) error {
	return s.Update(ctx, func(tx *Tx) error {
		for chunk := range slices.Chunk(ids, perStatement) {
			args := make([]any, 0, 3*len(chunk))
			for _, id := range chunk {
				args = append(args, target, id, group)
			}
			if _, err := tx.exec(`INSERT INTO drift_members (target, remote_id, group_name) VALUES `+tuples(`(?,?,?)`, len(chunk))+` ON CONFLICT DO NOTHING`, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// SweepMembers gives the groups of accounts, sorted.
func (s *Store) SweepMembers(ctx context.Context, target string, ids []string) (map[string][]string, error) {
	out := map[string][]string{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		for chunk := range slices.Chunk(ids, perStatement) {
			pairs, err := tx.pairs(`SELECT remote_id, group_name FROM drift_members WHERE target = ? AND remote_id IN `+list(len(chunk))+` ORDER BY remote_id, group_name`, append([]any{target}, anys(chunk)...)...)
			if err != nil {
				return err
			}
			for _, p := range pairs {
				out[p[0]] = append(out[p[0]], p[1])
			}
		}
		return nil
	})
	return out, err
}

// StrangeMembers lists members, by id and group after a pair, that are no account of
// the hub's.
func (s *Store) StrangeMembers(ctx context.Context, target, id, group string, limit int) (out [][2]string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		pairs, err := tx.pairs(`SELECT remote_id, group_name FROM drift_members m WHERE target = ? AND (remote_id, group_name) > (?, ?)
AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.target = m.target AND a.remote_id = m.remote_id AND a.remote_id <> '' AND substr(a.identity_id, 1, 1) <> '?') ORDER BY remote_id, group_name LIMIT ?`, target, id, group, limit)
		for _, p := range pairs {
			out = append(out, [2]string{p[0], p[1]})
		}
		return err
	})
	return out, err
}

// Deleted says whose an account was that the hub deleted at a target.
type Deleted struct {
	Identity string
	Leaver   bool
}

// DeletedAccounts finds those among ids that the hub deleted at the target.
func (s *Store) DeletedAccounts(ctx context.Context, target string, ids []string) (map[string]Deleted, error) {
	out := map[string]Deleted{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		for chunk := range slices.Chunk(ids, perStatement) {
			if err := tx.deletedInto(out, target, chunk); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// DeletedLeavers lists the ids of accounts of leavers that were deleted at a target since
// a moment and are nobody's now, in order, after one.
func (s *Store) DeletedLeavers(ctx context.Context, target string, since time.Time, after string, limit int) (ids []string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		ids, err = tx.texts(`SELECT remote_id FROM drift_deleted d WHERE target = ? AND remote_id > ? AND leaver AND at >= ?
AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.target = d.target AND a.remote_id = d.remote_id) ORDER BY remote_id LIMIT ?`, target, after, micros(since), limit)
		return err
	})
	return ids, err
}

func (t *Tx) deletedInto(out map[string]Deleted, target string, ids []string) error {
	rows, err := t.query(`SELECT remote_id, identity_id, leaver FROM drift_deleted WHERE target = ? AND remote_id IN `+list(len(ids)), append([]any{target}, anys(ids)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var d Deleted
		if err := rows.Scan(&id, &d.Identity, &d.Leaver); err != nil {
			return err
		}
		out[id] = d
	}
	return rows.Err()
}

// noteDeleted remembers an account that the hub deleted. Nobody's name is in it.
func (t *Tx) noteDeleted(target, remoteID, identity string, leaver bool) error {
	_, err := t.exec(`INSERT INTO drift_deleted (target, remote_id, identity_id, leaver, at) VALUES (?,?,?,?,?)
ON CONFLICT (target, remote_id) DO UPDATE SET identity_id = excluded.identity_id, leaver = excluded.leaver, at = excluded.at`, target, remoteID, identity, leaver, micros(t.Now))
	return err
}
