package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// etagOf is a strong entity tag (RFC 9110 §8.8.3): another one wherever one byte of the
// representation is another.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}

// ifNoneMatch tags what was read, and does not send again what the client has.
func ifNoneMatch(r *http.Request, out answer) answer {
	if r.Method != http.MethodGet || out.status != http.StatusOK || out.kind != kindJSON {
		return out
	}
	tag := etagOf(out.body)
	header := out.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("ETag", tag)
	out.header = header
	if names(r.Header.Values("If-None-Match"), tag, true) {
		return answer{status: http.StatusNotModified, header: header}
	}
	return out
}

// names reports whether a list of entity tags has one. A weak one is the same only for
// whoever compares weakly (RFC 9110 §8.8.3.2).
func names(headers []string, tag string, weakly bool) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			one = strings.TrimSpace(one)
			if weakly {
				one = strings.TrimPrefix(one, "W/")
			}
			if one == "*" || one == tag {
				return true
			}
		}
	}
	return false
}

// thingOf is the route that shows what a route changes: at its own address, or at the
// one that it is an action of. Nil: nothing that has a state of its own.
func thingOf(rt route, shown map[string]route) *route {
	if rt.method == http.MethodGet {
		return nil
	}
	parent := rt.path[:strings.LastIndexByte(rt.path, '/')]
	for _, path := range []string{rt.path, parent} {
		if found, ok := shown[path]; ok {
			if _, listing := found.about.out.(listing); !listing {
				return &found
			}
		}
	}
	return nil
}

type versionKey struct{}

// ifMatch refuses to change what is not any more as the client has seen it (RFC 9110
// §13.1.1). The version that it has now, if it counts them, goes on with the request, so
// that a change in between is refused, too.
func (a *API) ifMatch(r *http.Request, thing *route, caller Caller) (*http.Request, error) {
	tags := r.Header.Values("If-Match")
	if len(tags) == 0 || r.Method == http.MethodGet {
		return r, nil
	}
	if thing == nil {
		return r, model.Fail(model.Invalid, "If-Match: there is nothing at this address that could be compared", nil)
	}
	if err := thing.allowed(caller, r); err != nil {
		return r, err
	}
	look := r.Clone(r.Context())
	look.Method, look.Body, look.ContentLength, look.URL.RawQuery = http.MethodGet, io.NopCloser(strings.NewReader("")), 0, ""
	out, err := thing.serve(look, caller)
	if err != nil {
		return r, err
	}
	body, err := json.Marshal(out)
	if err != nil {
		return r, err
	}
	if tag := etagOf(body); !names(tags, tag, false) {
		return r, model.Fail(model.Conflict, "this has changed since you looked at it (If-Match): look at it again", &statusError{http.StatusPreconditionFailed})
	}
	var counted struct {
		Version int64 `json:"version"`
	}
	if json.Unmarshal(body, &counted) == nil && counted.Version != 0 { // else it counts none
		r = r.WithContext(context.WithValue(r.Context(), versionKey{}, counted.Version))
	}
	return r, nil
}

// expectedVersion is the version that a change is meant for: what the body says, or else
// what If-Match stands for; 0: any.
func expectedVersion(r *http.Request, said int64) int64 {
	if v, ok := r.Context().Value(versionKey{}).(int64); ok && said == 0 {
		return v
	}
	return said
}
