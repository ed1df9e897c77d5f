package fanout

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/telemetry"
)

const (
	bodyLimit      = 10 << 20 // bytes of an answer, after decompression
	groupBodyLimit = 64 << 20 // bytes of a group that is read to be written back
	requestTimeout = 30 * time.Second
	mediaType      = "application/scim+json"
	plainMediaType = "application/json"
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

	propagate bool // requests carry the trace
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
		o.Transport = targetTransport(t, p, o.Now)
	}
	c := &Client{base: baseURL(t.URL, p.BasePath), profile: p, opts: o, propagate: t.Propagate}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: stayOnHost}
	c.auth = &authenticator{auth: t.Auth, http: c.http, now: o.Now}
	return c, nil
}

// baseURL appends the profile's path unless the configured URL has it already.
func baseURL(configured, path string) string {
	base, path := strings.TrimRight(configured, "/"), strings.Trim(path, "/")
	if path == "" || strings.HasSuffix(strings.ToLower(base), "/"+strings.ToLower(path)) {
		return base
	}
	return base + "/" + path
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

func (c *Client) newRequest(ctx context.Context, r request, text []byte) (*http.Request, []string, error) {
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	}
	address := c.base + r.path
	if r.address != "" {
		address = r.address
	}
	if len(r.query) > 0 {
		// %20 rather than +: not every target reads + as a space.
		address += "?" + strings.ReplaceAll(r.query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, nil, &ClientError{Class: Invalid, Err: err}
	}
	wanted, other := mediaType, plainMediaType
	if c.profile.ContentType == plainMediaType || r.address != "" {
		wanted, other = other, wanted
	}
	req.Header.Set("Accept", wanted+", "+other+";q=0.9")
	if body != nil {
		req.Header.Set("Content-Type", wanted)
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	req.Header.Set("User-Agent", "scimhub/"+c.opts.Version)
	if c.profile.UserAgent != "" {
		req.Header.Set("User-Agent", c.profile.UserAgent)
	}
	if c.propagate && r.address == "" {
		telemetry.Outbound(ctx, req.Header)
	}
	secrets, err := c.auth.sign(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	return req, secrets, nil
}
