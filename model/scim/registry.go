package scim

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Extension is a schema extension of a resource type (RFC 7643 §6).
type Extension struct {
	Schema   *Schema
	Required bool
}

// ResourceType is a kind of resource with its endpoint and schemas (RFC 7643 §6).
// It does not change once a Registry holds it.
type ResourceType struct {
	Name        string // "User"
	Endpoint    string // "/Users"
	Description string
	Schema      *Schema
	Extensions  []Extension
}

// Registry is the set of resource types a server offers, in the order in which
// they are listed. Made by NewRegistry it is safe for concurrent use.
type Registry struct {
	Types []*ResourceType

	byName map[string]*ResourceType
	byURN  map[string]*Schema
	urns   []string // in order of first use
}

// common holds the attributes id, externalId, meta and schemas.
var common = sync.OnceValue(func() *Schema {
	s := commonSchema()
	if err := s.prepare(); err != nil {
		return &Schema{ID: commonURN}
	}
	return s
})

var defaultRegistry = sync.OnceValues(func() (*Registry, error) {
	return NewRegistry(
		&ResourceType{
			Name: "User", Endpoint: "/Users", Description: "User Account",
			Schema:     coreUser(),
			Extensions: []Extension{{Schema: enterpriseUser()}},
		},
		&ResourceType{
			Name: "Group", Endpoint: "/Groups", Description: "Group",
			Schema: coreGroup(),
		},
	)
})

// DefaultRegistry is the registry of User (with the enterprise extension) and
// Group. All callers share one, which nobody may change.
func DefaultRegistry() *Registry {
	r, err := defaultRegistry()
	if err != nil { // the definitions are constant, a test reads them
		return &Registry{}
	}
	return r
}

// NewRegistry checks and indexes resource types. It takes them over: the caller
// must not change them or their schemas afterwards. One schema may serve several
// types; two different ones may not share an id.
func NewRegistry(types ...*ResourceType) (*Registry, error) {
	r := &Registry{byName: map[string]*ResourceType{}, byURN: map[string]*Schema{}}
	var errs []error
	for _, t := range types {
		if err := r.add(t); err != nil {
			errs = append(errs, fmt.Errorf("resource type %q: %w", t.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Registry) add(t *ResourceType) error {
	key := strings.ToLower(t.Name)
	if key == "" {
		return errors.New("has no name")
	}
	if _, ok := r.byName[key]; ok {
		return errors.New("is defined twice")
	}
	if !strings.HasPrefix(t.Endpoint, "/") || len(t.Endpoint) < 2 {
		return fmt.Errorf("endpoint %q must begin with / and a name", t.Endpoint)
	}
	if t.Schema == nil {
		return errors.New("has no schema")
	}
	if err := r.addSchema(t.Schema); err != nil {
		return err
	}
	for _, e := range t.Extensions {
		if e.Schema == nil {
			return errors.New("has an extension without schema")
		}
		if err := r.addSchema(e.Schema); err != nil {
			return err
		}
	}
	r.byName[key] = t
	r.Types = append(r.Types, t)
	return nil
}

func (r *Registry) addSchema(s *Schema) error {
	key := strings.ToLower(s.ID)
	if old, ok := r.byURN[key]; ok {
		if old != s {
			return fmt.Errorf("schema %s is defined twice", s.ID)
		}
		return nil
	}
	if s.index == nil {
		if err := s.prepare(); err != nil {
			return err
		}
	}
	r.byURN[key] = s
	r.urns = append(r.urns, key)
	return nil
}

// Type finds a resource type by its name in any case.
func (r *Registry) Type(name string) (*ResourceType, bool) {
	if t, ok := r.byName[strings.ToLower(name)]; ok {
		return t, true
	}
	for _, t := range r.Types { // a registry written as a literal has no index
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return nil, false
}

// Schema finds a schema by its URN in any case (RFC 7644 §3.10).
func (r *Registry) Schema(urn string) (*Schema, bool) {
	if s, ok := r.byURN[strings.ToLower(urn)]; ok {
		return s, true
	}
	for _, t := range r.Types {
		if s, ok := t.schemaByURN(urn); ok {
			return s, true
		}
	}
	return nil, false
}

// Schemas lists every schema in use, each once, in order of first use.
func (r *Registry) Schemas() []*Schema {
	out := make([]*Schema, 0, len(r.urns))
	for _, key := range r.urns {
		out = append(out, r.byURN[key])
	}
	return out
}

func (t *ResourceType) schemaByURN(urn string) (*Schema, bool) {
	if strings.EqualFold(t.Schema.ID, urn) {
		return t.Schema, true
	}
	return t.extension(urn)
}

func (t *ResourceType) extension(urn string) (*Schema, bool) {
	for _, e := range t.Extensions {
		if strings.EqualFold(e.Schema.ID, urn) {
			return e.Schema, true
		}
	}
	return nil, false
}

// Attribute finds a core or common attribute by its name in any case; for those
// of extensions ask the extension's schema, or Resolve.
func (t *ResourceType) Attribute(name string) (*Attribute, bool) {
	if a, ok := t.Schema.Attribute(name); ok {
		return a, true
	}
	return common().Attribute(name)
}
