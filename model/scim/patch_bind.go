package scim

import (
	"slices"
	"strings"
)

// patchBinder turns the operations of a message into bound ones.
type patchBinder struct {
	t *ResourceType
	d *Dialect
}

// operation appends what one operation of the message asks for.
func (b *patchBinder) operation(out Patch, v any) (Patch, error) {
	o, ok := v.(object)
	if !ok {
		return nil, Errorf(400, InvalidSyntax, "must be an object")
	}
	op, err := b.op(o)
	if err != nil {
		return nil, err
	}
	value, hasValue := o.get("value")
	rawPath, _ := o.get("path")
	text, ok := rawPath.(string)
	switch {
	case rawPath != nil && !ok:
		return nil, Errorf(400, InvalidPath, "path: must be a string")
	case !hasValue && op != OpRemove:
		return nil, Errorf(400, InvalidValue, "value: is required for %s", op)
	case text == "" && op == OpRemove:
		return nil, Errorf(400, NoTarget, "path: is required for remove")
	case text == "":
		return b.pathless(out, op, value)
	}
	return b.withPath(out, op, text, value)
}

func (b *patchBinder) op(o object) (string, error) {
	v, _ := o.get("op")
	s, _ := v.(string)
	lower := strings.ToLower(s)
	known := lower == OpAdd || lower == OpRemove || lower == OpReplace
	if !known || lower != s && !b.d.use(b.d.OpCase, FlagOpCase) {
		return "", Errorf(400, InvalidSyntax, "op: must be add, remove or replace")
	}
	return lower, nil
}

