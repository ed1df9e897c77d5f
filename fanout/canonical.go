package fanout

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// Canonical brings an account into the one form in which it is compared and
// sent, so that equal accounts never differ: groups sorted and single, empty
// values gone, attributes the target does not take left out, case folded where
// the target folds. It is idempotent and leaves its argument alone.
//
// No value is ever shortened. One that is beyond the profile's limits is left out
// (LeftOut says so), unless it identifies the account or the application demands
// it: then it stays, and Unfit says that the account cannot be written.
func (p Profile) Canonical(a model.Account) model.Account {
	out := a
	out.UserName = strings.TrimSpace(a.UserName)
	if p.UserNameFolds {
		out.UserName = strings.ToLower(out.UserName)
	}
	out.Groups = slices.Clone(a.Groups)
	slices.Sort(out.Groups)
	out.Groups = slices.Compact(out.Groups)
	if len(out.Groups) == 0 {
		out.Groups = nil
	}
	out.Attrs = nil
	for path, v := range a.Attrs {
		if p.leaves(path) {
			continue
		}
		if v = p.canonicalValue(plain(v), p.most(path)); v == nil {
			continue
		}
		if p.beyond(path, v) != "" && !p.identifies(path) {
			continue
		}
		if out.Attrs == nil {
			out.Attrs = make(map[string]any, len(a.Attrs))
		}
		out.Attrs[path] = v
	}
	p.oneElement(out.Attrs)
	return out
}

// canonical is Canonical on pointers, nil staying nil.
func (p Profile) canonical(a *model.Account) *model.Account {
	if a == nil {
		return nil
	}
	c := p.Canonical(*a)
	return &c
}

func (p Profile) drops(path string) bool { return names(p.Drops, path) }

// knows reports whether an attribute may be sent where only known ones may.
func (p Profile) knows(path string) bool { return p.SendUnknown || names(p.KnownAttrs, path) }

// leaves reports whether the application takes no such attribute at all.
func (p Profile) leaves(path string) bool {
	return p.drops(path) || !p.knows(path) || (!p.StoresExternalID && strings.EqualFold(path, "externalId"))
}

type keyedValue struct {
	key string
	v   any
}

// canonicalValue sorts the elements of lists: SCIM gives multi-valued attributes
// no order (RFC 7643 §2.4), so their order is no difference. Elements that say
// the same twice count once; where only so many are allowed (0: no limit) the
// primary one stays, or else the first, and then others in their order.
func (p Profile) canonicalValue(v any, most int) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	keyed := make([]keyedValue, len(list))
	for i, e := range list {
		keyed[i] = keyedValue{key: string(canonicalJSON(e)), v: e}
	}
	first := keyed[0].key
	slices.SortStableFunc(keyed, func(a, b keyedValue) int { return strings.Compare(a.key, b.key) })
	keyed = slices.CompactFunc(keyed, func(a, b keyedValue) bool { return a.key == b.key })
	for _, k := range keyed {
		if m, isMap := k.v.(map[string]any); isMap && m["primary"] == true {
			first = k.key
		}
	}
	if most > 0 && len(keyed) > most {
		kept := keyed[:0:0]
		for _, k := range keyed {
			if k.key == first || len(kept) < most-1 || (len(kept) < most && slices.ContainsFunc(kept, func(h keyedValue) bool { return h.key == first })) {
				kept = append(kept, k)
			}
		}
		keyed = kept
	}
	out := make([]any, len(keyed))
	for i, k := range keyed {
		out[i] = k.v
	}
	return out
}

// most is how many elements an attribute may have; 0: any number.
func (p Profile) most(path string) int {
	switch {
	case p.SingleValued:
		return 1
	case len(p.Limits) == 0:
		return 0
	}
	base, _, _ := cutPath(path)
	for key, l := range p.Limits {
		if k, _, sub := cutPath(key); l.Multi > 0 && sub == "" && strings.EqualFold(k, base) {
			return l.Multi
		}
	}
	return 0
}

