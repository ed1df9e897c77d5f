package store

// A user is in the groups that list them, and in every group that lists one of
// those (RFC 7643 §4.1.2: direct and indirect). Groups may list each other in
// circles: the recursion unites what it finds, so it ends. It keeps to the groups of
// one source, for no source sees what another wrote.

// groupsAbove is the head of a statement that finds the groups a resource r is in:
// the table up of their ids.
const groupsAbove = `WITH RECURSIVE up(id) AS (
SELECT g.id FROM group_members m JOIN resources g ON g.id = m.group_id AND g.source = r.source WHERE m.member_id = r.id
UNION
SELECT g.id FROM up JOIN group_members m ON m.member_id = up.id JOIN resources g ON g.id = m.group_id AND g.source = r.source) `

// membersBelow is the head of a statement that finds who is in a group, which is its
// argument, directly or not: the table down of ids of users and of groups.
const membersBelow = `WITH RECURSIVE down(source, id) AS (
SELECT g.source, m.member_id FROM resources g JOIN group_members m ON m.group_id = g.id WHERE g.id = ?
UNION
SELECT down.source, m.member_id FROM down JOIN group_members m ON m.group_id = down.id JOIN resources g ON g.id = m.group_id AND g.source = down.source) `

// directness says of a group g and a resource r how r is in g.
const directness = `CASE WHEN EXISTS (SELECT 1 FROM group_members d WHERE d.group_id = g.id AND d.member_id = r.id) THEN 'direct' ELSE 'indirect' END`

// groupsOfUser is a sub-select of the groups that a user r is in, as a JSON list of
// [id, display, type]; NULL or an empty list where there are none.
func groupsOfUser(pg bool) string {
	rows := `(SELECT g.id, g.display, ` + directness + ` AS type FROM up JOIN resources g ON g.id = up.id ORDER BY g.id) x`
	list := `json_group_array(json_array(x.id, x.display, x.type))`
	if pg {
		list = `json_agg(json_build_array(x.id, x.display, x.type) ORDER BY x.id)::text`
	}
	return `(` + groupsAbove + `SELECT ` + list + ` FROM ` + rows + `)`
}

// groupsFrom is a FROM clause of the groups that a user r is in, for filters, with
// the display name folded as the search document has it.
func groupsFrom(display string, pg bool) string {
	direct := directness
	if pg {
		direct = `(` + direct + `) COLLATE "C"`
	}
	return `(` + groupsAbove + `SELECT g.id, ` + display + ` AS display, ` + direct + ` AS type FROM up JOIN resources g ON g.id = up.id) gs`
}
