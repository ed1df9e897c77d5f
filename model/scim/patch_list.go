package scim

import (
	"maps"
	"slices"
	"strings"
)

// listEdit is a multi-valued attribute while operations work on it. Removed
// elements become nil until the end; an index by key finds elements, so that
// many operations on a long list stay cheap.
type listEdit struct {
	e       *editor
	a       *Attribute
	urn     string
	elems   []any
	index   map[string]int // nil where it has to be built again
	rekeyed bool           // elements were changed in place and may be equal now
}

func (l *listEdit) build() error {
	if l.index != nil {
		return nil
	}
	work := len(l.elems)
	if !l.a.keyed {
		work *= keyWork
	}
	if err := l.e.spend(work); err != nil {
		return err
	}
	l.index = make(map[string]int, len(l.elems)+8)
	for i, v := range l.elems {
		if v != nil {
			l.index[elementKey(l.a, v)] = i
		}
	}
	return nil
}

// add appends an element, or completes the one with the same key. Members are
// their value: one that is there already stays as it is.
func (l *listEdit) add(v any) error {
	if err := l.build(); err != nil {
		return err
	}
	key := elementKey(l.a, v)
	i, ok := l.index[key]
	if !ok {
		i = len(l.elems)
		l.index[key] = i
		l.elems = append(l.elems, v)
	} else if m, isMap := v.(map[string]any); isMap && !l.a.keyed {
		merged, err := merge(l.a, l.elems[i], m, l.name())
		if err != nil {
			return err
		}
		l.elems[i] = merged
	}
	if isPrimary(v) {
		return l.onlyPrimary([]int{i})
	}
	return nil
}

// removeAll removes the elements with the keys of the given ones.
func (l *listEdit) removeAll(values []any) error {
	if err := l.build(); err != nil {
		return err
	}
	for _, v := range values {
		key := elementKey(l.a, v)
		i, ok := l.index[key]
		if !ok {
			var err error
			if i, ok, err = l.loose(v); err != nil {
				return err
			}
		}
		if ok {
			l.remove(i)
		}
	}
	return nil
}

// loose finds the element that holds everything that v says, so that a value
// without its type is enough to remove it.
func (l *listEdit) loose(v any) (i int, found bool, err error) {
	m, ok := v.(map[string]any)
	if !ok || l.a.keyed {
		return 0, false, nil
	}
	if err := l.e.spend(keyWork * len(l.elems)); err != nil {
		return 0, false, err
	}
	for i, e := range l.elems {
		old, ok := e.(map[string]any)
		if !ok {
			continue
		}
		all := true
		for name, part := range m {
			sub, known := l.a.SubAttribute(name)
			all = all && known && equal(searchValue(sub, old[name]), searchValue(sub, part))
		}
		if all {
			return i, true, nil
		}
	}
	return 0, false, nil
}

func (l *listEdit) remove(i int) {
	if l.index != nil && l.elems[i] != nil {
		delete(l.index, elementKey(l.a, l.elems[i]))
	}
	l.elems[i] = nil
}

