package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// TargetGroup is a group at a target: as it is wanted, and as it is there.
type TargetGroup struct {
	Target   string
	Name     string   // as it is wanted, and as accounts name it
	Applied  string   // its name at the target; empty: none is known there
	Former   []string // names by which accounts may still know it
	RemoteID string
	Owned    string // as of accounts; empty with a RemoteID: found and not taken over
	Wanted   bool   // something grants it; Origins say what
	State    string // pending, in_sync, failed, held

	LastError   string // why it failed or is held, in words
	ErrorClass  string
	Attempts    int
	Due         bool // there is something to do, at NextAttempt
	NextAttempt time.Time
	Generation  int64  // raised with each change of what is wanted
	Approved    string // digest of the change that a person released
	ApprovedBy  string
	UpdatedAt   time.Time

	Origins []GroupOrigin // sorted
}

// GroupOrigin is one thing that grants a group at a target.
type GroupOrigin struct {
	Kind   string // OriginRole or OriginMirror
	Ref    string // the role's name, the source group's id
	Label  string // the group's name as the role or the source writes it
	Source string // of a source group
	Name   string // of the group at the target
}

// The kinds of origins.
const (
	OriginRole   = "role"
	OriginMirror = "mirror"
)

type targetGroupRow struct {
	Target     string `gorm:"primaryKey"`
	Name       string `gorm:"primaryKey"`
	Fold       string
	Applied    string
	Former     string
	RemoteID   string
	Owned      string
	Wanted     bool
	State      string
	LastError  string
	ErrorClass string
	Attempts   int
	Due        bool
	NextAt     int64
	Generation int64
	Approved   string
	ApprovedBy string
	UpdatedAt  int64 `gorm:"autoUpdateTime:false"`
}

func (targetGroupRow) TableName() string { return "target_groups" }

func (r targetGroupRow) plain() (TargetGroup, error) {
	g := TargetGroup{Target: r.Target, Name: r.Name, Applied: r.Applied, RemoteID: r.RemoteID, Owned: r.Owned, Wanted: r.Wanted, State: r.State,
		LastError: r.LastError, ErrorClass: r.ErrorClass, Attempts: r.Attempts, Due: r.Due, NextAttempt: fromMicros(r.NextAt),
		Generation: r.Generation, Approved: r.Approved, ApprovedBy: r.ApprovedBy, UpdatedAt: fromMicros(r.UpdatedAt)}
	if err := json.Unmarshal([]byte(r.Former), &g.Former); err != nil {
		return g, fmt.Errorf("group %s at %s: %w", r.Name, r.Target, err)
	}
	if len(g.Former) == 0 {
		g.Former = nil
	}
	return g, nil
}

func toGroupRow(g TargetGroup) (targetGroupRow, error) {
	former := []byte("[]")
	var err error
	if len(g.Former) > 0 {
		former, err = json.Marshal(g.Former)
	}
	r := targetGroupRow{Target: g.Target, Name: g.Name, Fold: scim.Fold(g.Name), Applied: g.Applied, Former: string(former), RemoteID: g.RemoteID,
		Owned: g.Owned, Wanted: g.Wanted, State: g.State, LastError: g.LastError, ErrorClass: g.ErrorClass, Attempts: g.Attempts, Due: g.Due,
		NextAt: micros(g.NextAttempt), Generation: max(g.Generation, 1), Approved: g.Approved, ApprovedBy: g.ApprovedBy}
	if g.NextAttempt.IsZero() {
		r.NextAt = 0
	}
	return r, err
}

func plainGroups(rows []targetGroupRow) ([]TargetGroup, error) {
	out := make([]TargetGroup, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.plain(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// TargetGroups lists the groups known at a target, by name, with what grants them.
func (s *Store) TargetGroups(ctx context.Context, target string) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.groupsAt(target, tx.db.Where("target = ?", target).Order("name"))
		return err
	})
	return out, err
}

// TargetGroupsAfter is a page of the listing, behind the group of a name.
func (s *Store) TargetGroupsAfter(ctx context.Context, target, after string, limit int) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.groupsAt(target, tx.db.Where("target = ? AND name > ?", target, after).Order("name").Limit(limit))
		return err
	})
	return out, err
}

