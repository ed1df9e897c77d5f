package scim

// schemas handles an operation on the attribute schemas itself (RFC 7644 §3.5.2).
// What it lists follows from the attributes that a resource has: so adding a URI
// that the type knows changes nothing by itself, and removing that of an extension
// removes the extension. The core URN cannot be removed.
func (b *patchBinder) schemas(out Patch, op string, f found, p Path, value any) (Patch, error) {
	if op != OpRemove {
		return out, b.schemaURIs(value)
	}
	var matches func(urn string) bool
	switch {
	case p.Filter != nil:
		bound, _, err := b.t.resolve(p, b.d)
		if err != nil {
			return nil, err
		}
		matches = func(urn string) bool {
			return bound.Filter.Match(map[string]any{"value": f.attr.fold(urn)})
		}
	default:
		v, _, err := b.removeValue(f, p, value)
		if err != nil {
			return nil, err
		}
		list, named := v.([]any)
		matches = func(urn string) bool {
			for _, e := range list {
				if s, _ := e.(string); Fold(s) == Fold(urn) {
					return true
				}
			}
			return !named
		}
	}
	if matches(b.t.Schema.ID) {
		return nil, Errorf(400, Mutability, "schemas: %s cannot be removed", b.t.Schema.ID)
	}
	for _, x := range b.t.Extensions {
		if matches(x.Schema.ID) {
			out = append(out, Operation{Op: OpRemove, Path: &Path{URI: x.Schema.ID}})
		}
	}
	return out, nil
}

// schemaURIs checks the URIs that an add or replace gives.
func (b *patchBinder) schemaURIs(value any) error {
	list, ok := value.([]any)
	if s, single := value.(string); single {
		list, ok = []any{s}, true
	}
	if !ok {
		return Errorf(400, InvalidValue, "schemas: must be a list of URIs")
	}
	for _, e := range list {
		s, isText := e.(string)
		if !isText {
			return Errorf(400, InvalidValue, "schemas: must be a list of URIs")
		}
		if _, known := b.t.schemaByURN(s); !known && !b.d.use(b.d.ForeignSchemas, FlagForeignSchemas) {
			return Errorf(400, InvalidValue, "schemas: %s is not a schema of %s", s, b.t.Name)
		}
	}
	return nil
}
