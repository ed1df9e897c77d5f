package store

import (
	"context"
	"encoding/json"
	"time"
)

// Why a target is being recovered.
const (
	RecoveryRestored = "restored" // its state came back from a backup, and may be older than the target
	RecoveryRebuild  = "rebuild"  // its state is made anew from what the target shows
)

// The phases of a recovery, in order.
const (
	RecoveryReading  = "reading"  // the target is read in full; nothing is written there but for leavers
	RecoveryWaiting  = "waiting"  // read; what differs waits for a person
	RecoverySettling = "settling" // what differs is written; removals wait for a person, each by its digest
)

// The words of changes that wait because of a recovery. An approval of their digest
// carries them out.
const (
	HeldUntilRebuilt = "what the hub knew of this target came from a backup or was lost: nothing is written before scimhub rebuild, which is run after the sources have pushed again"
	HeldSinceRebuilt = "it was there before the hub was rebuilt, and what granted it may have been lost: it is taken away only when somebody approves it"
)

// Recovery is a target whose state in the hub was lost or is old. It is over when a full
// read shows that nothing differs, or when a person has decided about all removals.
type Recovery struct {
	Why   string     `json:"why"`
	Phase string     `json:"phase"`
	Since time.Time  `json:"since"`
	By    string     `json:"by,omitempty"`
	Read  *time.Time `json:"read,omitempty"` // when the target had been read

	Found RecoveryFound `json:"found"`
}

// RecoveryFound counts what the full read found.
type RecoveryFound struct {
	Accounts   int `json:"accounts"`   // that the target showed
	Recognised int `json:"recognised"` // taken for somebody's the hub knows
	Same       int `json:"same"`       // of these, with nothing to write
	Differ     int `json:"differ"`     // of these, with something to write
	Missing    int `json:"missing"`    // wanted, and not there
	Unknown    int `json:"unknown"`    // nobody's the hub knows: left alone
	Ambiguous  int `json:"ambiguous"`  // several fit, or it is somebody else's: a person decides
	Removals   int `json:"removals"`   // accounts from which something would be taken: held
}

// BeginRecovery has targets read in full before anything more is written there; nil
// names: all that there are. It returns those that it began with, sorted.
func (s *Store) BeginRecovery(ctx context.Context, why, by string, names []string, audit ...AuditEntry) (begun []string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		if begun, err = tx.beginRecovery(why, by, names); err != nil {
			return err
		}
		return tx.Audit(audit...)
	})
	return begun, err
}

func (t *Tx) beginRecovery(why, by string, names []string) ([]string, error) {
	var err error
	if names == nil {
		if names, err = t.texts(`SELECT name FROM targets UNION SELECT DISTINCT target FROM accounts ORDER BY 1`); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		err := t.UpdateTargetState(name, func(st *TargetState) {
			st.Recovery = &Recovery{Why: why, Phase: RecoveryReading, Since: t.Now, By: by}
			st.DriftWanted = true
		})
		if err != nil {
			return nil, err
		}
		if _, err := t.recoveryDue(name); err != nil { // what waits is looked at again
			return nil, err
		}
		if _, err := t.exec(`DELETE FROM drift_progress WHERE target = ?`, name); err != nil {
			return nil, err
		}
	}
	if names == nil {
		names = []string{}
	}
	return names, nil
}

// SettleRecovery lets what differs at targets be written, after a person has seen it.
// Only targets that were read count.
func (s *Store) SettleRecovery(ctx context.Context, by string, names []string) (settled []string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		settled = nil
		for _, name := range names {
			done := false
			err := tx.UpdateTargetState(name, func(st *TargetState) {
				if st.Recovery != nil && st.Recovery.Phase == RecoveryWaiting {
					st.Recovery.Phase, st.Recovery.By, done = RecoverySettling, by, true
				}
			})
			if err == nil && done {
				settled = append(settled, name)
				_, err = tx.recoveryDue(name)
			}
			if err != nil {
				return err
			}
		}
		data, err := json.Marshal(map[string]any{"targets": settled})
		if err != nil || len(settled) == 0 {
			return err
		}
		return tx.Audit(AuditEntry{Actor: by, Action: "rebuild.settle", Object: "hub", Data: data})
	})
	return settled, err
}

