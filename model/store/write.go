package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
)

// Member is one row of a group's members.
type Member struct {
	ID      string
	Type    string
	Display string
}

// ResourceWrite is one write of a source: the row, the event, the audit entry
// and the marks that are committed together or not at all.
type ResourceWrite struct {
	Source      string
	Actor       string // who is named in the audit trail
	Resource    scim.Resource
	Before      map[string]any // of a modify: the attributes as they were, where they are known
	Type        *scim.ResourceType
	Identity    string // the identity a User belongs to; NewIdentity: made with it
	NewIdentity bool
	NewName     string // with NewIdentity: ErrOrphan if somebody of this user name has no resource left
	Action      string // create, modify, delete: "scim.<action>"
	Data        any    // for the audit entry: what changed; nothing secret
	UniqueName  bool   // of a group: no other group of the source may have its displayName
	Password    string // its hash, where one is set; never part of Resource or Data
	Joined      []Member
	Parted      []string
	Marks       []string // identities that may differ now
	Urgent      bool     // the write may make somebody a leaver
	Alone       bool     // of ModifyResource: nobody holds the resource; see Store.ModifyResource
}

// perStatement is how many members or marks go into one statement, so that none
// has more parameters than a database takes.
const perStatement = 100

// maxTogether is how many statements are sent as one.
const maxTogether = 50

// ErrOrphan says that a new person has the name of one who has no resource left:
// somebody who comes back, perhaps. Nothing was written.
var ErrOrphan = errors.New("an identity without resources has this name")

// orphanGuard fails the whole statement, by dividing by zero, where there is such
// a person; so the usual case, where there is none, costs no question of its own.
const orphanGuard = ` AND 1 / (CASE WHEN EXISTS (SELECT 1 FROM identities i WHERE i.key = ? AND i.erased_at IS NULL AND i.merged_into = '' AND NOT EXISTS (SELECT 1 FROM resources r WHERE r.identity_id <> '' AND r.identity_id = i.id)) THEN 0 ELSE 1 END) = 1`

// piece is one statement of a write. PostgreSQL runs all pieces as one statement
// (data-modifying CTEs), which saves a round trip each; SQLite one by one.
type piece struct {
	text string
	args []any
	plan bool   // see Tx.planned
	attr string // the attribute whose unique value it stores, where that is one
}

// CreateResource inserts the resource. A taken userName gives model.Conflict.
func (s *Store) CreateResource(ctx context.Context, w ResourceWrite) error {
	do := func(tx *Tx) error { return tx.CreateResource(w) }
	if s.pg && len(w.Joined) <= perStatement && len(w.Marks) <= perStatement {
		ctx, span := s.span(ctx)
		defer span.End("")
		return s.retry(func() error { return s.single(ctx, s.write, do) }) // one statement is its own transaction
	}
	return s.Update(ctx, do)
}

func (s *Store) retry(fn func() error) error {
	err := fn()
	for range 4 {
		if !retryable(err) {
			return err
		}
		err = fn()
	}
	return err
}

// CreateResource is Store.CreateResource inside a transaction.
func (t *Tx) CreateResource(w ResourceWrite) error {
	row, err := newRow(w)
	if err != nil {
		return err
	}
	if w.NewName != "" && !t.pg { // no round trip to save
		if orphan, err := t.Orphan(w.NewName); err != nil || orphan != "" {
			return errors.Join(err, ErrOrphan)
		}
	}
	lane := anyLane()
	pieces := []piece{{text: `INSERT INTO resources (id, source, kind, key, external_id, display, doc, search, version, created_at, modified_at, identity_id) VALUES (?,?,?,?,?,?,?,` + t.json() + `,?,?,?,?)`,
		args: []any{row.ID, row.Source, row.Kind, row.Key, row.ExternalID, row.Display, row.Doc, row.Search, row.Version, row.CreatedAt, row.ModifiedAt, row.IdentityID}}}
	if w.NewIdentity {
		pieces = append(pieces, piece{text: `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,?,?,'','{}','{}',0,?,'',FALSE,'[]')`,
			args: []any{w.Identity, row.Name(), identityKey(row.Name()), micros(t.Now)}})
	}
	pieces = append(pieces, t.countPiece(w, lane))
	pieces = append(pieces, t.memberPieces(w)...)
	pieces = append(pieces, t.valuePieces(w, nil, row.values)...)
	pieces = append(pieces, t.passwordPieces(w)...)
	return taken(t.record(w, lane, pieces), w, row.values)
}

