package conformance

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const patchText = "RFC 7644 §3.5.2"

// work and home are the e-mails of a user in most checks of PATCH.
func (p *probe) mails() (work, home object) {
	name := p.unique()
	return object{"value": name + "-w@example.com", "type": "work", "primary": true}, object{"value": name + "-h@example.com", "type": "home"}
}

// step is a check of one PATCH: a user made with before, the operations, and what
// must be there afterwards; nil says that nothing must.
func step(before object, ops array, after object) func(*probe) {
	return func(p *probe) {
		before, ops, after := p.own(before), p.own(ops), p.own(after)
		path, _ := p.user(before.(object))
		a := p.patched(path, ops.(array)...)
		p.after(a, after.(object))
	}
}

// own is a copy of a value with the mail addresses in it made unique to the check.
func (p *probe) own(v any) any {
	switch x := v.(type) {
	case object:
		out := object{}
		for k, e := range x {
			out[k] = p.own(e)
		}
		return out
	case array:
		out := array{}
		for _, e := range x {
			out = append(out, p.own(e))
		}
		return out
	case string:
		if name, ok := strings.CutSuffix(x, "@example.com"); ok {
			return name + "-" + strings.ReplaceAll(p.run+p.result.ID, ".", "-") + "@example.com"
		}
	}
	return v
}

func (p *probe) after(a *answer, want object) {
	for key, v := range want {
		keys := strings.Split(key, ".")
		if strings.HasPrefix(key, "urn:") {
			keys = strings.Split(key, "|")
		}
		if v == nil {
			p.lacks(a, keys...)
			continue
		}
		p.has(a, v, keys...)
	}
}

func patchChecks() []check {
	address := func(v, kind string) object { return object{"value": v + "@example.com", "type": kind} }
	two := object{"emails": array{address("w", "work"), address("h", "home")}}
	name := object{"name": object{"givenName": "Old", "familyName": "Name"}}
	return all("user patch", []check{
		must("patch.replace", patchText+".3", "replace sets a simple attribute", "No change arrives.",
			step(nil, array{op("replace", "displayName", "New")}, object{"displayName": "New"})).with("User.displayName"),
		must("patch.add", patchText+".1", "add sets an attribute that has no value", "New values never arrive.",
			step(nil, array{op("add", "nickName", "Nick")}, object{"nickName": "Nick"})).with("User.nickName"),
		must("patch.add-replaces", patchText+".1", "add replaces the value of a simple attribute", "Entra adds what it changes.",
			step(object{"nickName": "Old"}, array{op("add", "nickName", "New")}, object{"nickName": "New"})).with("User.nickName"),
		must("patch.replace-absent", patchText+".3", "replace of an attribute without value adds it", "New values never arrive.",
			step(nil, array{op("replace", "nickName", "Nick")}, object{"nickName": "Nick"})).with("User.nickName"),
		must("patch.remove", patchText+".2", "remove clears a simple attribute", "What was taken away in the source stays.",
			step(object{"nickName": "Nick"}, array{op("remove", "nickName", nil)}, object{"nickName": nil})).with("User.nickName"),
		should("patch.remove-absent", patchText+".2", "remove of an attribute without value succeeds", "Clients that clean up get errors for ever.",
			step(nil, array{op("remove", "nickName", nil)}, object{"nickName": nil})).with("User.nickName"),
		must("patch.sub-attribute", patchText+".3", "replace of a sub-attribute leaves the others", "A new family name takes the given name away.",
			step(name, array{op("replace", "name.familyName", "New")}, object{"name.familyName": "New", "name.givenName": "Old"})).with("User.name"),
		must("patch.remove-sub", patchText+".2", "remove of a sub-attribute leaves the others", "The whole name is gone.",
			step(object{"name": object{"givenName": "Old", "familyName": "Name", "middleName": "M"}}, array{op("remove", "name.middleName", nil)},
				object{"name.middleName": nil, "name.givenName": "Old"})).with("User.name.middleName"),
		must("patch.add-complex", patchText+".1", "add to a complex attribute leaves what it does not name", "A new family name takes the given name away.",
			step(name, array{op("add", "name", object{"familyName": "New"})}, object{"name.familyName": "New", "name.givenName": "Old"})).with("User.name"),
		must("patch.replace-complex", patchText+".3", "replace of a complex attribute leaves what it does not name", "A new family name takes the given name away.",
			step(name, array{op("replace", "name", object{"familyName": "New"})}, object{"name.familyName": "New", "name.givenName": "Old"})).with("User.name").notIn("interop"),
		must("patch.add-multi", patchText+".1", "add to a multi-valued attribute leaves the others", "A second address takes the first away.",
			step(object{"emails": array{address("w", "work")}}, array{op("add", "emails", array{address("h", "home")})}, two)).with("User.emails"),
		must("patch.replace-multi", patchText+".3", "replace of a multi-valued attribute sets exactly the new values", "Old addresses stay.",
			step(two, array{op("replace", "emails", array{address("n", "other")})}, object{"emails": array{address("n", "other")}})).with("User.emails"),
		must("patch.remove-multi", patchText+".2", "remove of a multi-valued attribute clears it", "Old addresses stay.",
			step(two, array{op("remove", "emails", nil)}, object{"emails": nil})).with("User.emails"),
		must("patch.remove-element", patchText+".2", "remove with a filter removes the matching elements only", "All addresses are gone, or none.",
			step(two, array{op("remove", `emails[type eq "home"]`, nil)}, object{"emails": array{address("w", "work")}})).with("User.emails"),
		must("patch.remove-element-sub", patchText+".2", "remove of a sub-attribute of the matching elements", "All addresses are gone, or none.",
			step(object{"emails": array{merge(address("w", "work"), object{"display": "D"})}}, array{op("remove", `emails[type eq "work"].display`, nil)},
				object{"emails": array{object{"value": "w@example.com", "type": "work", "display": nil}}})).with("User.emails.display"),
		must("patch.replace-element-sub", patchText+".3", "replace of a sub-attribute of the matching elements only", "All addresses become the same.",
			step(two, array{op("replace", `emails[type eq "home"].value`, "n@example.com")}, object{"emails": array{address("w", "work"), address("n", "home")}})).with("User.emails"),
		must("patch.replace-element", patchText+".3", "replace of a matching element leaves the others", "Old addresses stay.",
			step(two, array{op("replace", `emails[type eq "home"]`, object{"value": "n@example.com", "type": "home"})}, object{"emails": array{address("w", "work"), address("n", "home")}})).with("User.emails").notIn("interop"),
		must("patch.all-matches", patchText+".3", "replace changes all matching elements", "Only the first address changes.",
			step(two, array{op("replace", `emails[type eq "home" or type eq "work"].display`, "Both")},
				object{"emails": array{merge(address("w", "work"), object{"display": "Both"}), merge(address("h", "home"), object{"display": "Both"})}})).with("User.emails.display").notIn("interop"),
		should("patch.remove-value-array", patchText+".2", "remove with a value does not remove what the value does not name", "Some clients name the elements in the value: all addresses are gone.",
			patchRemoveValues).with("User.emails").notIn("entra lenient onelogin"),
		should("patch.null", "RFC 7643 §2.5", "replace with null clears", "What was taken away in the source stays.",
			patchNull).with("User.nickName"),
		must("patch.empty-list", patchText+".3", "replace with [] clears", "What was taken away in the source stays.",
			step(two, array{op("replace", "emails", array{})}, object{"emails": nil})).with("User.emails"),
	})
}

