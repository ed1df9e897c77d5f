package scim

import (
	"cmp"
	"strings"
)

// ParseSort reads the parameters sortBy and sortOrder (RFC 7644 §3.4.2.3); nil
// without sortBy. The order is ascending unless sortOrder, in any case, says
// descending.
//
// A complex attribute with several values, and one that names another resource
// (manager), stands for its value. The error is an *Error 400: invalidValue for
// another word in sortOrder and for members and groups, which no resource carries
// whole; invalidPath for an attribute that is unknown, complex, never returned, or
// made up only when a resource is shown (meta.location), and for brackets.
func (t *ResourceType) ParseSort(sortBy, sortOrder string) (*Sort, error) {
	if strings.TrimSpace(sortBy) == "" {
		return nil, nil
	}
	s := &Sort{}
	switch {
	case sortOrder == "", strings.EqualFold(sortOrder, "ascending"):
	case strings.EqualFold(sortOrder, "descending"):
		s.Descending = true
	default:
		return nil, Errorf(400, InvalidValue, "sortOrder: must be ascending or descending")
	}
	p, err := ParsePath(sortBy)
	if err != nil {
		return nil, prefixed("sortBy", err)
	}
	if p.Filter != nil {
		return nil, Errorf(400, InvalidPath, "sortBy: %s: [ ] cannot be used here", p.name())
	}
	f, problem := t.find(p, &Dialect{})
	if problem != "" {
		return nil, &Error{Status: 400, Type: InvalidPath, Detail: "sortBy: " + problem, Err: causeUnknown}
	}
	return s, s.by(f)
}

// by sets the attribute to sort by.
func (s *Sort) by(f found) error {
	name := f.path.name()
	if f.attr == nil {
		return Errorf(400, InvalidPath, "sortBy: %s: is an extension, name one of its attributes", name)
	}
	if f.attr.keyed {
		return Errorf(400, InvalidValue, "sortBy: %s: cannot be sorted by", name)
	}
	a := f.last()
	if a.Type == TypeComplex {
		value, ok := a.SubAttribute("value")
		if !ok || !a.MultiValued && !a.refLike {
			return Errorf(400, InvalidPath, "sortBy: %s: is complex, name one of its sub-attributes: %s",
				name, strings.Join(subNames(a), ", "))
		}
		f.path.Sub, a = value.Name, value
	}
	for _, x := range []*Attribute{f.attr, a} {
		if secret(x) || x.computed {
			return Errorf(400, InvalidPath, "sortBy: %s: cannot be sorted by", name)
		}
	}
	s.Path, s.Attr = f.path, a
	return nil
}

func subNames(a *Attribute) []string {
	out := make([]string, len(a.Sub))
	for i, sub := range a.Sub {
		out[i] = sub.Name
	}
	return out
}

// prefixed names the parameter in front of an Error's detail.
func prefixed(param string, err error) error {
	if e, ok := AsError(err); ok {
		return &Error{Status: e.Status, Type: e.Type, Detail: param + ": " + e.Detail, Err: e.Err}
	}
	return err
}

// SortFor is ParseSort for a list of several types: one Sort for each, nil where
// the type has no such attribute, whose resources then have no value. The error is
// that of ParseSort where no type has the attribute, or where one refuses it for
// another reason.
func SortFor(types []*ResourceType, sortBy, sortOrder string) ([]*Sort, error) {
	out := make([]*Sort, len(types))
	var unknown error
	known := false
	for i, t := range types {
		s, err := t.ParseSort(sortBy, sortOrder)
		switch {
		case err == nil:
			out[i], known = s, true
		case isUnknown(err):
			unknown = err
		default:
			return nil, err
		}
	}
	if !known && unknown != nil {
		return nil, Errorf(400, InvalidPath, "sortBy: %s: no resource type has such an attribute", sortBy)
	}
	return out, nil
}

// Key is what a search document (ResourceType.SearchDoc) is sorted by: the value at
// Path in the form that the document has, and nil where there is none or one of
// another type than the attribute's. Of a multi-valued attribute it is the value of
// the first element that is marked primary, else of the first element, also if
// that element lacks the sub-attribute; of a multi-valued sub-attribute the first.
//
// It is a string, bool, int64 (integer, dateTime) or float64 (decimal).
func (s *Sort) Key(doc map[string]any) any {
	if s == nil || s.Attr == nil {
		return nil
	}
	if s.Path.URI != "" {
		doc, _ = doc[urnKey(s.Path, s.Attr)].(map[string]any)
	}
	v := leading(doc[attrKey(s.Path, s.Attr)])
	if s.Path.Sub != "" {
		m, _ := v.(map[string]any)
		v = leading(m[s.Attr.Key()])
	}
	switch s.Attr.Type {
	case TypeBoolean:
		if b, ok := v.(bool); ok {
			return b
		}
	case TypeInteger, TypeDateTime:
		if n, ok := toInt(v); ok {
			return n
		}
	case TypeDecimal:
		if f, ok := toFloat(v); ok {
			return f
		}
	default:
		if text, ok := v.(string); ok && text != "" {
			return text
		}
	}
	return nil
}

// leading is the element of a list that stands for it.
func leading(v any) any {
	list, ok := v.([]any)
	switch {
	case !ok:
		return v
	case len(list) == 0:
		return nil
	}
	for _, e := range list {
		if isPrimary(e) {
			return e
		}
	}
	return list[0]
}

// Compare orders two keys: -1 where x comes before y, 1 where after, 0 where they
// are equal. Strings compare byte by byte, numbers and dateTimes as numbers, false
// comes before true. No value comes behind all others. Descending is the reverse of
// all that, so that no value comes first (RFC 7644 §3.4.2.3). Keys of different
// kinds, from types that define the attribute differently, are in the order
// boolean, number, string.
func (s *Sort) Compare(x, y any) int {
	c := compareKeys(x, y)
	if s != nil && s.Descending {
		return -c
	}
	return c
}

func compareKeys(x, y any) int {
	if c := cmp.Compare(keyRank(x), keyRank(y)); c != 0 {
		return c
	}
	switch x := x.(type) {
	case string:
		y, _ := y.(string)
		return strings.Compare(x, y)
	case bool:
		y, _ := y.(bool)
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	}
	a, exact1 := x.(int64)
	b, exact2 := y.(int64)
	if exact1 && exact2 {
		return cmp.Compare(a, b)
	}
	f, _ := toFloat(x)
	g, _ := toFloat(y)
	return cmp.Compare(f, g)
}

func keyRank(v any) int {
	switch v.(type) {
	case bool:
		return 0
	case int64, float64, int:
		return 1
	case string:
		return 2
	}
	return 3
}
