package model

import (
	"cmp"
	"reflect"
	"slices"
)

// Said is what one resource says of an attribute.
type Said struct {
	Source     string `json:"source"`
	ResourceID string `json:"resource_id"`
	Value      any    `json:"value"`
}

// Disagree finds the attributes of which resources of one person say different things:
// name.familyName, or urn:…:attr of an extension; lists are compared as a whole. Each
// has what all say who say anything, by source and resource. Who says nothing
// disagrees with nobody.
func Disagree(resources []SourceResource) map[string][]Said {
	all := map[string][]Said{}
	sorted := slices.Clone(resources)
	slices.SortFunc(sorted, func(a, b SourceResource) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range sorted {
		for name, value := range Flat(r.Attrs) {
			all[name] = append(all[name], Said{Source: r.Source, ResourceID: r.ID, Value: value})
		}
	}
	for name, list := range all {
		if !slices.ContainsFunc(list, func(s Said) bool { return !reflect.DeepEqual(s.Value, list[0].Value) }) {
			delete(all, name)
		}
	}
	return all
}

// Flat gives the facts of a user by path: the parts of complex attributes and of
// extensions on their own, lists as a whole, without what is empty or says nothing
// about the person.
func Flat(attrs map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range attrs {
		if slices.Contains(notMerged, name) || Unassigned(value) {
			continue
		}
		parts, structured := value.(map[string]any)
		if !structured {
			out[name] = value
			continue
		}
		separator := "."
		if isURN(name) {
			separator = ":"
		}
		for part, v := range parts {
			if !Unassigned(v) {
				out[name+separator+part] = v
			}
		}
	}
	return out
}
