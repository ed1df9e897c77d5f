package scimserver

import "github.com/scimhub/scimhub/model/scim"

// serviceSchemas describes the three discovery resources (RFC 7643 §8.7.2), which
// no resource type of the registry covers. Everything in them is read-only.
func serviceSchemas() []*scim.Schema {
	return []*scim.Schema{serviceProviderConfigSchema(), resourceTypeSchema(), schemaSchema()}
}

func serviceProviderConfigSchema() *scim.Schema {
	supported := ro("supported", "boolean", "Whether it is offered").must()
	feature := func(name, description string, more ...attr) attr {
		return ro(name, "complex", description, append([]attr{supported}, more...)...).must()
	}
	return &scim.Schema{
		ID: scim.URNServiceProviderCfg, Name: "Service Provider Configuration",
		Description: "What the service provider offers",
		Attributes: definitions(
			ro("documentationUri", "reference", "Where the service is documented").refers("external"),
			feature("patch", "PATCH"),
			feature("bulk", "Bulk operations",
				ro("maxOperations", "integer", "Most operations in one request").must(),
				ro("maxPayloadSize", "integer", "Largest request body in bytes").must()),
			feature("filter", "Filters",
				ro("maxResults", "integer", "Most resources in one response").must()),
			feature("changePassword", "Change of passwords"),
			feature("sort", "Sorting"),
			feature("etag", "Entity tags"),
			ro("pagination", "complex", "Ways to read a list page by page (RFC 9865)",
				ro("cursor", "boolean", "Whether pages by cursor are offered").must(),
				ro("index", "boolean", "Whether pages by startIndex are offered").must(),
				ro("defaultPaginationMethod", "string", "What a request without startIndex and cursor gets").oneOf("cursor", "index"),
				ro("defaultPageSize", "integer", "Resources in a page without count"),
				ro("maxPageSize", "integer", "Most resources in a page"),
				ro("cursorTimeout", "integer", "Seconds that a cursor is valid")),
			ro("authenticationSchemes", "complex", "Ways to authenticate",
				ro("type", "string", "Kind of scheme").must(),
				ro("name", "string", "Name of the scheme").must(),
				ro("description", "string", "What the scheme is").must(),
				ro("specUri", "reference", "Specification of the scheme").refers("external"),
				ro("documentationUri", "reference", "How to use the scheme").refers("external"),
				ro("primary", "boolean", "Whether it is the preferred scheme"),
			).many().must(),
		),
	}
}

func resourceTypeSchema() *scim.Schema {
	return &scim.Schema{
		ID: scim.URNResourceType, Name: "ResourceType",
		Description: "A kind of resource that the service provider keeps",
		Attributes: definitions(
			ro("name", "string", "Name of the resource type").must(),
			ro("description", "string", "What the resource type is"),
			ro("endpoint", "reference", "Endpoint, relative to the base URL").refers("uri").must(),
			ro("schema", "reference", "URN of the core schema").refers("uri").exact().must(),
			ro("schemaExtensions", "complex", "Extensions of the resource type",
				ro("schema", "reference", "URN of the extension").refers("uri").exact().must(),
				ro("required", "boolean", "Whether every resource must have it").must(),
			).many(),
		),
	}
}

func schemaSchema() *scim.Schema {
	definition := func() []attr {
		return []attr{
			ro("name", "string", "Name of the attribute").exact().must(),
			ro("type", "string", "Data type").exact().must().
				oneOf("string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"),
			ro("multiValued", "boolean", "Whether it is a list").must(),
			ro("description", "string", "What the attribute is").exact(),
			ro("required", "boolean", "Whether it must be given"),
			ro("canonicalValues", "string", "Suggested values").exact().many(),
			ro("caseExact", "boolean", "Whether case matters in comparisons"),
			ro("mutability", "string", "Who may change it, and when").exact().
				oneOf("readOnly", "readWrite", "immutable", "writeOnly"),
			ro("returned", "string", "When it is part of an answer").exact().
				oneOf("always", "never", "default", "request"),
			ro("uniqueness", "string", "Among what values are unique").exact().
				oneOf("none", "server", "global"),
			ro("referenceTypes", "string", "What a reference may point to").exact().many(),
		}
	}
	sub := ro("subAttributes", "complex", "Parts of a complex attribute", definition()...).many()
	return &scim.Schema{
		ID: scim.URNSchema, Name: "Schema",
		Description: "The definition of a schema",
		Attributes: definitions(
			ro("name", "string", "Name of the schema").must(),
			ro("description", "string", "What the schema is"),
			ro("attributes", "complex", "The attributes of the schema", append(definition(), sub)...).many().must(),
		),
	}
}

// attr builds read-only attribute definitions: each method returns a changed copy.
type attr scim.Attribute

func ro(name, kind, description string, sub ...attr) attr {
	return attr{Name: name, Type: kind, Description: description, Mutability: "readOnly",
		Returned: "default", Uniqueness: "none", Sub: definitions(sub...)}
}

func (a attr) must() attr  { a.Required = true; return a }
func (a attr) many() attr  { a.MultiValued = true; return a }
func (a attr) exact() attr { a.CaseExact = true; return a }

func (a attr) refers(kinds ...string) attr { a.ReferenceTypes = kinds; return a }
func (a attr) oneOf(values ...string) attr { a.CanonicalValues = values; return a }

func definitions(attrs ...attr) []*scim.Attribute {
	var out []*scim.Attribute
	for i := range attrs {
		a := scim.Attribute(attrs[i])
		out = append(out, &a)
	}
	return out
}
