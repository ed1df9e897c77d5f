package conformance

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const bulkText = "RFC 7644 §3.7"

func bulkChecks() []check {
	return append(all("user bulk", []check{
		must("bulk.create", bulkText, "A job of two POSTs answers 200 with both results", "Mass imports fail.", bulkCreate),
		must("bulk.response", bulkText, "The answer is a BulkResponse; each result has method and status as a string", "Typed clients cannot read it.", bulkResponse),
		must("bulk.location", bulkText, "Results have location, unless a POST failed", "Clients cannot find what they made.", bulkLocation),
		must("bulk.id", bulkText+".2", "bulkId comes back with its result", "Clients cannot tell which result is whose.", bulkID),
		must("bulk.methods", bulkText, "PUT, PATCH and DELETE work", "Mass changes fail.", bulkMethods),
		must("bulk.reference", bulkText+".2", "bulkId:x in data becomes the id of what was made", "Groups are made without members.", bulkReference(false)).with("group Group.members"),
		must("bulk.forward", bulkText+".2", "A reference may come before what it refers to", "Groups are made without members.", bulkReference(true)).with("group Group.members"),
		must("bulk.extension", bulkText+".2", "References work in extensions: manager", "Nobody has a manager after an import.", bulkManager).with("enterprise"),
		must("bulk.path", bulkText+".2", "References work in paths", "What was made in a job cannot be changed in it.", bulkPath).with("patch"),
		may("bulk.circle", bulkText+".1", "Circular references are resolved, or 409", "Two groups that contain each other cannot be imported.", bulkCircle).with("group Group.members"),
		must("bulk.continue", bulkText+".3", "An error does not stop the job", "One wrong person keeps all others out.", bulkContinue),
		must("bulk.stop", bulkText+".3", "failOnErrors: 1 stops after the first error, and the rest is not in the answer", "A job goes on that was to stop.", bulkStop),
		must("bulk.failure", bulkText+".3", "A failed operation has the Error as its response", "Nobody learns what was wrong.", bulkFailure),
		must("bulk.unknown-id", bulkText+".2", "A reference to a bulkId that there is not fails that operation alone", "Things are made that refer to nothing.", bulkUnknown).with("group Group.members"),
		must("bulk.get", bulkText, "GET in a job is refused", "Nothing in the RFC says what it would mean.", bulkRefused(object{"method": "GET", "path": "/Users"})),
		must("bulk.no-bulk-id", bulkText, "POST without bulkId is refused", "Its result cannot be told from others.", bulkRefused(nil)),
		should("bulk.same-id", bulkText+".2", "Two POSTs with one bulkId are refused, both or the second", "Which of the two a reference means is chance.", bulkSameID),
		must("bulk.version", bulkText, "version of an operation is compared as If-Match: 412 in its result", "A client overwrites what somebody else changed.", func(p *probe) {
			path, a := p.tagged()
			l := p.bulk(nil, object{"method": "PUT", "path": path, "version": `W/"scimhub-old"`, "data": p.again(a, nil)})
			p.outcome(l, 0, 412)
		}).with("etag"),
		must("bulk.too-many", bulkText+".4", "More operations than maxOperations are 413", "The service works on what it said it would not.", bulkTooMany),
		must("bulk.too-large", bulkText+".4", "More bytes than maxPayloadSize are 413", "The service works on what it said it would not.", bulkTooLarge),
		must("bulk.malformed", "RFC 7644 §3.12", "A job that is no BulkRequest is 400", "The client believes that it was carried out.", func(p *probe) {
			p.refused(p.post("/Bulk", `{"schemas":["`+urnBulk+`"],"Operations":"x"}`), 400)
		}),
	}),
		should("bulk.not-offered", bulkText, "Where bulk is not advertised POST /Bulk is 501 or 404", "Clients that try get nonsense.", func(p *probe) {
			if p.features["bulk"] {
				p.skip("bulk is advertised")
			}
			p.spcObject()
			p.status(p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{}}), 501, 404)
		}))
}

func (p *probe) bulk(changes object, ops ...any) []any {
	a := p.post("/Bulk", merge(object{"schemas": array{urnBulk}, "Operations": ops}, changes))
	p.status(a, 200)
	l, ok := get(a.obj, "Operations").([]any)
	p.that(ok, "a list of Operations", show(get(a.obj, "Operations")))
	return l
}

