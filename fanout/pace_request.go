package fanout

import (
	"net/http"
	"strings"
)

// PaceRequest is what a target's pace depends on.
type PaceRequest struct {
	Kind    string // user.get, user.list, user.create, user.update, user.delete, the same of group, or other.get and so on
	Body    int    // bytes sent
	Members int    // memberships that it changes
}

// kindOf names a request as profiles do in rate.buckets.
func kindOf(method, path string) string {
	resource, one := "other", false
	for prefix, name := range map[string]string{"/Users": "user", "/Groups": "group"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
			resource, one = name, len(rest) > 1 && rest != "/.search"
		}
	}
	switch {
	case method == http.MethodGet && (one || resource == "other"):
		return resource + ".get"
	case method == http.MethodGet, strings.HasSuffix(path, "/.search"):
		return resource + ".list"
	case method == http.MethodPost:
		return resource + ".create"
	case method == http.MethodDelete:
		return resource + ".delete"
	}
	return resource + ".update"
}

// kindMatches reports whether a bucket's word stands for a kind: "user.get" itself,
// "user.*", "*.get" or "*".
func kindMatches(word, kind string) bool {
	if word == "*" || word == kind {
		return true
	}
	resource, verb, _ := strings.Cut(kind, ".")
	r, v, two := strings.Cut(word, ".")
	return two && (r == "*" || r == resource) && (v == "*" || v == verb)
}
