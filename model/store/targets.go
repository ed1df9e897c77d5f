package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// TargetState is what is known of the health of a target.
type TargetState struct {
	Name          string     `json:"name"`
	Paused        bool       `json:"paused,omitempty"`
	LastAttempt   *time.Time `json:"last_attempt,omitempty"`
	LastSuccess   *time.Time `json:"last_success,omitempty"`
	LastDrift     *time.Time `json:"last_drift,omitempty"`
	Failures      int        `json:"failures,omitempty"` // in a row, of the target as a whole
	ErrorClass    string     `json:"error_class,omitempty"`
	LastError     string     `json:"last_error,omitempty"`
	RetryAt       *time.Time `json:"retry_at,omitempty"`
	QuarantinedAt *time.Time `json:"quarantined_at,omitempty"`
	DriftWanted   bool       `json:"drift_wanted,omitempty"`
	DriftRefused  string     `json:"drift_refused,omitempty"` // why nothing was concluded from the last sweep
	// Base is the host and path at which the ids of accounts were learnt; Moved is set
	// while the URL is another one and nothing shows that it is the same tenant.
	Base   string   `json:"base,omitempty"`
	Moved  *Moved   `json:"moved,omitempty"`
	Doubts []string `json:"doubts,omitempty"` // which answers of the target are not believed, and why

	FailingSince *time.Time `json:"failing_since,omitempty"`
	Reason       string     `json:"reason,omitempty"`        // of the quarantine, in words
	Probes       int        `json:"probes,omitempty"`        // in vain since it began
	RotateWanted bool       `json:"rotate_wanted,omitempty"` // somebody asked for the next credential
	Slots        int        `json:"slots,omitempty"`         // requests at once that the target bore of late; 0: not known

	Recovery *Recovery `json:"recovery,omitempty"` // nil: its state is whole
}

// Moved is a change of a target's URL that waits for a person.
type Moved struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	At     time.Time `json:"at"`     // when it was looked at last
	Digest string    `json:"digest"` // releases it as another tenant
	Words  string    `json:"words"`
}

// TargetState reads the state; the zero state of a target never worked on.
func (s *Store) TargetState(ctx context.Context, name string) (TargetState, error) {
	st := TargetState{Name: name}
	err := s.single(ctx, s.read, func(tx *Tx) error { return tx.targetState(name, &st, "") })
	return st, err
}

func (t *Tx) targetState(name string, st *TargetState, lock string) error {
	rows, err := t.query(`SELECT state FROM targets WHERE name = ?`+lock, name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal(text, st); err != nil {
			return fmt.Errorf("state of target %s: %w", name, err)
		}
	}
	st.Name = name
	return rows.Err()
}

// UpdateTargetState changes the state under a lock.
func (s *Store) UpdateTargetState(ctx context.Context, name string, fn func(*TargetState)) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.UpdateTargetState(name, fn) })
}

// UpdateTargetState changes the state under a lock, together with what else the
// transaction does.
func (t *Tx) UpdateTargetState(name string, fn func(*TargetState)) error {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	if _, err := t.exec(`INSERT INTO targets (name, holder, leased_until, state) VALUES (?, '', 0, '{}') ON CONFLICT (name) DO NOTHING`, name); err != nil {
		return err
	}
	st := TargetState{}
	if err := t.targetState(name, &st, lock); err != nil {
		return err
	}
	fn(&st)
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE targets SET state = ? WHERE name = ?`, string(text), name)
	return err
}

// ConfigVersion is one numbered version of the configuration document.
type ConfigVersion struct {
	Version int64
	Digest  string
	Body    string
	By      string
	At      time.Time
}

type configRow struct {
	Version int64 `gorm:"primaryKey"`
	Digest  string
	Body    string
	ByWhom  string
	At      int64
}

func (configRow) TableName() string { return "config_versions" }

// ActiveConfig is the newest version; ok is false where there is none yet.
func (s *Store) ActiveConfig(ctx context.Context) (v ConfigVersion, ok bool, err error) {
	var rows []configRow
	if err := s.read.WithContext(ctx).Order("version DESC").Limit(1).Find(&rows).Error; err != nil {
		return v, false, err
	}
	if len(rows) == 0 {
		return v, false, nil
	}
	return rows[0].plain(), true, nil
}

func (r configRow) plain() ConfigVersion {
	return ConfigVersion{r.Version, r.Digest, r.Body, r.ByWhom, fromMicros(r.At)}
}

// ConfigAt is the version that was active at a moment; ok is false where there was none.
func (t *Tx) ConfigAt(at time.Time) (v ConfigVersion, ok bool, err error) {
	var rows []configRow
	if err := t.db.Where("at <= ?", micros(at)).Order("version DESC").Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return v, false, err
	}
	return rows[0].plain(), true, nil
}

// NewerConfig reports whether a later version than this one is active by now.
func (t *Tx) NewerConfig(version int64) (newer bool, err error) {
	err = t.row(`SELECT EXISTS (SELECT 1 FROM config_versions WHERE version > ?)`, version).Scan(&newer)
	return newer, err
}

// AddConfig stores the next version, which is active from then on, and has everybody
// looked at under it. A text that was rolled back earlier is not any more. after is the version that the change was planned against: another
// one meanwhile is a Conflict.
func (t *Tx) AddConfig(after int64, digest, body, by string) (int64, error) {
	var have int64
	if err := t.row(`SELECT coalesce(max(version), 0) FROM config_versions`).Scan(&have); err != nil {
		return 0, err
	}
	if have != after {
		return 0, model.Fail(model.Conflict, fmt.Sprintf("the configuration is at version %d by now, not %d: plan again", have, after), nil)
	}
	if err := t.db.Create(&configRow{have + 1, digest, body, by, micros(t.Now)}).Error; err != nil {
		if isUnique(err) { // somebody else was quicker
			return 0, model.Fail(model.Conflict, "the configuration was changed by somebody else just now: plan again", err)
		}
		return 0, err
	}
	if _, err := t.exec(`DELETE FROM config_rolled_back WHERE digest = ?`, digest); err != nil {
		return 0, err
	}
	if err := t.MarkGroups(); err != nil {
		return 0, err
	}
	return have + 1, t.startSweep(have + 1)
}
