package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Held is a resource as the store holds it, with the identity it belongs to.
type Held struct {
	Resource scim.Resource
	Source   string
	Identity string

	grouped bool // a group lists it
}

func (t *Tx) columns(kind string, want scim.Fields) string {
	groups := "NULL"
	if kind == "User" && want.Wants("groups") {
		groups = inGroups
	}
	return `r.id, r.doc, r.version, r.created_at, r.modified_at, r.identity_id, ` + groups
}

type scanner interface{ Scan(dest ...any) error }

// resourceScanner reads rows of Tx.columns, and what was selected behind them. It is
// used again for every row of a page, for what it takes to read a row would
// otherwise cost more than the row.
type resourceScanner struct {
	kind                       string
	encoded                    bool // leave the document as it is; Attrs gets what is not in it
	id, identity               string
	doc                        []byte
	grouped                    *int
	version, created, modified int64
	dest                       []any
}

// reads makes a scanner for somebody who may be able to pass the document on as it is
// stored; more is for what was selected behind the columns.
func reads(kind string, want scim.Fields, more ...any) *resourceScanner {
	r := &resourceScanner{kind: kind, encoded: want.PassOn}
	r.dest = append([]any{&r.id, &r.doc, &r.version, &r.created, &r.modified, &r.identity, &r.grouped}, more...)
	return r
}

func (r *resourceScanner) scan(row scanner) (Held, error) {
	r.doc, r.grouped = nil, nil
	if err := row.Scan(r.dest...); err != nil {
		return Held{}, err
	}
	h := Held{Identity: r.identity, grouped: r.grouped != nil}
	h.Resource = scim.Resource{ID: r.id, Type: r.kind, Encoded: r.doc,
		Meta: scim.Meta{Created: fromMicros(r.created), LastModified: fromMicros(r.modified), Version: r.version}}
	if r.encoded {
		return h, nil
	}
	var err error
	if h.Resource.Attrs, err = decodeDoc(r.doc); err != nil {
		return Held{}, fmt.Errorf("resource %s: %w", h.Resource.ID, err)
	}
	h.Resource.Encoded = nil
	return h, nil
}

// setAttr adds what is kept in rows to a resource that was just read.
func setAttr(r *scim.Resource, name string, v any) {
	if r.Attrs == nil {
		r.Attrs = map[string]any{}
	}
	r.Attrs[name] = v
}

// decodeDoc reads a stored document; whole numbers come back as int64.
func decodeDoc(doc []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var attrs map[string]any
	if err := d.Decode(&attrs); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(doc[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("what is stored goes on behind its end, at byte %d", d.InputOffset())
	}
	model.PlainNumbers(attrs)
	return attrs, nil
}

// Resource reads one resource of a source; scim 404 where there is none or it is
// another source's.
func (s *Store) Resource(ctx context.Context, source string, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	var out scim.Resource
	if !possible(id) {
		return out, missing(sql.ErrNoRows, t, id)
	}
	err := s.reading(t, want)(ctx, func(tx *Tx) error {
		h, err := reads(t.Name, want).scan(tx.row(`SELECT `+tx.columns(t.Name, want)+` FROM resources r WHERE r.id = ? AND r.source = ? AND r.kind = ?`, id, source, t.Name))
		if err != nil {
			return missing(err, t, id)
		}
		out = h.Resource
		if h.grouped {
			return tx.loadGroups(source, map[string]*scim.Resource{id: &out})
		}
		return tx.loadMembers(t, []*scim.Resource{&out}, want)
	})
	return out, err
}

// Held reads one resource of a source with the identity it belongs to, without
// members; scim 404 where there is none or it is another source's.
func (s *Store) Held(ctx context.Context, source string, t *scim.ResourceType, id string, want scim.Fields) (h Held, err error) {
	if !possible(id) {
		return Held{}, missing(sql.ErrNoRows, t, id)
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		h, err = tx.held(source, t, id, want, "")
		return err
	})
	return h, err
}

// held reads one resource and the groups it is in.
func (t *Tx) held(source string, rt *scim.ResourceType, id string, want scim.Fields, lock string) (Held, error) {
	h, err := reads(rt.Name, scim.Fields{}).scan(t.row(`SELECT `+t.columns(rt.Name, want)+` FROM resources r WHERE r.id = ? AND r.source = ? AND r.kind = ?`+lock, id, source, rt.Name))
	if err != nil {
		return Held{}, missing(err, rt, id)
	}
	h.Source = source
	if h.grouped {
		return h, t.loadGroups(source, map[string]*scim.Resource{id: &h.Resource})
	}
	return h, nil
}

// reading is how resources are read: in a transaction where members come in a
// second statement, which must show the same state, else without its round trips.
func (s *Store) reading(t *scim.ResourceType, want scim.Fields) func(context.Context, func(*Tx) error) error {
	if t.Name == "Group" && want.Wants("members") {
		return s.View
	}
	return func(ctx context.Context, fn func(*Tx) error) error { return s.single(ctx, s.read, fn) }
}

// possible reports whether a text that came in an address can be an id at all; to ask
// PostgreSQL for some texts is an error.
func possible(id string) bool {
	return len(id) <= maxIndexed && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}

func missing(err error, t *scim.ResourceType, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return scim.Errorf(404, "", "%s %q does not exist", t.Name, id)
	}
	return err
}

// ResourceForUpdate reads and locks a resource until the transaction ends.
// Of a group's members it loads those named by the change, or all. Groups of a
// user are loaded where they are wanted; they are read-only.
func (t *Tx) ResourceForUpdate(source string, rt *scim.ResourceType, id string, members []string, allMembers bool, want scim.Fields) (Held, error) {
	if !possible(id) {
		return Held{}, missing(sql.ErrNoRows, rt, id)
	}
	lock := ""
	if t.pg {
		lock = " FOR UPDATE OF r"
	}
	h, err := t.held(source, rt, id, want, lock)
	if err != nil {
		return Held{}, err
	}
	if rt.Name != "Group" || (!allMembers && len(members) == 0) {
		return h, nil
	}
	where, args := `group_id = ?`, []any{id}
	if !allMembers {
		where, args = t.membersNamed(id, members)
		args = t.planned(args)
	}
	return h, t.membersInto(`WHERE `+where, args, map[string]*scim.Resource{id: &h.Resource})
}

// FindLinkable returns the identities that a new User may belong to: those of
// resources of other sources that the filter accepts, but for people whom the source
// describes already: a second user of one source is another person. Left out is who
// was decided to be somebody else than the user with these keys; see ApartKeys.
func (t *Tx) FindLinkable(source string, user *scim.ResourceType, f scim.Filter, keys ...string) ([]string, error) {
	cond, args, _, err := t.condition(f, user)
	if err != nil {
		return nil, err
	}
	apart, not := apartFrom("r.identity_id", source, keys)
	args = append(append([]any{source, source}, args...), not...)
	return t.texts(`SELECT DISTINCT r.identity_id FROM resources r WHERE r.kind = 'User' AND r.source <> ? AND NOT EXISTS (SELECT 1 FROM resources own WHERE own.identity_id <> '' AND own.identity_id = r.identity_id AND own.source = ?) AND `+cond+
		` AND NOT `+apart+` AND NOT EXISTS (SELECT 1 FROM identities gone WHERE gone.id = r.identity_id AND gone.erased_at IS NOT NULL) ORDER BY r.identity_id LIMIT `+maxCandidates, args...)
}

// maxCandidates limits how many people a case names.
const maxCandidates = "10"

func errNoIdentity(name string) error {
	return model.Fail(model.NotFound, fmt.Sprintf("there is no person %q", name), nil)
}
