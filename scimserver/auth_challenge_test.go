package scimserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/scimserver"
)

// TestChallenge: a 401 names every scheme there is (RFC 7644 §2), as the
// ServiceProviderConfig does.
func TestChallenge(t *testing.T) {
	t.Parallel()
	c := newStopped()
	creds := scimserver.Credentials{Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}, Basic: []scimserver.Basic{basicOf("hr", "l", "u", "p", time.Time{})}}
	a := newAccess(t, c, creds)
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.Auth, h.AuthenticationSchemes = a.Authenticate, a.Schemes
	})
	got := s.do(http.MethodGet, users, "", "Authorization: ")
	const basic = `, Basic realm="scim", charset="UTF-8"`
	if h := got.header.Get("WWW-Authenticate"); got.code != 401 || h != `Bearer realm="scim"`+basic {
		t.Errorf("%d %q", got.code, h)
	}
	got = s.do(http.MethodGet, users, "", "Authorization: Bearer wrong")
	if h := got.header.Get("WWW-Authenticate"); got.code != 401 || h != `Bearer realm="scim", error="invalid_token"`+basic {
		t.Errorf("%d %q", got.code, h)
	}
	for _, header := range []string{"Bearer x", basicHeader("u", "p")} {
		if got := s.do(http.MethodGet, users, "", "Authorization: "+header); got.code != 200 {
			t.Errorf("%s: %d %s", header, got.code, got.raw)
		}
	}
	got = s.do(http.MethodGet, "/ServiceProviderConfig", "", "Authorization: ")
	if !strings.Contains(got.raw, `"type":"httpbasic"`) || !strings.Contains(got.raw, `"type":"oauthbearertoken"`) {
		t.Errorf("ServiceProviderConfig: %s", got.raw)
	}
}
