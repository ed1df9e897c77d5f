package fanout

import (
	"context"
	"net/http"
	"strings"
)

// together makes a second account and tries what takes two: whether a list keeps its
// order, and what becomes of a name that somebody else has.
func (p *prober) together(ctx context.Context) {
	if p.known.id == "" {
		return
	}
	name := p.name("scimhub-second")
	a, err := p.send(ctx, "POST", "/Users", p.sample(name))
	if err != nil || !a.ok() || a.id() == "" {
		p.note("a second account could not be made: %s", a.words(err))
		return
	}
	p.made("account", userPath(a.id()), name)
	p.other = knownUser{id: a.id(), userName: name, email: name, ours: true}
	p.order(ctx)
	p.nameTaken(ctx)
}

// orderReads is how often the first page is read to see whether it stays the same.
const orderReads = 8

// order reads the first page again and again: where others stand on it each time, pages
// miss some and show others twice, and a list proves nothing.
func (p *prober) order(ctx context.Context) {
	first := ""
	for range orderReads {
		a, err := p.send(ctx, "GET", "/Users?startIndex=1&count=1", nil)
		if err != nil || !a.ok() || a.doc == nil {
			return
		}
		page, err := pageOf(a.doc)
		if err != nil || len(page.resources) == 0 {
			return
		}
		switch id := idOf(page.resources[0]); {
		case first == "":
			first = id
		case first != id:
			p.revise("list_trustworthy", false, "the first page shows another account each time: pages miss some and show others twice")
			return
		}
	}
}

// nameTaken gives the second account the name of the first.
func (p *prober) nameTaken(ctx context.Context) {
	path, method := userPath(p.other.id), "PATCH"
	body := map[string]any{"schemas": []any{patchSchema}, "Operations": []any{map[string]any{"op": "replace", "path": "userName", "value": p.known.userName}}}
	if !p.patches {
		method, body = "PUT", p.sample(p.known.userName)
	}
	a, err := p.send(ctx, method, path, body)
	switch {
	case err != nil || a.status == http.StatusConflict:
	case a.ok():
		shown, _ := field(p.get(ctx, path), "userName")
		if strings.EqualFold(scalarText(plain(shown)), p.known.userName) {
			p.note("an account can be given the name of another (%d): the application does not keep them apart", a.status)
		}
		op, _ := body["Operations"].([]any)
		if len(op) == 0 {
			body["userName"] = p.other.userName
		} else if m, ok := op[0].(map[string]any); ok {
			m["value"] = p.other.userName
		}
		_, _ = p.send(ctx, method, path, body) // it is removed in the end, whatever its name
	case a.status >= 400:
		detail, _ := field(a.doc, "detail")
		if text := fixedPart(scalarText(plain(detail)), p.known.userName, p.other.userName, p.other.id); text != "" {
			p.found("conflict.texts", []string{text}, "a name that somebody else has was refused with %d: %s", a.status, a.excerpt())
		}
	}
}

// fixedPart is the longest part of a text that is free of the names.
func fixedPart(text string, names ...string) string {
	for _, n := range names {
		text = strings.ReplaceAll(text, n, "\x00")
	}
	longest := ""
	for part := range strings.SplitSeq(text, "\x00") {
		if part = strings.Trim(part, " .:,;'\""); len(part) > len(longest) {
			longest = part
		}
	}
	if len(longest) < 8 {
		return "" // too common to tell anything
	}
	return longest
}
