package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

func discoveryChecks() []check {
	return []check{
		must("discovery.spc", "RFC 7644 §4", "/ServiceProviderConfig answers 200 with one JSON object",
			"Clients that begin by asking what works fall back to guesses or give up.", spcThere),
		must("discovery.spc-single", "RFC 7643 §5", "/ServiceProviderConfig carries its schema and is no list",
			"A client that reads the object finds a list of one and takes every feature for missing.", spcSingle),
		must("discovery.spc-complete", "RFC 7643 §5", "Every REQUIRED part of ServiceProviderConfig is there, with the right type",
			"Clients with typed decoders refuse the whole document; some stall when a number is missing.", spcComplete),
		must("discovery.spc-schemes", "RFC 7643 §5", "authenticationSchemes is a list whose elements have type, name and description",
			"A client cannot choose how to authenticate.", spcSchemes),
		should("discovery.spc-public", "RFC 7643 §5", "authenticationSchemes can be read without credentials",
			"A client that does not know yet how to authenticate cannot find out.", spcPublic).with("credentials"),
		should("discovery.spc-meta", "RFC 7643 §8.5", "ServiceProviderConfig has meta with resourceType and location",
			"Generic clients that keep what they read have no address for it.", spcMeta),
		must("discovery.types", "RFC 7644 §4", "/ResourceTypes is a ListResponse with at least one resource type",
			"Clients that look for endpoints find none.", typesListed),
		must("discovery.type-complete", "RFC 7643 §6", "Every resource type has name, schema and an endpoint relative to the base URL",
			"The endpoint cannot be put together from what is published.", typesComplete),
		must("discovery.type-endpoint", "RFC 7643 §6", "The endpoint of every resource type answers",
			"Something is advertised that is not there.", typesAnswer),
		must("discovery.type-single", "RFC 7644 §4", "/ResourceTypes/{name} is that resource type alone",
			"Clients that ask for one type get an error or a list.", typeSingle),
		must("discovery.type-unknown", "RFC 7644 §3.12", "An unknown resource type is 404",
			"A client cannot tell a missing type from an empty one.", typeUnknown),
		must("discovery.type-schemas", "RFC 7643 §6", "Every schema and extension of a resource type is in /Schemas",
			"Clients that map attributes from the schemas cannot see some of them.", typesKnown),
		must("discovery.schemas", "RFC 7644 §4", "/Schemas is a ListResponse",
			"Entra's schema discovery breaks on a bare array.", schemasListed),
		must("discovery.schema-single", "RFC 7644 §4", "/Schemas/{urn} is that schema alone",
			"Clients that ask for one schema by its URN fail.", schemaSingle),
		must("discovery.schema-encoded", "RFC 3986 §2.4", "/Schemas/{urn} is found with percent-encoded colons",
			"Many HTTP libraries encode the colons of a URN in a path.", schemaEncoded),
		must("discovery.schema-unknown", "RFC 7644 §3.12", "An unknown schema is 404",
			"A client takes a schema for supported that is not.", schemaUnknown),
		must("discovery.no-messages", "RFC 7644 §3.1", "Protocol messages are not among the schemas",
			"Clients take message formats for kinds of resources.", noMessages),
	}
}

