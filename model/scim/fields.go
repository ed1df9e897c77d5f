package scim

import (
	"strings"
)

// Fields selects what a response shows (RFC 7644 §3.9): Include replaces the
// attributes returned by default, Exclude takes from them. At most one of them is
// set; the zero value selects the default. Paths are unbound, and one that a
// resource type does not know selects nothing there.
type Fields struct {
	Include []Path // attributes=
	Exclude []Path // excludedAttributes=

	// Given are attributes that the client set in the request that is answered: those
	// returned on request only are shown then (RFC 7643 §7). See ResourceType.Given.
	Given []*Attribute

	// PassOn says that the asker can pass Resource.Encoded on as it is. Only
	// together with the default selection, of a type that ShowsAll.
	PassOn bool
}

// ParseFields reads the parameters attributes and excludedAttributes, lists of
// paths separated by commas. An empty text counts as not given. The error is an
// *Error 400: invalidValue if both are given or a path has brackets, invalidPath
// for a path that is none.
func ParseFields(attributes, excluded string) (Fields, error) {
	include, err := parseFieldList("attributes", attributes)
	if err != nil {
		return Fields{}, err
	}
	exclude, err := parseFieldList("excludedAttributes", excluded)
	if err != nil {
		return Fields{}, err
	}
	if include != nil && exclude != nil {
		return Fields{}, Errorf(400, InvalidValue, "attributes and excludedAttributes cannot be used together")
	}
	return Fields{Include: include, Exclude: exclude}, nil
}

func parseFieldList(param, text string) ([]Path, error) {
	if len(text) > MaxFilterLength {
		return nil, Errorf(400, InvalidValue, "%s: longer than %d bytes", param, MaxFilterLength)
	}
	var out []Path
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		p, err := ParsePath(part)
		if err != nil {
			if e, ok := AsError(err); ok {
				return nil, Errorf(e.Status, e.Type, "%s: %s: %s", param, part, e.Detail)
			}
			return nil, err
		}
		if p.Filter != nil {
			return nil, Errorf(400, InvalidValue, "%s: %s: [ ] cannot be used here", param, part)
		}
		out = append(out, p)
	}
	return out, nil
}

// Wants reports whether the core attribute of that name may be in the response,
// so that a backend can leave it unread: "members", "groups". It says true where
// it is not sure.
func (f Fields) Wants(attr string) bool {
	for _, p := range f.Include {
		if strings.EqualFold(p.Attr, attr) || p.URI != "" && p.Sub == "" && isCoreURN(p.URI+":") {
			return true
		}
	}
	for _, p := range f.Exclude {
		if p.Sub == "" && strings.EqualFold(p.Attr, attr) && (p.URI == "" || isCoreURN(p.URI)) {
			return false
		}
	}
	return len(f.Include) == 0
}

// isCoreURN knows the URNs of core schemas, in any case.
func isCoreURN(urn string) bool {
	const core = "urn:ietf:params:scim:schemas:core:"
	return len(urn) >= len(core) && strings.EqualFold(urn[:len(core)], core)
}

// selection is Fields resolved against a type: what to do with each attribute by
// its key, extensions by theirs.
type selection struct {
	include bool // only what is listed, else all but what is listed
	attrs   map[string]*choice
	whole   bool // the core schema as a whole is listed
	given   map[*Attribute]bool
}

// choice is what is listed of one attribute (sub-attributes) or one extension
// (attributes): all of it, or parts.
type choice struct {
	all   bool
	parts map[string]*choice
}

func (c *choice) part(key string) *choice {
	if c.parts == nil {
		c.parts = map[string]*choice{}
	}
	p := c.parts[key]
	if p == nil {
		p = &choice{}
		c.parts[key] = p
	}
	return p
}

// selectFields resolves f; nil means the default set.
func (t *ResourceType) selectFields(f Fields) *selection {
	paths := f.Include
	if len(paths) == 0 {
		paths = f.Exclude
	}
	if len(paths) == 0 && len(f.Given) == 0 {
		return nil
	}
	s := &selection{include: len(f.Include) > 0, attrs: make(map[string]*choice, len(paths))}
	for _, a := range f.Given {
		if s.given == nil {
			s.given = make(map[*Attribute]bool, len(f.Given))
		}
		s.given[a] = true
	}
	root := &choice{parts: s.attrs}
	for _, p := range paths {
		if p.Sub == "" && strings.EqualFold(p.URI+":"+p.Attr, t.Schema.ID) {
			s.whole = true
			continue
		}
		f, problem := t.find(p, &Dialect{})
		if problem != "" {
			continue
		}
		c := root
		if f.ext != nil {
			c = c.part(f.ext.Key())
		}
		if f.attr != nil {
			c = c.part(f.attr.Key())
		}
		if f.sub != nil {
			c = c.part(f.sub.Key())
		}
		c.all = true
	}
	return s
}

// within is the selection for the parts of an attribute that is shown as a whole.
func (s *selection) within() *selection {
	if s == nil || s.given == nil {
		return nil
	}
	return &selection{given: s.given}
}

// shows tells whether an attribute is in the response and which of its parts are
// listed. listed is what the selection says of it, nil for nothing; whole that
// everything around it is listed.
func (s *selection) shows(a *Attribute, listed *choice, whole bool) (show bool, parts *choice) {
	if a.Returned == ReturnedNever || a.Mutability == WriteOnly {
		return false, nil
	}
	if a.Returned == ReturnedAlways {
		return true, nil
	}
	byDefault := a.Returned != ReturnedRequest || s != nil && s.given[a]
	switch {
	case s == nil:
		return byDefault, nil
	case s.include && listed == nil:
		return whole && byDefault, nil
	case s.include && listed.all:
		return true, nil
	case s.include:
		return true, listed
	case listed == nil:
		return byDefault && !whole, nil
	case listed.all || whole:
		return false, nil
	}
	return byDefault, listed
}
