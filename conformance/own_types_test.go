package conformance

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// device is a resource type with every type, mutability, returned and uniqueness.
func device() *scim.ResourceType {
	a := func(name, kind string, change func(*scim.Attribute)) *scim.Attribute {
		out := &scim.Attribute{Name: name, Type: kind}
		if change != nil {
			change(out)
		}
		return out
	}
	core := &scim.Schema{ID: "urn:example:scim:Device", Name: "Device", Attributes: []*scim.Attribute{
		a("serial", "string", func(a *scim.Attribute) { a.Required, a.Uniqueness, a.CaseExact = true, "server", true }),
		a("model", "string", func(a *scim.Attribute) { a.Mutability = "immutable" }),
		a("state", "string", func(a *scim.Attribute) { a.Mutability = "readOnly" }),
		a("pin", "string", func(a *scim.Attribute) { a.Mutability, a.Returned = "writeOnly", "never" }),
		a("notes", "string", func(a *scim.Attribute) { a.Returned = "request" }),
		a("tag", "string", func(a *scim.Attribute) { a.Returned = "always" }),
		a("weight", "decimal", nil), a("slots", "integer", nil), a("bought", "dateTime", nil), a("key", "binary", nil),
		a("site", "reference", func(a *scim.Attribute) { a.ReferenceTypes = []string{"external"} }),
		a("locked", "boolean", nil),
		a("labels", "string", func(a *scim.Attribute) { a.MultiValued = true }),
		a("place", "complex", func(a *scim.Attribute) {
			a.Sub = []*scim.Attribute{{Name: "room", Type: "string"}, {Name: "floor", Type: "integer"}}
		}),
	}}
	extra := &scim.Schema{ID: "urn:example:scim:Lease", Name: "Lease", Attributes: []*scim.Attribute{
		a("owner", "string", func(a *scim.Attribute) { a.Required = true }), a("until", "dateTime", nil),
	}}
	return &scim.ResourceType{Name: "Device", Endpoint: "/Devices", Schema: core, Extensions: []scim.Extension{{Schema: extra, Required: true}}}
}

// TestOwnTypes: a resource type of somebody's own is tested by its schema.
func TestOwnTypes(t *testing.T) {
	t.Parallel()
	def := scim.DefaultRegistry()
	reg, err := scim.NewRegistry(append(slices.Clone(def.Types), device())...)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := scim.DialectNamed("rfc")
	h := &scimserver.Handler{Backend: memory.New(reg, memory.Options{Now: time.Now}), Registry: reg,
		Auth: func(*http.Request) (scimserver.Client, error) {
			return scimserver.Client{Source: "a", Dialect: d}, nil
		}}
	root := mux.NewRouter().SkipClean(true)
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	srv := httptest.NewServer(root)
	t.Cleanup(srv.Close)
	r, err := Run(t.Context(), Options{URL: srv.URL + "/scim/v2", Now: time.Now, Only: []string{"attr", "discovery", "resource"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, res := range r.Results {
		if res.Outcome == Fail || res.Outcome == Warn {
			t.Errorf("%s (%s): expected %s, got %s\n%+v", res.ID, res.Subject, res.Expected, res.Got, res.Exchanges)
		}
		if res.Outcome == Pass && strings.HasPrefix(res.Subject, "Device") {
			seen[res.ID] = true
		}
	}
	for _, c := range attributeChecks() {
		if !seen[c.ID] && c.ID != "attr.patch-sub" {
			t.Errorf("%s was not made for the own type", c.ID)
		}
	}
}