func discoveryDetailChecks() []check {
	return []check{
		must("discovery.attributes", "RFC 7643 §7", "Every attribute definition has name, type and multiValued, and only words that the RFC knows",
			"Clients that map from the schema cannot tell how to write a value.", attributesDefined),
		must("discovery.flat", "RFC 7643 §2.3.8", "No complex attribute holds a complex attribute",
			"No path, filter or PATCH can name what is inside.", attributesFlat),
		must("discovery.user-name", "RFC 7643 §4.1.1", "userName is defined as required and unique",
			"A client that trusts the schema leaves it out.", userNameDefined).with("user"),
		must("discovery.password", "RFC 7643 §7", "password, if defined, is writeOnly and returned never",
			"A client that trusts the schema expects to read passwords back.", passwordDefined).with("User.password"),
		should("discovery.schema-case", "RFC 7644 §3.10", "/Schemas/{urn} is found whatever the case of the URN",
			"URNs are typed by administrators.", schemaCase),
		should("discovery.schema-meta", "RFC 7643 §8.7", "Schemas and resource types have meta with resourceType and location",
			"Generic clients that keep what they read have no address for it.", discoveryMeta),
		should("discovery.filter", "RFC 7644 §4", "A filter on a discovery endpoint is refused with 403",
			"A client that filters believes that the rest does not exist.", discoveryFilter),
		must("discovery.parameters", "RFC 7644 §4", "Paging, sorting and attributes are ignored on discovery endpoints",
			"Clients that send their usual parameters see a part of the schemas.", discoveryParameters),
		must("discovery.read-only", "RFC 7643 §5", "Writing to the discovery endpoints is refused",
			"A write that seems to succeed changed nothing, or changed the service for everybody.", discoveryReadOnly(func(a *answer) bool {
				return a.code == 501 || a.code >= 400 && a.code < 500
			})),
		should("discovery.read-only-status", "RFC 9110 §15.5.6", "Writing to the discovery endpoints is 405 or 501",
			"A client with a wrong method looks for the fault in its path.", discoveryReadOnly(func(a *answer) bool {
				return a.code == 405 || a.code == 501 || a.method == http.MethodDelete && a.code == 404
			})),
		should("discovery.no-empty", "RFC 7643 §2.5", "Discovery shows no empty text, no empty reference and no null",
			"Strict decoders refuse an empty URI such as documentationUri.", discoveryNoEmpty),
		must("discovery.truth-patch", "RFC 7643 §5", "PATCH works or is 501, as ServiceProviderConfig says",
			"Clients choose between PATCH and PUT by it.", truthPatch).with("user"),
		must("discovery.truth-filter", "RFC 7643 §5", "Filters work if ServiceProviderConfig says so",
			"A client that matches by filter takes every user for a new one.", truthFilter).with("user filter"),
		must("discovery.truth-bulk", "RFC 7643 §5", "/Bulk is there or not, as ServiceProviderConfig says",
			"Clients choose whether to send bulk requests by it.", truthBulk),
		must("discovery.truth-sort", "RFC 7644 §3.4.2.3", "Lists can be asked for sorted; without support the parameters are ignored",
			"A list fails for a client that would have been content without the order.", truthSort).with("user"),
		must("discovery.truth-etag", "RFC 7643 §5", "Single resources have an ETag if ServiceProviderConfig says so",
			"Clients that guard writes by version send them unguarded.", truthETag).with("user etag"),
	}
}

func spcThere(p *probe) {
	a := p.get("/ServiceProviderConfig")
	p.status(a, 200)
	p.that(a.obj != nil, "a JSON object", a.problem())
}

func (p *probe) spcObject() *answer {
	if !p.spc.success() || p.spc.obj == nil {
		p.skip("there is no usable ServiceProviderConfig")
	}
	p.trail = append(p.trail, p.spc)
	return p.spc
}

func spcSingle(p *probe) {
	a := p.spcObject()
	p.that(a.is(scim.URNServiceProviderCfg) && get(a.obj, "Resources") == nil,
		"one object with schemas "+scim.URNServiceProviderCfg, "schemas "+show(get(a.obj, "schemas")))
}

func spcComplete(p *probe) {
	a := p.spcObject()
	for _, f := range []string{"patch", "bulk", "filter", "changePassword", "sort", "etag"} {
		v := dig(a.obj, f, "supported")
		_, ok := v.(bool)
		p.that(ok, f+".supported as a boolean", show(v))
	}
	for _, f := range []string{"bulk.maxOperations", "bulk.maxPayloadSize", "filter.maxResults"} {
		v := dig(a.obj, strings.Split(f, ".")...)
		n, ok := number(v)
		p.that(ok && n >= 0, f+" as an integer (also where the feature is not supported)", show(v))
	}
}

func spcSchemes(p *probe) {
	a := p.spcObject()
	v := get(a.obj, "authenticationSchemes")
	schemes, ok := v.([]any)
	p.that(ok, "authenticationSchemes as a list", show(v))
	for _, e := range schemes {
		for _, key := range []string{"type", "name", "description"} {
			p.that(text(dig(e, key)) != "", key+" in every authentication scheme", show(e))
		}
	}
}

func spcPublic(p *probe) {
	a := p.get("/ServiceProviderConfig", anonymous)
	p.status(a, 200)
	p.that(get(a.obj, "authenticationSchemes") != nil, "authenticationSchemes", "a body without them")
}

func spcMeta(p *probe) {
	a := p.spcObject()
	p.has(a, "ServiceProviderConfig", "meta", "resourceType")
	p.that(text(dig(a.obj, "meta", "location")) != "", "meta.location", show(get(a.obj, "meta")))
}

func typesListed(p *probe) {
	a := p.get("/ResourceTypes")
	p.isList(a)
	p.that(len(list(get(a.obj, "Resources"))) > 0, "at least one resource type", show(get(a.obj, "Resources")))
}

// isList demands a ListResponse in full (RFC 7644 §3.4.2).
func (p *probe) isList(a *answer) {
	p.status(a, 200)
	p.that(a.obj != nil, "a ListResponse", a.problem())
	p.that(a.is(urnList), "schemas "+urnList, show(get(a.obj, "schemas")))
	_, ok := number(get(a.obj, "totalResults"))
	p.that(ok, "totalResults as a number", show(get(a.obj, "totalResults")))
}

