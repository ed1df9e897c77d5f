package conformance

import (
	"net/http"
	"strconv"
	"strings"
)

func oktaChecks() []check {
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, oktaText, title, why, run).in("okta lenient")
	}
	return all("user", []check{
		c(Must, "okta.test", "GET /Users?startIndex=1&count=2", "The connection test fails.", func(p *probe) {
			p.user()
			a := p.get(p.users().endpoint + "?startIndex=1&count=2")
			p.isList(a)
			p.has(a, 1, "startIndex")
		}),
		c(Must, "okta.create", "Okta's POST: groups [], a password, middleName empty", "No user is created.", func(p *probe) {
			a := p.post(p.users().endpoint, p.userBody(object{"groups": array{}, "password": "Pq7-" + p.unique(), "locale": "en-US",
				"externalId": p.unique(), "name": object{"givenName": "Conformance", "familyName": "Check", "middleName": ""}}))
			p.accepted(a)
			p.that(a.id() != "", "the id in the body", "none")
		}),
		c(Must, "okta.deactivate", "replace without path: {\"active\": false}", "Leavers keep their access.", func(p *probe) {
			path, _ := p.user()
			p.has(p.patched(path, op("replace", "", object{"active": false})), false, "active")
			p.has(p.patched(path, op("replace", "", object{"active": true})), true, "active")
		}).with("patch User.active"),
		c(Must, "okta.password", "replace without path of the password", "Passwords are not synchronised.", func(p *probe) {
			path, _ := p.user()
			p.status(p.patch(path, op("replace", "", object{"password": "Pq8-" + p.unique()})), 200, 204)
		}).with("patch User.password"),
		c(Must, "okta.put-echo", "PUT of what was read, with active false", "Leavers of wizard-made applications keep their access.", func(p *probe) {
			path, _ := p.user()
			a := p.read(path)
			if p.done {
				return
			}
			b := p.put(path, merge(a.obj, object{"active": false}))
			p.status(b, 200)
			p.has(b, false, "active")
			p.has(p.read(path), false, "active")
		}).with("User.active"),
		c(Must, "okta.capitals", "A user is found by userName in capitals", "The user is created a second time.", func(p *probe) {
			_, u := p.user()
			p.exactly(p.get(query(p.users().endpoint, "filter", `userName eq "`+strings.ToUpper(text(get(u.obj, "userName")))+`"`, "startIndex", "1", "count", "100")), []string{u.id()}, []string{u.id()})
		}).with("filter"),
		c(Must, "okta.not-found", "An unknown user is 404 with a detail", "Okta's test demands the text.", func(p *probe) {
			a := p.get(p.users().endpoint + "/" + p.unique())
			p.status(a, 404)
			p.that(text(get(a.obj, "detail")) != "", "a detail", a.saw())
		}),
		c(Must, "okta.group-rename", "replace without path with id and displayName", "Groups keep their old names.", func(p *probe) {
			path, g := p.group()
			name := p.unique()
			p.has(p.patched(path, op("replace", "", object{"id": g.id(), "displayName": name})), object{"id": g.id(), "displayName": name})
		}).with("group patch"),
		c(Must, "okta.group-push", "A group with members that have display", "Groups cannot be pushed.", func(p *probe) {
			ids := p.crowd(1)
			path, _ := p.create(p.groups(), merge(p.body(p.groups()), object{"members": array{object{"value": ids[0], "display": "x@example.com"}}}))
			p.members(path, ids...)
		}).with("group Group.members"),
		c(Must, "okta.group-display-null", "Members with display null in a PUT", "Wizard-made applications cannot push groups.", func(p *probe) {
			ids := p.crowd(1)
			path, g := p.group()
			p.status(p.put(path, merge(p.body(p.groups()), object{"id": g.id(), "members": array{object{"value": ids[0], "display": nil}}})), 200)
			p.members(path, ids...)
		}).with("group Group.members"),
		c(Must, "okta.manager-unresolved", "A manager that is nobody's id is accepted", "Nobody with a manager can be created.", func(p *probe) {
			p.status(p.post(p.users().endpoint, p.userBody(object{"schemas": array{urnUser, urnEnterprise},
				urnEnterprise: object{"manager": object{"value": "boss@example.com"}}})), 201)
		}).with("enterprise"),
		c(Should, "okta.foreign-schema", "An unknown URN in schemas is ignored", "URNs are typed by administrators.", func(p *probe) {
			p.accepted(p.post(p.users().endpoint, p.userBody(object{"schemas": array{urnUser, "urn:ietf:params:scim:schemas:extension:acme:2.0:User"}})))
		}),
		c(Must, "okta.twice", "A POST that is repeated is 409", "A request that is repeated after a time-out makes a second account.", createConflict),
	})
}

