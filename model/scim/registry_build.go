package scim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// BuildRegistry makes the registry of User, Group and the types of files, whose
// schemas are in files too, or are the enterprise extension. Types are in the order
// of the files, behind User and Group. The error is SchemaFaults with everything
// that does not fit together: a schema that is defined twice, is one of the RFCs' or
// is used by no type, a type whose schema is missing, names and endpoints that are
// taken, references to types that there are not.
//
// The schemas belong to the registry afterwards. Their canonicalValues are the only
// values allowed, while those of the RFCs' schemas are suggestions.
func BuildRegistry(schemas []*Schema, types []TypeFile) (*Registry, error) {
	b := &registryBuilder{schemas: map[string]*Schema{}, used: map[string]bool{}, types: map[string]*ResourceType{}, endpoints: map[string]string{}}
	b.addSchemas(schemas)
	for _, core := range DefaultRegistry().Types {
		t := *core
		t.Extensions = slices.Clone(core.Extensions)
		b.add(&t)
	}
	for _, f := range types {
		b.addFile(f)
	}
	for _, s := range schemas {
		if !b.used[s.Key()] {
			b.extendByName(s)
		}
	}
	b.ambiguous()
	b.references(schemas)
	if len(b.faults) > 0 {
		return nil, b.faults
	}
	reg, err := NewRegistry(b.order...)
	if err != nil {
		return nil, SchemaFaults{{Rule: err.Error()}}
	}
	return reg, nil
}

// extendByName makes a schema that no type names an extension of the type that its
// URN ends in, as the RFCs' own do: urn:…:extension:employment:2.0:User.
func (b *registryBuilder) extendByName(s *Schema) {
	t := b.types[s.Key()[strings.LastIndexByte(s.Key(), ':')+1:]]
	if t == nil {
		b.fault(s.ID, "no resource type uses the schema; name it in resource_types")
		return
	}
	b.extend(s.ID, t, []ExtensionFile{{Schema: s.ID}})
}

type registryBuilder struct {
	schemas   map[string]*Schema // by lower-case URN: those of files, and the enterprise extension
	used      map[string]bool
	types     map[string]*ResourceType // by lower-case name
	endpoints map[string]string        // lower-case endpoint to the type's name
	order     []*ResourceType
	faults    SchemaFaults
}

func (b *registryBuilder) fault(where, rule string, args ...any) {
	b.faults = append(b.faults, SchemaFault{Where: where, Rule: fmt.Sprintf(rule, args...)})
}

func (b *registryBuilder) addSchemas(schemas []*Schema) {
	for _, s := range schemas {
		key := s.Key()
		switch {
		case reservedURN(key):
			b.fault(s.ID, "is a schema of the RFCs and cannot be defined again")
		case b.schemas[key] != nil:
			b.fault(s.ID, "the schema is defined twice")
		default:
			b.schemas[key] = s
		}
	}
	if s, ok := DefaultRegistry().Schema(URNEnterprise); ok {
		b.schemas[s.Key()] = s
	}
}

// reservedURN knows the schemas and messages that the service itself defines.
func reservedURN(key string) bool {
	for _, urn := range []string{URNUser, URNGroup, URNEnterprise, URNServiceProviderCfg, URNResourceType, URNSchema} {
		if strings.EqualFold(urn, key) {
			return true
		}
	}
	return strings.HasPrefix(key, "urn:ietf:params:scim:api:")
}

// add takes a type in that is known to be right.
func (b *registryBuilder) add(t *ResourceType) {
	b.order = append(b.order, t)
	b.types[strings.ToLower(t.Name)] = t
	b.endpoints[strings.ToLower(t.Endpoint)] = t.Name
}

func (b *registryBuilder) addFile(f TypeFile) {
	where := "resource type " + f.Name
	if _, core := coreType(f.Name); core {
		b.extend(where, b.types[strings.ToLower(f.Name)], f.Extensions)
		return
	}
	t := &ResourceType{Name: f.Name, Endpoint: f.Endpoint, Description: f.Description}
	if slices.ContainsFunc([]string{"Schema", "ResourceType", "ServiceProviderConfig", "Bulk", "Me"}, func(s string) bool { return strings.EqualFold(s, f.Name) }) {
		b.fault(where+": name", "is taken by the protocol")
	}
	if b.types[strings.ToLower(f.Name)] != nil {
		b.fault(where, "is defined twice")
	}
	for _, e := range []string{"/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Bulk", "/Me"} {
		if strings.EqualFold(e, f.Endpoint) {
			b.fault(where+": endpoint", "%s is taken by the protocol", e)
		}
	}
	if other := b.endpoints[strings.ToLower(f.Endpoint)]; other != "" {
		b.fault(where+": endpoint", "%s is that of %s", f.Endpoint, other)
	}
	t.Schema = b.schema(where+": schema", f.Schema)
	if t.Schema == nil {
		return
	}
	b.extend(where, t, f.Extensions)
	b.add(t)
}

// schema finds a schema that a type names.
func (b *registryBuilder) schema(where, urn string) *Schema {
	key := strings.ToLower(urn)
	b.used[key] = true
	s := b.schemas[key]
	switch {
	case s != nil:
	case reservedURN(key):
		b.fault(where, "%s cannot be used by another type", urn)
	default:
		b.fault(where, "%s is in none of the schema files", urn)
	}
	return s
}

func (b *registryBuilder) extend(where string, t *ResourceType, extensions []ExtensionFile) {
	for _, x := range extensions {
		s := b.schema(where+": schemaExtensions", x.Schema)
		i := slices.IndexFunc(t.Extensions, func(e Extension) bool { return s != nil && e.Schema.Key() == s.Key() })
		switch {
		case s == nil:
		case s == t.Schema:
			b.fault(where+": schemaExtensions", "%s is the type's own schema", s.ID)
		case i >= 0:
			t.Extensions[i].Required = t.Extensions[i].Required || x.Required
		default:
			t.Extensions = append(t.Extensions, Extension{Schema: s, Required: x.Required})
		}
	}
}

// ambiguous refuses URNs that read as an attribute of another schema.
func (b *registryBuilder) ambiguous() {
	keys := slices.Sorted(maps.Keys(b.schemas))
	for _, long := range keys {
		for _, short := range keys {
			rest, ok := strings.CutPrefix(long, short+":")
			if !ok {
				continue
			}
			if _, clash := scan(b.schemas[short].Attributes, rest); clash {
				b.fault(b.schemas[long].ID, "reads as the attribute %s of %s, choose another URN", rest, b.schemas[short].ID)
			}
		}
	}
}

// references demands that referenceTypes name types that there are.
func (b *registryBuilder) references(schemas []*Schema) {
	for _, s := range schemas {
		for _, a := range s.Attributes {
			b.reference(s.ID+": attribute "+a.Name, a)
			for _, sub := range a.Sub {
				b.reference(s.ID+": attribute "+a.Name+"."+sub.Name, sub)
			}
		}
	}
}

func (b *registryBuilder) reference(where string, a *Attribute) {
	for _, name := range a.ReferenceTypes {
		if name != "external" && name != "uri" && b.types[strings.ToLower(name)] == nil {
			b.fault(where+": referenceTypes", `%q is neither a resource type, nor "external", nor "uri"`, name)
		}
	}
}
