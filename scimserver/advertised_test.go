package scimserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// sample makes a JSON value for an attribute from its definition alone, as test
// suites do: what is advertised must be accepted and read back equal.
func sample(a map[string]any, n int) any {
	name := a["name"].(string)
	var v any
	switch a["type"] {
	case "string":
		v = fmt.Sprintf("%s %d é", name, n)
	case "boolean":
		v = true
	case "integer":
		v = float64(n)
	case "decimal":
		v = float64(n) + 0.5
	case "dateTime":
		v = fmt.Sprintf("2026-0%d-01T00:00:00Z", n)
	case "binary":
		v = "MIIBIjANBgkq"
	case "reference":
		v = fmt.Sprintf("https://x.test/%d", n)
	case "complex":
		m := map[string]any{}
		for _, s := range a["subAttributes"].([]any) {
			sub := s.(map[string]any)
			if sub["mutability"] != "readOnly" && sub["name"] != "$ref" {
				m[sub["name"].(string)] = sample(sub, n)
			}
		}
		v = m
	}
	if a["multiValued"] == true {
		v = []any{v}
	}
	return v
}

// writable calls f for each attribute that a client may write and read.
func writable(s *service, schema string, f func(path string, a map[string]any)) {
	s.t.Helper()
	doc := s.do("GET", "/Schemas/"+schema, "").want(200, "")
	prefix := ""
	if strings.Contains(schema, ":extension:") {
		prefix = schema + ":"
	}
	for _, e := range doc.body["attributes"].([]any) {
		a := e.(map[string]any)
		if a["mutability"] == "readWrite" && a["returned"] != "never" {
			f(prefix+a["name"].(string), a)
		}
	}
}

// at finds what a path names in a resource; nil if it is not there.
func at(body map[string]any, path string) any {
	if i := strings.LastIndex(path, ":"); i >= 0 {
		ext, _ := body[path[:i]].(map[string]any)
		return ext[path[i+1:]]
	}
	return body[path]
}

// visible takes out what the server adds by itself.
func visible(v any) any {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			delete(m, "$ref")
		}
	}
	return v
}

func TestEverythingAdvertisedIsKept(t *testing.T) {
	t.Parallel()
	for schema, endpoint := range map[string]string{
		"urn:ietf:params:scim:schemas:core:2.0:User":                 "/Users",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": "/Users",
		"urn:ietf:params:scim:schemas:core:2.0:Group":                "/Groups",
	} {
		s := serve(t, "rfc")
		s.addUser("mira")
		s.addGroup("eng")
		one := map[string]string{"/Users": "/Users/id-1", "/Groups": "/Groups/id-2"}[endpoint]
		count := 0
		writable(s, schema, func(path string, a map[string]any) {
			count++
			op := func(op string, value any) {
				t.Helper()
				o := map[string]any{"op": op, "path": path}
				if value != nil {
					o["value"] = value
				}
				text, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				s.do("PATCH", one, patchOp(string(text))).want(200, "")
				read := s.do("GET", one, "").want(200, "")
				if diff := cmp.Diff(value, visible(at(read.body, path))); diff != "" {
					t.Errorf("%s %s (-want +got):\n%s", op, path, diff)
				}
			}
			if a["required"] != true {
				op("remove", nil)
				op("add", sample(a, 1))
			}
			if a["type"] != "complex" || a["multiValued"] == true {
				op("replace", sample(a, 2))
			}
			if a["required"] == true {
				s.do("PATCH", one, patchOp(`{"op":"remove","path":"`+path+`"}`)).refused(400, "mutability", "")
			} else {
				op("remove", nil)
			}
		})
		if count == 0 {
			t.Errorf("%s: nothing to write", schema)
		}
	}
}

// TestEverythingAtOnce posts and puts a resource with a value for every attribute.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	const core, ext = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	s := serve(t, "rfc")
	body := func(n int) map[string]any {
		all := map[string]any{"schemas": []any{core, ext}, "externalId": "x"}
		enterprise := map[string]any{}
		writable(s, core, func(path string, a map[string]any) { all[path] = sample(a, n) })
		writable(s, ext, func(_ string, a map[string]any) { enterprise[a["name"].(string)] = sample(a, n) })
		all[ext] = enterprise
		return all
	}
	check := func(a answer, want map[string]any) {
		t.Helper()
		delete(a.body, "id")
		delete(a.body, "meta")
		for _, v := range a.body {
			visible(v)
		}
		visible(a.body[ext].(map[string]any)["manager"])
		if diff := cmp.Diff(want, a.body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.what, diff)
		}
	}
	for n, method := range []string{"POST", "PUT"} {
		want := body(n + 1)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		path := users
		if method == "PUT" {
			path += "/id-1"
		}
		a := s.do(method, path, string(text))
		if a.code != 201 && a.code != 200 {
			t.Fatalf("%s: %d %s", a.what, a.code, a.raw)
		}
		check(a, want)
		check(s.do("GET", users+"/id-1", "").want(200, ""), want)
	}
}