// recoveryDue makes due what waited for a person to have seen it.
func (t *Tx) recoveryDue(target string) (int64, error) {
	n, err := t.exec(`UPDATE accounts SET due = TRUE, next_at = ? WHERE target = ? AND state = 'held' AND last_error = ?`, micros(t.Now), target, HeldUntilRebuilt)
	if err != nil {
		return n, err
	}
	groups, err := t.exec(`UPDATE target_groups SET due = TRUE, next_at = ? WHERE target = ? AND state = 'held' AND last_error = ?`, micros(t.Now), target, HeldUntilRebuilt)
	return n + groups, err
}

// AwaitsRebuild reports whether anything waits at a target for a person to have seen it.
func (s *Store) AwaitsRebuild(ctx context.Context, target string) (open bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM accounts WHERE target = ? AND state = 'held' AND last_error = ?)
OR EXISTS (SELECT 1 FROM target_groups WHERE target = ? AND state = 'held' AND last_error = ?)`, target, HeldUntilRebuilt, target, HeldUntilRebuilt).Scan(&open)
	})
	return open, err
}

// CountAwaitingRebuild counts the accounts that the hub has at a target and of which
// something waits for a person to have seen it.
func (s *Store) CountAwaitingRebuild(ctx context.Context, target string) (n int, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM accounts WHERE target = ? AND state = 'held' AND applied IS NOT NULL AND last_error IN (?, ?)`, target, HeldUntilRebuilt, HeldSinceRebuilt).Scan(&n)
	})
	return n, err
}

// RecoveryDue makes due what began to wait while a person agreed to what was found, and
// counts it.
func (s *Store) RecoveryDue(ctx context.Context, target string) (n int64, err error) {
	if open, err := s.AwaitsRebuild(ctx, target); err != nil || !open {
		return 0, err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		n, err = tx.recoveryDue(target)
		return err
	})
	return n, err
}

// EndRecovery ends the recovery of a target where nothing is left of it: all that was
// read is as it should be, and what would have been removed was decided about. It
// reports whether it is over.
func (s *Store) EndRecovery(ctx context.Context, target string) (over bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		over = false
		var open bool
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM accounts WHERE target = ? AND state IN ('pending', 'failed', 'drifted') AND drift <> 'unknown')
OR EXISTS (SELECT 1 FROM accounts WHERE target = ? AND state = 'held' AND last_error IN (?, ?))
OR EXISTS (SELECT 1 FROM target_groups WHERE target = ? AND state IN ('pending', 'failed', 'drifted'))
OR EXISTS (SELECT 1 FROM target_groups WHERE target = ? AND state = 'held' AND last_error IN (?, ?))`,
			target, target, HeldUntilRebuilt, HeldSinceRebuilt, target, target, HeldUntilRebuilt, HeldSinceRebuilt).Scan(&open); err != nil || open {
			return err
		}
		err := tx.UpdateTargetState(target, func(st *TargetState) {
			r := st.Recovery
			if r == nil || r.Phase == RecoveryReading || r.Phase == RecoveryWaiting && r.Why == RecoveryRebuild {
				return
			}
			st.Recovery, over = nil, true
		})
		if err != nil || !over {
			return err
		}
		return tx.Audit(AuditEntry{Actor: "hub", Action: "rebuild.end", Object: "target/" + target})
	})
	return over, err
}

// AnythingMarked reports whether somebody is still to be decided about.
func (s *Store) AnythingMarked(ctx context.Context) (marked bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM marks) OR EXISTS (SELECT 1 FROM sweeps) OR EXISTS (SELECT 1 FROM group_marks)`).Scan(&marked)
	})
	return marked, err
}
