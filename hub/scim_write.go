package hub

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Get reads a resource of the actor's source.
func (h *Hub) Get(ctx context.Context, by Actor, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	return h.Store.Resource(ctx, by.Source, t, id, h.passable(t, want))
}

// List lists resources of the actor's source.
func (h *Hub) List(ctx context.Context, by Actor, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	q.Fields = h.passable(t, q.Fields)
	return h.Store.Resources(ctx, by.Source, t, q)
}

// Create stores a new resource and says so only when it, its event, its audit
// entry and its marks are committed. 409 uniqueness for a value that is taken; 400
// invalidValue for a reference to nothing, where the actor must not make one.
func (h *Hub) Create(ctx context.Context, by Actor, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	hash, err := h.hash(ctx, passwordIn(attrs))
	if err != nil {
		return scim.Resource{}, err
	}
	id, err := newID() // after the wait for a hash: whoever pages counts on ids being young
	if err != nil {
		return scim.Resource{}, err
	}
	now := h.Store.Now()
	w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "create", UniqueName: by.UniqueGroupNames, Password: hash,
		Resource: scim.Resource{ID: id, Type: t.Name, Attrs: withoutSecrets(attrs), Meta: scim.Meta{Created: now, LastModified: now, Version: 1}}}
	w.Data = changedAttributes(t, nil, w.Resource.Attrs, hash)
	if t.Name == "User" {
		err = h.createUser(ctx, by, w)
	} else {
		err = h.Store.Update(ctx, func(tx *store.Tx) error {
			if err := join(tx, by, &w, nil); err != nil {
				return err
			}
			return tx.CreateResource(w)
		})
	}
	if err != nil {
		return scim.Resource{}, scimError(err, t)
	}
	h.Wake()
	return w.Resource, nil
}

// Modify changes a resource as one step: read, check, change and write. A change
// without effect writes nothing.
func (h *Hub) Modify(ctx context.Context, by Actor, t *scim.ResourceType, id string, check func(scim.Meta) error, c scim.Change, want scim.Fields) (scim.Resource, error) {
	hash, err := h.hash(ctx, passwordOf(c)) // before anything is locked: it takes its time
	if err != nil {
		return scim.Resource{}, err
	}
	m := modification{by: by, t: t, check: check, change: c, hash: hash, snap: h.Snapshot()}
	out, err := h.modifyAlone(ctx, m, id, want)
	named, all := c.MemberScope()
	if errors.Is(err, store.ErrStale) {
		out, err = h.modifyLocked(ctx, m, id, named, all, want)
	}
	if err != nil {
		return scim.Resource{}, scimError(err, t)
	}
	h.Wake()
	if t.Name == "Group" && !all && want.Wants("members") {
		return h.Store.Resource(ctx, by.Source, t, id, want) // only some members were loaded
	}
	return out, nil
}

// modification is a change that somebody asks for.
type modification struct {
	by     Actor
	t      *scim.ResourceType
	check  func(scim.Meta) error
	change scim.Change
	hash   string // of the password that it may set
	snap   *Snapshot
}

// apply works out what the change makes of a resource, and the write that this
// takes; without effect there is none.
func (m modification) apply(held store.Held, now time.Time) (out scim.Resource, w *store.ResourceWrite, err error) {
	if err := m.check(held.Resource.Meta); err != nil {
		return out, nil, err
	}
	before := held.Resource
	groups := before.Attrs["groups"]
	if m.t.Name == "User" && groups != nil { // derived from the groups' members, never written
		before.Attrs = maps.Clone(before.Attrs)
		delete(before.Attrs, "groups")
	}
	out, differs, err := m.change.Apply(m.t, before)
	if err != nil || !differs {
		return held.Resource, nil, err
	}
	hash := m.hash
	if passwordIn(out.Attrs) == "" { // set and removed again
		hash = ""
	}
	out.Attrs = withoutSecrets(out.Attrs)
	out.Meta.Version, out.Meta.LastModified = before.Meta.Version+1, now
	w = &store.ResourceWrite{Source: m.by.Source, Actor: m.by.String(), Type: m.t, Action: "modify", Resource: out, Before: before.Attrs,
		Identity: held.Identity, UniqueName: m.by.UniqueGroupNames, Password: hash, Data: changedAttributes(m.t, before.Attrs, out.Attrs, hash)}
	if m.t.Name == "User" {
		w.Marks, w.Urgent = []string{held.Identity}, takesAway(m.snap, before.Attrs, out.Attrs)
		if groups != nil {
			out.Attrs = maps.Clone(out.Attrs)
			out.Attrs["groups"] = groups
		}
	}
	return out, w, nil
}

