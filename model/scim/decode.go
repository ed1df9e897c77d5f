package scim

import (
	"slices"
	"strconv"
	"strings"
)

// Decode reads the body of a POST or PUT into attributes as Resource.Attrs holds
// them, checked against the schemas (RFC 7643 §2, RFC 7644 §3.3):
//
//   - The body is read as by ParseJSON and must be an object.
//   - schemas must name the type's schema and otherwise only its extensions. In the
//     result it lists the core URN and those of the extensions that hold data.
//   - Names get the schema's case. null, "", [] and {} mean unassigned and are
//     dropped, in lists too.
//   - readOnly attributes, id and meta are dropped, and so are what the service
//     makes up itself (members.$ref) and repeated elements of a list.
//   - Every value must have its attribute's type; a dateTime or reference keeps the
//     text that was sent. Required attributes must be there. One element of a list
//     may be primary.
//
// The Dialect's tolerances apply. The error is an *Error 400 that names the
// attribute and the rule: invalidSyntax for the shape of the message, unknown
// attributes and schemas, invalidValue for values.
func (t *ResourceType) Decode(body []byte, d Dialect) (map[string]any, error) {
	o, err := parseBody(body, &d)
	if err != nil {
		return nil, err
	}
	c := &decoder{t: t, d: &d}
	if err := c.schemas(o); err != nil {
		return nil, err
	}
	attrs := make(map[string]any, len(o)+1)
	for _, m := range o {
		if err := c.topLevel(attrs, m); err != nil {
			return nil, err
		}
	}
	if err := t.checkRequired(attrs); err != nil {
		return nil, err
	}
	t.setSchemas(attrs)
	return attrs, nil
}

// decoder turns JSON values into attribute values.
type decoder struct {
	t *ResourceType
	d *Dialect
	// keepNil leaves unassigned parts of an object in it as nil: a PATCH that
	// merges has to know what to clear.
	keepNil bool
}

// place is where a value stands, for messages; it costs nothing until one is made.
type place struct {
	up    *place
	urn   string // extension
	name  string
	index int // of an element, -1 for none
}

func (p *place) String() string {
	s := p.name
	if p.index >= 0 {
		s = "[" + strconv.Itoa(p.index) + "]"
	}
	switch {
	case p.up != nil && p.index >= 0:
		return p.up.String() + s
	case p.up != nil:
		return p.up.String() + "." + s
	case p.urn != "" && s != "":
		return p.urn + ":" + s
	}
	return p.urn + s
}

func (p *place) fault(rule string) error {
	return Errorf(400, InvalidValue, "%s: %s", p, rule)
}

func (p *place) sub(name string) *place { return &place{up: p, name: name, index: -1} }

// schemas checks the list of schema URIs of a body (RFC 7643 §3).
func (c *decoder) schemas(o object) error {
	v, ok := o.get("schemas")
	if v == nil {
		if c.d.use(c.d.MissingSchemas, FlagMissingSchemas) {
			return nil
		}
		if !ok {
			return Errorf(400, InvalidSyntax, "schemas: is required and must contain %s", c.t.Schema.ID)
		}
	}
	list, err := c.uris(v)
	if err != nil {
		return err
	}
	core := false
	for i, u := range list {
		s, known := c.t.schemaByURN(u)
		core = core || known && s == c.t.Schema
		again := slices.ContainsFunc(list[:i], func(o string) bool { return strings.EqualFold(o, u) })
		if (again || !known) && !c.d.use(c.d.ForeignSchemas, FlagForeignSchemas) {
			if again {
				return Errorf(400, InvalidSyntax, "schemas[%d]: %s is listed twice", i, u)
			}
			return Errorf(400, InvalidSyntax, "schemas[%d]: %s is not a schema of %s", i, u, c.t.Name)
		}
	}
	if !core && !c.d.use(c.d.ForeignSchemas, FlagForeignSchemas) {
		return Errorf(400, InvalidSyntax, "schemas: must contain %s", c.t.Schema.ID)
	}
	return nil
}

// maxSchemas bounds the list of schemas in a body.
const maxSchemas = 64

