package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model/scim"
)

const urnAcme = "urn:acme:params:scim:schemas:Odd_Ones-1.5:2.0:User"

// oddRegistry is the default registry with an extension that has every data type,
// single and multi-valued, at every level.
func oddRegistry(t testing.TB) *scim.Registry {
	t.Helper()
	attr := func(name, typ string, many bool, sub ...*scim.Attribute) *scim.Attribute {
		return &scim.Attribute{Name: name, Type: typ, MultiValued: many, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, Sub: sub}
	}
	exact := attr("exactCode", scim.TypeString, false)
	exact.CaseExact = true
	photo, site := attr("photo", scim.TypeBinary, false), attr("site", scim.TypeReference, false)
	photo.CaseExact, site.CaseExact = true, true
	acme := &scim.Schema{ID: urnAcme, Name: "Acme", Attributes: []*scim.Attribute{
		attr("level", scim.TypeInteger, false), attr("score", scim.TypeDecimal, false), attr("since", scim.TypeDateTime, false),
		attr("remote", scim.TypeBoolean, false), exact, photo, site,
		attr("tags", scim.TypeString, true), attr("sizes", scim.TypeInteger, true), attr("days", scim.TypeDateTime, true), attr("flags", scim.TypeBoolean, true),
		attr("seat", scim.TypeComplex, false, attr("room", scim.TypeString, false), attr("floors", scim.TypeInteger, true), attr("until", scim.TypeDateTime, false)),
		attr("badges", scim.TypeComplex, true, attr("value", scim.TypeString, false), attr("kinds", scim.TypeString, true),
			attr("weight", scim.TypeDecimal, false), attr("lost", scim.TypeBoolean, false)),
	}}
	user, group := *userType(t), *groupType(t)
	user.Extensions = append(slices.Clone(user.Extensions), scim.Extension{Schema: acme})
	r, err := scim.NewRegistry(&user, &group)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// texts have what databases and case folding stumble over.
func texts() []string {
	return []string{
		"a", "A", "b", "ab", "aB", "ABBA", "x y", "ß", "ss", "SS", "straße", "STRASSE", "ẞ", "ＡＢ", "ａｂ", "ｱ", "ア", "é", "e\u0301", "É", "E\u0301",
		"İ", "i̇", "ı", "I", "Σ", "σ", "ς", "ǆ", "ǅ", "K", "k", "Å", "å", "q'uote", `q"uote`, `back\slash`, `\u0041`, "100%", "a_b", "?", "$1", "--", "/*", ";",
		"\x7f", "\x01", "\t", "line\nbreak", "\u2028", "\ufeff", "\u00ad", "\u200d", "😀", "日本", "true", "null", "1", "2027-01-01T00:00:00Z", "[]", "{}", ".", "User", "direct",
	}
}

func drawText(t *rapid.T) string {
	pool := rapid.SampledFrom(texts())
	text := pool.Draw(t, "text")
	if rapid.IntRange(0, 3).Draw(t, "join") == 0 {
		text += pool.Draw(t, "more")
	}
	return text
}

func drawTime(t *rapid.T) string {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "hours")) * time.Hour).
		Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "µs")) * time.Microsecond)
	zone := time.FixedZone("", rapid.SampledFrom([]int{0, 3600, -19800}).Draw(t, "zone"))
	return at.In(zone).Format(time.RFC3339Nano)
}

// drawSimple makes a value of a type; drawn from few, so that equal ones meet.
func drawSimple(t *rapid.T, typ string) any {
	switch typ {
	case scim.TypeBoolean:
		return rapid.Bool().Draw(t, "bool")
	case scim.TypeInteger:
		return rapid.SampledFrom([]int64{0, 1, -1, 2, 10, 1 << 31, 1<<53 + 1, 1 << 53, -1 << 63, 1<<63 - 1}).Draw(t, "int")
	case scim.TypeDecimal:
		return rapid.SampledFrom([]float64{0, 1, -1, 0.1, 0.30000000000000004, 0.3, 1e300, 1e-300, 2.5, 123456789.123456789, 1 << 53}).Draw(t, "decimal")
	case scim.TypeDateTime:
		return drawTime(t)
	case scim.TypeBinary:
		return rapid.SampledFrom([]string{"AAAA", "aaaa", "AA==", "+/8="}).Draw(t, "binary")
	case scim.TypeReference:
		return rapid.SampledFrom([]string{"https://a.example/x", "https://a.example/X", "../Users/1"}).Draw(t, "reference")
	}
	return drawText(t)
}

