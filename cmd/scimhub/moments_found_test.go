package main_test

import (
	"regexp"
	"slices"
)

// differing finds in a list of differences who and what they are about.
var differing = regexp.MustCompile(`(Given(\d{4}))|(proj-\d\d)\.`)

// found prints, of a run that failed, what the hub knows of those who differ: what is
// wanted, what it believes to be there, and how it came to that.
func (rs *replicas) found() {
	if !rs.t.Failed() {
		return
	}
	err := rs.asAcknowledged()
	if err == nil {
		return
	}
	rs.rows("people marked", `SELECT * FROM marks`)
	rs.rows("groups marked", `SELECT * FROM group_marks`)
	rs.rows("leases", `SELECT name, holder, leased_until FROM targets ORDER BY name`)
	var seen []string
	for _, m := range differing.FindAllStringSubmatch(err.Error(), -1) {
		if slices.Contains(seen, m[0]) || len(seen) == 6 {
			continue
		}
		seen = append(seen, m[0])
		if m[1] != "" {
			rs.rows(m[1]+" at the sources", `SELECT g.display, g.version FROM resources r JOIN group_members m ON m.member_id = r.id JOIN resources g ON g.id = m.group_id WHERE r.external_id = 'E' || $1`, m[2])
			rs.rows(m[1]+"'s accounts", `SELECT a.target, a.desired::json -> 'groups' AS wanted, a.applied::json -> 'groups' AS applied, a.sent, a.remote_id, a.state, a.due, a.generation, a.next_at, a.last_error, a.sent_at, a.updated_at
FROM resources r JOIN accounts a ON a.identity_id = r.identity_id WHERE r.external_id = 'E' || $1 ORDER BY a.target`, m[2])
			rs.rows(m[1]+" in the trail", `SELECT a.at, a.object, a.action, left(a.data, 300) AS data FROM resources r JOIN audit a ON a.identity_id = r.identity_id WHERE r.external_id = 'E' || $1 ORDER BY a.at DESC LIMIT 40`, m[2])
			continue
		}
		rs.rows(m[3]+" at the source", `SELECT display, version, modified_at FROM resources WHERE display LIKE $1 || '%'`, m[3])
		rs.rows(m[3]+" at the targets", `SELECT target, name, applied, wanted, remote_id, owned, state, due, generation, next_at, last_error, length(former) AS former, updated_at FROM target_groups WHERE name LIKE $1 || '%' ORDER BY target, name`, m[3])
		rs.rows(m[3]+" because of", `SELECT target, kind, label, name FROM target_group_origins WHERE name LIKE $1 || '%' ORDER BY target`, m[3])
		rs.rows(m[3]+" in the trail", `SELECT at, object, action, left(data, 200) AS data FROM audit WHERE action IN ('target.rename-group', 'target.create-group', 'target.group.renamed', 'target.group.wanted', 'target.adopt-group') AND data LIKE '%' || $1 || '%' ORDER BY at DESC LIMIT 40`, m[3])
	}
}

// rows prints what a query finds.
func (rs *replicas) rows(title, query string, args ...any) {
	rs.t.Helper()
	rows, err := rs.admin.QueryContext(rs.t.Context(), `SELECT row_to_json(found)::text FROM (`+query+`) found`, args...)
	if err != nil {
		rs.t.Logf("%s: %v", title, err)
		return
	}
	defer rows.Close()
	var out string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err == nil {
			out += "\n  " + one
		}
	}
	if err := rows.Err(); err != nil {
		out += "\n  " + err.Error()
	}
	rs.t.Logf("%s:%s", title, out)
}