// match finds the elements that satisfy a bound filter; all of them for nil.
func (l *listEdit) match(f Filter) ([]int, error) {
	var out []int
	if values, ok := filterValues(f); ok && l.a.keyed {
		if err := l.build(); err != nil {
			return nil, err
		}
		for _, v := range values {
			if i, ok := l.index[v]; ok && l.matches(i, f) && !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
		return out, nil
	}
	if err := l.e.spend(keyWork * len(l.elems)); err != nil {
		return nil, err
	}
	for i, v := range l.elems {
		if v != nil && (f == nil || l.matches(i, f)) {
			out = append(out, i)
		}
	}
	return out, nil
}

func (l *listEdit) matches(i int, f Filter) bool {
	v := searchElement(l.a, l.elems[i])
	doc, ok := v.(map[string]any)
	if !ok {
		doc = map[string]any{}
		if v != nil {
			doc["value"] = v
		}
	}
	return f.Match(doc)
}

// filterValues are the values that a filter demands of an element: value eq "x",
// such terms joined by or, or one of several joined by and.
func filterValues(f Filter) ([]string, bool) {
	switch f := f.(type) {
	case Compare:
		s, ok := f.Value.(string)
		if ok && f.Op == Eq && f.Path.Sub == "" && strings.EqualFold(f.Path.Attr, "value") {
			return []string{s}, true
		}
	case Or:
		var out []string
		for _, t := range f.Terms {
			values, ok := filterValues(t)
			if !ok {
				return nil, false
			}
			out = append(out, values...)
		}
		return out, true
	case And:
		for _, t := range f.Terms {
			if values, ok := filterValues(t); ok {
				return values, true
			}
		}
	}
	return nil, false
}

// set puts a changed element in place; nil removes it.
func (l *listEdit) set(i int, v any) {
	l.elems[i] = v
	l.index = nil
	l.rekeyed = true
}

// onlyPrimary makes every element but those that were just set not primary
// (RFC 7644 §3.5.2). Of several that were set the dialect may keep the last.
func (l *listEdit) onlyPrimary(set []int) error {
	var now []int
	for _, i := range set {
		if isPrimary(l.elems[i]) {
			now = append(now, i)
		}
	}
	if len(now) == 0 {
		return nil
	}
	if len(now) > 1 && !l.e.d.use(l.e.d.LastPrimary, FlagLastPrimary) {
		return Errorf(400, InvalidValue, "%s: only one value can be primary", l.name())
	}
	if err := l.e.spend(len(l.elems)); err != nil {
		return err
	}
	keep := now[len(now)-1]
	for i, v := range l.elems {
		if i != keep && isPrimary(v) {
			l.elems[i] = withSub(v, "primary", false)
		}
	}
	return nil
}

func (l *listEdit) name() string { return Path{URI: l.urn, Attr: l.a.Name}.name() }

// result is the list without what was removed; nil if nothing is left.
func (l *listEdit) result() []any {
	out := make([]any, 0, len(l.elems))
	for _, v := range l.elems {
		if v != nil {
			out = append(out, v)
		}
	}
	if l.rekeyed {
		out = unique(l.a, out)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// merge sets the parts of a complex value that changes names and clears those
// that it holds as nil. at names the attribute in messages. The result is nil if
// nothing is left.
func merge(a *Attribute, old any, changes map[string]any, at string) (any, error) {
	before, _ := old.(map[string]any)
	out := make(map[string]any, len(before)+len(changes))
	maps.Copy(out, before)
	for name, v := range changes {
		if sub, ok := a.SubAttribute(name); ok {
			if err := changeable(sub, before[name], v, at+"."+name); err != nil {
				return nil, err
			}
		}
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	if a.refLike && !a.MultiValued && !follow(a, before, out, changes) {
		return nil, nil
	}
	if len(out) == 0 {
		return nil, nil
	}
	for _, sub := range a.Sub {
		if sub.Required && sub.Mutability != ReadOnly && out[sub.Name] == nil {
			return nil, Errorf(400, InvalidValue, "%s.%s: is required", at, sub.Name)
		}
	}
	return out, nil
}

// follow keeps the parts of a reference together: without its value nothing is
// left, and with another value the $ref and the names shown for the old one go.
func follow(a *Attribute, before, out, changes map[string]any) bool {
	v, given := changes["value"]
	switch {
	case !given || equal(v, before["value"]):
		return true
	case v == nil:
		return false
	}
	for _, sub := range a.Sub {
		if _, given := changes[sub.Name]; !given && (sub.key == "$ref" || sub.Mutability == ReadOnly) {
			delete(out, sub.Name)
		}
	}
	return true
}

// changeable refuses to change what is immutable once it is set, and to clear
// what is required.
func changeable(a *Attribute, before, after any, at string) error {
	if a.Mutability == Immutable && before != nil && !equal(before, after) {
		return Errorf(400, Mutability, "%s: is immutable", at)
	}
	if a.Required && before != nil && after == nil {
		return Errorf(400, Mutability, "%s: is required and cannot be removed", at)
	}
	return nil
}
