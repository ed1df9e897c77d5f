package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

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

func schemaCase(p *probe) {
	for _, urn := range p.published() {
		p.status(p.get("/Schemas/"+strings.ToUpper(urn)), 200)
		return
	}
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
