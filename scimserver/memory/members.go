package memory

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// memberIDs lists the ids in a resource's members, if it has any.
func memberIDs(r scim.Resource) []string {
	list, _ := r.Attrs["members"].([]any)
	ids := make([]string, 0, len(list))
	for _, m := range list {
		if id := memberID(m); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func memberID(member any) string {
	m, _ := member.(map[string]any)
	id, _ := m["value"].(string)
	return id
}

// link brings the reverse index up to date after a group's members changed. Ids
// that name nothing (yet) are kept too.
func (s *Store) link(group string, before, after []string) {
	was := make(map[string]bool, len(before))
	for _, id := range before {
		was[id] = true
	}
	for _, id := range after {
		if was[id] {
			delete(was, id)
			continue
		}
		if !slices.Contains(s.holders[id], group) {
			s.holders[id] = append(s.holders[id], group)
		}
		s.forget([]string{id})
	}
	for id := range was {
		left := slices.DeleteFunc(slices.Clone(s.holders[id]), func(g string) bool { return g == group })
		if len(left) == 0 {
			delete(s.holders, id)
		} else {
			s.holders[id] = left
		}
		s.forget([]string{id})
	}
}

// forget drops the search documents of resources whose computed attributes have
// changed; of nested groups' members too.
func (s *Store) forget(ids []string) {
	seen := map[string]bool{}
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, tb := range s.tables {
			if rec, ok := tb.byID[id]; ok {
				rec.doc.Store(nil)
				ids = append(ids, memberIDs(rec.res)...)
			}
		}
	}
}

// uniqueNames reports whether a second group of one name is refused.
func (s *Store) uniqueNames(ctx context.Context) bool {
	c, _ := scimserver.ClientFrom(ctx)
	return s.options.UniqueGroupNames || c.Dialect.UniqueGroupNames
}

// checkReferences refuses members and managers that do not exist, where the client's
// dialect wants that: 400 invalidValue. What was there before stays as it is.
func (s *Store) checkReferences(ctx context.Context, before, after scim.Resource) error {
	c, ok := scimserver.ClientFrom(ctx)
	if !ok || c.Dialect.UnresolvedReferences {
		return nil
	}
	had := map[string]bool{}
	for _, id := range append(memberIDs(before), managerIDs(before)...) {
		had[id] = true
	}
	missing := func(id string) bool { return !had[id] && s.record(id) == nil }
	for name, list := range map[string][]string{"members": memberIDs(after), "manager": managerIDs(after)} {
		if i := slices.IndexFunc(list, missing); i >= 0 {
			return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s: there is no resource %q", name, list[i])
		}
	}
	return nil
}

// managerIDs is the id of a user's manager, if there is one.
func managerIDs(r scim.Resource) []string {
	ext, _ := r.Attrs[scim.URNEnterprise].(map[string]any)
	if id := memberID(ext["manager"]); id != "" {
		return []string{id}
	}
	return nil
}

// leaveAll takes a deleted resource out of every group that lists it (RFC 7643
// §4.1.2, §4.2); those groups change by that.
func (s *Store) leaveAll(id string) {
	groups := s.holders[id]
	delete(s.holders, id)
	for _, group := range groups {
		rec := s.record(group)
		if rec == nil {
			continue
		}
		list, _ := rec.res.Attrs["members"].([]any)
		left := slices.DeleteFunc(slices.Clone(list), func(m any) bool { return memberID(m) == id })
		attrs := maps.Clone(rec.res.Attrs)
		attrs["members"] = left
		if len(left) == 0 {
			delete(attrs, "members")
		}
		rec.res.Attrs = attrs
		s.touch(rec)
	}
}

func (s *Store) record(id string) *record {
	for _, tb := range s.tables {
		if rec, ok := tb.byID[id]; ok {
			return rec
		}
	}
	return nil
}

// complete adds what is computed: the groups of a user (RFC 7643 §4.1.2).
func (s *Store) complete(rec *record, want scim.Fields) scim.Resource {
	if rec.res.Type != "User" || len(s.holders[rec.res.ID]) == 0 || !want.Wants("groups") {
		return rec.res
	}
	res := rec.res
	res.Attrs = maps.Clone(res.Attrs)
	res.Attrs["groups"] = s.groupsOf(res.ID)
	return res
}

// groupsOf lists direct groups first, then those reached through nested groups;
// each in the order of joining.
func (s *Store) groupsOf(id string) []any {
	var out []any
	seen := map[string]bool{id: true}
	level, kind := s.holders[id], "direct"
	for len(level) > 0 {
		var next []string
		for _, group := range level {
			rec := s.record(group)
			if rec == nil || seen[group] {
				continue
			}
			seen[group] = true
			element := map[string]any{"value": group, "type": kind}
			if name, ok := rec.res.Attrs["displayName"].(string); ok {
				element["display"] = name
			}
			out = append(out, element)
			next = append(next, s.holders[group]...)
		}
		level, kind = next, "indirect"
	}
	return out
}
