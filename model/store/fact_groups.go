package store

import (
	"slices"
	"sort"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// factGroups reads the groups that people are in: first those that list them; and
// where a group lists one of these groups in turn, all of these, with the way to them.
func (t *Tx) factGroups(ids []string, into map[string][]model.Membership) error {
	marks := list(len(ids))
	nested, err := t.membershipsInto(into, joins(t.pg, `SELECT r.identity_id, g.source, g.id, g.display, g.external_id, (SELECT 1 FROM group_members n WHERE n.member_id = g.id LIMIT 1)
FROM resources r JOIN group_members m ON m.member_id = r.id JOIN resources g ON g.id = m.group_id AND g.source = r.source WHERE r.identity_id <> '' AND r.identity_id IN `)+marks, anys(ids))
	if err != nil {
		return err
	}
	if nested {
		above, err := t.groupsOver(marks, anys(ids))
		if err != nil {
			return err
		}
		for id, direct := range into {
			into[id] = withAbove(direct, above)
		}
	}
	for _, list := range into {
		sort.Slice(list, func(i, j int) bool {
			if list[i].Display != list[j].Display {
				return list[i].Display < list[j].Display
			}
			return list[i].GroupID < list[j].GroupID
		})
	}
	return nil
}

// groupsOver reads which groups list the groups that some people are in, directly or
// not: a group's id to the groups that list it, by name.
func (t *Tx) groupsOver(marks string, ids []any) (map[string][]model.Membership, error) {
	rows, err := t.query(joins(t.pg, `WITH RECURSIVE up(source, id) AS (
SELECT g.source, g.id FROM resources r JOIN group_members m ON m.member_id = r.id JOIN resources g ON g.id = m.group_id AND g.source = r.source WHERE r.identity_id <> '' AND r.identity_id IN `)+marks+joins(t.pg, `
UNION
SELECT g.source, g.id FROM up JOIN group_members m ON m.member_id = up.id JOIN resources g ON g.id = m.group_id AND g.source = up.source)
SELECT up.id, g.source, g.id, g.display, g.external_id FROM up JOIN group_members m ON m.member_id = up.id JOIN resources g ON g.id = m.group_id AND g.source = up.source`), ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]model.Membership{}
	for rows.Next() {
		var below string
		var m model.Membership
		if err := rows.Scan(&below, &m.Source, &m.GroupID, &m.Display, &m.ExternalID); err != nil {
			return nil, err
		}
		out[below] = append(out[below], m)
	}
	for _, list := range out {
		slices.SortFunc(list, byDisplay)
	}
	return out, rows.Err()
}

func byDisplay(a, b model.Membership) int {
	if n := strings.Compare(a.Display, b.Display); n != 0 {
		return n
	}
	return strings.Compare(a.GroupID, b.GroupID)
}

// withAbove adds the groups above those that list a person. Of several ways to one the
// shortest counts, of equal ones the first by name, so that equal facts give equal
// words. Each group is visited once: circles end.
func withAbove(direct []model.Membership, above map[string][]model.Membership) []model.Membership {
	seen := make(map[string]bool, len(direct))
	out := slices.Clone(direct)
	slices.SortFunc(out, byDisplay)
	out = slices.CompactFunc(out, func(a, b model.Membership) bool { return a.GroupID == b.GroupID })
	for _, m := range out {
		seen[m.GroupID] = true
	}
	for next := 0; next < len(out); next++ {
		at := out[next]
		way := at.Via
		if way == nil {
			way = []string{at.Display}
		}
		for _, m := range above[at.GroupID] {
			if seen[m.GroupID] {
				continue
			}
			seen[m.GroupID] = true
			m.Via = append(slices.Clone(way), m.Display)
			out = append(out, m)
		}
	}
	return out
}

// membershipsInto appends the groups that a query finds, and tells whether any of them
// is in a group itself.
func (t *Tx) membershipsInto(into map[string][]model.Membership, query string, args []any) (nested bool, err error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var identity string
		var m model.Membership
		var deeper *int
		if err := rows.Scan(&identity, &m.Source, &m.GroupID, &m.Display, &m.ExternalID, &deeper); err != nil {
			return false, err
		}
		into[identity] = append(into[identity], m)
		nested = nested || deeper != nil
	}
	return nested, rows.Err()
}
