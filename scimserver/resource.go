package scimserver

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
)

// maxID is the longest id that a backend is asked for, in bytes. None are issued
// that are longer.
const maxID = 1 << 10

// id is what the URL names, or the client's own resource. 404 for what cannot be
// an id: databases have other opinions on such texts.
func (x *exchange) id(t *scim.ResourceType) (string, error) {
	id := x.target
	if id == "" {
		id = pathValue(x.r, "id")
	}
	if !plausible(id) {
		return "", NotFound(t, strings.ToValidUTF8(id, "?"))
	}
	return id, nil
}

func plausible(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}

// pathValue is a variable of the path without percent-encoding. A router that
// matches the path as it was sent (mux.Router.UseEncodedPath) leaves it encoded.
func pathValue(r *http.Request, name string) string {
	v := mux.Vars(r)[name]
	if !strings.Contains(v, "%") || !strings.HasSuffix(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/"+v) {
		return v
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}

// one are the methods of a single resource.
func (h *Handler) one(t *scim.ResourceType) methods {
	m := methods{http.MethodGet: get(t), http.MethodPut: put(t), http.MethodPatch: patch(t), http.MethodDelete: remove(t)}
	if h.NoPatch {
		m[http.MethodPatch] = notImplemented("PATCH")
	}
	return m
}

// shown is the answer that carries a resource (RFC 7644 §3.1, §3.14).
func (x *exchange) shown(status int, t *scim.ResourceType, res scim.Resource, f scim.Fields) reply {
	location := x.base + t.Endpoint + "/" + url.PathEscape(res.ID)
	rep := reply{status: status, body: rendered(t, res, x.base, f)}.
		with("Etag", res.Meta.ETag()).with("Content-Location", location)
	if status == http.StatusCreated {
		rep = rep.with("Location", location)
	}
	return rep
}

// passedOn is a resource most of whose attributes are JSON already.
type passedOn struct {
	encoded []byte         // one object
	rest    map[string]any // what is not in it: id, meta, …
}

// rendered is the body of a resource; what the backend has encoded is passed on.
func rendered(t *scim.ResourceType, res scim.Resource, base string, f scim.Fields) any {
	members, res, apart := shownMembers(t, res, base, f)
	var out any
	switch {
	case res.Encoded == nil:
		out = t.Render(res, base, f)
	case len(res.Attrs) == 0:
		out = whole{t, res, base}
	default:
		rest := t.Render(res, base, f)
		delete(rest, "schemas") // in the encoded part
		out = passedOn{res.Encoded, rest}
	}
	if apart {
		return groupBody{out, members}
	}
	return out
}

// get serves GET /Users/{id} (RFC 7644 §3.4.1).
func get(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		_, fields, err := x.fields()
		if err != nil {
			return reply{}, err
		}
		id, err := x.id(t)
		if err != nil {
			return reply{}, err
		}
		res, err := x.Backend.Get(x.ctx, t, id, passOn(fields, t))
		if err != nil {
			return reply{}, err
		}
		if err := ParsePrecondition(x.r.Header.Values("If-Match")).Check(res.Meta); err != nil {
			return reply{}, err
		}
		if parseTags(x.r.Header.Values("If-None-Match")).holds(res.Meta) {
			return reply{status: http.StatusNotModified}.with("Etag", res.Meta.ETag()), nil
		}
		return x.shown(http.StatusOK, t, res, fields), nil
	}
}

// whole reads a request that carries a whole resource: its attributes, and what the
// answer should show.
func (x *exchange) whole(t *scim.ResourceType) (map[string]any, scim.Fields, error) {
	_, fields, err := x.fields()
	if err != nil {
		return nil, fields, err
	}
	body, err := x.readBody(x.MaxBody)
	if err != nil {
		return nil, fields, err
	}
	attrs, err := t.Decode(body, x.client.Dialect)
	return attrs, fields, err
}

// create serves POST /Users (RFC 7644 §3.3).
func create(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		attrs, fields, err := x.whole(t)
		if err != nil {
			return reply{}, err
		}
		res, err := x.Backend.Create(x.ctx, t, attrs)
		if err != nil {
			return reply{}, err
		}
		fields.Given = t.Given(scim.Change{Replace: attrs})
		return x.shown(http.StatusCreated, t, res, fields), nil
	}
}

// put serves PUT /Users/{id} (RFC 7644 §3.5.1). It never creates.
func put(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		attrs, fields, err := x.whole(t)
		if err != nil {
			return reply{}, err
		}
		return x.modify(t, scim.Change{Replace: attrs, Dialect: x.client.Dialect}, fields)
	}
}

// patch serves PATCH /Users/{id} (RFC 7644 §3.5.2).
func patch(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		p, fields, err := x.fields()
		if err != nil {
			return reply{}, err
		}
		body, err := x.readBody(x.MaxBody)
		if err != nil {
			return reply{}, err
		}
		ops, err := scim.ParsePatch(body, t, x.client.Dialect)
		if err != nil {
			return reply{}, err
		}
		change := scim.Change{Patch: ops, Dialect: x.client.Dialect}
		if !x.silentPatch(t, p) {
			return x.modify(t, change, fields)
		}
		// Nobody looks at the result: a backend need not load a group's members for it.
		rep, err := x.modify(t, change, scim.Fields{Include: []scim.Path{{Attr: "id"}}})
		if err == nil {
			rep.status, rep.body = http.StatusNoContent, nil
		}
		return rep, err
	}
}

// silentPatch reports whether a PATCH is answered without a body. Entra prefers
// that for groups, whose bodies can be huge; who asks for attributes always gets
// them (RFC 7644 §3.5.2).
func (x *exchange) silentPatch(t *scim.ResourceType, p params) bool {
	if p.attributes != "" || p.excluded != "" {
		return false
	}
	return x.PatchNoContent || t.Name == "Group" && x.client.Dialect.Name == "entra"
}

func (x *exchange) modify(t *scim.ResourceType, c scim.Change, fields scim.Fields) (reply, error) {
	id, err := x.id(t)
	if err != nil {
		return reply{}, err
	}
	fields.Given = t.Given(c)
	res, err := x.Backend.Modify(x.ctx, t, id, precondition(x.r.Header), c, fields)
	if err != nil {
		return reply{}, err
	}
	return x.shown(http.StatusOK, t, res, fields), nil
}

// remove serves DELETE /Users/{id} (RFC 7644 §3.6).
func remove(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		id, err := x.id(t)
		if err != nil {
			return reply{}, err
		}
		if err := x.Backend.Delete(x.ctx, t, id, precondition(x.r.Header)); err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusNoContent}, nil
	}
}
