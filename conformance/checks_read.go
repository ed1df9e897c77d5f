package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func readChecks() []check {
	return all("user", []check{
		must("read.get", "RFC 7644 §3.4.1", "GET of a resource answers 200 with it",
			"Clients read before they write.", func(p *probe) {
				path, u := p.user()
				p.has(p.read(path), u.id(), "id")
			}),
		must("read.unknown", "RFC 7644 §3.12", "GET of an unknown id is 404",
			"Clients recreate what is gone only if they are told so.", func(p *probe) { p.status(p.get(p.users().endpoint+"/"+p.unique()), 404) }),
		must("read.other-type", "RFC 7644 §3.4.1", "The id of a user is 404 among the groups",
			"A user is taken for a group.", readOtherType).with("group"),
		must("read.inactive", "RFC 7643 §4.1.1", "An inactive user can be read",
			"Okta's test reads a user after deactivating it; a 404 makes clients create it again.", func(p *probe) {
				path, _ := p.user(object{"active": false})
				p.has(p.read(path), false, "active")
			}).with("User.active"),
		must("read.attributes", "RFC 7644 §3.9", "attributes shows what it names and nothing else of the default set",
			"Clients that want little get whole groups.", readAttributes1),
		must("read.attributes-id", "RFC 7643 §7", "id is returned whatever attributes says",
			"The client cannot tell which resource it has.", func(p *probe) {
				path, u := p.user()
				p.has(p.get(query(path, "attributes", "userName")), u.id(), "id")
			}),
		should("read.attributes-schemas", "RFC 7643 §3", "schemas is returned whatever attributes says",
			"Typed clients cannot tell what they have.", func(p *probe) {
				path, _ := p.user()
				a := p.get(query(path, "attributes", "userName"))
				p.that(a.is(urnUser), "schemas with "+urnUser, show(get(a.obj, "schemas")))
			}),
		must("read.attributes-sub", "RFC 7644 §3.10", "attributes can name a sub-attribute",
			"Clients that ask for name.givenName get the whole name, or nothing.", readSub).with("User.name"),
		must("read.attributes-multi", "RFC 7644 §3.10", "attributes can name a sub-attribute of a multi-valued attribute",
			"Clients that ask for emails.value get whole e-mails, or nothing.", readMulti).with("User.emails"),
		must("read.attributes-urn", "RFC 7644 §3.10", "attributes can be fully qualified",
			"Entra names attributes with their URN.", readURN).with("User.name"),
		must("read.attributes-extension", "RFC 7644 §3.10", "attributes can name an attribute of an extension",
			"Clients cannot ask for department alone.", readExtension).with("enterprise"),
		should("read.attributes-extension-all", "RFC 7644 §3.10", "attributes can name a whole extension by its URN",
			"Clients have to name every attribute of an extension.", readWholeExtension).with("enterprise"),
		must("read.attributes-case", "RFC 7643 §2.1", "Names in attributes have no case",
			"What an administrator typed in another case is missing.", func(p *probe) {
				path, u := p.user()
				p.has(p.get(query(path, "attributes", "USERNAME")), text(get(u.obj, "userName")), "userName")
			}),
		should("read.attributes-unknown", "RFC 7644 §3.9", "An unknown name in attributes does no harm",
			"One wrong setting makes every read fail.", func(p *probe) {
				path, _ := p.user()
				p.status(p.get(query(path, "attributes", "userName,scimhubUnknown")), 200)
			}).notIn("interop"),
		must("read.attributes-password", "RFC 7643 §7", "password is not returned even if asked for",
			"Anybody who may read can collect passwords or their hashes.", func(p *probe) {
				path, _ := p.user(object{"password": "Conf0rm!ty-" + p.unique()})
				a := p.get(query(path, "attributes", "userName,password"))
				p.that(a.obj != nil && get(a.obj, "password") == nil, "no password", a.saw()+", "+show(get(a.obj, "password")))
			}).with("User.password"),
		must("read.excluded", "RFC 7644 §3.9", "excludedAttributes leaves out what it names and nothing else",
			"Entra reads groups without members, because they are too large otherwise.", readExcluded),
		must("read.excluded-always", "RFC 7644 §3.9", "excludedAttributes has no effect on id",
			"The client cannot tell which resource it has.", func(p *probe) {
				path, u := p.user()
				p.has(p.get(query(path, "excludedAttributes", "id,displayName")), u.id(), "id")
			}),
		should("read.both", "RFC 7644 §3.9", "attributes and excludedAttributes together are 400",
			"Which of the two counts differs from service to service.", func(p *probe) {
				path, _ := p.user()
				p.status(p.get(query(path, "attributes", "userName", "excludedAttributes", "emails")), 400)
			}),
	})
}

