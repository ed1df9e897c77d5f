package store

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// rootScope is a row of resources: columns where there are some, else the search document.
type rootScope struct{ b *filterSQL }

// nested is a complex attribute with a single value, seen as an element.
type nested struct {
	scope
	b  *filterSQL
	at scim.Path
}

func (n nested) single(p scim.Path, kind sqlKind) string {
	return n.scope.single(scim.Path{URI: n.at.URI, Attr: n.at.Attr, Sub: p.Attr}, kind)
}

func (n nested) elements(p scim.Path) (string, scope, bool) {
	if !n.b.multi(scim.Path{URI: n.at.URI, Attr: n.at.Attr, Sub: p.Attr}) {
		return "", nil, false
	}
	return n.scope.elements(scim.Path{URI: n.at.URI, Attr: n.at.Attr, Sub: p.Attr})
}

func (s rootScope) single(p scim.Path, kind sqlKind) string {
	if p.URI == "" {
		switch strings.ToLower(p.Attr) {
		case "id":
			return "r.id"
		case "meta":
			return s.meta(p.Sub)
		}
	}
	return s.b.extract("r.search", keys(p), kind)
}

// indexed is the column that an equality can be looked up by; empty if there is none.
// The column holds what the search document would, or nothing.
func (b *filterSQL) indexed(p scim.Path) string {
	column := indexedColumn(p)
	if column == "r.key" && b.rt.Name != "User" {
		return ""
	}
	return column
}

func indexedColumn(p scim.Path) string {
	if p.URI != "" || p.Sub != "" {
		return ""
	}
	switch strings.ToLower(p.Attr) {
	case "id":
		return "r.id"
	case "externalid":
		return "r.external_id"
	case "username":
		return "r.key"
	}
	return ""
}

// keys is where a path's value stands in the search document.
func keys(p scim.Path) []string {
	var out []string
	for _, k := range []string{p.URI, p.Attr, p.Sub} {
		if k != "" {
			out = append(out, strings.ToLower(k))
		}
	}
	return out
}

func (s rootScope) meta(sub string) string {
	switch strings.ToLower(sub) {
	case "created":
		return "r.created_at"
	case "lastmodified":
		return "r.modified_at"
	case "version":
		etag := `('W/"' || CAST(r.version AS text) || '"')`
		if s.b.pg {
			etag = `(` + etag + ` COLLATE "C")`
		}
		return etag
	case "resourcetype":
		return "r.kind"
	case "": // meta is always there
		return "r.kind"
	}
	return s.b.null() // location depends on who asks
}

func (b *filterSQL) null() string {
	if b.pg {
		return "NULL::text"
	}
	return "NULL"
}

// extract reads a value out of a JSON column or element.
func (b *filterSQL) extract(from string, path []string, kind sqlKind) string {
	if !b.pg {
		if len(path) == 0 {
			return from + ".value" // json_each gives plain values as they are
		}
		return "json_extract(" + from + ", " + jsonPath(path) + ")"
	}
	quoted := make([]string, len(path))
	for i, k := range path {
		quoted[i] = "'" + strings.ReplaceAll(k, "'", "''") + "'"
	}
	array := "ARRAY[" + strings.Join(quoted, ",") + "]::text[]"
	switch kind {
	case kindAny:
		return "(" + from + " #> " + array + ")"
	case kindInt:
		return "(" + from + " #>> " + array + ")::bigint"
	case kindFloat:
		return "(" + from + " #>> " + array + ")::float8"
	case kindBool:
		return "(" + from + " #>> " + array + ")::boolean"
	}
	return `((` + from + ` #>> ` + array + `) COLLATE "C")`
}

// jsonPath is a path as SQLite writes it.
func jsonPath(path []string) string {
	quoted := make([]string, len(path))
	for i, k := range path {
		quoted[i] = `."` + strings.ReplaceAll(k, "'", "''") + `"`
	}
	return "'$" + strings.Join(quoted, "") + "'"
}