// ErrStale says that a resource is no longer as it was when it was read. Nothing was
// written.
var ErrStale = errors.New("the resource has changed meanwhile")

// ModifyResource stores a changed resource over the version before, which was read
// without a lock: ErrStale if there is another by now, or none, or the resource is
// somebody else's. On PostgreSQL the write is one statement, and so is the reading;
// to lock the row in between would take three round trips more. SQLite has no round
// trips to save: ErrStale always, and where the write is too long for one statement.
func (s *Store) ModifyResource(ctx context.Context, w ResourceWrite) error {
	if !s.pg || w.Before == nil || len(w.Joined)+len(w.Parted) > 0 {
		return ErrStale
	}
	w.Alone = true
	ctx, span := s.span(ctx)
	defer span.End("")
	return s.retry(func() error { return s.single(ctx, s.write, func(tx *Tx) error { return tx.ModifyResource(w) }) })
}

// ModifyResource stores a changed resource over the version read in the same
// transaction; the row was locked by ResourceForUpdate.
func (t *Tx) ModifyResource(w ResourceWrite) error {
	row, err := newRow(w)
	if err != nil {
		return err
	}
	key := `key = ?, `
	if w.Type.Name == "Group" && w.Before != nil && w.Before["displayName"] == w.Resource.Attrs["displayName"] {
		key = `key = coalesce(key, ?), ` // groups of one name from before they had to differ may go on
	}
	update := piece{text: `UPDATE resources SET ` + key + `external_id = ?, display = ?, doc = ?, search = ` + t.json() + `, version = ?, modified_at = ?, identity_id = ? WHERE id = ?`,
		args: []any{row.Key, row.ExternalID, row.Display, row.Doc, row.Search, row.Version, row.ModifiedAt, row.IdentityID, row.ID}}
	if w.Alone {
		update.text += ` AND version = ? AND identity_id = ? RETURNING id`
		update.args = append(update.args, row.Version-1, row.IdentityID)
	}
	pieces := []piece{update}
	before, err := t.valuesBefore(w)
	if err != nil {
		return err
	}
	pieces = append(append(pieces, t.memberPieces(w)...), t.valuePieces(w, before, row.values)...)
	pieces = append(pieces, t.passwordPieces(w)...)
	return taken(t.record(w, anyLane(), pieces), w, row.values)
}

// DeleteResource removes the resource and its memberships. The groups that listed it
// are other groups then: their versions move. A group of another source that names
// its id is none of them.
func (t *Tx) DeleteResource(w ResourceWrite) error {
	lane := anyLane()
	lock := ""
	if t.pg {
		lock = " FOR UPDATE OF g" // in one order for all, so that two who leave do not lock each other out
	}
	return t.record(w, lane, []piece{
		{text: `UPDATE resources SET version = version + 1, modified_at = ? WHERE id IN (SELECT g.id FROM group_members m JOIN resources g ON g.id = m.group_id WHERE m.member_id = ? AND g.id <> ? AND g.source = ? ORDER BY g.id` + lock + `)`,
			args: []any{micros(t.Now), w.Resource.ID, w.Resource.ID, w.Source}},
		{text: `DELETE FROM resources WHERE id = ?`, args: []any{w.Resource.ID}},
		{text: `DELETE FROM group_members WHERE member_id = ? AND EXISTS (SELECT 1 FROM resources g WHERE g.id = group_members.group_id AND g.source = ?)`, args: []any{w.Resource.ID, w.Source}},
		t.gonePiece(w, lane),
		{text: `INSERT INTO resource_tombstones (source, kind, at, id) VALUES (?,?,?,?)`, args: []any{w.Source, w.Type.Name, micros(t.Now), w.Resource.ID}},
		{text: `DELETE FROM resource_tombstones WHERE source = ? AND kind = ? AND at < ?`, args: []any{w.Source, w.Type.Name, micros(t.Now.Add(-tombstoneLife))}},
	})
}

