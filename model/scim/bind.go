package scim

import "strings"

// Bind resolves a filter against a resource type, so that it can be evaluated:
// every path is bound (see Path), every Compare and Present knows its attribute,
// and every value has the form that search documents have (see SearchDoc).
//
//   - A complex attribute with several values, and one that names another resource
//     (manager), stands for its value: emails co "x", manager eq "x".
//   - eq null and eq "" become not (… pr), ne null and ne "" become … pr, because
//     an empty value is an unassigned one (RFC 7643 §2.5). A bound Compare never
//     holds null or "" with these operators.
//   - A path may name a whole extension only with pr; Attr is nil then.
//   - What is made up only when a resource is shown, meta.location and the $ref of
//     members and groups, stands for the id in it: with eq, ne and pr.
//
// A bound filter binds again to itself. The error is an *Error 400 invalidFilter:
// an unknown attribute, an operator that the type does not have (order on boolean,
// binary and complex, substrings on anything but strings and references), a value
// of another type, or an attribute that cannot be asked for, such as the password.
func Bind(f Filter, t *ResourceType) (Filter, error) {
	if f == nil {
		return nil, nil
	}
	return (&binder{t: t, d: plainDialect()}).bind(f)
}

// binder binds filters against a type or, with elem, against the elements of one
// attribute.
type binder struct {
	t      *ResourceType
	d      *Dialect
	elem   *Attribute
	shared *sharedTests // set where the filter is asked of several types
}

func (b *binder) bind(f Filter) (Filter, error) {
	switch f := f.(type) {
	case And:
		terms, err := b.all(f.Terms)
		return And{terms}, err
	case Or:
		terms, err := b.all(f.Terms)
		return Or{terms}, err
	case Not:
		term, err := b.bind(f.Term)
		return Not{term}, err
	case Compare:
		bound, err := b.compare(f)
		return b.shared.settle(bound, err, f)
	case Present:
		bound, err := b.present(f)
		return b.shared.settle(bound, err, f)
	case ValuePath:
		return b.valuePath(f)
	case None:
		return f, nil
	}
	return nil, Errorf(400, InvalidFilter, "the filter is empty")
}

