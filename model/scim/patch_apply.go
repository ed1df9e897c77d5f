package scim

import (
	"cmp"
	"maps"
	"slices"
)

// maxPatchWork bounds how many elements of lists the operations of one PATCH may
// look at, so that a small request cannot keep a processor busy for long.
const maxPatchWork = 2_000_000

// keyWork is what bringing a value into the form in which it is compared costs, next
// to merely looking at it.
const keyWork = 8

// Apply returns the resource as the change leaves it; changed is false, and out is
// r itself, when nothing differs (RFC 7644 §3.5.1, §3.5.2). r is not touched, and
// out shares with it what did not change. id and meta are the caller's to set.
//
// All operations take effect or none. The error is an *Error 400: mutability for
// changing what is immutable or removing what is required, noTarget for a replace
// of elements that are not there, invalidValue for a result that the schema does
// not allow, invalidFilter and invalidPath.
//
// The members of a Group may be loaded in part, as MemberScope says; out then
// holds what became of that part.
func (c Change) Apply(t *ResourceType, r Resource) (out Resource, changed bool, err error) {
	if c.Replace != nil {
		return applyReplace(t, r, c.Replace)
	}
	e := &editor{t: t, d: &c.Dialect, before: r.Attrs, attrs: maps.Clone(r.Attrs)}
	if e.attrs == nil {
		e.attrs = map[string]any{}
	}
	for i, o := range c.Patch {
		if err := e.apply(o); err != nil {
			if se, ok := AsError(err); ok && len(c.Patch) > 1 {
				err = Errorf(se.Status, se.Type, "operation %d: %s", i+1, se.Detail)
			}
			return r, false, err
		}
	}
	if changed, err = e.finish(); err != nil || !changed {
		return r, false, err
	}
	out = r
	out.Attrs = e.attrs
	return out, true, nil
}

// editor applies operations to a copy of the attributes. What it changes it
// copies first.
type editor struct {
	t       *ResourceType
	d       *Dialect
	before  map[string]any
	attrs   map[string]any
	own     map[string]bool // extensions whose object is a copy already
	touched map[string]bool // top-level names that operations worked on
	lists   map[listID]*listEdit
	work    int
}

type listID struct{ urn, name string }

func (e *editor) spend(n int) error {
	if e.work += n; e.work > maxPatchWork {
		return errTooMuch()
	}
	return nil
}

func errTooMuch() error {
	return Errorf(400, TooMany, "the operations look at too many values, send fewer in one request")
}

func (e *editor) apply(o Operation) error {
	if o.Path == nil {
		return Errorf(400, NoTarget, "the operation has no path")
	}
	f, problem := e.t.find(Path{URI: o.Path.URI, Attr: o.Path.Attr, Sub: o.Path.Sub}, &Dialect{})
	if problem != "" {
		return Errorf(400, InvalidPath, "%s", problem)
	}
	if err := writable(f, *o.Path); err != nil {
		return err
	}
	switch {
	case f.attr == nil:
		return e.extension(o, f.ext)
	case f.attr.MultiValued:
		return e.list(o, f)
	}
	return e.single(o, f)
}

// touch marks the top-level name that a change in urn and name is part of.
func (e *editor) touch(urn, name string) {
	if e.touched == nil {
		e.touched = map[string]bool{}
	}
	if urn != "" {
		name = urn
	}
	e.touched[name] = true
}

// holder is the object that holds an attribute: the core one, or an extension's.
func (e *editor) holder(urn string) map[string]any {
	if urn == "" {
		return e.attrs
	}
	old, _ := e.attrs[urn].(map[string]any)
	if old != nil && e.own[urn] {
		return old
	}
	m := make(map[string]any, len(old)+1)
	maps.Copy(m, old)
	if e.own == nil {
		e.own = map[string]bool{}
	}
	e.own[urn] = true
	e.attrs[urn] = m
	return m
}

// put sets an attribute, or removes it for nil.
func (e *editor) put(urn, name string, v any) {
	e.touch(urn, name)
	m := e.holder(urn)
	if v == nil {
		delete(m, name)
	} else {
		m[name] = v
	}
}

