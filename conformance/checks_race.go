package conformance

import (
	"net/http"
	"strconv"
)

// rivals is how many requests are sent at once.
const rivals = 6

// raceChecks send several requests at the same time.
func raceChecks() []check {
	return all("user", []check{
		must("race.create", "RFC 7643 §4.1.1", "Of several simultaneous POSTs with one userName exactly one makes a user",
			"A client that repeats a request after a time-out makes a second account.", raceCreate),
		must("race.if-match", "RFC 7644 §3.14", "Of several simultaneous PUTs with the same If-Match exactly one is carried out",
			"A client overwrites what somebody else changed at the same moment.", raceMatch).with("etag"),
		should("race.members", "RFC 7644 §3.5.2", "Members that simultaneous PATCHes add are all there",
			"People lose access when two administrators, or two threads of a client, work on one group.", raceMembers).with("patch group Group.members"),
		must("race.patch", "RFC 7644 §3.5.2", "Simultaneous PATCHes of different attributes are all carried out",
			"A change that was confirmed is lost.", racePatch).with("patch User.nickName User.title"),
	})
}

func raceCreate(p *probe) {
	var same []request
	body := encode(p.userBody())
	for range rivals {
		same = append(same, request{method: http.MethodPost, path: p.users().endpoint, body: body})
	}
	answers := p.together(same...)
	made := count(answers, 201) + count(answers, 200)
	p.that(made == 1 && made+count(answers, 409)+count(answers, 429) == rivals, "one 201 and "+strconv.Itoa(rivals-1)+" times 409", codes(answers))
}

func raceMatch(p *probe) {
	path, a := p.tagged()
	var same []request
	for range rivals {
		same = append(same, request{method: http.MethodPut, path: path, body: encode(p.again(a, object{"displayName": p.unique()})),
			header: http.Header{"If-Match": {a.reply.Get("ETag")}}})
	}
	answers := p.together(same...)
	done := count(answers, 200) + count(answers, 204)
	p.that(done == 1 && done+count(answers, 412)+count(answers, 409)+count(answers, 429) == rivals, "one 200 and "+strconv.Itoa(rivals-1)+" times 412", codes(answers))
}

// raceMembers accepts that a service asks a client to try again: who was told that
// the change was made must be a member.
func raceMembers(p *probe) {
	ids := p.crowd(rivals)
	path, _ := p.group()
	var adds []request
	for _, id := range ids {
		adds = append(adds, request{method: http.MethodPatch, path: path, body: encode(patchBody(op("add", "members", refs(id))))})
	}
	var want []string
	for i, a := range p.together(adds...) {
		if a.success() {
			want = append(want, ids[i])
		}
	}
	p.that(len(want) > 0, "at least one member added", "none")
	p.members(path, want...)
}

func racePatch(p *probe) {
	path, _ := p.user()
	set := func(attr string) request {
		return request{method: http.MethodPatch, path: path, body: encode(patchBody(op("replace", attr, "raced")))}
	}
	attrs := []string{"nickName", "title", "displayName"}
	answers := p.together(set(attrs[0]), set(attrs[1]), set(attrs[2]))
	a := p.read(path)
	for i, attr := range attrs {
		if answers[i].success() {
			p.has(a, "raced", attr)
		}
	}
}