func typesComplete(p *probe) {
	p.trail = append(p.trail, p.listTypes)
	for _, m := range discovered(p.listTypes) {
		for _, key := range []string{"name", "endpoint", "schema"} {
			p.that(text(get(m, key)) != "", key+" in every resource type", show(m))
		}
		at := text(get(m, "endpoint"))
		p.that(!strings.Contains(at, "://"), "an endpoint relative to the base URL, such as /Users", at)
	}
}

func typesAnswer(p *probe) {
	for _, t := range p.types {
		p.status(p.get(query(t.endpoint, "count", "1")), 200)
	}
}

func typeSingle(p *probe) {
	for _, m := range discovered(p.listTypes) {
		name := text(get(m, "id"))
		if name == "" {
			name = text(get(m, "name"))
		}
		a := p.get("/ResourceTypes/" + url.PathEscape(name))
		p.status(a, 200)
		p.has(a, text(get(m, "name")), "name")
		p.has(a, text(get(m, "endpoint")), "endpoint")
	}
}

func typeUnknown(p *probe)   { p.status(p.get("/ResourceTypes/"+p.unique()), 404) }
func schemaUnknown(p *probe) { p.status(p.get("/Schemas/urn:example:"+p.unique()), 404) }
func schemasListed(p *probe) { p.isList(p.get("/Schemas")) }

func typesKnown(p *probe) {
	p.trail = append(p.trail, p.listTypes, p.listURNs)
	var urns []string
	for _, m := range discovered(p.listURNs) {
		urns = append(urns, strings.ToLower(text(get(m, "id"))))
	}
	for _, t := range p.types {
		want := []string{t.urn}
		for _, e := range t.extensions {
			want = append(want, e.urn)
		}
		for _, u := range want {
			p.that(slices.Contains(urns, strings.ToLower(u)), u+" of "+t.name+" in /Schemas", fmt.Sprintf("%d schemas without it", len(urns)))
		}
	}
}

// published are the URNs of /Schemas.
func (p *probe) published() []string {
	var out []string
	for _, m := range discovered(p.listURNs) {
		if urn := text(get(m, "id")); urn != "" {
			out = append(out, urn)
		}
	}
	if out == nil {
		p.skip("/Schemas shows no schema")
	}
	return out
}

func schemaSingle(p *probe) {
	for _, urn := range p.published() {
		a := p.get("/Schemas/" + urn)
		p.status(a, 200)
		p.has(a, urn, "id")
		p.that(get(a.obj, "attributes") != nil, "the attributes of "+urn, "a body without attributes")
	}
}

func schemaEncoded(p *probe) {
	for _, urn := range p.published() {
		a := p.get("/Schemas/" + strings.ReplaceAll(urn, ":", "%3A"))
		p.status(a, 200)
		p.has(a, urn, "id")
		return
	}
}

func schemaCase(p *probe) {
	for _, urn := range p.published() {
		p.status(p.get("/Schemas/"+strings.ToUpper(urn)), 200)
		return
	}
}

func noMessages(p *probe) {
	p.trail = append(p.trail, p.listURNs)
	for _, urn := range p.published() {
		p.that(!strings.HasPrefix(strings.ToLower(urn), urnMessages), "no "+urnMessages+"… in /Schemas", urn)
	}
}

// eachDefinition calls f for every attribute definition as published.
func (p *probe) eachDefinition(f func(where string, m map[string]any, depth int)) {
	p.trail = append(p.trail, p.listURNs)
	var walk func(where string, v any, depth int)
	walk = func(where string, v any, depth int) {
		for _, e := range list(v) {
			m, _ := e.(map[string]any)
			f(where+text(get(m, "name")), m, depth)
			walk(where+text(get(m, "name"))+".", get(m, "subAttributes"), depth+1)
		}
	}
	for _, m := range discovered(p.listURNs) {
		urn := text(get(m, "id"))
		if urn != scim.URNSchema { // the one schema whose attributes nest (RFC 7643 §7)
			walk(urn+":", get(m, "attributes"), 0)
		}
	}
}

func attributesDefined(p *probe) {
	known := map[string][]string{
		"type":       {"string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"},
		"mutability": {"readOnly", "readWrite", "immutable", "writeOnly", ""},
		"returned":   {"always", "never", "default", "request", ""},
		"uniqueness": {"none", "server", "global", ""},
	}
	p.published()
	p.eachDefinition(func(where string, m map[string]any, _ int) {
		p.that(text(get(m, "name")) != "", "a name in every definition below "+where, show(m))
		_, ok := get(m, "multiValued").(bool)
		p.that(ok, "multiValued of "+where+" as a boolean", show(get(m, "multiValued")))
		for key, words := range known {
			v := get(m, key)
			p.that((v == nil || text(v) != "") && slices.Contains(words, text(v)), key+" of "+where+" as one of "+strings.Join(words, ", "), show(v))
		}
	})
}

