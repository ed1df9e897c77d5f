package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	streamLimit    = 256 << 20 // bytes of a page or of a group with its members
	resourceLimit  = 1 << 20   // bytes of one resource of a page, and of what stands beside a list
	memberLimit    = 64 << 10  // bytes of one member of a group
	readAhead      = 1 << 20   // bytes read before the slot is given back
	streamPatience = 10        // request timeouts that reading a long answer may take in all
)

// stream is a successful answer that is read as it comes, so that its size does not
// matter. What reads it may take its time: only waiting for the target counts, and
// the slot that Pace gave is free again once the first megabyte is here; otherwise
// who asks the target about what a list shows would wait for itself.
type stream struct {
	request request
	status  int
	secrets []string
	head    []byte // how it begins, for error texts
	body    io.Reader
	left    int64 // bytes that may still be read of it all
	allowed int64 // bytes that may be read before the next allow
	err     *ClientError
	close   func()
}

// open sends a read and returns its answer while it comes. The caller closes it.
func (c *Client) open(ctx context.Context, r request) (s *stream, err error) {
	if err := c.there(r.path); err != nil {
		return nil, err
	}
	done, err := c.enter(ctx, r, 0)
	if err != nil {
		return nil, err
	}
	defer func() { done(err) }()
	status, trace := 0, traceOf(ctx)
	defer func() { trace.exchanged(r, nil, status, err) }()
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(c.opts.Timeout, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	resp, secrets, err := c.roundTrip(ctx, r, nil)
	if err != nil {
		defer cancel(nil)
		return nil, overdue(ctx, r, err)
	}
	end := func() {
		_ = resp.Body.Close()
		cancel(nil)
	}
	status = resp.StatusCode
	ahead, readErr := io.ReadAll(io.LimitReader(resp.Body, readAhead))
	got := reply{resp.StatusCode, resp.Header, ahead, secrets}
	switch {
	case !got.ok():
		defer end()
		return nil, c.refused(got)
	case readErr != nil:
		defer end()
		return nil, overdue(ctx, r, lost(r, readErr, true))
	case len(bytes.TrimSpace(ahead)) == 0:
		defer end()
		return nil, &ClientError{Class: Garbage, Status: got.status, Detail: "an empty answer to a read"}
	}
	s = &stream{request: r, status: got.status, secrets: secrets, head: ahead[:min(len(ahead), 8<<10)],
		body: bytes.NewReader(ahead), left: streamLimit, allowed: resourceLimit, close: end}
	if len(ahead) < readAhead {
		end()
		s.close = func() {}
		return s, nil
	}
	s.body = io.MultiReader(s.body, &steady{body: resp.Body, left: streamPatience * c.opts.Timeout, idle: c.opts.Timeout,
		late: func() { cancel(context.DeadlineExceeded) }, now: c.opts.Now, ctx: ctx})
	return s, nil
}

// overdue names the deadline where it is what ended a request.
func overdue(ctx context.Context, r request, err error) error {
	if cause := context.Cause(ctx); cause == context.DeadlineExceeded { //nolint:errorlint // the very value that open gave
		return lost(r, cause, true)
	}
	return err
}

// steady reads a long body: each read may take idle, all of them together left.
type steady struct {
	body       io.Reader
	idle, left time.Duration
	late       func()
	now        func() time.Time
	ctx        context.Context //nolint:containedctx // that of the request, for the cause of its end
}

// Read reads on, and ends the request where it takes too long.
func (s *steady) Read(p []byte) (int, error) {
	began := s.now()
	alarm := time.AfterFunc(min(s.idle, max(s.left, 0)), s.late)
	n, err := s.body.Read(p)
	alarm.Stop()
	s.left -= s.now().Sub(began)
	if cause := context.Cause(s.ctx); err != nil && err != io.EOF && cause != nil { //nolint:errorlint // readers return io.EOF itself
		err = cause
	}
	return n, err
}

// allow lets so many bytes more be read, whatever was left of what was allowed.
func (s *stream) allow(n int64) { s.allowed = n }

// Read implements io.Reader; why it fails is kept for fault.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if most := min(s.left, s.allowed); int64(len(p)) > most {
		p = p[:max(most, 0)]
	}
	if len(p) == 0 {
		s.err = tooLong(s.status, streamLimit)
		if s.left > 0 {
			s.err.Detail = "the answer holds a resource that is too large to be one"
		}
		return 0, s.err
	}
	n, err := s.body.Read(p)
	s.left -= int64(n)
	s.allowed -= int64(n)
	if err != nil && err != io.EOF {
		s.err = lost(request{method: http.MethodGet}, err, true)
		return n, s.err
	}
	return n, err
}

// fault says why the answer could not be read.
func (s *stream) fault(err error) error {
	if s.err != nil {
		return s.err
	}
	if other, ok := errors.AsType[*notSCIM](err); ok {
		return &ClientError{Class: Garbage, Status: s.status, Detail: other.words}
	}
	return &ClientError{Class: Garbage, Status: s.status, Detail: noObject(err) + ": " + excerpt(s.head, s.secrets)}
}

// errStopped ends the reading of a stream of which enough was seen.
var errStopped = errors.New("stopped")

// notSCIM is an answer that is JSON and not what SCIM has there.
type notSCIM struct{ words string }

// Error says what it is.
func (e *notSCIM) Error() string { return e.words }

// object reads the one object of an answer, calling read for each of its names.
func (s *stream) object(dec *json.Decoder, read func(name string) error) error {
	t, err := dec.Token()
	if err != nil {
		return noEOF(err)
	}
	if t != json.Delim('{') {
		return fmt.Errorf("no object")
	}
	err = readFields(dec, 0, func(name string) error {
		s.allow(resourceLimit)
		return read(name)
	}, nil)
	if err != nil {
		return err
	}
	return atEnd(dec)
}

// list reads a list, calling read for each element; null is no list and no error.
func (s *stream) list(dec *json.Decoder, read func() error) (isList bool, err error) {
	t, err := dec.Token()
	switch {
	case err != nil:
		return false, noEOF(err)
	case t == nil:
		return false, nil
	case t != json.Delim('['):
		return false, &notSCIM{"the answer is no SCIM list"}
	}
	for dec.More() {
		if err := read(); err != nil {
			return true, err
		}
	}
	_, err = dec.Token()
	return true, noEOF(err)
}

// beside reads a value that stands beside a list, and keeps it where it is wanted.
func (s *stream) beside(dec *json.Decoder, name string, into map[string]any, wanted ...string) error {
	if !slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, name) }) {
		return s.pass(dec)
	}
	v, err := readValue(dec, 1)
	if err == nil {
		into[name] = v
	}
	return err
}

// pass reads over a value of any size.
func (s *stream) pass(dec *json.Decoder) error {
	for depth := 0; ; {
		s.allow(resourceLimit)
		t, err := dec.Token()
		switch {
		case err != nil:
			return noEOF(err)
		case t == json.Delim('{'), t == json.Delim('['):
			depth++
		case t == json.Delim('}'), t == json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
