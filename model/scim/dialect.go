package scim

import "strings"

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
	// RemoveEmptyValue accepts a remove that carries a value of "", which means nothing.
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
	// AfterBracket accepts a filter that goes on behind the bracket of a value path:
	// emails[type eq "work"].value eq "x".
	AfterBracket bool
	// ComplexValue lets a complex attribute stand for its value in a filter:
	// members eq "x", emails co "x" (an example of RFC 7644 §3.4.2.2 itself).
	ComplexValue bool
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
	// MissingTypes accepts emails without a type, which nobody can address by
	// emails[type eq "work"]. The RFC allows them, so every named dialect does, and
	// Seen does not hear of it.
	MissingTypes bool
	// UnderscoreLocale accepts "en_US" for locale and preferredLanguage, where RFC
	// 7643 §4.1.1 wants the language tag "en-US". It is stored as sent.
	UnderscoreLocale bool
	// AnyCountry accepts any text for addresses.country (RFC 7643 §4.1.2: ISO 3166-1
	// alpha-2).
	AnyCountry bool
	// AnyCertificate accepts any base64 for x509Certificates.value (RFC 7643 §4.1.2:
	// exactly one certificate in DER).
	AnyCertificate bool
	// UnresolvedReferences accepts members and managers named by ids that no
	// resource has; without it they are refused, by the backend.
	UnresolvedReferences bool

	// MethodOverride obeys X-HTTP-Method-Override on POST.
	MethodOverride bool
	// PlainJSON accepts the content type application/json.
	PlainJSON bool
	// StrayQuery ignores query parameters that mean nothing here, and a trailing ? or &.
	StrayQuery bool
	// TrailingSlash accepts /Users/ for /Users.
	TrailingSlash bool
	// BareToken accepts an Authorization header that holds a token alone, without
	// the word Bearer.
	BareToken bool

	// UniqueGroupNames refuses a second group of the same displayName with 409:
	// Entra finds its groups by that name and stops at two.
	UniqueGroupNames bool
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
		d.MissingTypes = true // it does not ask for one
	case "rfc":
		d.common()
	case "okta":
		d.common()
		d.IgnoreReadOnly, d.ForeignSchemas, d.EmptyOperations = true, true, true
		d.RemoveEmptyValue, d.BOM = true, true
		d.BareToken = true // its template "Header Auth" sends what was typed
	case "onelogin":
		d.common()
		d.IgnoreReadOnly, d.ForeignSchemas, d.MissingSchemas = true, true, true
		d.StringBooleans, d.RemoveByValue, d.SingleForList = true, true, true
		d.RemoveEmptyValue, d.EmptyOperations, d.BOM = true, true, true
	case "entra":
		d.entra()
		d.UniqueGroupNames = true
	case "lenient":
		d.entra()
		d.MissingSchemas, d.LastPrimary = true, true
		d.MethodOverride, d.BareToken = true, true
	default:
		return Dialect{}, false
	}
	return d, true
}

// DialectNames lists the names that DialectNamed knows.
func DialectNames() []string {
	return []string{"rfc", "interop", "entra", "okta", "onelogin", "lenient"}
}

// common sets what every dialect but the interop profile accepts because it is
// allowed by the RFC, or cannot be misunderstood.
func (d *Dialect) common() {
	d.PathlessPatch, d.DottedKeys, d.UnknownAttributes, d.OpCase = true, true, true, true
	d.AfterBracket, d.ComplexValue, d.MissingTypes = true, true, true
	d.UnderscoreLocale, d.AnyCountry, d.AnyCertificate = true, true, true
	d.UnresolvedReferences = true
	d.PlainJSON, d.StrayQuery, d.TrailingSlash = true, true, true
}

func (d *Dialect) entra() {
	d.common()
	d.StringBooleans, d.CreateOnNoMatch, d.RemoveByValue = true, true, true
	d.BareValues, d.ListForSingle, d.SingleForList = true, true, true
	d.EmptyOperations, d.RemoveEmptyValue, d.IgnoreReadOnly = true, true, true
	d.ForeignSchemas, d.UnquotedValues, d.NoSpace = true, true, true
	d.BOM, d.UnknownPaths, d.URNDot = true, true, true
}

// plainDialect is what the functions without a dialect accept: filters as RFC 7644
// writes them, in its grammar or in its examples.
func plainDialect() *Dialect { return &Dialect{AfterBracket: true, ComplexValue: true} }

// ParseFilter reads a filter as this dialect's clients write it and binds it to t.
// The errors are those of the function ParseFilter and of Bind.
func (d Dialect) ParseFilter(s string, t *ResourceType) (Filter, error) {
	f, err := parseFilter(s, &d)
	if err != nil {
		return nil, err
	}
	return (&binder{t: t, d: &d}).bind(f)
}