// modifyAlone changes a resource without a lock, provided that nobody else changes
// it meanwhile; store.ErrStale where it takes one.
func (h *Hub) modifyAlone(ctx context.Context, m modification, id string, want scim.Fields) (scim.Resource, error) {
	if m.t.Name == "Group" || !h.Store.Postgres() {
		return scim.Resource{}, store.ErrStale // members are worked out under a lock
	}
	held, err := h.Store.Held(ctx, m.by.Source, m.t, id, want)
	if err != nil {
		return scim.Resource{}, err
	}
	out, w, err := m.apply(held, h.Store.Now())
	if err != nil || w == nil {
		return out, err
	}
	if m.by.StrictReferences && managerOf(w.Resource.Attrs) != managerOf(w.Before) || matchesAnew(h.Snapshot(), *w) {
		return out, store.ErrStale
	}
	return out, h.Store.ModifyResource(ctx, *w)
}

// modifyLocked changes a resource that is locked meanwhile.
func (h *Hub) modifyLocked(ctx context.Context, m modification, id string, members []string, all bool, want scim.Fields) (out scim.Resource, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.ResourceForUpdate(m.by.Source, m.t, id, members, all, want)
		if err != nil {
			return err
		}
		var w *store.ResourceWrite
		if out, w, err = m.apply(held, tx.Now); err != nil || w == nil {
			return err
		}
		if m.t.Name == "User" {
			if next := managerOf(w.Resource.Attrs); next != managerOf(w.Before) {
				if err := checkManager(tx, m.by, next); err != nil {
					return err
				}
			}
			if err := tx.ModifyResource(*w); err != nil {
				return err
			}
			return h.rematch(tx, m.by, *w)
		}
		if err := join(tx, m.by, w, w.Before); err != nil {
			return err
		}
		out = w.Resource
		if w.Before["displayName"] != out.Attrs["displayName"] { // rules name groups by it
			if err := tx.MarkMembers(out.ID); err != nil {
				return err
			}
		}
		return tx.ModifyResource(*w)
	})
	return out, err
}

// Delete removes a resource and its memberships. The identity stays: a person
// deleted at the source is a leaver, not forgotten.
func (h *Hub) Delete(ctx context.Context, by Actor, t *scim.ResourceType, id string, check func(scim.Meta) error) error {
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.ResourceForUpdate(by.Source, t, id, nil, false, scim.Fields{Include: []scim.Path{{Attr: "id"}}})
		if err != nil {
			return err
		}
		if err := check(held.Resource.Meta); err != nil {
			return err
		}
		w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "delete", Resource: held.Resource, Identity: held.Identity,
			Data: changedAttributes(t, held.Resource.Attrs, nil, "")}
		if t.Name == "User" {
			w.Marks, w.Urgent = []string{held.Identity}, true
			if _, err := tx.DropCase(id); err != nil {
				return err
			}
		} else if err := tx.MarkMembers(id); err != nil {
			return err
		}
		return tx.DeleteResource(w)
	})
	if err != nil {
		return scimError(err, t)
	}
	h.Wake()
	return nil
}

// scimError turns a conflict of the store into the protocol's word for it.
func scimError(err error, t *scim.ResourceType) error {
	if _, ok := scim.AsError(err); ok {
		return err
	}
	if taken, ok := errors.AsType[*store.TakenError](err); ok {
		return &scim.Error{Status: 409, Type: scim.Uniqueness, Detail: taken.Attribute + ": another " + t.Name + " has this value already", Err: err}
	}
	return err
}

// turnedOff reports whether the change made an active person inactive.
func turnedOff(before, after map[string]any) bool {
	was, known := before["active"].(bool)
	is, set := after["active"].(bool)
	return (was || !known) && set && !is
}

// changedAttributes lists the attributes that differ, with both values, for the
// event and the audit entry; of what is never returned, that it does. Members are
// counted, not listed; they are rows. Of a password it is said that there is a new one.
func changedAttributes(t *scim.ResourceType, before, after map[string]any, hash string) map[string]any {
	type pair struct {
		Before any `json:"before,omitempty"`
		After  any `json:"after,omitempty"`
	}
	out := map[string]any{}
	for _, side := range []map[string]any{before, after} {
		for k := range side {
			if k == "schemas" || k == "members" || reflect.DeepEqual(before[k], after[k]) {
				continue
			}
			was, is := t.Conceal(k, before[k]), t.Conceal(k, after[k])
			if !strings.HasPrefix(strings.ToLower(k), "urn:") {
				out[k] = pair{was, is}
				continue
			}
			had, _ := was.(map[string]any) // of an extension only what differs
			has, _ := is.(map[string]any)
			for _, name := range partsThatDiffer(before[k], after[k]) {
				out[k+":"+name] = pair{had[name], has[name]}
			}
		}
	}
	if joined, parted := memberDelta(members(before), members(after)); len(joined)+len(parted) > 0 {
		out["members"] = map[string]int{"joined": len(joined), "parted": len(parted)}
	}
	if hash != "" {
		out["password"] = "changed"
	}
	return out
}

// partsThatDiffer names the attributes of an extension that two versions do not have
// alike.
func partsThatDiffer(before, after any) (names []string) {
	was, _ := before.(map[string]any)
	is, _ := after.(map[string]any)
	for _, parts := range []map[string]any{was, is} {
		for name := range parts {
			if !reflect.DeepEqual(was[name], is[name]) {
				names = append(names, name)
			}
		}
	}
	return names
}
