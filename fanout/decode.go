package fanout

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// idOf reads an id that may be a number; empty where there is none.
func idOf(doc map[string]any) string {
	v, _ := field(doc, "id")
	switch n := v.(type) {
	case string:
		return n
	case json.Number:
		return n.String()
	}
	return ""
}

// intOf reads a number that may be text.
func intOf(doc map[string]any, name string) (int, bool) {
	v, _ := field(doc, name)
	text := ""
	switch n := v.(type) {
	case string:
		text = n
	case json.Number:
		text = n.String()
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || f < 0 || f > 1e12 {
		return 0, false
	}
	return int(f), true
}

// boolOf reads a boolean that may be text.
func boolOf(doc map[string]any, name string, absent bool) bool {
	switch b, _ := field(doc, name); n := b.(type) {
	case bool:
		return n
	case string:
		if v, err := strconv.ParseBool(strings.ToLower(n)); err == nil {
			return v
		}
	}
	return absent
}

func stringOf(doc map[string]any, name string) string {
	v, _ := field(doc, name)
	s, _ := v.(string)
	return s
}

// userOf reads a user; an object without id is none.
func userOf(doc map[string]any) (RemoteUser, error) {
	u := RemoteUser{ID: idOf(doc), UserName: stringOf(doc, "userName"), Active: boolOf(doc, "active", true), Attrs: doc}
	if u.ID == "" {
		return RemoteUser{}, &ClientError{Class: Garbage, Detail: "the answer is no SCIM resource: it has no id"}
	}
	return u, nil
}

// groupOf reads a group and its members, which may be objects or bare ids.
func groupOf(doc map[string]any) (RemoteGroup, error) {
	g := RemoteGroup{ID: idOf(doc), Name: stringOf(doc, "displayName")}
	if g.ID == "" {
		return RemoteGroup{}, &ClientError{Class: Garbage, Detail: "the answer is no SCIM resource: it has no id"}
	}
	v, _ := field(doc, "members")
	list, _ := v.([]any)
	for _, e := range list {
		if id := memberOf(e); id != "" {
			g.Members = append(g.Members, id)
		}
	}
	return g, nil
}

// memberOf is the id in an element of members: an object with value, or the bare id.
func memberOf(e any) string {
	if m, ok := e.(map[string]any); ok {
		e, _ = field(m, "value")
	}
	switch id := e.(type) {
	case string:
		return id
	case json.Number:
		return id.String()
	}
	return ""
}

// listPage is one page of a ListResponse as targets send it.
type listPage struct {
	total     int
	hasTotal  bool
	resources []map[string]any
}

// pageOf reads a page. An object that shows neither resources nor a total is no
// list: it must not read as "nobody is there".
func pageOf(doc map[string]any) (listPage, error) {
	var p listPage
	p.total, p.hasTotal = intOf(doc, "totalResults")
	v, found := field(doc, "Resources")
	list, isList := v.([]any)
	if (found && v != nil && !isList) || (!p.hasTotal && !isList) {
		return p, &ClientError{Class: Garbage, Detail: "the answer is no SCIM list"}
	}
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return p, &ClientError{Class: Garbage, Detail: "the list holds something that is no resource"}
		}
		p.resources = append(p.resources, m)
	}
	return p, nil
}

const longestWait = 24 * time.Hour

// waitAsked is how long a target asks to be left alone: Retry-After, or where it was
// throttled what the headers of several products say about the end of their window.
func waitAsked(h http.Header, class Class, now time.Time) time.Duration {
	if d := retryAfter(h.Get("Retry-After"), now); d > 0 {
		return d
	}
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if n, err := strconv.ParseFloat(strings.TrimSpace(h.Get(name)), 64); err == nil && n > 0 {
			return time.Duration(min(n, float64(longestWait/time.Millisecond)) * float64(time.Millisecond))
		}
	}
	if class != Throttled {
		return 0
	}
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"} {
		if d := resetAfter(h.Get(name), now); d > 0 {
			return d
		}
	}
	return 0
}

// resetAfter reads the end of a window: seconds from now, or the time in seconds or
// milliseconds since 1970.
func resetAfter(header string, now time.Time) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(header), 64)
	switch {
	case err != nil || !(n > 0) || n > 1e15:
		return retryAfter(header, now)
	case n > 1e11:
		return min(max(time.UnixMilli(int64(n)).Sub(now), 0), longestWait)
	case n > 1e8:
		return min(max(time.Unix(int64(n), 0).Sub(now), 0), longestWait)
	}
	return time.Duration(min(n, longestWait.Seconds()) * float64(time.Second))
}

// retryAfter reads Retry-After: seconds or a date (RFC 9110 §10.2.3), at most a day.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if n, err := strconv.ParseFloat(header, 64); err == nil {
		if !(n > 0) {
			return 0
		}
		return time.Duration(min(n, longestWait.Seconds()) * float64(time.Second))
	}
	t, err := http.ParseTime(header)
	if err != nil || !t.After(now) {
		return 0
	}
	return min(t.Sub(now), longestWait)
}

var htmlPage = regexp.MustCompile(`(?i)^\s*<(!doctype|html|head|body)`)

// detailOf finds the target's own words in an error body.
func detailOf(text []byte, secrets []string) string {
	doc, err := decodeObject(text)
	if err != nil {
		return excerpt(text, secrets)
	}
	for _, name := range []string{"detail", "message", "error_description", "error"} {
		if s := stringOf(doc, name); s != "" {
			if kind := stringOf(doc, "scimType"); kind != "" {
				s = kind + ": " + s
			}
			return excerpt([]byte(s), secrets)
		}
	}
	return excerpt(text, secrets)
}

const excerptLength = 300 // bytes of foreign text that go into an error

// excerpt shortens foreign text and takes out control characters and secrets.
func excerpt(text []byte, secrets []string) string {
	if htmlPage.Match(text) {
		return "an HTML page"
	}
	s := string(text[:min(len(text), 8<<10)])
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > excerptLength {
		cut := excerptLength
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}
