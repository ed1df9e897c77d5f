package scimserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

const lena = `{
 "schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
 "externalId":"b1f5-oid","userName":"lena@corp.test","active":true,"displayName":"Lena Q","password":"Pq7-generated",
 "emails":[{"primary":true,"type":"work","value":"lena@corp.test"},{"type":"home","value":"l@home.test"}],
 "meta":{"resourceType":"Lie","version":"W/\"77\""},"id":"mine","groups":[{"value":"g-9"}],
 "name":{"formatted":"Lena Q","familyName":"Q","givenName":"Lena"},"roles":[],"title":null,
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D","manager":{"value":"u-77"}}}`

func TestCreateAndRead(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	created := s.do("POST", users, lena).want(201, `{
	 "id":"id-1","userName":"lena@corp.test","externalId":"b1f5-oid","active":true,
	 "schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	 "password":null,"groups":null,"roles":null,"title":null,
	 "name":{"formatted":"Lena Q","familyName":"Q","givenName":"Lena"},
	 "emails":[{"primary":true,"type":"work","value":"lena@corp.test"},{"type":"home","value":"l@home.test"}],
	 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"},
	 "meta":{"resourceType":"User","version":"W/\"1\"","location":"`+s.base+`/Users/id-1"}}`)
	meta := created.body["meta"].(map[string]any)
	if meta["created"] != meta["lastModified"] || meta["created"] == nil {
		t.Errorf("meta is %v", meta)
	}
	for name, want := range map[string]string{
		"Location": s.base + "/Users/id-1", "Content-Location": s.base + "/Users/id-1", "Etag": `W/"1"`,
		"Content-Length": fmt.Sprint(len(created.raw)),
	} {
		if got := created.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(created.raw, "Pq7") || !strings.Contains(created.raw, "R&D") {
		t.Errorf("body: %s", created.raw)
	}
	read := s.do("GET", users+"/id-1", "").want(200, "")
	if diff := cmp.Diff(created.body, read.body); diff != "" {
		t.Errorf("read differs from created (-created +read):\n%s", diff)
	}
	if read.header.Get("Location") != "" || read.header.Get("Etag") != `W/"1"` {
		t.Errorf("headers of a read: %v", read.header)
	}
	head := s.do("HEAD", users+"/id-1", "").want(200, "")
	if head.raw != "" || head.header.Get("Content-Length") != fmt.Sprint(len(read.raw)) {
		t.Errorf("HEAD: body %q, headers %v", head.raw, head.header)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	s.do("POST", users, lena).want(201, "")
	const small = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"other","meta":{"x":1},"groups":[{"value":"g"}],"userName":"LENA@corp.test","title":"Dr"}`
	a := s.do("PUT", users+"/id-1", small).want(200, `{"id":"id-1","userName":"LENA@corp.test","title":"Dr","emails":null,"groups":null,
	 "schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
	 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":null,"meta":{"version":"W/\"2\""}}`)
	again := s.do("PUT", users+"/id-1", small).want(200, "")
	if diff := cmp.Diff(a.body, again.body); diff != "" {
		t.Errorf("a PUT that changes nothing changed something:\n%s", diff)
	}
	s.addUser("other")
	s.do("PUT", users+"/id-2", small).refused(409, "uniqueness", "userName")
	s.do("GET", users+"/id-2", "").want(200, `{"userName":"other","meta":{"version":"W/\"1\""}}`)
}

func TestPatchAnswers(t *testing.T) {
	t.Parallel()
	off := patchOp(`{"op":"replace","path":"active","value":false}`)
	add := patchOp(`{"op":"add","path":"members","value":[{"value":"u-1"}]}`)
	tests := []struct {
		name, dialect, path, body string
		silent                    bool
		code                      int
	}{
		{"user", "rfc", "/Users/id-1", off, false, 200},
		{"group", "rfc", "/Groups/id-2", add, false, 200},
		{"user, Entra", "entra", "/Users/id-1", off, false, 200},
		{"group, Entra", "entra", "/Groups/id-2", add, false, 204},
		{"group, Entra, attributes wanted", "entra", "/Groups/id-2?attributes=displayName", add, false, 200},
		{"group, Entra, stray parameter", "entra", "/Groups/id-2?aadOptscim062020", add, false, 204},
		{"silent server", "rfc", "/Users/id-1", off, true, 204},
		{"silent server, attributes wanted", "rfc", "/Users/id-1?attributes=active", off, true, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.dialect, func(h *scimserver.Handler) { h.PatchNoContent = tt.silent })
			s.addUser("mira")
			s.addGroup("eng")
			a := s.do("PATCH", tt.path, tt.body).want(tt.code, "")
			if (a.raw == "") != (tt.code == 204) {
				t.Errorf("body %q", a.raw)
			}
			if a.header.Get("Etag") != `W/"2"` {
				t.Errorf("ETag %q", a.header.Get("Etag"))
			}
		})
	}
}

func TestPatchWithoutEffectKeepsTheVersion(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	u := s.addUser("mira")
	g := s.addGroup("eng", u)
	before := s.do("GET", "/Groups/"+g, "").raw
	a := s.do("PATCH", "/Groups/"+g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`)).want(200, "")
	if a.raw != before {
		t.Errorf("changed\nbefore %s\nafter  %s", before, a.raw)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	u := s.addUser("mira")
	g := s.addGroup("eng", u, "u-unknown")
	s.do("GET", users+"/"+u, "").want(200, `{"groups":[{"value":"`+g+`","display":"eng","type":"direct","$ref":"`+s.base+`/Groups/`+g+`"}]}`)
	a := s.do("DELETE", users+"/"+u, "").want(204, "")
	if a.raw != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("body %q, type %q", a.raw, a.header.Get("Content-Type"))
	}
	for _, m := range []string{"GET", "DELETE"} {
		s.do(m, users+"/"+u, "").refused(404, "", "")
	}
	s.do("GET", users, "").want(200, `{"totalResults":0,"Resources":[]}`)
	group := s.do("GET", "/Groups/"+g, "").want(200, `{"meta":{"version":"W/\"2\""}}`)
	if got := ids(group.body["members"], "value"); !cmp.Equal(got, []string{"u-unknown"}) {
		t.Errorf("members %v", got)
	}
	if again := s.addUser("MIRA"); again == u {
		t.Error("an id was used twice")
	}
	s.do("DELETE", "/Groups/"+g, "").want(204, "")
}

