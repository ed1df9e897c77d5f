package scim

import "strings"

// Names of tolerances, as Dialect.Seen reports them and metrics count them.
const (
	FlagOpCase            = "op_case"
	FlagStringBooleans    = "string_boolean"
	FlagPathlessPatch     = "pathless_patch"
	FlagDottedKeys        = "dotted_key"
	FlagCreateOnNoMatch   = "create_on_no_match"
	FlagRemoveByValue     = "remove_by_value"
	FlagBareValues        = "bare_value"
	FlagListForSingle     = "list_for_single"
	FlagSingleForList     = "single_for_list"
	FlagEmptyOperations   = "empty_operations"
	FlagRemoveEmptyValue  = "remove_empty_value"
	FlagIgnoreReadOnly    = "read_only_value"
	FlagForeignSchemas    = "foreign_schema"
	FlagMissingSchemas    = "missing_schemas"
	FlagUnquotedValues    = "unquoted_value"
	FlagNoSpace           = "no_space"
	FlagLastPrimary       = "two_primaries"
	FlagBOM               = "bom"
	FlagUnknownAttributes = "unknown_attribute"
	FlagUnknownPaths      = "unknown_path"
	FlagURNDot            = "urn_dot"
)

// Dialect is the set of tolerances of one connection, each a named flag that
// accepts one deviation real clients are known for. The zero Dialect accepts
// none. Seen, if set, is called with a flag's name each time that a request
// needed it; it must be safe for concurrent use and return quickly. Apply may
// report a flag again each time it is called.
type Dialect struct {
	Name string

	// OpCase accepts "Add", "REPLACE" for the operation of a PATCH.
	OpCase bool
	// StringBooleans accepts "True", "false" in any case for a boolean, "" for
	// none, and such strings in filters.
	StringBooleans bool
	// PathlessPatch accepts add and replace without a path (RFC 7644 §3.5.2.1
	// allows it, the interop profile forbids it).
	PathlessPatch bool
	// DottedKeys accepts paths as keys of a path-less value: "name.familyName",
	// "urn:…:User:department".
	DottedKeys bool
	// CreateOnNoMatch makes a replace whose value path matches nothing create the
	// element that the filter describes, instead of noTarget.
	CreateOnNoMatch bool
	// RemoveByValue reads the value of a remove on a multi-valued attribute as the
	// elements to remove. Without it such a request is refused; never does it
	// remove everything.
	RemoveByValue bool
	// BareValues accepts "x" where a complex value {"value":"x"} is due: manager, members.
	BareValues bool
	// ListForSingle accepts [x] where x is due.
	ListForSingle bool
	// SingleForList accepts x where [x] is due.
	SingleForList bool
	// EmptyOperations accepts a PATCH without operations as one that changes nothing.
	EmptyOperations bool
	// RemoveEmptyValue accepts a remove that carries a value of "" or {}, which means nothing.
	RemoveEmptyValue bool
	// IgnoreReadOnly drops readOnly attributes inside a path-less value instead of
	// refusing them. id, schemas and meta are always ignored there.
	IgnoreReadOnly bool
	// ForeignSchemas ignores URIs in schemas that the resource type does not have,
	// repeated ones, and a missing core URN.
	ForeignSchemas bool
	// MissingSchemas accepts bodies without schemas.
	MissingSchemas bool
	// UnquotedValues accepts a string without quotes in a filter: externalId eq jyoung.
	UnquotedValues bool
	// NoSpace accepts a filter without space around a quoted value: eq"x".
	NoSpace bool
	// LastPrimary keeps the last of several elements marked primary.
	LastPrimary bool
	// BOM accepts a byte order mark before the body.
	BOM bool
	// UnknownAttributes ignores attributes that no schema defines, instead of
	// refusing them.
	UnknownAttributes bool
	// UnknownPaths ignores PATCH operations whose path names an attribute that no
	// schema defines, instead of invalidPath.
	UnknownPaths bool
	// URNDot accepts a dot for the colon between an extension's URN and the attribute.
	URNDot bool

	// ReplaceWhole makes a replace of a complex attribute by path drop the
	// sub-attributes that it does not name (interop profile; the RFC keeps them).
	ReplaceWhole bool
	// OneTarget demands that the value path of an add or replace ends in a
	// sub-attribute and matches at most one element (interop profile).
	OneTarget bool

	Seen func(flag string)
}

// use reports whether a tolerance is on, and that it was needed.
func (d *Dialect) use(on bool, flag string) bool {
	if on && d.Seen != nil {
		d.Seen(flag)
	}
	return on
}

// DialectNamed is the dialect of that name: rfc, interop, entra, okta, onelogin
// or lenient.
func DialectNamed(name string) (Dialect, bool) {
	d := Dialect{Name: strings.ToLower(name)}
	switch d.Name {
	case "interop":
		d.ReplaceWhole, d.OneTarget = true, true
		return d, true
	case "rfc":
		d.common()
		return d, true
	case "okta":
		d.common()
		d.IgnoreReadOnly, d.ForeignSchemas, d.EmptyOperations = true, true, true
		d.RemoveEmptyValue, d.BOM = true, true
		return d, true
	case "onelogin":
		d.common()
		d.IgnoreReadOnly, d.ForeignSchemas, d.MissingSchemas = true, true, true
		d.StringBooleans, d.RemoveByValue, d.SingleForList = true, true, true
		d.RemoveEmptyValue, d.EmptyOperations, d.BOM = true, true, true
		return d, true
	case "entra":
		d.entra()
		return d, true
	case "lenient":
		d.entra()
		d.MissingSchemas, d.LastPrimary = true, true
		return d, true
	}
	return Dialect{}, false
}

// DialectNames lists the names that DialectNamed knows.
func DialectNames() []string {
	return []string{"rfc", "interop", "entra", "okta", "onelogin", "lenient"}
}

// common sets what every dialect but the interop profile accepts because it is
// allowed by the RFC, or cannot be misunderstood.
func (d *Dialect) common() {
	d.PathlessPatch, d.DottedKeys, d.UnknownAttributes, d.OpCase = true, true, true, true
}

func (d *Dialect) entra() {
	d.common()
	d.StringBooleans, d.CreateOnNoMatch, d.RemoveByValue = true, true, true
	d.BareValues, d.ListForSingle, d.SingleForList = true, true, true
	d.EmptyOperations, d.RemoveEmptyValue, d.IgnoreReadOnly = true, true, true
	d.ForeignSchemas, d.UnquotedValues, d.NoSpace = true, true, true
	d.BOM, d.UnknownPaths, d.URNDot = true, true, true
}

// ParseFilter reads a filter as this dialect's clients write it and binds it to t.
// The errors are those of the function ParseFilter and of Bind.
func (d Dialect) ParseFilter(s string, t *ResourceType) (Filter, error) {
	f, err := parseFilter(s, &d)
	if err != nil {
		return nil, err
	}
	return (&binder{t: t, d: &d}).bind(f)
}
