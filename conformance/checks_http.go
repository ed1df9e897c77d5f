package conformance

import (
	"strings"
	"unicode/utf8"
)

func authChecks() []check {
	return all("credentials", []check{
		must("auth.required", "RFC 7644 §2", "A request without credentials is 401",
			"Anybody can read the directory.", func(p *probe) { p.status(p.get(query(p.types[0].endpoint, "count", "1"), anonymous), 401) }),
		must("auth.required-to-write", "RFC 7644 §2", "A write without credentials is 401",
			"Anybody can make an account.", func(p *probe) { p.status(p.post(p.types[0].endpoint, p.body(p.types[0]), anonymous), 401) }),
		must("auth.wrong", "RFC 6750 §3.1", "Wrong credentials are 401",
			"Tokens are not checked, or a client that uses an expired one is told something else.",
			func(p *probe) {
				p.status(p.get(query(p.types[0].endpoint, "count", "1"), header("Authorization", "Bearer "+p.unique())), 401)
			}),
		must("auth.other-scheme", "RFC 7235 §3.1", "An unknown authentication scheme is 401",
			"A client with the wrong setting is not told so.",
			func(p *probe) {
				p.status(p.get(query(p.types[0].endpoint, "count", "1"), header("Authorization", "Unheard-Of x")), 401)
			}),
		should("auth.scheme-case", "RFC 7235 §2.1", "The name of the authentication scheme has no case",
			"Clients that write bearer in lower case are locked out.", authSchemeCase),
		must("auth.challenge", "RFC 7235 §3.1", "Every 401 names the schemes in WWW-Authenticate",
			"Generic clients do not know how to authenticate.", nil).watching(func(a *answer) observation {
			if a.err != nil || a.code != 401 {
				return observation{}
			}
			return judge(a.reply.Get("WWW-Authenticate") != "", "a WWW-Authenticate header", "status 401 without it")
		}),
	})
}

func authSchemeCase(p *probe) {
	if p.o.Token == "" {
		p.skip("this run has no bearer token")
	}
	p.status(p.get(query(p.types[0].endpoint, "count", "1"), header("Authorization", "bearer "+p.o.Token)), 200)
}

func httpChecks() []check {
	return []check{
		must("http.accept", "RFC 7644 §3.8", "Accept: application/scim+json is answered in application/scim+json",
			"Strict clients refuse any other media type.", nil).watching(watchMedia),
		should("http.accept-json", "RFC 7644 §3.8", "Accept: application/json is answered",
			"Google and others send nothing else.", func(p *probe) { p.accepts("application/json", 200) }),
		must("http.accept-none", "RFC 7644 §3.8", "Without Accept the answer is application/scim+json",
			"Simple clients get something they cannot read.", acceptNone),
		should("http.accept-any", "RFC 9110 §12.5.1", "Accept: */* is answered",
			"Most HTTP libraries send it.", func(p *probe) { p.accepts("*/*", 200) }),
		should("http.accept-list", "RFC 9110 §12.5.1", "A list in Accept is understood",
			"Clients that name both media types are refused.", func(p *probe) { p.accepts("application/json;q=0.5, application/scim+json", 200) }),
		should("http.send-json", "RFC 7644 §3.8", "A body of application/json is accepted",
			"Google, OneLogin and many scripts send it.", func(p *probe) { p.sends("application/json") }).with("user").notIn("interop"),
		must("http.send-charset", "RFC 7644 §3.8", "A body of application/scim+json; charset=utf-8 is accepted",
			"Okta sends exactly this.", func(p *probe) { p.sends("application/scim+json; charset=utf-8") }).with("user"),
		should("http.send-other", "RFC 9110 §15.5.16", "A body of another media type is 415",
			"A misconfigured client is not told what is wrong.", sendOther).with("user"),
		must("http.json", "RFC 7644 §3.8", "Every body is one valid JSON value in UTF-8",
			"A client with a strict parser sees an error instead of a resource.", nil).watching(watchJSON),
		must("http.unicode", "RFC 7644 §3.8", "Text beyond ASCII comes back as it was sent, also where it was escaped",
			"Names are changed by every synchronisation.", unicodeText).with("User.displayName"),
		should("http.unknown-parameter", "RFC 7644 §3.4.2", "Unknown query parameters are ignored",
			"Entra appends ?aadOptscim062020 to every URL.", unknownParameter).with("user").notIn("interop"),
		should("http.empty-attributes", "RFC 7644 §3.4.2.5", "An empty attributes parameter is as good as none",
			"Clients with an empty setting cannot read anything.", emptyAttributes).with("user"),
		must("http.body-case", "RFC 7643 §2.1", "Attribute names in bodies have no case",
			"What an administrator typed in another case is lost without a word.", bodyCase).with("User.displayName"),
		must("http.patch-case", "RFC 7643 §2.1", "Attribute names in PATCH paths have no case",
			"What an administrator typed in another case is refused.", patchCase).with("User.displayName patch"),
		may("http.trailing-slash", "RFC 7644 §3.2", "A slash after an endpoint does no harm",
			"Several clients put one there.", func(p *probe) { p.status(p.get(query(p.users().endpoint+"/", "count", "1")), 200) }).with("user").notIn("interop"),
		must("http.no-500", "RFC 7644 §3.12", "Nothing in this run is an internal error",
			"The fault is the service's own; clients try again and again.", nil).watching(watchInternal),
		must("http.answers", "RFC 9110 §3.4", "Every request is answered, completely and in time",
			"Clients see a broken connection and cannot know what happened.", nil).watching(func(a *answer) observation {
			if a.err == nil {
				return fine()
			}
			return judge(false, "an answer", a.saw())
		}),
	}
}

