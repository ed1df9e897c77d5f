package hub

import (
	"maps"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// bodyEdit changes the attributes of a user without touching those it began with.
type bodyEdit struct {
	body  map[string]any
	fresh map[string]bool // roots that were begun anew
}

func (e *bodyEdit) extension(urn string) map[string]any {
	if urn == "" {
		return e.body
	}
	ext, _ := e.body[urn].(map[string]any)
	return ext
}

// set puts a value where a column says; nil takes away what is there.
func (e *bodyEdit) set(c *rowColumn, value any) {
	holder := e.body
	if c.path.URI != "" {
		if c.attr == nil {
			put(e.body, c.path.URI, value)
			return
		}
		holder = maps.Clone(e.extension(c.path.URI))
		if holder == nil {
			holder = map[string]any{}
		}
		defer func() {
			if len(holder) == 0 {
				delete(e.body, c.path.URI)
				return
			}
			e.body[c.path.URI] = holder
		}()
	}
	name := c.path.Attr
	switch {
	case c.seed != nil:
		put(holder, name, withElement(holder[name], c, value))
	case c.many:
		e.list(holder, c, value)
	case c.path.Sub != "":
		parts, _ := holder[name].(map[string]any)
		parts = maps.Clone(parts)
		if parts == nil {
			parts = map[string]any{}
		}
		put(parts, c.path.Sub, value)
		if len(parts) == 0 {
			value = nil
		} else {
			value = parts
		}
		put(holder, name, value)
	default:
		put(holder, name, value)
	}
}

// list sets a multi-valued attribute that no brackets select in: it is given whole,
// or is the one element that its columns describe.
func (e *bodyEdit) list(holder map[string]any, c *rowColumn, value any) {
	name := c.path.Attr
	if _, whole := value.([]any); whole && c.path.Sub == "" {
		holder[name] = value
		return
	}
	sub := c.path.Sub
	if sub == "" && c.root.Type != scim.TypeComplex {
		if value != nil {
			value = []any{value}
		}
		put(holder, name, value)
		return
	}
	if parts, isObject := value.(map[string]any); isObject && sub == "" {
		holder[name] = []any{parts}
		return
	}
	if sub == "" {
		sub = "value"
	}
	element := map[string]any{}
	if key := c.path.URI + ":" + name; e.fresh[key] {
		if list, _ := holder[name].([]any); len(list) == 1 {
			old, _ := list[0].(map[string]any)
			element = maps.Clone(old)
		}
	} else {
		e.fresh[key] = true
	}
	put(element, sub, value)
	if len(element) == 0 {
		delete(holder, name)
		return
	}
	holder[name] = []any{element}
}

// withElement is a list whose element that brackets select has another value in one
// part. An element of which nothing but what selects it is left goes.
func withElement(list any, c *rowColumn, value any) any {
	old, _ := list.([]any)
	out := make([]any, 0, len(old)+1)
	found := false
	for _, e := range old {
		m, _ := e.(map[string]any)
		if found || !selects(c.seed, m) {
			out = append(out, e)
			continue
		}
		found = true
		m = maps.Clone(m)
		put(m, c.path.Sub, value)
		if !onlySeed(c.seed, m) {
			out = append(out, m)
		}
	}
	if !found && value != nil {
		m := maps.Clone(c.seed)
		m[c.path.Sub] = value
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func selects(seed, m map[string]any) bool {
	for k, want := range seed {
		have := m[k]
		a, isText := want.(string)
		b, _ := have.(string)
		if isText && !strings.EqualFold(a, b) || !isText && want != have {
			return false
		}
	}
	return true
}

// onlySeed reports whether an element says nothing beyond how it is found.
func onlySeed(seed, m map[string]any) bool {
	for k := range m {
		if _, ok := seed[k]; !ok && k != "primary" {
			return false
		}
	}
	return true
}

func put(m map[string]any, name string, value any) {
	if value == nil {
		delete(m, name)
		return
	}
	m[name] = value
}
