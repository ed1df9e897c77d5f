package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// resourceChecks hold for every resource in every answer.
func resourceChecks() []check {
	watch := func(c check, f func(a *answer, r object) observation) check { return c.watching(onResources(f)) }
	return []check{
		watch(must("resource.id", "RFC 7643 §3.1", "Every resource has an id: a string, not empty, not bulkId",
			"The client cannot find the resource again.", nil), func(_ *answer, r object) observation {
			id := text(get(r, "id"))
			return judge(id != "" && id != "bulkId", "an id", "id "+show(get(r, "id")))
		}),
		watch(must("resource.schemas", "RFC 7643 §3", "Every resource has schemas: URIs, not empty, none twice, the type's own among them",
			"Clients decide by it how to read the rest.", nil), watchSchemas),
		watch(must("resource.extensions", "RFC 7643 §3.3", "Extensions with data are listed in schemas",
			"Clients that go by schemas do not see the data.", nil), watchExtensions),
		watch(must("resource.meta", "RFC 7643 §3.1", "Every resource has meta with resourceType, created, lastModified and location",
			"Clients that poll for changes see none; links lead nowhere.", nil), watchMeta),
		watch(must("resource.meta-time", "RFC 7643 §2.3.5", "meta.created and meta.lastModified are dateTime values with a time zone",
			"Clients compare times of different zones, or cannot read them.", nil), watchTimes),
		watch(must("resource.meta-type", "RFC 7643 §3.1", "meta.resourceType is the name of the resource type",
			"Clients that read mixed lists cannot tell users from groups.", nil), func(a *answer, r object) observation {
			got := text(dig(r, "meta", "resourceType"))
			if a.typ == nil || got == "" {
				return observation{}
			}
			return judge(got == a.typ.name, "meta.resourceType "+a.typ.name, got)
		}),
		watch(should("resource.location-absolute", "RFC 7643 §3.1", "meta.location is an absolute URL that ends in the endpoint and the id",
			"Clients that follow it ask the wrong address.", nil), watchLocation),
		watch(must("resource.password", "RFC 7643 §4.1.1", "No answer holds a password, in any form",
			"Passwords end up in the logs of every client and proxy.", nil), func(_ *answer, r object) observation {
			return judge(get(r, "password") == nil, "no password", "password in the body")
		}),
		watch(must("resource.one-primary", "RFC 7643 §2.4", "At most one element of an attribute is primary",
			"Which address is the main one depends on who reads.", nil), watchPrimary),
		watch(should("resource.no-duplicates", "RFC 7643 §2.4", "No element with the same type and value comes twice",
			"Clients that compare see a difference that is none.", nil), watchDuplicates),
		watch(should("resource.names", "RFC 7643 §2.1", "Attribute names are spelt as the schema spells them",
			"Clients that look names up exactly do not find them.", nil), watchNames),
		must("resource.etag", "RFC 7644 §3.14", "The ETag header and meta.version of one resource are the same text",
			"A version taken from the body does not work as If-Match.", nil).watching(func(a *answer) observation {
			v, tag := text(dig(a.obj, "meta", "version")), a.reply.Get("ETag")
			if v == "" || tag == "" || len(a.resources()) != 1 || a.listed() {
				return observation{}
			}
			return judge(v == tag, "ETag "+v, "ETag "+tag)
		}),
		must("resource.content-location", "RFC 7643 §3.1", "Content-Location, if given, is meta.location",
			"A client has two addresses for one resource.", nil).watching(func(a *answer) observation {
			at, loc := a.reply.Get("Content-Location"), text(dig(a.obj, "meta", "location"))
			if at == "" || loc == "" || a.listed() {
				return observation{}
			}
			return judge(at == loc, "Content-Location "+loc, at)
		}),
		must("resource.no-content", "RFC 9110 §15.3.5", "204 has no body",
			"The rest of the body is taken for the next answer of the connection.", nil).watching(func(a *answer) observation {
			if a.code != http.StatusNoContent {
				return observation{}
			}
			// A client's library does not read such a body; its length gives it away.
			length := a.reply.Get("Content-Length")
			return judge(len(a.raw) == 0 && (length == "" || length == "0"), "no body", "a body of "+length+" bytes")
		}),
	}
}

