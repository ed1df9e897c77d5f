package scim

import (
	"fmt"
	"slices"
	"strings"
)

// attributes reads the definitions of a schema, or of the parts of one attribute.
func (r *fileReader) attributes(list []any, at int, where string, parent *Attribute) []*Attribute {
	taken := map[string]bool{}
	var out []*Attribute
	for i, e := range list {
		o, ok := e.(object)
		if !ok || len(o) == 0 {
			r.fault(at, where, "attribute %d must be an object", i+1)
			continue
		}
		a := r.attribute(o, where, parent, i)
		key := strings.ToLower(a.Name)
		if key != "" && taken[key] {
			r.fault(o.at(), where, "attribute %s is defined twice", a.Name)
		}
		taken[key] = true
		out = append(out, a)
	}
	return out
}

// attribute reads one definition (RFC 7643 §7).
func (r *fileReader) attribute(o object, where string, parent *Attribute, i int) *Attribute {
	name, _ := o.get("name")
	label, _ := name.(string)
	if label == "" {
		label = fmt.Sprintf("number %d", i+1)
	}
	if parent == nil {
		where += ": attribute " + label
	} else {
		where += "." + label
	}
	r.keys(o, where, "name", "type", "multiValued", "description", "required", "canonicalValues", "caseExact",
		"mutability", "returned", "uniqueness", "referenceTypes", "subAttributes")
	a := &Attribute{
		Name:            r.str(o, where, "name", true),
		Type:            r.word(o, where, "type", TypeString, TypeBoolean, TypeDecimal, TypeInteger, TypeDateTime, TypeBinary, TypeReference, TypeComplex),
		MultiValued:     r.boolean(o, where, "multiValued"),
		Description:     r.str(o, where, "description", false),
		Required:        r.boolean(o, where, "required"),
		CaseExact:       r.boolean(o, where, "caseExact"),
		Mutability:      r.word(o, where, "mutability", ReadWrite, ReadOnly, Immutable, WriteOnly),
		Returned:        r.word(o, where, "returned", ReturnedDefault, ReturnedAlways, ReturnedNever, ReturnedRequest),
		Uniqueness:      r.word(o, where, "uniqueness", UniqueNone, UniqueServer, UniqueGlobal),
		CanonicalValues: r.strings(o, where, "canonicalValues"),
		ReferenceTypes:  r.strings(o, where, "referenceTypes"),
		closed:          true,
	}
	r.attributeName(o, where, a, parent)
	r.attributeRules(o, where, a)
	r.parts(o, where, a, parent)
	return a
}

// attributeName checks a name that is there.
func (r *fileReader) attributeName(o object, where string, a, parent *Attribute) {
	if a.Name == "" {
		return
	}
	m, _ := o.member("name")
	switch {
	case a.Name == "$ref" && (parent == nil || a.Type != TypeReference):
		r.fault(m.start, where+": name", "$ref names a sub-attribute of type reference only")
	case a.Name == "$ref":
	case !validName(a.Name) || a.Name[0] == '$' || len(a.Name) > 128:
		r.fault(m.start, where+": name", "%q is no attribute name, which is a letter and then letters, digits, - and _", a.Name)
	case parent == nil && slices.Contains([]string{"id", "externalid", "meta", "schemas"}, strings.ToLower(a.Name)):
		r.fault(m.start, where+": name", "every resource has %s already, a schema cannot define it", a.Name)
	}
	if parent == nil {
		return
	}
	for _, known := range []string{"value", "type", "primary", "display", "$ref"} {
		if strings.EqualFold(a.Name, known) && a.Name != known {
			r.fault(m.start, where+": name", "is written %s", known)
		}
	}
	if a.Name == "primary" && (a.Type != TypeBoolean || a.MultiValued) {
		r.fault(m.start, where, "primary must be a single boolean")
	}
}

// attributeRules checks what the characteristics of one attribute demand of each other.
func (r *fileReader) attributeRules(o object, where string, a *Attribute) {
	at := func(key string) int {
		m, _ := o.member(key)
		return m.start
	}
	if a.Mutability == WriteOnly {
		if _, given := o.member("returned"); !given {
			a.Returned = ReturnedNever
		}
		if a.Returned != ReturnedNever {
			r.fault(at("returned"), where+": returned", "must be never where the mutability is writeOnly")
		}
	}
	if a.Uniqueness != UniqueNone {
		switch {
		case a.Type == TypeComplex || a.Type == TypeBoolean:
			r.fault(at("uniqueness"), where+": uniqueness", "must be none for type %s", a.Type)
		case a.Returned == ReturnedNever:
			r.fault(at("uniqueness"), where+": uniqueness", "must be none for what is never returned, its values are not kept readable")
		}
	}
	if len(a.CanonicalValues) > 0 {
		if a.Type != TypeString && a.Type != TypeReference {
			r.fault(at("canonicalValues"), where+": canonicalValues", "are for types string and reference only")
		}
		folded := map[string]bool{}
		for _, v := range a.CanonicalValues {
			if key := Fold(v); !a.CaseExact && a.Type != TypeReference {
				if folded[key] {
					r.fault(at("canonicalValues"), where+": canonicalValues", "%q is there twice, in another case", v)
				}
				folded[key] = true
			}
		}
	}
	if len(a.ReferenceTypes) > 0 && a.Type != TypeReference {
		r.fault(at("referenceTypes"), where+": referenceTypes", "are for type reference only")
	}
}

// parts reads the sub-attributes, which a complex attribute has and others have not.
func (r *fileReader) parts(o object, where string, a, parent *Attribute) {
	m, ok := o.member("subAttributes")
	list, isList := m.value.([]any)
	switch {
	case a.Type == TypeComplex && parent != nil:
		r.fault(o.at(), where+": type", "a complex attribute cannot hold another complex one")
	case a.Type != TypeComplex && ok && !(isList && len(list) == 0):
		r.fault(m.start, where+": subAttributes", "are for type complex only")
	case a.Type != TypeComplex:
	case !ok:
		r.fault(o.at(), where, "subAttributes is required for type complex")
	case len(list) == 0 || len(list) > maxAttributes:
		r.fault(m.start, where+": subAttributes", "must be a list of 1 to %d attributes", maxAttributes)
	default:
		a.Sub = r.attributes(list, m.start, where, a)
	}
}
