package scimserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

// Precondition is what a client demands of the present version of a resource
// before it may be changed (If-Match and If-None-Match, RFC 7644 §3.14, RFC 9110
// §13.1). The zero value demands nothing.
type Precondition struct {
	match tags // one of these is the version
	none  tags // none of these is the version
}

// tags is a list of entity tags as a header holds it.
type tags struct {
	given bool
	any   bool
	list  []string // opaque parts
}

// ParsePrecondition reads the values of If-Match headers: a list of entity tags, or
// "*". The comparison is weak, because SCIM uses weak tags for it, so W/"1" and "1"
// are the same. A text that is no entity tag is kept and matches nothing: a
// condition is never dropped because it is unreadable.
func ParsePrecondition(values []string) Precondition {
	return Precondition{match: parseTags(values)}
}

// precondition is what the headers of a request demand. A write with
// "If-None-Match: *" wants nothing to be there: it is refused where something is.
func precondition(h http.Header) Precondition {
	return Precondition{match: parseTags(h.Values("If-Match")), none: parseTags(h.Values("If-None-Match"))}
}

func parseTags(values []string) tags {
	t := tags{given: len(values) > 0}
	for _, v := range values {
		for v != "" {
			var tag string
			tag, v = nextTag(v)
			switch tag {
			case "":
			case "*":
				t.any = true
			default:
				t.list = append(t.list, opaque(tag))
			}
		}
	}
	return t
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
func (p Precondition) IsZero() bool { return !p.match.given && !p.none.given }

// holds reports whether one of the tags is the resource's, or "*" was given.
func (t tags) holds(meta scim.Meta) bool {
	return t.any || slices.Contains(t.list, opaque(meta.ETag()))
}

// Check returns 412 if the resource is not, or no longer, in a version the client
// named, or in one that it excluded.
func (p Precondition) Check(meta scim.Meta) error {
	switch {
	case p.match.given && !p.match.holds(meta):
		return scim.Errorf(412, "", "the resource is at version %s, not at the one named in If-Match", meta.ETag())
	case p.none.given && p.none.holds(meta):
		return scim.Errorf(412, "", "the resource is at version %s, which If-None-Match excludes", meta.ETag())
	}
	return nil
}