func readOtherType(p *probe) {
	_, u := p.user()
	if !p.done {
		p.status(p.get(p.groups().endpoint+"/"+u.id()), 404)
	}
}

func readAttributes1(p *probe) {
	path, u := p.user()
	a := p.get(query(path, "attributes", "userName"))
	p.status(a, 200)
	p.has(a, text(get(u.obj, "userName")), "userName")
	for _, key := range []string{"emails", "displayName", "name"} {
		p.lacks(a, key)
	}
}

func readSub(p *probe) {
	path, _ := p.user()
	a := p.get(query(path, "attributes", "name.givenName"))
	p.status(a, 200)
	p.has(a, "Conformance", "name", "givenName")
	p.lacks(a, "name", "familyName")
	p.lacks(a, "userName")
}

func readMulti(p *probe) {
	path, u := p.user()
	a := p.get(query(path, "attributes", "emails.value"))
	p.status(a, 200)
	l := list(get(a.obj, "emails"))
	if p.that(len(l) == 1, "the e-mail", show(get(a.obj, "emails"))) {
		p.that(text(dig(l[0], "value")) == mail(text(get(u.obj, "userName"))) && dig(l[0], "type") == nil, "its value alone", show(l[0]))
	}
}

func readURN(p *probe) {
	path, u := p.user()
	a := p.get(query(path, "attributes", urnUser+":userName,"+urnUser+":name.givenName"))
	p.status(a, 200)
	p.has(a, text(get(u.obj, "userName")), "userName")
	p.has(a, "Conformance", "name", "givenName")
	p.lacks(a, "displayName")
}

func readExtension(p *probe) {
	path, _ := p.enterpriseUser(object{"department": "Checks", "costCenter": "4130"})
	a := p.get(query(path, "attributes", urnEnterprise+":department"))
	p.status(a, 200)
	p.has(a, "Checks", urnEnterprise, "department")
	p.lacks(a, urnEnterprise, "costCenter")
	p.lacks(a, "displayName")
}

func readWholeExtension(p *probe) {
	path, _ := p.enterpriseUser(object{"department": "Checks", "costCenter": "4130"})
	a := p.get(query(path, "attributes", urnEnterprise))
	p.status(a, 200)
	p.has(a, object{"department": "Checks", "costCenter": "4130"}, urnEnterprise)
}

func readExcluded(p *probe) {
	path, u := p.user()
	a := p.get(query(path, "excludedAttributes", "displayName,name.givenName"))
	p.status(a, 200)
	p.lacks(a, "displayName")
	p.lacks(a, "name", "givenName")
	p.has(a, text(get(u.obj, "userName")), "userName")
	if p.lacksAttribute("User.name") == "" {
		p.has(a, "Check", "name", "familyName")
	}
}

