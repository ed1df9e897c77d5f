package admin_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/admin"
)

// contract is the description of the API, to hold answers against.
type contract struct {
	doc        map[string]any
	operations []operation
	compiler   *jsonschema.Compiler
	compiled   map[string]*jsonschema.Schema
}

type operation struct {
	method, path string
	says         map[string]any
}

// contractOf reads the description that the API gives, as a client does. Answers are to
// hold nothing that it does not name.
func contractOf(t *testing.T, api *admin.API) *contract {
	t.Helper()
	w := httptest.NewRecorder()
	api.OpenAPI().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/openapi.json", nil))
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if w.Code != 200 || err != nil {
		t.Fatalf("%d %v", w.Code, err)
	}
	c := &contract{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	for _, def := range at(c.doc, "components", "schemas").(map[string]any) {
		if def, ok := def.(map[string]any); ok && def["properties"] != nil && def["additionalProperties"] == nil {
			def["additionalProperties"] = false
		}
	}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("api.json", c.doc); err != nil {
		t.Fatal(err)
	}
	paths := at(c.doc, "paths").(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			c.operations = append(c.operations, operation{strings.ToUpper(method), path, methods[method].(map[string]any)})
		}
	}
	return c
}

// at follows names into a document, references included.
func at(v any, names ...string) any {
	for _, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func (c *contract) resolve(v any) map[string]any {
	m, _ := v.(map[string]any)
	for m != nil {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		m, _ = at(c.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(map[string]any)
	}
	return nil
}

func pointer(names ...string) string {
	for i, name := range names {
		names[i] = url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return "api.json#/" + strings.Join(names, "/")
}

// fault is what is wrong with an answer; empty: nothing.
func (c *contract) fault(op operation, status int, header http.Header, body []byte) string {
	if status == 500 {
		return "an internal error"
	}
	where := []string{"paths", op.path, strings.ToLower(op.method), "responses", strconv.Itoa(status)}
	said := at(c.doc, where...)
	if said == nil {
		return "the status is not in the description"
	}
	if ref, ok := said.(map[string]any)["$ref"].(string); ok {
		where = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		said = c.resolve(said)
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if status == 304 {
		return ""
	}
	if err != nil || at(said, "content", kind) == nil {
		return "the media type " + header.Get("Content-Type") + " is not in the description"
	}
	if !strings.HasSuffix(kind, "json") {
		return ""
	}
	where = append(where, "content", kind, "schema")
	key := strings.Join(where, " ")
	if c.compiled[key] == nil {
		if c.compiled[key], err = c.compiler.Compile(pointer(where...)); err != nil {
			return "the schema cannot be read: " + err.Error()
		}
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = c.compiled[key].Validate(v)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// words are what parameters and fields are tried with: what is there, and what is not.
var words = rapid.SampledFrom([]string{"ada", "chat", "hr", "employee", "none", "", "1", "2027-01-01", "2026-01-01T00:00:00Z", "30d", "true", "false", "csv", "json",
	"open", "active", "leaver", "x\"y", "jörg müller/é", "a\x00b", "\xff", "-1", "999999999999999999999", "eA", "!!", "${env:HOME}", "'; --", strings.Repeat("ö", 300)})

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// address is an address of an operation, with parameters; there are the things that there are.
func (c *contract) address(t *rapid.T, op operation, there map[string]string) string {
	path := inPath.ReplaceAllStringFunc(op.path, func(name string) string {
		known := there[name]
		word := words.Draw(t, name)
		if known != "" && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
			word = known
		}
		if word == "" || word == "." {
			word = "x"
		}
		return url.PathEscape(word)
	})
	q := url.Values{}
	for _, p := range op.says["parameters"].([]any) {
		p := c.resolve(p)
		if p["in"] == "query" && rapid.IntRange(0, 3).Draw(t, "given") == 0 {
			q.Add(p["name"].(string), words.Draw(t, p["name"].(string)))
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// value is one that a schema allows, more or less.
func (c *contract) value(t *rapid.T, schema any, deep int) any {
	s := c.resolve(schema)
	if rapid.IntRange(0, 30).Draw(t, "odd") == 0 {
		return rapid.SampledFrom([]any{nil, 1.5, "odd", true, []any{}, map[string]any{}}).Draw(t, "odd value")
	}
	switch s["type"] {
	case "object":
		out := map[string]any{}
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(required, any(name)) || rapid.Bool().Draw(t, name) {
				out[name] = c.value(t, properties[name], deep+1)
			}
		}
		if rapid.IntRange(0, 20).Draw(t, "more") == 0 {
			out["surplus"] = 1
		}
		return out
	case "array":
		out := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			if deep < 4 {
				out = append(out, c.value(t, s["items"], deep+1))
			}
		}
		return out
	case "integer", "number":
		return rapid.SampledFrom([]int64{0, 1, 2, -1, 1 << 40}).Draw(t, "number")
	case "boolean":
		return rapid.Bool().Draw(t, "flag")
	}
	return strings.ToValidUTF8(words.Draw(t, "text"), "?")
}

func (c *contract) body(t *rapid.T, op operation) string {
	content, _ := at(op.says, "requestBody", "content").(map[string]any)
	if content == nil {
		return ""
	}
	if content["application/json"] == nil {
		return "userName,active\nada,true\n"
	}
	raw, err := json.Marshal(c.value(t, at(content, "application/json", "schema"), 0))
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 15).Draw(t, "broken") {
	case 0:
		return string(raw[:len(raw)/2])
	case 1:
		return ""
	case 2:
		return string(raw) + "{}"
	}
	return string(raw)
}
