package admin

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// object is a JSON object under way.
type object = map[string]any

// problemStatuses are those that any operation may answer with.
var problemStatuses = []int{400, 401, 403, 404, 409, 429, 500, 503} //nolint:gochecknoglobals // read only

// OpenAPI answers with the description of the API (OpenAPI 3.1). It is made of the
// routes, once, and holds nothing of this hub: everybody may read it.
func (a *API) OpenAPI() http.Handler {
	made := sync.OnceValues(a.Description)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := made()
		if err != nil {
			a.Log.ErrorContext(r.Context(), "the API cannot be described", "error", err)
			send(w, problemAnswer(err))
			return
		}
		out := answer{status: http.StatusOK, kind: kindJSON, body: body, header: http.Header{"Access-Control-Allow-Origin": {"*"}}}
		if r.Method == http.MethodHead {
			out.body = nil
		}
		send(w, ifNoneMatch(r, out))
	})
}

// Description is the OpenAPI document of the API, as JSON.
func (a *API) Description() ([]byte, error) {
	routes := a.routes()
	shown := map[string]route{}
	for _, rt := range routes {
		if rt.method == http.MethodGet {
			shown[rt.path] = rt
		}
	}
	schemas, err := newSchemas(routes)
	if err != nil {
		return nil, err
	}
	paths := map[string]object{}
	for _, rt := range routes {
		if paths[rt.path] == nil {
			paths[rt.path] = object{}
		}
		paths[rt.path][strings.ToLower(rt.method)] = operation(rt, shown, schemas)
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{"title": "scimhub", "version": textOr(a.Version.Version, "dev"),
			"description": "The JSON API of the hub. Errors are problem+json (RFC 9457). Listings are read page by page: as long as an answer has next, ask again with it as cursor. " +
				"Times are RFC 3339; durations are those of Go, or with d, w, y.",
			"license": object{"name": "Apache 2.0", "identifier": "Apache-2.0"}},
		"servers":    []any{object{"url": "/api/v1"}},
		"security":   []any{object{"bearer": []string{}}},
		"tags":       tags(routes),
		"paths":      paths,
		"components": components(schemas),
	})
}

