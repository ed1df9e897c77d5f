package scim

import "maps"

// applyReplace is PUT (RFC 7644 §3.5.1): what a client may write becomes as given,
// what is omitted is cleared. Kept are readOnly attributes, writeOnly and immutable
// ones that are omitted, and readOnly parts of a reference that stays the same.
func applyReplace(t *ResourceType, r Resource, attrs map[string]any) (Resource, bool, error) {
	next := maps.Clone(attrs)
	for _, s := range []*Schema{t.Schema, common()} {
		for _, a := range s.Attributes {
			if err := carry(a, r.Attrs, next, ""); err != nil {
				return r, false, err
			}
		}
	}
	for _, x := range t.Extensions {
		old, _ := r.Attrs[x.Schema.ID].(map[string]any)
		if old == nil {
			continue
		}
		given, _ := next[x.Schema.ID].(map[string]any)
		ext := make(map[string]any, len(given)+1)
		maps.Copy(ext, given)
		for _, a := range x.Schema.Attributes {
			if err := carry(a, old, ext, x.Schema.ID); err != nil {
				return r, false, err
			}
		}
		if len(ext) == 0 {
			continue
		}
		if given == nil { // what stays of an omitted extension needs what it requires
			for _, a := range x.Schema.Attributes {
				if a.Required && old[a.Name] != nil {
					ext[a.Name] = old[a.Name]
				}
			}
		}
		next[x.Schema.ID] = ext
	}
	if err := t.checkRequired(next); err != nil {
		return r, false, err
	}
	t.setSchemas(next)
	if sameAttrs(t, r.Attrs, next) {
		return r, false, nil
	}
	out := r
	out.Attrs = next
	return out, true, nil
}

// carry takes over what a replacement leaves as it is, and refuses to change what
// is immutable.
func carry(a *Attribute, old, next map[string]any, urn string) error {
	if a.key == "schemas" || a.key == "meta" || a.key == "id" {
		return nil
	}
	before, given := old[a.Name], next[a.Name]
	switch {
	case before == nil:
		return nil
	case a.Mutability == ReadOnly, given == nil && (a.Mutability == WriteOnly || a.Mutability == Immutable):
		next[a.Name] = before
		return nil
	case a.Mutability == Immutable && !equal(before, given):
		return Errorf(400, Mutability, "%s: is immutable", Path{URI: urn, Attr: a.Name}.name())
	}
	if a.Type != TypeComplex {
		return nil
	}
	if a.MultiValued {
		was, _ := before.([]any)
		now, _ := given.([]any)
		if now == nil {
			return nil
		}
		kept, err := keepParts(a, was, now, Path{URI: urn, Attr: a.Name}.name())
		if err == nil {
			next[a.Name] = kept
		}
		return err
	}
	return carryParts(a, before, given, next, urn)
}

// carryParts does the same for the sub-attributes of a complex value.
func carryParts(a *Attribute, before, given any, next map[string]any, urn string) error {
	was, _ := before.(map[string]any)
	now, _ := given.(map[string]any)
	if now == nil {
		return nil
	}
	out := maps.Clone(now)
	sameTarget := !a.refLike || equal(was["value"], now["value"])
	for _, sub := range a.Sub {
		switch {
		case was[sub.Name] == nil:
		case sub.Mutability == Immutable && now[sub.Name] != nil && !equal(was[sub.Name], now[sub.Name]):
			return Errorf(400, Mutability, "%s: is immutable", Path{URI: urn, Attr: a.Name, Sub: sub.Name}.name())
		case now[sub.Name] == nil && sub.Mutability != ReadWrite && sameTarget:
			out[sub.Name] = was[sub.Name]
		}
	}
	next[a.Name] = out
	return nil
}

// sameAttrs compares all attributes but schemas, which follows from the others.
func sameAttrs(t *ResourceType, x, y map[string]any) bool {
	n := 0
	for name, v := range x {
		if name == "schemas" {
			continue
		}
		n++
		a, _ := t.Attribute(name)
		if w, ok := y[name]; !ok || !equalAttr(a, v, w) {
			return false
		}
	}
	for name := range y {
		if name != "schemas" {
			n--
		}
	}
	return n == 0
}
