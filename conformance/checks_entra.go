package conformance

import (
	"fmt"
	"net/http"
	"strings"
)

// entraText stands for what Microsoft documents of its provisioning client, and what
// is seen of it.
const (
	entraText = "Microsoft Entra provisioning"
	oktaText  = "Okta provisioning"
	oneLogin  = "OneLogin provisioning"
)

func entraChecks() []check {
	const in = "entra lenient"
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, entraText, title, why, run).in(in)
	}
	return all("user", []check{
		c(Must, "entra.test-users", "GET /Users for a userName that nobody has is 200 and empty", "The connection test fails.", func(p *probe) {
			a := p.get(p.users().endpoint + "?filter=userName+eq+%22" + p.run + "%22")
			p.found(a)
			p.has(a, 0, "totalResults")
		}),
		c(Must, "entra.test-groups", "GET /Groups for a displayName that no group has is 200 and empty, with excludedAttributes=members", "The connection test fails.", func(p *probe) {
			a := p.get(p.groups().endpoint + "?excludedAttributes=members&filter=displayName+eq+%22" + p.run + "%22")
			p.found(a)
			p.has(a, 0, "totalResults")
		}).with("group"),
		c(Must, "entra.flag", "?aadOptscim062020 on every URL does no harm", "Nothing works with the flag that Microsoft recommends.", entraFlag),
		c(Must, "entra.create", "Entra's POST: meta.resourceType, roles [], the enterprise URN without data", "No user is created.", entraCreate),
		c(Must, "entra.match-after-bracket", "A filter with text after the bracket: emails[type eq \"work\"].value eq", "Users are not matched by mail, and made twice.",
			filtered(`emails[type eq "work"].value eq "%s-b@example.com"`, "B")).with("User.emails filter"),
		c(Should, "entra.unquoted", "A filter whose value has no quotes", "Microsoft's own examples have one.", filtered(`externalId eq %s-Ext-B`, "B")).with("filter"),
		c(Should, "entra.no-space", "A filter without space before the quote", "Hand-made mappings have one.", filtered(`userName eq"%b"`, "B")).with("filter"),
		c(Must, "entra.inactive-found", "A deactivated user is found by userName and by id", "The user is created a second time.", func(p *probe) {
			path, u := p.user(object{"active": false})
			p.exactly(p.get(query(p.users().endpoint, "filter", `userName eq "`+text(get(u.obj, "userName"))+`"`)), []string{u.id()}, []string{u.id()})
			p.has(p.read(path), false, "active")
		}).with("User.active"),
		c(Should, "entra.role-primary", "A boolean compared with a text in a filter: roles[primary eq \"True\"]", "Roles are never changed.", func(p *probe) {
			path, _ := p.user(object{"roles": array{object{"value": "one", "primary": true}}})
			p.has(p.patched(path, op("Replace", `roles[primary eq "True"].value`, "two")), array{object{"value": "two"}}, "roles")
		}).with("User.roles.primary patch"),
		c(Must, "entra.no-nulls", "No answer holds null", "Its schema discovery and typed readers break.", nil).watching(func(a *answer) observation {
			if !a.success() || a.obj == nil {
				return observation{}
			}
			at := nullAt(a.obj, "")
			return judge(at == "", "no null", "null at "+at)
		}),
		c(Should, "entra.unknown-attribute", "An attribute that no schema defines is ignored in POST", "Administrators map what they like; nobody is created.", func(p *probe) {
			p.accepted(p.post(p.users().endpoint, p.userBody(object{"scimhubUnknown": "x"})))
		}),
		c(Should, "entra.bom", "A byte order mark before the body is accepted", "Some .NET clients send one.", func(p *probe) {
			p.accepted(p.post(p.users().endpoint, append([]byte("\xef\xbb\xbf"), encode(p.userBody())...)))
		}),
	})
}

func nullAt(v any, where string) string {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if e == nil {
				return where + "." + k
			}
			if at := nullAt(e, where+"."+k); at != "" {
				return at
			}
		}
	case []any:
		for i, e := range x {
			if e == nil {
				return fmt.Sprintf("%s[%d]", where, i)
			}
			if at := nullAt(e, fmt.Sprintf("%s[%d]", where, i)); at != "" {
				return at
			}
		}
	}
	return ""
}

func entraFlag(p *probe) {
	path, u := p.user()
	p.found(p.get(p.users().endpoint + "?aadOptscim062020&filter=userName+eq+%22" + p.run + "%22"))
	p.has(p.get(path+"?aadOptscim062020"), u.id(), "id")
	if p.features["patch"] {
		p.status(p.send(http.MethodPatch, path+"?aadOptscim062020", patchBody(op("replace", "displayName", "X"))), 200, 204)
	}
	p.status(p.put(path+"?aadOptscim062020", p.again(u, nil)), 200, 204)
	p.status(p.remove(path+"?aadOptscim062020"), 204)
}

func entraCreate(p *probe) {
	body := p.userBody(object{"schemas": array{urnUser, urnEnterprise}, "externalId": p.unique(), "roles": array{},
		"meta": object{"resourceType": "User"}})
	p.accepted(p.post(p.users().endpoint, body))
}

