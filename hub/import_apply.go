package hub

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// importWriter carries out a plan in one transaction.
type importWriter struct {
	h      *Hub
	tx     *store.Tx
	p      *importPlan
	by     Actor
	snap   *Snapshot
	ids    []string // of rows that make a user
	alone  bool     // there is no other source
	locked bool     // against all who make people
	linked map[string]bool
	batch  []store.ResourceWrite
}

// lockedOneByOne is how many values are locked by themselves at most: PostgreSQL has
// room for some thousands of locks.
const lockedOneByOne = 500

// applyImport does what the plan says, all of it. A user who has changed since gives
// store.ErrStale.
func (h *Hub) applyImport(tx *store.Tx, by Actor, p *importPlan, id string) error {
	held, err := p.hold(tx) // somebody else may have left meanwhile
	if err != nil {
		return err
	}
	if held != "" && p.in.Release == "" {
		return model.Fail(model.Refused, held, nil)
	}
	w := &importWriter{h: h, tx: tx, p: p, by: p.actor(by), snap: h.Snapshot(), ids: make([]string, len(p.rows)), linked: map[string]bool{}}
	w.alone = len(w.snap.Doc.Sources) < 2
	for i, row := range p.rows {
		if row.action == ImportCreate {
			if w.ids[i], err = newID(); err != nil {
				return err
			}
		}
	}
	log, err := tx.BeginImport()
	if err != nil {
		return err
	}
	if err := w.leavers(); err != nil { // first, as always
		return err
	}
	if p.swapped {
		if err := tx.FreeKeys(p.renamed); err != nil {
			return err
		}
	}
	if err := w.rows(); err != nil {
		return err
	}
	if err := tx.AuditImport(log, p.source.Name, w.by.String()); err != nil {
		return err
	}
	return w.summary(by, id, held != "")
}

// summary notes the import as a whole.
func (w *importWriter) summary(by Actor, id string, released bool) error {
	out := w.p.out
	i := store.Import{ID: id, Source: out.Source, Actor: by.String(), Digest: out.Digest, Partial: w.p.in.Partial, Released: released,
		Rows: out.Rows, Creates: out.Creates, Updates: out.Updates, Disables: out.Disables, Enables: out.Enables}
	if err := w.tx.AddImport(i); err != nil {
		return err
	}
	data := map[string]any{"import": id, "file": w.p.in.Name, "digest": out.Digest, "partial": w.p.in.Partial, "rows": out.Rows, "creates": out.Creates,
		"updates": out.Updates, "disables": out.Disables, "enables": out.Enables}
	if released {
		data["released"] = "beyond the guard of the source"
	}
	if err := w.tx.AddEvent(store.Event{Type: "source.import", Source: out.Source, Data: data}); err != nil {
		return err
	}
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return w.tx.Audit(store.AuditEntry{Actor: by.String(), Action: "source.import", Object: "source/" + out.Source, Data: body})
}