func oneLoginChecks() []check {
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, oneLogin, title, why, run).in("onelogin lenient")
	}
	return all("user", []check{
		c(Must, "onelogin.ampersand", "A query that ends with &", "Users are not matched, and made twice.", func(p *probe) {
			_, u := p.user()
			name := strings.ReplaceAll(text(get(u.obj, "userName")), "@", "%40")
			p.exactly(p.get(p.users().endpoint+"?filter=userName+eq+%22"+name+"%22&"), []string{u.id()}, []string{u.id()})
		}).with("filter"),
		c(Must, "onelogin.put", "PUT with ? at the end, application/json and schemas of other names", "Nothing is ever changed.", func(p *probe) {
			path, u := p.user()
			p.status(p.put(path+"?", p.again(u, object{"displayName": "New", "schemas": array{"urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"}}),
				header("Content-Type", "application/json")), 200)
			p.has(p.read(path), "New", "displayName")
		}).with("User.displayName"),
		c(Must, "onelogin.no-schemas", "A body without schemas", "Templates have none: nobody is created.", func(p *probe) {
			p.accepted(p.post(p.users().endpoint, p.userBody(object{"schemas": nil})))
		}),
		c(Must, "onelogin.remove-member", "remove of members with a list of values", "Everybody loses access, or nobody.",
			memberStep([]int{0, 1, 2}, oneOp("remove", "members", func(ids []string) any { return refs(ids[1]) }), []int{0, 2})).with("group Group.members patch"),
		c(Should, "onelogin.empty-text", "\"\" for values that are missing", "Templates send them: nobody is created.", func(p *probe) {
			p.accepted(p.post(p.users().endpoint, p.userBody(object{"title": "", "nickName": ""})))
		}),
	})
}

const interopText = "draft-zollner-scim-interop-profile-02"

func interopChecks() []check {
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, interopText, title, why, run).in("interop")
	}
	return all("user", []check{
		c(Must, "interop.unknown-attribute", "An attribute that no schema defines is 400 invalidSyntax", "What is lost is lost without a word.", func(p *probe) {
			p.kind(p.post(p.users().endpoint, p.userBody(object{"scimhubUnknown": "x"})), 400, "invalidSyntax")
		}),
		c(Must, "interop.unknown-schema", "A schema that the type does not have is 400 invalidSyntax", "What is lost is lost without a word.", func(p *probe) {
			p.kind(p.post(p.users().endpoint, p.userBody(object{"schemas": array{urnUser, "urn:example:" + p.unique()}})), 400, "invalidSyntax")
		}),
		c(Must, "interop.pathless", "PATCH without path is 400 invalidSyntax", "Two services read the same request differently.", func(p *probe) {
			path, _ := p.user()
			p.kind(p.patch(path, op("replace", "", object{"displayName": "X"})), 400, "invalidSyntax")
		}).with("patch"),
		c(Must, "interop.path-ends", "A path that ends with a bracket is 400 invalidPath", "Two services read the same request differently.", func(p *probe) {
			path, _ := p.user()
			p.kind(p.patch(path, op("replace", `emails[type eq "work"]`, object{"value": "n@example.com"})), 400, "invalidPath")
		}).with("patch User.emails"),
		c(Must, "interop.one-match", "A path that hits two elements is 400 invalidFilter", "More is changed than was meant.", func(p *probe) {
			work, home := p.mails()
			path, _ := p.user(object{"emails": array{work, home}})
			p.kind(p.patch(path, op("replace", `emails[value ew "example.com"].type`, "other")), 400, "invalidFilter")
		}).with("patch User.emails"),
		c(Must, "interop.replace-complex", "replace of a complex attribute clears what it does not name", "Two services read the same request differently.", func(p *probe) {
			path, _ := p.user()
			a := p.patched(path, op("replace", "name", object{"familyName": "New"}))
			p.has(a, "New", "name", "familyName")
			p.lacks(a, "name", "givenName")
		}).with("patch User.name"),
		c(Must, "interop.unknown-filter", "A filter with an attribute that no schema defines is 400", "A typing error finds nobody.", func(p *probe) {
			p.refused(p.get(query(p.users().endpoint, "filter", `scimhubUnknown eq "x"`)), 400)
		}).with("filter"),
		c(Should, "interop.page", "Pages hold 100 resources", "Clients need thousands of requests.", func(p *probe) {
			p.that(p.maxResults == 0 || p.maxResults >= 100, "filter.maxResults of 100 or more", strconv.Itoa(p.maxResults))
		}),
		c(Must, "interop.type-id", "The id of a resource type is its name", "Clients that ask by name find nothing.", func(p *probe) {
			p.trail = append(p.trail, p.listTypes)
			for _, m := range discovered(p.listTypes) {
				p.that(get(m, "id") == get(m, "name"), "id "+show(get(m, "name")), show(get(m, "id")))
			}
		}),
		c(Should, "interop.content-type", "A body of application/json is refused or accepted, never an internal error", "A misconfigured client is not told so.", func(p *probe) {
			a := p.send(http.MethodPost, p.users().endpoint, p.userBody(), header("Content-Type", "application/json"))
			p.that(a.err == nil && a.code < 500, "status 201 or 415", a.saw())
		}),
	})
}
