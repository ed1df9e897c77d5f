package scim

import (
	"maps"
	"slices"
)

// partValue is what an operation makes of a sub-attribute of old; nil clears it.
func (e *editor) partValue(o Operation, sub *Attribute, old any) (any, error) {
	if o.Op == OpReplace || !sub.MultiValued {
		if o.Op == OpRemove {
			return nil, nil
		}
		return o.Value, nil
	}
	m, _ := old.(map[string]any)
	have, _ := m[sub.Name].([]any)
	given, _ := o.Value.([]any)
	switch {
	case o.Op == OpRemove && o.Value == nil:
		return nil, nil
	case e.spend(keyWork*(len(have)+len(given))) != nil:
		return nil, errTooMuch()
	case o.Op == OpAdd:
		return unique(sub, slices.Concat(have, given)), nil
	}
	gone := make(map[string]bool, len(given))
	for _, v := range given {
		gone[elementKey(sub, v)] = true
	}
	left := make([]any, 0, len(have))
	for _, v := range have {
		if !gone[elementKey(sub, v)] {
			left = append(left, v)
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	return left, nil
}

// addedParts appends to the lists among the parts of a complex value instead of
// replacing them (RFC 7644 §3.5.2.1).
func (e *editor) addedParts(a *Attribute, old any, parts map[string]any) (map[string]any, error) {
	out, copied := parts, false
	for name, v := range parts {
		sub, ok := a.SubAttribute(name)
		if !ok || !sub.MultiValued || v == nil {
			continue
		}
		if !copied {
			out, copied = maps.Clone(parts), true
		}
		var err error
		if out[name], err = e.partValue(Operation{Op: OpAdd, Value: v}, sub, old); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// whole adds the parts that a complete replacement does not name, as cleared.
func whole(a *Attribute, parts map[string]any) map[string]any {
	out := maps.Clone(parts)
	for _, sub := range a.Sub {
		if _, ok := out[sub.Name]; !ok && sub.Mutability != ReadOnly {
			out[sub.Name] = nil
		}
	}
	return out
}

// keepParts gives the elements of a new list what they have in the present one and
// a client cannot set or need not repeat: sub-attributes that are readOnly,
// writeOnly or immutable. The error is an *Error 400 mutability for an element that
// comes with another value for what is immutable. Elements are told apart by
// elementKey.
func keepParts(a *Attribute, present, next []any, at string) ([]any, error) {
	if a.keyed {
		return keepMembers(a, present, next), nil
	}
	if len(present) == 0 || !a.hasFixedParts() {
		return next, nil
	}
	byKey := make(map[string]map[string]any, len(present))
	for _, e := range present {
		if m, ok := e.(map[string]any); ok {
			byKey[elementKey(a, m)] = m
		}
	}
	out := make([]any, len(next))
	for i, e := range next {
		m, _ := e.(map[string]any)
		kept, err := keepFixed(a, byKey[elementKey(a, e)], m, at)
		if err != nil {
			return nil, err
		}
		if out[i] = e; kept != nil {
			out[i] = kept
		}
	}
	return out, nil
}

func (a *Attribute) hasFixedParts() bool {
	return slices.ContainsFunc(a.Sub, func(sub *Attribute) bool { return sub.Mutability != ReadWrite })
}

// keepFixed completes an element that takes the place of another one; nil if
// nothing is to be completed.
func keepFixed(a *Attribute, old, next map[string]any, at string) (map[string]any, error) {
	var out map[string]any
	for _, sub := range a.Sub {
		before, after := old[sub.Name], next[sub.Name]
		switch {
		case before == nil || sub.Mutability == ReadWrite:
		case after == nil:
			if out == nil {
				out = maps.Clone(next)
			}
			out[sub.Name] = before
		case sub.Mutability == Immutable && !equal(before, after):
			return nil, Errorf(400, Mutability, "%s.%s: is immutable", at, sub.Name)
		}
	}
	return out, nil
}
