package hub

import (
	"context"
	"errors"
	"maps"
	"reflect"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// Get reads a resource of the actor's source.
func (h *Hub) Get(ctx context.Context, by Actor, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	return h.Store.Resource(ctx, by.Source, t, id, want)
}

// List lists resources of the actor's source.
func (h *Hub) List(ctx context.Context, by Actor, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	return h.Store.Resources(ctx, by.Source, t, q)
}

// Create stores a new resource and says so only when it, its event, its audit
// entry and its marks are committed. 409 uniqueness for a value that is taken; 400
// invalidValue for a reference to nothing, where the actor must not make one.
func (h *Hub) Create(ctx context.Context, by Actor, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	id, err := newID()
	if err != nil {
		return scim.Resource{}, err
	}
	hash, err := h.hash(ctx, passwordIn(attrs))
	if err != nil {
		return scim.Resource{}, err
	}
	now := h.Store.Now()
	w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "create", UniqueName: by.UniqueGroupNames, Password: hash,
		Resource: scim.Resource{ID: id, Type: t.Name, Attrs: withoutSecrets(attrs), Meta: scim.Meta{Created: now, LastModified: now, Version: 1}}}
	w.Data = changedAttributes(nil, w.Resource.Attrs, hash)
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

// Modify changes a resource under a lock: read, check, change and write are one
// step. A change without effect writes nothing.
func (h *Hub) Modify(ctx context.Context, by Actor, t *scim.ResourceType, id string, check func(scim.Meta) error, c scim.Change, want scim.Fields) (scim.Resource, error) {
	password := passwordOf(c)
	hash, err := h.hash(ctx, password) // before anything is locked: it takes its time
	if err != nil {
		return scim.Resource{}, err
	}
	named, all := c.MemberScope()
	var out scim.Resource
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.ResourceForUpdate(by.Source, t, id, named, all, want)
		if err != nil {
			return err
		}
		if err := check(held.Resource.Meta); err != nil {
			return err
		}
		groups := held.Resource.Attrs["groups"]
		if t.Name == "User" {
			delete(held.Resource.Attrs, "groups") // derived from the groups' members, never written
		}
		changed, differs, err := c.Apply(t, held.Resource)
		if err != nil {
			return err
		}
		if differs {
			set := hash
			if passwordIn(changed.Attrs) == "" { // set and removed again
				set = ""
			}
			if changed, err = h.write(tx, by, t, held, changed, set); err != nil {
				return err
			}
		}
		out = changed
		if groups != nil && t.Name == "User" {
			out.Attrs = maps.Clone(out.Attrs)
			out.Attrs["groups"] = groups
		}
		return nil
	})
	if err != nil {
		return scim.Resource{}, scimError(err, t)
	}
	h.Wake()
	if t.Name == "Group" && !all && want.Wants("members") {
		return h.Store.Resource(ctx, by.Source, t, id, want) // only some members were loaded
	}
	return out, nil
}

// write stores the changed resource with its event, audit entry and marks.
func (h *Hub) write(tx *store.Tx, by Actor, t *scim.ResourceType, held store.Held, changed scim.Resource, hash string) (scim.Resource, error) {
	before := held.Resource.Attrs
	changed.Attrs = withoutSecrets(changed.Attrs)
	changed.Meta.Version = held.Resource.Meta.Version + 1
	changed.Meta.LastModified = tx.Now
	w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "modify", Resource: changed, Before: before, Identity: held.Identity,
		UniqueName: by.UniqueGroupNames, Password: hash, Data: changedAttributes(before, changed.Attrs, hash)}
	if t.Name == "User" {
		w.Marks = []string{held.Identity}
		w.Urgent = turnedOff(before, changed.Attrs)
		if m := managerOf(changed.Attrs); m != managerOf(before) {
			if err := checkManager(tx, by, m); err != nil {
				return changed, err
			}
		}
		return changed, tx.ModifyResource(w)
	}
	if err := join(tx, by, &w, before); err != nil {
		return changed, err
	}
	if before["displayName"] != changed.Attrs["displayName"] { // rules name groups by it
		if err := tx.MarkMembers(changed.ID); err != nil {
			return changed, err
		}
	}
	return w.Resource, tx.ModifyResource(w)
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
			Data: changedAttributes(held.Resource.Attrs, nil, "")}
		if t.Name == "User" {
			w.Marks, w.Urgent = []string{held.Identity}, true
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
// event and the audit entry. Members are counted, not listed; they are rows. Of a
// password it is said that there is a new one.
func changedAttributes(before, after map[string]any, hash string) map[string]any {
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
			out[k] = pair{before[k], after[k]}
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
