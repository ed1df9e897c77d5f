package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// PersonNamed finds a person as FindIdentity does, but gives one that turned out to
// be another as it is.
func (t *Tx) PersonNamed(name string) (IdentityRow, error) {
	var r identityRow
	err := t.db.Where("id = ?", name).Take(&r).Error
	switch {
	case err == nil:
		return r.plain()
	case errors.Is(err, gorm.ErrRecordNotFound):
		return t.FindIdentity(name)
	}
	return IdentityRow{}, err
}

// LockIdentities reads people and keeps them from being linked, and from being worked
// out anew, until the transaction ends.
func (t *Tx) LockIdentities(ids ...string) (map[string]IdentityRow, error) {
	q := t.db.Where("id IN ?", slices.Compact(slices.Sorted(slices.Values(ids)))).Order("id")
	if t.pg {
		q = q.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	var rows []identityRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, err
	}
	out := map[string]IdentityRow{}
	for _, r := range rows {
		i, err := r.plain()
		if err != nil {
			return nil, err
		}
		out[r.ID] = i
	}
	return out, nil
}

// Standing follows an identity to the one that it turned out to be, and keeps that one
// from being linked or erased until the transaction ends. Empty: that one was erased.
func (t *Tx) Standing(id string) (string, error) {
	lock := ""
	if t.pg {
		lock = " FOR SHARE"
	}
	for range maxChain {
		var into string
		var erased *int64
		if err := t.row(`SELECT merged_into, erased_at FROM identities WHERE id = ?`+lock, id).Scan(&into, &erased); err != nil {
			return "", err
		}
		switch {
		case erased != nil:
			return "", nil
		case into == "":
			return id, nil
		}
		id = into
	}
	return "", fmt.Errorf("identity %s: merged in a circle", id)
}

// maxChain limits how far merged identities are followed. Links keep the way one step
// long; more is for what several transactions did at once.
const maxChain = 10

// UsersOf lists the resources that describe a person, by source and id.
func (t *Tx) UsersOf(identity string) ([]SourceUser, error) {
	users := map[string][]SourceUser{}
	err := t.factUsers([]string{identity}, users)
	return users[identity], err
}

// AddIdentity makes a person of whom nothing is known yet but a name.
func (t *Tx) AddIdentity(id, name string) error {
	_, err := t.exec(`INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,?,?,'','{}','{}',0,?,'',FALSE,'[]')`,
		id, name, identityKey(name), micros(t.Now))
	return err
}

// MoveResource gives a resource to another identity. Where it comes by a link, whose
// it was before the first one is kept; else that is forgotten.
func (t *Tx) MoveResource(resource, from, to string, link bool) error {
	if _, err := t.exec(`UPDATE resources SET identity_id = ? WHERE id = ? AND identity_id = ?`, to, resource, from); err != nil {
		return err
	}
	if !link {
		_, err := t.exec(`DELETE FROM linked_resources WHERE resource_id = ?`, resource)
		return err
	}
	_, err := t.exec(`INSERT INTO linked_resources (resource_id, identity_id, at) VALUES (?,?,?) ON CONFLICT (resource_id) DO NOTHING`, resource, from, micros(t.Now))
	if err != nil {
		return err
	}
	// Back where it came from, there is nothing to undo.
	_, err = t.exec(`DELETE FROM linked_resources WHERE resource_id = ? AND identity_id = ?`, resource, to)
	return err
}

// LinkedFrom tells whose resources were, that came to their identity by a link:
// resource -> identity.
func (t *Tx) LinkedFrom(resources []string) (map[string]string, error) {
	out := map[string]string{}
	if len(resources) == 0 {
		return out, nil
	}
	rows, err := t.query(`SELECT resource_id, identity_id FROM linked_resources WHERE resource_id IN `+list(len(resources)), anys(resources)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var resource, identity string
		if err := rows.Scan(&resource, &identity); err != nil {
			return nil, err
		}
		out[resource] = identity
	}
	return out, rows.Err()
}