func listChecks() []check {
	whole := func(f func(a *answer) observation) func(*answer) observation {
		return func(a *answer) observation {
			if !a.listed() {
				return observation{}
			}
			return f(a)
		}
	}
	return all("user", []check{
		must("list.response", "RFC 7644 §3.4.2", "A list is a ListResponse with a numeric totalResults",
			"Okta: “Invalid JSON”; typed clients refuse a number in quotes.", nil).watching(whole(func(a *answer) observation {
			_, ok := number(get(a.obj, "totalResults"))
			return judge(ok && a.is(urnList), "schemas "+urnList+" and totalResults as a number",
				"schemas "+show(get(a.obj, "schemas"))+", totalResults "+show(get(a.obj, "totalResults")))
		})),
		must("list.resources", "RFC 7644 §3.4.2", "Resources is a list, never null",
			"Clients that walk through it fail on an empty result.", nil).watching(whole(func(a *answer) observation {
			v, there := a.obj["Resources"]
			_, ok := v.([]any)
			n, _ := number(get(a.obj, "totalResults"))
			return judge(ok || !there && get(a.obj, "Resources") != nil || !there && (n == 0 || a.counted(0)), "a list", fmt.Sprintf("Resources there: %v, value %v", there, v))
		})),
		must("list.items", "RFC 7644 §3.4.2", "itemsPerPage is the number of resources in this page",
			"Clients that go on from it skip or repeat people.", nil).watching(whole(watchItems)),
		must("list.partial", "RFC 7644 §3.4.2", "A page that is not all has startIndex and itemsPerPage",
			"Clients that go on from them stop after the first page.", nil).watching(whole(watchPartial)),
		must("list.count", "RFC 7644 §3.4.2.4", "No more than count resources come",
			"Clients with fixed buffers fail; pages overlap.", listCount),
		must("list.count-zero", "RFC 7644 §3.4.2.4", "count=0 gives the total and no resource",
			"A question for a number loads the directory.", listEmpty("count", "0")),
		must("list.count-negative", "RFC 7644 §3.4.2.4", "A negative count counts as 0",
			"A question for a number loads the directory.", listEmpty("count", "-1")),
		must("list.count-huge", "RFC 7644 §3.4.2.4", "A large count is accepted; the page may be smaller",
			"Clients that ask for everything get nothing.", func(p *probe) {
				a := p.get(query(p.users().endpoint, "count", "100000", "attributes", "userName"))
				n := len(p.found(a))
				p.that(p.maxResults <= 0 || n <= p.maxResults, fmt.Sprintf("at most filter.maxResults = %d resources", p.maxResults), strconv.Itoa(n))
			}),
		should("list.count-text", "RFC 7644 §3.12", "A count that is no number is 400",
			"A typing error loads the directory.", func(p *probe) { p.status(p.get(query(p.users().endpoint, "count", "many")), 400) }),
		must("list.start-zero", "RFC 7644 §3.4.2.4", "startIndex 0 counts as 1",
			"Clients that count from 0 get an error or miss the first user.", listStart("0")),
		must("list.start-negative", "RFC 7644 §3.4.2.4", "A negative startIndex counts as 1",
			"The list begins somewhere else.", listStart("-5")),
		must("list.start-beyond", "RFC 7644 §3.4.2.4", "startIndex behind the end gives 200, no resource and the total",
			"Clients that read until a page is empty take the end for an error.", listBeyond),
		should("list.start-text", "RFC 7644 §3.12", "A startIndex that is no number is 400",
			"A typing error gives the wrong page.", func(p *probe) { p.status(p.get(query(p.users().endpoint, "startIndex", "first")), 400) }),
		must("list.pages", "RFC 7644 §3.4.2.4", "Pages follow each other: nobody missing, nobody twice, the total constant",
			"An import loses people, who then lose their access.", listPages).with("filter"),
		must("list.inactive", "RFC 7643 §4.1.1", "Inactive users are in lists",
			"Clients take a deactivated user for a missing one, and create it again.", func(p *probe) { p.finds(p.three().narrow, "ABC") }).
			with("filter User.active"),
		must("list.attributes", "RFC 7644 §3.4.2.5", "attributes works on lists",
			"A client that wants names loads the directory.", func(p *probe) { p.listed1("attributes", "userName") }).with("filter"),
		must("list.excluded", "RFC 7644 §3.4.2.5", "excludedAttributes works on lists",
			"A client that wants no e-mails loads them all.", func(p *probe) { p.listed1("excludedAttributes", "emails,name,displayName,nickName") }).with("filter"),
		must("list.none", "RFC 7644 §3.4.2", "No match is 200 with totalResults 0",
			"Entra's connection test fails on 404, and nothing is provisioned.", func(p *probe) {
				a := p.get(query(p.users().endpoint, "filter", `userName eq "`+p.userName()+`"`))
				p.found(a)
				p.has(a, 0, "totalResults")
			}).with("filter"),
	})
}

