package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func errorChecks() []check {
	return []check{
		must("errors.body", "RFC 7644 §3.12", "Every error has a JSON body with the schema of an Error",
			"Clients show “unknown error” and administrators do not learn the cause.", nil).watching(onError(func(a *answer) observation {
			return judge(a.obj != nil && a.is(urnError), "an object with schemas "+urnError, a.errorBody())
		})),
		must("errors.status", "RFC 7644 §3.12", "status in an Error is the HTTP status as a string",
			"Clients with typed decoders fail on a number and lose the message.", nil).watching(onError(func(a *answer) observation {
			if a.obj == nil || !a.is(urnError) {
				return observation{}
			}
			v := get(a.obj, "status")
			return judge(v == strconv.Itoa(a.code), fmt.Sprintf("status %q", strconv.Itoa(a.code)), "status "+show(v))
		})),
		should("errors.detail", "RFC 7644 §3.12", "An Error says in detail what is wrong",
			"Okta's tests demand it; without it nobody can help the administrator.", nil).watching(onError(func(a *answer) observation {
			if a.obj == nil || !a.is(urnError) {
				return observation{}
			}
			return judge(text(get(a.obj, "detail")) != "", "a detail", show(a.obj))
		})),
		must("errors.media", "RFC 7644 §3.12", "Errors are application/scim+json",
			"Strict clients do not read a body of another media type.", nil).watching(onError(func(a *answer) observation {
			if a.obj == nil || a.header.Get("Accept") != "" {
				return observation{}
			}
			return judge(a.media() == scimMedia, "Content-Type application/scim+json", "Content-Type "+a.reply.Get("Content-Type"))
		})),
		must("errors.words", "RFC 7644 §3.12", "scimType is one of the words that the RFCs define",
			"Clients that act on the word do not know this one.", nil).watching(onError(knownWord)),
		must("errors.not-found", "RFC 7644 §3.12", "An unknown endpoint is 404",
			"A client with a wrong path is told something else.", func(p *probe) { p.status(p.get("/"+p.unique()), 404) }),
		should("errors.method", "RFC 9110 §15.5.6", "A method that makes no sense on a resource is 405 or 501",
			"A client with a wrong method looks for the fault in its path.", func(p *probe) { p.status(p.wrongMethod(), 405, 501) }).with("user"),
		must("errors.allow", "RFC 9110 §15.5.6", "405 comes with Allow",
			"A client with a wrong method is not told the right ones.", func(p *probe) {
				a := p.wrongMethod()
				p.that(a.code != 405 || a.reply.Get("Allow") != "", "an Allow header with 405", "none")
			}).with("user"),
		must("errors.syntax", "RFC 7644 §3.12", "A body that is no JSON is 400",
			"The client is told that the service failed.", malformed(`{"schemas":["urn:`)).with("user"),
		must("errors.array", "RFC 7644 §3.12", "A body that is no object is 400",
			"The client is told that the service failed, or something is made of nothing.", malformed(`[]`)).with("user"),
		must("errors.empty", "RFC 7644 §3.12", "An empty body is 400",
			"A client that lost its body makes an empty user.", malformed(` `)).with("user"),
		must("errors.foreign", "RFC 7644 §3.12", "A JSON object that is no SCIM resource is 400",
			"Anything can be stored as a user.", malformed(`{"not":"scim"}`)).with("user"),
		should("errors.two-values", "RFC 8259 §2", "Something after the JSON value is 400",
			"Half of what a client sent is ignored without a word.", trailing).with("user"),
		may("errors.duplicate-keys", "RFC 7493 §2.3", "An object with the same key twice is 400",
			"Which of the two counts differs between a proxy that checks and the service that acts.", duplicateKeys).with("user"),
		must("errors.deep-body", "RFC 8259 §9", "JSON nested thousands deep is refused, and no internal error",
			"One request can use up the stack of the service.", deepBody).with("user"),
		must("errors.deep-filter", "RFC 7644 §3.12", "A filter nested hundreds deep is answered, and with no internal error",
			"One request can use up the stack of the service.", deepFilter).with("user filter"),
		must("errors.long-filter", "RFC 7644 §3.12", "A filter of hundreds of terms is answered, and with no internal error",
			"Clients that look for many people at once break the service.", longFilter).with("user filter"),
	}
}

func onError(f func(*answer) observation) func(*answer) observation {
	return func(a *answer) observation {
		if !a.failed() || a.code == 429 && len(a.raw) == 0 {
			return observation{}
		}
		return f(a)
	}
}

func (a *answer) errorBody() string {
	switch {
	case len(a.raw) == 0:
		return fmt.Sprintf("status %d without a body", a.code)
	case a.obj == nil:
		return fmt.Sprintf("status %d with %s: %s", a.code, a.reply.Get("Content-Type"), clip(string(a.raw), 120))
	}
	return fmt.Sprintf("status %d with schemas %s", a.code, show(get(a.obj, "schemas")))
}

func knownWord(a *answer) observation {
	v := get(a.obj, "scimType")
	if v == nil {
		return observation{}
	}
	known := []string{"invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget",
		"invalidValue", "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount"}
	return judge(slices.Contains(known, text(v)), "one of "+strings.Join(known, ", "), "scimType "+show(v))
}

// wrongMethod posts to a resource.
func (p *probe) wrongMethod() *answer {
	path, _ := p.user()
	a := p.post(path, p.userBody())
	p.refused(a, 400, 403, 404, 405, 501)
	return a
}

// malformed posts a body that must be refused. Nothing of it names a user.
func malformed(body string) func(*probe) {
	return func(p *probe) { p.refused(p.post(p.users().endpoint, body, header("Content-Type", scimMedia)), 400) }
}

func trailing(p *probe) {
	p.refused(p.post(p.users().endpoint, string(encode(p.userBody()))+` {"second":1}`), 400)
}

func duplicateKeys(p *probe) {
	body := string(encode(p.userBody()))
	p.refused(p.post(p.users().endpoint, `{"userName":`+string(encodeText(p.userName()))+`,`+body[1:]), 400)
}

func encodeText(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return b
}

func deepBody(p *probe) {
	body := `{"deep":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "," + string(encode(p.userBody()))[1:]
	a := p.post(p.users().endpoint, body)
	p.that(a.err == nil && (a.code < 500), "a refusal with 400, or the unknown attribute ignored", a.saw())
}

func deepFilter(p *probe) {
	f := strings.Repeat("(", 500) + `userName eq "` + p.userName() + `"` + strings.Repeat(")", 500)
	a := p.get(query(p.users().endpoint, "filter", f, "count", "1"))
	p.that(a.err == nil && a.code < 500, "status 200 or 400", a.saw())
}

func longFilter(p *probe) {
	f := strings.TrimSuffix(strings.Repeat(`userName eq "`+p.userName()+`" or `, 60), " or ")
	a := p.get(query(p.users().endpoint, "filter", f, "count", "1"))
	p.that(a.err == nil && a.code < 500, "status 200 or 400", a.saw())
}
