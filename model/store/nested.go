package store

import (
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// A user is in the groups that list them, and in every group that lists one of
// those (RFC 7643 §4.1.2: direct and indirect). Groups may list each other in
// circles: the recursion unites what it finds, so it ends. It keeps to the groups of
// one source, for no source sees what another wrote.

// joins orders the joins of the recursions for SQLite, which would else walk all
// resources of a source to find a few in order.
func joins(pg bool, text string) string {
	if pg {
		return text
	}
	return strings.ReplaceAll(text, " JOIN ", " CROSS JOIN ")
}

// groupsAbove is the head of a statement that finds the groups a resource r is in:
// the table up of their ids.
func groupsAbove(pg bool) string {
	return joins(pg, `WITH RECURSIVE up(id) AS (
SELECT g.id FROM group_members m JOIN resources g ON g.id = m.group_id AND g.source = r.source WHERE m.member_id = r.id
UNION
SELECT g.id FROM up JOIN group_members m ON m.member_id = up.id JOIN resources g ON g.id = m.group_id AND g.source = r.source) `)
}

// membersBelow is the head of a statement that finds who is in a group, which is its
// argument, directly or not: the table down of ids of users and of groups.
func membersBelow(pg bool) string {
	return joins(pg, `WITH RECURSIVE down(source, id) AS (
SELECT g.source, m.member_id FROM resources g JOIN group_members m ON m.group_id = g.id WHERE g.id = ?
UNION
SELECT down.source, m.member_id FROM down JOIN group_members m ON m.group_id = down.id JOIN resources g ON g.id = m.group_id AND g.source = down.source) `)
}

// directness says of a group g and a resource r how r is in g.
const directness = `CASE WHEN EXISTS (SELECT 1 FROM group_members d WHERE d.group_id = g.id AND d.member_id = r.id) THEN 'direct' ELSE 'indirect' END`

// inGroups is a column that says of a resource r whether any group lists it: most are
// in none, and nothing more is asked of them.
const inGroups = `(SELECT 1 FROM group_members m WHERE m.member_id = r.id LIMIT 1)`

// loadGroups fills the groups of users of one source: first those that list them;
// and where a group lists one of these groups in turn, all.
func (t *Tx) loadGroups(source string, users map[string]*scim.Resource) error {
	if len(users) == 0 {
		return nil
	}
	ids := padded(slices.Sorted(maps.Keys(users)))
	nested, err := t.groupsInto(users, joins(t.pg, `SELECT m.member_id, g.id, g.display, 'direct', (SELECT 1 FROM group_members n WHERE n.member_id = g.id LIMIT 1)
FROM group_members m JOIN resources g ON g.id = m.group_id WHERE g.source = ? AND m.member_id IN `)+list(len(ids))+` ORDER BY m.member_id, m.group_id`, append([]any{source}, ids...))
	if err != nil || !nested {
		return err
	}
	for _, r := range users {
		delete(r.Attrs, "groups")
	}
	_, err = t.groupsInto(users, joins(t.pg, `WITH RECURSIVE up(member, id) AS (
SELECT m.member_id, g.id FROM group_members m JOIN resources g ON g.id = m.group_id WHERE g.source = ? AND m.member_id IN `)+list(len(ids))+joins(t.pg, `
UNION
SELECT up.member, g.id FROM up JOIN group_members m ON m.member_id = up.id JOIN resources g ON g.id = m.group_id WHERE g.source = ?)
SELECT up.member, g.id, g.display, CASE WHEN EXISTS (SELECT 1 FROM group_members d WHERE d.group_id = g.id AND d.member_id = up.member) THEN 'direct' ELSE 'indirect' END, NULL
FROM up JOIN resources g ON g.id = up.id ORDER BY up.member, up.id`), append(append([]any{source}, ids...), source))
	return err
}

// groupsInto appends the groups that a query finds: member, id, display, type and
// whether the group is in a group itself.
func (t *Tx) groupsInto(users map[string]*scim.Resource, query string, args []any) (nested bool, err error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var member, id, display, kind string
		var deeper *int
		if err := rows.Scan(&member, &id, &display, &kind, &deeper); err != nil {
			return false, err
		}
		group := map[string]any{"value": id, "type": kind}
		if display != "" {
			group["display"] = display
		}
		groups, _ := users[member].Attrs["groups"].([]any)
		setAttr(users[member], "groups", append(groups, group))
		nested = nested || deeper != nil
	}
	return nested, rows.Err()
}

// padded repeats the last value until there are a power of two of them, so that
// statements come in few shapes.
func padded(values []string) []any {
	out := anys(values)
	for n := len(out); n&(n-1) != 0; n++ {
		out = append(out, out[len(out)-1])
	}
	return out
}

// groupsFrom is a FROM clause of the groups that a user r is in, for filters, with
// the display name folded as the search document has it.
func groupsFrom(display string, pg bool) string {
	direct := directness
	if pg {
		direct = `(` + direct + `) COLLATE "C"`
	}
	return `(` + groupsAbove(pg) + joins(pg, `SELECT g.id, `+display+` AS display, `+direct+` AS type FROM up JOIN resources g ON g.id = up.id) gs`)
}
