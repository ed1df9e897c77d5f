// Package proxy lets clients that speak plain SCIM 2.0 (RFC 7644) work with a target
// through the hub, whatever dialect the target speaks: a service provider whose
// resources are those of the target, asked with the hub's credential, at the target's
// pace, within a policy, and with every write in the audit trail.
//
// Nothing is kept here: what a client asks for is read from the target while it is
// written out, one resource at a time.
package proxy

import (
	"context"
	"hash/fnv"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// Prefix is what addresses of the proxy begin with; the target's name and /scim/v2
// follow.
const Prefix = "/proxy/"

const scimPath = "/scim/v2"

// Proxy serves all targets. Its fields are set before the first request.
type Proxy struct {
	Store *store.Store
	Log   *slog.Logger
	Now   func() time.Time
	// Remote is a target by its name.
	Remote func(name string) (fanout.Remote, error)
	// Authenticate says who asks at a target. Its errors are model.Unauthorized,
	// Forbidden and Unavailable.
	Authenticate func(r *http.Request, target string) (Caller, error)
	// Base is the hub's public URL without a final slash.
	Base    func(*http.Request) string
	Metrics *Metrics

	writing [64]sync.Mutex // by a hash of the resource's id
	mu      sync.Mutex
	serving map[string]http.Handler // by target
}

// Metrics are the proxy's. A nil *Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_proxy_requests_total",
			Help: "Requests passed on to targets by target, method, resource and status."}, []string{"target", "method", "resource", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scimhub_proxy_request_seconds",
			Help: "Duration of requests passed on to targets.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14)}, []string{"target", "method"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Forget drops the series that have a label with this value: of a target that is no
// longer configured.
func (m *Metrics) Forget(label, name string) {
	if m != nil {
		m.requests.DeletePartialMatch(prometheus.Labels{label: name})
		m.seconds.DeletePartialMatch(prometheus.Labels{label: name})
	}
}

func (m *Metrics) observe(target, method, resource string, code int, d time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(target, method, resource, statusText(code)).Inc()
	m.seconds.WithLabelValues(target, method).Observe(d.Seconds())
}

func statusText(code int) string {
	if code < 100 || code > 599 {
		return "other"
	}
	return string([]byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)})
}

// alone keeps other changes of a resource from coming between reading it and writing
// it, as far as they come through this process.
func (p *Proxy) alone(id string) (done func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	m := &p.writing[h.Sum32()%uint32(len(p.writing))]
	m.Lock()
	return m.Unlock
}

type callerKey struct{}

// asking is who asks, or why they may not.
type asking struct {
	caller Caller
	err    error
}

// ServeHTTP serves one request to one target.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	caller, err := p.Authenticate(r, target)
	if err == nil {
		// Only who may come in is told whether there is such a target.
		_, err = p.Remote(target)
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, asking{caller, err}))
	p.handler(target, err == nil).ServeHTTP(w, r)
}

// handler is the service provider of a target. Those of targets that exist are kept.
func (p *Proxy) handler(target string, keep bool) http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.serving[target]; h != nil {
		return h
	}
	name := target
	if !keep {
		name = "" // no label for what does not exist
	}
	base := Prefix + target + scimPath
	h := &scimserver.Handler{Backend: asked{p, target}, Registry: scim.DefaultRegistry(), Auth: authenticated, Log: p.Log, Now: p.Now,
		BaseURL: func(r *http.Request) string { return p.Base(r) + base }, NoBulk: true, NoSort: true, NoCursor: true,
		Observe: func(_, method, resource string, code int, d time.Duration) {
			p.Metrics.observe(name, method, resource, code, d)
		}}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	h.Mount(root.PathPrefix(base).Subrouter())
	if keep {
		if p.serving == nil {
			p.serving = map[string]http.Handler{}
		}
		p.serving[target] = root
	}
	return root
}

// authenticated tells the service provider what ServeHTTP found out.
func authenticated(r *http.Request) (scimserver.Client, error) {
	a, _ := r.Context().Value(callerKey{}).(asking)
	switch {
	case a.err == nil && a.caller.Name == "":
		return scimserver.Client{}, scimserver.Unauthorized("a token is needed")
	case a.err == nil:
		d, _ := scim.DialectNamed("rfc")
		return scimserver.Client{Source: "proxy", Name: a.caller.Name, Dialect: d}, nil
	}
	message := ""
	if e, ok := modelError(a.err); ok {
		message = e.Message
	}
	switch model.CodeOf(a.err) {
	case model.Unauthorized:
		return scimserver.Client{}, scimserver.Unauthorized(message)
	case model.Forbidden:
		return scimserver.Client{}, scim.Errorf(http.StatusForbidden, "", "%s", message)
	case model.NotFound:
		return scimserver.Client{}, scim.Errorf(http.StatusNotFound, "", "%s", message)
	case model.Unavailable:
		return scimserver.Client{}, scim.Errorf(http.StatusServiceUnavailable, "", "%s", message)
	}
	return scimserver.Client{}, a.err
}

// asked is the Backend of a target: each call is one of who asks.
type asked struct {
	proxy  *Proxy
	target string
}

var _ scimserver.Backend = asked{}

func (a asked) backend(ctx context.Context) (backend, error) {
	remote, err := a.proxy.Remote(a.target)
	if err != nil {
		return backend{}, scim.Errorf(http.StatusServiceUnavailable, "", "the target cannot be asked at the moment")
	}
	who, _ := ctx.Value(callerKey{}).(asking)
	return backend{proxy: a.proxy, remote: remote, caller: who.caller}, nil
}

// Get implements scimserver.Backend.
func (a asked) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	b, err := a.backend(ctx)
	if err != nil {
		return scim.Resource{}, err
	}
	return b.Get(ctx, t, id, want)
}

// List implements scimserver.Backend.
func (a asked) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	b, err := a.backend(ctx)
	if err != nil {
		return scim.Page{}, err
	}
	return b.List(ctx, t, q)
}

// Create implements scimserver.Backend.
func (a asked) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	b, err := a.backend(ctx)
	if err != nil {
		return scim.Resource{}, err
	}
	return b.Create(ctx, t, attrs)
}

// Modify implements scimserver.Backend.
func (a asked) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	b, err := a.backend(ctx)
	if err != nil {
		return scim.Resource{}, err
	}
	return b.Modify(ctx, t, id, pre, c, want)
}

// Delete implements scimserver.Backend.
func (a asked) Delete(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	b, err := a.backend(ctx)
	if err != nil {
		return err
	}
	return b.Delete(ctx, t, id, pre)
}
