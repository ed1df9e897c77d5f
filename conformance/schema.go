package conformance

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

type resourceType struct {
	id, name, endpoint, urn string
	extensions              []extension
}

type extension struct {
	urn      string
	required bool
}

type schema struct {
	urn        string
	attributes []*attribute
}

// attribute is a definition as the service publishes it (RFC 7643 §7), with the
// defaults of §2.2 where it says nothing.
type attribute struct {
	name, kind, mutability, returned, uniqueness string
	multi, required, caseExact                   bool
	canonical, refs                              []string
	sub                                          []*attribute
	extension                                    string // URN, if it is not of the core schema
	parent                                       *attribute
}

func (s *suite) readSchemas() {
	s.schemas = map[string]*schema{}
	for _, e := range discovered(s.listURNs) {
		s.addSchema(e)
	}
	if s.schemas[strings.ToLower(urnUser)] != nil {
		return
	}
	s.note("/Schemas does not show %s: the definitions of RFC 7643 §8.7 are used", urnUser)
	for _, def := range scim.DefaultRegistry().Schemas() {
		if s.schemas[strings.ToLower(def.ID)] != nil {
			continue
		}
		var m map[string]any
		if text, err := json.Marshal(def.JSON("")); err == nil && json.Unmarshal(text, &m) == nil {
			s.addSchema(m)
		}
	}
}

// discovered are the objects of a discovery list; a bare array, which some services
// answer with, is read too.
func discovered(a *answer) []map[string]any {
	if !a.success() {
		return nil
	}
	elements := list(a.value)
	if a.obj != nil {
		elements = list(get(a.obj, "Resources"))
	}
	var out []map[string]any
	for _, e := range elements {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func (s *suite) addSchema(m map[string]any) {
	urn := text(get(m, "id"))
	if urn == "" {
		return
	}
	ext := urn
	if strings.EqualFold(urn, urnUser) || strings.EqualFold(urn, urnGroup) {
		ext = ""
	}
	s.schemas[strings.ToLower(urn)] = &schema{urn: urn, attributes: readAttributes(get(m, "attributes"), ext, nil)}
}

func readAttributes(v any, ext string, parent *attribute) []*attribute {
	var out []*attribute
	for _, e := range list(v) {
		m, ok := e.(map[string]any)
		if !ok || text(get(m, "name")) == "" {
			continue
		}
		word := func(key, otherwise string) string {
			if w := text(get(m, key)); w != "" {
				return w
			}
			return otherwise
		}
		a := &attribute{
			name: text(get(m, "name")), kind: word("type", "string"), mutability: word("mutability", "readWrite"),
			returned: word("returned", "default"), uniqueness: word("uniqueness", "none"),
			multi: get(m, "multiValued") == true, required: get(m, "required") == true, caseExact: get(m, "caseExact") == true,
			canonical: words(get(m, "canonicalValues")), refs: words(get(m, "referenceTypes")),
			extension: ext, parent: parent,
		}
		if parent == nil {
			a.sub = readAttributes(get(m, "subAttributes"), ext, a)
		}
		out = append(out, a)
	}
	return out
}

func words(v any) []string {
	var out []string
	for _, e := range list(v) {
		if w := text(e); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// schemaOf is the schema with the URN; an empty one if the service does not show it.
func (s *suite) schemaOf(urn string) *schema {
	if sch := s.schemas[strings.ToLower(urn)]; sch != nil {
		return sch
	}
	return &schema{urn: urn}
}

// attributesOf lists the top-level attributes of a type, its extensions included.
func (s *suite) attributesOf(t *resourceType) []*attribute {
	out := slices.Clone(s.schemaOf(t.urn).attributes)
	for _, e := range t.extensions {
		out = append(out, s.schemaOf(e.urn).attributes...)
	}
	return out
}

// defined finds a core attribute, or a sub-attribute "name.givenName", of a type.
func (s *suite) defined(t *resourceType, path string) *attribute {
	if t == nil {
		return nil
	}
	first, rest, _ := strings.Cut(path, ".")
	for _, a := range s.schemaOf(t.urn).attributes {
		if !strings.EqualFold(a.name, first) {
			continue
		}
		if rest == "" {
			return a
		}
		return a.part(rest)
	}
	return nil
}

// part finds a sub-attribute.
func (a *attribute) part(name string) *attribute {
	for _, b := range a.sub {
		if strings.EqualFold(b.name, name) {
			return b
		}
	}
	return nil
}
