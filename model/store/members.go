package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// loadMembers fills the members of the groups on a page, unless nobody wants them.
func (t *Tx) loadMembers(rt *scim.ResourceType, page []*scim.Resource, want scim.Fields) error {
	if rt.Name != "Group" || len(page) == 0 || !want.Wants("members") {
		return nil
	}
	ids := make([]any, len(page))
	byID := make(map[string]*scim.Resource, len(page))
	for i, r := range page {
		ids[i], byID[r.ID] = r.ID, r
	}
	return t.membersInto(`WHERE group_id IN `+list(len(ids)), ids, byID)
}

// membersNamed is the condition on group_members that a row is that of one of these
// members of a group. However big the group, only these rows are touched: with a plain
// list PostgreSQL may come to read the whole group and compare. The statement must be
// sent with Tx.planned.
func (t *Tx) membersNamed(group string, members []string) (cond string, args []any) {
	if !t.pg {
		return `group_id = ? AND member_id IN ` + list(len(members)), append([]any{group}, anys(members)...)
	}
	return `ctid = ANY(ARRAY(SELECT m.ctid FROM unnest(?::text[]) AS x(id) CROSS JOIN LATERAL (SELECT ctid FROM group_members WHERE group_id = ? AND member_id = x.id LIMIT 1) m))`, []any{members, group}
}

// membersInto reads the members of groups. Each group is one row of three lists, for
// rows are dear where there are many.
func (t *Tx) membersInto(where string, args []any, groups map[string]*scim.Resource) error {
	all := `json_group_array(member_id), json_group_array(type), json_group_array(display)`
	if t.pg {
		all = `json_agg(member_id), json_agg(type), json_agg(display)`
	}
	rows, err := t.query(`SELECT group_id, `+all+` FROM group_members `+where+` GROUP BY group_id`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var group string
		var texts [3][]byte
		if err := rows.Scan(&group, &texts[0], &texts[1], &texts[2]); err != nil {
			return err
		}
		members, err := membersOf(texts)
		if err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		setAttr(groups[group], "members", members)
	}
	return rows.Err()
}

// membersOf puts lists of ids, types and displays together, in the order of ids.
func membersOf(texts [3][]byte) ([]any, error) {
	var lists [3][]string
	for i, text := range texts {
		var err error
		if lists[i], err = textList(text); err != nil {
			return nil, err
		}
	}
	if len(lists[1]) != len(lists[0]) || len(lists[2]) != len(lists[0]) {
		return nil, errors.New("lists of different lengths")
	}
	ids, kinds, displays := lists[0], lists[1], lists[2]
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	if !slices.IsSorted(ids) {
		slices.SortFunc(order, func(i, j int) int { return strings.Compare(ids[i], ids[j]) })
	}
	out := make([]any, len(ids))
	for at, i := range order {
		m := make(map[string]any, 4) // and $ref, when it is shown
		m["value"] = ids[i]
		if kinds[i] != "" {
			m["type"] = kinds[i]
		}
		if displays[i] != "" {
			m["display"] = displays[i]
		}
		out[at] = m
	}
	return out, nil
}

// textList reads a JSON list of texts that the database made. Without escapes, as
// they nearly always are, they share one copy of the whole: to decode ten thousand
// of them one by one took a third of the time of reading a group.
func textList(text []byte) ([]string, error) {
	if bytes.IndexByte(text, '\\') >= 0 {
		var out []string
		err := json.Unmarshal(text, &out)
		return out, err
	}
	rest := string(text)
	out := make([]string, 0, strings.Count(rest, `"`)/2)
	for {
		_, behind, ok := strings.Cut(rest, `"`)
		if !ok {
			return out, nil
		}
		one, next, closed := strings.Cut(behind, `"`)
		if !closed {
			return nil, errors.New("a text has no end")
		}
		out, rest = append(out, one), next
	}
}

// Reference is a resource that another one names by its id.
type Reference struct {
	Kind     string // its resource type
	Identity string // of a User
}

// References looks up which of the ids name resources of a source; others are left
// out. Until the transaction ends nobody can delete them.
func (t *Tx) References(source string, ids []string) (map[string]Reference, error) {
	out := make(map[string]Reference, len(ids))
	lock := ""
	if t.pg {
		lock = " ORDER BY id FOR KEY SHARE"
	}
	for chunk := range slices.Chunk(ids, perStatement) {
		err := t.referencesInto(out, `SELECT id, kind, identity_id FROM resources WHERE source = ? AND id IN `+list(len(chunk))+lock, append([]any{source}, anys(chunk)...))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Tx) referencesInto(out map[string]Reference, query string, args []any) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var r Reference
		if err := rows.Scan(&id, &r.Kind, &r.Identity); err != nil {
			return err
		}
		out[id] = r
	}
	return rows.Err()
}
