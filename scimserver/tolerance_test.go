package scimserver_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// counted makes a handler's clients report the tolerances that they needed.
func counted(mu *sync.Mutex, seen *[]string, set func(*scim.Dialect)) func(*scimserver.Handler) {
	return func(h *scimserver.Handler) {
		auth := h.Auth
		h.Auth = func(r *http.Request) (scimserver.Client, error) {
			c, err := auth(r)
			c.Dialect.Seen = func(flag string) {
				mu.Lock()
				defer mu.Unlock()
				*seen = append(*seen, flag)
			}
			set(&c.Dialect)
			return c, err
		}
	}
}

// TestTolerances sends each deviation of a request as such to a connection that
// takes it, which counts it, and to one that does not.
func TestTolerances(t *testing.T) {
	t.Parallel()
	user := `{` + coreUser + `,"userName":"x"}`
	patch := patchOp(`{"op":"replace","path":"title","value":"x"}`)
	tests := []struct {
		flag               string
		on                 func(*scim.Dialect) *bool
		method, path, body string
		header             string
		with, without      int
	}{
		{scim.FlagPlainJSON, func(d *scim.Dialect) *bool { return &d.PlainJSON }, "POST", users, user, "Content-Type: application/json", 201, 415},
		{scim.FlagPlainJSON, func(d *scim.Dialect) *bool { return &d.PlainJSON }, "POST", users, user, "Content-Type: application/json; charset=UTF-8", 201, 415},
		{scim.FlagTrailingSlash, func(d *scim.Dialect) *bool { return &d.TrailingSlash }, "GET", users + "/", "", "", 200, 404},
		{scim.FlagTrailingSlash, func(d *scim.Dialect) *bool { return &d.TrailingSlash }, "GET", users + "/id-1/", "", "", 200, 404},
		{scim.FlagTrailingSlash, func(d *scim.Dialect) *bool { return &d.TrailingSlash }, "GET", "/Schemas/", "", "", 200, 404},
		{scim.FlagStrayQuery, func(d *scim.Dialect) *bool { return &d.StrayQuery }, "GET", users + "?", "", "", 200, 400},
		{scim.FlagStrayQuery, func(d *scim.Dialect) *bool { return &d.StrayQuery }, "GET", users + "?count=1&", "", "", 200, 400},
		{scim.FlagStrayQuery, func(d *scim.Dialect) *bool { return &d.StrayQuery }, "GET", users + "?&count=1", "", "", 200, 400},
		{scim.FlagStrayQuery, func(d *scim.Dialect) *bool { return &d.StrayQuery }, "PUT", users + "/id-1?aadOptscim062020", user, "", 200, 400},
		{scim.FlagMethodOverride, func(d *scim.Dialect) *bool { return &d.MethodOverride }, "POST", users + "/id-1", patch, "X-HTTP-Method-Override: PATCH", 200, 405},
		{scim.FlagMethodOverride, func(d *scim.Dialect) *bool { return &d.MethodOverride }, "POST", users + "/id-1", user, "X-HTTP-Method-Override: put", 200, 405},
		{scim.FlagMethodOverride, func(d *scim.Dialect) *bool { return &d.MethodOverride }, "POST", users + "/id-1", "", "X-HTTP-Method-Override: DELETE", 204, 405},
		// Not needed: nothing is counted, and it makes no difference.
		{"", func(d *scim.Dialect) *bool { return &d.MethodOverride }, "POST", users, user, "X-HTTP-Method-Override: GET", 201, 201},
		{"", func(d *scim.Dialect) *bool { return &d.MethodOverride }, "GET", users + "/id-1", "", "X-HTTP-Method-Override: DELETE", 200, 200},
		{"", func(d *scim.Dialect) *bool { return &d.PlainJSON }, "POST", users, user, "Content-Type: application/scim+json; charset=utf-8", 201, 201},
		{"", func(d *scim.Dialect) *bool { return &d.TrailingSlash }, "GET", "/", "", "", 200, 200},
		{"", func(d *scim.Dialect) *bool { return &d.StrayQuery }, "GET", "/Schemas?a=b&", "", "", 200, 200},
	}
	for _, tt := range tests {
		for _, on := range []bool{true, false} {
			var mu sync.Mutex
			var seen []string
			s := serve(t, "rfc", counted(&mu, &seen, func(d *scim.Dialect) { *tt.on(d) = on }))
			s.addUser("mira")
			seen = nil
			headers := []string{}
			if tt.header != "" {
				headers = append(headers, tt.header)
			}
			want, flags := tt.without, []string(nil)
			if on {
				want = tt.with
				if tt.flag != "" {
					flags = []string{tt.flag}
				}
			}
			s.do(tt.method, tt.path, tt.body, headers...).want(want, "")
			mu.Lock()
			if diff := cmp.Diff(flags, slices.Clone(seen)); diff != "" {
				t.Errorf("%s %s %s, on %v (-want +got):\n%s", tt.method, tt.path, tt.header, on, diff)
			}
			mu.Unlock()
		}
	}
}
