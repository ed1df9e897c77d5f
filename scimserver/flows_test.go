package scimserver_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOktaFlow goes the way of an Okta application: test, match, create, update,
// deactivate, reactivate, group push.
func TestOktaFlow(t *testing.T) {
	t.Parallel()
	s := serve(t, "okta")
	s.do("GET", users+"?startIndex=1&count=2", "", "Accept-Encoding: gzip", "User-Agent: Okta SCIM Client 1.0.0").
		want(200, `{"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`)
	s.do("GET", users+"?filter=userName%20eq%20%22mira.k%40corp.test%22&startIndex=1&count=100", "").want(200, `{"totalResults":0,"Resources":[]}`)
	const create = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
	 "userName":"mira.k@corp.test","name":{"givenName":"Mira","familyName":"Kos","middleName":""},
	 "emails":[{"primary":true,"value":"mira.k@corp.test","type":"work"}],
	 "displayName":"Mira Kos","locale":"en-US","externalId":"00u7x1abcDEF","groups":[],"password":"Pq7-generated","active":true}`
	made := s.do("POST", users, create, "Content-Type: application/scim+json; charset=utf-8").want(201, `{"id":"id-1","active":true}`)
	s.do("POST", users, create).refused(409, "uniqueness", "userName")
	s.do("GET", users+"?filter=userName%20eq%20%22MIRA.K%40CORP.TEST%22", "").want(200, `{"totalResults":1}`)
	// The wizard sends back what it was shown, with a change.
	s.do("PUT", users+"/id-1", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"id-1","userName":"mira.k@corp.test",
	 "name":{"givenName":"Mira","familyName":"Kos-Lind"},"active":true,"meta":{"resourceType":"User","version":"W/\"1\""},"groups":[]}`).
		want(200, `{"name":{"familyName":"Kos-Lind"},"meta":{"version":"W/\"2\""}}`)
	if made.body["id"] != "id-1" {
		t.Errorf("id %v", made.body["id"])
	}
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"replace","value":{"active":false}}`)).want(200, `{"active":false}`)
	s.do("GET", users+"/id-1", "").want(200, `{"active":false}`)
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"replace","value":{"active":true}}`)).want(200, `{"active":true}`)
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"replace","value":{"password":"New-1"}}`)).want(200, `{"password":null}`)

	other := s.addUser("al@corp.test")
	s.do("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Payroll","members":[{"value":"id-1","display":"mira.k@corp.test"}]}`).
		want(201, `{"id":"id-3","displayName":"Payroll"}`)
	s.do("PATCH", "/Groups/id-3", patchOp(`{"op":"replace","value":{"id":"id-3","displayName":"Payroll EU"}}`)).want(200, `{"displayName":"Payroll EU"}`)
	a := s.do("PATCH", "/Groups/id-3", patchOp(`{"op":"remove","path":"members[value eq \"id-1\"]"},{"op":"add","path":"members","value":[{"value":"`+other+`","display":"al@corp.test"}]}`)).want(200, "")
	if diff := cmp.Diff([]string{other}, ids(a.body["members"], "value")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	s.do("PATCH", "/Groups/id-3", patchOp(`{"op":"replace","path":"members","value":[]}`)).want(200, `{"members":null}`)
	s.do("DELETE", "/Groups/id-3", "").want(204, "")
}

