package scim

import (
	"slices"

	"github.com/elimity-com/scim/schema"
)

// convert takes a library definition over into our own terms, which have indexes,
// are safe to share and can be corrected.
func convert(s schema.Schema) *Schema {
	return &Schema{
		ID:          s.ID,
		Name:        s.Name.Value(),
		Description: s.Description.Value(),
		Attributes:  convertAll(s.Attributes),
	}
}

func convertAll(list schema.Attributes) []*Attribute {
	out := make([]*Attribute, 0, len(list))
	for _, a := range list {
		c := &Attribute{
			Name:            a.Name(),
			Type:            a.AttributeType(),
			MultiValued:     a.MultiValued(),
			Description:     a.Description(),
			Required:        a.Required(),
			CaseExact:       a.CaseExact(),
			Mutability:      a.Mutability(),
			Returned:        a.Returned(),
			Uniqueness:      a.Uniqueness(),
			CanonicalValues: slices.Clone(a.CanonicalValues()),
		}
		for _, r := range a.ReferenceTypes() {
			c.ReferenceTypes = append(c.ReferenceTypes, string(r))
		}
		if a.HasSubAttributes() {
			c.Sub = convertAll(a.SubAttributes())
		}
		out = append(out, c)
	}
	return out
}

// coreUser is the User schema of RFC 7643 §4.1.
func coreUser() *Schema {
	s := convert(schema.CoreUserSchema())
	amend(s, "groups", func(a *Attribute) { a.Mutability = ReadOnly })
	// The value is the id of a resource, and ids are case exact (§3.1), whatever
	// the sample schema in §8.7.1 says.
	amendSub(s, "groups", "value", func(a *Attribute) { a.CaseExact = true })
	amendSub(s, "groups", "$ref", func(a *Attribute) { a.ReferenceTypes = []string{"Group"} })
	amend(s, "password", func(a *Attribute) {
		a.Mutability, a.Returned, a.CaseExact = WriteOnly, ReturnedNever, true
	})
	return s
}

// coreGroup is the Group schema of RFC 7643 §4.2, whose text makes displayName
// required although the sample in §8.7.1 does not.
func coreGroup() *Schema {
	s := convert(schema.CoreGroupSchema())
	amend(s, "displayName", func(a *Attribute) { a.Required = true })
	amendSub(s, "members", "value", func(a *Attribute) { a.CaseExact = true })
	return s
}

// enterpriseUser is the extension of RFC 7643 §4.3.
func enterpriseUser() *Schema {
	s := convert(schema.ExtensionEnterpriseUser())
	amendSub(s, "manager", "value", func(a *Attribute) { a.CaseExact = true })
	amendSub(s, "manager", "displayName", func(a *Attribute) { a.Mutability = ReadOnly })
	return s
}

// commonURN is in the place of a URN for the attributes that every resource has.
const commonURN = "common"

// commonSchema holds the attributes that every resource has (RFC 7643 §3).
// It is never listed; its id only keeps it apart from the real ones.
func commonSchema() *Schema {
	s := &Schema{ID: commonURN, Attributes: convertAll(schema.CommonAttributes())}
	amend(s, "schemas", func(a *Attribute) { a.Returned, a.Mutability = ReturnedAlways, ReadWrite })
	amendSub(s, "meta", "location", func(a *Attribute) { a.computed = true })
	return s
}

func amend(s *Schema, name string, change func(*Attribute)) {
	if a, ok := scan(s.Attributes, name); ok {
		change(a)
	}
}

func amendSub(s *Schema, name, sub string, change func(*Attribute)) {
	if a, ok := scan(s.Attributes, name); ok {
		if b, ok := scan(a.Sub, sub); ok {
			change(b)
		}
	}
}
