package scim

import (
	"maps"
	"slices"
)

// edit is the list of a multi-valued attribute, taken up once for all operations.
func (e *editor) edit(urn string, a *Attribute) *listEdit {
	id := listID{urn, a.Name}
	if l, ok := e.lists[id]; ok {
		return l
	}
	old, _ := e.holder(urn)[a.Name].([]any)
	l := &listEdit{e: e, a: a, urn: urn, elems: slices.Clone(old)}
	if e.lists == nil {
		e.lists = map[listID]*listEdit{}
	}
	e.lists[id] = l
	return l
}

// list changes a multi-valued attribute, or the elements that a path selects.
func (e *editor) list(o Operation, f found) error {
	e.touch(f.path.URI, f.attr.Name)
	l := e.edit(f.path.URI, f.attr)
	if o.Path.Filter != nil || f.sub != nil {
		return e.elements(l, o, f)
	}
	values, isList := o.Value.([]any)
	switch {
	case o.Op == OpRemove && o.Value == nil:
		if f.attr.Required {
			return Errorf(400, Mutability, "%s: is required and cannot be removed", l.name())
		}
		l.elems, l.index = nil, nil
		return nil
	case !isList:
		return Errorf(400, InvalidValue, "%s: must be a list", l.name())
	case o.Op == OpRemove:
		return l.removeAll(values)
	case o.Op == OpReplace:
		var err error
		if values, err = keepParts(l.a, l.elems, values, l.name()); err != nil {
			return err
		}
		l.elems, l.index = nil, nil
	}
	for _, v := range values {
		if err := l.add(v); err != nil {
			return err
		}
	}
	return nil
}

// elements changes the elements that a value path selects, all of them where it
// has no filter.
func (e *editor) elements(l *listEdit, o Operation, f found) error {
	hits, err := l.match(o.Path.Filter)
	if err != nil {
		return err
	}
	if o.Op == OpRemove {
		return e.removeElements(l, hits, o, f.sub)
	}
	if len(hits) == 0 {
		return e.createElement(l, o, f.sub)
	}
	if len(hits) > 1 && e.d.OneTarget && o.Path.Filter != nil {
		return Errorf(400, InvalidFilter, "%s: selects %d values, must select one", o.Path, len(hits))
	}
	for _, i := range hits {
		v, err := e.changeElement(l, l.elems[i], o, f.sub)
		if err != nil {
			return err
		}
		l.set(i, v)
	}
	return l.onlyPrimary(hits)
}

func (e *editor) changeElement(l *listEdit, old any, o Operation, sub *Attribute) (any, error) {
	parts, isMap := o.Value.(map[string]any)
	switch {
	case sub != nil:
		v, err := e.partValue(o, sub, old)
		if err != nil {
			return nil, err
		}
		return merge(l.a, old, map[string]any{sub.Name: v}, l.name())
	case !isMap:
		return o.Value, nil // an element that is not complex
	case o.Op == OpAdd:
		added, err := e.addedParts(l.a, old, parts)
		if err != nil {
			return nil, err
		}
		return merge(l.a, old, added, l.name())
	}
	m, _ := old.(map[string]any)
	kept, err := keepFixed(l.a, m, parts, l.name())
	if kept != nil || err != nil {
		return kept, err
	}
	return parts, nil
}

func (e *editor) removeElements(l *listEdit, hits []int, o Operation, sub *Attribute) error {
	for _, i := range hits {
		if sub == nil {
			l.remove(i)
			continue
		}
		v, err := e.partValue(o, sub, l.elems[i])
		if err != nil {
			return err
		}
		v, err = merge(l.a, l.elems[i], map[string]any{sub.Name: v}, l.name())
		if err != nil {
			return err
		}
		l.set(i, v)
	}
	return nil
}

// createElement makes the element that a value path describes and no element
// matches: for an add, for a replace of all elements of an empty list, and for
// other replaces where the dialect says so.
func (e *editor) createElement(l *listEdit, o Operation, sub *Attribute) error {
	may := o.Op == OpAdd || o.Path.Filter == nil
	if !may && (o.seed == nil || !e.d.use(e.d.CreateOnNoMatch, FlagCreateOnNoMatch)) {
		return Errorf(400, NoTarget, "%s: matches no value", o.Path)
	}
	if o.Path.Filter != nil && o.seed == nil {
		return Errorf(400, NoTarget, "%s: matches no value, and does not say which to create", o.Path)
	}
	elem := maps.Clone(o.seed)
	if elem == nil {
		elem = map[string]any{}
	}
	switch parts, isMap := o.Value.(map[string]any); {
	case sub != nil:
		elem[sub.Name] = o.Value
	case isMap:
		maps.Copy(elem, parts)
	default:
		return l.add(o.Value)
	}
	made, err := merge(l.a, nil, elem, l.name())
	if err != nil {
		return err
	}
	m, _ := made.(map[string]any)
	if l.a.keyed && m["value"] == nil {
		return Errorf(400, InvalidValue, "%s.value: is required", l.name())
	}
	if m == nil {
		return nil
	}
	return l.add(m)
}
