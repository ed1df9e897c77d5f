package conformance

import (
	"fmt"
	"net/http"
	"slices"
)

const groupText = "RFC 7643 §4.2"

// crowd makes n users and returns their ids.
func (p *probe) crowd(n int) []string {
	var ids []string
	for range n {
		_, u := p.user()
		ids = append(ids, u.id())
	}
	return ids
}

// memberStep is a check of one PATCH of a group: with the first users as members
// before, the operations, and the members afterwards. Users are numbers.
func memberStep(before []int, ops func(ids []string) array, after []int) func(*probe) {
	return func(p *probe) {
		ids := p.crowd(3)
		pick := func(numbers []int) []string {
			var out []string
			for _, n := range numbers {
				out = append(out, ids[n])
			}
			return out
		}
		path, _ := p.group(pick(before)...)
		if p.done {
			return
		}
		p.status(p.patch(path, ops(ids)...), 200, 204)
		p.members(path, pick(after)...)
	}
}

func oneOp(name, path string, value func(ids []string) any) func([]string) array {
	return func(ids []string) array { return array{op(name, path, value(ids))} }
}

func groupChecks() []check {
	return all("user group Group.members patch", []check{
		must("group.add", patchText+".1", "add of a member leaves the others", "Everybody else loses access.",
			memberStep([]int{0}, oneOp("add", "members", func(ids []string) any { return refs(ids[1]) }), []int{0, 1})),
		must("group.add-several", patchText+".1", "add of several members in one operation", "Only the first gets access.",
			memberStep(nil, oneOp("add", "members", func(ids []string) any { return refs(ids...) }), []int{0, 1, 2})),
		must("group.remove", patchText+".2", "remove of one member by filter leaves the others", "Everybody loses access, or nobody.",
			func(p *probe) {
				ids := p.crowd(3)
				path, _ := p.group(ids...)
				p.status(p.patch(path, op("remove", fmt.Sprintf("members[value eq %q]", ids[1]), nil)), 200, 204)
				p.members(path, ids[0], ids[2])
			}),
		must("group.remove-all", patchText+".2", "remove of members without filter removes all", "People keep access.",
			memberStep([]int{0, 1}, oneOp("remove", "members", func([]string) any { return nil }), nil)),
		must("group.replace", patchText+".3", "replace sets exactly the new members", "Okta's full push: people keep access that was taken away.",
			memberStep([]int{0, 1}, oneOp("replace", "members", func(ids []string) any { return refs(ids[2]) }), []int{2})),
		must("group.replace-none", patchText+".3", "replace by [] removes all", "Okta's push of an empty group fails.",
			memberStep([]int{0, 1}, oneOp("replace", "members", func([]string) any { return array{} }), nil)),
		must("group.pathless", patchText+".3", "replace of members without path sets exactly the new members", "Authentik writes so: people keep access that was taken away.",
			memberStep([]int{0, 1}, oneOp("replace", "", func(ids []string) any { return object{"members": refs(ids[2])} }), []int{2})).notIn("interop"),
		must("group.remove-and-add", patchText, "One request can remove and add members", "Okta changes members so.",
			func(p *probe) {
				ids := p.crowd(2)
				path, _ := p.group(ids[0])
				p.status(p.patch(path, op("remove", fmt.Sprintf("members[value eq %q]", ids[0]), nil), op("add", "members", refs(ids[1]))), 200, 204)
				p.members(path, ids[1])
			}),
		should("group.add-twice", patchText+".1", "A member that is added again is one member", "People come twice.",
			memberStep([]int{0}, oneOp("add", "members", func(ids []string) any { return refs(ids[0], ids[1], ids[1]) }), []int{0, 1})),
		should("group.no-change", patchText+".1", "add of a member that is there leaves meta.lastModified", "Clients that poll see changes that are none.",
			func(p *probe) {
				ids := p.crowd(1)
				path, _ := p.group(ids...)
				p.unchanged(path, func() { p.status(p.patch(path, op("add", "members", refs(ids[0]))), 200, 204) })
			}),
		must("group.rename", patchText+".3", "A rename leaves the members", "Everybody loses access when a group gets another name.",
			func(p *probe) {
				ids := p.crowd(1)
				path, _ := p.group(ids...)
				name := p.unique()
				p.has(p.patched(path, op("replace", "displayName", name)), name, "displayName")
				p.members(path, ids...)
			}),
		should("group.many-operations", "RFC 7644 §3.5.2", "A PATCH of 60 operations on members is carried out", "IPSIE asks for 50; Entra and Okta send many.",
			manyOperations),
		should("group.many-values", "RFC 7644 §3.5.2", "An operation with many members is carried out", "Entra sends up to 1000 at once.",
			manyValues),
		must("group.atomic", patchText, "If one operation on members fails nothing is changed", "Half of a change is carried out.", groupAtomic),
	})
}