func patchPathlessChecks() []check {
	return all("user patch", []check{
		must("patch.pathless-replace", patchText+".3", "replace without path sets what its value names", "Okta deactivates people so.",
			step(object{"nickName": "Nick"}, array{op("replace", "", object{"displayName": "New"})}, object{"displayName": "New", "nickName": "Nick"})).
			with("User.nickName").notIn("interop"),
		must("patch.pathless-add", patchText+".1", "add without path sets what its value names", "New values never arrive.",
			step(nil, array{op("add", "", object{"displayName": "New", "nickName": "Nick"})}, object{"displayName": "New", "nickName": "Nick"})).
			with("User.nickName").notIn("interop"),
		must("patch.pathless-complex", patchText+".3", "replace without path leaves the sub-attributes that it does not name", "A new family name takes the given name away.",
			step(object{"name": object{"givenName": "Old", "familyName": "Name"}}, array{op("replace", "", object{"name": object{"familyName": "New"}})},
				object{"name.familyName": "New", "name.givenName": "Old"})).with("User.name").notIn("interop"),
		must("patch.pathless-multi", patchText+".3", "replace without path of a multi-valued attribute sets exactly the new values", "Old addresses stay.",
			step(nil, array{op("replace", "", object{"emails": array{object{"value": "n@example.com", "type": "home"}}})},
				object{"emails": array{object{"value": "n@example.com", "type": "home"}}})).with("User.emails").notIn("interop"),
		must("patch.pathless-extension", patchText, "replace without path of an extension leaves the attributes that it does not name", "A new cost center takes the department away.",
			pathlessExtension).with("enterprise").notIn("interop"),
		must("patch.extension", "RFC 7644 §3.10", "Paths can name attributes of an extension", "Departments never change.",
			step(nil, array{op("add", urnEnterprise+":department", "Checks")}, object{urnEnterprise + "|department": "Checks"})).with("enterprise"),
		must("patch.extension-case", "RFC 7644 §3.10", "The URN in a path has no case", "URNs are typed by administrators.",
			step(nil, array{op("add", strings.ToUpper(urnEnterprise)+":department", "Checks")}, object{urnEnterprise + "|department": "Checks"})).with("enterprise"),
		must("patch.extension-schemas", patchText, "schemas follows when the first attribute of an extension is added", "Clients that go by schemas do not see the data.",
			extensionSchemas).with("enterprise"),
		should("patch.extension-remove", patchText+".2", "remove of a whole extension by its URN", "A department stays for ever.",
			extensionRemove).with("enterprise"),
		must("patch.core-urn", "RFC 7644 §3.10", "Paths can be fully qualified", "Entra writes the URN before the name.",
			step(nil, array{op("replace", urnUser+":name.givenName", "New")}, object{"name.givenName": "New"})).with("User.name"),
		must("patch.several", patchText, "One request can change several attributes", "IPSIE and Entra send several.",
			step(nil, array{op("replace", "displayName", "New"), op("add", "nickName", "Nick"), op("replace", "name.givenName", "Given")},
				object{"displayName": "New", "nickName": "Nick", "name.givenName": "Given"})).with("User.nickName User.name"),
		must("patch.order", patchText, "Every operation sees what the earlier ones did", "A replacement by remove and add ends in nothing, or in both.",
			patchOrder).with("User.emails"),
		must("patch.primary", patchText, "A new primary element takes it from the old one", "Which address is the main one depends on who reads.",
			patchPrimary).with("User.emails"),
	})
}

