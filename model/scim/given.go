package scim

import "slices"

// Given lists the attributes and sub-attributes that a change sets and that are
// returned on request only, for Fields.Given: the answer to the change shows them
// (RFC 7643 §7, "returned"). For a POST, Replace holds the attributes.
func (t *ResourceType) Given(c Change) []*Attribute {
	if t.ShowsAll() {
		return nil
	}
	var out []*Attribute
	if c.Replace != nil {
		out = givenIn(out, t.Schema, c.Replace)
		for _, e := range t.Extensions {
			ext, _ := c.Replace[e.Schema.ID].(map[string]any)
			out = givenIn(out, e.Schema, ext)
		}
		return out
	}
	for _, o := range c.Patch {
		if o.Path == nil || o.Op == OpRemove {
			continue
		}
		f, problem := t.find(Path{URI: o.Path.URI, Attr: o.Path.Attr, Sub: o.Path.Sub}, &Dialect{})
		switch {
		case problem != "":
		case f.attr == nil:
			ext, _ := o.Value.(map[string]any)
			out = givenIn(out, f.ext, ext)
		case f.sub != nil:
			out = addGiven(addGiven(out, f.attr), f.sub)
		default:
			out = givenValue(out, f.attr, o.Value)
		}
	}
	return out
}

func givenIn(out []*Attribute, s *Schema, attrs map[string]any) []*Attribute {
	for _, a := range s.Attributes {
		if v, ok := attrs[a.Name]; ok {
			out = givenValue(out, a, v)
		}
	}
	return out
}

func givenValue(out []*Attribute, a *Attribute, v any) []*Attribute {
	out = addGiven(out, a)
	elements, ok := v.([]any)
	if !ok {
		elements = []any{v}
	}
	for _, sub := range a.Sub {
		if slices.ContainsFunc(elements, func(e any) bool { m, _ := e.(map[string]any); return m[sub.Name] != nil }) {
			out = addGiven(out, sub)
		}
	}
	return out
}

func addGiven(out []*Attribute, a *Attribute) []*Attribute {
	if a.Returned != ReturnedRequest || slices.Contains(out, a) {
		return out
	}
	return append(out, a)
}
