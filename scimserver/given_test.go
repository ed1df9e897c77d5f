package scimserver_test

import (
	"testing"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// An attribute that is returned on request is in the answer to the client that sets
// it, and else only where it is asked for (RFC 7643 §7).
func TestReturnedOnRequest(t *testing.T) {
	t.Parallel()
	const urn = "urn:acme:params:scim:schemas:core:2.0:Badge"
	schemas, err := scim.ParseSchemas([]byte(`{"id":"` + urn + `","attributes":[{"name":"number","required":true},{"name":"hint","returned":"request"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	reg, err := scim.BuildRegistry(schemas, []scim.TypeFile{{Name: "Badge", Endpoint: "/Badges", Schema: urn}})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.Registry, h.Backend = reg, memory.New(reg, memory.Options{}) })
	hint := func(a answer) any { return a.body["hint"] }
	made := s.do("POST", "/Badges", `{"schemas":["`+urn+`"],"number":"1","hint":"h"}`).want(201, `{"number":"1","hint":"h"}`)
	one := "/Badges/" + made.body["id"].(string)
	if v := hint(s.do("GET", one, "")); v != nil {
		t.Errorf("read: %v", v)
	}
	s.do("GET", one+"?attributes=hint", "").want(200, `{"hint":"h"}`)
	if v := hint(s.do("PATCH", one, patchOp(`{"op":"replace","path":"number","value":"2"}`))); v != nil {
		t.Errorf("another attribute changed: %v", v)
	}
	s.do("PATCH", one, patchOp(`{"op":"replace","path":"hint","value":"i"}`)).want(200, `{"hint":"i"}`)
	s.do("PUT", one, `{"schemas":["`+urn+`"],"number":"2","hint":"j"}`).want(200, `{"hint":"j"}`)
}
