package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
)

// UserKey is what a user of a source is recognised by, in the forms that indexes hold.
type UserKey struct {
	ID         string
	ExternalID string
	UserName   string
}

// KeysOf are the keys that a user with these attributes has.
func KeysOf(t *scim.ResourceType, attrs map[string]any) UserKey {
	search := t.SearchDoc(scim.Resource{Attrs: map[string]any{"userName": attrs["userName"]}})
	return UserKey{ExternalID: externalID(attrs), UserName: keyFrom(search, "username")}
}

// UserKeys lists all users of a source, in the order of their ids.
func (t *Tx) UserKeys(source string) ([]UserKey, error) {
	rows, err := t.query(`SELECT id, external_id, key FROM resources WHERE source = ? AND kind = 'User' ORDER BY id`, source)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []UserKey
	for rows.Next() {
		var k UserKey
		if err := rows.Scan(&k.ID, &k.ExternalID, &k.UserName); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, rows.Err()
}

// UsersHeld reads users of a source by id, without groups; those that are not there
// are left out.
func (t *Tx) UsersHeld(source string, user *scim.ResourceType, ids []string) (map[string]Held, error) {
	out := make(map[string]Held, len(ids))
	for chunk := range slices.Chunk(ids, 500) {
		if err := t.usersHeld(source, user, chunk, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Tx) usersHeld(source string, user *scim.ResourceType, ids []string, out map[string]Held) error {
	rows, err := t.query(`SELECT r.id, r.doc, r.version, r.created_at, r.modified_at, r.identity_id, NULL FROM resources r WHERE r.source = ? AND r.kind = 'User' AND r.id IN `+list(len(ids)),
		append([]any{source}, anys(ids)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	into := reads(user.Name, scim.Fields{})
	for rows.Next() {
		h, err := into.scan(rows)
		if err != nil {
			return err
		}
		h.Source = source
		out[h.Resource.ID] = h
	}
	return rows.Err()
}

// Orphans tells which of these user names belong to somebody without a resource.
func (t *Tx) Orphans(userNames []string) (map[string]bool, error) {
	byKey := make(map[string][]string, len(userNames))
	for _, name := range userNames {
		byKey[identityKey(name)] = append(byKey[identityKey(name)], name)
	}
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := map[string]bool{}
	for chunk := range slices.Chunk(keys, 500) {
		found, err := t.texts(`SELECT i.key FROM identities i WHERE i.key IN `+list(len(chunk))+` AND i.erased_at IS NULL AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id <> '' AND r.identity_id = i.id)`, anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, key := range found {
			for _, name := range byKey[key] {
				out[name] = true
			}
		}
	}
	return out, nil
}

// FreeKeys lets users of one import take each other's names: until they are written,
// in the same transaction, each has a name that nobody else can have.
func (t *Tx) FreeKeys(ids []string) error {
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), 500) {
		if _, err := t.exec(`UPDATE resources SET key = id WHERE id IN `+list(len(chunk)), anys(chunk)...); err != nil {
			return err
		}
	}
	return nil
}

// ImportLog remembers where the events of an import begin, for their audit entries.
type ImportLog struct{ after string }

// BeginImport is called before the first WriteUsers.
func (t *Tx) BeginImport() (ImportLog, error) {
	id, err := uuid.NewV7() // grows: all events of this import are behind it
	return ImportLog{id.String()}, err
}

// WriteUsers stores users that an import creates or changes, many in a statement:
// rows, events and marks, as CreateResource and ModifyResource do one by one, but no
// audit entries; see AuditImport. A change whose version is not the one behind the
// stored one gives ErrStale, a value that is taken a TakenError.
func (t *Tx) WriteUsers(writes []ResourceWrite) error {
	var b userBatch
	for _, w := range writes {
		if err := b.add(t, w); err != nil {
			return err
		}
	}
	return b.write(t)
}

// userBatch is rows of several tables that wait to be inserted.
type userBatch struct {
	resources, identities, values, events [][]any
	marks, urgent                         []string
	created                               int
	last                                  ResourceWrite // for what is the same in all
	uniq                                  []value
}

func (b *userBatch) add(t *Tx, w ResourceWrite) error {
	row, err := newRow(w)
	if err != nil {
		return err
	}
	b.last = w
	if w.Action == "create" {
		b.created++
		b.resources = append(b.resources, []any{row.ID, row.Source, row.Kind, row.Key, row.ExternalID, row.Display, row.Doc, row.Search, row.Version, row.CreatedAt, row.ModifiedAt, row.IdentityID})
		if w.NewIdentity {
			b.identities = append(b.identities, []any{w.Identity, row.Name(), identityKey(row.Name()), micros(t.Now)})
		}
		for _, v := range row.values {
			b.values = append(b.values, []any{row.ID, v.attr, v.value, row.Kind, row.Source, v.uniq})
		}
		b.uniq = append(b.uniq, row.values...)
	} else if err := t.modifyUser(w, row); err != nil {
		return err
	}
	data, err := json.Marshal(w.Data)
	if err != nil {
		return fmt.Errorf("event data: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("event id: %w", err)
	}
	b.events = append(b.events, []any{id.String(), micros(t.Now), "resource." + w.Action, w.Source, w.Resource.ID, w.Identity, string(data)})
	if w.Urgent {
		b.urgent = append(b.urgent, w.Marks...)
	} else {
		b.marks = append(b.marks, w.Marks...)
	}
	return nil
}

func (t *Tx) modifyUser(w ResourceWrite, row resourceRow) error {
	n, err := t.exec(`UPDATE resources SET key = ?, external_id = ?, display = ?, doc = ?, search = `+t.json()+`, version = ?, modified_at = ? WHERE id = ? AND source = ? AND version = ?`,
		row.Key, row.ExternalID, row.Display, row.Doc, row.Search, row.Version, row.ModifiedAt, row.ID, row.Source, row.Version-1)
	if err != nil {
		return taken(err, w, row.values)
	}
	if n != 1 {
		return ErrStale
	}
	before, err := t.valuesBefore(w)
	if err != nil {
		return err
	}
	for _, p := range t.valuePieces(w, before, row.values) {
		if _, err := t.exec(p.text, p.args...); err != nil {
			return taken(err, w, row.values)
		}
	}
	return nil
}

func (b *userBatch) write(t *Tx) error {
	if err := t.insert(`resources (id, source, kind, key, external_id, display, doc, search, version, created_at, modified_at, identity_id)`,
		`(?,?,?,?,?,?,?,`+t.json()+`,?,?,?,?)`, b.resources); err != nil {
		return taken(err, b.last, b.uniq)
	}
	if err := t.insert(`identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings)`,
		`(?,?,?,'','{}','{}',0,?,'',FALSE,'[]')`, b.identities); err != nil {
		return err
	}
	if err := t.insert(`resource_values (resource_id, attr, value, kind, source, uniq)`, `(?,?,?,?,?,?)`, b.values); err != nil {
		return taken(err, b.last, b.uniq)
	}
	if err := t.insert(`events (id, at, type, source, resource_id, identity_id, data)`, `(?,?,?,?,?,?,?)`, b.events); err != nil {
		return err
	}
	if b.created > 0 {
		_, err := t.exec(`INSERT INTO resource_counts (source, kind, lane, n) VALUES (?,?,?,?) ON CONFLICT (source, kind, lane) DO UPDATE SET n = resource_counts.n + excluded.n`,
			b.last.Source, b.last.Type.Name, anyLane(), b.created)
		if err != nil {
			return err
		}
	}
	for _, p := range append(t.markPieces(b.marks, false), t.markPieces(b.urgent, true)...) {
		if _, err := t.exec(p.text, p.args...); err != nil {
			return err
		}
	}
	return nil
}

// insert adds rows of one table, many in a statement.
func (t *Tx) insert(into, row string, rows [][]any) error {
	for chunk := range slices.Chunk(rows, perStatement) {
		args := make([]any, 0, len(chunk)*len(chunk[0]))
		for _, r := range chunk {
			args = append(args, r...)
		}
		if _, err := t.exec(`INSERT INTO `+into+` VALUES `+strings.TrimSuffix(strings.Repeat(row+",", len(chunk)), ","), args...); err != nil {
			return err
		}
	}
	return nil
}

// auditedAtOnce is how many events of an import are turned into audit entries together.
const auditedAtOnce = 2000

// AuditImport writes the audit entries of what WriteUsers wrote in this transaction.
// They come last, because who writes to the trail keeps others waiting until it
// commits.
func (t *Tx) AuditImport(log ImportLog, source, actor string) error {
	for {
		entries, last, err := t.importEntries(log.after, source, actor)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := t.Audit(entries...); err != nil {
			return err
		}
		log.after = last
	}
}

func (t *Tx) importEntries(after, source, actor string) (out []AuditEntry, last string, err error) {
	rows, err := t.query(`SELECT id, type, resource_id, identity_id, data FROM events WHERE id > ? AND source = ? AND at = ? AND type IN ('resource.create', 'resource.modify') ORDER BY id LIMIT ?`,
		after, source, micros(t.Now), auditedAtOnce)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, resource string
		e := AuditEntry{At: t.Now, Actor: actor}
		var data string
		if err := rows.Scan(&last, &kind, &resource, &e.Identity, &data); err != nil {
			return nil, "", err
		}
		e.Action, e.Object, e.Data = "scim."+strings.TrimPrefix(kind, "resource."), "User/"+resource, json.RawMessage(data)
		out = append(out, e)
	}
	return out, last, rows.Err()
}

// Import is an import that changed something.
type Import struct {
	ID       string
	Source   string
	At       time.Time
	Actor    string
	Digest   string // of the difference
	Partial  bool
	Released bool // a person let it pass beyond the source's guard
	Rows     int
	Creates  int
	Updates  int
	Disables int
	Enables  int
}

// AddImport notes an import.
func (t *Tx) AddImport(i Import) error {
	_, err := t.exec(`INSERT INTO imports (id, source, at, actor, digest, partial, released, total, creates, updates, disables, enables) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`,
		i.ID, i.Source, micros(t.Now), i.Actor, i.Digest, i.Partial, i.Released, i.Rows, i.Creates, i.Updates, i.Disables, i.Enables)
	return err
}

// Released reports whether what a source wrote at a moment was an import that a
// person had let pass beyond the source's guard.
func (t *Tx) Released(source string, at time.Time) (bool, error) {
	var n int
	err := t.row(`SELECT count(*) FROM imports WHERE source = ? AND at = ? AND released`, source, micros(at)).Scan(&n)
	return n > 0, err
}

// Imports lists the latest imports of a source, the newest first.
func (s *Store) Imports(ctx context.Context, source string, limit int) (out []Import, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT id, source, at, actor, digest, partial, released, total, creates, updates, disables, enables FROM imports WHERE source = ? ORDER BY at DESC, id DESC LIMIT ?`, source, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var i Import
			var at int64
			if err := rows.Scan(&i.ID, &i.Source, &at, &i.Actor, &i.Digest, &i.Partial, &i.Released, &i.Rows, &i.Creates, &i.Updates, &i.Disables, &i.Enables); err != nil {
				return err
			}
			i.At = fromMicros(at)
			out = append(out, i)
		}
		return rows.Err()
	})
	return out, err
}
