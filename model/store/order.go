package store

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// order is the order of a list: by id, or by a key and then by id. It is the second
// interpreter of scim.Sort, beside Sort.Key and Sort.Compare, and must agree with them.
type order struct {
	pg         bool
	expr       string // SQL of the key; empty: by id alone
	kind       sqlKind
	descending bool
	always     bool // every resource has a key
}

func (t *Tx) order(rt *scim.ResourceType, s *scim.Sort) order {
	o := order{pg: t.pg}
	if s == nil {
		return o
	}
	b := &filterSQL{pg: t.pg, rt: rt}
	o.descending = s.Descending
	switch column := b.indexed(s.Path); column {
	case "r.key", "r.id": // an index has them in order
		o.expr, o.kind, o.always = column, kindText, true
	default:
		o.expr, o.kind = b.sortKey(s)
	}
	return o
}

// sortKey is what a list is sorted by: the value of a path; of a multi-valued
// attribute that of its primary element, else of its first (RFC 7644 §3.4.2.3).
func (b *filterSQL) sortKey(s *scim.Sort) (expr string, kind sqlKind) {
	p := s.Path
	kind = kindOf(s.Attr)
	whole := scim.Path{URI: p.URI, Attr: p.Attr}
	switch _, attr, err := b.rt.Resolve(whole); {
	case err != nil || attr == nil:
		return b.null(), kindText
	case attr.MultiValued:
		from, e := b.open("r.search", keys(whole))
		e.at = whole
		rank := ""
		if _, ok := attr.SubAttribute("primary"); ok {
			rank = b.primaryFirst(e.name)
		}
		value := e.single(scim.Path{Attr: p.Sub}, kind)
		if p.Sub != "" && b.multi(p) {
			inner, first := b.open(e.name+".value", keys(scim.Path{Attr: p.Sub}))
			first.plain = true
			value = b.first(inner, first, first.single(scim.Path{}, kind), "")
		}
		return b.first(from, e, value, rank), kind
	case p.Sub != "" && b.multi(p):
		from, e := b.open("r.search", keys(p))
		e.plain = true
		return b.first(from, e, e.single(scim.Path{}, kind), ""), kind
	}
	return rootScope{b}.single(p, kind), kind
}

// first is a sub-select of the value of a list's first element, by rank and place.
func (b *filterSQL) first(from string, e elementScope, value, rank string) string {
	place := e.name + ".key"
	if b.pg {
		from, place = ordinal(from, e.name), e.name+".n"
	}
	return "(SELECT " + value + " FROM " + from + " ORDER BY " + rank + place + " LIMIT 1)"
}

// primaryFirst ranks the elements of a complex attribute.
func (b *filterSQL) primaryFirst(name string) string {
	if b.pg {
		return "CASE WHEN " + name + ".value ->> 'primary' = 'true' THEN 0 ELSE 1 END, "
	}
	return "CASE WHEN json_extract(" + name + ".value, '$.primary') = 1 THEN 0 ELSE 1 END, "
}

// ordinal numbers the elements that a FROM clause of PostgreSQL makes.
func ordinal(from, name string) string {
	return strings.Replace(from, " AS "+name+"(value)", " WITH ORDINALITY AS "+name+"(value, n)", 1)
}

// demand is the condition under which an index that has the order holds a row. No
// user is without a name.
func (o order) demand() string {
	if o.expr == "r.key" {
		return ` AND r.key <> ''`
	}
	return ""
}

// column selects the key behind other columns.
func (o order) column() string {
	if o.expr == "" {
		return ""
	}
	return ", " + o.expr
}

// by is the ORDER BY clause. Resources without a key come last, in descending order
// first. Where an index finds the few rows there are, they are sorted rather than
// looked for in an index that has the order.
func (o order) by(few bool) string {
	id := "r.id"
	if few {
		id = "(r.id || '')"
	}
	switch {
	case o.expr == "":
		return id
	case o.always && o.descending:
		return o.expr + " DESC, " + id
	case o.always:
		return o.expr + ", " + id
	case o.descending:
		return o.expr + " DESC NULLS FIRST, " + id
	}
	return o.expr + " ASC NULLS LAST, " + id
}

// position is a place in a list: behind the resource with this id and key.
type position struct {
	id  string
	key any // string, int64, float64, bool, or nil for none
}

// text is the position as a client's cursor carries it: a JSON list.
func (o order) text(p position) string {
	out := []any{p.id}
	if o.expr != "" {
		key := p.key
		switch k := key.(type) {
		case []byte:
			key = string(k)
		case int64:
			switch o.kind { // as SQLite has them
			case kindBool:
				key = k != 0
			case kindFloat:
				key = strconv.FormatInt(k, 10)
			}
		case float64:
			key = strconv.FormatFloat(k, 'g', -1, 64) // JSON has no infinity
		}
		out = append(out, key)
	}
	text, _ := json.Marshal(out) // strings, numbers and booleans
	return string(text)
}

// parse reads what text wrote for a list of the same order.
func (o order) parse(text string) (position, error) {
	bad := &scim.Error{Status: 400, Type: "invalidCursor", Detail: "the cursor is none of this list"}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var list []any
	err := d.Decode(&list)
	want := 1
	if o.expr != "" {
		want = 2
	}
	if err != nil || d.More() || len(list) != want {
		return position{}, bad
	}
	id, ok := list[0].(string)
	if !ok || id == "" || strings.ContainsRune(id, 0) {
		return position{}, bad
	}
	p := position{id: id}
	if want == 2 && list[1] != nil {
		if p.key, ok = o.keyOf(list[1]); !ok {
			return position{}, bad
		}
	}
	return p, nil
}

func (o order) keyOf(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, o.kind == kindBool
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return n, err == nil && o.kind == kindInt
	case string:
		if o.kind == kindFloat {
			f, err := strconv.ParseFloat(v, 64)
			return f, err == nil && !math.IsNaN(f)
		}
		return v, o.kind == kindText && !strings.ContainsRune(v, 0)
	}
	return nil, false
}

// behind is the condition that a resource comes after a position.
func (o order) behind(p position) (cond string, args []any) {
	if o.expr == "" {
		return ` AND r.id > ?`, []any{p.id}
	}
	if p.key == nil {
		if o.always {
			return ` AND 1 = 0`, nil
		}
		if o.descending { // those without a key were first
			return ` AND (` + o.expr + ` IS NOT NULL OR r.id > ?)`, []any{p.id}
		}
		return ` AND ` + o.expr + ` IS NULL AND r.id > ?`, []any{p.id}
	}
	param := "?" + o.cast()
	after, rest := ">", " OR "+o.expr+" IS NULL"
	if o.descending {
		after, rest = "<", ""
	}
	if o.always { // so written that an index can begin there
		return fmt.Sprintf(` AND %s %s= %s AND (%s %s %s OR r.id > ?)`, o.expr, after, param, o.expr, after, param), []any{p.key, p.key, p.id}
	}
	return fmt.Sprintf(` AND (%s %s %s OR (%s = %s AND r.id > ?)%s)`, o.expr, after, param, o.expr, param, rest), []any{p.key, p.key, p.id}
}

func (o order) cast() string {
	if !o.pg {
		return ""
	}
	return map[sqlKind]string{kindText: "::text", kindInt: "::bigint", kindFloat: "::float8", kindBool: "::boolean"}[o.kind]
}
