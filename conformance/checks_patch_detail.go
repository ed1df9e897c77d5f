package conformance

import (
	"net/http"
	"strings"
)

func patchDetailChecks() []check {
	return all("user patch", []check{
		must("patch.atomic", patchText, "If one operation fails nothing is changed", "The client repeats a request that was half carried out.", patchAtomic),
		should("patch.no-change", patchText+".1", "add of a value that is there leaves meta.lastModified and the version", "Clients that poll see changes that are none; hubs go round in circles.",
			patchNoChange(op("add", "displayName", "Conformance Check"))).with("User.displayName"),
		should("patch.no-change-element", patchText+".1", "add of an element that is there adds nothing", "Addresses come twice; clients that poll see changes that are none.", patchSameElement).with("User.emails"),
		should("patch.no-change-replace", patchText+".3", "replace by the same value leaves meta.lastModified", "Clients that poll see changes that are none.",
			patchNoChange(op("replace", "displayName", "Conformance Check"))).with("User.displayName"),
		must("patch.times", "RFC 7643 §3.1", "A change moves meta.lastModified and leaves meta.created", "Clients that poll for changes see none.", patchTimes).with("User.displayName"),
		must("patch.answer", patchText, "A PATCH answers 200 with the resource, or 204", "Clients cannot tell what became of it.", patchAnswer).with("User.displayName"),
		must("patch.attributes", patchText, "A PATCH with attributes answers 200 with these", "Clients that ask for the result get nothing.", patchAttributes).with("User.displayName"),
		must("patch.rename", "RFC 7643 §3.1", "userName can be changed; the id stays", "A married person loses all access.", patchRename),
		must("patch.rename-conflict", "RFC 7644 §3.12", "The userName of somebody else is 409, and nothing is changed", "Two people have one name.", patchRenameConflict),
		must("patch.own-name", "RFC 7643 §4.1.1", "The case of the user's own name can be changed", "The user is in conflict with itself.", patchOwnName),
		must("patch.active", "RFC 7643 §4.1.1", "active can be set to false and true", "Leavers keep their access.", patchActive).with("User.active"),
		must("patch.unknown-id", "RFC 7644 §3.12", "PATCH of an unknown id is 404", "Clients recreate what is gone only if they are told so.", func(p *probe) {
			p.status(p.patch(p.users().endpoint+"/"+p.unique(), op("replace", "displayName", "X")), 404)
		}),
		must("patch.manager", "RFC 7643 §4.3", "manager can be set, replaced and removed", "Approvals go to the wrong person.", patchManager).with("enterprise"),
		must("patch.json-media", "RFC 7644 §3.8", "A PATCH of application/scim+json; charset=utf-8 is accepted", "Okta sends exactly this.", func(p *probe) {
			path, _ := p.user()
			p.status(p.send(http.MethodPatch, path, patchBody(op("replace", "displayName", "X")), header("Content-Type", "application/scim+json; charset=utf-8")), 200, 204)
		}),
	})
}

