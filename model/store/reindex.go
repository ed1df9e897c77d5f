package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// reindexBatch is how many resources are locked at a time.
const reindexBatch = 200

// Reindex works out anew what the resources of a type are found and compared by: after
// a change of its schemas, for what is stored was written under the old ones. Other
// writes go on meanwhile. It may be broken off and begun again.
//
// Only what was written since a moment is done; the zero time stands for all.
func (s *Store) Reindex(ctx context.Context, t *scim.ResourceType, since time.Time) (done Reindexed, err error) {
	for after := ""; ; {
		var last string
		var n int
		var part Reindexed
		err := s.Update(ctx, func(tx *Tx) (err error) {
			last, n, part, err = tx.reindex(t, after, since)
			return err
		})
		if err != nil {
			return done, err
		}
		done.Taken, done.Undeclared = done.Taken+part.Taken, done.Undeclared+part.Undeclared
		if n < reindexBatch {
			return done, nil
		}
		after = last
	}
}

// Reindexed is what came to light while resources were indexed anew.
type Reindexed struct {
	// Taken counts values that two resources of a source have already though the
	// schema says now that they are unique: nobody else may take them, but both stay.
	Taken int
	// Undeclared counts resources with attributes that the schemas do not define.
	Undeclared int
}

// Index says by what the resources of a type are indexed.
type Index struct {
	Digest     string // of the definition of the type; empty where that was never noted
	Undeclared bool   // resources may have attributes that it does not define
	Empty      bool   // there are no resources
}

// undeclaredMark stands behind a digest, in the table.
const undeclaredMark = "+undeclared"

// IndexedBy says by what the resources of a type are indexed.
func (s *Store) IndexedBy(ctx context.Context, kind string) (x Index, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		var n int64
		err := tx.row(`SELECT coalesce((SELECT digest FROM indexed_types WHERE kind = ?), ''), (SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM resource_counts WHERE kind = ?)`, kind, kind).Scan(&x.Digest, &n)
		x.Digest, x.Undeclared = strings.CutSuffix(x.Digest, undeclaredMark)
		x.Empty = n == 0
		return err
	})
	return x, err
}

// SetIndexedBy notes by what the resources of a type are indexed now.
func (s *Store) SetIndexedBy(ctx context.Context, kind string, x Index) error {
	if x.Undeclared {
		x.Digest += undeclaredMark
	}
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO indexed_types (kind, digest) VALUES (?,?) ON CONFLICT (kind) DO UPDATE SET digest = excluded.digest`, kind, x.Digest)
		return err
	})
}

type indexed struct{ id, source, key, doc string }

func (t *Tx) reindex(rt *scim.ResourceType, after string, since time.Time) (last string, n int, done Reindexed, err error) {
	batch, err := t.behind(rt, after, since)
	if err != nil || len(batch) == 0 {
		return "", 0, done, err
	}
	for _, r := range batch {
		if err := t.reindexOne(rt, r, &done); err != nil {
			return "", 0, done, fmt.Errorf("%s %s: %w", rt.Name, r.id, err)
		}
	}
	return batch[len(batch)-1].id, len(batch), done, nil
}

func (t *Tx) behind(rt *scim.ResourceType, after string, since time.Time) ([]indexed, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE"
	}
	from := int64(math.MinInt64)
	if !since.IsZero() {
		from = micros(since)
	}
	rows, err := t.query(`SELECT id, source, coalesce(key, ''), doc FROM resources WHERE kind = ? AND id > ? AND modified_at >= ? ORDER BY id LIMIT ?`+lock, rt.Name, after, from, reindexBatch)
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

func (t *Tx) reindexOne(rt *scim.ResourceType, r indexed, done *Reindexed) error {
	attrs, err := decodeDoc([]byte(r.doc))
	if err != nil {
		return err
	}
	if !rt.Declares(attrs) {
		done.Undeclared++
	}
	search := rt.SearchDoc(scim.Resource{ID: r.id, Type: rt.Name, Attrs: attrs})
	delete(search, "id") // columns
	delete(search, "meta")
	found, err := json.Marshal(search)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE resources SET search = `+t.json()+`, external_id = ? WHERE id = ?`, string(found), externalID(attrs), r.id); err != nil {
		return err
	}
	lost, err := t.rekey(rt, r, search)
	if err != nil {
		return err
	}
	done.Taken += lost
	lost, err = t.revalue(rt, r, values(rt, search))
	done.Taken += lost
	return err
}

// revalue brings the values of a resource in step; taken are those that another one has.
func (t *Tx) revalue(rt *scim.ResourceType, r indexed, after []value) (taken int, err error) {
	w := ResourceWrite{Source: r.source, Type: rt, Resource: scim.Resource{ID: r.id}}
	before, err := t.valuesBefore(w)
	if err != nil {
		return 0, err
	}
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