// TestEntraFlow sends both of Entra's dialects over one connection, as it does.
func TestEntraFlow(t *testing.T) {
	t.Parallel()
	s := serve(t, "entra")
	s.do("GET", users+"?filter=userName+eq+%223f0c7c1e-0000%22", "").want(200, `{"totalResults":0,"Resources":[]}`)
	s.do("GET", `/Groups?excludedAttributes=members&filter=displayName+eq+"x"`, "").want(200, `{"totalResults":0}`)
	s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	 "externalId":"b1f5-oid","userName":"lena@corp.test","active":true,"displayName":"Lena Q","emails":[{"primary":true,"type":"work","value":"lena@corp.test"}],
	 "meta":{"resourceType":"User"},"name":{"formatted":"Lena Q","familyName":"Q","givenName":"Lena"},"roles":[]}`).
		want(201, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`)
	s.do("PATCH", users+"/id-1", patchOp(`
	 {"op":"Replace","path":"active","value":"False"},
	 {"op":"Add","path":"emails[type eq \"work\"].value","value":"lena.q@corp.test"},
	 {"op":"Add","path":"addresses[type eq \"work\"].formatted","value":"Kade 4\nGent"},
	 {"op":"Replace","path":"name.familyName","value":"Quist"},
	 {"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"R&D"},
	 {"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"u-77"}`)).
		want(200, `{"active":false,"name":{"familyName":"Quist","givenName":"Lena"},
		 "emails":[{"primary":true,"type":"work","value":"lena.q@corp.test"}],
		 "addresses":[{"type":"work","formatted":"Kade 4\nGent"}],
		 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D","manager":{"value":"u-77"}}}`)
	s.do("GET", users+"?filter=active+eq+false", "").want(200, `{"totalResults":1}`)
	s.do("PATCH", users+"/id-1?aadOptscim062020", patchOp(`{"op":"replace","value":{"displayName":"Lena Quist","name.familyName":"Lind",
	 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Ops","active":true}}`)).
		want(200, `{"active":true,"displayName":"Lena Quist","name":{"familyName":"Lind","givenName":"Lena"},
		 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops"}}`)
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":""}`)).
		want(200, `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":null}}`)

	s.do("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
	 "externalId":"g-oid","displayName":"Payroll","meta":{"resourceType":"Group"}}`).want(201, `{"id":"id-2"}`)
	for _, u := range []string{"id-1", "u-2", "u-3"} {
		s.do("PATCH", "/Groups/id-2", patchOp(`{"op":"Add","path":"members","value":[{"$ref":null,"value":"`+u+`"}]}`)).want(204, "")
	}
	s.do("GET", "/Groups/id-2?excludedAttributes=members", "").want(200, `{"members":null,"displayName":"Payroll"}`)
	s.do("PATCH", "/Groups/id-2", patchOp(`{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u-2"}]}`)).want(204, "")
	g := s.do("GET", "/Groups/id-2", "").want(200, "")
	if diff := cmp.Diff([]string{"id-1", "u-3"}, ids(g.body["members"], "value")); diff != "" {
		t.Errorf("removing one member (-want +got):\n%s", diff)
	}
	s.do("GET", `/Groups?filter=id+eq+"id-2"+and+members+eq+"u-3"`, "").want(200, `{"totalResults":1}`)
	s.do("DELETE", users+"/id-1", "").want(204, "")
	s.do("GET", users+"?filter=externalId+eq+%22b1f5-oid%22", "").want(200, `{"totalResults":0}`)
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	g := s.addGroup("all")
	var wg sync.WaitGroup
	const n, each = 8, 5
	for i := range n {
		wg.Go(func() {
			for j := range each {
				name := fmt.Sprintf("u%d-%d", i, j)
				a := s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`"}`)
				id, _ := a.body["id"].(string)
				s.do("PATCH", "/Groups/"+g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`))
				s.do("GET", users+"?filter=groups.display+eq+%22all%22+and+userName+eq+%22"+name+"%22", "")
				s.do("GET", users+"?count=3", "")
				if j == 0 {
					s.do("DELETE", users+"/"+id, "")
				}
				// One name that all fight for.
				s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"contested"}`)
			}
		})
	}
	wg.Wait()
	if got, want := s.store.Len("User"), n*(each-1)+1; got != want {
		t.Errorf("%d users, want %d", got, want)
	}
	group := s.do("GET", "/Groups/"+g, "").want(200, "")
	if got, want := len(ids(group.body["members"], "value")), n*(each-1); got != want {
		t.Errorf("%d members, want %d", got, want)
	}
	s.do("GET", users+"?filter=groups.display+eq+%22all%22", "").want(200, fmt.Sprintf(`{"totalResults":%d}`, n*(each-1)))
}
