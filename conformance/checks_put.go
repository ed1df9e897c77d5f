package conformance

import (
	"net/http"
	"strings"
)

const putText = "RFC 7644 §3.5.1"

func putChecks() []check {
	return all("user", []check{
		must("put.replace", putText, "PUT answers 200 and replaces what it names",
			"Okta, OneLogin, JumpCloud and Authentik change users by PUT only.", putReplace).with("User.displayName"),
		should("put.body", putText, "PUT answers with the resource",
			"Okta takes 204 for a failure.", func(p *probe) {
				path, u := p.user()
				a := p.put(path, p.again(u, nil))
				p.status(a, 200)
				p.has(a, u.id(), "id")
			}),
		should("put.clears", putText, "What a PUT leaves out is cleared",
			"What was taken away in the source stays for ever.", putClears).with("User.nickName"),
		should("put.null-clears", "RFC 7643 §2.5", "null and [] in a PUT clear",
			"What was taken away in the source stays for ever.", putNulls).with("User.nickName User.emails"),
		must("put.unknown", "RFC 7644 §3.2", "PUT to an unknown id is 404 and creates nothing",
			"Deleted people come back.", func(p *probe) {
				p.status(p.put(p.users().endpoint+"/"+p.unique(), p.userBody()), 404)
			}),
		must("put.echo", putText, "What was read can be sent back as it is",
			"Okta reads, changes one value and sends everything back, meta and groups included.", putEcho),
		must("put.read-only", putText, "id, meta and groups in a PUT are ignored, also when they differ",
			"Okta and Authentik send ids of their own.", putReadOnly),
		must("put.required", putText, "A PUT without userName is 400",
			"Accounts lose their name.", func(p *probe) {
				path, u := p.user()
				p.refused(p.put(path, p.again(u, object{"userName": nil})), 400)
				p.has(p.read(path), text(get(u.obj, "userName")), "userName")
			}),
		must("put.conflict", "RFC 7644 §3.12", "A PUT with the userName of somebody else is 409",
			"Two people have one name.", putConflict),
		must("put.rename", "RFC 7643 §3.1", "A rename keeps the id",
			"A married person loses all access.", func(p *probe) {
				path, u := p.user()
				name := p.userName()
				p.status(p.put(path, p.again(u, object{"userName": name})), 200, 204)
				p.has(p.read(path), object{"id": u.id(), "userName": name})
			}),
		must("put.own-name", "RFC 7643 §4.1.1", "A PUT may change the case of the user's own name",
			"The user is in conflict with itself.", func(p *probe) {
				path, u := p.user()
				name := strings.ToUpper(text(get(u.obj, "userName")))
				p.status(p.put(path, p.again(u, object{"userName": name})), 200, 204)
				a := p.read(path)
				p.that(strings.EqualFold(text(get(a.obj, "userName")), name), "userName "+name, show(get(a.obj, "userName")))
			}),
		must("put.times", "RFC 7643 §3.1", "A PUT that changes moves meta.lastModified and leaves meta.created",
			"Clients that poll for changes see none.", putTimes).with("User.displayName"),
		must("put.inactive", "RFC 7643 §4.1.1", "A PUT can deactivate and reactivate",
			"Okta's wizard-made applications deactivate so.", putInactive).with("User.active"),
		should("put.extension", putText, "An extension that a PUT leaves out is cleared, and leaves schemas",
			"A department stays for ever.", putExtension).with("enterprise"),
		must("put.attributes", "RFC 7644 §3.9", "attributes works on PUT",
			"A client that wants little gets a whole group.", func(p *probe) {
				path, u := p.user()
				a := p.put(query(path, "attributes", "userName"), p.again(u, nil))
				p.status(a, 200)
				p.has(a, text(get(u.obj, "userName")), "userName")
				p.lacks(a, "displayName")
			}),
		must("put.wrong-type", "RFC 7643 §2.3.2", "A PUT with a text that is no boolean as active is 400",
			"In many languages every text is true: the account is active.", func(p *probe) {
				path, u := p.user()
				p.refused(p.put(path, p.again(u, object{"active": "perhaps"})), 400)
			}).with("User.active"),
		must("put.primary", "RFC 7643 §2.4", "Two primary e-mails in a PUT are refused or become one",
			"Which address is the main one depends on who reads.", putPrimaries).with("User.emails"),
		must("put.members", putText, "A PUT of a group sets exactly its members",
			"People keep access that was taken away.", putMembers).with("group Group.members"),
	})
}

