package scim

// Names of tolerances, as Dialect.Seen reports them, metrics count them and
// Flags lists them.
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
	FlagAfterBracket      = "after_bracket"
	FlagComplexValue      = "complex_value"
	FlagLastPrimary       = "two_primaries"
	FlagBOM               = "bom"
	FlagUnknownAttributes = "unknown_attribute"
	FlagUnknownPaths      = "unknown_path"
	FlagURNDot            = "urn_dot"
	FlagMissingTypes      = "missing_type"
	FlagUnderscoreLocale  = "underscore_locale"
	FlagAnyCountry        = "any_country"
	FlagAnyCertificate    = "any_certificate"
	FlagUnresolved        = "unresolved_reference"
	FlagMethodOverride    = "method_override"
	FlagPlainJSON         = "plain_json"
	FlagStrayQuery        = "stray_query"
	FlagTrailingSlash     = "trailing_slash"
	FlagBareToken         = "bare_token"
	FlagUniqueGroupNames  = "unique_group_names"
	FlagReplaceWhole      = "replace_whole"
	FlagOneTarget         = "one_target"
)

// FlagInfo describes one flag of a Dialect, for documents and operators.
type FlagInfo struct {
	Name    string
	Meaning string // what a connection with this flag on accepts or demands, one clause
	Demands bool   // the flag demands something; the others accept a deviation
}

type flagEntry struct {
	FlagInfo
	on func(*Dialect) *bool
}

// Flags lists every flag of Dialect, in the order of its fields.
func Flags() []FlagInfo {
	table := flagTable()
	out := make([]FlagInfo, len(table))
	for i, e := range table {
		out[i] = e.FlagInfo
	}
	return out
}

// On lists the names of the flags that are on, in the order of Flags.
func (d Dialect) On() []string {
	var out []string
	for _, e := range flagTable() {
		if *e.on(&d) {
			out = append(out, e.Name)
		}
	}
	return out
}

func accepts(name, meaning string, on func(*Dialect) *bool) flagEntry {
	return flagEntry{FlagInfo{Name: name, Meaning: meaning}, on}
}

func demands(name, meaning string, on func(*Dialect) *bool) flagEntry {
	return flagEntry{FlagInfo{Name: name, Meaning: meaning, Demands: true}, on}
}

func flagTable() []flagEntry {
	return append(append(patchFlags(), valueFlags()...), requestFlags()...)
}

func patchFlags() []flagEntry {
	return []flagEntry{
		accepts(FlagOpCase, `a PATCH or Bulk verb in any case: "Add", "REPLACE"`, func(d *Dialect) *bool { return &d.OpCase }),
		accepts(FlagStringBooleans, `"True" or "false" in any case for a boolean, "" for none, in values and filters`, func(d *Dialect) *bool { return &d.StringBooleans }),
		accepts(FlagPathlessPatch, "add and replace without a path, the value holding attributes", func(d *Dialect) *bool { return &d.PathlessPatch }),
		accepts(FlagDottedKeys, `paths as keys of a path-less value: "name.familyName", "urn:…:User:department"`, func(d *Dialect) *bool { return &d.DottedKeys }),
		accepts(FlagCreateOnNoMatch, "a replace whose value path matches nothing: it creates the element that the filter describes", func(d *Dialect) *bool { return &d.CreateOnNoMatch }),
		accepts(FlagRemoveByValue, "a remove that lists the values to remove", func(d *Dialect) *bool { return &d.RemoveByValue }),
		accepts(FlagBareValues, `"x" where {"value":"x"} is due: manager, members`, func(d *Dialect) *bool { return &d.BareValues }),
		accepts(FlagListForSingle, "[x] where x is due", func(d *Dialect) *bool { return &d.ListForSingle }),
		accepts(FlagSingleForList, "x where [x] is due", func(d *Dialect) *bool { return &d.SingleForList }),
		accepts(FlagEmptyOperations, "a PATCH or Bulk without operations, which changes nothing", func(d *Dialect) *bool { return &d.EmptyOperations }),
		accepts(FlagRemoveEmptyValue, `a remove that carries a value of "", which means nothing`, func(d *Dialect) *bool { return &d.RemoveEmptyValue }),
		accepts(FlagIgnoreReadOnly, "readOnly attributes inside a path-less value, which are dropped", func(d *Dialect) *bool { return &d.IgnoreReadOnly }),
		accepts(FlagUnknownPaths, "PATCH operations on attributes that no schema defines, which are dropped", func(d *Dialect) *bool { return &d.UnknownPaths }),
		accepts(FlagURNDot, "a dot for the colon between an extension's URN and the attribute", func(d *Dialect) *bool { return &d.URNDot }),
		demands(FlagReplaceWhole, "a replace of a complex attribute by path drops the parts that it does not name", func(d *Dialect) *bool { return &d.ReplaceWhole }),
		demands(FlagOneTarget, "the value path of an add or replace ends in a sub-attribute and matches at most one value", func(d *Dialect) *bool { return &d.OneTarget }),
	}
}

