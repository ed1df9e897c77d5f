package scimserver_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []scimserver.Refusal
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.MaxBulkOperations = 3
		h.Refused = func(ctx context.Context, r scimserver.Refusal) {
			if c, _ := scimserver.ClientFrom(ctx); c.Source != r.Source {
				t.Errorf("the context is of %q, the refusal of %q", c.Source, r.Source)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r)
		}
	})
	s.addUser("mira")
	const secret = "s3cr3t"
	s.do("GET", users, "", "Authorization: Bearer "+secret).want(401, "")
	s.do("GET", users+"/nope", "").want(404, "") // asking is no offence
	s.do("GET", users+"?filter="+secret, "").want(400, "")
	s.do("POST", users+"/.search", searchStart+`,"filter":"`+secret+`"}`).want(400, "")
	s.do("GET", "/Schemas?filter="+secret, "").want(403, "")
	s.do("POST", users+"?attributes=title", `{`+coreUser+`,"userName":"MIRA","password":"`+secret+`"}`).want(409, "")
	s.do("PATCH", users+"/id-1", patchOp(`{"op":"replace","path":"id","value":"x"}`)).want(400, "")
	s.do("PUT", users+"/nope", `{`+coreUser+`,"userName":"y"}`).want(404, "")
	s.do("DELETE", users+"/id-1", "", `If-Match: "7"`).want(412, "")
	s.do("BREW", users+"/id-1", "").want(405, "")
	s.do("POST", "/Bulk", bulkJob("", makeUser("a", "mira", `,"password":"`+secret+`"`), `{"method":"DELETE","path":"/Groups/g"}`, makeUser("b", "bob", ""))).want(200, "")
	s.do("POST", "/Bulk", bulkJob("", "0", "0", "0", "0")).want(413, "")
	s.do("DELETE", users+"/"+strings.Repeat("x", 500), "").want(404, "")
	mu.Lock()
	defer mu.Unlock()
	for i := range got {
		if got[i].Remote != "127.0.0.1" || got[i].Detail == "" {
			t.Errorf("%+v", got[i])
		}
		if strings.Contains(got[i].Path+got[i].Detail, secret) || len(got[i].Path) > 100 {
			t.Errorf("%+v", got[i])
		}
		got[i].Remote, got[i].Detail, got[i].Path = "", "", strings.TrimRight(got[i].Path, "x…")
	}
	const p = "/scim/v2"
	want := []scimserver.Refusal{
		{Method: "GET", Resource: "User", Path: p + users, Status: 401},
		{Source: "hr", Name: "main", Method: "GET", Resource: "Schemas", Path: p + "/Schemas", Status: 403},
		{Source: "hr", Name: "main", Method: "POST", Resource: "User", Path: p + users, Status: 409, Type: "uniqueness"},
		{Source: "hr", Name: "main", Method: "PATCH", Resource: "User", Path: p + users + "/id-1", Status: 400, Type: "mutability"},
		{Source: "hr", Name: "main", Method: "PUT", Resource: "User", Path: p + users + "/nope", Status: 404},
		{Source: "hr", Name: "main", Method: "DELETE", Resource: "User", Path: p + users + "/id-1", Status: 412},
		{Source: "hr", Name: "main", Method: "other", Resource: "User", Path: p + users + "/id-1", Status: 405},
		{Source: "hr", Name: "main", Method: "POST", Resource: "User", Path: "/Users", Status: 409, Type: "uniqueness"},
		{Source: "hr", Name: "main", Method: "DELETE", Resource: "Group", Path: "/Groups/g", Status: 404},
		{Source: "hr", Name: "main", Method: "POST", Resource: "Bulk", Path: p + "/Bulk", Status: 413},
		{Source: "hr", Name: "main", Method: "DELETE", Resource: "User", Path: p + users + "/", Status: 404},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