// drawValue makes a value of an attribute, nil for none.
func drawValue(t *rapid.T, a *scim.Attribute) any {
	if !a.MultiValued {
		return drawElement(t, a)
	}
	var out []any
	for range rapid.IntRange(0, 3).Draw(t, "elements") {
		if e := drawElement(t, a); e != nil {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func drawElement(t *rapid.T, a *scim.Attribute) any {
	if a.Type != scim.TypeComplex {
		return drawSimple(t, a.Type)
	}
	out := map[string]any{}
	for _, sub := range a.Sub {
		if rapid.Bool().Draw(t, "has") {
			if v := drawValue(t, sub); v != nil {
				out[sub.Name] = v
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// drawAttrs makes the attributes of a resource, but for those that are rows.
func drawAttrs(t *rapid.T, rt *scim.ResourceType) map[string]any {
	out := map[string]any{"schemas": []any{rt.Schema.ID}}
	fill := func(into map[string]any, list []*scim.Attribute) {
		for _, a := range list {
			if a.Name == "members" || a.Name == "groups" || rapid.IntRange(0, 2).Draw(t, a.Name) > 0 {
				continue
			}
			if v := drawValue(t, a); v != nil {
				into[a.Name] = v
			}
		}
	}
	fill(out, rt.Schema.Attributes)
	for _, e := range rt.Extensions {
		ext := map[string]any{}
		fill(ext, e.Schema.Attributes)
		if len(ext) > 0 {
			out[e.Schema.ID] = ext
			out["schemas"] = append(slices.Clone(out["schemas"].([]any)), e.Schema.ID)
		}
	}
	if rapid.Bool().Draw(t, "externalId") {
		out["externalId"] = drawText(t)
	}
	return out
}

// drawFilter makes an unbound filter of bounded depth. elem is the attribute
// whose elements are tested, nil outside of brackets.
func drawFilter(t *rapid.T, rt *scim.ResourceType, ids []string, elem *scim.Attribute, depth int) scim.Filter {
	kind := rapid.IntRange(0, 9).Draw(t, "node")
	switch {
	case depth > 0 && kind < 2:
		terms := make([]scim.Filter, rapid.IntRange(2, 3).Draw(t, "terms"))
		for i := range terms {
			terms[i] = drawFilter(t, rt, ids, elem, depth-1)
		}
		if kind == 0 {
			return scim.And{Terms: terms}
		}
		return scim.Or{Terms: terms}
	case depth > 0 && kind == 2:
		return scim.Not{Term: drawFilter(t, rt, ids, elem, depth-1)}
	case kind == 3 && elem == nil:
		if p, a := drawPath(t, rt, nil); a != nil && p.Sub == "" && (a.MultiValued || a.Type == scim.TypeComplex) {
			return scim.ValuePath{Path: p, Term: drawFilter(t, rt, ids, a, 1)}
		}
	case kind == 4:
		p, _ := drawPath(t, rt, elem)
		return scim.Present{Path: p}
	}
	return drawCompare(t, rt, ids, elem)
}

func drawCompare(t *rapid.T, rt *scim.ResourceType, ids []string, elem *scim.Attribute) scim.Filter {
	p, a := drawPath(t, rt, elem)
	op := rapid.SampledFrom([]scim.Op{scim.Eq, scim.Eq, scim.Ne, scim.Co, scim.Sw, scim.Ew, scim.Gt, scim.Ge, scim.Lt, scim.Le}).Draw(t, "op")
	var value any
	switch n := rapid.IntRange(0, 19).Draw(t, "value"); {
	case n == 0:
		value = nil
	case n == 1:
		value = ""
	case a == nil, a.Type == scim.TypeComplex && n < 12, strings.EqualFold(a.Name, "id"), strings.EqualFold(a.Name, "value") && n < 12:
		value = rapid.SampledFrom(ids).Draw(t, "id")
	case a.Name == "type" && n < 8:
		value = rapid.SampledFrom([]string{"User", "user", "grösse", "GRÖSSE", "direct", "Direct", "indirect"}).Draw(t, "type")
	case a.Name == "resourceType":
		value = rapid.SampledFrom([]string{"User", "user", "Group"}).Draw(t, "kind")
	case a.Name == "version":
		value = rapid.SampledFrom([]string{`W/"1"`, `W/"2"`, `W/"10"`, `"1"`}).Draw(t, "etag")
	case a.Name == "schemas":
		value = rapid.SampledFrom([]string{scim.URNUser, strings.ToUpper(scim.URNEnterprise), "urn:"}).Draw(t, "urn")
	case a.Type == scim.TypeComplex:
		value = drawText(t)
	default:
		value = drawSimple(t, a.Type)
	}
	return scim.Compare{Path: p, Op: op, Value: value}
}

// drawPath names an attribute in any case, with and without its schema.
func drawPath(t *rapid.T, rt *scim.ResourceType, elem *scim.Attribute) (scim.Path, *scim.Attribute) {
	if elem != nil {
		if elem.Type != scim.TypeComplex {
			return scim.Path{Attr: "value"}, elem
		}
		sub := rapid.SampledFrom(elem.Sub).Draw(t, "sub")
		return scim.Path{Attr: drawCase(t, sub.Name)}, sub
	}
	var p scim.Path
	list := rt.Schema.Attributes
	switch n := rapid.IntRange(0, 9).Draw(t, "schema"); {
	case n == 0:
		name := rapid.SampledFrom([]string{"id", "externalId", "meta", "schemas"}).Draw(t, "common")
		a, _ := rt.Attribute(name)
		list = []*scim.Attribute{a}
	case n < 5 && len(rt.Extensions) > 0:
		e := rapid.SampledFrom(rt.Extensions).Draw(t, "extension")
		p.URI, list = drawCase(t, e.Schema.ID), e.Schema.Attributes
		if rapid.IntRange(0, 14).Draw(t, "whole") == 0 {
			return p, nil
		}
	case n == 5:
		p.URI = drawCase(t, rt.Schema.ID)
	}
	a := rapid.SampledFrom(list).Draw(t, "attribute")
	p.Attr = drawCase(t, a.Name)
	if len(a.Sub) > 0 && rapid.IntRange(0, 3).Draw(t, "deeper") > 0 {
		sub := rapid.SampledFrom(a.Sub).Draw(t, "sub")
		p.Sub = drawCase(t, sub.Name)
		return p, sub
	}
	return p, a
}

func drawCase(t *rapid.T, name string) string {
	switch rapid.IntRange(0, 5).Draw(t, "case") {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return strings.ToLower(name)
	}
	return name
}

// sketch renders attributes for a failure's message.
func sketch(attrs map[string]any) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(&b, " %s=%#v", k, attrs[k])
	}
	return b.String()
}