func patchRefusalChecks() []check {
	refuse := func(body string, words ...string) func(*probe) {
		return func(p *probe) {
			path, u := p.user()
			a := p.send(http.MethodPatch, path, body)
			if len(words) > 0 {
				p.kind(a, 400, words...)
			} else {
				p.refused(a, 400)
			}
			p.has(p.read(path), text(get(u.obj, "userName")), "userName")
		}
	}
	ops := func(list string) string { return `{"schemas":["` + urnPatch + `"],"Operations":[` + list + `]}` }
	return all("user patch", []check{
		must("patch.no-target", patchText+".3", "replace where no element matches is 400 noTarget", "A client believes that it changed an address that is not there.",
			refuse(ops(`{"op":"replace","path":"emails[type eq \"scimhub\"].value","value":"x@example.com"}`), "noTarget")).with("User.emails").notIn("entra lenient"),
		must("patch.remove-no-path", patchText+".2", "remove without path is 400 noTarget", "Everything is removed, or nothing.",
			refuse(ops(`{"op":"remove"}`), "noTarget")),
		must("patch.read-only", patchText, "An operation on a readOnly attribute is 400", "A client can change ids.",
			refuse(ops(`{"op":"replace","path":"id","value":"x"}`))),
		must("patch.read-only-meta", patchText, "An operation on meta is 400", "A client can forge the history.",
			refuse(ops(`{"op":"replace","path":"meta.created","value":"2001-01-01T00:00:00Z"}`))),
		must("patch.read-only-groups", "RFC 7643 §4.1.2", "An operation on groups of a user is 400", "A client can make a user a member without the group's knowledge.",
			refuse(ops(`{"op":"add","path":"groups","value":[{"value":"x"}]}`))).with("!User.groups"),
		should("patch.read-only-word", "RFC 7644 §3.12", "The scimType of an operation on a readOnly attribute is mutability", "The client looks for the fault in its path or value.",
			refuse(ops(`{"op":"replace","path":"id","value":"x"}`), "mutability")),
		must("patch.remove-required", patchText+".2", "remove of userName is 400 mutability", "Accounts lose their name.",
			refuse(ops(`{"op":"remove","path":"userName"}`), "mutability", "invalidValue")),
		must("patch.unknown-op", patchText, "An unknown op is 400 invalidSyntax", "A client believes that it changed something.",
			refuse(ops(`{"op":"move","path":"displayName","value":"x"}`), "invalidSyntax", "invalidValue")),
		must("patch.no-op", patchText, "An operation without op is 400", "A client believes that it changed something.",
			refuse(ops(`{"path":"displayName","value":"x"}`))),
		must("patch.no-value", patchText+".1", "add without value is 400", "A client believes that it changed something.",
			refuse(ops(`{"op":"add","path":"displayName"}`))),
		must("patch.bad-path", "RFC 7644 §3.12", "A path that is none is 400 invalidPath", "A client believes that it changed something.",
			refuse(ops(`{"op":"replace","path":"emails[type eq ","value":"x"}`), "invalidPath", "invalidFilter")),
		must("patch.unknown-path", "RFC 7644 §3.12", "A path that no schema defines is 400", "A typing error is lost without a word.",
			refuse(ops(`{"op":"replace","path":"scimhubUnknown","value":"x"}`))).in("rfc interop"),
		must("patch.bad-filter", "RFC 7644 §3.12", "A wrong filter in a path is 400 invalidFilter or invalidPath", "The wrong elements are changed.",
			refuse(ops(`{"op":"remove","path":"emails[type regex \"x\"]"}`), "invalidFilter", "invalidPath")).with("User.emails"),
		must("patch.wrong-boolean", "RFC 7643 §2.3.2", "A text that is no boolean is refused as active", "In many languages every text is true: the account stays active.",
			refuse(ops(`{"op":"replace","path":"active","value":"perhaps"}`))).with("User.active"),
		must("patch.wrong-string", "RFC 7643 §2.3.1", "An object is refused as displayName", "The directory holds what no client can read.",
			refuse(ops(`{"op":"replace","path":"displayName","value":{"a":1}}`))).with("User.displayName"),
		must("patch.no-operations", patchText, "A PATCH without Operations is 400", "A client believes that it changed something.",
			refuse(`{"schemas":["`+urnPatch+`"]}`)).in("rfc interop"),
		must("patch.empty-operations", patchText, "A PATCH with no operation in it is 400", "A client believes that it changed something.",
			refuse(ops(""))).in("rfc interop"),
		should("patch.no-schemas", patchText, "A PATCH without its schema is 400", "A resource sent to the wrong method changes something.",
			refuse(`{"Operations":[{"op":"replace","path":"displayName","value":"x"}]}`)).in("rfc interop"),
		must("patch.malformed", "RFC 7644 §3.12", "A PATCH that is no JSON is 400", "The client is told that the service failed.",
			refuse(`{"schemas":["`)),
		must("patch.operations-object", patchText, "Operations that are no list are 400", "The client is told that the service failed.",
			refuse(`{"schemas":["`+urnPatch+`"],"Operations":"x"}`)),
	})
}

