package scimserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// failure is a request that must be refused, and how.
type failure struct {
	name, method, path, body string
	header                   string
	code                     int
	kind, word               string
}

// failures are requests to a server whose only user is at the path one.
func failures(one string) []failure {
	user := func(rest string) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x"` + rest + `}`
	}
	id := one[len(users)+1:]
	return []failure{
		{"no token", "GET", users, "", "Authorization: ", 401, "", "bearer"},
		{"wrong token", "GET", users, "", "Authorization: Bearer nope", 401, "", "not valid"},
		{"no token, unknown path", "GET", "/Nope", "", "Authorization: ", 401, "", "bearer"},
		{"basic", "GET", users, "", "Authorization: Basic eDp5", 401, "", "Bearer"},
		{"unknown path", "GET", "/Nope", "", "", 404, "", "/Nope"},
		{"unknown path below a resource", "GET", one + "/x", "", "", 404, "", ""},
		{"unknown path, any method", "BREW", "/Nope", "", "", 404, "", ""},
		{"unknown id", "GET", users + "/nope", "", "", 404, "", "nope"},
		{"unknown id, PUT", "PUT", users + "/nope", user(""), "", 404, "", "nope"},
		{"unknown id, PATCH", "PATCH", users + "/nope", patchOp(`{"op":"replace","path":"active","value":false}`), "", 404, "", "nope"},
		{"unknown id, DELETE", "DELETE", users + "/nope", "", "", 404, "", "nope"},
		{"user's id at Groups", "GET", "/Groups/" + id, "", "", 404, "", ""},
		{"PATCH on a collection", "PATCH", users, "{}", "", 405, "", "GET, HEAD, POST"},
		{"POST on a resource", "POST", one, "{}", "", 405, "", "PATCH"},
		{"odd method", "BREW", one, "", "", 405, "", "other"},
		{"text", "POST", users, user(""), "Content-Type: text/plain", 415, "", "application/scim+json"},
		{"form", "PUT", one, "a=b", "Content-Type: application/x-www-form-urlencoded", 415, "", ""},
		{"latin-1", "POST", users, user(""), "Content-Type: application/json; charset=iso-8859-1", 415, "", "UTF-8"},
		{"nonsense type", "POST", users, user(""), "Content-Type: ;;;", 415, "", ""},
		{"gzip", "POST", users, user(""), "Content-Encoding: gzip", 415, "", "Content-Encoding"},
		{"empty body", "POST", users, "", "", 400, "invalidSyntax", ""},
		{"no JSON", "POST", users, "{not json", "", 400, "invalidSyntax", ""},
		{"half an object", "POST", users, `{"userName":`, "", 400, "invalidSyntax", ""},
		{"a list", "POST", users, "[]", "", 400, "invalidSyntax", ""},
		{"null", "POST", users, "null", "", 400, "invalidSyntax", ""},
		{"two values", "POST", users, user("") + user(""), "", 400, "invalidSyntax", ""},
		{"duplicate key", "POST", users, user(`,"userName":"y"`), "", 400, "invalidSyntax", "userName"},
		{"duplicate key, other case", "POST", users, user(`,"USERNAME":"y"`), "", 400, "invalidSyntax", ""},
		{"deep", "POST", users, strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), "", 400, "invalidSyntax", ""},
		{"deep list in a PATCH", "PATCH", one, strings.Repeat("[", 20000), "", 400, "invalidSyntax", ""},
		{"invalid UTF-8", "POST", users, user(",\"title\":\"a\xff\""), "", 400, "invalidValue", ""},
		{"NUL", "POST", users, user(`,"title":"a\u0000b"`), "", 400, "invalidValue", ""},
		{"not SCIM", "POST", users, `{"not":"scim"}`, "", 400, "", ""},
		{"no userName", "POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`, "", 400, "invalidValue", "userName"},
		{"wrong type", "POST", users, user(`,"active":"yes"`), "", 400, "invalidValue", "active"},
		{"wrong type inside", "POST", users, user(`,"emails":[{"value":"a@x","primary":"x"}]`), "", 400, "invalidValue", "emails[0].primary"},
		{"group without name", "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`, "", 400, "invalidValue", "displayName"},
		{"taken", "POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"MIRA"}`, "", 409, "uniqueness", "userName"},
		{"too big", "POST", users, strings.Repeat("x", 2<<20), "", 413, "", "1048576"},
		{"too big, PATCH", "PATCH", one, strings.Repeat("x", 2<<20), "", 413, "", "1048576"},
		{"stale", "PUT", one, user(""), `If-Match: W/"99"`, 412, "", "version"},
		{"patch without operations", "PATCH", one, patchOp(""), "", 400, "invalidSyntax", ""},
		{"patch a read-only attribute", "PATCH", one, patchOp(`{"op":"replace","path":"id","value":"x"}`), "", 400, "mutability", "id"},
		{"patch nothing there", "PATCH", one, patchOp(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`), "", 400, "noTarget", ""},
		{"bad path", "PATCH", one, patchOp(`{"op":"replace","path":"na me","value":"x"}`), "", 400, "invalidPath", ""},
		{"bad filter in a path", "PATCH", one, patchOp(`{"op":"replace","path":"emails[","value":"x"}`), "", 400, "invalidFilter", ""},
		{"both projections", "GET", one + "?attributes=userName&excludedAttributes=title", "", "", 400, "invalidValue", ""},
		{"Me", "GET", "/Me", "", "", 501, "", "/Me"},
		{"Me, written", "DELETE", "/Me", "", "", 501, "", "/Me"},
		{"Me, created", "POST", "/Me", user(""), "", 501, "", "/Me"},
		{"bulk", "POST", "/Bulk", "{}", "", 400, "invalidSyntax", "BulkRequest"},
		{"bulk, read", "GET", "/Bulk", "", "", 405, "", "POST"},
		{"search", "POST", "/.search", "{}", "", 400, "invalidSyntax", "SearchRequest"},
		{"search below a type", "POST", "/Users/.search", "{}", "", 400, "invalidSyntax", "SearchRequest"},
		{"search by GET", "GET", "/Groups/.search", "", "", 405, "", "POST"},
		{"root, unknown attribute", "GET", "?filter=foo%20pr", "", "", 400, "invalidFilter", "foo"},
		{"root, written", "POST", "/", user(""), "", 405, "", "GET"},
		{"options", "OPTIONS", users, "", "", 405, "", "POST"},
		{"long query", "GET", users + "?attributes=" + strings.Repeat("a,", 20000), "", "", 414, "", "32768"},
		{"invalid UTF-8 in a query", "GET", users + "?attributes=%ff", "", "", 400, "invalidValue", "UTF-8"},
		{"invalid UTF-8 in an id", "GET", users + "/%ff", "", "", 404, "", ""},
		{"NUL in an id", "GET", users + "/a%00b", "", "", 404, "", ""},
		{"slash in an id", "GET", users + "/a%2Fb", "", "", 404, "", ""},
		{"long id", "DELETE", users + "/" + strings.Repeat("x", 10000), "", "", 404, "", "…"},
		{"nothing wanted there", "PUT", one, user(""), `If-None-Match: *`, 412, "", "If-None-Match"},
		{"excluded version", "DELETE", one, "", `If-None-Match: W/"1"`, 412, "", "If-None-Match"},
		{"read in another version", "GET", one, "", `If-Match: W/"99"`, 412, "", "version"},
	}
}

func TestEveryFailureHasAnErrorBody(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	id := s.addUser("mira")
	for _, tt := range failures(users + "/" + id) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := *s
			s.t = t
			var headers []string
			if tt.header != "" {
				headers = append(headers, tt.header)
			}
			a := s.do(tt.method, tt.path, tt.body, headers...)
			if tt.kind == "" && tt.code == 400 {
				tt.kind, _ = a.body["scimType"].(string)
			}
			a.refused(tt.code, tt.kind, tt.word)
			if got := a.header.Get("WWW-Authenticate"); (got != "") != (tt.code == 401) || tt.code == 401 && !strings.HasPrefix(got, `Bearer realm="`) {
				t.Errorf("WWW-Authenticate is %q", got)
			}
			if got := a.header.Get("Allow"); (got != "") != (tt.code == 405) {
				t.Errorf("Allow is %q", got)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("security headers are missing: %v", a.header)
			}
		})
	}
}