func patchRemoveValues(p *probe) {
	work, home := p.mails()
	path, _ := p.user(object{"emails": array{work, home}})
	a := p.patch(path, op("remove", "emails", array{object{"value": home["value"]}}))
	if a.failed() {
		p.refused(a)
	}
	l := list(get(p.read(path).obj, "emails"))
	p.that(slices.ContainsFunc(l, func(e any) bool { return dig(e, "value") == work["value"] }), "the e-mail that was not named is still there", show(l))
}

func patchNull(p *probe) {
	path, _ := p.user(object{"nickName": "Nick"})
	a := p.send(http.MethodPatch, path, `{"schemas":["`+urnPatch+`"],"Operations":[{"op":"replace","path":"nickName","value":null}]}`)
	p.status(a, 200, 204)
	p.lacks(p.read(path), "nickName")
}

func pathlessExtension(p *probe) {
	path, _ := p.enterpriseUser(object{"department": "Checks", "costCenter": "1"})
	a := p.patched(path, op("replace", "", object{urnEnterprise: object{"costCenter": "7"}}))
	p.has(a, object{"department": "Checks", "costCenter": "7"}, urnEnterprise)
}

func extensionSchemas(p *probe) {
	path, _ := p.user()
	a := p.patched(path, op("add", urnEnterprise+":department", "Checks"))
	p.that(a.is(urnEnterprise), urnEnterprise+" in schemas", show(get(a.obj, "schemas")))
	a = p.patched(path, op("remove", urnEnterprise+":department", nil))
	p.lacks(a, urnEnterprise)
}

func extensionRemove(p *probe) {
	path, _ := p.enterpriseUser(object{"department": "Checks"})
	p.lacks(p.patched(path, op("remove", urnEnterprise, nil)), urnEnterprise)
}

func patchOrder(p *probe) {
	address := mail(p.unique())
	path, _ := p.user()
	a := p.patched(path, op("remove", "emails", nil), op("add", "emails", array{object{"value": address, "type": "home"}}),
		op("replace", `emails[value eq "`+address+`"].type`, "work"))
	p.has(a, array{object{"value": address, "type": "work"}}, "emails")
}

func patchPrimary(p *probe) {
	address := mail(p.unique())
	path, _ := p.user()
	a := p.patched(path, op("add", "emails", array{object{"value": address, "type": "home", "primary": true}}))
	for _, e := range list(get(a.obj, "emails")) {
		p.that((dig(e, "primary") == true) == (dig(e, "value") == address), "the new e-mail alone primary", show(get(a.obj, "emails")))
	}
	p.that(len(list(get(a.obj, "emails"))) == 2, "two e-mails", show(get(a.obj, "emails")))
}

// nextSecond waits until a service that keeps whole seconds shows another time.
func (p *probe) nextSecond() {
	if !p.done {
		_ = pause(p.ctx, 1100*time.Millisecond) // the next request sees that the run has ended
	}
}
