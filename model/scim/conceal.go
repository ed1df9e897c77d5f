package scim

import (
	"maps"
	"slices"
)

// Concealed stands for a value that must not be told.
const Concealed = "(not shown)"

// Conceal is the value of an attribute, or of an extension by its URN, as records
// that people read may have it: in place of what is never returned (RFC 7643 §7), as
// a PIN may be, stands Concealed. So it does for what no schema defines: it may come
// from one that said so, before the configuration changed. v itself is not altered.
func (t *ResourceType) Conceal(name string, v any) any {
	if v == nil {
		return nil
	}
	if a, ok := t.Attribute(name); ok {
		return a.conceal(v)
	}
	e, ok := t.extension(name)
	m, isObject := v.(map[string]any)
	if !ok || !isObject {
		return Concealed
	}
	return concealIn(e.Attribute, m)
}

// concealIn conceals members of an object, and copies it where there are any.
func concealIn(find func(string) (*Attribute, bool), m map[string]any) map[string]any {
	var out map[string]any
	for name, v := range m {
		a, ok := find(name)
		if ok && !a.holdsSecret() {
			continue
		}
		if out == nil {
			out = maps.Clone(m)
		}
		out[name] = Concealed
		if ok {
			out[name] = a.conceal(v)
		}
	}
	if out == nil {
		return m
	}
	return out
}

func (a *Attribute) conceal(v any) any {
	switch {
	case !a.holdsSecret():
		return v
	case secret(a):
		return Concealed
	}
	switch v := v.(type) {
	case map[string]any:
		return concealIn(a.SubAttribute, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Concealed
			if m, ok := e.(map[string]any); ok {
				out[i] = concealIn(a.SubAttribute, m)
			}
		}
		return out
	}
	return Concealed
}

// holdsSecret reports whether the attribute, or a part of it, is never returned.
func (a *Attribute) holdsSecret() bool {
	return secret(a) || slices.ContainsFunc(a.Sub, secret)
}
