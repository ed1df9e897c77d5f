package scim

import "fmt"

// The operations of a PATCH (RFC 7644 §3.5.2), as Operation.Op spells them.
const (
	OpAdd     = "add"
	OpRemove  = "remove"
	OpReplace = "replace"
)

// MaxOperations is how many operations a PATCH may have.
const MaxOperations = 10_000

// Patch is a list of operations, each of which sees the effect of those before
// it. ParsePatch makes it; every path in it is bound and every value has its
// attribute's type.
type Patch []Operation

// Operation changes one attribute, sub-attribute, selection of elements, or
// extension.
//
// Value is an attribute value as in Resource.Attrs; in an object that is merged
// (a complex attribute with one value, an extension) nil clears that part. A
// remove has no value, unless it removes only the elements that the value lists.
type Operation struct {
	Op    string // add, remove, replace
	Path  *Path
	Value any

	seed map[string]any // what an element must hold to match the filter of Path, as written
}

// Body is the PatchOp message that asks for the same changes (RFC 7644 §3.5.2).
func (p Patch) Body() map[string]any {
	ops := make([]any, len(p))
	for i, o := range p {
		m := map[string]any{"op": o.Op}
		if o.Path != nil {
			m["path"] = o.Path.String()
		}
		if o.Value != nil {
			m["value"] = o.Value
		}
		ops[i] = m
	}
	return map[string]any{"schemas": []any{URNPatchOp}, "Operations": ops}
}

// ParsePatch reads the body of a PATCH against a type: a path-less operation
// becomes one for each attribute, a value that means unassigned becomes a remove,
// what the dialect ignores is left out. The error is an *Error 400 that names the
// operation: invalidSyntax for the shape of the message, invalidPath and
// invalidFilter for paths, invalidValue for values, noTarget for a remove without
// path, mutability for a readOnly target.
func ParsePatch(body []byte, t *ResourceType, d Dialect) (Patch, error) {
	o, err := parseBody(body, &d)
	if err != nil {
		return nil, err
	}
	if err := checkMessage(o, URNPatchOp, &d); err != nil {
		return nil, err
	}
	list, err := operationList(o, &d)
	if err != nil {
		return nil, err
	}
	b := &patchBinder{t: t, d: &d}
	out := make(Patch, 0, len(list))
	for i, v := range list {
		if out, err = b.operation(out, v); err != nil {
			if e, ok := AsError(err); ok {
				return nil, Errorf(e.Status, e.Type, "Operations[%d]: %s", i, e.Detail)
			}
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return out, nil
}

func operationList(o object, d *Dialect) ([]any, error) {
	v, _ := o.get("Operations")
	list, ok := v.([]any)
	if _, single := v.(object); single && d.use(d.SingleForList, FlagSingleForList) {
		list, ok = []any{v}, true
	}
	switch {
	case !ok:
		return nil, Errorf(400, InvalidSyntax, "Operations: must be a list of operations")
	case len(list) == 0 && !d.use(d.EmptyOperations, FlagEmptyOperations):
		return nil, Errorf(400, InvalidSyntax, "Operations: must hold at least one operation")
	case len(list) > MaxOperations:
		return nil, Errorf(413, "", "Operations: at most %d operations are accepted", MaxOperations)
	}
	return list, nil
}
