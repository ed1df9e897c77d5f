package scim

import (
	"net/url"
	"time"
)

// Render is the JSON object that a client sees of a resource: the attributes that
// f selects, id, schemas, meta with location (base + endpoint + "/" + id), and
// $ref of members and groups. base is the base URL of the service without a
// trailing slash. Attributes that are never returned, or only on request and not
// requested, are left out (RFC 7643 §7, RFC 7644 §3.9).
//
// The result shares values with r; neither may be changed afterwards.
func (t *ResourceType) Render(r Resource, base string, f Fields) map[string]any {
	s := t.selectFields(f)
	out := make(map[string]any, len(r.Attrs)+3)
	for name, v := range r.Attrs {
		if a, ok := t.Attribute(name); ok {
			if isServerSide(a) {
				continue
			}
			if v := t.show(s, a, s.top(a.Key()), s.wholeCore(), v, base); v != nil {
				out[a.Name] = v
			}
		} else if e, ok := t.extension(name); ok {
			if v := t.showExtension(s, e, v, base); v != nil {
				out[e.ID] = v
			}
		}
	}
	out["id"] = r.ID
	out["schemas"] = t.shownSchemas(r.Attrs["schemas"])
	if meta, ok := common().Attribute("meta"); ok {
		if v := t.show(s, meta, s.top("meta"), false, t.renderMeta(r, base), base); v != nil {
			out["meta"] = v
		}
	}
	return out
}

// shownSchemas are the URNs that a resource is made of, but for those of schemas that
// the type has no more; never none.
func (t *ResourceType) shownSchemas(v any) any {
	if v != nil && t.declaresSchemas(v) {
		return v
	}
	out := []any{}
	list, _ := v.([]any)
	for _, e := range list {
		if urn, _ := e.(string); urn != "" && t.declaresSchemas([]any{urn}) {
			out = append(out, urn)
		}
	}
	if len(out) == 0 {
		out = append(out, t.Schema.ID)
	}
	return out
}

func (s *selection) top(key string) *choice {
	if s == nil {
		return nil
	}
	return s.attrs[key]
}

func (s *selection) wholeCore() bool { return s != nil && s.whole }

func (t *ResourceType) renderMeta(r Resource, base string) map[string]any {
	meta := map[string]any{
		"resourceType": t.Name,
		"location":     t.Location(base, r.ID),
		"version":      r.Meta.ETag(),
	}
	if !r.Meta.Created.IsZero() {
		meta["created"] = r.Meta.Created.UTC().Format(time.RFC3339Nano)
	}
	if !r.Meta.LastModified.IsZero() {
		meta["lastModified"] = r.Meta.LastModified.UTC().Format(time.RFC3339Nano)
	}
	return meta
}

// ShowsAll reports whether a response without a selection shows every attribute
// that can be stored readable: none is returned only on request, or never but for
// the password, which no backend keeps.
func (t *ResourceType) ShowsAll() bool {
	if !showsAll(t.Schema.Attributes) {
		return false
	}
	for _, e := range t.Extensions {
		if !showsAll(e.Schema.Attributes) {
			return false
		}
	}
	return true
}

func showsAll(list []*Attribute) bool {
	for _, a := range list {
		hidden := a.Returned == ReturnedRequest || a.Returned == ReturnedNever && a.Name != "password"
		if hidden || !showsAll(a.Sub) {
			return false
		}
	}
	return true
}

// Location is the URL of a resource of this type: meta.location and the Location header.
func (t *ResourceType) Location(base, id string) string {
	return base + t.Endpoint + "/" + url.PathEscape(id)
}

// show projects the value of an attribute; nil if nothing of it is shown.
func (t *ResourceType) show(s *selection, a *Attribute, listed *choice, whole bool, v any, base string) any {
	ok, parts := s.shows(a, listed, whole)
	if !ok {
		if s == nil || !a.always || secret(a) || a.Returned == ReturnedRequest {
			return nil
		}
		s, parts = &selection{include: true}, &choice{} // only the parts that are always returned
	}
	if a.Type != TypeComplex || parts == nil && !a.keyed && a.plain() {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		return s.object(a, parts, v, base)
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				if o := s.object(a, parts, m, base); o != nil {
					out = append(out, o)
				}
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// plain reports whether all sub-attributes are returned by default, so that a
// value without projection can be shown as it is.
func (a *Attribute) plain() bool {
	for _, sub := range a.Sub {
		if sub.Returned == ReturnedNever || sub.Returned == ReturnedRequest || sub.Mutability == WriteOnly {
			return false
		}
	}
	return true
}

// object projects a complex value. parts, if set, lists sub-attributes to show or
// to leave out.
func (s *selection) object(a *Attribute, parts *choice, m map[string]any, base string) any {
	out := make(map[string]any, len(m)+1)
	inner := s
	if parts == nil {
		inner = s.within() // the attribute as a whole: what is returned by default
	}
	for _, sub := range a.Sub {
		v, ok := m[sub.Name]
		if !ok && (!a.keyed || sub.key != "$ref") {
			continue
		}
		var listed *choice
		if parts != nil {
			listed = parts.parts[sub.Key()]
		}
		if show, _ := inner.shows(sub, listed, false); !show {
			continue
		}
		if a.keyed && sub.key == "$ref" {
			v = reference(a, m, base)
		}
		if v != nil {
			out[sub.Name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// reference is the URL of the resource that an element of members or groups names.
func reference(a *Attribute, m map[string]any, base string) any {
	id, _ := m["value"].(string)
	if id == "" {
		return nil
	}
	endpoint := "/Users/"
	if a.key == "groups" || m["type"] == "Group" {
		endpoint = "/Groups/"
	}
	return base + endpoint + url.PathEscape(id)
}

// showExtension projects the object of an extension.
func (t *ResourceType) showExtension(s *selection, e *Schema, v any, base string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	listed := s.top(e.Key())
	whole := listed != nil && listed.all
	if whole && !s.include {
		m = onlyAlways(e, m)
	}
	out := make(map[string]any, len(m))
	for name, v := range m {
		a, ok := e.Attribute(name)
		if !ok {
			continue
		}
		var part *choice
		if listed != nil {
			part = listed.parts[a.Key()]
		}
		if v := t.show(s, a, part, whole && s.include, v, base); v != nil {
			out[a.Name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// onlyAlways is what remains of an extension that was excluded as a whole.
func onlyAlways(e *Schema, m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if a, ok := e.Attribute(name); ok && a.Returned == ReturnedAlways {
			out[name] = v
		}
	}
	return out
}
