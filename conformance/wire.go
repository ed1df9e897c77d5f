package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of one request, so that no service can hold or fill the program.
const (
	maxAnswer    = 8 << 20 // bytes read of a body
	maxClipped   = 1500    // bytes of a body in a report
	maxTries     = 4       // of a request that is answered 429 or 503 with Retry-After
	maxPatience  = 30 * time.Second
	scimMedia    = "application/scim+json"
	maxExchanges = 4 // shown with a finding
)

// request is what a check wants to send.
type request struct {
	method, path string // the path is below the base URL, with its query
	body         []byte
	header       http.Header
	anonymous    bool // without credentials
}

// answer is what came back, read completely and decoded as far as possible. It is
// never nil; sent tells whether there was a request at all.
type answer struct {
	request
	sent   bool
	reused bool  // the connection had carried a request before
	err    error // no answer, or none that could be read to its end
	code   int
	reply  http.Header
	raw    []byte
	value  any            // the JSON value of the body
	obj    map[string]any // the same if it is an object; may be read even if nil
	syntax error          // why the body is not one JSON value
	typ    *resourceType  // whose endpoint was asked; nil if none
	single bool           // the endpoint of one resource
}

type option func(*request)

// header sets a header of a request; an empty value removes it.
func header(name, value string) option {
	return func(r *request) {
		if value == "" {
			r.header[http.CanonicalHeaderKey(name)] = nil
			return
		}
		r.header.Set(name, value)
	}
}

// anonymous sends no credentials.
func anonymous(r *request) { r.anonymous = true }

// query appends parameters to a path, in order, escaped.
func query(path string, pairs ...string) string {
	var params []string
	for i := 0; i+1 < len(pairs); i += 2 {
		params = append(params, url.QueryEscape(pairs[i])+"="+strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "+", "%20"))
	}
	return path + "?" + strings.Join(params, "&")
}

// send carries out one request. A service that asks to wait is given the time it
// wants, within bounds. One that closes a connection between two requests, as it may
// (RFC 9112 §9.3.1), is asked again over another.
func (s *suite) send(ctx context.Context, r request) *answer {
	closed := false
	for try := 1; ; try++ {
		a := s.once(ctx, r)
		if a.err != nil && a.code == 0 && a.reused && !closed && ctx.Err() == nil && !timedOut(a.err) {
			closed = true
			s.remember(a) // it may have been carried out all the same
			s.client.CloseIdleConnections()
			continue
		}
		wait, again := retryAfter(a, s.o.Now())
		if !again || try == maxTries || ctx.Err() != nil {
			return a
		}
		if err := pause(ctx, min(wait, maxPatience)); err != nil {
			return a
		}
	}
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter says how long a service wants to be left alone (RFC 9110 §10.2.3).
func retryAfter(a *answer, now time.Time) (time.Duration, bool) {
	if a.code != http.StatusTooManyRequests && a.code != http.StatusServiceUnavailable {
		return 0, false
	}
	text := a.reply.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(min(n, 3600)) * time.Second, true
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now)), true
	}
	return time.Second, a.code == http.StatusTooManyRequests
}

func (s *suite) once(ctx context.Context, r request) *answer {
	a := &answer{request: r, sent: true, reply: http.Header{}}
	s.classify(a)
	s.requests.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { a.reused = i.Reused }})
	req, err := http.NewRequestWithContext(ctx, r.method, s.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		a.err = err
		return a
	}
	s.headers(req, r)
	resp, err := s.client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.code, a.reply = resp.StatusCode, resp.Header
	a.raw, a.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(a.raw) > maxAnswer {
		a.raw, a.err = a.raw[:maxAnswer], fmt.Errorf("the body is longer than %d bytes", maxAnswer)
	}
	a.decode()
	return a
}

func (s *suite) headers(req *http.Request, r request) {
	req.Header.Set("Accept", scimMedia)
	req.Header.Set("User-Agent", "scimhub-conformance")
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", scimMedia)
	}
	for k, v := range s.o.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if !r.anonymous {
		switch {
		case s.o.Token != "":
			req.Header.Set("Authorization", "Bearer "+s.o.Token)
		case s.o.User != "":
			req.SetBasicAuth(s.o.User, s.o.Password)
		}
	} else {
		req.Header.Del("Authorization")
	}
	for k, v := range r.header {
		req.Header.Del(k)
		if v != nil {
			req.Header[k] = v
		}
	}
}

