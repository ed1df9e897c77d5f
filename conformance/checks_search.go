package conformance

import (
	"fmt"
	"net/http"
	"slices"
)

const searchText = "RFC 7644 §3.4.3"

func searchChecks() []check {
	return all("user filter", []check{
		must("search.type", searchText, "POST /Users/.search answers 200 with a ListResponse", "Clients that keep filters out of URLs cannot search.", func(p *probe) {
			c := p.three()
			p.exactly(p.search(p.users().endpoint, object{"filter": `userName eq "` + c.names[1] + `"`}), c.ids, c.pick("B"))
		}),
		must("search.group", searchText, "POST /Groups/.search works as well", "Clients that keep filters out of URLs cannot search.", func(p *probe) {
			_, g := p.group()
			p.exactly(p.search(p.groups().endpoint, object{"filter": `displayName eq "` + text(get(g.obj, "displayName")) + `"`}), []string{g.id()}, []string{g.id()})
		}).with("group"),
		must("search.paging", searchText, "startIndex and count work in the body", "Pages overlap.", searchPaging),
		must("search.attributes", searchText, "attributes is a list in the body", "Clients that want little get everything.", func(p *probe) {
			p.searched(object{"attributes": array{"userName"}})
		}),
		must("search.excluded", searchText, "excludedAttributes is a list in the body", "Clients that want little get everything.", func(p *probe) {
			p.searched(object{"excludedAttributes": array{"emails", "displayName"}})
		}),
		must("search.sort", searchText, "sortBy and sortOrder work in the body", "Lists come in the wrong order.", func(p *probe) {
			c := p.three()
			p.inOrder(p.search(p.users().endpoint, object{"filter": c.narrow, "sortBy": "userName", "sortOrder": "descending"}), c, "CBA")
		}).with("sort"),
		must("search.bad-filter", filterText, "A wrong filter in the body is 400 invalidFilter", "Everybody is returned.", func(p *probe) {
			p.kind(p.search(p.users().endpoint, object{"filter": `userName regex "x"`}), 400, "invalidFilter")
		}),
		must("search.malformed", "RFC 7644 §3.12", "A body that is no search is 400", "Everybody is returned.", func(p *probe) {
			p.search(p.users().endpoint, object{"count": 1})
			p.refused(p.post(p.users().endpoint+"/.search", `{"schemas":`), 400)
		}),
		must("search.root", searchText, "POST /.search asks over all resource types", "Clients have to ask each endpoint.", func(p *probe) {
			p.overAll(func(filter string) *answer { return p.search("", object{"filter": filter}) })
		}).with("group"),
		must("search.root-get", "RFC 7644 §3.4.2.1", "GET / with a filter asks over all resource types", "Clients have to ask each endpoint.", func(p *probe) {
			p.overAll(func(filter string) *answer { return p.root(filter) })
		}).with("group"),
		must("search.root-type", "RFC 7644 §3.4.2.1", "meta.resourceType narrows a query over all types", "Clients get groups among their users.", rootType).with("group"),
		must("search.root-undefined", "RFC 7644 §3.4.2.1", "An attribute that a type does not have is no error in a query over all types",
			"A query for users fails because groups have no userName.", rootUndefined),
		must("search.me", "RFC 7644 §3.11", "/Me is 501, or leads to a resource with Location", "A client takes a 404 for “you do not exist”.", me),
	})
}

// search sends a search; where the service does not know it, the check is skipped.
func (p *probe) search(endpoint string, body object) *answer {
	a := p.post(endpoint+"/.search", merge(object{"schemas": array{urnSearch}}, body))
	p.offered(a, "POST "+endpoint+"/.search")
	return a
}

func (p *probe) root(filter string) *answer {
	a := p.get(query("/", "filter", filter))
	p.offered(a, "GET / with a filter")
	return a
}

func (p *probe) offered(a *answer, what string) {
	if a.err == nil && (a.code == 501 || a.code == 404 || a.code == 405 || a.code == 403) {
		p.skip("%s is not offered: %s", what, a.saw())
	}
}

func searchPaging(p *probe) {
	c := p.three()
	var got []string
	for start := 1; start <= 3 && !p.done; start++ {
		a := p.search(p.users().endpoint, object{"filter": c.narrow, "startIndex": start, "count": 1})
		got = append(got, p.found(a)...)
		p.has(a, 3, "totalResults")
	}
	p.everybodyOnce(got)
}

func (p *probe) searched(body object) {
	c := p.three()
	a := p.search(p.users().endpoint, merge(body, object{"filter": c.narrow}))
	p.exactly(a, c.ids, c.ids)
	for _, r := range a.resources() {
		p.that(get(r, "userName") != nil, "userName", show(r))
		p.that(get(r, "emails") == nil && get(r, "displayName") == nil, "neither emails nor displayName", show(r))
	}
}

// overAll makes a user and a group with one externalId and looks for both at once.
func (p *probe) overAll(ask func(filter string) *answer) {
	ext := p.unique()
	_, u := p.user(object{"externalId": ext})
	_, g := p.create(p.groups(), merge(p.body(p.groups()), object{"externalId": ext}))
	ids := []string{u.id(), g.id()}
	p.exactly(ask(`externalId eq "`+ext+`"`), ids, ids)
}

func rootType(p *probe) {
	ext := p.unique()
	_, u := p.user(object{"externalId": ext})
	_, g := p.create(p.groups(), merge(p.body(p.groups()), object{"externalId": ext}))
	p.exactly(p.root(`externalId eq "`+ext+`" and meta.resourceType eq "Group"`), []string{u.id(), g.id()}, []string{g.id()})
}

func rootUndefined(p *probe) {
	c := p.people()
	if !p.done {
		p.exactly(p.root(`userName eq "`+c.names[0]+`"`), c.ids, c.pick("A"))
	}
}

func me(p *probe) {
	a := p.get("/Me")
	switch a.code {
	case http.StatusOK:
		p.that(a.reply.Get("Location") != "" || a.reply.Get("Content-Location") != "", "the permanent address in Location", "none")
	case http.StatusPermanentRedirect, http.StatusTemporaryRedirect:
		p.that(a.reply.Get("Location") != "", "a Location header", "none")
	case http.StatusNotFound, http.StatusForbidden:
		// RFC 7644 §3.11 lets a service map the client to no resource; the body must say so.
		p.that(slices.Contains([]int{404, 403}, a.code) && a.is(urnError) && text(get(a.obj, "detail")) != "", "501, or an Error that says that the client is nobody", a.saw())
	default:
		p.that(a.code == http.StatusNotImplemented, "status 501, 200, 307 or 308", fmt.Sprintf("status %d", a.code))
	}
}