func TestNothingIsStoredByARefusedWrite(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	id := s.addUser("mira")
	before := s.do("GET", users+"/"+id, "").raw
	s.do("PATCH", users+"/"+id, patchOp(`{"op":"replace","path":"title","value":"Boss"},{"op":"replace","path":"id","value":"x"}`)).refused(400, "mutability", "")
	s.do("PUT", users+"/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`).refused(400, "invalidValue", "userName")
	if after := s.do("GET", users+"/"+id, "").raw; after != before {
		t.Errorf("the user changed\nbefore %s\nafter  %s", before, after)
	}
	if n := s.store.Len("User"); n != 1 {
		t.Errorf("%d users, want 1", n)
	}
}

func TestHostileFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	s.addUser("mira")
	for _, f := range []string{
		strings.Repeat("(", 300000), strings.Repeat("(", 4000), strings.Repeat("not%20(", 1000),
		"userName%20eq%20%22" + strings.Repeat("x", 100000) + "%22",
		strings.Repeat("userName%20eq%20%22x%22%20or%20", 250) + "userName%20pr",
		"userName%20eq%20%22a%00b%22", "userName%20eq%20%22%ff%22", "%zz", "userName%20eq",
		"userName%20regex%20%22x%22", "foo%20eq%20%22x%22", "active%20gt%20true", "password%20eq%20%22x%22", "emails[", "[]", "%22",
	} {
		a := s.do("GET", users+"?filter="+f, "")
		a.refused(400, "invalidFilter", "")
		if len(a.raw) > 1000 {
			t.Errorf("%s: the answer repeats the question: %d bytes", a.what, len(a.raw))
		}
	}
}

