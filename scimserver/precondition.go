package scimserver

import (
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// Precondition is what a client demands of the present version of a resource
// before it may be changed (If-Match, RFC 7644 §3.14, RFC 9110 §13.1.1). The zero
// value demands nothing.
type Precondition struct {
	given bool
	any   bool
	tags  []string // opaque parts
}

// ParsePrecondition reads the values of If-Match (or If-None-Match) headers: a
// list of entity tags, or "*". The comparison is weak, because SCIM uses weak
// tags for it, so W/"1" and "1" are the same. A text that is no entity tag is
// kept and matches nothing: a condition is never dropped because it is unreadable.
func ParsePrecondition(values []string) Precondition {
	p := Precondition{given: len(values) > 0}
	for _, v := range values {
		for v != "" {
			var tag string
			tag, v = nextTag(v)
			switch tag {
			case "":
			case "*":
				p.any = true
			default:
				p.tags = append(p.tags, opaque(tag))
			}
		}
	}
	return p
}

// nextTag cuts the first element off a comma-separated list; commas inside quotes
// belong to the tag.
func nextTag(list string) (tag, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '"':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return strings.TrimSpace(list[:i]), list[i+1:]
		}
	}
	return strings.TrimSpace(list), ""
}

// opaque is the part of an entity tag that the weak comparison looks at. Quotes
// are optional, as some clients lose them.
func opaque(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		return tag[1 : len(tag)-1]
	}
	return tag
}

// IsZero reports whether nothing is demanded.
func (p Precondition) IsZero() bool { return !p.given }

// Matches reports whether one of the tags is the resource's, or "*" was given.
func (p Precondition) Matches(meta scim.Meta) bool {
	return p.any || slices.Contains(p.tags, opaque(meta.ETag()))
}

// Check returns 412 if the resource is not, or no longer, in a version the client named.
func (p Precondition) Check(meta scim.Meta) error {
	if !p.given || p.Matches(meta) {
		return nil
	}
	return scim.Errorf(412, "", "the resource is at version %s, not at the one named in If-Match", meta.ETag())
}
