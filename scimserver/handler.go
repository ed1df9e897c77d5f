package scimserver

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
)

// Defaults of the Handler's limits.
const (
	DefaultMaxBody  = 1 << 20 // bytes
	DefaultMaxPage  = 200     // resources
	DefaultPageSize = 100     // resources
)

// Handler serves the SCIM endpoints of a Registry's resource types from a Backend.
// Backend, Registry and Auth are required; fields are not changed after Mount.
type Handler struct {
	Backend  Backend
	Registry *scim.Registry
	Auth     Authenticator

	// BaseURL is the absolute URL, without a final slash, that the endpoints are
	// below of, as clients see it: what meta.location begins with. Nil means
	// RequestBase("/scim/v2").
	BaseURL func(*http.Request) string

	MaxBody     int64 // largest request body, bytes; 0 means DefaultMaxBody
	MaxQuery    int   // longest query of a URL, bytes; 0 means DefaultMaxQuery
	MaxPage     int   // most resources in a page; 0 means DefaultMaxPage
	DefaultPage int   // page size without count; 0 means DefaultPageSize

	MaxBulkBody       int64 // largest body of a bulk request, bytes; 0 means DefaultMaxBulkBody
	MaxBulkOperations int   // most operations of a bulk request; 0 means DefaultMaxBulkOperations

	// BodyTimeout is how long a client may take to send a body; 0 means
	// DefaultBodyTimeout. Slow headers, idle connections and slow readers are the
	// http.Server's to limit, by its timeouts. Its MaxHeaderBytes are best left alone:
	// beyond them it answers 431 in plain text, up to them there is an Error body.
	BodyTimeout time.Duration

	// CursorKey seals the cursors of RFC 9865: CursorKeySize random bytes that all
	// replicas share. Of any other length, every Mount makes a key of its own.
	CursorKey  []byte
	CursorLife time.Duration // 0 means DefaultCursorLife

	// AuthenticationSchemes lists the ways in, for ServiceProviderConfig and for
	// WWW-Authenticate. Nil means bearer tokens alone.
	AuthenticationSchemes func() []Scheme

	// PatchNoContent answers every PATCH that asks for no attributes with 204
	// instead of 200 and the resource (RFC 7644 §3.5.2 allows both).
	PatchNoContent bool

	// NoPatch answers PATCH with 501 and says so in ServiceProviderConfig
	// (RFC 7644 §3.5 makes only PUT obligatory).
	NoPatch bool

	// NoBulk answers /Bulk with 501; NoSort ignores sortBy, NoCursor ignores cursor
	// (RFC 7644 §3.4.2). ServiceProviderConfig says so.
	NoBulk, NoSort, NoCursor bool

	// StoresPasswords says whether User.password is kept, so that
	// ServiceProviderConfig can tell the truth about changePassword.
	StoresPasswords bool

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil means time.Now

	// Observe, if set, is told of every request. All arguments are bounded:
	// source is a configured name or "", method an HTTP method or "other",
	// resource the name of a resource type, a discovery endpoint or "other".
	Observe func(source, method, resource string, code int, d time.Duration)

	// Refused, if set, is told of every refusal: answers 401, 403, 409, 412, 413 and
	// 429, and any 4xx to a write, of operations inside a bulk request too; a search
	// by POST is no write. It must return quickly.
	Refused func(ctx context.Context, r Refusal)

	cursors *sealer
}

// Refusal is a request that was not carried out because of who sent it or what was
// in it, as an audit may keep it: nothing in it comes from the query or from a
// credential.
type Refusal struct {
	Source string // of the client; empty where nobody was authenticated
	Name   string // of the client's credential; empty like Source
	Remote string // address of the other side of the connection, without its port

	Method   string // an HTTP method or "other"
	Resource string // as for Observe
	Path     string // of the URL, or of an operation in a bulk request; shortened

	Status int    // HTTP status
	Type   string // scimType, may be empty
	Detail string // as the client was told; it may quote what the client sent
}

// FixedBase is a BaseURL that does not depend on the request: the public URL of
// the service, with the path of the SCIM endpoints.
func FixedBase(url string) func(*http.Request) string {
	url = strings.TrimRight(url, "/")
	return func(*http.Request) string { return url }
}

// RequestBase is a BaseURL made of the host that the client asked and the path
// prefix. For services that do not know their public name.
func RequestBase(prefix string) func(*http.Request) string {
	prefix = strings.TrimRight(prefix, "/")
	return func(r *http.Request) string {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		return scheme + "://" + r.Host + prefix
	}
}

// Mount adds the endpoints to r, a router (usually a subrouter) that is already at
// the prefix, such as /scim/v2. Everything below it is answered here, so that
// unknown paths get an Error body too. A root router should have SkipClean set,
// or gorilla/mux answers double slashes with an HTML redirect.
func (h *Handler) Mount(r *mux.Router) {
	h = h.withDefaults()
	route := func(path, resource string, methods methods) *endpoint {
		e := &endpoint{handler: h, resource: resource, methods: methods, allow: methods.allow()}
		if path == "" { // gorilla/mux wants a path to begin with a slash, or to be none
			r.Handle("", e)
			r.Handle("/", e)
			return e
		}
		r.Handle(path+"{slash:/?}", e)
		return e
	}
	all := h.Registry.Types
	for _, t := range all {
		route(t.Endpoint, t.Name, methods{http.MethodGet: list(t.Endpoint, t), http.MethodPost: create(t)})
		route(t.Endpoint+"/.search", t.Name, methods{http.MethodPost: searchByPost(t.Endpoint, t)})
		route(t.Endpoint+"/{id:[^/]+}", t.Name, h.one(t))
	}
	h.mountDiscovery(route)
	route("/Me", "User", h.me())
	jobs := bulk(h.Registry)
	if h.NoBulk {
		jobs = notImplemented("bulk requests")
	}
	route("/Bulk", "Bulk", methods{http.MethodPost: jobs})
	route("/.search", "other", methods{http.MethodPost: searchByPost("", all...)})
	route("", "other", methods{http.MethodGet: list("", all...)})
	r.PathPrefix("/").Handler(&endpoint{handler: h, resource: "other", methods: everyMethod(unknownPath)})
}

func (h *Handler) withDefaults() *Handler {
	c := *h
	if c.BaseURL == nil {
		c.BaseURL = RequestBase("/scim/v2")
	}
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxPage <= 0 {
		c.MaxPage = DefaultMaxPage
	}
	if c.DefaultPage <= 0 {
		c.DefaultPage = DefaultPageSize
	}
	c.DefaultPage = min(c.DefaultPage, c.MaxPage)
	c.MaxQuery = cmp.Or(max(0, c.MaxQuery), DefaultMaxQuery)
	c.MaxBulkBody = cmp.Or(max(0, c.MaxBulkBody), DefaultMaxBulkBody)
	c.MaxBulkOperations = cmp.Or(max(0, c.MaxBulkOperations), DefaultMaxBulkOperations)
	c.BodyTimeout = cmp.Or(max(0, c.BodyTimeout), DefaultBodyTimeout)
	if c.AuthenticationSchemes == nil {
		c.AuthenticationSchemes = bearerOnly
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.cursors = newSealer(c.CursorKey, cmp.Or(max(0, c.CursorLife), DefaultCursorLife), c.Now)
	return &c
}
