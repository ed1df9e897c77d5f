package scim

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantFault demands an *Error of that scimType that names what in its detail.
func wantFault(t *testing.T, name string, err error, scimType, what string) {
	t.Helper()
	e, ok := AsError(err)
	if !ok || e.Status != 400 || e.Type != scimType || !strings.Contains(e.Detail, what) {
		t.Errorf("%s: %v, want 400 %s with %q", name, err, scimType, what)
	}
}

func TestParseSearchRequest(t *testing.T) {
	t.Parallel()
	num := func(n int) *int { return &n }
	str := func(s string) *string { return &s }
	tests := []struct {
		body string
		want SearchRequest
	}{
		{`"attributes":["userName","name.givenName"],"filter":"active eq true","sortBy":"userName","sortOrder":"descending","startIndex":2,"count":0`,
			SearchRequest{Attributes: []string{"userName", "name.givenName"}, Filter: "active eq true", SortBy: "userName",
				SortOrder: "descending", StartIndex: num(2), Count: num(0)}},
		{`"EXCLUDEDATTRIBUTES":["x"],"cursor":"","unknown":{"a":1}`, SearchRequest{ExcludedAttributes: []string{"x"}, Cursor: str("")}},
		{`"startIndex":-3,"count":null,"cursor":null,"filter":null,"attributes":null`, SearchRequest{StartIndex: num(-3)}},
		{`"attributes":[]`, SearchRequest{}},
	}
	for _, tt := range tests {
		got, err := ParseSearchRequest([]byte(`{"schemas":["`+strings.ToUpper(URNSearchRequest)+`"],`+tt.body+`}`), dialect(t, "rfc"))
		if len(got.Attributes) == 0 {
			got.Attributes = nil
		}
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", tt.body, err, d)
		}
	}
	f, err := SearchRequest{Attributes: []string{"userName", "name.givenName"}}.Fields()
	if err != nil || len(f.Include) != 2 {
		t.Errorf("fields: %+v, %v", f, err)
	}
}

func TestParseSearchRequestFaults(t *testing.T) {
	t.Parallel()
	const urn = `"schemas":["` + URNSearchRequest + `"]`
	tests := []struct{ body, dialect, scimType, what string }{
		{`{}`, "rfc", InvalidSyntax, "schemas"},
		{`{"schemas":["` + URNPatchOp + `"]}`, "rfc", InvalidSyntax, "schemas"},
		{`{` + urn + `,"count":"5"}`, "rfc", InvalidValue, "count"},
		{`{` + urn + `,"count":1.5}`, "rfc", InvalidValue, "count"},
		{`{` + urn + `,"startIndex":5.0}`, "rfc", InvalidValue, "startIndex"},
		{`{` + urn + `,"startIndex":99999999999999999999}`, "rfc", InvalidValue, "startIndex"},
		{`{` + urn + `,"attributes":"userName"}`, "rfc", InvalidValue, "attributes"},
		{`{` + urn + `,"attributes":[1]}`, "rfc", InvalidValue, "attributes[0]"},
		{`{` + urn + `,"filter":{}}`, "rfc", InvalidValue, "filter"},
		{`{` + urn + `,"cursor":1}`, "rfc", InvalidValue, "cursor"},
		{`{` + urn + `,"nope":1}`, "interop", InvalidSyntax, "nope"},
		{`{` + urn + `,"count":1,"COUNT":2}`, "rfc", InvalidSyntax, "twice"},
		{`[]`, "rfc", InvalidSyntax, "object"},
		{``, "rfc", InvalidSyntax, "empty"},
		{`{` + urn + `} x`, "rfc", InvalidSyntax, "after the end"},
	}
	for _, tt := range tests {
		_, err := ParseSearchRequest([]byte(tt.body), dialect(t, tt.dialect))
		wantFault(t, tt.body, err, tt.scimType, tt.what)
	}
	if _, err := ParseSearchRequest([]byte(`{"filter":"a pr","attributes":"userName"}`), dialect(t, "lenient")); err != nil {
		t.Errorf("lenient: %v", err)
	}
}