// oneElement leaves one element of each attribute that takes no more where they are
// owned by value path: the whole list where that is owned, or that of type work, or
// else the first in the order of their paths.
func (p Profile) oneElement(attrs map[string]any) {
	if !p.SingleValued && len(p.Limits) == 0 {
		return
	}
	var kept map[string]string // attribute -> condition, "" for the whole list
	for _, path := range sortedPaths(attrs) {
		base, condition, _ := cutPath(path)
		if condition == "" && !isList(attrs[path]) || p.most(path) != 1 {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		base = strings.ToLower(base)
		have, taken := kept[base]
		if !taken || condition == "" || (have != "" && strings.Contains(condition, `"work"`) && !strings.Contains(have, `"work"`)) {
			kept[base] = condition
		}
	}
	for path := range attrs {
		base, condition, _ := cutPath(path)
		if one, limited := kept[strings.ToLower(base)]; limited && condition != one {
			delete(attrs, path)
		}
	}
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// identifies reports whether an account is not itself without a value: what it is
// recognised by, and what the application demands.
func (p Profile) identifies(path string) bool {
	base, _, sub := cutPath(path)
	for _, name := range []string{"userName", "emails", "externalId"} {
		if strings.EqualFold(base, name) {
			return true
		}
	}
	for key, l := range p.Limits {
		if k, _, s := cutPath(key); l.Required && strings.EqualFold(k, base) && (s == "" || sub == "" || strings.EqualFold(s, sub)) {
			return true
		}
	}
	return false
}

// beyond says in words which limit a value is beyond; empty: none.
func (p Profile) beyond(path string, v any) string {
	if len(p.Limits) == 0 {
		return ""
	}
	for _, key := range sortedPaths(p.Limits) {
		l := p.Limits[key]
		for _, text := range limited(key, path, v) {
			if n := utf8.RuneCountInString(text); l.Len > 0 && n > l.Len {
				return fmt.Sprintf("has %d characters, the application takes %d", n, l.Len)
			}
			if i := strings.IndexAny(text, l.Charset); l.Charset != "" && i >= 0 {
				r, _ := utf8.DecodeRuneInString(text[i:])
				return fmt.Sprintf("holds %q, which the application refuses", r)
			}
		}
	}
	return ""
}

// limited are the texts at a path that a limit stated for key is about.
func limited(key, path string, values ...any) []string {
	if ofGroups(key) {
		return nil
	}
	kb, _, ks := cutPath(key)
	pb, _, ps := cutPath(path)
	if !strings.EqualFold(kb, pb) || (ps != "" && !strings.EqualFold(ps, ks) && !(ks == "" && strings.EqualFold(ps, "value"))) {
		return nil
	}
	if ps != "" {
		ks = ""
	}
	var out []string
	for _, v := range values {
		out = append(out, texts(plain(v), ks)...)
	}
	return out
}

// texts are the scalars of a value: itself, or the part named sub of each element;
// an empty sub means value.
func texts(v any, sub string) []string {
	switch n := v.(type) {
	case []any:
		var out []string
		for _, e := range n {
			out = append(out, texts(e, sub)...)
		}
		return out
	case map[string]any:
		if sub == "" {
			sub = "value"
		}
		inner, _ := field(n, sub)
		return texts(inner, "")
	}
	if s := scalarText(v); s != "" {
		return []string{s}
	}
	return nil
}

// ofGroups reports whether a limit is about groups: those are stated by full name.
func ofGroups(key string) bool {
	return len(key) > len(scim.URNGroup) && strings.EqualFold(key[:len(scim.URNGroup)], scim.URNGroup)
}

// cutPath takes an attribute's path apart without reading its conditions: the
// attribute with its extension, the conditions, the part.
func cutPath(path string) (base, condition, sub string) {
	if len(path) > len(scim.URNUser) && strings.EqualFold(path[:len(scim.URNUser)+1], scim.URNUser+":") {
		path = path[len(scim.URNUser)+1:]
	}
	from := 0
	head, _, _ := strings.Cut(path, "[")
	if len(head) > 4 && strings.EqualFold(head[:4], "urn:") {
		from = strings.LastIndex(head, ":")
	}
	i := strings.IndexAny(path[from:], ".[")
	if i < 0 {
		return path, "", ""
	}
	base, rest := path[:from+i], path[from+i:]
	if rest[0] == '[' {
		end := strings.LastIndex(rest, "]")
		if end < 0 {
			return base, rest, ""
		}
		condition, rest = rest[:end+1], rest[end+1:]
	}
	return base, condition, strings.TrimPrefix(rest, ".")
}