// DueGroups lists the groups of a target with something to do now, the longest
// waiting first.
func (s *Store) DueGroups(ctx context.Context, target string, limit int) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.groupsAt(target, tx.db.Where("target = ? AND due AND next_at <= ?", target, micros(tx.Now)).Order("next_at, name").Limit(limit))
		return err
	})
	return out, err
}

// TargetGroup reads one group by the name that accounts know it by, now or formerly;
// ok is false where there is none.
func (s *Store) TargetGroup(ctx context.Context, target, name string) (g TargetGroup, ok bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		g, ok, err = tx.GroupNamed(target, name)
		return err
	})
	return g, ok, err
}

// AddGroup stores a group that nothing is known of yet.
func (t *Tx) AddGroup(g TargetGroup) error {
	r, err := toGroupRow(g)
	if err != nil {
		return err
	}
	r.UpdatedAt = micros(t.Now)
	return t.db.Create(&r).Error
}

// EnsureGroup makes the row of a group of which nothing is known by that name, now or
// formerly. What is known of one stays as it is.
func (s *Store) EnsureGroup(ctx context.Context, target, name string) error {
	return s.Update(ctx, func(tx *Tx) error {
		if _, ok, err := tx.GroupNamed(target, name); err != nil || ok {
			return err
		}
		return tx.AddGroup(TargetGroup{Target: target, Name: name, State: string(model.StatePending)})
	})
}

func groupMoment(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return micros(at)
}

// GroupSettlement is the outcome of work on one group. Group.Generation is the one
// that the work was based on.
type GroupSettlement struct {
	Group  TargetGroup
	Done   []model.Change // audited
	Failed *model.Change  // what was tried in vain
	Gone   bool           // the group was removed and is not wanted: its row goes
	Wake   bool           // accounts that waited for the group are due
}

// SettleGroup stores the outcome of work on a group with an audit entry for each
// change carried out. Facts about the target are always kept; state, due and the
// error only where nothing else was wanted meanwhile.
func (s *Store) SettleGroup(ctx context.Context, o GroupSettlement) error {
	g := o.Group
	return s.Update(ctx, func(tx *Tx) error {
		have, ok, err := tx.GroupNamed(g.Target, g.Name) // it may be called otherwise by now
		if err != nil || !ok {
			return err
		}
		var entries []AuditEntry
		for _, c := range o.Done {
			entries = append(entries, changeEntry(g.Target, c, "", ""))
			if c.Verb == model.DeleteGroup {
				if _, err := tx.exec(`INSERT INTO removals (target, at, identity_id) VALUES (?,?,?)`, g.Target, micros(tx.Now), "group "+g.Name); err != nil {
					return err
				}
			}
		}
		switch {
		case o.Failed != nil:
			entries = append(entries, changeEntry(g.Target, *o.Failed, "failed", g.LastError))
		case g.State == string(model.StateHeld) && have.State != g.State && have.Generation == g.Generation:
			body, err := json.Marshal(map[string]any{"reason": g.LastError, "group": g.Name})
			if err != nil {
				return err
			}
			entries = append(entries, AuditEntry{Actor: "hub", Action: "target.held", Object: "target/" + g.Target, Data: body})
			if err := tx.Notify(heldNotice(g.Target, g.LastError, tx.Now)); err != nil {
				return err
			}
		}
		if err := tx.settleGroup(g, have, o.Gone); err != nil {
			return err
		}
		if o.Wake {
			if err := tx.wakeWaiting(g.Target, append([]string{g.Name, have.Name}, g.Former...)); err != nil {
				return err
			}
		}
		if len(entries) == 0 {
			return nil
		}
		return tx.Audit(entries...)
	})
}