func groupDetailChecks() []check {
	return all("user group Group.members", []check{
		must("group.create", groupText, "A group can be created with members", "Members given at creation are lost.", func(p *probe) {
			ids := p.crowd(2)
			path, _ := p.group(ids...)
			p.members(path, ids...)
		}),
		must("group.empty", groupText, "A group without members can be created", "Entra creates groups empty.", func(p *probe) {
			path, _ := p.group()
			p.members(path)
		}),
		should("group.ref", groupText, "Members have $ref with the address of the resource", "Clients cannot follow members.", memberPart("$ref")),
		may("group.type", groupText, "Members have type", "Clients cannot tell users from groups.", memberPart("type")),
		should("group.of-user", "RFC 7643 §4.1.2", "A user's groups show the group", "Clients that look at the user see no access.", groupsOfUser).with("!User.groups"),
		must("group.excluded", "RFC 7644 §3.9", "excludedAttributes=members leaves the members out, on one and on lists", "Entra reads groups so; large ones take minutes otherwise.", groupExcluded).with("filter"),
		may("group.nested", groupText, "A group can be a member of a group", "Nested groups cannot be pushed.", func(p *probe) {
			_, inner := p.group()
			path, _ := p.group(inner.id())
			p.members(path, inner.id())
		}),
		must("group.unknown-member", "RFC 7643 §2.3.7", "A member that is not there is accepted, or 400: no internal error", "One person too many makes a whole group fail.", func(p *probe) {
			a := p.post(p.groups().endpoint, merge(p.body(p.groups()), object{"members": refs(p.unique())}))
			p.that(a.err == nil && (a.success() || a.code >= 400 && a.code < 500), "status 201 or 400", a.saw())
		}),
		must("group.external-id", "RFC 7643 §3.1", "externalId of a group is kept", "Entra cannot match its own groups.", func(p *probe) {
			ext := p.unique()
			path, _ := p.create(p.groups(), merge(p.body(p.groups()), object{"externalId": ext}))
			p.has(p.read(path), ext, "externalId")
		}),
		must("group.put-rename", putText, "A PUT changes the name of a group", "Okta's wizard-made applications rename so.", func(p *probe) {
			path, _ := p.group()
			name := p.unique()
			p.status(p.put(path, merge(p.body(p.groups()), object{"displayName": name})), 200, 204)
			p.has(p.read(path), name, "displayName")
		}),
	})
}

func manyOperations(p *probe) {
	ids := p.crowd(6)
	path, _ := p.group()
	var ops array
	for i := range 60 {
		id := ids[i%len(ids)]
		if i/len(ids)%2 == 0 {
			ops = append(ops, op("add", "members", refs(id)))
		} else {
			ops = append(ops, op("remove", fmt.Sprintf("members[value eq %q]", id), nil))
		}
	}
	p.status(p.patch(path, ops...), 200, 204)
	p.members(path)
}

func manyValues(p *probe) {
	ids := p.crowd(20)
	path, _ := p.group()
	p.status(p.patch(path, op("add", "members", refs(ids...))), 200, 204)
	p.members(path, ids...)
}

func groupAtomic(p *probe) {
	ids := p.crowd(2)
	path, _ := p.group(ids[0])
	p.refused(p.patch(path, op("add", "members", refs(ids[1])), op("replace", "id", "x")), 400)
	p.members(path, ids[0])
}

func memberPart(key string) func(*probe) {
	return func(p *probe) {
		ids := p.crowd(1)
		path, _ := p.group(ids...)
		a := p.read(path)
		l := list(get(a.obj, "members"))
		p.that(len(l) == 1 && text(dig(l[0], key)) != "", key+" in the member", show(l))
	}
}

func groupsOfUser(p *probe) {
	userPath, u := p.user()
	path, g := p.group(u.id())
	has := func(want bool) {
		l := list(get(p.read(userPath).obj, "groups"))
		got := slices.ContainsFunc(l, func(e any) bool { return dig(e, "value") == g.id() })
		p.that(got == want, fmt.Sprintf("the group among the user's groups: %v", want), show(l))
	}
	has(true)
	p.status(p.remove(path), 204)
	has(false)
}

func groupExcluded(p *probe) {
	ids := p.crowd(1)
	path, g := p.group(ids...)
	a := p.get(query(path, "excludedAttributes", "members"))
	p.status(a, http.StatusOK)
	p.has(a, text(get(g.obj, "displayName")), "displayName")
	p.lacks(a, "members")
	b := p.get(query(p.groups().endpoint, "excludedAttributes", "members", "filter", `displayName eq "`+text(get(g.obj, "displayName"))+`"`))
	p.exactly(b, []string{g.id()}, []string{g.id()})
	for _, r := range b.resources() {
		p.that(get(r, "members") == nil, "no members", show(r))
	}
}
