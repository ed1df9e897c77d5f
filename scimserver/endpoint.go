package scimserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model/scim"
)

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
	method string // of the request, or what it is overridden with
	client Client
	base   string
	asks   bool   // a POST that only reads
	target string // id of the resource, where the URL does not name it
}

// ServeHTTP answers a request; whatever happens, the answer is SCIM.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := e.handler
	start := h.Now()
	x := &exchange{Handler: h, ctx: r.Context(), w: w, r: r, method: r.Method, base: h.BaseURL(r)}
	var rep reply
	err := guard(func() (err error) {
		rep, err = e.answer(x)
		return err
	})
	if err != nil {
		rep = x.failure(err)
	}
	code, whole := x.write(rep)
	if body, ok := rep.body.(errorBody); ok {
		x.refused(x.method, e.resource, r.URL.Path, code, body)
	}
	if h.Observe != nil {
		h.Observe(x.client.Source, boundedMethod(x.method), e.resource, code, h.Now().Sub(start))
	}
	if !whole {
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
}

// guard turns a panic of f into an error, so that it costs one request; the server's
// own way to drop a connection passes through.
func guard(f func() error) (err error) {
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
	return f()
}

// answer authenticates and runs the action.
func (e *endpoint) answer(x *exchange) (reply, error) {
	if !e.anonymous {
		client, err := x.Auth(x.r)
		x.client = client // somebody known may be refused, too
		if err != nil {
			return reply{}, err
		}
		x.ctx = WithClient(x.ctx, client)
		if err := x.tolerate(); err != nil {
			return reply{}, err
		}
	}
	method := x.method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	act, ok := e.methods[method]
	if !ok {
		act, ok = e.methods[anyMethod]
	}
	if !ok {
		return x.failure(scim.Errorf(http.StatusMethodNotAllowed, "", "%s is not possible here; possible: %s", boundedMethod(x.method), e.allow)).
			with("Allow", e.allow), nil
	}
	return act(x)
}

// refused tells the operator's hook of an answer that it wants to know of.
func (x *exchange) refused(method, resource, path string, code int, body errorBody) {
	if x.Refused == nil || !isRefusal(method != http.MethodGet && method != http.MethodHead && !x.asks, code) {
		return
	}
	remote, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		remote = clip(x.r.RemoteAddr)
	}
	x.Refused(x.ctx, Refusal{Source: x.client.Source, Name: x.client.Name, Remote: remote,
		Method: boundedMethod(method), Resource: resource, Path: clip(path), Status: code, Type: body.Type, Detail: body.Detail})
}

func isRefusal(write bool, code int) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return write && code >= 400 && code < 500
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
