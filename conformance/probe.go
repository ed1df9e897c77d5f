package conformance

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// probe is what a check works with. After a finding, or a reason to skip, it does
// nothing more.
type probe struct {
	*suite
	ctx     context.Context
	subject subject
	done    bool
	result  Result
	trail   []*answer
}

// fail records the finding.
func (p *probe) fail(expected, got string) {
	if p.done {
		return
	}
	p.done = true
	p.result.Outcome, p.result.Expected, p.result.Got = Warn, expected, cmp.Or(got, "nothing")
	if p.result.Level == Must {
		p.result.Outcome = Fail
	}
}

// skip says why the check cannot be made.
func (p *probe) skip(format string, args ...any) {
	if p.done {
		return
	}
	p.done = true
	p.result.Outcome, p.result.Reason = Skip, fmt.Sprintf(format, args...)
}

// that records a finding unless ok.
func (p *probe) that(ok bool, expected, got string) bool {
	if !ok {
		p.fail(expected, got)
	}
	return ok && !p.done
}

// send sends a request; body is JSON text or a value to encode.
func (p *probe) send(method, path string, body any, opts ...option) *answer {
	if p.done {
		return &answer{reply: http.Header{}}
	}
	if err := p.ctx.Err(); err != nil {
		p.skip("the run was stopped")
		return &answer{reply: http.Header{}}
	}
	r := request{method: method, path: path, body: encode(body), header: http.Header{}}
	for _, o := range opts {
		o(&r)
	}
	a := p.suite.send(p.ctx, r)
	if a.err != nil && p.ctx.Err() != nil {
		p.skip("the run was stopped")
	}
	p.trail = append(p.trail, a)
	p.remember(a)
	p.observe(a)
	return a
}

// together sends requests at the same time, and returns the answers in their order.
func (p *probe) together(requests ...request) []*answer {
	answers := make([]*answer, len(requests))
	if p.done {
		for i := range answers {
			answers[i] = &answer{reply: http.Header{}}
		}
		return answers
	}
	var all sync.WaitGroup
	for i, r := range requests {
		all.Go(func() { answers[i] = p.suite.once(p.ctx, r) })
	}
	all.Wait()
	for _, a := range answers {
		p.trail = append(p.trail, a)
		p.remember(a)
		p.observe(a)
	}
	return answers
}

// count is how many of the answers have the status.
func count(answers []*answer, code int) int {
	n := 0
	for _, a := range answers {
		if a.code == code {
			n++
		}
	}
	return n
}

// codes are the statuses of answers.
func codes(answers []*answer) string {
	var out []string
	for _, a := range answers {
		out = append(out, strconv.Itoa(a.code))
	}
	return strings.Join(out, ", ")
}

func (p *probe) get(path string, opts ...option) *answer {
	return p.send(http.MethodGet, path, nil, opts...)
}

func (p *probe) post(path string, body any, opts ...option) *answer {
	return p.send(http.MethodPost, path, body, opts...)
}

func (p *probe) put(path string, body any, opts ...option) *answer {
	return p.send(http.MethodPut, path, body, opts...)
}

func (p *probe) remove(path string, opts ...option) *answer {
	return p.send(http.MethodDelete, path, nil, opts...)
}

// patch sends operations.
func (p *probe) patch(path string, ops ...any) *answer {
	return p.send(http.MethodPatch, path, patchBody(ops...))
}

func patchBody(ops ...any) object {
	if ops == nil {
		ops = array{}
	}
	return object{"schemas": array{urnPatch}, "Operations": ops}
}

// op makes a PATCH operation; path "" or value nil leave the member out.
func op(name, path string, value any) object {
	o := object{"op": name}
	if path != "" {
		o["path"] = path
	}
	if value != nil {
		o["value"] = value
	}
	return o
}

// patched sends operations that must succeed and returns the resource as it is then.
func (p *probe) patched(path string, ops ...any) *answer {
	a := p.patch(path, ops...)
	if !p.status(a, 200, 204) {
		return a
	}
	return p.read(path)
}

// read gets a resource that must be there.
func (p *probe) read(path string) *answer {
	a := p.get(path)
	if p.status(a, 200) && a.obj == nil {
		p.fail("the resource as a JSON object", a.problem())
	}
	return a
}

func (a *answer) problem() string {
	if a.syntax != nil {
		return a.syntax.Error()
	}
	return "a JSON value of another kind: " + show(a.value)
}