// SetMerged says that one identity turned out to be another, and so did all who had
// turned out to be the first. It is no leaver then: its leaving counts for nobody.
func (t *Tx) SetMerged(from, into string) error {
	if _, err := t.exec(`UPDATE identities SET merged_into = ? WHERE merged_into = ? AND merged_into <> ''`, into, from); err != nil {
		return err
	}
	// Reports keep their manager, who is only known by another id now.
	if _, err := t.exec(`UPDATE identities SET manager_id = ? WHERE manager_id = ? AND manager_id <> ''`, into, from); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE identities SET merged_into = ?, left_at = NULL, left_source = '', over_guard = FALSE WHERE id = ?`, into, from)
	return err
}

// ClearMerged says that an identity is a person of its own again.
func (t *Tx) ClearMerged(id string) error {
	_, err := t.exec(`UPDATE identities SET merged_into = '' WHERE id = ?`, id)
	return err
}

// ApartKeys are what a resource is remembered by when it was decided to be somebody
// else's: its id, and what survives when the source makes it anew. They are hashed,
// for they outlive what they were made of.
func ApartKeys(resource, userName, externalID string) []string {
	var out []string
	for _, k := range [][2]string{{"id", resource}, {"name", identityKey(userName)}, {"number", externalID}} {
		if k[1] != "" {
			sum := sha256.Sum256([]byte(k[0] + "\x00" + k[1]))
			out = append(out, hex.EncodeToString(sum[:16]))
		}
	}
	return out
}

// apartFrom is a condition, with its arguments: the identity that an SQL expression
// names was decided to be apart from a resource of a source with one of the keys.
func apartFrom(identity, source string, keys []string) (string, []any) {
	if len(keys) == 0 {
		return "1 = 0", nil
	}
	return `EXISTS (SELECT 1 FROM apart ap WHERE ap.identity_id = ` + identity + ` AND ap.source = ? AND ap.key IN ` + list(len(keys)) + `)`,
		append([]any{source}, anys(keys)...)
}

// SetApart remembers that a resource, an owner's, is not one of another identity.
func (t *Tx) SetApart(source string, keys []string, owner, identity string) error {
	for _, k := range keys {
		_, err := t.exec(`INSERT INTO apart (source, key, identity_id, owner_id, at) VALUES (?,?,?,?,?) ON CONFLICT (source, key, identity_id) DO UPDATE SET owner_id = excluded.owner_id`,
			source, k, identity, owner, micros(t.Now))
		if err != nil {
			return err
		}
	}
	return nil
}

// Apart reports whether a resource was decided not to be an identity's.
func (t *Tx) Apart(source string, keys []string, identity string) (bool, error) {
	if len(keys) == 0 {
		return false, nil
	}
	var n int
	err := t.row(`SELECT count(*) FROM apart WHERE identity_id = ? AND source = ? AND key IN `+list(len(keys)), append([]any{identity, source}, anys(keys)...)...).Scan(&n)
	return n > 0, err
}

// FollowApart lets what was decided about a resource hold under its new keys too.
func (t *Tx) FollowApart(source string, old, keys []string) error {
	if len(old) == 0 {
		return nil
	}
	for _, k := range keys {
		_, err := t.exec(`INSERT INTO apart (source, key, identity_id, owner_id, at) SELECT DISTINCT source, CAST(? AS text), identity_id, owner_id, CAST(? AS bigint) FROM apart WHERE source = ? AND key IN `+list(len(old))+` ON CONFLICT (source, key, identity_id) DO NOTHING`,
			append([]any{k, micros(t.Now), source}, anys(old)...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Together forgets that anything of two identities was decided to be apart, and lets
// what was decided to be apart from the first be apart from the second.
func (t *Tx) Together(from, to string, users []SourceUser) error {
	if _, err := t.exec(`DELETE FROM apart WHERE (identity_id = ? AND owner_id = ?) OR (identity_id = ? AND owner_id = ?)`, from, to, to, from); err != nil {
		return err
	}
	for _, u := range users {
		keys := u.Keys()
		if _, err := t.exec(`DELETE FROM apart WHERE identity_id IN (?,?) AND source = ? AND key IN `+list(len(keys)), append([]any{from, to, u.Source}, anys(keys)...)...); err != nil {
			return err
		}
	}
	if _, err := t.exec(`INSERT INTO apart (source, key, identity_id, owner_id, at) SELECT source, key, CAST(? AS text), owner_id, at FROM apart WHERE identity_id = ? AND owner_id <> ?
ON CONFLICT (source, key, identity_id) DO NOTHING`, to, from, to); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE apart SET owner_id = ? WHERE owner_id = ?`, to, from)
	return err
}

// Keys are what the resource is remembered by; see ApartKeys.
func (u SourceUser) Keys() []string {
	userName, _ := u.Attrs["userName"].(string)
	externalID, _ := u.Attrs["externalId"].(string)
	return ApartKeys(u.ID, userName, externalID)
}

// LockValues serialises those who make or change people with one of these values, so
// that two sources do not make two identities of one person.
func (t *Tx) LockValues(values []string) error {
	if !t.pg || len(values) == 0 {
		return nil
	}
	folded := make([]string, len(values))
	for i, v := range values {
		folded[i] = identityKey(v)
	}
	folded = slices.Compact(slices.Sorted(slices.Values(folded))) // in one order for all
	rows := strings.TrimSuffix(strings.Repeat("(CAST(? AS text)),", len(folded)), ",")
	_, err := t.exec(`SELECT pg_advisory_xact_lock_shared(7266223013), pg_advisory_xact_lock(hashtextextended(v, 7266223011)) FROM (VALUES `+rows+`) x(v)`, anys(folded)...)
	return err
}

// LockAllValues is LockValues for more values than a database has locks.
func (t *Tx) LockAllValues() error {
	if !t.pg {
		return nil
	}
	_, err := t.exec(`SELECT pg_advisory_xact_lock(7266223013)`)
	return err
}

// HadAccess reports whether a person ever held a role or had an account.
func (t *Tx) HadAccess(identity string) (bool, error) {
	var n int
	err := t.row(`SELECT (SELECT count(*) FROM grants WHERE identity_id = ?) + (SELECT count(*) FROM accounts WHERE identity_id = ? AND (desired IS NOT NULL OR applied IS NOT NULL OR owned <> '' OR remote_id <> ''))`,
		identity, identity).Scan(&n)
	return n > 0, err
}

// NamesOf gives the names of identities, for people.
func (t *Tx) NamesOf(ids []string) (map[string]string, error) {
	out := map[string]string{}
	for chunk := range slices.Chunk(ids, perStatement) {
		rows, err := t.query(`SELECT id, name FROM identities WHERE id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() {
				var id, name string
				if err := rows.Scan(&id, &name); err != nil {
					return err
				}
				out[id] = name
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