// failing is a backend in trouble.
type failing struct {
	scimserver.Backend
	err error
}

func (f failing) Get(context.Context, *scim.ResourceType, string, scim.Fields) (scim.Resource, error) {
	if f.err == nil {
		panic("secret in a panic")
	}
	return scim.Resource{}, f.err
}

// unencodable holds what JSON cannot.
func (f failing) List(context.Context, *scim.ResourceType, scim.Query) (scim.Page, error) {
	return scim.Page{Total: 1, Resources: []scim.Resource{{ID: "x", Attrs: map[string]any{"title": math.NaN()}}}}, nil
}

func TestBackendTrouble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		err   error
		code  int
		after string
	}{
		{"panic", nil, 500, ""},
		{"unknown error", errors.New("secret: dial tcp 10.0.0.1"), 500, ""},
		{"wrapped SCIM error", fmt.Errorf("secret: %w", scim.Errorf(403, "", "not yours")), 403, ""},
		{"SCIM error with a cause", &scim.Error{Status: 503, Detail: "later", Err: errors.New("secret")}, 503, ""},
		{"SCIM error with an odd status", scim.Errorf(200, "", "secret"), 500, ""},
		{"busy", &scimserver.Retry{After: 1500 * time.Millisecond, Err: scim.Errorf(429, "", "slow down")}, 429, "2"},
		{"busy for no time", &scimserver.Retry{Err: scim.Errorf(503, "", "slow down")}, 503, "1"},
		{"out of time", fmt.Errorf("secret: %w", context.DeadlineExceeded), 503, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = failing{err: tt.err} })
			a := s.do("GET", users+"/x", "").refused(tt.code, "", "")
			if strings.Contains(a.raw, "secret") || strings.Contains(a.raw, "goroutine") {
				t.Errorf("the answer shows what is inside: %s", a.raw)
			}
			if got := a.header.Get("Retry-After"); got != tt.after {
				t.Errorf("Retry-After is %q, want %q", got, tt.after)
			}
		})
	}
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = failing{} })
	s.do("GET", users, "").refused(500, "", "")
}

// leaving is a backend whose caller goes away while it works.
type leaving struct {
	scimserver.Backend
	leave context.CancelFunc
}

func (l leaving) Get(ctx context.Context, _ *scim.ResourceType, _ string, _ scim.Fields) (scim.Resource, error) {
	l.leave()
	<-ctx.Done()
	return scim.Resource{}, fmt.Errorf("reading: %w", ctx.Err())
}

// TestClientGoneIsNoError: what ended because its client went away is nothing for an
// operator to look into.
func TestClientGoneIsNoError(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	var said bytes.Buffer
	h := &scimserver.Handler{Backend: leaving{leave: leave}, Registry: scim.DefaultRegistry(), Log: slog.New(slog.NewTextHandler(&said, nil)),
		Auth: func(*http.Request) (scimserver.Client, error) { return scimserver.Client{Source: "hr"}, nil }}
	root := mux.NewRouter()
	h.Mount(root)
	root.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/Users/x", nil))
	if strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "given up by its client") {
		t.Errorf("%q", said.String())
	}
}

func TestAuthenticatorTrouble(t *testing.T) {
	t.Parallel()
	for code, err := range map[int]error{403: scim.Errorf(403, "", "blocked"), 500: errors.New("secret"), 401: scimserver.Unauthorized("who?")} {
		s := serve(t, "rfc", func(h *scimserver.Handler) {
			h.Auth = func(*http.Request) (scimserver.Client, error) { return scimserver.Client{}, err }
		})
		a := s.do("GET", users, "").refused(code, "", "")
		if strings.Contains(a.raw, "secret") {
			t.Errorf("the answer shows what is inside: %s", a.raw)
		}
	}
}