// status demands one of the status codes.
func (p *probe) status(a *answer, codes ...int) bool {
	return p.that(a.err == nil && slices.Contains(codes, a.code), "status "+either(codes), a.saw())
}

// accepted demands success. That a POST says so with 201 is a check of its own.
func (p *probe) accepted(a *answer) { p.that(a.success(), "status 201", a.saw()) }

func either(codes []int) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = strconv.Itoa(c)
	}
	return strings.Join(words, " or ")
}

// refused demands a status of 4xx: one of codes, if there are any.
func (p *probe) refused(a *answer, codes ...int) {
	if len(codes) > 0 {
		p.status(a, codes...)
		return
	}
	p.that(a.err == nil && a.code >= 400 && a.code < 500, "a refusal: status 400", a.saw())
}

// kind demands the status and one of the scimType words (RFC 7644 §3.12, table 9).
func (p *probe) kind(a *answer, code int, words ...string) {
	got := text(get(a.obj, "scimType"))
	ok := a.err == nil && a.code == code && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, got) })
	p.that(ok, fmt.Sprintf("status %d with scimType %s", code, strings.Join(words, " or ")), a.saw())
}

// has demands that the body says what want says, at the place that keys lead to.
func (p *probe) has(a *answer, want any, keys ...string) {
	if p.done {
		return
	}
	got := dig(a.obj, keys...)
	p.that(includes(want, got), place(keys)+show(want), place(keys)+show(got))
}

// lacks demands that there is nothing at a place.
func (p *probe) lacks(a *answer, keys ...string) {
	if p.done {
		return
	}
	got := dig(a.obj, keys...)
	p.that(unassigned(got), "no value at "+strings.Join(keys, "."), place(keys)+show(got))
}

func place(keys []string) string {
	if len(keys) == 0 {
		return "a body with "
	}
	return strings.Join(keys, ".") + " = "
}

// at is the path of a resource in an answer, "" if it says no id.
func (p *probe) at(t *resourceType, a *answer) string {
	id := text(get(a.obj, "id"))
	if id == "" && !p.done {
		p.fail("the id of the resource in the answer", "no id; "+a.saw())
	}
	return t.endpoint + "/" + url.PathEscape(id)
}

// found are the ids in a list, which must be one.
func (p *probe) found(a *answer) []string {
	if !p.status(a, 200) {
		return nil
	}
	if !a.listed() {
		p.fail("a ListResponse", "status 200, but "+a.listProblem())
		return nil
	}
	var out []string
	for _, r := range a.resources() {
		out = append(out, text(get(r, "id")))
	}
	return out
}

func (a *answer) listProblem() string {
	if a.obj == nil {
		return a.problem()
	}
	return "without totalResults and the schema of a list: " + clip(string(a.raw), 200)
}

// declined warns of a filter that the service refuses as one that it does not know,
// as RFC 7644 §3.4.2.2 tells it to. What every client sends must be known.
func (p *probe) declined(a *answer) {
	essential := slices.Contains([]string{"filter.eq", "filter.case-insensitive", "filter.name-case", "filter.operator-case"}, p.result.ID)
	if p.result.Group != "filter" && p.result.ID != "attr.filter" || essential || a.code != 400 || text(get(a.obj, "scimType")) != "invalidFilter" {
		return
	}
	if p.result.Level == Must {
		p.result.Level = Should
	}
	p.fail("an answer to the filter", "it is declined: "+a.saw())
}

// exactly demands that a list holds these resources of the candidates and no other
// of them. Resources of somebody else do not matter.
func (p *probe) exactly(a *answer, candidates, want []string) {
	p.declined(a)
	got := p.found(a)
	if p.done {
		return
	}
	ok := true
	for _, c := range candidates {
		ok = ok && slices.Contains(got, c) == slices.Contains(want, c)
	}
	names := func(ids []string) string {
		var out []string
		for i, c := range candidates {
			if slices.Contains(ids, c) {
				out = append(out, fmt.Sprintf("%c", 'A'+i))
			}
		}
		if out == nil {
			return "none"
		}
		return strings.Join(out, ", ")
	}
	p.that(ok, fmt.Sprintf("of the %d prepared resources: %s", len(candidates), names(want)),
		fmt.Sprintf("%s (%d in the list)", names(got), len(got)))
}