func watchMedia(a *answer) observation {
	want := a.header.Get("Accept")
	if !a.success() || len(a.raw) == 0 || want != "" && want != scimMedia || a.header != nil && a.header["Accept"] == nil && want == "" && hasKey(a, "Accept") {
		return observation{}
	}
	return judge(a.media() == scimMedia, "Content-Type application/scim+json", "Content-Type "+a.reply.Get("Content-Type"))
}

// hasKey reports whether a request removed a header.
func hasKey(a *answer, name string) bool {
	_, ok := a.header[name]
	return ok
}

func watchJSON(a *answer) observation {
	if !a.success() || a.code == 204 || len(a.raw) == 0 {
		return observation{}
	}
	if a.syntax != nil {
		return judge(false, "one JSON value", a.syntax.Error())
	}
	return judge(utf8.Valid(a.raw), "UTF-8", "bytes that are none")
}

func watchInternal(a *answer) observation {
	if a.err != nil {
		return observation{}
	}
	return judge(a.code < 500 || a.code == 501 || a.code == 503 && a.reply.Get("Retry-After") != "", "no internal error", a.saw())
}

func (p *probe) accepts(media string, code int) {
	a := p.get(query(p.types[0].endpoint, "count", "1"), header("Accept", media))
	p.status(a, code)
	p.that(a.obj != nil, "a JSON object", a.problem())
}

func acceptNone(p *probe) {
	a := p.get(query(p.types[0].endpoint, "count", "1"), header("Accept", ""))
	p.status(a, 200)
	p.that(a.media() == scimMedia, "Content-Type application/scim+json", "Content-Type "+a.reply.Get("Content-Type"))
}

func (p *probe) sends(media string) {
	p.accepted(p.post(p.users().endpoint, p.userBody(), header("Content-Type", media)))
}

func sendOther(p *probe) {
	p.status(p.post(p.users().endpoint, p.userBody(), header("Content-Type", "text/plain")), 415)
}

func unicodeText(p *probe) {
	path, _ := p.user(object{"displayName": "Zoë Ünal 王小明 Ж 😀"})
	p.has(p.read(path), "Zoë Ünal 王小明 Ж 😀", "displayName")
	body := strings.Replace(string(encode(p.userBody(object{"displayName": "ESCAPED"}))), "ESCAPED", `Zo\u00eb \ud83d\ude00 \"q\" \\ \/`, 1)
	a := p.post(p.users().endpoint, body)
	p.accepted(a)
	if at := p.at(p.users(), a); !p.done {
		p.has(p.read(at), `Zoë 😀 "q" \ /`, "displayName")
	}
}

func unknownParameter(p *probe) {
	path, u := p.user()
	p.has(p.get(path+"?aadOptscim062020"), u.id(), "id")
	p.found(p.get(p.users().endpoint + "?count=1&scimhubUnknown=1&"))
}

func emptyAttributes(p *probe) {
	path, u := p.user()
	a := p.get(path + "?attributes=")
	p.status(a, 200)
	p.has(a, text(get(u.obj, "userName")), "userName")
}

func bodyCase(p *probe) {
	body := p.userBody(object{"displayName": nil})
	body["DISPLAYNAME"] = "Upper Case"
	a := p.post(p.users().endpoint, body)
	p.accepted(a)
	if at := p.at(p.users(), a); !p.done {
		p.has(p.read(at), "Upper Case", "displayName")
	}
}

func patchCase(p *probe) {
	path, _ := p.user()
	p.has(p.patched(path, op("replace", "DisplayNAME", "Other Case")), "Other Case", "displayName")
}