func (b *binder) all(terms []Filter) ([]Filter, error) {
	out := make([]Filter, len(terms))
	for i, f := range terms {
		var err error
		if out[i], err = b.bind(f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// target resolves the path of a test; the attribute is nil for a whole extension.
// For an attribute that is not stored it is the one that stands for it.
func (b *binder) target(p Path) (Path, *Attribute, error) {
	if p.Filter != nil {
		return Path{}, nil, Errorf(400, InvalidFilter, "%s: brackets cannot stand here", p)
	}
	var path Path
	var attr *Attribute
	if b.elem != nil {
		a, ok := b.element(p)
		if !ok {
			return Path{}, nil, &Error{Status: 400, Type: InvalidFilter, Err: causeUnknown,
				Detail: b.elem.Name + "[" + p.String() + "]: " + b.elem.Name + " has no such sub-attribute"}
		}
		attr, path = a, Path{Attr: a.Name}
		if a == b.elem {
			path.Attr = "value"
		}
	} else {
		f, problem := b.t.find(p, b.d)
		if problem != "" {
			return Path{}, nil, &Error{Status: 400, Type: InvalidFilter, Detail: problem, Err: causeUnknown}
		}
		path, attr = f.path, f.last()
	}
	if attr == nil {
		return path, nil, nil
	}
	if secret(attr) {
		return Path{}, nil, &Error{Status: 400, Type: InvalidFilter, Detail: p.String() + ": cannot be used in a filter", Err: causeRefused}
	}
	if attr.computed {
		path, attr = standIn(path, attr)
	}
	return path, attr, nil
}

// secret reports whether an attribute, or the one it is part of, is never shown.
func secret(a *Attribute) bool {
	for ; a != nil; a = a.parent {
		if a.Returned == ReturnedNever || a.Mutability == WriteOnly {
			return true
		}
	}
	return false
}

// element finds the sub-attribute that a path inside of brackets names.
func (b *binder) element(p Path) (*Attribute, bool) {
	switch {
	case p.URI != "" || p.Sub != "":
		return nil, false
	case b.elem.Type == TypeComplex:
		return b.elem.SubAttribute(p.Attr)
	}
	return b.elem, strings.EqualFold(p.Attr, "value")
}

func (b *binder) present(f Present) (Filter, error) {
	path, attr, err := b.target(f.Path)
	if err != nil {
		return nil, err
	}
	return Present{Path: path, Attr: attr}, nil
}

func (b *binder) compare(f Compare) (Filter, error) {
	path, attr, err := b.target(f.Path)
	if err != nil {
		return nil, err
	}
	if isLink(f.Path, attr) && f.Value != nil && f.Value != "" {
		return b.link(f, path, attr)
	}
	if f.Value == nil || f.Value == "" {
		switch {
		case f.Op == Eq:
			return Not{Present{Path: path, Attr: attr}}, nil
		case f.Op == Ne:
			return Present{Path: path, Attr: attr}, nil
		case f.Value == nil:
			return nil, Errorf(400, InvalidFilter, "%s: null can only be compared with eq and ne", f.Path)
		}
	}
	if attr == nil {
		return nil, Errorf(400, InvalidFilter, "%s: an extension as a whole can only be tested with pr", f.Path)
	}
	if attr.Type == TypeComplex {
		value, ok := attr.SubAttribute("value")
		if !ok || isOrder(f.Op) || !attr.MultiValued && !attr.refLike || !b.d.use(b.d.ComplexValue, FlagComplexValue) {
			return nil, Errorf(400, InvalidFilter, "%s: is complex, compare one of its sub-attributes", f.Path)
		}
		path.Sub, attr = value.Name, value
	}
	if problem := badOperator(f.Op, attr.Type); problem != "" {
		return nil, Errorf(400, InvalidFilter, "%s: %s", f.Path, problem)
	}
	v, problem := b.operand(f, attr)
	if problem != "" {
		return nil, Errorf(400, InvalidFilter, "%s: %s", f.Path, problem)
	}
	return Compare{Path: path, Op: f.Op, Value: v, Attr: attr}, nil
}

func isOrder(op Op) bool { return op == Gt || op == Ge || op == Lt || op == Le }

// badOperator says why a type does not have an operator, empty if it has.
func badOperator(op Op, typ string) string {
	switch op {
	case Gt, Ge, Lt, Le:
		if typ == TypeBoolean || typ == TypeBinary {
			return string(op) + " does not apply to " + typ + " values"
		}
	case Co, Sw, Ew:
		if typ != TypeString && typ != TypeReference {
			return string(op) + " applies to strings only"
		}
	case Eq, Ne:
	default:
		return "there is no operator " + string(op)
	}
	return ""
}

// operand brings the value into the form of search documents.
func (b *binder) operand(f Compare, attr *Attribute) (any, string) {
	switch attr.Type {
	case TypeBoolean:
		if v, ok := f.Value.(bool); ok {
			return v, ""
		}
		if v, ok := stringBool(f.Value); ok && b.d.use(b.d.StringBooleans, FlagStringBooleans) {
			return v, ""
		}
		return nil, "must be compared with true or false"
	case TypeInteger:
		if v, ok := f.Value.(int64); ok {
			return v, ""
		}
		return nil, "must be compared with an integer"
	case TypeDecimal:
		switch v := f.Value.(type) {
		case int64:
			return float64(v), ""
		case float64:
			return v, ""
		}
		return nil, "must be compared with a number"
	case TypeDateTime:
		if v, ok := f.Value.(int64); ok && f.Attr != nil { // bound before
			return v, ""
		}
		s, _ := f.Value.(string)
		v, ok := ParseDateTime(s)
		if !ok {
			return nil, "must be compared with a dateTime such as \"2026-01-31T08:00:00Z\""
		}
		return v.UnixMicro(), ""
	}
	s, ok := f.Value.(string)
	if !ok {
		return nil, "must be compared with a string"
	}
	return attr.fold(s), ""
}

// stringBool reads a boolean that a client sent as text.
func stringBool(v any) (value, ok bool) {
	s, _ := v.(string)
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

func (b *binder) valuePath(f ValuePath) (Filter, error) {
	path, attr, err := b.selected(f)
	if out, err := b.shared.settle(nil, err, f); out != nil || err != nil {
		b.shared.pass(f.Term)
		return out, err
	}
	term, err := (&binder{t: b.t, d: b.d, elem: attr, shared: b.shared}).bind(f.Term)
	if err != nil {
		return nil, err
	}
	return ValuePath{Path: path, Term: term, Attr: attr}, nil
}

// selected is the attribute before the brackets.
func (b *binder) selected(f ValuePath) (Path, *Attribute, error) {
	if b.elem != nil || f.Path.Sub != "" || f.Path.Filter != nil {
		return Path{}, nil, Errorf(400, InvalidFilter, "%s: brackets cannot stand here", f.Path)
	}
	path, attr, err := b.target(f.Path)
	if err != nil {
		return Path{}, nil, err
	}
	if attr == nil || !attr.MultiValued && attr.Type != TypeComplex {
		return Path{}, nil, Errorf(400, InvalidFilter, "%s: has no values to select from with [ ]", f.Path)
	}
	return path, attr, nil
}
