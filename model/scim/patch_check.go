package scim

// checkTouched demands that what was changed is complete.
func (e *editor) checkTouched(name string) error {
	for _, x := range e.t.Extensions {
		if x.Schema.ID != name {
			continue
		}
		if err := fewValues(x.Schema.Attributes, e.attrs[name], name); err != nil {
			return err
		}
		ext, _ := e.attrs[name].(map[string]any)
		switch {
		case ext != nil:
			before, _ := e.before[name].(map[string]any)
			return missing(x.Schema.Attributes, before, ext, name)
		case x.Required:
			return Errorf(400, Mutability, "%s: the extension is required and cannot be removed", name)
		}
		return nil
	}
	if a, ok := e.t.Attribute(name); ok {
		if err := fewValues([]*Attribute{a}, e.attrs, ""); err != nil {
			return err
		}
		return missing([]*Attribute{a}, e.before, e.attrs, "")
	}
	return nil
}

// fewValues holds the lists of an object to MaxElements: they may have grown.
func fewValues(defs []*Attribute, holder any, urn string) error {
	m, _ := holder.(map[string]any)
	for _, a := range defs {
		list, _ := m[a.Name].([]any)
		if err := fewEnough(a, len(list), &place{urn: urn, name: a.Name, index: -1}); err != nil {
			return err
		}
	}
	return nil
}

// missing demands the required attributes. One that was there has been removed,
// which is a matter of mutability (RFC 7644 §3.5.2.2).
func missing(defs []*Attribute, before, after map[string]any, urn string) error {
	for _, a := range defs {
		v := after[a.Name]
		if !a.Required || a.Mutability == ReadOnly || v != nil && !blank(v) {
			continue
		}
		name := Path{URI: urn, Attr: a.Name}.name()
		if v == nil && before[a.Name] != nil {
			return Errorf(400, Mutability, "%s: is required and cannot be removed", name)
		}
		return Errorf(400, InvalidValue, "%s: is required", name)
	}
	return nil
}

// checkImmutable demands that what is immutable is as it was, if it was set,
// whatever operations made it differ.
func (e *editor) checkImmutable(name string) error {
	if s, ok := e.t.extension(name); ok {
		before, _ := e.before[name].(map[string]any)
		after, _ := e.attrs[name].(map[string]any)
		for _, a := range s.Attributes {
			if a.Mutability == Immutable && before[a.Name] != nil && !equalAttr(a, before[a.Name], after[a.Name]) {
				return Errorf(400, Mutability, "%s: is immutable", Path{URI: s.ID, Attr: a.Name}.name())
			}
		}
		return nil
	}
	a, ok := e.t.Attribute(name)
	if ok && a.Mutability == Immutable && e.before[name] != nil && !equalAttr(a, e.before[name], e.attrs[name]) {
		return Errorf(400, Mutability, "%s: is immutable", name)
	}
	return nil
}

// equalAttr is equal, with a shorter way for long lists of members.
func equalAttr(a *Attribute, x, y any) bool {
	xs, ok1 := x.([]any)
	ys, ok2 := y.([]any)
	switch {
	case same(x, y):
		return true
	case !ok1 || !ok2:
		return equal(x, y)
	case len(xs) != len(ys):
		return false
	case a == nil || !a.keyed:
		return equal(x, y)
	}
	byKey := make(map[string]any, len(xs))
	for _, e := range xs {
		byKey[elementKey(a, e)] = e
	}
	for _, e := range ys {
		if old, ok := byKey[elementKey(a, e)]; !ok || !same(old, e) {
			return false
		}
	}
	return true
}