// single changes an attribute with one value, or a part of it.
func (e *editor) single(o Operation, f found) error {
	urn, a := f.path.URI, f.attr
	name := f.path.name()
	old := e.holder(urn)[a.Name]
	v := o.Value
	if o.Op == OpRemove {
		v = nil
	}
	parts, isMap := v.(map[string]any)
	var err error
	switch {
	case f.sub != nil:
		if v, err = e.partValue(o, f.sub, old); err != nil {
			return err
		}
		parts, isMap = map[string]any{f.sub.Name: v}, true
		name = Path{URI: urn, Attr: a.Name}.name()
	case isMap && o.Op == OpAdd:
		if parts, err = e.addedParts(a, old, parts); err != nil {
			return err
		}
	case isMap && o.Op == OpReplace && e.d.ReplaceWhole:
		parts = whole(a, parts)
	}
	if isMap {
		if v, err = merge(a, old, parts, name); err != nil {
			return err
		}
	}
	if err := changeable(a, old, v, name); err != nil {
		return err
	}
	if old == nil && v == nil {
		return nil
	}
	e.put(urn, a.Name, v)
	return nil
}

// extension changes an extension as a whole: its attributes one by one, as if
// each had its own path.
func (e *editor) extension(o Operation, s *Schema) error {
	if o.Op == OpRemove {
		e.dropExtension(s)
		return nil
	}
	parts, ok := o.Value.(map[string]any)
	if !ok {
		return Errorf(400, InvalidValue, "%s: must be an object", s.ID)
	}
	if o.Op == OpReplace && e.d.ReplaceWhole {
		if err := e.clearExtension(s, parts); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		op := Operation{Op: o.Op, Path: &Path{URI: s.ID, Attr: name}, Value: parts[name]}
		if op.Value == nil {
			op.Op = OpRemove
		}
		if err := e.apply(op); err != nil {
			return err
		}
	}
	return nil
}

// dropExtension removes an extension as a whole, what it requires included; whether
// the type requires the extension, and what in it is immutable, is seen at the end.
func (e *editor) dropExtension(s *Schema) {
	e.touch(s.ID, "")
	m := e.holder(s.ID)
	for _, a := range s.Attributes {
		if a.Mutability == ReadOnly {
			continue
		}
		if l, ok := e.lists[listID{s.ID, a.Name}]; ok {
			l.elems, l.index = nil, nil
		}
		delete(m, a.Name)
	}
}

// clearExtension removes the attributes of an extension that keep does not name.
func (e *editor) clearExtension(s *Schema, keep map[string]any) error {
	for _, a := range s.Attributes {
		_, kept := keep[a.Name]
		if kept || a.Mutability == ReadOnly {
			continue
		}
		if err := e.apply(Operation{Op: OpRemove, Path: &Path{URI: s.ID, Attr: a.Name}}); err != nil {
			return err
		}
	}
	return nil
}

// finish puts the lists back, checks the result and tells whether it differs.
func (e *editor) finish() (changed bool, err error) {
	for id, l := range e.lists {
		if list := l.result(); list != nil {
			e.put(id.urn, id.name, list)
		} else {
			e.put(id.urn, id.name, nil)
		}
	}
	for name := range e.own {
		if m, _ := e.attrs[name].(map[string]any); len(m) == 0 {
			delete(e.attrs, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.touched)) {
		if err := cmp.Or(e.checkTouched(name), e.checkImmutable(name)); err != nil {
			return false, err
		}
		a, _ := e.t.Attribute(name)
		if equalAttr(a, e.before[name], e.attrs[name]) {
			e.restore(name)
		} else {
			changed = true
		}
	}
	for name := range e.own { // copied to be read, but not changed
		if !e.touched[name] {
			e.restore(name)
		}
	}
	if changed {
		e.t.setSchemas(e.attrs)
	}
	return changed, nil
}

// restore takes the value from before, with its order.
func (e *editor) restore(name string) {
	if old, ok := e.before[name]; ok {
		e.attrs[name] = old
	} else {
		delete(e.attrs, name)
	}
}
