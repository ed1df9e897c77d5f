package fanout

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

const (
	bodyLimit      = 10 << 20 // bytes of an answer
	groupBodyLimit = 64 << 20 // bytes of a group with its members
	requestTimeout = 30 * time.Second
	mediaType      = "application/scim+json"
)

// ClientOptions is what a Client needs beside the target's description.
type ClientOptions struct {
	Transport http.RoundTripper // nil: one of its own, TLS 1.2 or newer
	Timeout   time.Duration     // per request; 0: 30 s
	Version   string            // of scimhub, for User-Agent
	// Pace is called before each request and waits for the target's rate and for a
	// free slot; done is called when the answer has been read, with the failure if
	// it was one. A *ClientError is the request's outcome as it is. nil: no limits.
	Pace func(context.Context, PaceRequest) (done func(error), err error)
	Now  func() time.Time
}

// Client is the SCIM 2.0 Connector (RFC 7644 as a client, with the tolerance that
// real targets need).
type Client struct {
	base    string
	profile Profile
	opts    ClientOptions
	auth    *authenticator
	http    *http.Client
}

var _ Connector = (*Client)(nil)

// NewClient makes a client for a target. Secrets are read at each use, so that a
// missing one is an error of the request, not of NewClient.
func NewClient(t model.Target, p Profile, o ClientOptions) (*Client, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, model.Fail(model.Invalid, fmt.Sprintf("target %s: %q is no http or https URL", t.Name, t.URL), err)
	}
	if o.Now == nil {
		return nil, model.Fail(model.Internal, "target "+t.Name+": a client needs a clock", nil)
	}
	if o.Timeout <= 0 {
		o.Timeout = requestTimeout
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Transport == nil {
		o.Transport = newTransport(t, p)
	}
	c := &Client{base: strings.TrimRight(t.URL, "/"), profile: p, opts: o}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: stayOnHost}
	c.auth = &authenticator{auth: t.Auth, http: c.http, now: o.Now}
	return c, nil
}

func newTransport(t model.Target, p Profile) *http.Transport {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if m := t.Auth.MTLS; m != nil {
		tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(m.Cert, m.Key)
			return &pair, err
		}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: max(p.Concurrency, 4) + 8,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// stayOnHost follows a redirect only for reads and only to where the credentials
// belong; any other is returned as the answer it is.
func stayOnHost(r *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || (first.Method != http.MethodGet && first.Method != http.MethodHead) ||
		r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// answer is a successful response.
type answer struct {
	status   int
	doc      map[string]any // nil: no body
	location string
}

// request is one call to the target.
type request struct {
	method string
	path   string
	query  url.Values
	body   any
	limit  int64 // bytes of the answer; 0: bodyLimit
}

func (r request) writes() bool { return r.method != http.MethodGet }

// do sends one request and classifies what comes back. The slot that Pace gives
// is held only while the target is asked, not while JSON is written or read.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
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
	out := answer{status: got.status, location: got.header.Get("Location")}
	if r.method == http.MethodDelete || len(bytes.TrimSpace(got.text)) == 0 {
		return out, nil
	}
	if out.doc, err = decodeObject(got.text); err != nil {
		return answer{}, &ClientError{Class: Garbage, Status: got.status, Detail: "the answer is no JSON object: " + excerpt(got.text, got.secrets)}
	}
	return out, nil
}

// reply is an answer as it came, with the secrets that were shown for it.
type reply struct {
	status  int
	header  http.Header
	text    []byte
	secrets []string
}

// exchange sends one request when its turn comes and reads the answer to its end; an
// answer that is no success is an error.
func (c *Client) exchange(ctx context.Context, r request, body []byte) (got reply, err error) {
	if c.opts.Pace != nil {
		done, refusal := c.opts.Pace(ctx, PaceRequest{Kind: kindOf(r.method, r.path), Body: len(body)})
		if e, is := errors.AsType[*ClientError](refusal); is {
			return reply{}, e
		}
		if refusal != nil {
			return reply{}, &ClientError{Class: Timeout, Detail: "waiting for the target's rate", Err: refusal}
		}
		defer func() { done(err) }() // the pace may add to what the error says
	}
	if got, err = c.send(ctx, r, body); err == nil && (got.status < 200 || got.status > 299) {
		err = c.refused(got)
	}
	return got, err
}

func (c *Client) send(ctx context.Context, r request, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, secrets, err := c.newRequest(ctx, r, body)
	if err != nil {
		return reply{}, err
	}
	sent.Store(false) // signing may have sent a request of its own
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, lost(r, err, sent.Load())
	}
	defer func() { _ = resp.Body.Close() }()
	limit := r.limit
	if limit == 0 {
		limit = bodyLimit
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil && resp.StatusCode < 300:
		return reply{}, lost(r, err, true)
	case int64(len(text)) > limit:
		return reply{}, &ClientError{Class: Garbage, Status: resp.StatusCode, Detail: fmt.Sprintf("the answer is longer than %d bytes", limit)}
	case resp.StatusCode == http.StatusUnauthorized:
		c.auth.forget()
	}
	return reply{resp.StatusCode, resp.Header, text, secrets}, nil
}

func (c *Client) newRequest(ctx context.Context, r request, text []byte) (*http.Request, []string, error) {
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	}
	address := c.base + r.path
	if len(r.query) > 0 {
		// %20 rather than +: not every target reads + as a space.
		address += "?" + strings.ReplaceAll(r.query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, nil, &ClientError{Class: Invalid, Err: err}
	}
	req.Header.Set("Accept", mediaType+", application/json;q=0.9")
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	req.Header.Set("User-Agent", "scimhub/"+c.opts.Version)
	if c.profile.UserAgent != "" {
		req.Header.Set("User-Agent", c.profile.UserAgent)
	}
	secrets, err := c.auth.sign(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	return req, secrets, nil
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
	out := &ClientError{Status: got.status, Detail: detailOf(got.text, got.secrets)}
	out.RetryAfter = retryAfter(got.header.Get("Retry-After"), c.opts.Now())
	switch s := got.status; {
	case s == http.StatusTooManyRequests,
		throttled(c.profile.ThrottleSignals, s, got.text):
		out.Class = Throttled
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		out.Class = Credentials
	case s == http.StatusNotFound, s == http.StatusGone:
		out.Class = Missing
	case s == http.StatusConflict, s == http.StatusPreconditionFailed:
		out.Class = Conflict
	case s == http.StatusRequestTimeout:
		out.Class = Timeout
	case s >= 500:
		out.Class = Server
	case s >= 300 && s < 400:
		out.Class, out.Detail = Garbage, "the target redirects to elsewhere; credentials are not sent there"
	default:
		out.Class = Invalid
		// Some targets answer 400 to a name that is taken.
		if strings.Contains(strings.ToLower(string(got.text)), `"uniqueness"`) {
			out.Class = Conflict
		}
	}
	return out
}

// throttled reports whether an answer is one that means "too many requests" here.
func throttled(signals []model.ThrottleSignal, status int, text []byte) bool {
	for _, s := range signals {
		if (s.Status == 0 || s.Status == status) && (s.Text == "" || bytes.Contains(text, []byte(s.Text))) {
			return true
		}
	}
	return false
}
