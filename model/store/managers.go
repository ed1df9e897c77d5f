package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// chainLimit is how many levels of managers are climbed.
const chainLimit = 50

// NamedManager is whom a source names as somebody's manager.
type NamedManager struct {
	Source string
	Value  string // an id of a resource there, or an externalId or userName
}

// Manager tells the manager of a person now from the one at the last evaluation.
type Manager struct {
	model.Manager
	Before      string // identity; empty: there was none, or nobody was found
	NamedBefore string // as noted by SetManagers
}

// Managers finds whom people name as their manager: the resource of that id at the
// same source, or else the one of that externalId, or of that userName there; or who
// was found under that name last. An answer is there for everybody whose id is in named; who names nobody has an empty
// value there and an empty Manager.
func (t *Tx) Managers(named map[string]NamedManager) (map[string]*Manager, error) {
	out := map[string]*Manager{}
	if len(named) == 0 {
		return out, nil
	}
	if err := t.managersBefore(named, out); err != nil {
		return nil, err
	}
	bySource := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if n := named[id]; n.Value != "" && out[id] != nil {
			bySource[n.Source] = append(bySource[n.Source], n.Value)
		}
	}
	for source, values := range bySource {
		found, err := t.findUsers(source, values)
		if err != nil {
			return nil, err
		}
		for id, m := range out {
			if n := named[id]; n.Source == source && n.Value != "" {
				m.Named, m.ID = n.Value, found[n.Value]
				if m.ID == "" && m.NamedBefore == NamedForm(n.Value) { // deleted at the source since
					m.ID = m.Before
				}
			}
		}
	}
	return out, t.describeManagers(out)
}