func (p *probe) bulkPost(t *resourceType, bulkID string, changes object) object {
	return object{"method": "POST", "path": t.endpoint, "bulkId": bulkID, "data": merge(p.body(t), changes)}
}

// outcome demands the status of the i-th result.
func (p *probe) outcome(l []any, i int, codes ...int) any {
	if p.done || !p.that(i < len(l), fmt.Sprintf("a result for operation %d", i+1), fmt.Sprintf("%d results", len(l))) {
		return nil
	}
	got := fmt.Sprint(dig(l[i], "status"))
	if m, ok := dig(l[i], "status").(map[string]any); ok { // RFC 7644's predecessor; some services still answer so
		got = fmt.Sprint(get(m, "code"))
	}
	for _, c := range codes {
		if got == strconv.Itoa(c) {
			return l[i]
		}
	}
	p.fail(fmt.Sprintf("status %s for operation %d", either(codes), i+1), show(l[i]))
	return nil
}

// located is the path of the resource in a result.
func (p *probe) located(t *resourceType, result any) string {
	at := text(dig(result, "location"))
	i := strings.LastIndex(at, t.endpoint+"/")
	if p.done || !p.that(i >= 0, "location of a "+t.name, show(at)) {
		return ""
	}
	return at[i:]
}

func bulkCreate(p *probe) {
	l := p.bulk(nil, p.bulkPost(p.users(), "a", nil), p.bulkPost(p.users(), "b", nil))
	for i := range 2 {
		p.read(p.located(p.users(), p.outcome(l, i, 201)))
	}
}

func bulkResponse(p *probe) {
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{p.bulkPost(p.users(), "a", nil)}})
	p.status(a, 200)
	p.that(a.is(urnBulkReply), "schemas "+urnBulkReply, show(get(a.obj, "schemas")))
	for _, e := range list(get(a.obj, "Operations")) {
		p.that(dig(e, "status") == "201", `status "201"`, show(dig(e, "status")))
		p.that(strings.EqualFold(text(dig(e, "method")), "POST"), "method POST", show(dig(e, "method")))
	}
}

func bulkLocation(p *probe) {
	body := p.bulkPost(p.users(), "a", nil)
	l := p.bulk(nil, body, merge(body, object{"bulkId": "b"}))
	p.located(p.users(), p.outcome(l, 0, 201))
	if r := p.outcome(l, 1, 409); !p.done {
		p.that(dig(r, "location") == nil, "no location for a POST that failed", show(r))
	}
}

func bulkID(p *probe) {
	l := p.bulk(nil, p.bulkPost(p.users(), "qwerty", nil))
	if r := p.outcome(l, 0, 201); !p.done {
		p.that(dig(r, "bulkId") == "qwerty", "bulkId qwerty", show(dig(r, "bulkId")))
	}
}

func bulkMethods(p *probe) {
	one, u := p.user()
	two, _ := p.user()
	three, _ := p.user()
	ops := array{object{"method": "PUT", "path": one, "data": p.again(u, object{"displayName": "By bulk"})},
		object{"method": "DELETE", "path": three}}
	if p.features["patch"] {
		ops = append(ops, object{"method": "PATCH", "path": two, "data": patchBody(op("replace", "displayName", "By bulk"))})
	}
	l := p.bulk(nil, ops...)
	p.outcome(l, 0, 200)
	p.outcome(l, 1, 204)
	p.has(p.read(one), "By bulk", "displayName")
	p.status(p.get(three), 404)
	if p.features["patch"] {
		p.outcome(l, 2, 200, 204)
		p.has(p.read(two), "By bulk", "displayName")
	}
}

func bulkReference(forward bool) func(*probe) {
	return func(p *probe) {
		user, group := p.bulkPost(p.users(), "u", nil), p.bulkPost(p.groups(), "g", object{"members": refs("bulkId:u")})
		ops, ui, gi := array{user, group}, 0, 1
		if forward {
			ops, ui, gi = array{group, user}, 1, 0
		}
		l := p.bulk(nil, ops...)
		u := p.located(p.users(), p.outcome(l, ui, 201))
		g := p.located(p.groups(), p.outcome(l, gi, 201))
		if !p.done {
			p.members(g, p.read(u).id())
		}
	}
}

func bulkManager(p *probe) {
	l := p.bulk(nil, p.bulkPost(p.users(), "boss", nil), p.bulkPost(p.users(), "u", object{
		"schemas": array{urnUser, urnEnterprise}, urnEnterprise: object{"manager": object{"value": "bulkId:boss"}}}))
	boss := p.located(p.users(), p.outcome(l, 0, 201))
	u := p.located(p.users(), p.outcome(l, 1, 201))
	if !p.done {
		p.has(p.read(u), p.read(boss).id(), urnEnterprise, "manager", "value")
	}
}

