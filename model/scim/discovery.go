package scim

// JSON is the schema as the /Schemas endpoint shows it (RFC 7643 §7, §8.7).
// base is the base URL of the service, without a trailing slash.
func (s *Schema) JSON(base string) map[string]any {
	out := map[string]any{
		"schemas":    []any{URNSchema},
		"id":         s.ID,
		"attributes": attributesJSON(s.Attributes),
		"meta": map[string]any{
			"resourceType": "Schema",
			"location":     base + "/Schemas/" + s.ID,
		},
	}
	putText(out, "name", s.Name)
	putText(out, "description", s.Description)
	return out
}

func attributesJSON(list []*Attribute) []any {
	out := make([]any, 0, len(list))
	for _, a := range list {
		m := map[string]any{
			"name":        a.Name,
			"type":        a.Type,
			"multiValued": a.MultiValued,
			"required":    a.Required,
			"mutability":  a.Mutability,
			"returned":    a.Returned,
		}
		putText(m, "description", a.Description)
		if a.Type != TypeComplex && a.Type != TypeBoolean {
			m["caseExact"] = a.CaseExact
			putText(m, "uniqueness", a.Uniqueness)
		}
		if len(a.CanonicalValues) > 0 {
			m["canonicalValues"] = a.CanonicalValues
		}
		if len(a.ReferenceTypes) > 0 {
			m["referenceTypes"] = a.ReferenceTypes
		}
		if len(a.Sub) > 0 {
			m["subAttributes"] = attributesJSON(a.Sub)
		}
		out = append(out, m)
	}
	return out
}

// JSON is the resource type as the /ResourceTypes endpoint shows it (RFC 7643 §6).
// base is the base URL of the service, without a trailing slash.
func (t *ResourceType) JSON(base string) map[string]any {
	out := map[string]any{
		"schemas":  []any{URNResourceType},
		"id":       t.Name,
		"name":     t.Name,
		"endpoint": t.Endpoint,
		"schema":   t.Schema.ID,
		"meta": map[string]any{
			"resourceType": "ResourceType",
			"location":     base + "/ResourceTypes/" + t.Name,
		},
	}
	putText(out, "description", t.Description)
	var ext []any
	for _, e := range t.Extensions {
		ext = append(ext, map[string]any{"schema": e.Schema.ID, "required": e.Required})
	}
	if ext != nil {
		out["schemaExtensions"] = ext
	}
	return out
}

func putText(m map[string]any, key, text string) {
	if text != "" {
		m[key] = text
	}
}
