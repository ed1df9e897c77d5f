package scimserver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// mediaType is exactly what answers carry; strict clients refuse parameters.
const mediaType = "application/scim+json"

// Retry wraps an error whose cause will pass: the answer carries Retry-After.
type Retry struct {
	After time.Duration // rounded up to whole seconds, at least one
	Err   error         // usually a *scim.Error with status 429 or 503
}

// Error renders the wrapped error.
func (e *Retry) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Retry) Unwrap() error { return e.Err }

// Seconds is the value of the Retry-After header (RFC 9110 §10.2.3).
func (e *Retry) Seconds() int {
	return max(1, int((e.After+time.Second-1)/time.Second))
}

// reply is an answer before it is encoded. A nil body sends none.
type reply struct {
	status int
	header [][2]string
	body   any
}

func (r reply) with(name, value string) reply {
	r.header = append(r.header, [2]string{name, value})
	return r
}

// errorBody is the Error message of RFC 7644 §3.12; status is a string.
type errorBody struct {
	Schemas []string `json:"schemas"`
	Status  string   `json:"status"`
	Type    string   `json:"scimType,omitempty"`
	Detail  string   `json:"detail"`
}

// WriteError answers a request with an Error body, for what lies outside of a
// Handler: another version of the protocol, say.
func WriteError(w http.ResponseWriter, e *scim.Error) {
	body, _ := appendJSON(nil, bodyOf(e)) // strings only: cannot fail
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}

func bodyOf(e *scim.Error) errorBody {
	return errorBody{Schemas: []string{scim.URNError}, Status: strconv.Itoa(e.Status), Type: e.Type, Detail: shortened(e.Detail)}
}

// failure turns an error into its answer. Only a *scim.Error's Detail is shown to
// the client; anything else is told to the operator alone.
func (x *exchange) failure(err error) reply {
	e := x.classify(err)
	rep := reply{status: e.Status, body: bodyOf(e)}
	if e.Status == http.StatusUnauthorized {
		rep = rep.with("WWW-Authenticate", strings.Join(x.challenge(), ", "))
	}
	if retry, ok := errors.AsType[*Retry](err); ok {
		rep = rep.with("Retry-After", strconv.Itoa(retry.Seconds()))
	}
	return rep
}

// maxDetail is in bytes; what a client sent may be quoted in it.
const maxDetail = 1000

func shortened(detail string) string {
	if len(detail) <= maxDetail {
		return detail
	}
	return strings.ToValidUTF8(detail[:maxDetail], "") + "…"
}

func (x *exchange) classify(err error) *scim.Error {
	var tooBig *http.MaxBytesError
	e, ok := scim.AsError(err)
	switch {
	case ok && e.Status >= 400 && e.Status < 600:
		if e.Status >= 500 && e.Status != http.StatusNotImplemented {
			x.report(err, e.Status)
		}
		if e.Detail == "" {
			c := *e
			c.Detail = http.StatusText(e.Status)
			return &c
		}
		return e
	case errors.As(err, &tooBig):
		return scim.Errorf(http.StatusRequestEntityTooLarge, "", "the body is larger than the %d bytes this service accepts", tooBig.Limit)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		x.report(err, http.StatusServiceUnavailable)
		return scim.Errorf(http.StatusServiceUnavailable, "", "the request could not be finished in time")
	}
	x.report(err, http.StatusInternalServerError)
	return scim.Errorf(http.StatusInternalServerError, "", "something went wrong here; the operator finds the cause in the log")
}

// report tells the operator. The query is left out: filters hold personal data. What
// ended because the client went away is no failure of this service.
func (x *exchange) report(err error, status int) {
	if errors.Is(x.r.Context().Err(), context.Canceled) {
		x.Log.LogAttrs(x.ctx, slog.LevelInfo, "scim request given up by its client",
			slog.String("source", x.client.Source), slog.String("method", boundedMethod(x.method)),
			slog.String("path", x.r.URL.Path), slog.Int("status", status), slog.Any("error", err))
		return
	}
	x.Log.LogAttrs(x.ctx, slog.LevelError, "scim request failed",
		slog.String("source", x.client.Source), slog.String("method", boundedMethod(x.method)),
		slog.String("path", x.r.URL.Path), slog.Int("status", status), slog.Any("error", err))
}

// challenge lists the ways in (RFC 7644 §2): a WWW-Authenticate value each, those
// with a name of their own in HTTP (RFC 6750 §3, RFC 7617).
func (x *exchange) challenge() []string {
	bearer := `Bearer realm="scim"`
	if x.r.Header.Get("Authorization") != "" {
		bearer += `, error="invalid_token"`
	}
	out := []string{bearer}
	for _, s := range x.AuthenticationSchemes() {
		if s.Type == "httpbasic" {
			out = append(out, `Basic realm="scim", charset="UTF-8"`)
		}
	}
	return out
}
