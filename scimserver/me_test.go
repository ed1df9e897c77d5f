package scimserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// acting makes the client act for the user that the header X-Subject names, as
// "attribute=value".
func acting(h *scimserver.Handler) {
	auth := h.Auth
	h.Auth = func(r *http.Request) (scimserver.Client, error) {
		c, err := auth(r)
		if attribute, value, ok := strings.Cut(r.Header.Get("X-Subject"), "="); ok {
			c.Subject = &scimserver.Subject{Attribute: attribute, Value: value}
		}
		return c, err
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", acting)
	s.addUser("other")
	s.do("POST", users, `{`+coreUser+`,"userName":"Mira","externalId":"E-7","emails":[{"value":"m@x.test"}]}`).want(201, "")
	const me = "X-Subject: userName=MIRA"
	check := func(a answer) answer {
		t.Helper()
		if got := a.header.Get("Location"); got != s.base+"/Users/id-2" {
			t.Errorf("%s: Location %q", a.what, got)
		}
		return a
	}
	for _, subject := range []string{me, "X-Subject: externalId=E-7", "X-Subject: emails.value=m@x.test", "X-Subject: id=id-2"} {
		a := check(s.do("GET", "/Me", "", subject).want(200, `{"id":"id-2","userName":"Mira","meta":{"location":"`+s.base+`/Users/id-2"}}`))
		if a.header.Get("Content-Location") != s.base+"/Users/id-2" || a.header.Get("Etag") != `W/"1"` {
			t.Errorf("headers %v", a.header)
		}
	}
	check(s.do("HEAD", "/Me/", "", me).want(200, ""))
	check(s.do("GET", "/Me?attributes=emails", "", me).want(200, `{"userName":null}`))
	check(s.do("GET", "/Me", "", me, `If-None-Match: W/"1"`).want(304, ""))
	check(s.do("PATCH", "/Me", patchOp(`{"op":"replace","path":"title","value":"Dr"}`), me).want(200, `{"title":"Dr"}`))
	s.do("PUT", "/Me", `{`+coreUser+`,"userName":"mira"}`, me, `If-Match: W/"1"`).refused(412, "", "")
	check(s.do("PUT", "/Me", `{`+coreUser+`,"userName":"mira"}`, me).want(200, `{"title":null}`))
	s.do("POST", "/Me", `{`+coreUser+`,"userName":"new"}`, me).refused(501, "", "/Me")
	for _, subject := range []string{"X-Subject: ", "X-Subject: userName=nobody", "X-Subject: userName=", "X-Subject: externalId=e-7"} {
		s.do("GET", "/Me", "", subject).refused(501, "", "/Me")
		s.do("DELETE", "/Me", "", subject).refused(501, "", "/Me")
	}
	s.do("GET", "/Me", "", "X-Subject: active=true").refused(500, "", "")
	s.do("GET", "/Me", "", "X-Subject: no such=x").refused(500, "", "")
	check(s.do("DELETE", "/Me", "", me).want(204, ""))
	s.do("GET", "/Me", "", me).refused(501, "", "")
	s.do("GET", users, "").want(200, `{"totalResults":1}`)
}

// TestMeIsNobodyElse: where two have the value, the client is neither.
func TestMeIsNobodyElse(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", acting)
	s.do("POST", users, `{`+coreUser+`,"userName":"a","externalId":"1"}`).want(201, "")
	s.do("POST", users, `{`+coreUser+`,"userName":"b","externalId":"1"}`).want(201, "")
	s.do("GET", "/Me", "", "X-Subject: externalId=1").refused(501, "", "")
	// A registry without users has no /Me.
	reg, err := scim.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	none := serve(t, "rfc", acting, func(h *scimserver.Handler) { h.Registry = reg })
	none.do("GET", "/Me", "", "X-Subject: userName=a").refused(501, "", "")
	none.do("GET", "/?cursor", "").want(200, `{"totalResults":0,"Resources":[],"nextCursor":null}`)
	for _, q := range []string{"filter=userName+pr", "sortBy=userName", "filter=userName+pr&sortBy=userName&cursor"} {
		if a := none.do("GET", "/?"+q, ""); a.code != 200 && a.code != 400 {
			t.Errorf("%s: %d %s", a.what, a.code, a.raw)
		}
	}
}