func (t *Tx) passwordPieces(w ResourceWrite) []piece {
	if w.Password == "" {
		return nil
	}
	return []piece{{text: `INSERT INTO resource_passwords (resource_id, hash, changed_at) VALUES (?,?,?) ON CONFLICT (resource_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`,
		args: []any{w.Resource.ID, w.Password, micros(t.Now)}}}
}

// valuesBefore are the rows of resource_values that a resource has.
func (t *Tx) valuesBefore(w ResourceWrite) ([]value, error) {
	if w.Before != nil {
		return values(w.Type, w.Type.SearchDoc(scim.Resource{ID: w.Resource.ID, Type: w.Type.Name, Attrs: w.Before})), nil
	}
	rows, err := t.query(`SELECT attr, value, uniq FROM resource_values WHERE resource_id = ?`, w.Resource.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []value
	for rows.Next() {
		var v value
		if err := rows.Scan(&v.attr, &v.value, &v.uniq); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// record adds event, audit entry and marks to the pieces and runs them.
func (t *Tx) record(w ResourceWrite, lane int, pieces []piece) error {
	data, err := json.Marshal(w.Data)
	if err != nil {
		return fmt.Errorf("audit data: %w", err)
	}
	object := w.Type.Name + "/" + w.Resource.ID
	eventID, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("event id: %w", err)
	}
	pieces = append(pieces, piece{text: `INSERT INTO events (id, at, type, source, resource_id, identity_id, data) VALUES (?,?,?,?,?,?,?)`,
		args: []any{eventID.String(), micros(t.Now), "resource." + w.Action, w.Source, w.Resource.ID, w.Identity, string(data)}})
	pieces = append(pieces, t.markPieces(w.Marks, w.Urgent)...)
	pieces = append(pieces, t.groupPieces(w)...)
	entry := AuditEntry{At: t.Now, Actor: w.Actor, Action: "scim." + w.Action, Object: object, Identity: w.Identity, Data: t.joined(data)}
	entry.seal()
	if w.Alone && len(pieces) > maxTogether {
		return ErrStale
	}
	if !t.pg || len(pieces) > maxTogether {
		for _, p := range pieces {
			args := p.args
			if p.plan {
				args = t.planned(args)
			}
			if _, err := t.exec(p.text, args...); err != nil {
				if p.attr != "" && isUnique(err) {
					err = &TakenError{p.attr, err}
				}
				return err
			}
		}
		return t.Audit(entry)
	}
	return t.runTogether(pieces, entry, lane, w)
}

// runTogether sends the pieces and the audit entry as one statement. The chain's
// hash is computed by the database from the row it locks. What must not be fails the
// whole statement by a division by zero.
func (t *Tx) runTogether(pieces []piece, e AuditEntry, lane int, w ResourceWrite) error {
	var b strings.Builder
	args, guard, written := []any{e.digest(), lane}, "", ""
	if w.NewName != "" {
		args, guard = append(args, identityKey(w.NewName)), orphanGuard
	}
	if w.Alone {
		written = ` WHERE 1 / (SELECT count(*) FROM p0) = 1`
	}
	b.WriteString(`WITH head AS (UPDATE audit_heads SET seq = seq + 1, hash = sha256(hash || ?::bytea) WHERE lane = ?` + guard + ` RETURNING lane, seq, hash)`)
	for i, p := range pieces {
		fmt.Fprintf(&b, ", p%d AS (%s)", i, p.text)
		args = append(args, p.args...)
	}
	b.WriteString(` INSERT INTO audit (lane, seq, at, actor, action, object, identity_id, data, form, salt, hash) SELECT lane, seq, ?::bigint, ?, ?, ?, ?, ?, ?::int, ?::bytea, hash FROM head` + written)
	args = append(args, micros(e.At), e.Actor, e.Action, e.Object, e.Identity, string(e.data()), e.Form, e.Salt)
	if slices.ContainsFunc(pieces, func(p piece) bool { return p.plan }) {
		args = t.planned(args)
	}
	_, err := t.exec(b.String(), args...)
	switch {
	case !isDivision(err):
		return err
	case w.Alone:
		return ErrStale
	}
	return ErrOrphan
}

func (t *Tx) countPiece(w ResourceWrite, lane int) piece {
	return piece{text: `INSERT INTO resource_counts (source, kind, lane, n) VALUES (?,?,?,1) ON CONFLICT (source, kind, lane) DO UPDATE SET n = resource_counts.n + 1`,
		args: []any{w.Source, w.Type.Name, lane}}
}

func (t *Tx) gonePiece(w ResourceWrite, lane int) piece {
	return piece{text: `INSERT INTO resource_counts (source, kind, lane, n, gone) VALUES (?,?,?,-1,1) ON CONFLICT (source, kind, lane) DO UPDATE SET n = resource_counts.n - 1, gone = resource_counts.gone + 1`,
		args: []any{w.Source, w.Type.Name, lane}}
}

func (t *Tx) memberPieces(w ResourceWrite) []piece {
	var out []piece
	for chunk := range slices.Chunk(w.Parted, perStatement) {
		where, args := t.membersNamed(w.Resource.ID, chunk)
		out = append(out, piece{text: `DELETE FROM group_members WHERE ` + where, args: args, plan: true})
	}
	for chunk := range slices.Chunk(w.Joined, perStatement) {
		p := piece{text: `INSERT INTO group_members (group_id, member_id, type, display, fold, type_fold) VALUES `}
		for i, m := range chunk {
			if i > 0 {
				p.text += ","
			}
			p.text += "(?,?,?,?,?,?)"
			p.args = append(p.args, w.Resource.ID, m.ID, m.Type, m.Display, scim.Fold(m.Display), scim.Fold(m.Type))
		}
		p.text += ` ON CONFLICT (group_id, member_id) DO UPDATE SET type = excluded.type, display = excluded.display, fold = excluded.fold, type_fold = excluded.type_fold`
		out = append(out, p)
	}
	return out
}

// markPieces raises marks, in one order for all, so that writers do not lock each
// other out.
func (t *Tx) markPieces(identities []string, urgent bool) []piece {
	sorted := slices.Compact(slices.Sorted(slices.Values(identities)))
	var out []piece
	for chunk := range slices.Chunk(sorted, perStatement) {
		out = append(out, t.markPiece(chunk, urgent))
	}
	return out
}

func (t *Tx) markPiece(identities []string, urgent bool) piece {
	column, value, conflict, trace := traceColumn(t.carried())
	args := make([]any, 0, 5*len(identities))
	for _, id := range identities {
		args = append(append(args, id, micros(t.Now), urgent, micros(t.Now)), trace...)
	}
	rows := tuples("(?,?,?,?,0"+value+")", len(identities))
	return piece{text: `INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until` + column + `) VALUES ` + rows + `
ON CONFLICT (identity_id) DO UPDATE SET generation = CASE WHEN excluded.generation > marks.generation THEN excluded.generation ELSE marks.generation + 1 END, urgent = (marks.urgent OR excluded.urgent)` + conflict, args: args}
}
