package store

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// EverySourceGroup is the mark that stands for all source groups and all roles.
const EverySourceGroup = "*"

// GroupMark says that a source group may differ from what was last made of it.
type GroupMark struct {
	Group      string // its id, or EverySourceGroup
	Generation int64
}

// groupMarkPiece raises the mark of a source group.
func (t *Tx) groupMarkPiece(id string) piece {
	return piece{text: `INSERT INTO group_marks (group_id, generation, marked_at) VALUES (?,1,?) ON CONFLICT (group_id) DO UPDATE SET generation = group_marks.generation + 1`,
		args: []any{id, micros(t.Now)}}
}

// groupPieces raise the mark of a group by a write to it that is about more than its
// members.
func (t *Tx) groupPieces(w ResourceWrite) []piece {
	if w.Type.Name != "Group" || w.Action == "modify" && w.Before != nil && sameButMembers(w.Before, w.Resource.Attrs) {
		return nil
	}
	return []piece{t.groupMarkPiece(w.Resource.ID)}
}

func sameButMembers(a, b map[string]any) bool {
	for _, side := range []map[string]any{a, b} {
		for k := range side {
			if k != "members" && !reflect.DeepEqual(a[k], b[k]) {
				return false
			}
		}
	}
	return true
}

// MarkGroups has all source groups and all roles looked at: a configuration came into
// force.
func (t *Tx) MarkGroups() error {
	p := t.groupMarkPiece(EverySourceGroup)
	_, err := t.exec(p.text, p.args...)
	return err
}

// GroupsMarked reports whether any source group is marked.
func (s *Store) GroupsMarked(ctx context.Context) (marked bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM group_marks)`).Scan(&marked)
	})
	return marked, err
}

// RenamesAhead reports whether a mirrored source group has another name than its group
// at a target follows yet. Whoever is decided about before that is done is to be in a
// group of a name that no group has.
func (t *Tx) RenamesAhead() (ahead bool, err error) {
	err = t.row(`SELECT EXISTS (SELECT 1 FROM group_marks m JOIN target_group_origins o ON o.kind = 'mirror' AND o.ref = m.group_id
JOIN resources r ON r.id = m.group_id WHERE r.kind = 'Group' AND r.display <> o.label)`).Scan(&ahead)
	return ahead, err
}

// TakeGroupMarks reads some marks, that of all groups before others, and keeps others
// from them until the transaction ends. It waits for others who have them: what comes
// of a group is known before the people in it are decided about.
func (t *Tx) TakeGroupMarks(limit int) ([]GroupMark, error) {
	if err := t.endIdle(); err != nil {
		return nil, err
	}
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	rows, err := t.query(`SELECT group_id, generation FROM group_marks ORDER BY (CASE WHEN group_id = '*' THEN 0 ELSE 1 END), marked_at, group_id LIMIT ?`+lock, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []GroupMark
	for rows.Next() {
		var m GroupMark
		if err := rows.Scan(&m.Group, &m.Generation); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// UnmarkGroup clears a mark if its generation is still the one worked on.
func (t *Tx) UnmarkGroup(m GroupMark) error {
	_, err := t.exec(`DELETE FROM group_marks WHERE group_id = ? AND generation = ?`, m.Group, m.Generation)
	return err
}

// MarkEachGroup marks every source group there is, and every one that grants a group
// at a target, be it there or not.
func (t *Tx) MarkEachGroup() error {
	_, err := t.exec(`INSERT INTO group_marks (group_id, generation, marked_at) SELECT id, 1, CAST(? AS bigint) FROM (
SELECT id FROM resources WHERE kind = 'Group' UNION SELECT ref FROM target_group_origins WHERE kind = 'mirror') g WHERE TRUE ORDER BY id
ON CONFLICT (group_id) DO UPDATE SET generation = group_marks.generation + 1`, micros(t.Now))
	return err
}

// SourceGroup reads what mirror filters look at of a source group; ok is false where
// it is gone.
func (t *Tx) SourceGroup(id string) (m model.Membership, ok bool, err error) {
	rows, err := t.query(`SELECT source, id, display, external_id FROM resources WHERE id = ? AND kind = 'Group'`, id)
	if err != nil {
		return m, false, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&m.Source, &m.GroupID, &m.Display, &m.ExternalID); err != nil {
			return m, false, err
		}
		ok = true
	}
	return m, ok, rows.Err()
}

// Granting lists what a role or a source group grants, at all targets.
func (t *Tx) Granting(kind, ref string) (map[string][]GroupOrigin, error) {
	targets, err := t.texts(`SELECT DISTINCT target FROM target_group_origins WHERE kind = ? AND ref = ? ORDER BY target`, kind, ref)
	if err != nil {
		return nil, err
	}
	out := map[string][]GroupOrigin{}
	for _, target := range targets {
		if out[target], err = t.origins(`kind = ? AND ref = ? AND target = ?`, kind, ref, target); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// GrantingRoles lists the roles that grant groups at any target.
func (t *Tx) GrantingRoles() ([]string, error) {
	return t.texts(`SELECT DISTINCT ref FROM target_group_origins WHERE kind = 'role' ORDER BY ref`)
}

// AddOrigin says that something grants a group.
func (t *Tx) AddOrigin(target string, o GroupOrigin) error {
	_, err := t.exec(`INSERT INTO target_group_origins (target, kind, ref, label, source, name) VALUES (?,?,?,?,?,?)
