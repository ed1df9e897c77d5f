package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// AccountReference is an attribute of an account that holds the id of another account at the
// same target, such as the manager.
type AccountReference struct {
	Identity string // whose account has it
	Path     string // the attribute
	Value    string // as it is wanted: whom it names, in a source's words
	Referred string // the identity it names; empty: nobody is found so far
	RemoteID string // the id of that identity's account at the target; empty: there is none
}

// ResolveReferences finds whom references name and by which ids their accounts are
// known at the target. References to managers (managers says which paths those are) name
// whom the hub takes for the manager; others an identity, a resource, an externalId or
// a userName. With keep the outcome replaces what is stored of the identities, so that
// those who wait are found when the account they wait for comes or goes.
func (s *Store) ResolveReferences(ctx context.Context, target string, identities []string, wanted []AccountReference, managers func(path string) bool, keep bool) ([]AccountReference, error) {
	out := slices.Clone(wanted)
	var stored []AccountReference
	err := s.View(ctx, func(tx *Tx) (err error) {
		if err := tx.findReferred(out, managers); err != nil {
			return err
		}
		if err := tx.findAccounts(target, out); err != nil || !keep {
			return err
		}
		stored, err = tx.references(target, identities)
		return err
	})
	if err != nil || !keep {
		return out, err
	}
	stale, fresh := changedReferences(stored, out)
	if len(stale)+len(fresh) == 0 {
		return out, nil
	}
	return out, s.Update(ctx, func(tx *Tx) error { return tx.saveReferences(target, stale, fresh) })
}

// changedReferences compares what is stored with what was found.
func changedReferences(stored, found []AccountReference) (stale, fresh []AccountReference) {
	have, keep := map[[2]string]AccountReference{}, map[[2]string]bool{}
	for _, r := range stored {
		have[[2]string{r.Identity, r.Path}] = r
	}
	for _, r := range found {
		key := [2]string{r.Identity, r.Path}
		keep[key] = true
		r.Value = NamedForm(r.Value)
		if have[key] != r {
			fresh = append(fresh, r)
		}
	}
	for _, r := range stored {
		if !keep[[2]string{r.Identity, r.Path}] {
			stale = append(stale, r)
		}
	}
	return stale, fresh
}

