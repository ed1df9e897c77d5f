package store

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model/scim"
)

// maxIndexed is how long a value may be, in characters, that is kept for look-ups; a
// database refuses index entries beyond some size. Longer ones are found by reading.
const maxIndexed = 256

func indexable(value string) bool {
	return value != "" && utf8.RuneCountInString(value) <= maxIndexed
}

// idSet is a sub-select of the ids of all resources for which a filter can hold, and
// of a few others perhaps.
type idSet struct {
	text string
	args []any
}

// candidates finds, by indexes, the resources for which a filter can hold; nil where
// no index helps. What it finds must still be tested.
func (b *filterSQL) candidates(f scim.Filter) *idSet {
	switch f := f.(type) {
	case scim.None:
		return &idSet{text: `SELECT '' WHERE 1 = 0`}
	case scim.And:
		for _, term := range f.Terms {
			if set := b.candidates(term); set != nil {
				return set
			}
		}
	case scim.Or:
		return b.either(f.Terms)
	case scim.Compare:
		if value, ok := f.Value.(string); ok && f.Op == scim.Eq && indexable(value) {
			return b.withValue(f.Path, value)
		}
	case scim.ValuePath:
		return b.candidates(scoped(f.Path, f.Term))
	}
	return nil
}

func (b *filterSQL) either(terms []scim.Filter) *idSet {
	var all idSet
	for i, term := range terms {
		set := b.candidates(term)
		if set == nil {
			return nil
		}
		if i > 0 {
			all.text += " UNION ALL "
		}
		if strings.HasPrefix(set.text, "WITH") {
			set.text = "SELECT * FROM (" + set.text + ") nested"
		}
		all.text, all.args = all.text+set.text, append(all.args, set.args...)
	}
	return &all
}

// scoped is what the test of a value path says of the resource, apart from its being
// about one element.
func scoped(at scim.Path, term scim.Filter) scim.Filter {
	switch f := term.(type) {
	case scim.And:
		return scim.And{Terms: scopedAll(at, f.Terms)}
	case scim.Or:
		return scim.Or{Terms: scopedAll(at, f.Terms)}
	case scim.Compare:
		f.Path = scim.Path{URI: at.URI, Attr: at.Attr, Sub: f.Path.Attr}
		return f
	}
	return term
}

func scopedAll(at scim.Path, terms []scim.Filter) []scim.Filter {
	out := make([]scim.Filter, len(terms))
	for i, term := range terms {
		out[i] = scoped(at, term)
	}
	return out
}

// withValue finds resources that have a value at a path.
func (b *filterSQL) withValue(p scim.Path, value string) *idSet {
	_, attr, err := b.rt.Resolve(scim.Path{URI: p.URI, Attr: p.Attr})
	if err != nil || attr == nil {
		return nil
	}
	if attr.Type == scim.TypeComplex && p.Sub == "" || attr.Type != scim.TypeComplex {
		p.Sub = "" // of a list of plain values, "value" is the value itself
		if attr.Type == scim.TypeComplex {
			p.Sub = "value"
		}
	}
	name := strings.ToLower(p.String())
	switch {
	case name == "members.value" && keptAsRows(b.rt, "members"):
		return &idSet{`SELECT group_id FROM group_members WHERE member_id = ?`, []any{value}}
	case name == "groups.value" && keptAsRows(b.rt, "groups"):
		return &idSet{membersBelow(b.pg) + `SELECT id FROM down`, []any{value}}
	case name == "id":
		return &idSet{`SELECT id FROM resources WHERE id = ?`, []any{value}}
	}
	if column := indexedColumn(p); column != "" && b.indexed(p) != "" {
		column = strings.Replace(column, "r.", "x.", 1)
		return &idSet{`SELECT x.id FROM resources x WHERE x.kind = ? AND ` + column + ` = ? AND ` + column + ` <> ''`, []any{b.rt.Name, value}}
	}
	if !slices.Contains(foundBy(b.rt), name) {
		return nil
	}
	return &idSet{`SELECT resource_id FROM resource_values WHERE kind = ? AND attr = ? AND value = ?`, []any{b.rt.Name, name, value}}
}

// lookup reports whether the filter is, or demands among other things, a value that a
// column's index finds.
func (b *filterSQL) lookup(f scim.Filter) bool {
	switch f := f.(type) {
	case scim.And:
		return slices.ContainsFunc(f.Terms, b.lookup)
	case scim.Compare:
		return b.looksUp(f)
	}
	return false
}

// looksUp reports whether a comparison asks for the value of an indexed column.
func (b *filterSQL) looksUp(f scim.Compare) bool {
	value, ok := f.Value.(string)
	return ok && f.Op == scim.Eq && indexable(value) && b.indexed(f.Path) != ""
}

// equal asks an index for a value: the plain comparison, with the condition under
// which partial indexes hold a row.
func (b *filterSQL) equal(column string, value any) {
	b.text.WriteString("(" + column + " = ? AND " + column + " <> '')")
	b.args = append(b.args, value)
}
