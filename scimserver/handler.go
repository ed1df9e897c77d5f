package scimserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
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
	MaxPage     int   // most resources in a page; 0 means DefaultMaxPage
	DefaultPage int   // page size without count; 0 means DefaultPageSize

	// PatchNoContent answers every PATCH that asks for no attributes with 204
	// instead of 200 and the resource (RFC 7644 §3.5.2 allows both).
	PatchNoContent bool

	// NoPatch answers PATCH with 501 and says so in ServiceProviderConfig
	// (RFC 7644 §3.5 makes only PUT obligatory).
	NoPatch bool

	// StoresPasswords says whether User.password is kept, so that
	// ServiceProviderConfig can tell the truth about changePassword.
	StoresPasswords bool

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil means time.Now

	// Observe, if set, is told of every request. All arguments are bounded:
	// source is a configured name or "", method an HTTP method or "other",
	// resource the name of a resource type, a discovery endpoint or "other".
	Observe func(source, method, resource string, code int, d time.Duration)
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
	for _, t := range h.Registry.Types {
		route(t.Endpoint, t.Name, methods{http.MethodGet: list(t), http.MethodPost: create(t)})
		route(t.Endpoint+"/.search", t.Name, methods{http.MethodPost: notImplemented("queries by POST")})
		one := methods{http.MethodGet: get(t), http.MethodPut: put(t), http.MethodPatch: patch(t), http.MethodDelete: remove(t)}
		if h.NoPatch {
			one[http.MethodPatch] = notImplemented("PATCH")
		}
		route(t.Endpoint+"/{id:[^/]+}", t.Name, one)
	}
	h.mountDiscovery(route)
	route("/Me", "other", everyMethod(notImplemented("the /Me alias")))
	route("/Bulk", "other", methods{http.MethodPost: notImplemented("bulk operations")})
	route("/.search", "other", methods{http.MethodPost: notImplemented("queries by POST")})
	route("", "other", methods{http.MethodGet: notImplemented("queries over all resource types")})
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
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &c
}

// action answers one method of one endpoint.
type action func(x *exchange) (reply, error)

type methods map[string]action

// anyMethod is the key of an action for whatever method has none of its own.
const anyMethod = "*"

func everyMethod(a action) methods { return methods{anyMethod: a} }

// allow is the text of the Allow header (RFC 9110 §10.2.1).
func (m methods) allow() string {
	var names []string
	for name := range m {
		names = append(names, name)
		if name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// endpoint is one path with its methods.
type endpoint struct {
	handler   *Handler
	resource  string
	methods   methods
	allow     string
	anonymous bool // needs no credentials
}

// exchange is one request on its way through.
type exchange struct {
	*Handler
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	client Client
	base   string
}

// ServeHTTP answers a request; whatever happens, the answer is SCIM.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := e.handler
	start := h.Now()
	x := &exchange{Handler: h, ctx: r.Context(), w: w, r: r, base: h.BaseURL(r)}
	rep, err := e.answer(x)
	if err != nil {
		rep = x.failure(err)
	}
	code := x.write(rep)
	if h.Observe != nil {
		h.Observe(x.client.Source, boundedMethod(r.Method), e.resource, code, h.Now().Sub(start))
	}
}

// answer authenticates and runs the action. A panic in it becomes an error; the
// server's own way to drop a connection passes through.
func (e *endpoint) answer(x *exchange) (rep reply, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			panic(p)
		}
		err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}()
	if !e.anonymous {
		client, err := x.Auth(x.r)
		if err != nil {
			return reply{}, err
		}
		x.client = client
		x.ctx = WithClient(x.ctx, client)
	}
	method := x.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	act, ok := e.methods[method]
	if !ok {
		act, ok = e.methods[anyMethod]
	}
	if !ok {
		return x.failure(scim.Errorf(http.StatusMethodNotAllowed, "", "%s is not possible here; possible: %s", boundedMethod(x.r.Method), e.allow)).
			with("Allow", e.allow), nil
	}
	return act(x)
}

func notImplemented(what string) action {
	return func(*exchange) (reply, error) {
		return reply{}, scim.Errorf(http.StatusNotImplemented, "", "this service does not offer %s", what)
	}
}

func unknownPath(x *exchange) (reply, error) {
	return reply{}, scim.Errorf(http.StatusNotFound, "", "there is nothing at %q", clip(x.r.URL.Path))
}

// boundedMethod keeps metrics and messages free of whatever a client invents.
func boundedMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
