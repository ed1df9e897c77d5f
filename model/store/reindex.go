package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model/scim"
)

// reindexBatch is how many resources are locked at a time.
const reindexBatch = 200

// Reindex works out anew what the resources of a type are found and compared by: after
// a change of its schemas, for what is stored was written under the old ones. Other
// writes go on meanwhile. It may be broken off and begun again.
//
// taken counts values that two resources of a source have already though the schema
// says now that they are unique: nobody else may take them, but both stay.
func (s *Store) Reindex(ctx context.Context, t *scim.ResourceType) (taken int, err error) {
	for after := ""; ; {
		var last string
		n, lost := 0, 0
		err := s.Update(ctx, func(tx *Tx) (err error) {
			last, n, lost, err = tx.reindex(t, after)
			return err
		})
		taken += lost
		if err != nil || n < reindexBatch {
			return taken, err
		}
		after = last
	}
}

// IndexedBy is the digest of the definition by which the resources of a type are
// indexed; empty where that was never noted.
func (s *Store) IndexedBy(ctx context.Context, kind string) (digest string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT coalesce(max(digest), '') FROM indexed_types WHERE kind = ?`, kind).Scan(&digest)
	})
	return digest, err
}

// SetIndexedBy notes by which definition the resources of a type are indexed now.
func (s *Store) SetIndexedBy(ctx context.Context, kind, digest string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO indexed_types (kind, digest) VALUES (?,?) ON CONFLICT (kind) DO UPDATE SET digest = excluded.digest`, kind, digest)
		return err
	})
}

type indexed struct{ id, source, key, doc string }

func (t *Tx) reindex(rt *scim.ResourceType, after string) (last string, n, taken int, err error) {
	batch, err := t.behind(rt, after)
	if err != nil || len(batch) == 0 {
		return "", 0, 0, err
	}
	for _, r := range batch {
		lost, err := t.reindexOne(rt, r)
		if err != nil {
			return "", 0, 0, fmt.Errorf("%s %s: %w", rt.Name, r.id, err)
		}
		taken += lost
	}
	return batch[len(batch)-1].id, len(batch), taken, nil
}

func (t *Tx) behind(rt *scim.ResourceType, after string) ([]indexed, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	rows, err := t.query(`SELECT id, source, coalesce(key, ''), doc FROM resources WHERE kind = ? AND id > ? ORDER BY id LIMIT ?`+lock, rt.Name, after, reindexBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []indexed
	for rows.Next() {
		var r indexed
		if err := rows.Scan(&r.id, &r.source, &r.key, &r.doc); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// rekey gives a user the key that the userName has now: earlier programs made keys of
// some names in another way, and what is asked for is made in the present one. 1 where
// another user has it.
func (t *Tx) rekey(rt *scim.ResourceType, r indexed, search map[string]any) (taken int, err error) {
	key := keyFrom(search, "username")
	if rt.Name != "User" || key == r.key {
		return 0, nil
	}
	if err := t.row(`SELECT count(*) FROM resources WHERE source = ? AND kind = ? AND key = ? AND key <> '' AND id <> ?`, r.source, rt.Name, key, r.id).Scan(&taken); err != nil || taken > 0 {
		return taken, err
	}
	_, err = t.exec(`UPDATE resources SET key = ? WHERE id = ?`, key, r.id)
	return 0, err
}

func (t *Tx) reindexOne(rt *scim.ResourceType, r indexed) (taken int, err error) {
	attrs, err := decodeDoc([]byte(r.doc))
	if err != nil {
		return 0, err
	}
	search := rt.SearchDoc(scim.Resource{ID: r.id, Type: rt.Name, Attrs: attrs})
	delete(search, "id") // columns
	delete(search, "meta")
	found, err := json.Marshal(search)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE resources SET search = `+t.json()+`, external_id = ? WHERE id = ?`, string(found), externalID(attrs), r.id); err != nil {
		return 0, err
	}
	if taken, err = t.rekey(rt, r, search); err != nil {
		return 0, err
	}
	w := ResourceWrite{Source: r.source, Type: rt, Resource: scim.Resource{ID: r.id}}
	before, err := t.valuesBefore(w)
	if err != nil {
		return 0, err
	}
	after := values(rt, search)
	for i, v := range after {
		if !v.uniq || slices.Contains(before, v) {
			continue
		}
		var other int
		err := t.row(`SELECT count(*) FROM resource_values WHERE kind = ? AND attr = ? AND value = ? AND source = ? AND uniq AND resource_id <> ?`,
			rt.Name, v.attr, v.value, r.source, r.id).Scan(&other)
		if err != nil {
			return 0, err
		}
		if other > 0 {
			after[i].uniq = false
			taken++
		}
	}
	for _, p := range t.valuePieces(w, before, after) {
		if _, err := t.exec(p.text, p.args...); err != nil {
			return 0, err
		}
	}
	return taken, nil
}