func (t *Tx) references(target string, identities []string) (out []AccountReference, err error) {
	for chunk := range slices.Chunk(identities, perStatement) {
		err := t.referenceRows(func(rows *sql.Rows) error {
			var r AccountReference
			err := rows.Scan(&r.Identity, &r.Path, &r.Value, &r.Referred, &r.RemoteID)
			out = append(out, r)
			return err
		}, `SELECT identity_id, path, named, referred, remote_id FROM account_references WHERE target = ? AND identity_id IN `+list(len(chunk)), append([]any{target}, anys(chunk)...)...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Tx) saveReferences(target string, stale, fresh []AccountReference) error {
	for _, r := range stale {
		if _, err := t.exec(`DELETE FROM account_references WHERE target = ? AND identity_id = ? AND path = ?`, target, r.Identity, r.Path); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	for chunk := range slices.Chunk(fresh, perStatement) {
		var args []any
		for _, r := range chunk {
			args = append(args, target, r.Identity, r.Path, r.Value, r.Referred, r.RemoteID)
		}
		if _, err := t.exec(`INSERT INTO account_references (target, identity_id, path, named, referred, remote_id) VALUES `+tuples(`(?,?,?,?,?,?)`, len(chunk))+`
ON CONFLICT (target, identity_id, path) DO UPDATE SET named = excluded.named, referred = excluded.referred, remote_id = excluded.remote_id`, args...); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	return nil
}

// findReferred fills in the identities.
func (t *Tx) findReferred(refs []AccountReference, managers func(path string) bool) error {
	var people []string
	for _, r := range refs {
		if managers(r.Path) {
			people = append(people, r.Identity)
		}
	}
	noted := map[string][2]string{} // identity -> manager, as noted
	for chunk := range slices.Chunk(unique(people), perStatement) {
		err := t.referenceRows(func(rows *sql.Rows) error {
			var id, manager, named string
			err := rows.Scan(&id, &manager, &named)
			noted[id] = [2]string{manager, named}
			return err
		}, `SELECT id, manager_id, manager_named FROM identities WHERE manager_id <> '' AND id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return err
		}
	}
	var open []string
	for i, r := range refs {
		if m := noted[r.Identity]; managers(r.Path) && m[1] == NamedForm(r.Value) {
			refs[i].Referred = m[0]
		} else {
			open = append(open, r.Value)
		}
	}
	found, err := t.namedAnywhere(unique(open))
	for i, r := range refs {
		if r.Referred == "" {
			refs[i].Referred = found[r.Value]
		}
	}
	return err
}

// namedAnywhere finds whom values name: an identity by its id, or whoever one resource
// of that id, externalId or userName stands for, whichever its source. What names
// several people names nobody.
func (t *Tx) namedAnywhere(values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, by := range []struct {
		query string
		form  func(string) string
	}{
		{`SELECT id, id, id FROM identities WHERE id IN %s`, strings.TrimSpace},
		{`SELECT id, identity_id, identity_id FROM resources WHERE identity_id <> '' AND id IN %s`, strings.TrimSpace},
		{`SELECT external_id, min(identity_id), max(identity_id) FROM resources WHERE kind = 'User' AND external_id <> '' AND external_id IN %s GROUP BY external_id`, indexForm},
		{`SELECT key, min(identity_id), max(identity_id) FROM resources WHERE kind = 'User' AND key <> '' AND key IN %s GROUP BY key`, func(s string) string { return indexForm(scim.FoldName(s)) }},
	} {
		forms := map[string][]string{}
		for _, v := range values {
			if f := by.form(v); out[v] == "" && f != "" {
				forms[f] = append(forms[f], v)
			}
		}
		for chunk := range slices.Chunk(sortedNames(forms), perStatement) {
			err := t.referenceRows(func(rows *sql.Rows) error {
				var form, least, greatest string
				err := rows.Scan(&form, &least, &greatest)
				for _, v := range forms[form] {
					if least == greatest {
						out[v] = least
					}
				}
				return err
			}, fmt.Sprintf(by.query, list(len(chunk))), anys(chunk)...)
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// referenceRows reads a query row by row.
func (t *Tx) referenceRows(scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return fmt.Errorf("references: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("references: %w", err)
	}
	return nil
}

// findAccounts fills in the ids at the target.
func (t *Tx) findAccounts(target string, refs []AccountReference) error {
	var people []string
	for _, r := range refs {
		people = append(people, r.Referred)
	}
	ids := map[string]string{}
	for chunk := range slices.Chunk(unique(people), perStatement) {
		err := t.referenceRows(func(rows *sql.Rows) error {
			var identity, id string
			err := rows.Scan(&identity, &id)
			ids[identity] = id
			return err
		}, `SELECT identity_id, remote_id FROM accounts WHERE target = ? AND applied IS NOT NULL AND identity_id IN `+list(len(chunk)), append([]any{target}, anys(chunk)...)...)
		if err != nil {
			return err
		}
	}
	for i, r := range refs {
		refs[i].RemoteID = ids[r.Referred]
	}
	return nil
}

// refer makes those due who refer to accounts that came or went.
func (t *Tx) refer(target string, outcomes []Settlement) error {
	var fresh []model.AccountRow
	for _, o := range outcomes {
		if slices.ContainsFunc(o.Done, func(c model.Change) bool { return c.Verb == model.Create || c.Verb == model.Adopt }) {
			fresh = append(fresh, o.Row)
		}
	}
	if err := t.waitersDue(target, fresh); err != nil {
		return err
	}
	return t.referencesDue(target, accountsOf(outcomes))
}

// dueAgain is what becomes of an account whose reference has to be written anew.
const dueAgain = `UPDATE accounts SET due = TRUE, next_at = ?, state = CASE WHEN state = 'in_sync' THEN 'pending' ELSE state END WHERE NOT due AND desired IS NOT NULL AND `

// referencesDue makes those due whose references no longer name the account that is
// there: of these identities, and of those that refer to them.
func (t *Tx) referencesDue(target string, identities []string) error {
	var some int
	if err := t.row(`SELECT count(*) FROM (SELECT 1 FROM account_references WHERE target = ? LIMIT 1) f`, target).Scan(&some); err != nil || some == 0 {
		return err
	}
	for chunk := range slices.Chunk(unique(identities), perStatement/2) {
		in := list(len(chunk))
		const select1 = `SELECT f.identity_id FROM account_references f LEFT JOIN accounts x ON x.target = f.target AND x.identity_id = f.referred
WHERE f.target = ? AND f.referred <> '' AND f.remote_id <> CASE WHEN x.applied IS NULL THEN '' ELSE x.remote_id END AND `
		args := append([]any{micros(t.Now), target, target}, anys(chunk)...)
		args = append(append(args, target), anys(chunk)...)
		if _, err := t.exec(dueAgain+`target = ? AND identity_id IN (`+select1+`f.referred IN `+in+` UNION `+select1+`f.identity_id IN `+in+`)`, args...); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	return nil
}

// waitersDue makes those due whose references name, by its id or names, an account that
// has just come to be.
func (t *Tx) waitersDue(target string, rows []model.AccountRow) error {
	var names []string
	for _, r := range rows {
		names = append(names, NamedForm(r.Identity), NamedForm(nameOf(r)))
		if r.Applied != nil {
			if id, _ := r.Applied.Attrs["externalId"].(string); id != "" {
				names = append(names, NamedForm(id))
			}
		}
	}
	for chunk := range slices.Chunk(unique(names), perStatement) {
		args := append([]any{micros(t.Now), target, target}, anys(chunk)...)
		if _, err := t.exec(dueAgain+`target = ? AND identity_id IN (SELECT identity_id FROM account_references WHERE target = ? AND referred = '' AND named IN `+list(len(chunk))+`)`, args...); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	return nil
}

// managersDue makes those due whose reference to the manager names somebody else by now.
func (t *Tx) managersDue(identities []string) error {
	for chunk := range slices.Chunk(identities, perStatement) {
		args := append([]any{micros(t.Now)}, anys(chunk)...)
		if _, err := t.exec(dueAgain+`identity_id IN `+list(len(chunk))+` AND EXISTS (SELECT 1 FROM account_references f JOIN identities i ON i.id = f.identity_id
WHERE f.target = accounts.target AND f.identity_id = accounts.identity_id AND f.named = i.manager_named AND f.referred <> i.manager_id)`, args...); err != nil {
			return fmt.Errorf("references: %w", err)
		}
	}
	return nil
}

// unique sorts and drops what is empty or there twice.
func unique(values []string) []string {
	out := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	slices.Sort(out)
	return slices.Compact(out)
}
