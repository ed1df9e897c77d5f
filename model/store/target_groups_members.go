package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/scimhub/scimhub/model/scim"
)

// GroupCount is how many accounts are in a group at a target.
type GroupCount struct {
	Members int // as written
	Wanted  int // as they should be
}

// GroupCounts counts the members of the groups of a target by the names that accounts
// have for them.
func (s *Store) GroupCounts(ctx context.Context, target string) (map[string]GroupCount, error) {
	members, wanted := map[string]int{}, map[string]int{}
	err := s.View(ctx, func(tx *Tx) error {
		if err := tx.groupCounts(members, target, "applied"); err != nil {
			return err
		}
		return tx.groupCounts(wanted, target, "desired")
	})
	out := map[string]GroupCount{}
	for name, n := range members {
		out[name] = GroupCount{Members: n}
	}
	for name, n := range wanted {
		out[name] = GroupCount{Members: members[name], Wanted: n}
	}
	return out, err
}

// groupCounts counts the accounts of a target by the groups in one of their columns.
func (t *Tx) groupCounts(into map[string]int, target, column string) error {
	each := `json_each(a.` + column + `, '$.groups') g`
	if t.pg {
		each = `jsonb_array_elements_text(coalesce(CAST(a.` + column + ` AS jsonb) -> 'groups', '[]')) AS g(value)`
	}
	return t.tallyInto(into, `SELECT g.value, count(*) FROM accounts a, `+each+` WHERE a.target = ? AND a.`+column+` IS NOT NULL GROUP BY 1`, target)
}

// AccountsIn counts the accounts that should be in a group that they know by any of
// these names, and those that can be used and are or may be in it.
func (s *Store) AccountsIn(ctx context.Context, target string, names []string) (n int, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		for _, name := range names {
			var found int
			text, err := json.Marshal(name)
			if err != nil {
				return err
			}
			at := `instr(sent, ?) > 0`
			if tx.pg {
				at = `strpos(sent, CAST(? AS text)) > 0`
			}
			if err := tx.row(`SELECT count(*) FROM accounts WHERE target = ? AND (enabled AND applied IS NOT NULL AND `+tx.inList("applied")+` OR desired IS NOT NULL AND `+tx.inList("desired")+` OR (enabled OR desired IS NOT NULL) AND sent IS NOT NULL AND `+at+`)`,
				target, name, name, string(text)).Scan(&found); err != nil {
				return err
			}
			n += found
		}
		return nil
	})
	return n, err
}

// GroupMemberIDs says which of some ids at a target belong to accounts that the hub
// has put, or may have put, into a group under any of these names.
func (s *Store) GroupMemberIDs(ctx context.Context, target string, names, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	for chunk := range slices.Chunk(ids, 500) {
		rows, err := s.AccountsByRemote(ctx, target, chunk)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if r.Owned == "" || r.Applied == nil {
				continue
			}
			in := r.Applied.Groups
			for _, sent := range r.Sent {
				in = append(slices.Clone(in), sent.Groups...)
			}
			if slices.ContainsFunc(in, func(g string) bool { return slices.Contains(names, g) }) {
				out[r.RemoteID] = true
			}
		}
	}
	return out, nil
}

// groupsAt runs a query for groups of one target and adds what grants them.
func (t *Tx) groupsAt(target string, q *gorm.DB) ([]TargetGroup, error) {
	var rows []targetGroupRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, err
	}
	out, err := plainGroups(rows)
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, t.originsInto(target, out)
}

func (t *Tx) originsInto(target string, groups []TargetGroup) error {
	at := make(map[string]int, len(groups))
	names := make([]string, len(groups))
	for i, g := range groups {
		at[g.Name], names[i] = i, g.Name
	}
	for chunk := range slices.Chunk(names, 500) {
		origins, err := t.origins(`target = ? AND name IN `+list(len(chunk)), append([]any{target}, anys(chunk)...)...)
		if err != nil {
			return err
		}
		for _, o := range origins {
			i := at[o.Name]
			groups[i].Origins = append(groups[i].Origins, o)
		}
	}
	return nil
}

func (t *Tx) origins(where string, args ...any) ([]GroupOrigin, error) {
	rows, err := t.query(`SELECT kind, ref, label, source, name FROM target_group_origins WHERE `+where+` ORDER BY kind DESC, ref, label`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []GroupOrigin
	for rows.Next() {
		var o GroupOrigin
		if err := rows.Scan(&o.Kind, &o.Ref, &o.Label, &o.Source, &o.Name); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// GroupNamed finds a group by the name that accounts know it by, now or formerly, and
// without regard to case; ok is false where there is none. A present name goes before a
// former one, and one that is at the target before one that is not.
func (t *Tx) GroupNamed(target, name string) (g TargetGroup, ok bool, err error) {
	var rows []targetGroupRow
	if err := t.db.Where("target = ? AND (name = ? OR fold = ?)", target, name, scim.Fold(name)).Order("name").Find(&rows).Error; err != nil {
		return g, false, err
	}
	if len(rows) == 0 {
		if rows, err = t.formerly(target, name); err != nil {
			return g, false, err
		}
	}
	if len(rows) == 0 {
		return g, false, nil
	}
	best := slices.MaxFunc(rows, func(a, b targetGroupRow) int { return groupStanding(a, name) - groupStanding(b, name) })
	found, err := plainGroups([]targetGroupRow{best})
	if err != nil {
		return g, false, err
	}
	return found[0], true, t.originsInto(target, found)
}

// groupStanding says how well a row answers to a name.
func groupStanding(r targetGroupRow, name string) int {
	n := 0
	if r.RemoteID != "" && r.Owned != "" {
		n += 4
	}
	if r.Wanted {
		n += 2
	}
	if r.Name == name {
		n++
	}
	return n
}

func (t *Tx) formerly(target, name string) ([]targetGroupRow, error) {
	var rows, out []targetGroupRow
	if err := t.db.Where("target = ? AND former <> '[]'", target).Order("name").Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		var former []string
		if err := json.Unmarshal([]byte(r.Former), &former); err != nil {
			return nil, fmt.Errorf("group %s at %s: %w", r.Name, target, err)
		}
		if slices.ContainsFunc(former, func(f string) bool { return scim.Fold(f) == scim.Fold(name) }) {
			out = append(out, r)
		}
	}
	return out, nil
}
