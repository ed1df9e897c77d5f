package scimserver

import (
	"context"
	"net/http"

	"github.com/scimhub/scimhub/model/scim"
)

// Client is who sent a request, as its credentials prove it.
type Client struct {
	Source  string       // the source that the credentials belong to
	Name    string       // the credential's own name, for the audit
	Dialect scim.Dialect // the tolerances of this connection

	// Subject is the person on whose behalf the request is made, for /Me; nil for
	// credentials that belong to a system.
	Subject *Subject
}

// Subject names one User of the client's source by the value of an attribute that
// no two have in common.
type Subject struct {
	Attribute string // such as userName
	Value     string
}

type clientKey struct{}

// WithClient returns a context that carries c.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// ClientFrom returns the client that authentication put into ctx.
func ClientFrom(ctx context.Context) (Client, bool) {
	c, ok := ctx.Value(clientKey{}).(Client)
	return c, ok
}

// Authenticator finds out who sent r. Its error is a *[scim.Error] with status
// 401 (see [Unauthorized]), 403, 429 or 503; any other error becomes a 500, because it says
// nothing about the client; a [Retry] may wrap it. A client returned beside an error
// is who was refused, for the audit.
type Authenticator func(r *http.Request) (Client, error)

// Unauthorized is a refusal of credentials (RFC 7644 §2). The handler adds
// WWW-Authenticate.
func Unauthorized(detail string) *scim.Error {
	return &scim.Error{Status: http.StatusUnauthorized, Detail: detail}
}