func bulkPath(p *probe) {
	l := p.bulk(nil, p.bulkPost(p.users(), "u", nil),
		object{"method": "PATCH", "path": p.users().endpoint + "/bulkId:u", "data": patchBody(op("replace", "displayName", "By bulk"))})
	u := p.located(p.users(), p.outcome(l, 0, 201))
	p.outcome(l, 1, 200, 204)
	if !p.done {
		p.has(p.read(u), "By bulk", "displayName")
	}
}

func bulkCircle(p *probe) {
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{
		p.bulkPost(p.groups(), "a", object{"members": refs("bulkId:b")}), p.bulkPost(p.groups(), "b", object{"members": refs("bulkId:a")})}})
	if a.code == http.StatusConflict {
		return
	}
	p.status(a, 200)
	l := list(get(a.obj, "Operations"))
	if len(l) > 0 && dig(l[0], "status") == "409" {
		return
	}
	one := p.located(p.groups(), p.outcome(l, 0, 201))
	two := p.located(p.groups(), p.outcome(l, 1, 201))
	if !p.done {
		p.members(one, p.read(two).id())
		p.members(two, p.read(one).id())
	}
}

// wrongPost is an operation that must fail.
func (p *probe) wrongPost(bulkID string) object {
	return p.bulkPost(p.users(), bulkID, object{"userName": nil})
}

func bulkContinue(p *probe) {
	l := p.bulk(nil, p.wrongPost("a"), p.bulkPost(p.users(), "b", nil))
	p.outcome(l, 0, 400)
	p.outcome(l, 1, 201)
}

func bulkStop(p *probe) {
	l := p.bulk(object{"failOnErrors": 1}, p.wrongPost("a"), p.bulkPost(p.users(), "b", nil))
	p.outcome(l, 0, 400)
	p.that(len(l) == 1, "one result", fmt.Sprintf("%d: %s", len(l), show(l)))
}

func bulkFailure(p *probe) {
	l := p.bulk(nil, p.wrongPost("a"))
	if r := p.outcome(l, 0, 400); !p.done {
		p.that(dig(r, "response", "status") == "400" && text(dig(r, "response", "detail")) != "", "an Error in response", show(dig(r, "response")))
	}
}

func bulkUnknown(p *probe) {
	l := p.bulk(nil, p.bulkPost(p.groups(), "g", object{"members": refs("bulkId:nobody")}), p.bulkPost(p.users(), "u", nil))
	p.outcome(l, 0, 400, 409)
	p.outcome(l, 1, 201)
}

// bulkRefused is a check that an operation is refused, by itself or with the job.
func bulkRefused(o object) func(*probe) {
	return func(p *probe) {
		operation := o
		if operation == nil {
			operation = p.bulkPost(p.users(), "", nil)
			delete(operation, "bulkId")
		}
		a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{operation}})
		if a.failed() {
			p.refused(a, 400)
			return
		}
		p.outcome(list(get(a.obj, "Operations")), 0, 400, 405)
	}
}

func bulkSameID(p *probe) {
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{p.bulkPost(p.users(), "a", nil), p.bulkPost(p.users(), "a", nil)}})
	if a.failed() {
		p.refused(a, 400, 409)
		return
	}
	p.outcome(list(get(a.obj, "Operations")), 1, 400, 409)
}

func bulkTooMany(p *probe) {
	if p.bulkOps <= 0 || p.bulkOps > 2000 {
		p.skip("maxOperations is %d, more than this run wants to send", p.bulkOps)
	}
	var ops array
	for range p.bulkOps + 1 {
		ops = append(ops, object{"method": "DELETE", "path": p.users().endpoint + "/" + p.run})
	}
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": ops})
	p.status(a, 413)
}

func bulkTooLarge(p *probe) {
	if p.bulkBytes <= 0 || p.bulkBytes > 4<<20 {
		p.skip("maxPayloadSize is %d bytes, more than this run wants to send", p.bulkBytes)
	}
	a := p.post("/Bulk", object{"schemas": array{urnBulk}, "Operations": array{
		object{"method": "DELETE", "path": p.users().endpoint + "/" + p.run, "data": strings.Repeat("x", p.bulkBytes)}}})
	p.status(a, 413)
}