func bulk(ops string) []byte {
	return []byte(`{"schemas":["` + URNBulkRequest + `"],"Operations":[` + ops + `]}`)
}

func TestParseBulk(t *testing.T) {
	t.Parallel()
	req, err := ParseBulk([]byte("\ufeff"+`{"schemas":["`+URNBulkRequest+`"],"failOnErrors":2,"Operations":[
		{"method":"POST","bulkId":"q","path":"/Users","data":{ "a" : 1.50 }},
		{"method":"DELETE","path":"/Users/a%2Fb","version":"W/\"3\"","data":{"x":1}},
		{"method":"patch","path":"/Groups/bulkId:q","data":{}}]}`), dialect(t, "lenient"))
	if err != nil {
		t.Fatal(err)
	}
	want := BulkRequest{FailOnErrors: 2, Operations: []BulkOperation{
		{Method: "POST", BulkID: "q", Path: "/Users", Data: []byte(`{ "a" : 1.50 }`)},
		{Method: "DELETE", Path: "/Users/a%2Fb", Version: `W/"3"`},
		{Method: "PATCH", Path: "/Groups/bulkId:q", Data: []byte(`{}`)},
	}}
	if d := cmp.Diff(want, req); d != "" {
		t.Error(d)
	}
	if endpoint, id := req.Operations[1].Target(); endpoint != "/Users" || id != "a/b" {
		t.Errorf("target %q %q", endpoint, id)
	}
	if name, ok := req.Operations[2].PathReference(); name != "q" || !ok {
		t.Errorf("path reference %q %v", name, ok)
	}
}

// A fault of one operation leaves the others alone.
func TestParseBulkOperationFaults(t *testing.T) {
	t.Parallel()
	const good = `{"method":"POST","bulkId":"ok","path":"/Users","data":{}}`
	tests := []struct{ op, scimType, what string }{
		{`7`, InvalidSyntax, "object"},
		{`null`, InvalidSyntax, "object"},
		{`{"method":"GET","path":"/Users/1"}`, InvalidSyntax, "method"},
		{`{"path":"/Users/1"}`, InvalidSyntax, "method"},
		{`{"method":["POST"],"path":"/Users/1"}`, InvalidValue, "method"},
		{`{"method":"POST","path":"/Users","data":{}}`, InvalidSyntax, "bulkId"},
		{`{"method":"POST","bulkId":"","path":"/Users","data":{}}`, InvalidSyntax, "bulkId"},
		{`{"method":"POST","bulkId":7,"path":"/Users","data":{}}`, InvalidValue, "bulkId"},
		{`{"method":"POST","bulkId":"ok","path":"/Users","data":{}}`, InvalidValue, "earlier"},
		{`{"method":"POST","bulkId":"b","path":"/Users/1","data":{}}`, InvalidValue, "path"},
		{`{"method":"POST","bulkId":"b","data":{}}`, InvalidSyntax, "path"},
		{`{"method":"PUT","path":"/Users","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"Users/1","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"https://x.test/Users/1","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"/Users/1/2","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"/Users/1?a=b","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"/Users/%zz","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"/Users/","data":{}}`, InvalidValue, "path"},
		{`{"method":"PUT","path":"/Users/1"}`, InvalidSyntax, "data"},
		{`{"method":"PATCH","path":"/Users/1","data":[]}`, InvalidSyntax, "data"},
		{`{"method":"PATCH","path":"/Users/1","data":null}`, InvalidSyntax, "data"},
	}
	for _, tt := range tests {
		req, err := ParseBulk(bulk(good+","+tt.op+`,{"method":"DELETE","path":"/Users/9"}`), dialect(t, "rfc"))
		if err != nil || len(req.Operations) != 3 || req.Operations[0].Err != nil || req.Operations[2].Err != nil {
			t.Errorf("%s: %v, %+v", tt.op, err, req)
			continue
		}
		wantFault(t, tt.op, req.Operations[1].Err, tt.scimType, tt.what)
	}
	if req, _ := ParseBulk(bulk(`{"method":"post","bulkId":"b","path":"/Users","data":{}}`), dialect(t, "interop")); req.Operations[0].Err == nil {
		t.Error("interop: a verb in lower case")
	}
}

func TestParseBulkFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, scimType, what string }{
		{`{"Operations":[]}`, InvalidSyntax, "schemas"},
		{string(bulk("")), InvalidSyntax, "Operations"},
		{`{"schemas":["` + URNBulkRequest + `"]}`, InvalidSyntax, "Operations"},
		{`{"schemas":["` + URNBulkRequest + `"],"failOnErrors":-1,"Operations":[{}]}`, InvalidValue, "failOnErrors"},
		{`{"schemas":["` + URNBulkRequest + `"],"failOnErrors":"1","Operations":[{}]}`, InvalidValue, "failOnErrors"},
		{`{"schemas":["` + URNBulkRequest + `"],"Operations":` + strings.Repeat("[", 20_000), InvalidSyntax, "deeper"},
	}
	for _, tt := range tests {
		_, err := ParseBulk([]byte(tt.body), dialect(t, "rfc"))
		wantFault(t, tt.body[:min(len(tt.body), 80)], err, tt.scimType, tt.what)
	}
	_, err := ParseBulk(bulk(strings.Repeat("0,", MaxOperations)+"0"), dialect(t, "rfc"))
	if e, ok := AsError(err); !ok || e.Status != 413 {
		t.Errorf("too many operations: %v", err)
	}
}

func TestBulkReferences(t *testing.T) {
	t.Parallel()
	op := BulkOperation{Method: "PUT", Path: "/Groups/bulkId:g", Data: []byte(`{"bulkId:a":"bulkId:a", "list":["bulkId:b",
		{"value" : "bulkId:c"},"x bulkId:d","bulkId:","\u0062ulkId:a","bulkId:a" ], "d":"\"bulkId:e\""}`)}
	if got := op.References(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("references %v", got)
	}
	was := string(op.Data)
	out := op.Resolve(map[string]string{"a": `1"`, "c": "3", "g": "x/y"})
	want := `{"bulkId:a":"1\"", "list":["bulkId:b",
		{"value" : "3"},"x bulkId:d","bulkId:","1\"","1\"" ], "d":"\"bulkId:e\""}`
	if string(out.Data) != want || out.Path != "/Groups/x%2Fy" || string(op.Data) != was {
		t.Errorf("resolved %s\n%s", out.Path, out.Data)
	}
	if same := op.Resolve(nil); string(same.Data) != was || same.Path != op.Path {
		t.Error("nothing to resolve, but it changed")
	}
}

func FuzzParseBulk(f *testing.F) {
	f.Add([]byte(`{"schemas":["` + URNBulkRequest + `"],"Operations":[{"method":"POST","bulkId":"q","path":"/Users","data":{"a":["bulkId:q",{"b":"bulkId:r"}]}}]}`))
	f.Add([]byte(`{"Operations":[{"method":"DELETE","path":"/Users/bulkId:q"}],"failOnErrors":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := ParseBulk(body, dialect(t, "lenient"))
		if err != nil {
			if _, ok := AsError(err); !ok {
				t.Fatal(err)
			}
			return
		}
		for _, op := range req.Operations {
			if op.Err != nil {
				continue
			}
			ids := map[string]string{}
			for _, name := range op.References() {
				ids[name] = `id "` + name
			}
			done := op.Resolve(ids)
			if len(op.Data) > 0 {
				if _, err := ParseJSON(done.Data); err != nil {
					t.Fatalf("%s became %s: %v", op.Data, done.Data, err)
				}
			}
			if left := done.References(); len(left) > 0 {
				t.Fatalf("%s: %v are left", done.Data, left)
			}
		}
	})
}

func FuzzParseSearchRequest(f *testing.F) {
	f.Add([]byte(`{"schemas":["` + URNSearchRequest + `"],"attributes":["a.b"],"filter":"a pr","startIndex":1,"count":-1,"cursor":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := ParseSearchRequest(body, dialect(t, "lenient"))
		if err == nil {
			_, err = s.Fields()
		}
		if _, ok := AsError(err); err != nil && !ok {
			t.Fatal(err)
		}
	})
}