func textOr(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func tags(routes []route) (out []any) {
	var all []string
	for _, rt := range routes {
		all = append(all, tagOf(rt))
	}
	slices.Sort(all)
	for _, tag := range slices.Compact(all) {
		out = append(out, object{"name": tag})
	}
	return out
}

func tagOf(rt route) string { return strings.Split(rt.path, "/")[1] }

// operation describes one route.
func operation(rt route, shown map[string]route, schemas *schemas) object {
	thing := thingOf(rt, shown)
	_, ofMany := shown[rt.path].about.out.(listing)
	out := object{"operationId": operationID(rt, ofMany), "tags": []string{tagOf(rt)}, "x-scimhub-right": string(rt.right), "x-scimhub-roles": rolesWith(rt.right),
		"parameters": parameters(rt, thing), "responses": responses(rt, thing, schemas)}
	if rt.about.sum != "" {
		out["summary"] = rt.about.sum
	}
	if len(rt.about.takes) > 0 {
		content := object{}
		for _, kind := range rt.about.takes {
			content[kind] = object{"schema": object{"type": "string"}}
			if kind == "multipart/form-data" {
				content[kind] = object{"schema": object{"type": "object"}}
			}
		}
		out["requestBody"] = object{"required": true, "content": content}
	} else if rt.about.in != nil {
		schema, required := schemas.request(rt.about.in)
		out["requestBody"] = object{"required": required, "content": object{kindJSON: object{"schema": schema}}}
	}
	return out
}

var variable = regexp.MustCompile(`\{(\w+)\}`)

func parameters(rt route, thing *route) []any {
	out := []any{}
	for _, found := range variable.FindAllStringSubmatch(rt.path, -1) {
		out = append(out, object{"name": found[1], "in": "path", "required": true, "description": pathWords(found[1]), "schema": object{"type": "string", "minLength": 1}})
	}
	for _, name := range rt.about.query {
		schema, words := queryWords(name)
		out = append(out, object{"name": name, "in": "query", "description": words, "schema": schema})
	}
	ref := func(name string) { out = append(out, object{"$ref": "#/components/parameters/" + name}) }
	switch {
	case rt.method == http.MethodGet && rt.about.out != nil:
		ref("IfNoneMatch")
	case rt.method == http.MethodPost && !rt.about.reads:
		ref("IdempotencyKey")
	}
	if thing != nil {
		ref("IfMatch")
	}
	return out
}

func responses(rt route, thing *route, schemas *schemas) object {
	content := object{}
	if rt.about.out != nil {
		content[kindJSON] = object{"schema": schemas.answer(rt.about.out)}
	}
	for _, kind := range rt.about.also {
		content[kind] = object{"schema": object{"type": "string"}}
		if kind == kindJSON { // streamed; what it holds is told by what lists the same
			content[kind] = object{"schema": object{"type": "object"}}
		}
	}
	good := object{"description": "Done", "content": content}
	out := object{"200": good}
	statuses := slices.Clone(problemStatuses)
	switch {
	case rt.method == http.MethodGet && rt.about.out != nil:
		good["description"] = "What was asked for"
		good["headers"] = object{"ETag": object{"$ref": "#/components/headers/ETag"}}
		out["304"] = object{"description": "What the client has is still so (If-None-Match)"}
	case rt.method == http.MethodPost && !rt.about.reads:
		good["headers"] = object{idempotencyReplayed: object{"$ref": "#/components/headers/IdempotencyReplayed"}}
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	if thing != nil {
		statuses = append(statuses, http.StatusPreconditionFailed)
	}
	for _, status := range statuses {
		out[strconv.Itoa(status)] = object{"$ref": "#/components/responses/Problem" + strconv.Itoa(status)}
	}
	return out
}

func components(schemas *schemas) object {
	problems := object{}
	for _, status := range append(slices.Clone(problemStatuses), http.StatusPreconditionFailed, http.StatusUnprocessableEntity) {
		one := object{"description": http.StatusText(status), "content": object{kindProblem: object{"schema": schemas.answer(Problem{})}}}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			one["headers"] = object{"Retry-After": object{"description": "Seconds to wait", "schema": object{"type": "integer"}}}
		}
		problems["Problem"+strconv.Itoa(status)] = one
	}
	header := func(name, words string, schema object) object {
		return object{"name": name, "in": "header", "description": words, "schema": schema}
	}
	text := object{"type": "string"}
	return object{
		"schemas":   schemas.defs,
		"responses": problems,
		"headers": object{
			"ETag":                object{"description": "Another one wherever the answer is another; for If-None-Match, and for If-Match of what changes this", "schema": text},
			"IdempotencyReplayed": object{"description": "true where the request had been carried out before, and this is its first answer", "schema": text},
		},
		"parameters": object{
			"IfNoneMatch": header("If-None-Match", "ETag of what the client has: where that is still so, the answer is 304", text),
			"IfMatch":     header("If-Match", "ETag of what the change was decided on: where that is no longer so, nothing is done and the answer is 412", text),
			"IdempotencyKey": header(idempotencyKey, "A new one for each request, the same one when it is sent again: it is carried out once, and for a day the first answer is given again",
				object{"type": "string", "minLength": 1, "maxLength": maxKey}),
		},
		// A session of the console opens its pages alone: a cookie is no credential here.
		"securitySchemes": object{
			"bearer": object{"type": "http", "scheme": "bearer", "description": "An API token"},
		},
	}
}

// operationID names a route: a verb, and the static parts of its address, where a variable
// follows in the singular. ofMany: what is listed at the address is what a POST makes.
func operationID(rt route, ofMany bool) string {
	parts := strings.Split(rt.path, "/")[1:]
	var name strings.Builder
	action := ""
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			continue
		}
		one := i+1 < len(parts) && strings.HasPrefix(parts[i+1], "{")
		last := i == len(parts)-1
		if last && i > 0 && strings.HasPrefix(parts[i-1], "{") && rt.method == http.MethodPost {
			action = part
			continue
		}
		if one || last && ofMany && rt.method == http.MethodPost {
			part = singular(part)
		}
		name.WriteString(camel(part))
	}
	verb := map[string]string{http.MethodGet: "get", http.MethodPost: "post", http.MethodDelete: "delete", http.MethodPut: "put", http.MethodPatch: "patch"}[rt.method]
	switch {
	case action != "":
		first := camel(action)
		return strings.ToLower(first[:1]) + first[1:] + name.String()
	case rt.method == http.MethodGet && ofMany:
		verb = "list"
	case rt.method == http.MethodPost && ofMany:
		verb = "create"
	}
	return verb + name.String()
}

func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies"):
		return strings.TrimSuffix(word, "ies") + "y"
	case strings.HasSuffix(word, "s"):
		return strings.TrimSuffix(word, "s")
	}
	return word
}

// camel writes what-if as WhatIf.
func camel(text string) string {
	var out strings.Builder
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}