// onResources asks about every resource of an answer that shows whole ones.
func onResources(f func(*answer, object) observation) func(*answer) observation {
	return func(a *answer) observation {
		var out observation
		if a.projected() {
			return out
		}
		for _, r := range a.resources() {
			o := f(a, r)
			if o.expected != "" {
				return o
			}
			out.relevant = out.relevant || o.relevant
		}
		return out
	}
}

func watchSchemas(a *answer, r object) observation {
	l, ok := get(r, "schemas").([]any)
	seen, own := map[string]bool{}, a.typ == nil
	for _, e := range l {
		urn := strings.ToLower(text(e))
		if !strings.HasPrefix(urn, "urn:") || seen[urn] {
			ok = false
		}
		seen[urn] = true
		own = own || urn == strings.ToLower(a.typ.urn)
	}
	return judge(ok && len(l) > 0 && own, "a list of different URNs with that of the resource type", "schemas "+show(get(r, "schemas")))
}

func watchExtensions(_ *answer, r object) observation {
	out := observation{}
	for k, v := range r {
		if !strings.HasPrefix(strings.ToLower(k), "urn:") || unassigned(v) {
			continue
		}
		out = fine()
		found := false
		for _, e := range list(get(r, "schemas")) {
			found = found || strings.EqualFold(text(e), k)
		}
		if !found {
			return judge(false, k+" in schemas", "schemas "+show(get(r, "schemas")))
		}
	}
	return out
}

func watchMeta(_ *answer, r object) observation {
	for _, key := range []string{"resourceType", "created", "lastModified", "location"} {
		if text(dig(r, "meta", key)) == "" {
			return judge(false, "meta."+key, "meta "+show(get(r, "meta")))
		}
	}
	return fine()
}

func watchTimes(_ *answer, r object) observation {
	for _, key := range []string{"created", "lastModified"} {
		v := dig(r, "meta", key)
		if v == nil {
			continue
		}
		if _, err := time.Parse(time.RFC3339, text(v)); err != nil {
			return judge(false, "a dateTime such as 2026-01-02T03:04:05Z", "meta."+key+" "+show(v))
		}
	}
	return fine()
}

func watchLocation(a *answer, r object) observation {
	loc, id := text(dig(r, "meta", "location")), text(get(r, "id"))
	if loc == "" || a.typ == nil {
		return observation{}
	}
	u, err := url.Parse(loc)
	want := a.typ.endpoint + "/" + url.PathEscape(id)
	ok := err == nil && u.IsAbs() && strings.HasSuffix(u.EscapedPath(), want)
	return judge(ok, "an absolute URL that ends in "+want, loc)
}

func eachElement(r object, f func(name string, elements []any) observation) observation {
	out := observation{}
	for name, v := range r {
		l := list(v)
		if len(l) == 0 {
			continue
		}
		o := f(name, l)
		if o.expected != "" {
			return o
		}
		out.relevant = out.relevant || o.relevant
	}
	return out
}

func watchPrimary(_ *answer, r object) observation {
	return eachElement(r, func(name string, l []any) observation {
		n := 0
		for _, e := range l {
			if dig(e, "primary") == true {
				n++
			}
		}
		if n == 0 {
			return observation{}
		}
		return judge(n == 1, "one primary element in "+name, fmt.Sprintf("%d: %s", n, show(l)))
	})
}

func watchDuplicates(_ *answer, r object) observation {
	return eachElement(r, func(name string, l []any) observation {
		seen := map[string]bool{}
		for _, e := range l {
			if dig(e, "value") == nil {
				continue
			}
			key := show(dig(e, "type")) + show(dig(e, "value"))
			if seen[key] {
				return judge(false, "every (type, value) of "+name+" once", show(e)+" twice")
			}
			seen[key] = true
		}
		return fine()
	})
}

func watchNames(a *answer, r object) observation {
	want := []string{"id", "externalId", "meta", "schemas"}
	for _, key := range want {
		if _, ok := r[key]; !ok && get(r, key) != nil {
			return judge(false, key, "the same in another case")
		}
	}
	if a.listed() {
		for _, key := range []string{"totalResults", "Resources"} {
			if _, ok := a.obj[key]; !ok && get(a.obj, key) != nil {
				return judge(false, key, "the same in another case")
			}
		}
	}
	return fine()
}