// decode reads the body as exactly one JSON value.
func (a *answer) decode() {
	if len(bytes.TrimSpace(a.raw)) == 0 {
		a.syntax = errors.New("the body is empty")
		return
	}
	dec := json.NewDecoder(bytes.NewReader(a.raw))
	dec.UseNumber()
	if err := dec.Decode(&a.value); err != nil {
		a.syntax = fmt.Errorf("the body is no JSON: %w", err)
		return
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		a.syntax = errors.New("something follows the JSON value of the body")
	}
	a.obj, _ = a.value.(map[string]any)
}

// classify finds out which resource type an answer is about.
func (s *suite) classify(a *answer) {
	path, _, _ := strings.Cut(a.path, "?")
	for _, t := range s.types {
		rest, ok := strings.CutPrefix(path, t.endpoint)
		switch {
		case !ok:
		case rest == "" || rest == "/" || rest == "/.search":
			a.typ = t
			return
		case rest[0] == '/' && !strings.Contains(rest[1:], "/"):
			a.typ, a.single = t, true
			return
		}
	}
}

func (a *answer) success() bool { return a.err == nil && a.code >= 200 && a.code < 300 }

// failed reports whether the answer is an error of HTTP.
func (a *answer) failed() bool { return a.err == nil && a.code >= 400 }

// is reports whether the body is a message with the URN, whatever its case.
func (a *answer) is(urn string) bool {
	for _, s := range list(get(a.obj, "schemas")) {
		if text, ok := s.(string); ok && strings.EqualFold(text, urn) {
			return true
		}
	}
	return false
}

// listed reports whether the answer carries a list.
func (a *answer) listed() bool {
	return a.success() && a.obj != nil && !a.single && (a.is(urnList) || get(a.obj, "totalResults") != nil) &&
		(a.method == http.MethodGet || strings.Contains(a.path, "/.search"))
}

// resources are the resources in a successful answer.
func (a *answer) resources() []map[string]any {
	switch {
	case !a.success() || a.obj == nil || a.method == http.MethodDelete:
		return nil
	case a.listed():
		if a.typ == nil && !strings.HasPrefix(a.path, "/?") && !strings.HasPrefix(a.path, "/.search") {
			return nil // discovery
		}
		var out []map[string]any
		for _, e := range list(get(a.obj, "Resources")) {
			if m, ok := e.(map[string]any); ok {
				out = append(out, m)
			}
		}
		return out
	case a.typ != nil && (a.single || a.method == http.MethodPost && !strings.Contains(a.path, "/.search")):
		return []map[string]any{a.obj}
	}
	return nil
}

// projected reports whether the request asked for some attributes only.
func (a *answer) projected() bool {
	return strings.Contains(a.path, "ttributes=") || bytes.Contains(a.body, []byte(`ttributes":`))
}

// exchange is the answer as a report shows it.
func (a *answer) exchange(base string) Exchange {
	e := Exchange{Method: a.method, URL: base + clip(a.path, 600), Status: a.code, RequestHeader: map[string]string{},
		RequestBody: clip(string(a.body), maxClipped), ResponseBody: clip(string(a.raw), maxClipped)}
	for k, v := range a.header {
		if k != "Authorization" {
			e.RequestHeader[k] = strings.Join(v, ", ")
		}
	}
	if len(a.body) > 0 && e.RequestHeader["Content-Type"] == "" {
		e.RequestHeader["Content-Type"] = scimMedia
	}
	for _, k := range []string{"Content-Type", "Location", "Content-Location", "Etag", "Www-Authenticate", "Allow", "Retry-After"} {
		if v := a.reply.Values(k); len(v) > 0 {
			if e.ResponseHeader == nil {
				e.ResponseHeader = map[string]string{}
			}
			e.ResponseHeader[k] = clip(strings.Join(v, ", "), 300)
		}
	}
	if a.err != nil {
		e.Error = a.err.Error()
	}
	return e
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + fmt.Sprintf("… (%d bytes)", len(s))
}

// media is the media type of an answer without parameters, in lower case.
func (a *answer) media() string {
	m, _, _ := strings.Cut(a.reply.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(m))
}

// saw describes an answer in a few words.
func (a *answer) saw() string {
	switch {
	case a.err != nil && a.code == 0:
		return "no answer: " + a.err.Error()
	case a.err != nil:
		return fmt.Sprintf("status %d, then %v", a.code, a.err)
	}
	out := fmt.Sprintf("status %d", a.code)
	if kind := text(get(a.obj, "scimType")); kind != "" {
		out += " " + kind
	}
	if detail := text(get(a.obj, "detail")); detail != "" && a.failed() {
		out += " (" + clip(detail, 160) + ")"
	}
	return out
}