func patchAtomic(p *probe) {
	path, u := p.user()
	before := p.read(path)
	p.refused(p.patch(path, op("replace", "displayName", "Half"), op("replace", "id", "x")), 400)
	a := p.read(path)
	p.has(a, text(get(u.obj, "displayName")), "displayName")
	p.has(a, dig(before.obj, "meta", "lastModified"), "meta", "lastModified")
}

func patchNoChange(o object) func(*probe) {
	return func(p *probe) {
		path, _ := p.user()
		p.unchanged(path, func() { p.status(p.patch(path, o), 200, 204) })
	}
}

// unchanged demands that change leaves a resource's meta as it was, in a way that
// services with times of whole seconds cannot pass by luck.
func (p *probe) unchanged(path string, change func()) {
	before := p.read(path)
	tag := before.reply.Get("ETag")
	if tag == "" && !strings.Contains(text(dig(before.obj, "meta", "lastModified")), ".") {
		p.nextSecond()
	}
	change()
	after := p.read(path)
	p.has(after, dig(before.obj, "meta", "lastModified"), "meta", "lastModified")
	p.that(after.reply.Get("ETag") == tag, "the same ETag "+tag, after.reply.Get("ETag"))
}

func patchSameElement(p *probe) {
	work, _ := p.mails()
	path, _ := p.user(object{"emails": array{work}})
	p.unchanged(path, func() { p.status(p.patch(path, op("add", "emails", array{work})), 200, 204) })
	p.has(p.read(path), array{work}, "emails")
}

func patchTimes(p *probe) {
	path, _ := p.user()
	u := p.read(path)
	for try := 0; try < 3 && !p.done; try++ {
		a := p.patched(path, op("replace", "displayName", p.unique()))
		p.has(a, dig(u.obj, "meta", "created"), "meta", "created")
		if !sameText(text(dig(a.obj, "meta", "lastModified")), text(dig(u.obj, "meta", "lastModified"))) {
			return
		}
		p.nextSecond()
	}
	p.fail("another meta.lastModified after a change", "the same")
}

func patchAnswer(p *probe) {
	path, u := p.user()
	a := p.patch(path, op("replace", "displayName", "New"))
	p.status(a, 200, 204)
	if a.code == http.StatusOK {
		p.has(a, object{"id": u.id(), "displayName": "New"})
	}
}

func patchAttributes(p *probe) {
	path, u := p.user()
	a := p.send(http.MethodPatch, query(path, "attributes", "displayName"), patchBody(op("replace", "displayName", "New")))
	p.status(a, 200)
	p.has(a, object{"id": u.id(), "displayName": "New"})
	p.lacks(a, "userName")
}

func patchRename(p *probe) {
	path, u := p.user()
	name := p.userName()
	p.has(p.patched(path, op("replace", "userName", name)), object{"id": u.id(), "userName": name})
}

func patchRenameConflict(p *probe) {
	_, other := p.user()
	path, u := p.user()
	p.kind(p.patch(path, op("replace", "displayName", "Half"), op("replace", "userName", text(get(other.obj, "userName")))), http.StatusConflict, "uniqueness")
	p.has(p.read(path), object{"userName": text(get(u.obj, "userName")), "displayName": text(get(u.obj, "displayName"))})
}

func patchOwnName(p *probe) {
	path, u := p.user()
	name := strings.ToUpper(text(get(u.obj, "userName")))
	p.status(p.patch(path, op("replace", "userName", name)), 200, 204)
	a := p.read(path)
	p.that(strings.EqualFold(text(get(a.obj, "userName")), name), "userName "+name, show(get(a.obj, "userName")))
}

func patchActive(p *probe) {
	path, _ := p.user()
	p.has(p.patched(path, op("replace", "active", false)), false, "active")
	p.has(p.patched(path, op("replace", "active", true)), true, "active")
}

func patchManager(p *probe) {
	_, boss := p.user()
	_, other := p.user()
	path, _ := p.user()
	at := urnEnterprise + ":manager"
	p.has(p.patched(path, op("add", at, object{"value": boss.id()})), boss.id(), urnEnterprise, "manager", "value")
	p.has(p.patched(path, op("replace", at+".value", other.id())), other.id(), urnEnterprise, "manager", "value")
	p.lacks(p.patched(path, op("remove", at, nil)), urnEnterprise, "manager")
}
