package store

import (
	"fmt"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// condition translates a bound filter into SQL over the row alias r. It is the
// second interpreter of the tree, beside scim.Filter.Match, and must agree with it
// on every document: a property test on both databases holds them together. Every
// leaf is two-valued (never NULL), so that NOT means what it says.
//
// few says that an index finds the few rows for which it can hold.
func (t *Tx) condition(f scim.Filter, rt *scim.ResourceType) (text string, args []any, few bool, err error) {
	b := &filterSQL{pg: t.pg, rt: rt}
	few = b.lookup(f)
	if !few {
		if set := b.candidates(f); set != nil {
			few = true
			b.args = set.args
			if t.pg { // an array: a plan with any other way in is out of the question
				b.text.WriteString("r.id = ANY(ARRAY(" + set.text + "))")
			} else {
				b.text.WriteString("r.id IN (" + set.text + ")")
			}
			if c, simple := f.(scim.Compare); simple && !b.asksGroup(c) { // what the index found is what was asked for
				return "(" + b.text.String() + ")", b.args, few, nil
			}
			b.text.WriteString(" AND ")
		}
	}
	if err := b.node(f, rootScope{b}); err != nil {
		return "", nil, false, err
	}
	return "(" + b.text.String() + ")", b.args, few, nil
}

type filterSQL struct {
	pg    bool
	rt    *scim.ResourceType
	text  strings.Builder
	args  []any
	alias int
}

// scope resolves paths: the root of a resource, or one element of an attribute.
type scope interface {
	// single is the SQL value of a path that has at most one value.
	single(p scim.Path, kind sqlKind) string
	// elements opens the values of a multi-valued path; ok is false where p is single.
	elements(p scim.Path) (from string, element scope, ok bool)
}

type sqlKind int

const (
	kindText sqlKind = iota
	kindInt
	kindFloat
	kindBool
	kindAny // presence only
)

func kindOf(a *scim.Attribute) sqlKind {
	switch a.Type {
	case "boolean":
		return kindBool
	case "integer", "dateTime":
		return kindInt
	case "decimal":
		return kindFloat
	}
	return kindText
}

func (b *filterSQL) node(f scim.Filter, s scope) error {
	switch f := f.(type) {
	case scim.And:
		return b.join(f.Terms, " AND ", s)
	case scim.Or:
		return b.join(f.Terms, " OR ", s)
	case scim.Not:
		b.text.WriteString("(NOT ")
		if err := b.node(f.Term, s); err != nil {
			return err
		}
		b.text.WriteString(")")
		return nil
	case scim.Present:
		b.present(f.Path, s)
		return nil
	case scim.None:
		b.text.WriteString("(1 = 0)")
		return nil
	case scim.Compare:
		return b.compare(f, s)
	case scim.ValuePath:
		return b.valuePath(f, s)
	}
	return fmt.Errorf("filter node %T has no translation", f)
}

func (b *filterSQL) join(terms []scim.Filter, with string, s scope) error {
	b.text.WriteString("(")
	for i, term := range terms {
		if i > 0 {
			b.text.WriteString(with)
		}
		if err := b.node(term, s); err != nil {
			return err
		}
	}
	b.text.WriteString(")")
	return nil
}

func (b *filterSQL) present(p scim.Path, s scope) {
	from, element, many := s.elements(p)
	if !many {
		b.text.WriteString("(" + s.single(p, kindAny) + " IS NOT NULL)")
		return
	}
	b.text.WriteString("EXISTS (SELECT 1 FROM " + from + and(element.single(scim.Path{Attr: p.Sub}, kindAny)+" IS NOT NULL", from) + ")")
}

// asksGroup reports whether a comparison asks if a user is in a certain group.
func (b *filterSQL) asksGroup(f scim.Compare) bool {
	_, isText := f.Value.(string)
	return isText && f.Op == scim.Eq && f.Path.URI == "" && keptAsRows(b.rt, "groups") &&
		strings.EqualFold(f.Path.Attr, "groups") && (f.Path.Sub == "" || strings.EqualFold(f.Path.Sub, "value"))
}

// inGroup writes the test whether a user is in a certain group, which looks from the
// group down, once, instead of up from every user; false if f is no such test. The
// group may be another source's, which nobody here is in.
func (b *filterSQL) inGroup(f scim.Compare, s scope) bool {
	if _, root := s.(rootScope); !root || !b.asksGroup(f) {
		return false
	}
	b.text.WriteString("((r.source, r.id) IN (" + membersBelow(b.pg) + "SELECT source, id FROM down))")
	b.args = append(b.args, f.Value)
	return true
}

// and appends a condition to a FROM clause that may have a WHERE of its own.
func and(cond, from string) string {
	if i := strings.LastIndexByte(from, ')'); strings.Contains(from[i+1:], " WHERE ") {
		return " AND " + cond
	}
	return " WHERE " + cond
}

func (b *filterSQL) compare(f scim.Compare, s scope) error {
	if f.Value == nil { // eq null is absence, ne null presence
		if f.Op == scim.Eq {
			b.text.WriteString("(NOT ")
			defer b.text.WriteString(")")
		}
		b.present(f.Path, s)
		return nil
	}
	kind := kindOf(f.Attr)
	from, element, many := s.elements(f.Path)
	if !many {
		if _, ok := s.(rootScope); ok && b.looksUp(f) {
			b.equal(b.indexed(f.Path), f.Value)
			return nil
		}
		b.leaf(s.single(f.Path, kind), f.Op, f.Value, kind)
		return nil
	}
	if b.inGroup(f, s) {
		return nil
	}
	value := element.single(scim.Path{Attr: f.Path.Sub}, kind)
	if f.Op == scim.Ne { // absent counts as different
		b.text.WriteString("(NOT EXISTS (SELECT 1 FROM " + from + and(value+" IS NOT NULL", from) + ") OR ")
		defer b.text.WriteString(")")
	}
	b.text.WriteString("EXISTS (SELECT 1 FROM " + from + and(value+" IS NOT NULL AND ", from))
	b.leaf(value, f.Op, f.Value, kind)
	b.text.WriteString(")")
	return nil
}

func (b *filterSQL) valuePath(f scim.ValuePath, s scope) error {
	from, element, many := s.elements(f.Path)
	if !many {
		b.text.WriteString("(" + s.single(f.Path, kindAny) + " IS NOT NULL AND ")
		if err := b.node(f.Term, nested{s, b, f.Path}); err != nil {
			return err
		}
		b.text.WriteString(")")
		return nil
	}
	b.text.WriteString("EXISTS (SELECT 1 FROM " + from + and("", from))
	if err := b.node(f.Term, element); err != nil {
		return err
	}
	b.text.WriteString(")")
	return nil
}

var sqlOps = map[scim.Op]string{scim.Eq: "=", scim.Ne: "<>", scim.Gt: ">", scim.Ge: ">=", scim.Lt: "<", scim.Le: "<="}

// leaf compares one SQL value; a missing one is unequal to everything.
func (b *filterSQL) leaf(x string, op scim.Op, value any, kind sqlKind) {
	text, isText := value.(string)
	if isText && text == "" && (op == scim.Co || op == scim.Sw || op == scim.Ew) {
		b.text.WriteString("(" + x + " IS NOT NULL)")
		return
	}
	absent := "FALSE"
	if op == scim.Ne {
		absent = "TRUE"
	}
	cast := map[sqlKind]string{kindText: "::text", kindInt: "::bigint", kindFloat: "::float8", kindBool: "::boolean"}[kind]
	if !b.pg {
		cast = ""
	}
	param := "?" + cast
	n := 1
	var cond string
	switch op {
	case scim.Co:
		cond = "instr(" + x + ", " + param + ") > 0"
		if b.pg {
			cond = "strpos(" + x + ", " + param + ") > 0"
		}
	case scim.Sw:
		cond, n = "substr("+x+", 1, length("+param+")) = "+param, 2
	case scim.Ew:
		cond, n = "substr("+x+", -length("+param+")) = "+param+" AND length("+x+") >= length("+param+")", 3
		if b.pg {
			cond, n = "right("+x+", length("+param+")) = "+param, 2
		}
	default:
		cond = x + " " + sqlOps[op] + " " + param
	}
	if op == scim.Eq && x == memberColumn { // always there, and found by an index if it stands alone
		b.text.WriteString("(" + cond + ")")
	} else {
		b.text.WriteString("COALESCE(" + cond + ", " + absent + ")")
	}
	for range n {
		b.args = append(b.args, value)
	}
}
