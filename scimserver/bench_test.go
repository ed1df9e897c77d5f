package scimserver_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// The benchmarks measure the protocol code without the network:
//
//	go test -run '^$' -bench Serve -benchmem ./scimserver

const population = 10_000

func benchServer(b *testing.B) http.Handler {
	b.Helper()
	reg := scim.DefaultRegistry()
	d, _ := scim.DialectNamed("rfc")
	h := &scimserver.Handler{
		Backend: memory.New(reg, memory.Options{}), Registry: reg,
		Auth: func(*http.Request) (scimserver.Client, error) {
			return scimserver.Client{Source: "hr", Dialect: d}, nil
		},
	}
	root := mux.NewRouter().SkipClean(true)
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	return root
}

func benchBody(i int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"userName":"user%d@corp.test","externalId":"e%d","name":{"givenName":"Given%d","familyName":"Family"},"displayName":"Given Family","active":true,
	"emails":[{"value":"user%d@corp.test","type":"work","primary":true}],"title":"Engineer",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engineering","employeeNumber":"%d"}}`, i, i, i, i, i)
}

func call(b *testing.B, h http.Handler, method, path, body string, want int) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	h.ServeHTTP(w, r)
	if w.Code != want {
		b.Fatalf("%s %s: %d\n%s", method, path, w.Code, w.Body)
	}
	return w
}

func filled(b *testing.B) (http.Handler, []string) {
	h := benchServer(b)
	var paths []string
	for i := range population {
		w := call(b, h, "POST", "/scim/v2/Users", benchBody(i), 201)
		paths = append(paths, strings.TrimPrefix(w.Header().Get("Location"), "http://example.com"))
	}
	return h, paths
}

func BenchmarkServeCreate(b *testing.B) {
	h := benchServer(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		call(b, h, "POST", "/scim/v2/Users", benchBody(i), 201)
	}
}

func BenchmarkServeRead(b *testing.B) {
	h, paths := filled(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		call(b, h, "GET", paths[i%len(paths)], "", 200)
	}
}

func BenchmarkServeFilter(b *testing.B) {
	h, _ := filled(b)
	queries := map[string]string{
		"userName":    "userName+eq+%22USER5000@corp.test%22",
		"email":       "emails[type+eq+%22work%22+and+value+eq+%22user5000@corp.test%22]",
		"department":  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department+eq+%22engineering%22+and+userName+sw+%22user77%22",
		"page-of-100": "",
	}
	for name, q := range queries {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := call(b, h, "GET", "/scim/v2/Users?count=100&filter="+q, "", 200)
				if bytes.Contains(w.Body.Bytes(), []byte(`"totalResults":0`)) {
					b.Fatal("nothing found")
				}
			}
		})
	}
}

func BenchmarkServePatch(b *testing.B) {
	h, paths := filled(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		call(b, h, "PATCH", paths[i%len(paths)],
			fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"t%d"}]}`, i), 200)
	}
}

// BenchmarkServeGroup reads a group of 10,000 members.
func BenchmarkServeGroup(b *testing.B) {
	h := benchServer(b)
	var members []string
	for i := range 10_000 {
		members = append(members, fmt.Sprintf(`{"value":"01a2061a-584a-731f-a0d5-%012d","type":"User"}`, i))
	}
	w := call(b, h, "POST", "/scim/v2/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"all","members":[`+
		strings.Join(members, ",")+`]}`, 201)
	path := strings.TrimPrefix(w.Header().Get("Location"), "http://example.com")
	b.ReportAllocs()
	for b.Loop() {
		call(b, h, "GET", path, "", 200)
	}
}
