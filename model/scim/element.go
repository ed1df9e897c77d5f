package scim

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// elementKey tells the elements of a multi-valued attribute apart: two with the
// same key are one. Members and groups go by value alone, other complex ones by
// type and value (RFC 7643 §2.4), those without a value by everything they hold.
func elementKey(a *Attribute, e any) string {
	m, ok := e.(map[string]any)
	if !ok {
		return string(appendCanonical(nil, searchElement(a, e)))
	}
	if value, ok := a.SubAttribute("value"); ok {
		v := searchElement(value, m[value.Name])
		if s, ok := v.(string); ok && a.keyed {
			return s
		}
		if v != nil {
			b := appendCanonical([]byte{'v'}, v)
			if typ, ok := a.SubAttribute("type"); ok {
				b = appendCanonical(b, searchElement(typ, m[typ.Name]))
			}
			return string(b)
		}
	}
	return string(appendCanonical(nil, e))
}

// tidy checks a list that a client sent: elements with the same key become one,
// at most one is primary.
func (c *decoder) tidy(a *Attribute, list []any, at *place) ([]any, error) {
	if len(list) > 1 {
		list = unique(a, list)
	}
	last := -1
	for i, e := range list {
		if !isPrimary(e) {
			continue
		}
		if last >= 0 {
			if !c.d.use(c.d.LastPrimary, FlagLastPrimary) {
				return nil, at.fault("only one value can be primary")
			}
			list[last] = withSub(list[last], "primary", false)
		}
		last = i
	}
	return list, nil
}

// unique joins elements with the same key; what comes later completes and
// overrides what came first, except for members, whose parts cannot change.
func unique(a *Attribute, list []any) []any {
	seen := make(map[string]int, len(list))
	out := list[:0:0]
	for _, e := range list {
		key := elementKey(a, e)
		i, ok := seen[key]
		if !ok {
			seen[key] = len(out)
			out = append(out, e)
			continue
		}
		old, isMap := out[i].(map[string]any)
		if m, ok := e.(map[string]any); ok && isMap && !a.keyed {
			merged := maps.Clone(old)
			maps.Copy(merged, m)
			out[i] = merged
		}
	}
	return out
}

// keepMembers puts the present element in the place of a new one with the same
// value: a member is its value, and what else is known of it does not make a
// repeated push a change. Lists of other attributes stay as they are.
func keepMembers(a *Attribute, present, next []any) []any {
	if !a.keyed || len(present) == 0 {
		return next
	}
	byValue := make(map[string]any, len(present))
	for _, e := range present {
		if e != nil {
			byValue[elementKey(a, e)] = e
		}
	}
	out := make([]any, len(next))
	for i, e := range next {
		if old, ok := byValue[elementKey(a, e)]; ok {
			e = old
		}
		out[i] = e
	}
	return out
}

// isPrimary reports whether an element is marked primary.
func isPrimary(e any) bool {
	m, ok := e.(map[string]any)
	return ok && m["primary"] == true
}

// withSub is a copy of an element with one sub-attribute set, or without it if v
// is nil.
func withSub(e any, name string, v any) map[string]any {
	m, _ := e.(map[string]any)
	out := make(map[string]any, len(m)+1)
	maps.Copy(out, m)
	if v == nil {
		delete(out, name)
	} else {
		out[name] = v
	}
	return out
}

// equal compares attribute values as SCIM does: the order of multi-valued
// attributes carries no meaning (RFC 7643 §2.4), 5 and 5.0 are the same number.
func equal(x, y any) bool {
	return same(x, y) || bytes.Equal(appendCanonical(nil, x), appendCanonical(nil, y))
}

// same is the quick test: equal in the same order.
func same(x, y any) bool {
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := y.([]any)
		return ok && slices.EqualFunc(x, y, same)
	case nil, string, bool, int64, float64:
		switch y.(type) {
		case nil, string, bool, int64, float64:
			return x == y
		}
	}
	return false
}

// appendCanonical writes a value so that equal values, and only they, give the
// same bytes.
func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendQuoted(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case map[string]any:
		b = append(b, '{')
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = append(appendQuoted(b, k), ':')
			b = append(appendCanonical(b, v[k]), ',')
		}
		return append(b, '}')
	case []any:
		parts := make([][]byte, len(v))
		for i, e := range v {
			parts[i] = appendCanonical(nil, e)
		}
		slices.SortFunc(parts, bytes.Compare)
		b = append(b, '[')
		b = append(b, bytes.Join(parts, []byte{','})...)
		return append(b, ']')
	}
	if n, ok := toInt(v); ok {
		return strconv.AppendInt(b, n, 10)
	}
	if f, ok := toFloat(v); ok {
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	}
	return append(b, "null"...)
}