func (s rootScope) elements(p scim.Path) (string, scope, bool) {
	switch {
	case p.URI != "":
	case strings.EqualFold(p.Attr, "members") && keptAsRows(s.b.rt, "members"):
		return "group_members m WHERE m.group_id = r.id", rowScope{map[string]string{"value": memberColumn,
			"type": "NULLIF(m.type_fold, '')", "display": "NULLIF(m.fold, '')"}, s.b}, true
	case strings.EqualFold(p.Attr, "groups") && keptAsRows(s.b.rt, "groups"):
		return groupsFrom(s.b.extract("g.search", []string{"displayname"}, kindText), s.b.pg),
			rowScope{map[string]string{"value": "gs.id", "type": "gs.type", "display": "gs.display"}, s.b}, true
	}
	whole := scim.Path{URI: p.URI, Attr: p.Attr}
	switch {
	case s.b.multi(whole):
		from, e := s.b.open("r.search", keys(whole))
		e.at = whole
		if p.Sub != "" && s.b.multi(p) { // a list in each element of a list
			more, inner, _ := e.elements(scim.Path{Attr: p.Sub})
			return from + ", " + more, inner, true
		}
		return from, e, true
	case p.Sub != "" && s.b.multi(p):
		from, e := s.b.open("r.search", keys(p))
		e.plain = true
		return from, e, true
	}
	return "", nil, false
}

// multi reports whether the attribute or sub-attribute at a path has many values.
func (b *filterSQL) multi(p scim.Path) bool {
	_, a, err := b.rt.Resolve(p)
	return err == nil && a != nil && a.MultiValued
}

// open makes rows of the list at a path of a JSON column or element.
func (b *filterSQL) open(from string, path []string) (string, elementScope) {
	b.alias++
	name := fmt.Sprintf("e%d", b.alias)
	e := elementScope{name: name, b: b}
	if b.pg {
		list := b.extract(from, path, kindAny)
		// A list by an older schema may be no list: no reason to fail.
		return "jsonb_array_elements(CASE jsonb_typeof(" + list + ") WHEN 'array' THEN " + list + " END) AS " + name + "(value)", e
	}
	return "json_each(" + from + ", " + jsonPath(path) + ") AS " + name, e
}

// elementScope is one element of a multi-valued attribute in the search document.
type elementScope struct {
	name  string
	b     *filterSQL
	at    scim.Path // the attribute
	plain bool      // an element that is always the value itself
}

func (e elementScope) single(p scim.Path, kind sqlKind) string {
	if p.Attr == "" || e.plain {
		if kind == kindAny || !e.b.pg {
			return e.name + ".value"
		}
		return e.b.extract(e.name+".value", nil, kind)
	}
	return e.b.element(e.name, p, kind)
}

// element reads a sub-attribute; "value" of an element that is no object is the element itself.
func (b *filterSQL) element(name string, p scim.Path, kind sqlKind) string {
	k := strings.ToLower(p.Attr)
	if k != "value" {
		return b.extract(name+".value", []string{k}, kind)
	}
	if b.pg {
		whole, part := b.extract(name+".value", nil, kind), b.extract(name+".value", []string{k}, kind)
		return "(CASE jsonb_typeof(" + name + ".value) WHEN 'object' THEN " + part + " ELSE " + whole + " END)"
	}
	return "(CASE " + name + ".type WHEN 'object' THEN " + b.extract(name+".value", []string{k}, kind) + " ELSE " + name + ".value END)"
}

func (e elementScope) elements(p scim.Path) (string, scope, bool) {
	if e.plain || !e.b.multi(scim.Path{URI: e.at.URI, Attr: e.at.Attr, Sub: p.Attr}) {
		return "", nil, false
	}
	from, inner := e.b.open(e.name+".value", keys(scim.Path{Attr: p.Attr}))
	inner.plain = true
	return from, inner, true
}

// memberColumn is the id of a member, in filters.
const memberColumn = "m.member_id"

// rowScope is an element kept as a row: members of a group, groups of a user.
type rowScope struct {
	columns map[string]string
	b       *filterSQL
}

func (r rowScope) single(p scim.Path, _ sqlKind) string {
	k := strings.ToLower(p.Attr)
	if k == "" {
		k = "value"
	}
	if c, ok := r.columns[k]; ok {
		return c
	}
	return r.b.null()
}

func (rowScope) elements(scim.Path) (string, scope, bool) { return "", nil, false }
