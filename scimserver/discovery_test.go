package scimserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

func TestServiceProviderConfig(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.MaxPage, h.MaxBulkBody, h.MaxBulkOperations, h.NoPatch, h.StoresPasswords, h.CursorLife = 50, 1000, 7, true, true, time.Minute
	})
	a := s.do("GET", "/ServiceProviderConfig?count=1", "", "Authorization: ").want(200, `{
	 "schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
	 "patch":{"supported":false},"bulk":{"supported":true,"maxPayloadSize":1000,"maxOperations":7},"filter":{"supported":true,"maxResults":50},
	 "changePassword":{"supported":true},"sort":{"supported":true},"etag":{"supported":true},
	 "pagination":{"cursor":true,"index":true,"defaultPaginationMethod":"index","defaultPageSize":50,"maxPageSize":50,"cursorTimeout":60},
	 "documentationUri":null,"meta":{"resourceType":"ServiceProviderConfig","location":"`+s.base+`/ServiceProviderConfig"}}`)
	scheme := a.body["authenticationSchemes"].([]any)[0].(map[string]any)
	for _, key := range []string{"type", "name", "description"} {
		if scheme[key] == "" || scheme[key] == nil {
			t.Errorf("authenticationSchemes[0].%s is missing", key)
		}
	}
	s.addUser("mira")
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"remove","path":"title"}`)).refused(501, "", "PATCH")
	few := serve(t, "rfc", func(h *scimserver.Handler) { h.NoBulk, h.NoSort, h.NoCursor = true, true, true })
	few.do("GET", "/ServiceProviderConfig", "").want(200, `{"bulk":{"supported":false,"maxOperations":1000},"sort":{"supported":false},"pagination":{"cursor":false,"index":true}}`)
	few.do("POST", "/Bulk", bulkJob("")).refused(501, "", "bulk")
	few.addUser("zoe")
	few.addUser("ann")
	if a := few.do("GET", users+"?count=1&cursor&sortBy=userName", "").want(200, `{"startIndex":1,"nextCursor":null}`); names(a) != "zoe" {
		t.Errorf("%s", a.raw)
	}
	plain := serve(t, "rfc")
	plain.do("GET", "/ServiceProviderConfig/", "").want(200, `{"patch":{"supported":true},"changePassword":{"supported":false}}`)
}

func TestDiscoveryLists(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	types := s.do("GET", "/ResourceTypes?count=1&startIndex=9", "").want(200, `{"totalResults":2,"itemsPerPage":2,"startIndex":1}`)
	if diff := cmp.Diff([]string{"User", "Group"}, ids(types.body["Resources"], "id")); diff != "" {
		t.Errorf("resource types (-want +got):\n%s", diff)
	}
	s.do("GET", "/ResourceTypes/User", "").want(200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User","endpoint":"/Users",
	 "schema":"urn:ietf:params:scim:schemas:core:2.0:User",
	 "schemaExtensions":[{"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":false}],
	 "meta":{"resourceType":"ResourceType","location":"`+s.base+`/ResourceTypes/User"}}`)
	schemas := s.do("GET", "/Schemas?count=1&startIndex=9&attributes=id", "").want(200, `{"totalResults":6,"itemsPerPage":6}`)
	for _, e := range schemas.body["Resources"].([]any) {
		m := e.(map[string]any)
		id := m["id"].(string)
		for _, form := range []string{id, strings.ToUpper(id), strings.ReplaceAll(id, ":", "%3A"), id + "/"} {
			one := s.do("GET", "/Schemas/"+form, "").want(200, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"meta":{"resourceType":"Schema","location":"`+s.base+"/Schemas/"+id+`"}}`)
			if diff := cmp.Diff(m, one.body); diff != "" {
				t.Errorf("%s differs from the list:\n%s", form, diff)
			}
		}
		checkAttributes(t, id, m["attributes"].([]any))
	}
	user := s.do("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "").want(200, `{"name":"User"}`)
	if names := ids(user.body["attributes"], "name"); len(names) < 20 {
		t.Errorf("attributes of User: %v", names)
	}
}

// checkAttributes holds definitions against RFC 7643 §7.
func checkAttributes(t *testing.T, schema string, list []any) {
	t.Helper()
	if len(list) == 0 {
		t.Errorf("%s: no attributes", schema)
	}
	allowed := map[string]string{
		"type":       " string boolean decimal integer dateTime binary reference complex ",
		"mutability": " readOnly readWrite immutable writeOnly ",
		"returned":   " always never default request ",
	}
	for _, e := range list {
		a := e.(map[string]any)
		name, _ := a["name"].(string)
		for key, words := range allowed {
			if word, _ := a[key].(string); word == "" || !strings.Contains(words, " "+word+" ") {
				t.Errorf("%s: %s: %s is %v", schema, name, key, a[key])
			}
		}
		for _, key := range []string{"multiValued", "required"} {
			if _, ok := a[key].(bool); !ok {
				t.Errorf("%s: %s: %s is %v", schema, name, key, a[key])
			}
		}
		for key, v := range a {
			if l, ok := v.([]any); v == nil || v == "" || ok && len(l) == 0 {
				t.Errorf("%s: %s: %s is empty", schema, name, key)
			}
		}
		if sub, ok := a["subAttributes"].([]any); ok != (a["type"] == "complex") {
			t.Errorf("%s: %s: type %v with %d sub-attributes", schema, name, a["type"], len(sub))
		} else if ok {
			checkAttributes(t, schema+"."+name, sub)
		}
	}
}

func TestDiscoveryIsReadOnly(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			a := s.do(method, path, "{broken", "Content-Type: text/plain").refused(405, "", method)
			if a.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: Allow is %q", a.what, a.header.Get("Allow"))
			}
		}
		s.do("GET", path+"?filter=id%20eq%20%22User%22", "").refused(403, "", "filter")
		s.do("GET", path+"?filter=%zz", "").refused(403, "", "filter")
		s.do("GET", path+"?count=abc&attributes=%zz", "").want(200, "")
		s.do("HEAD", path, "").want(200, "")
		if path != "/ServiceProviderConfig" {
			s.do("GET", path, "", "Authorization: ").refused(401, "", "")
		}
	}
	for _, path := range []string{"/ResourceTypes/Nope", "/Schemas/urn:nope", "/Schemas/urn:ietf:params:scim:api:messages:2.0:Error"} {
		s.do("GET", path, "").refused(404, "", "")
	}
}
