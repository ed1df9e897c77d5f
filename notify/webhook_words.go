package notify

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// telling is how long a part of an address must be to tell anything by itself, bytes.
const telling = 8

// unshown are the parts of a request that must not be seen in what a receiver answers, the
// longest first: the address behind its host, for that of many is as good as a password,
// its telling parts, and the signature.
func unshown(r *http.Request) []string {
	out := []string{r.URL.String(), r.URL.RequestURI(), r.URL.EscapedPath(), r.URL.Path, r.URL.RawQuery, r.Header.Get("Webhook-Signature")}
	for part := range strings.SplitSeq(r.URL.Path, "/") {
		out = append(out, part, url.PathEscape(part))
	}
	for _, values := range r.URL.Query() {
		for _, v := range values {
			out = append(out, v, url.QueryEscape(v))
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool { return len(strings.Trim(s, "/")) < telling })
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(out)
}

// answered is the beginning of what a receiver answers, without what must not be seen. text
// is what was read of it, up to limit bytes; where it may go on, its end may be a piece of
// such a part and is left out.
func answered(text string, hide []string, limit int) string {
	whole := len(text) < limit
	for _, s := range hide {
		text = strings.ReplaceAll(text, s, "[redacted]")
	}
	if !whole && len(hide) > 0 {
		text = text[:max(0, len(text)-len(hide[0]))]
	}
	return oneLine(text, answerBytes)
}