// again is the body of a user as a client would send it with changes.
func (p *probe) again(u *answer, changes object) object {
	body := p.userBody(object{"userName": text(get(u.obj, "userName")), "externalId": get(u.obj, "externalId")})
	if body["emails"] != nil {
		body["emails"] = array{object{"value": mail(text(body["userName"])), "type": "work", "primary": true}}
	}
	return merge(body, changes)
}

func putReplace(p *probe) {
	path, u := p.user()
	p.status(p.put(path, p.again(u, object{"displayName": "Put Again"})), 200, 204)
	p.has(p.read(path), "Put Again", "displayName")
}

func putClears(p *probe) {
	path, u := p.user(object{"nickName": "Nick"})
	p.status(p.put(path, p.again(u, nil)), 200, 204)
	p.lacks(p.read(path), "nickName")
}

func putNulls(p *probe) {
	path, u := p.user(object{"nickName": "Nick"})
	body := strings.Replace(string(encode(p.again(u, object{"nickName": "NULL", "emails": array{}}))), `"NULL"`, "null", 1)
	p.status(p.put(path, body), 200, 204)
	a := p.read(path)
	p.lacks(a, "nickName")
	p.lacks(a, "emails")
}

func putEcho(p *probe) {
	path, _ := p.user()
	a := p.read(path)
	if p.done {
		return
	}
	p.status(p.put(path, a.raw), 200, 204)
	b := p.read(path)
	want := merge(a.obj, object{"meta": nil})
	p.that(includes(want, b.obj), "the same user as before", "a different one: "+clip(string(b.raw), 300))
}

func putReadOnly(p *probe) {
	path, u := p.user()
	p.status(p.put(path, p.again(u, object{"id": p.unique(), "groups": array{object{"value": p.unique()}},
		"meta": object{"resourceType": "Group", "created": "2001-01-01T00:00:00Z"}})), 200, 204)
	a := p.read(path)
	p.has(a, u.id(), "id")
	p.lacks(a, "groups")
	p.has(a, dig(u.obj, "meta", "created"), "meta", "created")
}

func putConflict(p *probe) {
	_, other := p.user()
	path, u := p.user()
	p.kind(p.put(path, p.again(u, object{"userName": text(get(other.obj, "userName"))})), http.StatusConflict, "uniqueness")
	p.has(p.read(path), text(get(u.obj, "userName")), "userName")
}

func putTimes(p *probe) {
	path, _ := p.user()
	u := p.read(path)
	for try := 0; try < 3 && !p.done; try++ {
		p.status(p.put(path, p.again(u, object{"displayName": p.unique()})), 200, 204)
		a := p.read(path)
		p.has(a, dig(u.obj, "meta", "created"), "meta", "created")
		if !sameText(text(dig(a.obj, "meta", "lastModified")), text(dig(u.obj, "meta", "lastModified"))) {
			return
		}
		p.nextSecond()
	}
	p.fail("another meta.lastModified after a change", "the same")
}

func putInactive(p *probe) {
	path, u := p.user()
	for _, v := range []bool{false, true} {
		p.status(p.put(path, p.again(u, object{"active": v})), 200, 204)
		p.has(p.read(path), v, "active")
	}
}

func putExtension(p *probe) {
	path, u := p.enterpriseUser(object{"department": "Checks"})
	p.status(p.put(path, p.again(u, nil)), 200, 204)
	a := p.read(path)
	p.lacks(a, urnEnterprise)
	p.that(!a.is(urnEnterprise), "schemas without "+urnEnterprise, show(get(a.obj, "schemas")))
}

func putPrimaries(p *probe) {
	path, u := p.user()
	name := p.unique()
	a := p.put(path, p.again(u, object{"emails": array{
		object{"value": name + "-1@example.com", "type": "work", "primary": true},
		object{"value": name + "-2@example.com", "type": "home", "primary": true}}}))
	if a.failed() {
		p.refused(a)
		return
	}
	p.onePrimary(p.read(path))
}

func putMembers(p *probe) {
	_, u1 := p.user()
	_, u2 := p.user()
	path, g := p.group(u1.id())
	body := merge(p.body(p.groups()), object{"displayName": text(get(g.obj, "displayName")), "members": refs(u2.id())})
	p.status(p.put(path, body), 200, 204)
	p.members(path, u2.id())
}
