package hub

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"sort"

	"github.com/scimhub/scimhub/model"
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
// entry and its marks are committed. 409 uniqueness for a taken userName.
func (h *Hub) Create(ctx context.Context, by Actor, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	id, err := newID()
	if err != nil {
		return scim.Resource{}, err
	}
	now := h.Store.Now()
	w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "create",
		Resource: scim.Resource{ID: id, Type: t.Name, Attrs: withoutSecrets(attrs), Meta: scim.Meta{Created: now, LastModified: now, Version: 1}}}
	w.Data = changedAttributes(nil, w.Resource.Attrs)
	if t.Name == "User" {
		err = h.createUser(ctx, w)
	} else {
		w.Joined = memberRows(t, w.Resource.Attrs)
		err = h.Store.Update(ctx, func(tx *store.Tx) error {
			if w.Marks, err = identitiesOf(tx, w.Source, memberIDs(w.Joined)); err != nil {
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
	named, all := c.MemberScope()
	var out scim.Resource
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
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
			if changed, err = h.write(tx, by, t, held, changed); err != nil {
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
func (h *Hub) write(tx *store.Tx, by Actor, t *scim.ResourceType, held store.Held, changed scim.Resource) (scim.Resource, error) {
	changed.Attrs = withoutSecrets(changed.Attrs)
	changed.Meta.Version = held.Resource.Meta.Version + 1
	changed.Meta.LastModified = tx.Now
	w := store.ResourceWrite{Source: by.Source, Actor: by.String(), Type: t, Action: "modify", Resource: changed, Identity: held.Identity,
		Data: changedAttributes(held.Resource.Attrs, changed.Attrs)}
	if t.Name == "User" {
		w.Marks = []string{held.Identity}
		w.Urgent = turnedOff(held.Resource.Attrs, changed.Attrs)
		return changed, tx.ModifyResource(w)
	}
	w.Joined, w.Parted = memberDelta(memberRows(t, held.Resource.Attrs), memberRows(t, changed.Attrs))
	touched := append(memberIDs(w.Joined), w.Parted...)
	var err error
	if w.Marks, err = identitiesOf(tx, by.Source, touched); err != nil {
		return changed, err
	}
	if held.Resource.Attrs["displayName"] != changed.Attrs["displayName"] { // rules name groups by it
		if err := tx.MarkMembers(changed.ID); err != nil {
			return changed, err
		}
	}
	return changed, tx.ModifyResource(w)
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
			Data: changedAttributes(held.Resource.Attrs, nil)}
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
	var e *model.Error
	if errors.As(err, &e) && e.Code == model.Conflict {
		return &scim.Error{Status: 409, Type: scim.Uniqueness, Detail: "userName: another " + t.Name + " has this value already", Err: err}
	}
	return err
}

// withoutSecrets drops the password: the hub has no use for one yet, so it keeps none.
func withoutSecrets(attrs map[string]any) map[string]any {
	if _, ok := attrs["password"]; !ok {
		return attrs
	}
	out := maps.Clone(attrs)
	delete(out, "password")
	return out
}

// turnedOff reports whether the change made an active person inactive.
func turnedOff(before, after map[string]any) bool {
	was, known := before["active"].(bool)
	is, set := after["active"].(bool)
	return (was || !known) && set && !is
}

// changedAttributes lists the attributes that differ, with both values, for the
// event and the audit entry. Members are counted, not listed; they are rows.
func changedAttributes(before, after map[string]any) map[string]any {
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
	return out
}

// memberRows are the members that are kept as rows: those of groups. A type of a
// configuration's own may call anything members.
func memberRows(t *scim.ResourceType, attrs map[string]any) []store.Member {
	if t.Name != "Group" {
		return nil
	}
	return members(attrs)
}

func members(attrs map[string]any) []store.Member {
	list, _ := attrs["members"].([]any)
	out := make([]store.Member, 0, len(list))
	for _, e := range list {
		m, _ := e.(map[string]any)
		value, _ := m["value"].(string)
		kind, _ := m["type"].(string)
		display, _ := m["display"].(string)
		if value != "" {
			out = append(out, store.Member{ID: value, Type: kind, Display: display})
		}
	}
	return out
}

func memberIDs(list []store.Member) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.ID
	}
	return out
}

// memberDelta is what was added or altered, and what was taken away.
func memberDelta(before, after []store.Member) (joined []store.Member, parted []string) {
	had := make(map[string]store.Member, len(before))
	for _, m := range before {
		had[m.ID] = m
	}
	for _, m := range after {
		if old, ok := had[m.ID]; !ok || old != m {
			joined = append(joined, m)
		}
		delete(had, m.ID)
	}
	for id := range had {
		parted = append(parted, id)
	}
	sort.Strings(parted)
	return joined, parted
}

// identitiesOf maps members to the people they are, sorted and without repeats.
func identitiesOf(tx *store.Tx, source string, memberIDs []string) ([]string, error) {
	byID, err := tx.IdentitiesOf(source, memberIDs)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := make([]string, 0, len(byID))
	for _, identity := range byID {
		if !seen[identity] {
			seen[identity] = true
			out = append(out, identity)
		}
	}
	sort.Strings(out)
	return out, nil
}
