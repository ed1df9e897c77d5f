package main

import (
	"net/http"
	"strings"
)

// answerPolicy is the Content-Security-Policy of what is no page: should a browser show
// it as one all the same, it loads and runs nothing. Pages say what they need themselves.
const answerPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// hstsYear tells browsers to come over HTTPS alone, for a year (RFC 6797).
const hstsYear = "max-age=31536000"

// withHeaders gives every answer what protects whoever looks at it in a browser. What a
// front sets itself stands.
func (i *instance) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", answerPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if s := i.hub.Snapshot(); s != nil && strings.HasPrefix(s.Doc.PublicURL, "https://") {
			h.Set("Strict-Transport-Security", hstsYear)
		}
		next.ServeHTTP(w, r)
	})
}