ON CONFLICT (target, kind, ref, label) DO UPDATE SET source = excluded.source, name = excluded.name`, target, o.Kind, o.Ref, o.Label, o.Source, o.Name)
	return err
}

// DropOrigin says that something does not grant a group any longer.
func (t *Tx) DropOrigin(target string, o GroupOrigin) error {
	_, err := t.exec(`DELETE FROM target_group_origins WHERE target = ? AND kind = ? AND ref = ? AND label = ?`, target, o.Kind, o.Ref, o.Label)
	return err
}

// WantGroup says whether a group is wanted from now on: it is looked at again.
func (t *Tx) WantGroup(target, name string, wanted bool) error {
	_, err := t.exec(`UPDATE target_groups SET wanted = ?, due = TRUE, next_at = ?, state = ?, attempts = 0, approved = '', approved_by = '', generation = generation + 1, updated_at = ? WHERE target = ? AND name = ?`,
		wanted, micros(t.Now), string(model.StatePending), micros(t.Now), target, name)
	return err
}

// RenameWanted gives a group another name: accounts that know it by the old one find
// it still, and what grants it follows. Nobody else may have the new name.
func (t *Tx) RenameWanted(g TargetGroup, name string) error {
	former := []string{}
	for _, f := range append(g.Former, g.Name) {
		if scim.Fold(f) != scim.Fold(name) {
			former = append(former, f)
		}
	}
	text, err := json.Marshal(former)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE target_groups SET name = ?, fold = ?, former = ?, wanted = TRUE, due = TRUE, next_at = ?, state = ?, attempts = 0, approved = '', approved_by = '', generation = generation + 1, updated_at = ? WHERE target = ? AND name = ?`,
		name, scim.Fold(name), string(text), micros(t.Now), string(model.StatePending), micros(t.Now), g.Target, g.Name); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE target_group_origins SET name = ? WHERE target = ? AND name = ?`, name, g.Target, g.Name)
	return err
}

// DropGroup forgets a group of which nothing is at the target.
func (t *Tx) DropGroup(target, name string) error {
	_, err := t.exec(`DELETE FROM target_groups WHERE target = ? AND name = ?`, target, name)
	return err
}

// SplitGroup parts a group that the target cannot rename: the one that is there goes on
// under the name it has there, unwanted, and another is wanted under the new name. It
// does nothing where something else is wanted by now.
func (s *Store) SplitGroup(ctx context.Context, g TargetGroup) error {
	return s.Update(ctx, func(tx *Tx) error {
		have, ok, err := tx.GroupNamed(g.Target, g.Name)
		if err != nil || !ok || have.Generation != g.Generation || have.RemoteID != g.RemoteID {
			return err
		}
		if _, err := tx.exec(`UPDATE target_groups SET remote_id = '', owned = '', applied = '', former = '[]', due = TRUE, next_at = ?, state = ?, approved = '', approved_by = '', generation = generation + 1, updated_at = ? WHERE target = ? AND name = ?`,
			micros(tx.Now), string(model.StatePending), micros(tx.Now), have.Target, have.Name); err != nil {
			return err
		}
		old := have
		old.Name, old.Former, old.Wanted, old.State, old.Due, old.NextAttempt = have.Applied, nil, false, string(model.StatePending), true, tx.Now
		old.Approved, old.ApprovedBy, old.LastError, old.ErrorClass, old.Attempts = "", "", "", "", 0
		for _, f := range have.Former {
			if scim.Fold(f) != scim.Fold(old.Name) && scim.Fold(f) != scim.Fold(have.Name) {
				old.Former = append(old.Former, f)
			}
		}
		if taken, exists, err := tx.groupExactly(g.Target, old.Name); err != nil || exists && taken.RemoteID != "" {
			return err
		} else if exists {
			if err := tx.DropGroup(g.Target, taken.Name); err != nil {
				return err
			}
			old.Wanted = taken.Wanted
		}
		if err := tx.AddGroup(old); err != nil {
			return err
		}
		return tx.Audit(AuditEntry{Actor: "hub", Action: "target.group.split", Object: "target/" + g.Target,
			Data: mustText(map[string]any{"group": old.Name, "instead": have.Name, "because": "the application cannot rename groups"})})
	})
}

func (t *Tx) groupExactly(target, name string) (g TargetGroup, ok bool, err error) {
	var rows []targetGroupRow
	if err := t.db.Where("target = ? AND name = ?", target, name).Find(&rows).Error; err != nil || len(rows) == 0 {
		return g, false, err
	}
	g, err = rows[0].plain()
	return g, true, err
}

// mustText encodes what has no value that JSON does not know.
func mustText(v map[string]any) []byte {
	text, _ := json.Marshal(v)
	return text
}

// GroupApproval says that somebody approved one change, by digest, of a group.
type GroupApproval struct{ Group, Digest string }

// ReleaseGroups approves changes of groups; they are looked at again. The approval is
// over when something else is wanted of the group.
func (t *Tx) ReleaseGroups(target, by string, approvals []GroupApproval) error {
	for _, a := range approvals {
		if _, err := t.exec(`UPDATE target_groups SET approved = ?, approved_by = ?, due = TRUE, state = ?, next_at = ?, generation = generation + 1, updated_at = ? WHERE target = ? AND name = ?`,
			a.Digest, by, string(model.StatePending), micros(t.Now), micros(t.Now), target, a.Group); err != nil {
			return err
		}
	}
	return nil
}

// GroupsInState lists the groups of a target in a state, by name.
func (s *Store) GroupsInState(ctx context.Context, target string, state model.AccountState) (out []TargetGroup, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out, err = tx.groupsAt(target, tx.db.Where("target = ? AND state = ?", target, string(state)).Order("name"))
		return err
	})
	return out, err
}

// GroupsDueNow ends the waiting of the groups of a target.
func (s *Store) GroupsDueNow(ctx context.Context, target string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE target_groups SET next_at = ? WHERE target = ? AND due AND next_at > ?`, micros(tx.Now), target, micros(tx.Now))
		return err
	})
}
