package conformance

import (
	"fmt"
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
		should("discovery.schema-encoded", "RFC 3986 §2.2", "/Schemas/{urn} is found with percent-encoded colons",
			"Many HTTP libraries encode the colons of a URN in a path.", schemaEncoded),
		must("discovery.schema-unknown", "RFC 7644 §3.12", "An unknown schema is 404",
			"A client takes a schema for supported that is not.", schemaUnknown),
		must("discovery.no-messages", "RFC 7644 §3.1", "Protocol messages are not among the schemas",
			"Clients take message formats for kinds of resources.", noMessages),
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

func noMessages(p *probe) {
	p.trail = append(p.trail, p.listURNs)
	for _, urn := range p.published() {
		p.that(!strings.HasPrefix(strings.ToLower(urn), urnMessages), "no "+urnMessages+"… in /Schemas", urn)
	}
}
