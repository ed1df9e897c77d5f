package scim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The data types of RFC 7643 §2.3, as Attribute.Type spells them.
const (
	TypeString    = "string"
	TypeBoolean   = "boolean"
	TypeDecimal   = "decimal"
	TypeInteger   = "integer"
	TypeDateTime  = "dateTime"
	TypeBinary    = "binary"
	TypeReference = "reference"
	TypeComplex   = "complex"
)

// The mutability words of RFC 7643 §7.
const (
	ReadOnly  = "readOnly"
	ReadWrite = "readWrite"
	Immutable = "immutable"
	WriteOnly = "writeOnly"
)

// The words of RFC 7643 §7 that say when an attribute is returned.
const (
	ReturnedAlways  = "always"
	ReturnedNever   = "never"
	ReturnedDefault = "default"
	ReturnedRequest = "request"
)

// Attribute is the definition of one attribute or sub-attribute (RFC 7643 §7).
// It belongs to a Schema and does not change once a Registry holds it.
type Attribute struct {
	Name            string
	Type            string // string, boolean, decimal, integer, dateTime, binary, reference, complex
	MultiValued     bool
	Description     string
	Required        bool
	CaseExact       bool
	Mutability      string // readOnly, readWrite, immutable, writeOnly
	Returned        string // always, never, default, request
	Uniqueness      string // none, server, global
	CanonicalValues []string
	ReferenceTypes  []string
	Sub             []*Attribute

	key      string                // Name in lower case: the key in a search document
	urnKey   string                // the schema's URN in lower case
	parent   *Attribute            // the complex attribute this is a part of
	index    map[string]*Attribute // Sub by name and by lower-case name
	computed bool                  // made when rendering, never stored: meta.location, members.$ref
	keyed    bool                  // elements are identified by their value alone: members, groups
	refLike  bool                  // has value and $ref: it names another resource
	userName bool                  // compared as FoldName says
	closed   bool                  // CanonicalValues are the only ones allowed
	always   bool                  // a sub-attribute is always returned
	format   format                // what the RFC says of its values beyond the type
}

// Key is the attribute's name in a search document: lower case.
func (a *Attribute) Key() string {
	if a.key != "" {
		return a.key
	}
	return strings.ToLower(a.Name)
}

// Equal reports whether both are the same definition. Definitions are compared
// by identity; they are made once.
func (a *Attribute) Equal(b *Attribute) bool { return a == b }

// SubAttribute finds a sub-attribute by its name in any case.
func (a *Attribute) SubAttribute(name string) (*Attribute, bool) {
	if a.index != nil {
		return lookup(a.index, name)
	}
	return scan(a.Sub, name)
}

// Schema is a set of attribute definitions (RFC 7643 §7).
type Schema struct {
	ID, Name, Description string
	Attributes            []*Attribute

	key   string
	index map[string]*Attribute
}

// Key is the URN in lower case: the key under which a search document holds the
// attributes of an extension.
func (s *Schema) Key() string {
	if s.key != "" {
		return s.key
	}
	return strings.ToLower(s.ID)
}

// Attribute finds a top-level attribute by its name in any case.
func (s *Schema) Attribute(name string) (*Attribute, bool) {
	if s.index != nil {
		return lookup(s.index, name)
	}
	return scan(s.Attributes, name)
}

func lookup(index map[string]*Attribute, name string) (*Attribute, bool) {
	if a, ok := index[name]; ok {
		return a, true
	}
	a, ok := index[strings.ToLower(name)]
	return a, ok
}

func scan(list []*Attribute, name string) (*Attribute, bool) {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a, true
		}
	}
	return nil, false
}

// prepare fills the look-up tables and checks what they rely on. It is called
// while the schema is still private to its maker.
func (s *Schema) prepare() error {
	if s.ID == "" {
		return fmt.Errorf("schema %q has no id", s.Name)
	}
	s.key = strings.ToLower(s.ID)
	index, err := prepare(s.Attributes, s.key, nil)
	if err != nil {
		return fmt.Errorf("schema %s: %w", s.ID, err)
	}
	s.index = index
	return nil
}

func prepare(list []*Attribute, urnKey string, parent *Attribute) (map[string]*Attribute, error) {
	index := make(map[string]*Attribute, 2*len(list))
	for _, a := range list {
		if !validName(a.Name) {
			return nil, fmt.Errorf("%q is not an attribute name", a.Name)
		}
		a.defaults()
		a.key, a.urnKey, a.parent = strings.ToLower(a.Name), urnKey, parent
		a.userName = parent == nil && a.key == "username" && strings.EqualFold(urnKey, URNUser)
		if strings.EqualFold(urnKey, URNUser) {
			a.format = formatOf(a, parent)
		}
		if _, ok := index[a.key]; ok {
			return nil, fmt.Errorf("attribute %q is defined twice", a.Name)
		}
		index[a.key], index[a.Name] = a, a
		if a.Type != TypeComplex {
			continue
		}
		if parent != nil {
			return nil, fmt.Errorf("attribute %q: a complex attribute cannot hold another", a.Name)
		}
		sub, err := prepare(a.Sub, urnKey, a)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		a.index = sub
		a.always = slices.ContainsFunc(a.Sub, func(x *Attribute) bool { return x.Returned == ReturnedAlways })
		_, value := sub["value"]
		ref, hasRef := sub["$ref"]
		a.refLike = value && hasRef
		a.keyed = a.refLike && a.MultiValued &&
			(a.key == "members" && strings.EqualFold(urnKey, URNGroup) || a.key == "groups" && strings.EqualFold(urnKey, URNUser))
		if a.keyed {
			ref.computed = true
		}
	}
	return index, nil
}

// defaults fills in what RFC 7643 §2.2 assumes of a definition that does not say.
// Binary values and references are case exact in any case (§2.3.6, §2.3.7).
func (a *Attribute) defaults() {
	a.Type = cmp.Or(a.Type, TypeString)
	a.Mutability = cmp.Or(a.Mutability, ReadWrite)
	a.Returned = cmp.Or(a.Returned, ReturnedDefault)
	a.Uniqueness = cmp.Or(a.Uniqueness, UniqueNone)
	a.CaseExact = a.CaseExact || a.Type == TypeBinary || a.Type == TypeReference
}

// validName checks ATTRNAME of RFC 7643 §2.1, with the leading $ of "$ref".
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case c == '$' && i == 0 && len(name) > 1:
		case i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return name != ""
}