func TestProjection(t *testing.T) {
	t.Parallel()
	keys := func(a answer) string {
		var out []string
		for _, k := range []string{"schemas", "id", "meta", "userName", "name", "emails", "password", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"} {
			if _, ok := a.body[k]; ok {
				out = append(out, k[strings.LastIndex(k, ":")+1:])
			}
		}
		return strings.Join(out, " ")
	}
	const some = "?attributes=name.givenName,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value,password"
	tests := []struct{ method, path, body, want string }{
		{"POST", users + some, lena, "schemas id name User"},
		{"GET", users + "/id-1" + some, "", "schemas id name User"},
		{"PUT", users + "/id-1" + some, lena, "schemas id name User"},
		{"PATCH", users + "/id-1" + some, patchOp(`{"op":"add","path":"title","value":"x"}`), "schemas id name User"},
		{"GET", users + "/id-1?excludedAttributes=name,id,emails", "", "schemas id meta userName User"},
		{"GET", users + "/id-1?attributes=", "", "schemas id meta userName name emails User"},
		{"GET", users + "/id-1?attributes=USERNAME", "", "schemas id userName"},
		{"GET", users + "/id-1?attributes=meta.location", "", "schemas id meta"},
	}
	s := serve(t, "rfc")
	for _, tt := range tests {
		a := s.do(tt.method, tt.path, tt.body)
		if got := keys(a); got != tt.want {
			t.Errorf("%s: keys %q, want %q\n%s", a.what, got, tt.want, a.raw)
		}
	}
	list := s.do("GET", users+some, "").want(200, "")
	a := answer{body: list.body["Resources"].([]any)[0].(map[string]any)}
	if got := keys(a); got != "schemas id name User" {
		t.Errorf("list: keys %q", got)
	}
	s.do("GET", users+"/id-1"+some, "").want(200, `{"name":{"givenName":"Lena","familyName":null}}`)
}

func TestMediaTypesAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	for i, kind := range []string{"", "application/json", "application/scim+json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/SCIM+JSON"} {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u%d"}`, i)
		s.do("POST", users, body, "Content-Type: "+kind, "Accept: text/html").want(201, "")
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	s.addUser("mira")
	one := users + "/id-1"
	title := func(v string) string {
		return patchOp(`{"op":"replace","path":"title","value":"` + v + `"}`)
	}
	same := s.do("GET", one, "", `If-None-Match: W/"1"`).want(304, "")
	if same.raw != "" || same.header.Get("Etag") != `W/"1"` || same.header.Get("Content-Type") != "" {
		t.Errorf("304 with body %q, headers %v", same.raw, same.header)
	}
	s.do("GET", one, "", `If-None-Match: *`).want(304, "")
	s.do("GET", one, "", `If-None-Match: W/"2"`).want(200, "")
	s.do("GET", users+"/nope", "", `If-None-Match: *`).want(404, "")
	s.do("PATCH", one, title("a"), `If-Match: W/"1"`).want(200, `{"meta":{"version":"W/\"2\""}}`)
	s.do("PATCH", one, title("b"), `If-Match: W/"1"`).refused(412, "", "W/\"2\"")
	s.do("PUT", one, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x"}`, `If-Match: W/"1"`).refused(412, "", "")
	s.do("PATCH", one, title("b"), `If-Match: *`).want(200, "")
	s.do("PATCH", one, title("c"), `If-Match: "x,y", W/"3"`).want(200, "")
	s.do("PATCH", one, title("d"), `If-Match: "4"`).want(200, `{"title":"d"}`)
	s.do("DELETE", one, "", `If-Match: W/"4"`).refused(412, "", "")
	s.do("DELETE", users+"/nope", "", `If-Match: *`).refused(404, "", "")
	s.do("DELETE", one, "", `If-Match: W/"5"`).want(204, "")
}

func TestOnlyOneOfManyConditionalWritesWins(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	s.addUser("mira")
	const n = 16
	codes := make(chan int, n)
	for i := range n {
		go func() {
			req, err := http.NewRequest("PUT", s.base+"/Users/id-1", strings.NewReader(
				fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira","title":"t%d"}`, i)))
			if err != nil {
				codes <- 0
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("If-Match", `W/"1"`)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				codes <- 0
				return
			}
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	count := map[int]int{}
	for range n {
		count[<-codes]++
	}
	if count[200] != 1 || count[412] != n-1 {
		t.Errorf("answers %v, want one 200 and %d times 412", count, n-1)
	}
}
