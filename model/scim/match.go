package scim

import (
	"cmp"
	"strings"
)

// How a bound filter is evaluated; the translation to SQL has to agree.
//
//   - Logic is two-valued: and, or and not are the Boolean ones, also where a
//     value is absent. not (title eq "x") holds for a resource without a title.
//   - Strings compare byte by byte in the document's form, for order too; co, sw
//     and ew look for bytes. An empty operand of co, sw, ew, and of ge, is found in
//     any value that is present.
//   - Numbers and dateTimes compare as numbers, an integer exactly.
//   - A path holds if any of its values holds. Where it has no value, only ne
//     holds. An element without the sub-attribute adds no value.
//   - A value of another type than the operand stands in no relation but ne.

// Match holds if all terms do.
func (f And) Match(doc map[string]any) bool {
	for _, t := range f.Terms {
		if !t.Match(doc) {
			return false
		}
	}
	return true
}

// Match holds if any term does.
func (f Or) Match(doc map[string]any) bool {
	for _, t := range f.Terms {
		if t.Match(doc) {
			return true
		}
	}
	return false
}

// Match holds if the term does not.
func (f Not) Match(doc map[string]any) bool { return !f.Term.Match(doc) }

// Match never holds.
func (None) Match(map[string]any) bool { return false }

// Match holds if the path has a value.
func (f Present) Match(doc map[string]any) bool {
	found := false
	eachValue(doc, f.Path, f.Attr, func(any) bool {
		found = true
		return false
	})
	return found
}

// Match compares every value at the path.
func (f Compare) Match(doc map[string]any) bool {
	found, hit := false, false
	eachValue(doc, f.Path, f.Attr, func(v any) bool {
		found = true
		hit = f.Value != nil && relation(f.Op, v, f.Value)
		return !hit
	})
	switch {
	case f.Value == nil: // only in an unbound filter
		return found == (f.Op == Ne)
	case !found:
		return f.Op == Ne
	}
	return hit
}

// Match tests each element of the attribute by itself.
func (f ValuePath) Match(doc map[string]any) bool {
	hit := false
	eachValue(doc, f.Path, f.Attr, func(v any) bool {
		m, ok := v.(map[string]any)
		if !ok {
			m = map[string]any{"value": v}
		}
		hit = f.Term.Match(m)
		return !hit
	})
	return hit
}

// eachValue calls yield with every non-empty value at a path until it returns
// false. attr is the last attribute of the path; it holds the keys ready, so that
// no name is lower-cased for each document.
func eachValue(doc map[string]any, p Path, attr *Attribute, yield func(any) bool) {
	if p.URI != "" {
		doc, _ = doc[urnKey(p, attr)].(map[string]any)
		if p.Attr == "" {
			if len(doc) > 0 {
				yield(doc)
			}
			return
		}
	}
	v := doc[attrKey(p, attr)]
	list, many := v.([]any)
	if !many {
		eachSub(v, p, attr, yield)
		return
	}
	for _, e := range list {
		if !eachSub(e, p, attr, yield) {
			return
		}
	}
}

// eachSub yields the value itself or its sub-attribute, and says whether to go on.
func eachSub(v any, p Path, attr *Attribute, yield func(any) bool) bool {
	if p.Sub != "" {
		m, _ := v.(map[string]any)
		key := ""
		if attr != nil {
			key = attr.Key()
		} else {
			key = strings.ToLower(p.Sub)
		}
		v = m[key]
	}
	switch v := v.(type) {
	case nil:
		return true
	case string:
		if v == "" {
			return true
		}
	case map[string]any:
		if len(v) == 0 {
			return true
		}
	case []any: // a multi-valued sub-attribute
		for _, e := range v {
			if e != nil && e != "" && !yield(e) {
				return false
			}
		}
		return true
	}
	return yield(v)
}

func urnKey(p Path, attr *Attribute) string {
	if attr != nil && attr.urnKey != "" {
		return attr.urnKey
	}
	return strings.ToLower(p.URI)
}

func attrKey(p Path, attr *Attribute) string {
	switch {
	case attr == nil:
	case p.Sub != "" && attr.parent != nil:
		return attr.parent.Key()
	case p.Sub == "" && len(attr.Name) == len(p.Attr) && attr.Name == p.Attr:
		return attr.Key()
	}
	return strings.ToLower(p.Attr) // unbound, or "value" for an element that is not complex
}

// relation compares a value of a document with a bound operand.
func relation(op Op, v, want any) bool {
	switch want := want.(type) {
	case string:
		if s, ok := v.(string); ok {
			return textRelation(op, s, want)
		}
	case bool:
		if b, ok := v.(bool); ok {
			return (b == want) == (op == Eq) && (op == Eq || op == Ne)
		}
	case int64:
		if n, ok := toInt(v); ok {
			return ordered(op, cmp.Compare(n, want))
		}
		if n, ok := toFloat(v); ok {
			return ordered(op, cmp.Compare(n, float64(want)))
		}
	case float64:
		if n, ok := toFloat(v); ok {
			return ordered(op, cmp.Compare(n, want))
		}
	}
	return op == Ne
}

func textRelation(op Op, s, want string) bool {
	switch op {
	case Co:
		return strings.Contains(s, want)
	case Sw:
		return strings.HasPrefix(s, want)
	case Ew:
		return strings.HasSuffix(s, want)
	}
	return ordered(op, strings.Compare(s, want))
}

// ordered tells whether an operator holds for a comparison result.
func ordered(op Op, c int) bool {
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Gt:
		return c > 0
	case Ge:
		return c >= 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	}
	return false
}
