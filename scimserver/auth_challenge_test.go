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

// TestMeBySignedToken: the person a token was issued for is who /Me is about
// (RFC 7644 §3.11); a token of a system is about nobody.
func TestMeBySignedToken(t *testing.T) {
	t.Parallel()
	c, key := newStopped(), es256(t, "e")
	j := jwtOf("hr", newIssuer(t, key), nil)
	j.SubjectClaim, j.SubjectAttribute = "upn", "userName"
	a := newAccess(t, c, scimserver.Credentials{JWT: []scimserver.JWT{j}, Tokens: []scimserver.Token{tok("hr", "main", "x", time.Time{})}})
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.Auth = a.Authenticate })
	made := s.do(http.MethodPost, users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Ada"}`, "Authorization: Bearer x")
	if made.code != 201 {
		t.Fatal(made.code, made.raw)
	}
	me := func(upn any) answer {
		return s.do(http.MethodGet, "/Me", "", "Authorization: Bearer "+key.token(t, validClaims(c.Now(), map[string]any{"upn": upn}), nil))
	}
	if got := me("ada"); got.code != 200 || got.body["id"] != made.body["id"] {
		t.Errorf("ada: %d %s", got.code, got.raw)
	}
	for _, other := range []any{"bob", nil, `ada" or userName pr or userName eq "x`} {
		if got := me(other); got.code < 400 || got.code >= 500 && got.code != 501 {
			t.Errorf("%v: %d %s", other, got.code, got.raw)
		}
	}
}
