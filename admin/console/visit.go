package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/model"
)

// maxForm limits what a form sends, bytes: a configuration is the largest.
const maxForm = 9 << 20

// Visit is one request of somebody who is signed in.
type Visit struct {
	Caller admin.Caller
	// Form is what was sent: of an action, or of one that failed just now, so that a
	// page can show again what somebody has typed. It is never nil.
	Form url.Values

	console *Console
	request *http.Request
	fault   string // of the action that failed
	seq     int64  // how far the hub had come when it began
}

// Var is a part of the address.
func (v *Visit) Var(name string) string {
	text, err := url.PathUnescape(mux.Vars(v.request)[name])
	if err != nil {
		return ""
	}
	return text
}

// Query is a parameter of the address.
func (v *Visit) Query(name string) string { return v.request.URL.Query().Get(name) }

// Context ends with the request.
func (v *Visit) Context() context.Context { return v.request.Context() }

// Get asks the API and decodes the answer. parts are put into the path, escaped, in the
// place of each %s.
func (v *Visit) Get(out any, path string, parts ...any) error {
	return v.Do(http.MethodGet, nil, out, path, parts...)
}

// Post sends something to the API. The form's key, where it has one, keeps the same
// thing from being done twice.
func (v *Visit) Post(in, out any, path string, parts ...any) error {
	return v.Do(http.MethodPost, in, out, path, parts...)
}

// Do sends a request to the API. An error answer is a *model.Error with its code and its
// words.
func (v *Visit) Do(method string, in, out any, path string, parts ...any) error {
	res, err := v.send(method, in, path, parts...)
	if err != nil {
		return err
	}
	if res.status >= http.StatusBadRequest {
		return res.problem()
	}
	if out == nil || res.body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(res.body.Bytes(), out); err != nil {
		return fmt.Errorf("the answer of %s %s cannot be read: %w", method, path, err)
	}
	return nil
}

func (v *Visit) send(method string, in any, path string, parts ...any) (*answer, error) {
	escaped := make([]any, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(fmt.Sprint(p))
	}
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	if len(escaped) > 0 {
		path = fmt.Sprintf(path, escaped...)
	}
	ctx := admin.WithCaller(v.Context(), v.Caller)
	req, err := http.NewRequestWithContext(ctx, method, "/api/v1"+path, body)
	if err != nil {
		return nil, model.Fail(model.Invalid, "the address cannot be read", err)
	}
	req.RemoteAddr, req.Host = v.request.RemoteAddr, v.request.Host
	req.Header.Set("Content-Type", "application/json")
	if key := v.Form.Get("key"); key != "" && method == http.MethodPost {
		req.Header.Set("Idempotency-Key", key)
	}
	res := &answer{header: http.Header{}, status: http.StatusOK}
	v.console.API.ServeHTTP(res, req)
	return res, nil
}

// answer takes what the API answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// problem is the error that the API told.
func (a *answer) problem() error {
	var p admin.Problem
	if err := json.Unmarshal(a.body.Bytes(), &p); err != nil || p.Code == "" {
		return fmt.Errorf("the API answered %d: %.200s", a.status, a.body.String())
	}
	text := p.Detail
	if len(p.Faults) > 0 {
		text = strings.Join(p.Faults, "\n")
	}
	return &problemError{model.Fail(p.Code, text, nil), p.Status}
}

// problemError is an error with the API's status, which says more than its code.
type problemError struct {
	error
	status int
}

// Unwrap is the error itself.
func (e *problemError) Unwrap() error { return e.error }

// Query builds an address of the console or the API with parameters: pairs of names and
// values, of which empty ones are left out.
func Query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Again is the present address with other parameters: pairs of names and values, an
// empty value takes a parameter away.
func (v *Visit) Again(pairs ...string) string {
	q := maps.Clone(v.request.URL.Query())
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return v.request.URL.EscapedPath()
	}
	return v.request.URL.EscapedPath() + "?" + q.Encode()
}
