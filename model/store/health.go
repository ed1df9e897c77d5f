package store

import (
	"context"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

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

// Credential is what is known of one slot of a target's credentials.
type Credential struct {
	Slot      string // model.SlotPresent or model.SlotNext
	Reference string // how the configuration names the secret, and until when it lasts
	FirstSeen time.Time
	InUse     bool
	TestedAt  *time.Time // the last harmless call with it; nil: none
	Refused   string     // why that was refused; empty: it was not
	Tries     int        // refused in a row
	Warned    int        // days before its end that were warned of last; 0: none yet
}

type credentialRow struct {
	Target    string `gorm:"primaryKey"`
	Slot      string `gorm:"primaryKey"`
	Reference string
	FirstSeen int64
	InUse     bool
	TestedAt  *int64
	Refused   string
	Tries     int
	Warned    int
}

func (credentialRow) TableName() string { return "target_credentials" }

func (r credentialRow) plain() Credential {
	return Credential{r.Slot, r.Reference, fromMicros(r.FirstSeen), r.InUse, timePtr(r.TestedAt), r.Refused, r.Tries, r.Warned}
}

// Credentials lists what is known of a target's credentials, by slot.
func (s *Store) Credentials(ctx context.Context, target string) ([]Credential, error) {
	var rows []credentialRow
	if err := s.read.WithContext(ctx).Where("target = ?", target).Order("slot").Find(&rows).Error; err != nil {
		return nil, reachable(err)
	}
	return plainCredentials(rows), nil
}

func plainCredentials(rows []credentialRow) []Credential {
	out := make([]Credential, len(rows))
	for i, r := range rows {
		out[i] = r.plain()
	}
	return out
}

// ChangeCredentials replaces what is known of a target's credentials under a lock.
// Nothing is written where fn changes nothing.
func (s *Store) ChangeCredentials(ctx context.Context, target string, fn func(*Tx, []Credential) ([]Credential, error)) error {
	return s.Update(ctx, func(tx *Tx) error {
		lock := ""
		if tx.pg {
			lock = " FOR UPDATE"
		}
		if _, err := tx.texts(`SELECT name FROM targets WHERE name = ?`+lock, target); err != nil {
			return err
		}
		var rows []credentialRow
		if err := tx.db.Where("target = ?", target).Order("slot").Find(&rows).Error; err != nil {
			return err
		}
		have := plainCredentials(rows)
		want, err := fn(tx, slices.Clone(have))
		if err != nil {
			return err
		}
		return tx.saveCredentials(target, have, want)
	})
}

func (t *Tx) saveCredentials(target string, have, want []Credential) error {
	for _, c := range have {
		if !slices.ContainsFunc(want, func(w Credential) bool { return w.Slot == c.Slot }) {
			if _, err := t.exec(`DELETE FROM target_credentials WHERE target = ? AND slot = ?`, target, c.Slot); err != nil {
				return err
			}
		}
	}
	for _, c := range want {
		if slices.ContainsFunc(have, c.equal) {
			continue
		}
		_, err := t.exec(`INSERT INTO target_credentials (target, slot, reference, first_seen, in_use, tested_at, refused, tries, warned) VALUES (?,?,?,?,?,?,?,?,?)
ON CONFLICT (target, slot) DO UPDATE SET reference = excluded.reference, first_seen = excluded.first_seen, in_use = excluded.in_use, tested_at = excluded.tested_at, refused = excluded.refused, tries = excluded.tries, warned = excluded.warned`,
			target, c.Slot, c.Reference, micros(c.FirstSeen), c.InUse, microsPtr(c.TestedAt), c.Refused, c.Tries, c.Warned)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Credential) equal(o Credential) bool {
	same := c.TestedAt == o.TestedAt || (c.TestedAt != nil && o.TestedAt != nil && micros(*c.TestedAt) == micros(*o.TestedAt))
	return same && micros(c.FirstSeen) == micros(o.FirstSeen) && c.Slot == o.Slot && c.Reference == o.Reference &&
		c.InUse == o.InUse && c.Refused == o.Refused && c.Tries == o.Tries && c.Warned == o.Warned
}

// HeldFor reports whether a change at the target is held for a reason that begins so.
func (s *Store) HeldFor(ctx context.Context, target, reason string) (held bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM accounts WHERE target = ? AND state = 'held' AND last_error LIKE ?)`, target, reason+"%").Scan(&held)
	})
	return held, err
}

// RetryFailed makes accounts due now whose last attempt failed with a class of error.
func (t *Tx) RetryFailed(target, class string) error {
	_, err := t.exec(`UPDATE accounts SET next_at = ? WHERE target = ? AND due AND state = 'failed' AND error_class = ? AND next_at > ?`,
		micros(t.Now), target, class, micros(t.Now))
	return err
}

// Unhold makes accounts due whose change is held for a reason that begins so.
func (t *Tx) Unhold(target, reason string) error {
	ids, err := t.texts(`SELECT identity_id FROM accounts WHERE target = ? AND state = 'held' AND last_error LIKE ? ORDER BY identity_id`, target, reason+"%")
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, 500) {
		args := append([]any{string(model.StatePending), micros(t.Now), target}, anys(chunk)...)
		if _, err := t.exec(`UPDATE accounts SET state = ?, due = TRUE, next_at = ? WHERE target = ? AND identity_id IN `+list(len(chunk)), args...); err != nil {
			return err
		}
		if err := t.noteAccounts(target, chunk); err != nil {
			return err
		}
	}
	return nil
}