func entraPatchChecks() []check {
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, entraText, title, why, run).in("entra lenient")
	}
	boss := func(ops ...func(id string) object) func(*probe) {
		return func(p *probe) { entraManager(p, ops...) }
	}
	at := urnEnterprise + ":manager"
	return all("user patch", []check{
		c(Must, "entra.op-case", "Add, Replace and Remove with a capital", "Nothing is ever changed.", func(p *probe) {
			path, _ := p.user()
			p.has(p.patched(path, op("Add", "nickName", "Nick")), "Nick", "nickName")
			p.has(p.patched(path, op("Replace", "nickName", "Nock")), "Nock", "nickName")
			p.lacks(p.patched(path, op("Remove", "nickName", nil)), "nickName")
		}).with("User.nickName"),
		c(Must, "entra.text-boolean", "\"False\" as active deactivates, and false is stored", "Leavers keep their access.", func(p *probe) {
			path, _ := p.user()
			p.has(p.patched(path, op("Replace", "active", "False")), false, "active")
			p.has(p.patched(path, op("Replace", "active", "True")), true, "active")
		}).with("User.active"),
		c(Must, "entra.create-on-add", "Add of emails[type eq \"work\"].value creates the element", "New mail addresses never arrive.", entraCreatesElement("Add")).with("User.emails"),
		c(Must, "entra.create-on-replace", "Replace of emails[type eq \"work\"].value creates the element", "Entra never recovers from the error.", entraCreatesElement("Replace")).with("User.emails"),
		c(Must, "entra.address", "Several operations build one address", "Addresses are split into several.", func(p *probe) {
			path, _ := p.user()
			a := p.patched(path, op("Add", `addresses[type eq "work"].locality`, "Gent"), op("Add", `addresses[type eq "work"].country`, "BE"))
			p.has(a, array{object{"type": "work", "locality": "Gent", "country": "BE"}}, "addresses")
		}).with("User.addresses"),
		c(Must, "entra.primary-path", "Replace of emails[primary eq true].value", "Microsoft's validator asks for it.", func(p *probe) {
			path, _ := p.user()
			a := p.patched(path, op("Replace", `emails[primary eq true].value`, "n@example.com"))
			p.has(a, array{object{"value": "n@example.com", "primary": true}}, "emails")
		}).with("User.emails"),
		c(Must, "entra.remove-value-array", "Remove with a list of values removes only these", "Everybody loses access: the classic disaster.", patchRemoveValues).with("User.emails"),
		c(Must, "entra.manager-bare", "manager as a bare id", "Managers never arrive.", boss(func(id string) object { return op("Add", at, id) })).with("enterprise"),
		c(Must, "entra.manager-object", "manager as an object", "Managers never arrive.", boss(func(id string) object { return op("Replace", at, object{"value": id}) })).with("enterprise"),
		c(Must, "entra.manager-list", "manager as a list of one object", "Managers never arrive.", boss(func(id string) object { return op("Add", at, array{object{"$ref": nil, "value": id}}) })).with("enterprise"),
		c(Must, "entra.manager-value", "manager.value as path", "Managers never arrive.", boss(func(id string) object { return op("Add", at+".value", id) })).with("enterprise"),
		c(Should, "entra.manager-dot", "A dot before manager instead of the colon", "Old applications write so.", boss(func(id string) object { return op("Add", urnEnterprise+".manager", id) })).with("enterprise"),
		c(Must, "entra.manager-empty", "manager is removed by \"\" and by {\"value\":\"\"}", "Approvals go to somebody who is no longer the manager.", entraManagerRemoved).with("enterprise"),
		c(Must, "entra.pathless-mixed", "One operation without path with dotted and URN keys", "Nothing is changed with the flag that Microsoft recommends.", func(p *probe) {
			path, _ := p.enterpriseUser(object{"department": "Old", "costCenter": "1"})
			a := p.patched(path, op("replace", "", object{"displayName": "New", "name.familyName": "New", urnEnterprise + ":department": "New"}))
			p.has(a, object{"displayName": "New"})
			p.has(a, object{"familyName": "New", "givenName": "Conformance"}, "name")
			p.has(a, object{"department": "New", "costCenter": "1"}, urnEnterprise)
		}).with("enterprise User.name"),
		c(Should, "entra.empty-operations", "An empty list of Operations changes nothing and is no error", "Microsoft's validator sends one.", func(p *probe) {
			path, _ := p.user()
			p.status(p.patch(path), 200, 204)
		}),
		c(Should, "entra.unknown-path", "An operation on an attribute that no schema defines is ignored", "One wrong mapping keeps all changes out.", func(p *probe) {
			path, _ := p.user()
			p.has(p.patched(path, op("Add", "scimhubUnknown", "x"), op("Replace", "displayName", "New")), "New", "displayName")
		}),
		c(Must, "entra.text-primary", "\"primary\": \"true\" as a text", "Microsoft's validator sends it.", func(p *probe) {
			path, _ := p.user()
			a := p.patched(path, op("Replace", "emails", array{object{"value": "n@example.com", "type": "work", "primary": "true"}}))
			p.has(a, array{object{"value": "n@example.com", "primary": true}}, "emails")
		}).with("User.emails"),
		c(Should, "entra.role-json", "roles whose value is a text of JSON are kept as they are", "Application roles never arrive.", func(p *probe) {
			path, _ := p.user()
			v := `{"id":"1","value":"admin","displayName":"Admin"}`
			p.has(p.patched(path, op("Add", "roles", array{object{"value": v}})), array{object{"value": v}}, "roles")
		}).with("User.roles"),
	})
}

