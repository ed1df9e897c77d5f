package model

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// SourceResource is what one source says about a person.
type SourceResource struct {
	Source   string
	ID       string
	Attrs    map[string]any // as in scim.Resource
	Modified time.Time
}

// Merge makes one user of what several sources say, and tells which attribute came
// from which source.
//
// For each attribute the first source that has a value for it wins, in the order
// that authority gives for the most specific of these keys, or else in the order of
// sources:
//
//	key                                       for
//	------------------------------------------------------------------------
//	userName, name.familyName, urn:…:attr     that attribute, or that part of it
//	name.*, urn:….*, urn:…:*, urn:…           the attribute, or all of the extension
//	*                                         everything else
//
// Keys are compared without regard to case. A source that the order found does not
// name gives nothing, which is how authority takes an attribute away from a source.
// A complex attribute is taken as a whole, so that the parts of a name or an address
// belong together, but for parts that authority names; so is a list. Where a source
// has several resources of the person, the one modified last speaks first.
//
// Where the first source of a list drops an attribute the next of the list speaks; where
// none of them has it, it is absent. Absent active means active, but not where a key of
// its own gives the word on active to sources none of which knows the person: whom HR
// has never heard of, or has deleted, is not active because a directory still lists
// them. Such a source is the origin of active false.
//
// origin has a key for each attribute, part that authority names, and attribute of
// an extension ("urn:…:attr"), and one for the extension where it all came from one
// source. The result shares values with the input, which must not be changed.
func Merge(resources []SourceResource, authority map[string][]string, order []string) (user map[string]any, origin map[string]string) {
	m := merger{authority: make(map[string][]string, len(authority)), order: order}
	for key, list := range authority {
		m.authority[authorityKey(key)] = list
	}
	m.resources = slices.Clone(resources)
	slices.SortStableFunc(m.resources, func(a, b SourceResource) int {
		return cmp.Or(b.Modified.Compare(a.Modified), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	m.completeOrder()
	m.user, m.origin = map[string]any{}, map[string]string{}
	for _, name := range m.names(func(r SourceResource) map[string]any { return r.Attrs }) {
		switch {
		case isURN(name):
			m.extension(name)
		case !slices.Contains(notMerged, name):
			m.attribute(name)
		}
	}
	m.inactive()
	m.schemas()
	return m.user, m.origin
}

// inactive takes away that absent active means active, where nobody who has the word
// on it knows the person.
func (m *merger) inactive() {
	list, named := m.authority["active"]
	if !named || len(list) == 0 || len(m.user) == 0 ||
		slices.ContainsFunc(m.resources, func(r SourceResource) bool { return slices.Contains(list, r.Source) }) {
		return
	}
	m.user["active"], m.origin["active"] = false, list[0]
}

// notMerged are attributes of a resource that are no facts about the person;
// schemas follow from the result.
var notMerged = []string{"groups", "id", "meta", "password", "schemas"}

type merger struct {
	resources []SourceResource // the one modified last first
	authority map[string][]string
	order     []string
	user      map[string]any
	origin    map[string]string
}

// authorityKey is the form in which keys are compared: a whole attribute or
// extension is the same with and without its star.
func authorityKey(key string) string {
	key = strings.ToLower(key)
	if cut := strings.TrimSuffix(strings.TrimSuffix(key, ".*"), ":*"); cut != "" {
		key = cut
	}
	// A core attribute may be written with its schema.
	return strings.TrimPrefix(key, strings.ToLower(scim.URNUser)+":")
}

func isURN(name string) bool { return len(name) > 4 && strings.EqualFold(name[:4], "urn:") }

// completeOrder adds sources that the configuration does not know any more, last.
func (m *merger) completeOrder() {
	m.order = slices.Clone(m.order)
	var more []string
	for _, r := range m.resources {
		if !slices.Contains(m.order, r.Source) && !slices.Contains(more, r.Source) {
			more = append(more, r.Source)
		}
	}
	slices.Sort(more)
	m.order = append(m.order, more...)
}

// names gives the attributes that any resource has at a place, sorted.
func (m *merger) names(of func(SourceResource) map[string]any) []string {
	seen := map[string]bool{}
	for _, r := range m.resources {
		for name := range of(r) {
			seen[name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// sources gives the order for the first of the keys that authority has.
func (m *merger) sources(keys ...string) []string {
	for _, key := range append(keys, "*") {
		if list, ok := m.authority[authorityKey(key)]; ok {
			return list
		}
	}
	return m.order
}

// first finds the value that the first source has.
func (m *merger) first(sources []string, of func(SourceResource) any) (value any, source string) {
	for _, s := range sources {
		for _, r := range m.resources {
			if r.Source != s {
				continue
			}
			if v := of(r); !Unassigned(v) {
				return v, s
			}
		}
	}
	return nil, ""
}

// Unassigned reports whether a value counts as none: null, "", an empty list or an
// empty object (RFC 7643 §2.5).
func Unassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func (m *merger) attribute(name string) {
	value, source := m.first(m.sources(name), func(r SourceResource) any { return r.Attrs[name] })
	if value != nil {
		m.user[name], m.origin[name] = value, source
	}
	m.parts(name)
}

// parts lets authority over one part of a complex attribute have its way.
func (m *merger) parts(name string) {
	part := func(r SourceResource) map[string]any { p, _ := r.Attrs[name].(map[string]any); return p }
	whole, isMap := m.user[name].(map[string]any)
	if m.user[name] != nil && !isMap {
		return
	}
	for _, sub := range m.names(part) {
		key := name + "." + sub
		list, named := m.authority[authorityKey(key)]
		if !named {
			continue
		}
		value, source := m.first(list, func(r SourceResource) any { return part(r)[sub] })
		changed := make(map[string]any, len(whole)+1)
		maps.Copy(changed, whole)
		delete(changed, sub)
		if value != nil {
			changed[sub], m.origin[key] = value, source
		}
		whole = changed
	}
	switch {
	case len(whole) > 0:
		m.user[name] = whole
	case isMap:
		delete(m.user, name)
		delete(m.origin, name)
	}
}

func (m *merger) extension(urn string) {
	of := func(r SourceResource) map[string]any { e, _ := r.Attrs[urn].(map[string]any); return e }
	merged, from := map[string]any{}, map[string]bool{}
	for _, name := range m.names(of) {
		key := urn + ":" + name
		value, source := m.first(m.sources(key, urn), func(r SourceResource) any { return of(r)[name] })
		if value == nil {
			continue
		}
		merged[name], m.origin[key], from[source] = value, source, true
	}
	if len(merged) == 0 {
		return
	}
	m.user[urn] = merged
	if len(from) == 1 {
		for source := range from {
			m.origin[urn] = source
		}
	}
}

// schemas lists the core schema and the extensions that hold data.
func (m *merger) schemas() {
	if len(m.user) == 0 {
		return
	}
	list := []any{scim.URNUser}
	var urns []string
	for name := range m.user {
		if isURN(name) {
			urns = append(urns, name)
		}
	}
	slices.Sort(urns)
	for _, u := range urns {
		list = append(list, u)
	}
	m.user["schemas"] = list
}

// Member finds a key without regard to case, as SCIM names attributes.
func Member(doc map[string]any, name string) any {
	if v, ok := doc[name]; ok {
		return v
	}
	for k, v := range doc {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// AttributeAt is the attribute of a user that a path leads to, whole where the path goes
// into it; nil where there is none.
func AttributeAt(user map[string]any, path scim.Path) any {
	if path.URI != "" && !strings.EqualFold(path.URI, scim.URNUser) {
		user, _ = Member(user, path.URI).(map[string]any)
	}
	return Member(user, path.Attr)
}
