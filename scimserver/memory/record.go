package memory

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// record is one stored resource.
type record struct {
	seq  uint64 // order of creation
	res  scim.Resource
	keys []any              // values by table.keys; nil where absent
	own  []scim.UniqueValue // what no other record may have
	// doc is the search document, made when a filter first needs it; readers may
	// make it at the same time, and then make the same.
	doc atomic.Pointer[map[string]any]
}

// key is an attribute that has an index, because clients look resources up by it.
type key struct {
	name   string // schema name
	folded string // name in the search document
}

// keysOf chooses the indexed attributes of a type: what every IdP matches by, and
// what its core schema declares unique.
func keysOf(t *scim.ResourceType) []key {
	keys := []key{{name: "externalId", folded: "externalid"}}
	for _, a := range t.Schema.Attributes {
		unique := a.Uniqueness == scim.UniqueServer || a.Uniqueness == scim.UniqueGlobal
		plain := a.Type == scim.TypeString && !a.MultiValued && a.Returned != scim.ReturnedNever && a.Name != "id" && a.Name != "externalId"
		if plain && (unique || a.Name == "displayName") {
			keys = append(keys, key{name: a.Name, folded: strings.ToLower(a.Name)})
		}
	}
	return keys
}

func (tb *table) keyValues(r scim.Resource) []any {
	// Only the keys are wanted: a group's members would make this dear.
	slim := r
	slim.Attrs = make(map[string]any, len(tb.keys))
	for _, k := range tb.keys {
		if v, ok := r.Attrs[k.name]; ok {
			slim.Attrs[k.name] = v
		}
	}
	doc := tb.kind.SearchDoc(slim)
	out := make([]any, len(tb.keys))
	for i, k := range tb.keys {
		out[i] = doc[k.folded]
	}
	return out
}

// checkUnique returns 409 if another record has one of the values of own, or, for a
// group whose name must be its own, the name.
func (tb *table) checkUnique(self *record, own []scim.UniqueValue, keys []any, names bool) error {
	for _, v := range own {
		if other := tb.owner[v]; other != nil && other != self {
			return scimserver.Conflict(tb.kind, v.Path)
		}
	}
	for i, k := range tb.keys {
		if !names || tb.kind.Name != "Group" || k.name != "displayName" || keys[i] == nil {
			continue
		}
		for _, other := range tb.lookup[k.name][keys[i]] {
			if other != self {
				return scimserver.Conflict(tb.kind, k.name)
			}
		}
	}
	return nil
}

// claim makes the values of own the record's, instead of those it had.
func (tb *table) claim(rec *record, own []scim.UniqueValue) {
	for _, v := range rec.own {
		delete(tb.owner, v)
	}
	for _, v := range own {
		tb.owner[v] = rec
	}
	rec.own = own
}

// reindex moves a record from the values in was to those in is; nil means none.
// Only what differs is touched: many records may share a displayName.
func (tb *table) reindex(rec *record, was, is []any) {
	for i, k := range tb.keys {
		var before, after any
		if was != nil {
			before = was[i]
		}
		if is != nil {
			after = is[i]
		}
		if before == after {
			continue
		}
		lists := tb.lookup[k.name]
		if before != nil {
			if left := without(lists[before], rec.seq); len(left) > 0 {
				lists[before] = left
			} else {
				delete(lists, before)
			}
		}
		if after != nil {
			at, _ := position(lists[after], rec.seq)
			lists[after] = slices.Insert(lists[after], at, rec)
		}
	}
}

// position finds where a record is, or would be, in a list in order of creation.
func position(list []*record, seq uint64) (int, bool) {
	return slices.BinarySearchFunc(list, seq, func(r *record, seq uint64) int { return cmp.Compare(r.seq, seq) })
}

func without(list []*record, seq uint64) []*record {
	if at, ok := position(list, seq); ok {
		return slices.Delete(list, at, at+1)
	}
	return list
}
