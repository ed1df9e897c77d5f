package scim

import (
	"slices"
	"strconv"
)

// The words of RFC 7643 §7 for the range in which a value is unique.
const (
	UniqueNone   = "none"
	UniqueServer = "server"
	UniqueGlobal = "global"
)

// UniqueAttr is an attribute whose values no two resources of its type may share.
type UniqueAttr struct {
	Path     Path // bound
	Attr     *Attribute
	UserName bool // it is the userName of a User, which a backend may keep apart
}

// UniqueValue is a value that no other resource of the type may hold at Path.
type UniqueValue struct {
	Path     string // UniqueAttr.Path as text, in the schema's case
	Value    string // in the form in which values are compared; never empty
	UserName bool
}

// UniqueAttributes lists the attributes and sub-attributes, of the core schema and
// of extensions, that are unique by definition (RFC 7643 §2.2); id is not among
// them, the service makes it so.
func (t *ResourceType) UniqueAttributes() []UniqueAttr {
	out := uniqueIn(nil, t.Schema, "")
	for _, e := range t.Extensions {
		out = uniqueIn(out, e.Schema, e.Schema.ID)
	}
	return out
}

func uniqueIn(out []UniqueAttr, s *Schema, urn string) []UniqueAttr {
	for _, a := range s.Attributes {
		if a.isUnique() {
			out = append(out, UniqueAttr{Path: Path{URI: urn, Attr: a.Name}, Attr: a, UserName: a.userName})
		}
		for _, sub := range a.Sub {
			if sub.isUnique() {
				out = append(out, UniqueAttr{Path: Path{URI: urn, Attr: a.Name, Sub: sub.Name}, Attr: sub})
			}
		}
	}
	return out
}

func (a *Attribute) isUnique() bool {
	return (a.Uniqueness == UniqueServer || a.Uniqueness == UniqueGlobal) && a.Type != TypeComplex
}

// UniqueValues lists the values of a resource that must be its own: each value of
// a multi-valued attribute, each once. Strings are folded unless case exact, so
// that what a filter with eq finds is what uniqueness refuses.
func (t *ResourceType) UniqueValues(r Resource) []UniqueValue {
	var out []UniqueValue
	out = uniqueValues(out, t.Schema, "", r.Attrs)
	for _, e := range t.Extensions {
		if ext, ok := r.Attrs[e.Schema.ID].(map[string]any); ok {
			out = uniqueValues(out, e.Schema, e.Schema.ID, ext)
		}
	}
	if len(out) < 2 {
		return out
	}
	seen := make(map[UniqueValue]bool, len(out))
	return slices.DeleteFunc(out, func(u UniqueValue) bool {
		again := seen[u]
		seen[u] = true
		return again
	})
}

func uniqueValues(out []UniqueValue, s *Schema, urn string, attrs map[string]any) []UniqueValue {
	for _, a := range s.Attributes {
		switch {
		case a.isUnique():
			out = addUnique(out, a, Path{URI: urn, Attr: a.Name}, attrs[a.Name])
		case a.Type == TypeComplex && slices.ContainsFunc(a.Sub, (*Attribute).isUnique):
			elements, ok := attrs[a.Name].([]any)
			if !ok {
				elements = []any{attrs[a.Name]}
			}
			for _, sub := range a.Sub {
				if !sub.isUnique() {
					continue
				}
				for _, e := range elements {
					m, _ := e.(map[string]any)
					out = addUnique(out, sub, Path{URI: urn, Attr: a.Name, Sub: sub.Name}, m[sub.Name])
				}
			}
		}
	}
	return out
}

func addUnique(out []UniqueValue, a *Attribute, p Path, v any) []UniqueValue {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			out = addUnique(out, a, p, e)
		}
		return out
	}
	text := ""
	switch v := searchElement(a, v).(type) {
	case string:
		text = v
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	}
	if text == "" {
		return out
	}
	return append(out, UniqueValue{Path: p.name(), Value: text, UserName: a.userName})
}
