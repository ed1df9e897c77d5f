package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"golang.org/x/time/rate"

	"github.com/scimhub/scimhub/scimserver"
)

// writeBuckets makes the profile's limits on writes to users, one for each kind of
// write.
func writeBuckets(p Profile) map[string]*rate.Limiter {
	if p.UserWritesPerMinute <= 0 {
		return nil
	}
	limit, burst := rate.Limit(float64(p.UserWritesPerMinute)/60), max(1, p.UserWriteBurst)
	change := rate.NewLimiter(limit, burst)
	return map[string]*rate.Limiter{
		http.MethodPost: rate.NewLimiter(limit, burst), http.MethodPut: change,
		http.MethodPatch: change, http.MethodDelete: rate.NewLimiter(limit, burst),
	}
}

// manners lays the profile's habits that concern HTTP over the SCIM endpoints.
func (a *App) manners(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.profile.RequireUserAgent && r.UserAgent() == "" {
			writeError(w, http.StatusForbidden, "requests need a User-Agent header", 0)
			return
		}
		limiter := a.buckets[r.Method]
		if limiter != nil && strings.HasPrefix(r.URL.Path, Prefix+"/Users") && overRate(w, limiter, a.now()) {
			return
		}
		if a.profile.OneAttributePerOp && r.Method == http.MethodPatch && manyAttributesPerOp(r) {
			writeError(w, http.StatusBadRequest, "an operation without path may name one attribute", 0)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// manyAttributesPerOp reports whether a PATCH holds an operation without path that
// names several attributes. The body is left as it was; one that cannot be read is
// left to those who come after.
func manyAttributesPerOp(r *http.Request) bool {
	text, err := io.ReadAll(io.LimitReader(r.Body, scimserver.DefaultMaxBody))
	r.Body = &rest{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
	if err != nil {
		return false
	}
	var patch struct {
		Operations []struct {
			Path  string
			Value json.RawMessage
		}
	}
	if json.Unmarshal(text, &patch) != nil {
		return false
	}
	for _, op := range patch.Operations {
		var attributes map[string]json.RawMessage
		if op.Path == "" && json.Unmarshal(op.Value, &attributes) == nil && len(attributes) > 1 {
			return true
		}
	}
	return false
}

// rest is a body part of which has been read.
type rest struct {
	io.Reader
	io.Closer
}