// TestOwnResourceType serves a type that the configuration brings, with a required
// extension.
func TestOwnResourceType(t *testing.T) {
	t.Parallel()
	const core, ext = "urn:acme:params:scim:schemas:core:2.0:Device", "urn:acme:params:scim:schemas:extension:room-plan:2.0:Device"
	text := func(name, uniqueness string, required bool) *scim.Attribute {
		return &scim.Attribute{Name: name, Type: "string", Mutability: "readWrite", Returned: "default", Uniqueness: uniqueness, Required: required}
	}
	reg, err := scim.NewRegistry(&scim.ResourceType{
		Name: "Device", Endpoint: "/Devices",
		Schema: &scim.Schema{ID: core, Name: "Device", Attributes: []*scim.Attribute{text("serial", "server", true), text("label", "none", false)}},
		Extensions: []scim.Extension{{Required: true, Schema: &scim.Schema{ID: ext, Name: "Room", Attributes: []*scim.Attribute{
			text("room", "none", true), text("floor", "none", false)}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := scim.DialectNamed("rfc")
	h := &scimserver.Handler{Backend: memory.New(reg, memory.Options{}), Registry: reg,
		Auth: func(*http.Request) (scimserver.Client, error) { return scimserver.Client{Dialect: d}, nil }}
	root := mux.NewRouter()
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	srv := httptest.NewServer(root)
	t.Cleanup(srv.Close)
	s := &service{t: t, base: srv.URL + "/scim/v2"}

	s.do("GET", "/ResourceTypes/device", "").want(200, `{"name":"Device","endpoint":"/Devices","schema":"`+core+`"}`)
	s.do("GET", "/Schemas/"+ext, "").want(200, `{"id":"`+ext+`"}`)
	s.do("GET", users, "").refused(404, "", "")
	body := func(serial, more string) string {
		return `{"schemas":["` + core + `","` + ext + `"],"serial":"` + serial + `"` + more + `}`
	}
	room := `,"` + ext + `":{"room":"2.14"}`
	s.do("POST", "/Devices", body("A1", "")).refused(400, "invalidValue", "")
	made := s.do("POST", "/Devices", body("A1", room)).want(201, `{"serial":"A1","`+ext+`":{"room":"2.14"},"meta":{"resourceType":"Device"}}`)
	s.do("POST", "/Devices", body("a1", room)).refused(409, "uniqueness", "serial")
	one := "/Devices/" + made.body["id"].(string)
	s.do("PATCH", one, patchOp(`{"op":"replace","path":"`+ext+`:room","value":"3.1"}`)).want(200, `{"`+ext+`":{"room":"3.1"}}`)
	s.do("PATCH", one, patchOp(`{"op":"remove","path":"`+ext+`"}`)).want(400, "")
	s.do("GET", "/Devices?filter="+ext+":room+eq+%223.1%22", "").want(200, `{"totalResults":1}`)
	// Everything else is there for it too.
	s.do("POST", "/Devices", body("B2", `,"label":"a"`+room)).want(201, "")
	s.do("POST", "/Devices/.search", searchStart+`,"filter":"serial sw \"b\"","attributes":["serial"]}`).want(200, `{"totalResults":1}`)
	s.do("GET", "/Devices?sortBy="+ext+":room", "").want(200, `{"totalResults":2}`)
	s.do("GET", "?filter=serial+eq+%22a1%22", "").want(200, `{"totalResults":1}`)
	s.do("POST", "/Devices/.search", searchStart+`,"cursor":"","count":1}`).want(200, `{"totalResults":2,"itemsPerPage":1}`)
	s.job(bulkJob("", `{"method":"POST","path":"/Devices","bulkId":"d","data":`+body("b2", room)+`}`,
		`{"method":"POST","path":"/Devices","bulkId":"e","data":`+body("C3", room)+`}`,
		`{"method":"PATCH","path":"/Devices/bulkId:e","data":`+patchOp(`{"op":"add","path":"label","value":"c"}`)+`}`,
		`{"method":"DELETE","path":"`+one+`","version":"W/\"2\""}`),
		"POST d 409", "POST e 201", "PATCH 200", "DELETE 204")
	s.do("GET", "/Devices?sortBy=serial&sortOrder=descending&attributes=serial", "").want(200, `{"totalResults":2}`)
}