func (t *Tx) managersBefore(named map[string]NamedManager, out map[string]*Manager) error {
	ids := slices.Sorted(maps.Keys(named))
	rows, err := t.query(`SELECT id, manager_id, manager_named FROM identities WHERE id IN `+list(len(ids)), anys(ids)...)
	if err != nil {
		return fmt.Errorf("managers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		m := &Manager{}
		if err := rows.Scan(&id, &m.Before, &m.NamedBefore); err != nil {
			return fmt.Errorf("managers: %w", err)
		}
		out[id] = m
	}
	return rows.Err()
}

// findUsers finds the identities that a source's names stand for, by name. An
// externalId that two people share names nobody.
func (t *Tx) findUsers(source string, values []string) (map[string]string, error) {
	slices.Sort(values)
	values = slices.Compact(values)
	out := map[string]string{}
	for _, by := range []struct {
		column string
		form   func(string) string
	}{
		{"id", func(s string) string { return s }},
		{"external_id", indexForm},
		{"key", func(s string) string { return indexForm(scim.FoldName(s)) }},
	} {
		forms := map[string]string{} // as compared -> as named
		for _, v := range values {
			if f := by.form(v); out[v] == "" && f != "" {
				forms[f] = v
			}
		}
		if len(forms) == 0 {
			break
		}
		found, err := t.usersBy(source, by.column, slices.Sorted(maps.Keys(forms)))
		if err != nil {
			return nil, err
		}
		for f, id := range found {
			out[forms[f]] = id
		}
	}
	return out, nil
}

func (t *Tx) usersBy(source, column string, forms []string) (map[string]string, error) {
	present := ""
	if column != "id" {
		present = ` AND ` + column + ` <> ''` // partial indexes
	}
	rows, err := t.query(`SELECT `+column+`, min(identity_id), max(identity_id) FROM resources WHERE source = ? AND kind = 'User'`+present+` AND `+column+
		` IN `+list(len(forms))+` GROUP BY `+column, append([]any{source}, anys(forms)...)...)
	if err != nil {
		return nil, fmt.Errorf("managers: %w", err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var form, least, greatest string
		if err := rows.Scan(&form, &least, &greatest); err != nil {
			return nil, fmt.Errorf("managers: %w", err)
		}
		if least == greatest {
			out[form] = least
		}
	}
	return out, rows.Err()
}

// describeManagers adds names, stages, and whether a line of managers leads back.
func (t *Tx) describeManagers(out map[string]*Manager) error {
	var ids []string
	for _, m := range out {
		if m.ID != "" {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	people, err := t.People(ids)
	if err != nil {
		return err
	}
	above, err := t.Above(ids)
	if err != nil {
		return err
	}
	for id, m := range out {
		p := people[m.ID]
		m.Name, m.Stage = p.Name, p.Stage
		m.Circle = m.ID != "" && (m.ID == id || slices.Contains(above[m.ID], id))
	}
	return nil
}

// Above gives the line of managers of people as it is stored, with the people
// themselves first and without an order beyond that; at most fifty levels.
func (t *Tx) Above(ids []string) (map[string][]string, error) {
	out := map[string][]string{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := t.query(`WITH RECURSIVE up(start, id, n) AS (SELECT id, id, 0 FROM identities WHERE id IN `+list(len(ids))+`
UNION ALL SELECT up.start, i.manager_id, up.n + 1 FROM up JOIN identities i ON i.id = up.id WHERE i.manager_id <> '' AND up.n < ?)
SELECT start, id, min(n) FROM up GROUP BY start, id ORDER BY 1, 3`, append(anys(ids), chainLimit)...)
	if err != nil {
		return nil, fmt.Errorf("line of managers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var start, id string
		var level int
		if err := rows.Scan(&start, &id, &level); err != nil {
			return nil, fmt.Errorf("line of managers: %w", err)
		}
		out[start] = append(out[start], id)
	}
	return out, rows.Err()
}

// ManagerSet is whom an identity names as its manager, to be noted.
type ManagerSet struct {
	Identity string
	Manager  string // identity; empty: none, or nobody was found
	Named    string // empty: nobody is named
}

// NamedForm is how a name of a manager is noted, so that whoever comes by that name
// later is found to be it.
func NamedForm(value string) string { return indexForm(scim.FoldName(value)) }

// SetManagers notes the managers of people. Named is in the form of NamedForm.
func (t *Tx) SetManagers(sets []ManagerSet) error {
	const columns = 3
	for start := 0; start < len(sets); start += idChunk / columns {
		chunk := sets[start:min(start+idChunk/columns, len(sets))]
		var args []any
		for _, s := range chunk {
			args = append(args, s.Identity, s.Manager, s.Named)
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?),", len(chunk)), ",")
		if _, err := t.exec(`WITH v(id, m, n) AS (VALUES `+values+`) UPDATE identities SET manager_id = v.m, manager_named = v.n FROM v WHERE identities.id = v.id`, args...); err != nil {
			return fmt.Errorf("managers: %w", err)
		}
		ids := make([]string, len(chunk))
		for i, s := range chunk {
			ids[i] = s.Identity
		}
		if err := t.managersDue(ids); err != nil {
			return err
		}
	}
	return nil
}

// Reports lists the people whose manager is one of these.
func (t *Tx) Reports(managers []string) ([]string, error) {
	return t.idsWhere(`manager_id <> '' AND manager_id IN `, managers)
}

// WaitingFor lists the people who name as their manager, in the form of NamedForm,
// somebody who was not found so far.
func (t *Tx) WaitingFor(names []string) ([]string, error) {
	return t.idsWhere(`manager_id = '' AND manager_named <> '' AND manager_named IN `, names)
}

func (t *Tx) idsWhere(cond string, values []string) (out []string, err error) {
	for start := 0; start < len(values); start += idChunk {
		chunk := values[start:min(start+idChunk, len(values))]
		ids, err := t.texts(`SELECT id FROM identities WHERE `+cond+list(len(chunk))+` ORDER BY id`, anys(chunk)...)
		if err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		out = append(out, ids...)
	}
	return out, nil
}