// counted reports whether a request asked for a page of this size.
func (a *answer) counted(n int) bool {
	return strings.Contains(a.path, fmt.Sprintf("count=%d", n)) || strings.Contains(a.path, "count=-")
}

func watchItems(a *answer) observation {
	v := get(a.obj, "itemsPerPage")
	if v == nil {
		return observation{}
	}
	n, ok := number(v)
	got := len(list(get(a.obj, "Resources")))
	return judge(ok && n == got, fmt.Sprintf("itemsPerPage %d, as there are resources", got), show(v))
}

func watchPartial(a *answer) observation {
	total, _ := number(get(a.obj, "totalResults"))
	if total <= len(list(get(a.obj, "Resources"))) || strings.Contains(a.path, "cursor") || strings.Contains(string(a.body), "cursor") {
		return observation{}
	}
	_, okStart := number(get(a.obj, "startIndex"))
	_, okItems := number(get(a.obj, "itemsPerPage"))
	return judge(okStart && okItems || get(a.obj, "nextCursor") != nil, "startIndex and itemsPerPage as numbers",
		"startIndex "+show(get(a.obj, "startIndex"))+", itemsPerPage "+show(get(a.obj, "itemsPerPage")))
}

func listCount(p *probe) {
	p.user()
	p.user()
	n := len(p.found(p.get(query(p.users().endpoint, "count", "1"))))
	p.that(n <= 1, "one resource at most", strconv.Itoa(n))
}

func listEmpty(key, value string) func(*probe) {
	return func(p *probe) {
		p.user()
		a := p.get(query(p.users().endpoint, key, value))
		n := len(p.found(a))
		p.that(n == 0, "no resource", strconv.Itoa(n))
		total, _ := number(get(a.obj, "totalResults"))
		p.that(total > 0, "the true total", show(get(a.obj, "totalResults")))
	}
}

func listStart(value string) func(*probe) {
	return func(p *probe) {
		p.user()
		first := p.found(p.get(query(p.users().endpoint, "startIndex", "1", "count", "2")))
		a := p.get(query(p.users().endpoint, "startIndex", value, "count", "2"))
		p.that(slices.Equal(p.found(a), first), "the same page as startIndex=1", "another one")
		if v := get(a.obj, "startIndex"); v != nil {
			p.has(a, 1, "startIndex")
		}
	}
}

func listBeyond(p *probe) {
	p.user()
	a := p.get(query(p.users().endpoint, "startIndex", "1000000", "count", "2"))
	n := len(p.found(a))
	p.that(n == 0, "no resource", strconv.Itoa(n))
	total, _ := number(get(a.obj, "totalResults"))
	p.that(total > 0, "the true total", show(get(a.obj, "totalResults")))
}

func listPages(p *probe) {
	c := p.three()
	var got []string
	for start := 1; start <= 3 && !p.done; start++ {
		a := p.get(query(p.users().endpoint, "filter", c.narrow, "startIndex", strconv.Itoa(start), "count", "1"))
		got = append(got, p.found(a)...)
		p.has(a, 3, "totalResults")
		p.has(a, start, "startIndex")
	}
	slices.Sort(got)
	p.that(slices.Equal(got, slices.Sorted(slices.Values(c.ids))), "three pages with three different users", fmt.Sprintf("%d different of %d", len(slices.Compact(slices.Clone(got))), len(got)))
}

func (p *probe) listed1(key, value string) {
	c := p.three()
	a := p.get(query(p.users().endpoint, "filter", c.narrow, key, value))
	p.exactly(a, c.ids, c.ids)
	for _, r := range a.resources() {
		p.that(get(r, "userName") != nil, "userName", show(r))
		p.that(get(r, "emails") == nil && get(r, "displayName") == nil, "neither emails nor displayName", show(r))
	}
}
