package scimserver

import (
	"net/http"
	"net/url"

	"github.com/scimhub/scimhub/model/scim"
)

// me serves /Me (RFC 7644 §3.11): the User that a client acts for is read and
// written there like at its own URL, which Location names. For clients that act for
// nobody, or for somebody who has no User, there is no /Me: 501. Nobody creates
// themselves there.
func (h *Handler) me() methods {
	none := notImplemented("/Me to clients that act for no user")
	m := everyMethod(none)
	if t, ok := h.Registry.Type("User"); ok {
		for method, act := range h.one(t) {
			m[method] = asSubject(t, act, none)
		}
	}
	return m
}

func asSubject(t *scim.ResourceType, act, none action) action {
	return func(x *exchange) (reply, error) {
		id, err := x.subject(t)
		if err != nil {
			return reply{}, err
		}
		if id == "" {
			return none(x)
		}
		x.target = id
		rep, err := act(x)
		if err != nil {
			return reply{}, err
		}
		return rep.with("Location", x.base+t.Endpoint+"/"+url.PathEscape(id)), nil
	}
}

// subject is the id of the User that the client acts for; empty if there is none,
// or more than one, so that nobody is taken for somebody else.
func (x *exchange) subject(t *scim.ResourceType) (string, error) {
	who := x.client.Subject
	if who == nil || who.Value == "" {
		return "", nil
	}
	path, err := scim.ParsePath(who.Attribute)
	if err != nil {
		return "", &scim.Error{Status: http.StatusInternalServerError, Detail: "the attribute of the client's subject is no path", Err: err}
	}
	f, err := scim.Bind(scim.Compare{Path: path, Op: scim.Eq, Value: who.Value}, t)
	if err != nil {
		return "", &scim.Error{Status: http.StatusInternalServerError, Detail: "the attribute of the client's subject cannot be asked for", Err: err}
	}
	q := scim.Query{Filter: f, StartIndex: 1, Count: 2, Fields: scim.Fields{Include: []scim.Path{{Attr: "id"}}}}
	page, err := x.Backend.List(x.ctx, t, q)
	if err != nil || len(page.Resources) != 1 {
		return "", err
	}
	return page.Resources[0].ID, nil
}