func attributesFlat(p *probe) {
	p.published()
	p.eachDefinition(func(where string, m map[string]any, depth int) {
		p.that(depth == 0 || !strings.EqualFold(text(get(m, "type")), "complex"), where+" of a simple type", "type complex")
	})
}

func userNameDefined(p *probe) {
	p.trail = append(p.trail, p.listURNs)
	a := p.defined(p.users(), "userName")
	if !p.that(a != nil, "userName in the schema of User", "a schema without it") {
		return
	}
	p.that(a.required, "userName required", "required: false")
	p.that(a.uniqueness == "server" || a.uniqueness == "global", "userName with uniqueness server", "uniqueness "+a.uniqueness)
}

func passwordDefined(p *probe) {
	p.trail = append(p.trail, p.listURNs)
	a := p.defined(p.users(), "password")
	p.that(a.mutability == "writeOnly" && a.returned == "never", "mutability writeOnly, returned never", "mutability "+a.mutability+", returned "+a.returned)
}

func discoveryMeta(p *probe) {
	for kind, a := range map[string]*answer{"Schema": p.listURNs, "ResourceType": p.listTypes} {
		p.trail = append(p.trail, a)
		for _, m := range discovered(a) {
			p.that(text(dig(m, "meta", "resourceType")) == kind && text(dig(m, "meta", "location")) != "",
				"meta with resourceType "+kind+" and location", text(get(m, "id"))+": meta "+show(get(m, "meta")))
		}
	}
}

func discoveryFilter(p *probe) {
	for _, at := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
		p.status(p.get(query(at, "filter", `id eq "User"`)), 403)
	}
}

func discoveryParameters(p *probe) {
	for _, at := range []string{"/ResourceTypes", "/Schemas"} {
		all := p.get(at)
		some := p.get(query(at, "startIndex", "2", "count", "1", "sortBy", "id", "attributes", "id"))
		p.status(some, 200)
		p.that(len(discovered(some)) == len(discovered(all)), fmt.Sprintf("all %d objects of %s", len(discovered(all)), at),
			fmt.Sprintf("%d objects", len(discovered(some))))
		for _, m := range discovered(some) {
			p.that(get(m, "name") != nil, "whole objects", show(m))
		}
	}
}

func discoveryReadOnly(ok func(*answer) bool) func(*probe) {
	return func(p *probe) {
		for _, at := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				to, body := at, any(object{})
				if method == http.MethodDelete {
					body = nil
					if at != "/ServiceProviderConfig" { // never ask for the removal of all of something
						to += "/urn:example:" + p.unique()
					}
				}
				a := p.send(method, to, body)
				p.that(a.err == nil && ok(a), "status 405 or 501 for "+method+" "+to, a.saw())
			}
		}
	}
}

func discoveryNoEmpty(p *probe) {
	for _, a := range []*answer{p.spc, p.listTypes, p.listURNs} {
		p.trail = append(p.trail, a)
		where := emptyAt(a.obj, "")
		p.that(where == "", "no empty values", "an empty value or null at "+where)
	}
}

// emptyAt finds a null or an empty text somewhere in a value.
func emptyAt(v any, where string) string {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if e == nil || e == "" {
				return where + "." + k
			}
			if at := emptyAt(e, where+"."+k); at != "" {
				return at
			}
		}
	case []any:
		for i, e := range x {
			if at := emptyAt(e, fmt.Sprintf("%s[%d]", where, i)); at != "" {
				return at
			}
		}
	}
	return ""
}

func truthPatch(p *probe) {
	path, _ := p.user()
	a := p.patch(path, op("replace", "displayName", "Patched"))
	if p.features["patch"] {
		p.status(a, 200, 204)
		return
	}
	p.status(a, 501, 405)
}

func truthFilter(p *probe) {
	_, u := p.user()
	a := p.get(query(p.users().endpoint, "filter", `userName eq "`+text(get(u.obj, "userName"))+`"`))
	got := p.found(a)
	p.that(slices.Equal(got, []string{u.id()}), "the one user with that name", fmt.Sprintf("%d users", len(got)))
}

func truthBulk(p *probe) {
	p.spcObject()
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{}})
	if !p.features["bulk"] {
		p.status(a, 501, 404, 405)
		return
	}
	p.that(a.code != 501 && a.code != 404 && a.code != 405 && a.code < 500, "an answer of a bulk endpoint", a.saw())
}

func truthSort(p *probe) {
	p.found(p.get(query(p.users().endpoint, "sortBy", "userName", "sortOrder", "descending", "count", "2")))
}

func truthETag(p *probe) {
	path, _ := p.user()
	a := p.read(path)
	p.that(a.reply.Get("ETag") != "", "an ETag header", "none")
}
