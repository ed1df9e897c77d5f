package fanout

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// edit is what a write changes of an account: the attributes that differ, and what is
// known of the elements of lists that they are parts of. Several owned attributes may be
// parts of one element (the street and the town of the address of type work): it is made
// once, and goes with the last of them.
type edit struct {
	fields []model.FieldDiff
	there  map[string]bool // by elementKey: it exists
	stays  map[string]bool // by elementKey: something of it is owned afterwards
	ends   map[string]bool // by path: the element goes with this part
}

func editOf(before, after model.Account) edit {
	return edit{fields: differences(before, after), there: elementsOf(before), stays: elementsOf(after), ends: map[string]bool{}}
}

// of is the edit of some of the fields alone.
func (e edit) of(fields []model.FieldDiff) edit {
	e.fields = fields
	return e
}

// wrote notes which elements there are once these fields are written.
func (e edit) wrote(fields []model.FieldDiff) {
	for _, f := range fields {
		if key := elementKey(f.Path); key != "" && f.After != nil && e.there != nil {
			e.there[key] = true
		}
	}
}

func elementsOf(a model.Account) map[string]bool {
	out := map[string]bool{}
	for path := range a.Attrs {
		if key := elementKey(path); key != "" {
			out[key] = true
		}
	}
	return out
}

// elementKey names the element that a path is a part of; empty: of none.
func elementKey(path string) string {
	base, condition, _ := cutPath(path)
	if condition == "" {
		return ""
	}
	return strings.ToLower(base) + condition
}

// look finds out what is not known of elements: those that are there although nothing of
// them is owned, beside which another would be one too many, and those that are empty
// once what is owned of them has gone. An element comes and goes with its value, so that
// the application is asked only about other parts.
func (c *Client) look(ctx context.Context, id string, e edit) error {
	if !c.profile.Patch.Supported {
		return nil
	}
	var open []attrPath
	gone := map[string][]attrPath{}
	for _, f := range e.fields {
		p, err := parseAttr(f.Path)
		if err != nil {
			return &ClientError{Class: Invalid, Err: err}
		}
		switch key := elementKey(f.Path); {
		case len(p.conds) == 0:
		case f.After == nil && !e.stays[key]:
			gone[key] = append(gone[key], p)
		case f.After != nil && f.Before == nil && !p.whole() && !e.there[key]:
			open = append(open, p)
		}
	}
	for key, parts := range gone {
		if slices.ContainsFunc(parts, attrPath.whole) {
			e.ends[parts[len(parts)-1].text] = true
			delete(gone, key)
		}
	}
	if len(open)+len(gone) == 0 {
		return nil
	}
	got, err := c.do(ctx, request{method: http.MethodGet, path: "/Users/" + url.PathEscape(id)})
	if err != nil {
		return err
	}
	for _, p := range open {
		if p.elementIn(got.doc) != nil {
			e.there[elementKey(p.text)] = true
		}
	}
	for _, parts := range gone {
		last := parts[len(parts)-1]
		e.ends[last.text] = nothingElse(last.elementIn(got.doc), parts)
	}
	return nil
}

// elementIn is the element of a resource that a path is a part of; nil: there is none.
func (p attrPath) elementIn(doc map[string]any) map[string]any {
	if p.uri != "" {
		v, _ := field(doc, p.uri)
		doc, _ = v.(map[string]any)
	}
	v, _ := field(doc, p.attr)
	el, _ := p.element(v)
	return el
}

// nothingElse reports whether an element holds nothing but these parts and what it is
// told by. One that is told by its value is something by that alone.
func nothingElse(el map[string]any, parts []attrPath) bool {
	if slices.ContainsFunc(parts[0].conds, func(c cond) bool { return strings.EqualFold(c.attr, "value") }) {
		return false
	}
	for name := range el {
		if plain(map[string]any{name: el[name]}) != nil && !slices.ContainsFunc(parts, func(p attrPath) bool {
			return strings.EqualFold(p.sub, name) || slices.ContainsFunc(p.conds, func(c cond) bool { return strings.EqualFold(c.attr, name) })
		}) {
			return false
		}
	}
	return el != nil
}

// whole reports whether a path is of an element as such: of all of it or of its value.
func (p attrPath) whole() bool { return p.sub == "" || strings.EqualFold(p.sub, "value") }

// made are elements that one PATCH makes, with the operation that makes each.
type made map[string]*struct {
	doc map[string]any
	op  map[string]any
}

// element adds to an element that does not exist yet: by an operation of its own, or
// where it is made already as a part of that one.
func (c *Client) element(m made, p attrPath, f model.FieldDiff) (op map[string]any) {
	key, inner := elementKey(f.Path), p
	inner.uri = ""
	one := m[key]
	if one == nil {
		list := p.attr
		if p.uri != "" {
			list = p.uri + ":" + p.attr
		}
		op = map[string]any{"op": c.op("add"), "path": list}
		one = &struct {
			doc map[string]any
			op  map[string]any
		}{map[string]any{}, op}
		m[key] = one
	}
	inner.set(one.doc, copyValue(f.After))
	one.op["value"] = c.patchValue(one.doc[p.attr])
	return op
}
