package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/scimhub/scimhub/model"
)

// answer is a successful response.
type answer struct {
	status   int
	doc      map[string]any // nil: no body
	location string
	version  string // for If-Match: the ETag header, or else meta.version; empty: none
}

// request is one call to the target.
type request struct {
	method string
	path   string
	// address is asked in place of the base and the path: it is the application's own
	// API, not SCIM.
	address string
	query   url.Values
	body    any
	ifMatch string // empty: whatever the version
	limit   int64  // bytes of the answer; 0: bodyLimit
	members int    // memberships that it changes
}

func (r request) writes() bool { return r.method != http.MethodGet }

// reply is an answer as it came, with the secrets that were shown for it.
type reply struct {
	status  int
	header  http.Header
	text    []byte
	secrets []string
}

func (r reply) ok() bool { return r.status >= 200 && r.status <= 299 }

// do sends one request and classifies what comes back. The slot that Pace gives
// is held only while the target is asked, not while JSON is written or read.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	if err := c.there(r.path); err != nil {
		return answer{}, err
	}
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return answer{}, &ClientError{Class: Invalid, Detail: "the request cannot be written as JSON", Err: err}
		}
	}
	got, err := c.exchange(ctx, r, body)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: got.status, location: got.header.Get("Location"), version: got.header.Get("ETag")}
	if r.method == http.MethodDelete || len(bytes.TrimSpace(got.text)) == 0 {
		return out, nil
	}
	if out.doc, err = decodeObject(got.text); err != nil {
		return answer{}, &ClientError{Class: Garbage, Status: got.status, Detail: noObject(err) + ": " + excerpt(got.text, got.secrets)}
	}
	if len(out.doc) == 0 {
		out.doc = nil // {} shows nothing
	}
	if meta, _ := field(out.doc, "meta"); out.version == "" {
		if m, ok := meta.(map[string]any); ok {
			out.version = stringOf(m, "version")
		}
	}
	return out, nil
}

// noObject says what is wrong with a body in words.
func noObject(err error) string {
	if twice, ok := errors.AsType[*contradiction](err); ok {
		return twice.Error()
	}
	return "the answer is no JSON object"
}

// there refuses, without asking, what the application does not have.
func (c *Client) there(path string) error {
	for prefix, kind := range map[string]string{"/Users": "User", "/Groups": "Group"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') && !c.profile.Has(kind) {
			return &ClientError{Class: Invalid, Detail: fmt.Sprintf("%s has no resources of type %s (resource_types of its profile)", c.application(), kind)}
		}
	}
	return nil
}

// application names the target's product in error texts.
func (c *Client) application() string {
	if c.profile.Name == "" {
		return "the application"
	}
	return c.profile.Name
}

// exchange sends one request when its turn comes and reads the answer to its end; an
// answer that is no success is an error.
func (c *Client) exchange(ctx context.Context, r request, body []byte) (got reply, err error) {
	done, err := c.enter(ctx, r, len(body))
	if err != nil {
		return reply{}, err
	}
	defer func() { done(err) }() // the pace may add to what the error says
	ctx, span := asking(ctx, r)
	defer func() { answered(span, got.status, err) }()
	defer func() { traceOf(ctx).exchanged(r, body, got.status, err) }()
	if got, err = c.send(ctx, r, body); err == nil && !got.ok() {
		err = c.refused(got)
	}
	return got, err
}

// enter waits for the target's pace.
func (c *Client) enter(ctx context.Context, r request, size int) (done func(error), err error) {
	if c.opts.Pace == nil {
		return func(error) {}, nil
	}
	done, err = c.opts.Pace(ctx, PaceRequest{Kind: kindOf(r.method, r.path), Body: size, Members: r.members})
	if e, is := errors.AsType[*ClientError](err); is {
		return nil, e
	}
	if err != nil {
		return nil, &ClientError{Class: Timeout, Detail: "waiting for the target's rate", Err: err}
	}
	return done, nil
}

