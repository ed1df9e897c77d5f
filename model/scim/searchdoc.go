package scim

import (
	"encoding/json"
	"time"
)

// SearchDoc is the normalised form of a resource that filters are evaluated
// against, by Match and by their translation to SQL alike:
//
//   - Every name is in lower case. Core and common attributes are at the top,
//     those of an extension in an object under its lower-case URN.
//   - Strings are folded with Fold, userName with FoldName, unless the attribute is
//     case exact. References and binary values are case exact.
//   - dateTime is the number of microseconds since 1970-01-01T00:00:00Z as int64;
//     integer is int64, decimal float64, boolean bool.
//   - Multi-valued attributes are []any, complex ones map[string]any.
//   - What is empty ("" , [], {}, an unreadable value) is left out, and so are
//     attributes that no schema defines, the password and everything else that is
//     never returned, and what exists only when shown (meta.location, members.$ref,
//     groups.$ref).
//   - id, schemas and meta (resourcetype, created, lastmodified, version: the ETag)
//     are in it; members and groups are where the resource carries them.
//
// A document may go through encoding/json: Match takes numbers as int64, float64
// or json.Number. Integers beyond 2^53 then need json.Decoder.UseNumber.
func (t *ResourceType) SearchDoc(r Resource) map[string]any {
	doc := make(map[string]any, len(r.Attrs)+3)
	for name, v := range r.Attrs {
		if a, ok := t.Attribute(name); ok {
			putSearch(doc, a, v)
		} else if s, ok := t.extension(name); ok {
			if ext := searchObject(s.Attribute, v); ext != nil {
				doc[s.Key()] = ext
			}
		}
	}
	delete(doc, "meta")
	delete(doc, "id")
	if r.ID != "" {
		doc["id"] = r.ID
	}
	typ := r.Type
	if typ == "" {
		typ = t.Name
	}
	meta := map[string]any{"resourcetype": typ, "version": r.Meta.ETag()}
	putTime(meta, "created", r.Meta.Created)
	putTime(meta, "lastmodified", r.Meta.LastModified)
	doc["meta"] = meta
	return doc
}

func putTime(m map[string]any, key string, at time.Time) {
	if !at.IsZero() {
		m[key] = at.UnixMicro()
	}
}

func putSearch(doc map[string]any, a *Attribute, v any) {
	if a.Returned == ReturnedNever || a.Mutability == WriteOnly || a.computed {
		return
	}
	if n := searchValue(a, v); n != nil {
		doc[a.Key()] = n
	}
}

// searchObject normalises the members of an object; nil if none is left.
func searchObject(find func(string) (*Attribute, bool), v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	out := make(map[string]any, len(m))
	for name, v := range m {
		if a, ok := find(name); ok {
			putSearch(out, a, v)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// searchValue normalises the value of an attribute; nil if there is none.
func searchValue(a *Attribute, v any) any {
	if !a.MultiValued {
		return searchElement(a, v)
	}
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		if n := searchElement(a, e); n != nil {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// searchElement normalises one value; nil if it is empty or of another type.
func searchElement(a *Attribute, v any) any {
	switch a.Type {
	case TypeComplex:
		return searchObject(a.SubAttribute, v)
	case TypeBoolean:
		if b, ok := v.(bool); ok {
			return b
		}
		return nil
	case TypeInteger:
		if n, ok := toInt(v); ok {
			return n
		}
		return nil
	case TypeDecimal:
		if f, ok := toFloat(v); ok {
			return f
		}
		return nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return nil
	}
	if a.Type == TypeDateTime {
		t, ok := ParseDateTime(s)
		if !ok {
			return nil
		}
		return t.UnixMicro()
	}
	return a.fold(s)
}

// toInt reads a whole number in any of the types that JSON decoding gives.
func toInt(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		i := int64(n)
		return i, float64(i) == n && n < 1<<63
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// toFloat reads a number in any of the types that JSON decoding gives.
func toFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}