// pathless splits an operation without path by the attributes of its value.
func (b *patchBinder) pathless(out Patch, op string, value any) (Patch, error) {
	if !b.d.use(b.d.PathlessPatch, FlagPathlessPatch) {
		return nil, Errorf(400, InvalidSyntax, "path: is required")
	}
	o, ok := value.(object)
	if !ok {
		return nil, Errorf(400, InvalidValue, "value: must be an object of attributes where there is no path")
	}
	// The order of members carries no meaning; sorted, "name" comes before "name.familyName".
	o = slices.Clone(o)
	slices.SortStableFunc(o, func(x, y member) int {
		return strings.Compare(strings.ToLower(x.name), strings.ToLower(y.name))
	})
	var err error
	for _, m := range o {
		if out, err = b.key(out, op, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// key handles one member of a path-less value.
func (b *patchBinder) key(out Patch, op string, m member) (Patch, error) {
	if s, ok := b.t.extension(m.name); ok {
		return b.bind(out, op, found{path: Path{URI: s.ID}, ext: s}, Path{URI: s.ID}, m.value)
	}
	if a, ok := b.t.Attribute(m.name); ok {
		if isServerSide(a) {
			return out, nil
		}
		if a.Mutability == ReadOnly && b.d.use(b.d.IgnoreReadOnly, FlagIgnoreReadOnly) {
			return out, nil
		}
		return b.bind(out, op, found{path: Path{Attr: a.Name}, attr: a}, Path{Attr: a.Name}, m.value)
	}
	if strings.EqualFold(m.name, b.t.Schema.ID) && b.d.use(b.d.DottedKeys, FlagDottedKeys) {
		return b.pathless(out, op, m.value)
	}
	if strings.ContainsAny(m.name, ".:[") {
		if p, err := parsePath(m.name, b.d); err == nil {
			if f, problem := b.t.find(p, b.d); problem == "" {
				if !b.d.use(b.d.DottedKeys, FlagDottedKeys) {
					return nil, Errorf(400, InvalidPath, "%s: a path cannot be a member of the value", m.name)
				}
				return b.bind(out, op, f, p, m.value)
			}
		}
	}
	return out, (&decoder{t: b.t, d: b.d}).unknown(&place{name: m.name, index: -1})
}

func (b *patchBinder) withPath(out Patch, op, text string, value any) (Patch, error) {
	p, err := parsePath(text, b.d)
	if err != nil {
		return nil, err
	}
	f, problem := b.t.find(p, b.d)
	if problem != "" {
		if b.d.use(b.d.UnknownPaths, FlagUnknownPaths) {
			return out, nil
		}
		return nil, Errorf(400, InvalidPath, "%s", problem)
	}
	if f.attr != nil && f.attr.key == "schemas" {
		return b.schemas(out, op, f, p, value)
	}
	return b.bind(out, op, f, p, value)
}

// bind checks a resolved target and reads the value for it.
func (b *patchBinder) bind(out Patch, op string, f found, p Path, value any) (Patch, error) {
	if err := writable(f, p); err != nil {
		return nil, err
	}
	bound := f.path
	var seed map[string]any
	if p.Filter != nil {
		full, _, err := b.t.resolve(p, b.d)
		if err != nil {
			return nil, err
		}
		if b.d.OneTarget && op != OpRemove && f.sub == nil {
			return nil, Errorf(400, InvalidPath, "%s: must end in a sub-attribute", p)
		}
		bound = full
		seed = b.seed(f.attr, p.Filter)
	}
	o := Operation{Op: op, Path: &bound, seed: seed}
	var drop bool
	var err error
	if op == OpRemove {
		o.Value, drop, err = b.removeValue(f, p, value)
	} else {
		o.Op, o.Value, drop, err = b.setValue(op, f, p, value)
	}
	if drop || err != nil {
		return out, err
	}
	return append(out, o), nil
}

// writable refuses targets that only the service provider sets.
func writable(f found, p Path) error {
	for _, a := range []*Attribute{f.attr, f.sub} {
		if a != nil && (a.Mutability == ReadOnly || a.computed) {
			return Errorf(400, Mutability, "%s: is readOnly", p.name())
		}
	}
	if f.attr != nil && isServerSide(f.attr) && f.attr.urnKey == commonURN {
		return Errorf(400, Mutability, "%s: is readOnly", p.name())
	}
	return nil
}

// seed reads what an element has to hold to match a filter made of eq and and; nil
// if the filter says anything else.
func (b *patchBinder) seed(a *Attribute, f Filter) map[string]any {
	out := map[string]any{}
	if !b.fillSeed(out, a, f) {
		return nil
	}
	return out
}

func (b *patchBinder) fillSeed(out map[string]any, a *Attribute, f Filter) bool {
	switch f := f.(type) {
	case And:
		for _, t := range f.Terms {
			if !b.fillSeed(out, a, t) {
				return false
			}
		}
		return true
	case Compare:
		if f.Op != Eq || f.Path.Sub != "" || f.Path.URI != "" {
			return false
		}
		sub, ok := a.SubAttribute(f.Path.Attr)
		if !ok || sub.Mutability == ReadOnly || sub.computed {
			return false
		}
		v, err := (&decoder{t: b.t, d: b.d}).value(sub, f.Value, &place{name: sub.Name, index: -1})
		if err != nil || v == nil || out[sub.Name] != nil && !equal(out[sub.Name], v) {
			return false
		}
		out[sub.Name] = v
		return true
	}
	return false
}

// removeValue reads the value of a remove, which says something only for a
// multi-valued attribute as a whole: the elements to remove.
func (b *patchBinder) removeValue(f found, p Path, value any) (v any, drop bool, err error) {
	last := f.last()
	if value == nil || last == nil || !last.MultiValued || f.sub == nil && p.Filter != nil {
		return nil, false, nil
	}
	if o, ok := value.(object); ok && len(o) == 0 { // an element that is none: surely not all of them
		return nil, false, Errorf(400, InvalidValue, "%s: the value names nothing to remove", p)
	}
	if value == "" {
		if b.d.use(b.d.RemoveEmptyValue, FlagRemoveEmptyValue) {
			return nil, false, nil
		}
		return nil, false, Errorf(400, InvalidValue, "%s: remove takes no value", p)
	}
	if !b.d.use(b.d.RemoveByValue, FlagRemoveByValue) {
		return nil, false, Errorf(400, InvalidValue,
			"%s: remove takes no value; select what to remove with [ ]", p)
	}
	lax := *b.d
	lax.LastPrimary = true
	v, err = (&decoder{t: b.t, d: &lax}).value(last, value, placeOf(f))
	return v, v == nil, err // an empty list names nothing: remove nothing
}

// placeOf is the target in messages about its value.
func placeOf(f found) *place {
	at := &place{urn: f.path.URI, name: f.path.Attr, index: -1}
	if f.sub != nil {
		return at.sub(f.sub.Name)
	}
	return at
}

// setValue reads the value of an add or replace. A replace by nothing becomes a
// remove, an add of nothing is dropped.
func (b *patchBinder) setValue(op string, f found, p Path, value any) (newOp string, v any, drop bool, err error) {
	merge := op == OpAdd || !b.d.ReplaceWhole
	c := &decoder{t: b.t, d: b.d}
	at := placeOf(f)
	last := f.last()
	if o, ok := value.(object); ok && len(o) == 0 && (last == nil || !last.MultiValued) {
		return op, nil, true, nil
	}
	switch {
	case last == nil:
		c.keepNil = merge
		v, err = c.extension(f.ext, value)
	case f.sub == nil && p.Filter != nil:
		c.keepNil = op == OpAdd
		v, err = c.element(f.attr, value, at)
	default:
		c.keepNil = merge && last.Type == TypeComplex && !last.MultiValued
		v, err = c.value(last, value, at)
	}
	switch {
	case err != nil:
		return op, nil, false, err
	case v != nil:
		return op, v, false, nil
	case op == OpAdd:
		return op, nil, true, nil
	case last != nil && last.Required && p.Filter == nil:
		return op, nil, false, at.fault("is required")
	}
	return OpRemove, nil, false, nil
}

// element reads a value for selected elements, which a list of one may hold.
func (c *decoder) element(a *Attribute, v any, at *place) (any, error) {
	if list, ok := v.([]any); ok {
		if len(list) != 1 || !c.d.use(c.d.ListForSingle, FlagListForSingle) {
			return nil, at.fault("must be a single value, not a list")
		}
		v = list[0]
	}
	return c.single(a, v, at)
}