func (c *Client) send(ctx context.Context, r request, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	resp, secrets, err := c.roundTrip(ctx, r, body)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	limit := r.limit
	if limit == 0 {
		limit = bodyLimit
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	got := reply{resp.StatusCode, resp.Header, text, secrets}
	switch {
	case err != nil && got.ok():
		return reply{}, lost(r, err, true)
	case int64(len(text)) > limit && got.ok():
		return reply{}, tooLong(resp.StatusCode, limit)
	}
	return got, nil
}

func tooLong(status int, limit int64) *ClientError {
	return &ClientError{Class: Garbage, Status: status, Detail: fmt.Sprintf("the answer is longer than %d bytes", limit)}
}

// roundTrip sends a request and returns the answer with its body unread.
func (c *Client) roundTrip(ctx context.Context, r request, body []byte) (*http.Response, []string, error) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, secrets, err := c.newRequest(ctx, r, body)
	if err != nil {
		return nil, nil, err
	}
	sent.Store(false) // signing may have sent a request of its own
	fenceBody(ctx, req)
	resp, err := c.http.Do(req)
	if late, is := errors.AsType[*ClientError](err); is {
		return nil, nil, late
	}
	if err != nil {
		return nil, nil, lost(r, err, sent.Load())
	}
	if resp.StatusCode == http.StatusUnauthorized {
		c.auth.forget()
	}
	return resp, secrets, nil
}

// lost classifies a request without a complete answer.
func lost(r request, err error, sent bool) *ClientError {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the URL holds a person's name
	}
	out := &ClientError{Class: Network, Err: err}
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &n) && n.Timeout()) {
		out.Class = Timeout
	}
	if sent && r.writes() {
		out.Class, out.Detail = UnknownOutcome, "the request was sent, its answer was lost"
	}
	return out
}

// refused classifies an answer that is no success.
func (c *Client) refused(got reply) *ClientError {
	text := strings.ToLower(string(got.text))
	out := &ClientError{Status: got.status, Detail: detailOf(got.text, got.secrets), Hint: hint(c.profile.Hints, got.status, text)}
	switch s := got.status; {
	case s == http.StatusTooManyRequests, throttled(c.profile.ThrottleSignals, s, text):
		out.Class = Throttled
	case s == http.StatusUnauthorized:
		out.Class = Credentials
	case conflicts(c.profile.Conflict, got, text):
		out.Class = Conflict
	case s == http.StatusForbidden:
		out.Class = Credentials
	case s == http.StatusNotFound, s == http.StatusGone:
		out.Class = Missing
	case s == http.StatusRequestTimeout:
		out.Class = Timeout
	case s == http.StatusNotImplemented:
		out.Class = Invalid // it will not learn
	case s >= 500:
		out.Class = Server
	case s >= 300 && s < 400:
		out.Class, out.Detail = Garbage, "the target redirects to elsewhere; credentials are not sent there"
	default:
		out.Class = Invalid
	}
	out.RetryAfter = waitAsked(got.header, out.Class, c.opts.Now())
	return out
}

// conflicts reports whether an answer says that something exists already, or that
// it was changed meanwhile.
func conflicts(p model.ProfileConflict, got reply, lower string) bool {
	switch {
	case got.status == http.StatusConflict, got.status == http.StatusPreconditionFailed, slices.Contains(p.Status, got.status):
		return true
	case slices.ContainsFunc(p.Texts, func(t string) bool { return t != "" && strings.Contains(lower, strings.ToLower(t)) }):
		return true
	case got.status >= 500:
		return false
	}
	doc, err := decodeObject(got.text)
	if err != nil {
		return false
	}
	kind := stringOf(doc, "scimType")
	return kind != "" && (strings.EqualFold(kind, p.ScimType) || strings.EqualFold(kind, "uniqueness"))
}

// hint finds what the profile knows to do about an answer, by its status or a part of
// its text; of several the first in the order of their keys.
func hint(hints map[string]string, status int, lower string) string {
	for _, part := range slices.Sorted(maps.Keys(hints)) {
		if part == strconv.Itoa(status) || (part != "" && strings.Contains(lower, strings.ToLower(part))) {
			return hints[part]
		}
	}
	return ""
}

// throttled reports whether an answer is one that means "too many requests" here.
func throttled(signals []model.ThrottleSignal, status int, lower string) bool {
	for _, s := range signals {
		if (s.Status == 0 || s.Status == status) && (s.Text == "" || strings.Contains(lower, strings.ToLower(s.Text))) {
			return true
		}
	}
	return false
}
