// Package scimserver serves SCIM 2.0 over HTTP (RFC 7644) for any [Backend]:
// authentication, content negotiation, conditional requests, projection, paging
// and error bodies are here; what a resource is and how it changes is in
// model/scim; where it is kept is the backend's business.
//
// A request takes one way through: an endpoint of the [Handler] authenticates the
// client, reads and decodes the body in the client's dialect, calls the Backend, and
// encodes the answer before the first byte leaves, so that an error at any point
// still becomes a proper Error body; only of long lists the beginning goes out while
// the rest is still being encoded.
//
// Searches over several resource types, pages by cursor (RFC 9865), bulk requests and
// /Me are made of the same few methods here, so that every Backend has them.
package scimserver

import (
	"context"

	"github.com/scimhub/scimhub/model/scim"
)

// Backend keeps resources. All methods are safe for concurrent use and see only
// what belongs to the client in the context (see [ClientFrom]).
//
// An error that the client caused is a *[scim.Error]; any other error is answered
// as 500 without its text. A backend that wants the client to come back later
// wraps its error in [Retry].
type Backend interface {
	// Get returns one resource. 404 if there is none with this id, also if it
	// belongs to somebody else. Attributes that want does not want may be left out.
	Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error)

	// List returns the page that q asks for, in an order that is stable between
	// pages. An empty result is no error. 400 tooMany if the backend refuses to
	// answer a question this broad.
	//
	// With q.Sort the page is in that order. With q.ByCursor it is behind q.After, and
	// Page.Next is set unless nothing is behind it: what exists from the first page to
	// the last is in exactly one of them, whatever is written between. 400
	// invalidCursor for a q.After that is none of the backend's.
	List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error)

	// Create stores a new resource with decoded attributes (ResourceType.Decode)
	// and returns it with the id and meta it was given. 409 uniqueness if it
	// would collide with another.
	Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error)

	// Modify applies c (Change.Apply) to the resource in one step: read, check
	// pre, change and write happen atomically. A change without effect leaves
	// meta alone. 404 for an unknown id, 412 from pre, 409 uniqueness, and
	// whatever Change.Apply finds (400 mutability, noTarget, invalidValue, …).
	Modify(ctx context.Context, t *scim.ResourceType, id string, pre Precondition, c scim.Change, want scim.Fields) (scim.Resource, error)

	// Delete removes the resource and its memberships. 404 for an unknown id, a
	// second time too; 412 from pre.
	Delete(ctx context.Context, t *scim.ResourceType, id string, pre Precondition) error
}

// NotFound is the error for an id that names no resource of the type (RFC 7644 §3.12).
func NotFound(t *scim.ResourceType, id string) *scim.Error {
	return scim.Errorf(404, "", "%s %q does not exist", t.Name, clip(id))
}

// Conflict is the error for a value that another resource holds already (RFC 7644 §3.3).
func Conflict(t *scim.ResourceType, attribute string) *scim.Error {
	return scim.Errorf(409, scim.Uniqueness, "%s: another %s has this value already", attribute, t.Name)
}

// clip keeps a client's own text in an answer short.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