func (c *decoder) uris(v any) ([]string, error) {
	list, ok := v.([]any)
	if s, single := v.(string); single && c.d.use(c.d.SingleForList, FlagSingleForList) {
		list, ok = []any{s}, true
	}
	if !ok || len(list) > maxSchemas {
		return nil, Errorf(400, InvalidSyntax, "schemas: must be a list of at most %d URIs", maxSchemas)
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, Errorf(400, InvalidSyntax, "schemas[%d]: must be a string", i)
		}
	}
	return out, nil
}

// topLevel reads one member of the body.
func (c *decoder) topLevel(attrs map[string]any, m member) error {
	if s, ok := c.t.extension(m.name); ok {
		ext, err := c.extension(s, m.value)
		if ext != nil {
			attrs[s.ID] = ext
		}
		return err
	}
	a, ok := c.t.Attribute(m.name)
	if !ok {
		return c.unknown(&place{name: m.name, index: -1})
	}
	if isServerSide(a) || a.Mutability == ReadOnly {
		return nil
	}
	v, err := c.value(a, m.value, &place{name: a.Name, index: -1})
	if v != nil {
		attrs[a.Name] = v
	}
	return err
}

// isServerSide knows the common attributes that a client cannot set by value.
func isServerSide(a *Attribute) bool {
	return a.key == "id" || a.key == "meta" || a.key == "schemas"
}

func (c *decoder) unknown(at *place) error {
	if c.d.use(c.d.UnknownAttributes, FlagUnknownAttributes) {
		return nil
	}
	return Errorf(400, InvalidSyntax, "%s: %s has no such attribute", at, c.t.Name)
}

// extension reads the object of an extension; nil if it holds nothing.
func (c *decoder) extension(s *Schema, v any) (any, error) {
	root := &place{urn: s.ID, index: -1}
	o, ok := v.(object)
	if list, isList := v.([]any); isList && len(list) == 0 {
		v = nil
	}
	if v == nil {
		return nil, nil
	}
	if !ok {
		return nil, root.fault("must be an object")
	}
	out := make(map[string]any, len(o))
	for _, m := range o {
		at := &place{urn: s.ID, name: m.name, index: -1}
		a, ok := s.Attribute(m.name)
		if !ok {
			if err := c.unknown(at); err != nil {
				return nil, err
			}
			continue
		}
		if a.Mutability == ReadOnly {
			continue
		}
		at.name = a.Name
		v, err := c.value(a, m.value, at)
		if err != nil {
			return nil, err
		}
		if v != nil || c.keepNil {
			out[a.Name] = v
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// checkRequired demands the required attributes of a whole resource. Those that
// are readOnly are the service provider's own matter.
func (t *ResourceType) checkRequired(attrs map[string]any) error {
	if err := required(t.Schema.Attributes, attrs, ""); err != nil {
		return err
	}
	for _, e := range t.Extensions {
		ext, _ := attrs[e.Schema.ID].(map[string]any)
		if ext == nil {
			if e.Required {
				return Errorf(400, InvalidValue, "%s: the extension is required", e.Schema.ID)
			}
			continue
		}
		if err := required(e.Schema.Attributes, ext, e.Schema.ID); err != nil {
			return err
		}
	}
	return nil
}

// blank reports whether a value is a text that nobody can see.
func blank(v any) bool {
	s, ok := v.(string)
	return ok && strings.TrimSpace(s) == ""
}

func required(defs []*Attribute, attrs map[string]any, urn string) error {
	for _, a := range defs {
		if !a.Required || a.Mutability == ReadOnly {
			continue
		}
		if v := attrs[a.Name]; v == nil || blank(v) {
			return (&place{urn: urn, name: a.Name, index: -1}).fault("is required")
		}
	}
	return nil
}

// setSchemas lists the core URN and those of the extensions with data.
func (t *ResourceType) setSchemas(attrs map[string]any) {
	list := []any{t.Schema.ID}
	for _, e := range t.Extensions {
		if attrs[e.Schema.ID] != nil {
			list = append(list, e.Schema.ID)
		}
	}
	attrs["schemas"] = list
}
