package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// schemas are the types of requests and answers as JSON Schema (draft 2020-12).
type schemas struct {
	defs    object // by name, for components
	in, out map[reflect.Type]object
	needed  map[reflect.Type]bool // requests that cannot do without a body
	named   map[string]reflect.Type
}

// refs is where schemas stand in the document.
const refs = "#/components/schemas/"

// newSchemas reads the types of all routes. A type that is part of requests and of
// answers gets another name in requests: they are strict, answers may grow.
func newSchemas(routes []route) (*schemas, error) {
	s := &schemas{defs: object{}, in: map[reflect.Type]object{}, out: map[reflect.Type]object{}, needed: map[reflect.Type]bool{}, named: map[string]reflect.Type{}}
	ins, outs := object{}, object{}
	for _, rt := range append(routes, route{about: about{out: Problem{}}}) {
		if err := s.reflected(rt.about.out, false, outs, s.out); err != nil {
			return nil, fmt.Errorf("%s %s: %w", rt.method, rt.path, err)
		}
		if err := s.reflected(rt.about.in, true, ins, s.in); err != nil {
			return nil, fmt.Errorf("%s %s: %w", rt.method, rt.path, err)
		}
	}
	maps.Copy(s.defs, outs)
	renamed := map[string]string{}
	for name := range ins {
		if _, both := outs[name]; both {
			renamed[refs+name] = refs + name + "Input"
		}
	}
	for name, def := range ins {
		rename(def, renamed)
		if to, ok := renamed[refs+name]; ok {
			name = strings.TrimPrefix(to, refs)
		}
		s.defs[name] = def
	}
	for t, ref := range s.in {
		rename(ref, renamed)
		name, _ := ref["$ref"].(string)
		def, _ := s.defs[strings.TrimPrefix(name, refs)].(object)
		s.needed[t] = def["required"] != nil
	}
	return s, nil
}

// request is the schema of a body, and whether there must be one.
func (s *schemas) request(v any) (schema object, required bool) {
	t := reflect.TypeOf(v)
	return s.in[t], s.needed[t]
}

func (s *schemas) answer(v any) object { return s.out[reflect.TypeOf(v)] }

// reflected adds the schema of a value's type, and of all that it is made of. Two types
// of one name are an error.
func (s *schemas) reflected(v any, strict bool, defs object, byType map[reflect.Type]object) error {
	t := reflect.TypeOf(v)
	if t == nil || byType[t] != nil {
		return nil
	}
	var twice error
	structs := map[string]reflect.Type{}
	r := jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: !strict,
		Namer: func(t reflect.Type) string {
			name := schemaName(t)
			if was := s.named[name]; name != "" && was != nil && was != t {
				twice = fmt.Errorf("%s is the name of %s and of %s", name, was, t)
			}
			s.named[name] = t
			if t.Kind() == reflect.Struct {
				structs[name] = t
			}
			return name
		}}
	raw, err := json.Marshal(r.ReflectFromType(t))
	if err = errors.Join(err, twice); err != nil {
		return err
	}
	var made object
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	found, _ := made["$defs"].(object)
	delete(made, "$defs")
	delete(made, "$schema")
	for name, def := range found {
		rename(def, map[string]string{"": refs})
		if t, ok := structs[name]; ok && !strict {
			nullable(t, def)
		}
		defs[name] = def
	}
	rename(made, map[string]string{"": refs})
	byType[t] = made
	return nil
}

// schemaName names a type: those of other packages with their package, those with a
// parameter by it.
func schemaName(t reflect.Type) string {
	name, of, generic := strings.Cut(t.Name(), "[")
	if name == "" {
		return ""
	}
	if generic {
		of = strings.TrimSuffix(of, "]")
		of = of[strings.LastIndexByte(of, '.')+1:]
		if name == "page" {
			return of + "Page"
		}
		return name + of
	}
	if pkg := path.Base(t.PkgPath()); pkg != "admin" && pkg != "." {
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}

// rename puts other references in place of those that are named; of the empty name,
// those of the document in place of those of a schema by itself.
func rename(v any, to map[string]string) {
	switch v := v.(type) {
	case object:
		for key, one := range v {
			if text, ok := one.(string); ok && key == "$ref" {
				if prefix, all := to[""]; all {
					v[key] = prefix + strings.TrimPrefix(strings.TrimPrefix(text, "#/$defs/"), prefix)
				} else if other, ok := to[text]; ok {
					v[key] = other
				}
				continue
			}
			rename(one, to)
		}
	case []any:
		for _, one := range v {
			rename(one, to)
		}
	}
}

// nullable lets null stand where Go writes it: for a list, a map or a pointer that is
// nil and not left out.
func nullable(t reflect.Type, def any) {
	schema, _ := def.(object)
	properties, _ := schema["properties"].(object)
	for name := range nullFields(t) {
		if was, ok := properties[name].(object); ok && len(was) > 0 {
			properties[name] = object{"anyOf": []any{was, object{"type": "null"}}}
		}
	}
}

// nullFields are the names of fields that may be null, those of embedded structs included.
func nullFields(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		left := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			if !left {
				out[name] = true
			}
		}
	}
	return out
}