func (t *Tx) settleGroup(g, have TargetGroup, gone bool) error {
	if gone && have.Generation == g.Generation && !have.Wanted {
		_, err := t.exec(`DELETE FROM target_groups WHERE target = ? AND name = ? AND NOT wanted`, g.Target, have.Name)
		return err
	}
	same := have.Generation == g.Generation
	if !same {
		g.State, g.Due, g.NextAttempt = string(model.StatePending), true, t.Now
		g.LastError, g.ErrorClass, g.Attempts = have.LastError, have.ErrorClass, have.Attempts
	}
	_, err := t.exec(`UPDATE target_groups SET applied = ?, remote_id = ?, owned = ?, state = ?, last_error = ?, error_class = ?, attempts = ?, due = ?, next_at = ?, updated_at = ? WHERE target = ? AND name = ?`,
		g.Applied, g.RemoteID, g.Owned, g.State, g.LastError, g.ErrorClass, g.Attempts, g.Due, groupMoment(g.NextAttempt), micros(t.Now), g.Target, have.Name)
	return err
}

// IntendGroup notes that a group is about to be made under a name, so that one found by
// it after a crash is known as ours, whatever it should be called by then. False: its row is gone, or something is known at the target by now.
func (s *Store) IntendGroup(ctx context.Context, target, name string) (ok bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		have, found, err := tx.GroupNamed(target, name)
		if err != nil {
			return err
		}
		if !found {
			ok = true
			return tx.AddGroup(TargetGroup{Target: target, Name: name, Applied: name, Owned: model.OwnedCreating, State: string(model.StatePending)})
		}
		n, err := tx.exec(`UPDATE target_groups SET owned = ?, applied = ? WHERE target = ? AND name = ? AND (remote_id = '' OR owned = '')`, model.OwnedCreating, name, target, have.Name)
		ok = n == 1
		return err
	})
	return ok, err
}

// groupMarkAge is how long a mark of a source group keeps others waiting: what cannot be
// worked out for so long keeps nobody.
const groupMarkAge = time.Minute

// DecidingAnew reports whether what accounts of a target are to be is old, or about to
// change: the person is marked, or another generation of the row is there than the one
// given by identity, or a source group was marked just now.
func (s *Store) DecidingAnew(ctx context.Context, target string, generations map[string]int64) (anew bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		err := tx.row(`SELECT EXISTS (SELECT 1 FROM group_marks WHERE marked_at > ?)`, micros(tx.Now.Add(-groupMarkAge))).Scan(&anew)
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(generations)), perStatement) {
			if err != nil || anew {
				return err
			}
			var args []any
			for _, id := range ids {
				args = append(args, id, generations[id])
			}
			err = tx.row(`WITH v(id, generation) AS (VALUES `+tuples(`(CAST(? AS text),CAST(? AS bigint))`, len(ids))+`)
SELECT EXISTS (SELECT 1 FROM v JOIN accounts a ON a.identity_id = v.id AND a.generation <> v.generation WHERE a.target = ?) OR EXISTS (SELECT 1 FROM v JOIN marks m ON m.identity_id = v.id)`,
				append(args, target)...).Scan(&anew)
		}
		return err
	})
	return anew, err
}

// wakeWaiting makes the accounts due that waited for a group under one of its names.
func (t *Tx) wakeWaiting(target string, names []string) error {
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if _, err := t.exec(`UPDATE accounts SET due = TRUE, state = 'pending', next_at = ? WHERE target = ? AND (state = 'held' OR state = 'failed') AND desired IS NOT NULL AND `+t.inList("desired"),
			micros(t.Now), target, name); err != nil {
			return err
		}
	}
	return nil
}

// inList is the condition that a text, its argument, is among the groups of an account
// in a column.
func (t *Tx) inList(column string) string {
	if t.pg {
		return `jsonb_exists(coalesce(CAST(` + column + ` AS jsonb) -> 'groups', '[]'), CAST(? AS text))`
	}
	return `EXISTS (SELECT 1 FROM json_each(` + column + `, '$.groups') g WHERE g.value = ?)`
}

// GroupsByRemote lists the groups of a target that have an id there.
func (s *Store) GroupsByRemote(ctx context.Context, target, remoteID string) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.groupsAt(target, tx.db.Where("target = ? AND remote_id = ?", target, remoteID).Order("name"))
		return err
	})
	return out, err
}