func valueFlags() []flagEntry {
	return []flagEntry{
		accepts(FlagForeignSchemas, "URIs in schemas that the resource type does not have, repeated ones, a missing core URN", func(d *Dialect) *bool { return &d.ForeignSchemas }),
		accepts(FlagMissingSchemas, "bodies without schemas", func(d *Dialect) *bool { return &d.MissingSchemas }),
		accepts(FlagUnknownAttributes, "attributes that no schema defines, which are dropped", func(d *Dialect) *bool { return &d.UnknownAttributes }),
		accepts(FlagLastPrimary, "several values marked primary: the last one is", func(d *Dialect) *bool { return &d.LastPrimary }),
		accepts(FlagMissingTypes, "e-mail addresses without a type", func(d *Dialect) *bool { return &d.MissingTypes }),
		accepts(FlagUnderscoreLocale, `a locale in the POSIX form: "en_US"`, func(d *Dialect) *bool { return &d.UnderscoreLocale }),
		accepts(FlagAnyCountry, "any text for the country of an address, not only an ISO 3166 code of two letters", func(d *Dialect) *bool { return &d.AnyCountry }),
		accepts(FlagAnyCertificate, "any base64 for a certificate, not only one in DER", func(d *Dialect) *bool { return &d.AnyCertificate }),
		accepts(FlagUnresolved, "members and managers named by ids that do not exist (yet)", func(d *Dialect) *bool { return &d.UnresolvedReferences }),
		accepts(FlagBOM, "a byte order mark before the body", func(d *Dialect) *bool { return &d.BOM }),
		demands(FlagUniqueGroupNames, "the displayName of a group is unique: a second one is refused with 409", func(d *Dialect) *bool { return &d.UniqueGroupNames }),
	}
}

func requestFlags() []flagEntry {
	return []flagEntry{
		accepts(FlagUnquotedValues, "a string without quotes in a filter: externalId eq jyoung", func(d *Dialect) *bool { return &d.UnquotedValues }),
		accepts(FlagNoSpace, `a filter without space around a quoted value: userName eq"x"`, func(d *Dialect) *bool { return &d.NoSpace }),
		accepts(FlagAfterBracket, `a filter that goes on behind the bracket: emails[type eq "work"].value eq "x"`, func(d *Dialect) *bool { return &d.AfterBracket }),
		accepts(FlagComplexValue, `a complex attribute standing for its value in a filter: members eq "x"`, func(d *Dialect) *bool { return &d.ComplexValue }),
		accepts(FlagMethodOverride, "POST with the header X-HTTP-Method-Override", func(d *Dialect) *bool { return &d.MethodOverride }),
		accepts(FlagPlainJSON, "the content type application/json", func(d *Dialect) *bool { return &d.PlainJSON }),
		accepts(FlagStrayQuery, "unknown query parameters, and a query that ends in ? or &", func(d *Dialect) *bool { return &d.StrayQuery }),
		accepts(FlagTrailingSlash, "a slash behind the path", func(d *Dialect) *bool { return &d.TrailingSlash }),
		accepts(FlagBareToken, "a token without the word Bearer before it", func(d *Dialect) *bool { return &d.BareToken }),
	}
}
