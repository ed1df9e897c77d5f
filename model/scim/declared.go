package scim

// Declares reports whether the schemas of the type define every attribute there is in
// attrs. What they do not define stays of a schema that a configuration had before; it
// is kept, and shown to nobody.
func (t *ResourceType) Declares(attrs map[string]any) bool {
	for name, v := range attrs {
		if a, ok := t.Attribute(name); ok {
			if !a.declares(v) {
				return false
			}
			continue
		}
		e, ok := t.extension(name)
		if !ok || !declaresAll(e.Attribute, v) {
			return false
		}
	}
	return t.declaresSchemas(attrs["schemas"])
}

// declaresSchemas does the same for the URNs that a resource says it is made of.
func (t *ResourceType) declaresSchemas(v any) bool {
	list, _ := v.([]any)
	for _, e := range list {
		urn, _ := e.(string)
		if _, ok := t.schemaByURN(urn); !ok {
			return false
		}
	}
	return true
}

func (a *Attribute) declares(v any) bool {
	if a.Type != TypeComplex {
		return true
	}
	list, ok := v.([]any)
	if !ok {
		return declaresAll(a.SubAttribute, v)
	}
	for _, e := range list {
		if !declaresAll(a.SubAttribute, e) {
			return false
		}
	}
	return true
}

func declaresAll(find func(string) (*Attribute, bool), v any) bool {
	m, _ := v.(map[string]any)
	for name, part := range m {
		if a, ok := find(name); !ok || !a.declares(part) {
			return false
		}
	}
	return true
}