func entraCreatesElement(name string) func(*probe) {
	return func(p *probe) {
		body := p.userBody()
		delete(body, "emails")
		path, _ := p.create(p.users(), body)
		a := p.patched(path, op(name, `emails[type eq "work"].value`, "n@example.com"))
		p.has(a, array{object{"type": "work", "value": "n@example.com"}}, "emails")
	}
}

func entraManager(p *probe, ops ...func(id string) object) {
	_, boss := p.user()
	path, _ := p.user()
	for _, o := range ops {
		p.has(p.patched(path, o(boss.id())), boss.id(), urnEnterprise, "manager", "value")
	}
}

func entraManagerRemoved(p *probe) {
	_, boss := p.user()
	for _, nothing := range []any{"", object{"value": ""}} {
		path, _ := p.enterpriseUser(object{"manager": object{"value": boss.id()}})
		p.lacks(p.patched(path, op("Replace", urnEnterprise+":manager", nothing)), urnEnterprise, "manager", "value")
	}
}

func entraGroupChecks() []check {
	c := func(level Level, id, title, why string, run func(*probe)) check {
		return newCheck(level, id, entraText, title, why, run).in("entra lenient")
	}
	return all("user group Group.members", []check{
		c(Must, "entra.group-create", "Entra's POST of a group, with a schema of its own", "No group is created.", func(p *probe) {
			body := merge(p.body(p.groups()), object{"externalId": p.unique(), "meta": object{"resourceType": "Group"},
				"schemas": array{urnGroup, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"}})
			p.accepted(p.post(p.groups().endpoint, body))
		}),
		c(Must, "entra.members-ref-null", "Add of members with $ref null", "Nobody is added.",
			memberStep([]int{0}, oneOp("Add", "members", func(ids []string) any { return array{object{"$ref": nil, "value": ids[1]}} }), []int{0, 1})).with("patch"),
		c(Must, "entra.members-remove-array", "Remove of members with a list of values removes only these", "Everybody loses access: the classic disaster.",
			memberStep([]int{0, 1, 2}, oneOp("Remove", "members", func(ids []string) any { return array{object{"$ref": nil, "value": ids[1]}} }), []int{0, 2})).with("patch"),
		c(Must, "entra.members-remove-none", "Remove of members with an empty list removes nobody", "Everybody loses access.", func(p *probe) {
			ids := p.crowd(2)
			path, _ := p.group(ids...)
			a := p.patch(path, op("Remove", "members", array{}))
			p.that(a.err == nil && a.code < 500, "status 200, 204 or 400", a.saw())
			p.members(path, ids...)
		}).with("patch"),
		c(Should, "entra.members-bare", "Members as bare ids", "Nobody is added.",
			memberStep([]int{0}, oneOp("Add", "members", func(ids []string) any { return array{ids[1]} }), []int{0, 1})).with("patch"),
		c(Should, "entra.members-single", "One member without a list around it", "Nobody is added.",
			memberStep([]int{0}, oneOp("Add", "members", func(ids []string) any { return object{"value": ids[1]} }), []int{0, 1})).with("patch"),
		c(Must, "entra.members-filter", "filter=id eq … and members eq …", "Every member is added again in every cycle.", func(p *probe) {
			ids := p.crowd(2)
			_, g := p.group(ids[0])
			for i, found := range []bool{true, false} {
				want := []string{}
				if found {
					want = []string{g.id()}
				}
				f := fmt.Sprintf(`id eq %q and members eq %q`, g.id(), ids[i])
				p.exactly(p.get(query(p.groups().endpoint, "excludedAttributes", "members", "filter", f)), []string{g.id()}, want)
			}
		}).with("filter"),
		c(Should, "entra.group-conflict", "A second group with the same displayName is 409", "Entra matches by displayName and stops at two.", func(p *probe) {
			body := p.body(p.groups())
			p.create(p.groups(), body)
			p.status(p.post(p.groups().endpoint, body), 409)
		}).in("entra"),
		c(Must, "entra.group-rename", "Replace of displayName leaves the members", "Everybody loses access when a group gets another name.", func(p *probe) {
			ids := p.crowd(1)
			path, _ := p.group(ids...)
			name := strings.ToUpper(p.unique())
			p.has(p.patched(path, op("Replace", "displayName", name)), name, "displayName")
			p.members(path, ids...)
		}).with("patch"),
	})
}
