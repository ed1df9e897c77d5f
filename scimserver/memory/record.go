package memory

import (
	"strings"
	"sync/atomic"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// record is one stored resource.
type record struct {
	seq  uint64 // order of creation
	res  scim.Resource
	keys []any // values by table.keys; nil where absent
	// doc is the search document, made when a filter first needs it; readers may
	// make it at the same time, and then make the same.
	doc atomic.Pointer[map[string]any]
}

// key is an attribute that has an index, because it must be unique or because
// clients look resources up by it.
type key struct {
	name   string // schema name
	folded string // name in the search document
	unique bool
}

// keysOf chooses the indexed attributes of a type: whatever its schema declares
// unique, and what every IdP matches by.
func keysOf(t *scim.ResourceType, uniqueGroupNames bool) []key {
	keys := []key{{name: "externalId", folded: "externalid"}}
	for _, a := range t.Schema.Attributes {
		unique := a.Uniqueness == "server" || a.Uniqueness == "global"
		if a.Name == "displayName" && t.Name == "Group" && uniqueGroupNames {
			unique = true
		}
		plain := a.Type == "string" && !a.MultiValued && a.Returned != "never" && a.Name != "id" && a.Name != "externalId"
		if plain && (unique || a.Name == "displayName") {
			keys = append(keys, key{name: a.Name, folded: strings.ToLower(a.Name), unique: unique})
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

func (tb *table) checkUnique(self *record, values []any) error {
	for i, k := range tb.keys {
		if !k.unique || values[i] == nil {
			continue
		}
		for _, other := range tb.lookup[k.name][values[i]] {
			if other != self {
				return scimserver.Conflict(tb.kind, k.name)
			}
		}
	}
	return nil
}

func (tb *table) index(rec *record) {
	for i, k := range tb.keys {
		if v := rec.keys[i]; v != nil {
			tb.lookup[k.name][v] = append(tb.lookup[k.name][v], rec)
		}
	}
}

func (tb *table) unindex(rec *record) {
	for i, k := range tb.keys {
		v := rec.keys[i]
		if v == nil {
			continue
		}
		kept := make([]*record, 0, len(tb.lookup[k.name][v]))
		for _, other := range tb.lookup[k.name][v] {
			if other != rec {
				kept = append(kept, other)
			}
		}
		if len(kept) == 0 {
			delete(tb.lookup[k.name], v)
			continue
		}
		tb.lookup[k.name][v] = kept
	}
}
