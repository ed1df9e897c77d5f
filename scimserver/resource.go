package scimserver

import (
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
)

func (x *exchange) id() string { return mux.Vars(x.r)["id"] }

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
	out := t.Render(res, base, f)
	if res.Encoded == nil {
		return out
	}
	delete(out, "schemas") // in the encoded part
	return passedOn{res.Encoded, out}
}

// get serves GET /Users/{id} (RFC 7644 §3.4.1).
func get(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		_, fields, err := x.fields()
		if err != nil {
			return reply{}, err
		}
		res, err := x.Backend.Get(x.ctx, t, x.id(), passOn(fields, t))
		if err != nil {
			return reply{}, err
		}
		if known := ParsePrecondition(x.r.Header.Values("If-None-Match")); !known.IsZero() && known.Matches(res.Meta) {
			return reply{status: http.StatusNotModified}.with("Etag", res.Meta.ETag()), nil
		}
		return x.shown(http.StatusOK, t, res, fields), nil
	}
}

// listBody is the ListResponse of RFC 7644 §3.4.2. Resources is never null.
type listBody struct {
	Schemas                         []string
	Total, StartIndex, ItemsPerPage int
	Resources                       []any
}

func listOf(resources []any) listBody {
	return listBody{Schemas: []string{scim.URNListResponse}, Total: len(resources), StartIndex: 1,
		ItemsPerPage: len(resources), Resources: resources}
}

// list serves GET /Users (RFC 7644 §3.4.2).
func list(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		q, err := x.query(t)
		if err != nil {
			return reply{}, err
		}
		page, err := x.Backend.List(x.ctx, t, q)
		if err != nil {
			return reply{}, err
		}
		body := listOf(make([]any, 0, len(page.Resources)))
		for _, res := range page.Resources {
			body.Resources = append(body.Resources, rendered(t, res, x.base, q.Fields))
		}
		body.Total, body.StartIndex, body.ItemsPerPage = page.Total, q.StartIndex, len(page.Resources)
		return reply{status: http.StatusOK, body: body}, nil
	}
}

// whole reads a request that carries a whole resource: its attributes, and what the
// answer should show.
func (x *exchange) whole(t *scim.ResourceType) (map[string]any, scim.Fields, error) {
	_, fields, err := x.fields()
	if err != nil {
		return nil, fields, err
	}
	body, err := x.readBody()
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
		body, err := x.readBody()
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
	pre := ParsePrecondition(x.r.Header.Values("If-Match"))
	res, err := x.Backend.Modify(x.ctx, t, x.id(), pre, c, fields)
	if err != nil {
		return reply{}, err
	}
	return x.shown(http.StatusOK, t, res, fields), nil
}

// remove serves DELETE /Users/{id} (RFC 7644 §3.6).
func remove(t *scim.ResourceType) action {
	return func(x *exchange) (reply, error) {
		pre := ParsePrecondition(x.r.Header.Values("If-Match"))
		if err := x.Backend.Delete(x.ctx, t, x.id(), pre); err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusNoContent}, nil
	}
}
