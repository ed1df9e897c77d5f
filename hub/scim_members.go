package hub

import (
	"maps"
	"slices"
	"sort"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// longestID is how long, in bytes, an id of a member may be that nobody has yet.
const longestID = 256

// join works out who joins and parts by a write to a group, and whom it concerns:
// those people, and everybody in a group that does. A member that exists is told
// what it is; one that does not is kept, unless the actor must name existing ones
// (RFC 7643 §2.3.7 leaves that open).
func join(tx *store.Tx, by Actor, w *store.ResourceWrite, before map[string]any) error {
	w.Joined, w.Parted = memberDelta(memberRows(w.Type, before), memberRows(w.Type, w.Resource.Attrs))
	for _, m := range w.Joined {
		if len(m.ID) > longestID {
			return scim.Errorf(400, scim.InvalidValue, "members: a value is longer than %d bytes", longestID)
		}
	}
	refs, err := tx.References(by.Source, append(memberIDs(w.Joined), w.Parted...))
	if err != nil {
		return err
	}
	kinds := map[string]string{}
	for i, m := range w.Joined {
		ref, ok := refs[m.ID]
		if !ok && by.StrictReferences {
			return scim.Errorf(400, scim.InvalidValue, "members: there is no resource %q", m.ID)
		}
		if ok && m.Type == "" {
			w.Joined[i].Type, kinds[m.ID] = ref.Kind, ref.Kind
		}
	}
	if len(kinds) > 0 {
		w.Resource.Attrs = withKinds(w.Resource.Attrs, kinds)
	}
	people := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(refs)) {
		ref := refs[id]
		if ref.Identity != "" {
			people[ref.Identity] = true
		}
		if ref.Kind == "Group" {
			if err := tx.MarkMembers(id); err != nil {
				return err
			}
		}
	}
	w.Marks = slices.Sorted(maps.Keys(people))
	return nil
}

// withKinds is a copy of a group's attributes whose members say what they are.
func withKinds(attrs map[string]any, kinds map[string]string) map[string]any {
	list, _ := attrs["members"].([]any)
	next := make([]any, len(list))
	for i, e := range list {
		next[i] = e
		m, _ := e.(map[string]any)
		value, _ := m["value"].(string)
		if kind := kinds[value]; kind != "" {
			m = maps.Clone(m)
			m["type"] = kind
			next[i] = m
		}
	}
	attrs = maps.Clone(attrs)
	attrs["members"] = next
	return attrs
}

// managerOf is the id of a user's manager (RFC 7643 §4.3); empty if there is none.
func managerOf(attrs map[string]any) string {
	enterprise, _ := attrs[scim.URNEnterprise].(map[string]any)
	manager, _ := enterprise["manager"].(map[string]any)
	id, _ := manager["value"].(string)
	return id
}

// checkManager refuses a manager who does not exist, where the actor must name an
// existing one.
func checkManager(tx *store.Tx, by Actor, id string) error {
	if id == "" || !by.StrictReferences {
		return nil
	}
	refs, err := tx.References(by.Source, []string{id})
	if err == nil && refs[id].Kind != "User" {
		return scim.Errorf(400, scim.InvalidValue, "manager: there is no User %q", id)
	}
	return err
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