// leavers disables those who are not in the rows.
func (w *importWriter) leavers() error {
	for chunk := range slices.Chunk(w.p.disabled, importChunk) {
		ids := make([]string, len(chunk))
		for i, u := range chunk {
			ids[i] = u.id
		}
		held, err := w.tx.UsersHeld(w.p.source.Name, w.p.user, ids)
		if err != nil {
			return err
		}
		for _, u := range chunk {
			h, ok := held[u.id]
			if !ok || h.Resource.Meta.Version != u.version {
				return store.ErrStale
			}
			w.batch = append(w.batch, modifiedUser(w.p.user, w.by, h, disabled(h.Resource.Attrs), w.tx.Now))
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

// rows does what the plan says of each row.
func (w *importWriter) rows() error {
	n := 0
	var values []*rowValues
	var at []int
	work := func() error {
		err := w.some(values, at)
		values, at = values[:0], at[:0]
		return err
	}
	_, err := w.p.each(false, func(v *rowValues) error {
		i := n
		n++
		if i >= len(w.p.rows) {
			return store.ErrStale
		}
		if w.p.rows[i].action == "" {
			return nil
		}
		values, at = append(values, v), append(at, i)
		if len(values) < importChunk {
			return nil
		}
		return work()
	})
	if err != nil {
		return err
	}
	return work()
}

// some does what the plan says of some rows.
func (w *importWriter) some(values []*rowValues, at []int) error {
	var ids, names []string
	for _, i := range at {
		if row := w.p.rows[i]; row.at >= 0 {
			ids = append(ids, w.p.there[row.at].ID)
		}
	}
	held, err := w.tx.UsersHeld(w.p.source.Name, w.p.user, ids)
	if err != nil {
		return err
	}
	var created []store.ResourceWrite
	for k, v := range values {
		row := w.p.rows[at[k]]
		var h store.Held
		if row.at >= 0 {
			h = held[w.p.there[row.at].ID]
			if h.Resource.ID == "" || h.Resource.Meta.Version != row.version {
				return store.ErrStale
			}
		}
		attrs, ok := w.p.next(v, h, w.idOf)
		if !ok {
			return fmt.Errorf("import: %s:%d was right before", w.p.in.Name, row.line)
		}
		if row.at >= 0 {
			modified := modifiedUser(w.p.user, w.by, h, attrs, w.tx.Now)
			modified.Urgent = takesAway(w.snap, h.Resource.Attrs, attrs)
			w.batch = append(w.batch, modified)
			continue
		}
		name, _ := attrs["userName"].(string)
		names = append(names, name)
		created = append(created, w.created(w.ids[at[k]], attrs))
	}
	if err := w.create(created, names); err != nil {
		return err
	}
	return w.flush()
}

func (w *importWriter) idOf(row int) string {
	if w.ids[row] != "" {
		return w.ids[row]
	}
	return w.p.placeholder(row)
}

func (w *importWriter) created(id string, attrs map[string]any) store.ResourceWrite {
	t := w.p.user
	return store.ResourceWrite{Source: w.by.Source, Actor: w.by.String(), Type: t, Action: "create",
		Resource: scim.Resource{ID: id, Type: t.Name, Attrs: attrs, Meta: scim.Meta{Created: w.tx.Now, LastModified: w.tx.Now, Version: 1}},
		Data:     changedAttributes(t, nil, attrs, "")}
}

// create stores new users. Where no other source could know them and nobody of their
// name has been here, they are new people; else it is decided one by one, as for a
// user whom the source pushes.
func (w *importWriter) create(writes []store.ResourceWrite, names []string) error {
	orphans, err := w.tx.Orphans(names)
	if err != nil {
		return err
	}
	for i := range writes {
		if w.alone && !orphans[names[i]] {
			err = belongsTo(&writes[i], "")
			w.batch = append(w.batch, writes[i])
		} else {
			err = w.createKnown(writes[i], names[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// createKnown stores a user whom somebody may know already. What waits to be written
// must not have been matched with the same people.
func (w *importWriter) createKnown(write store.ResourceWrite, name string) error {
	if err := w.lock(append(matchValues(w.snap, write.Type, write.Resource.Attrs), name)); err != nil {
		return err
	}
	mine := write
	found, err := whose(w.tx, w.snap, &mine)
	if err != nil {
		return err
	}
	involved := append([]string{mine.Identity}, found.candidates...)
	if slices.ContainsFunc(involved, func(id string) bool { return w.linked[id] }) {
		if err := w.flush(); err != nil {
			return err
		}
		mine = write
		if found, err = whose(w.tx, w.snap, &mine); err != nil {
			return err
		}
	}
	w.batch = append(w.batch, mine)
	if !mine.NewIdentity {
		w.linked[mine.Identity] = true
	}
	if len(found.candidates) == 0 {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.h.unclear(w.tx, mine, found, true)
}

// lock is for whoever makes the same person at another source meanwhile.
func (w *importWriter) lock(values []string) error {
	switch {
	case w.p.out.Creates <= lockedOneByOne:
		return w.tx.LockValues(values)
	case w.locked:
		return nil
	}
	w.locked = true
	return w.tx.LockAllValues()
}

// flush writes what waits, and looks again whose a resource is that is matched by
// other values now.
func (w *importWriter) flush() error {
	if err := w.tx.WriteUsers(w.batch); err != nil {
		return err
	}
	for _, write := range w.batch {
		if write.Action != "modify" || w.alone {
			continue
		}
		if err := w.h.rematch(w.tx, w.by, write); err != nil {
			return err
		}
	}
	w.batch = w.batch[:0]
	clear(w.linked)
	return nil
}
