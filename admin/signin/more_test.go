package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// stopAt has a browser stop before it follows a redirect to a path.
func stopAt(path string) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, path) {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

func parsed(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
