// Package signin lets people in at the console: through an OpenID provider, by a link
// that works once, or with an API token. Who is let in gets a session, which is a row
// that every replica knows; what its owner may do is worked out anew on each request.
package signin

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// Options are what signing in needs. All fields are required.
type Options struct {
	Hub    *hub.Hub
	Tokens *admin.Tokens
	Log    *slog.Logger
	// BaseURL is where the hub is reached, without a slash at its end.
	BaseURL func() string
}

// SignIn is the way in at the console. Make one with [New]; it is safe for concurrent use.
type SignIn struct {
	o Options
}

// New makes the way in.
func New(o Options) *SignIn { return &SignIn{o: o} }

// Mount adds /sign-in, /sign-in/oidc, /sign-in/callback, /sign-in/backchannel and
// /sign-out to the root.
func (s *SignIn) Mount(_ *mux.Router) {}

// ErrSignedOut is the cause of the error that [SignIn.Caller] gives who has no session.
var ErrSignedOut = errors.New("there is no session")

// Caller is who a request comes from by their session: name, role, person and id of the
// session as they are now. model.Unauthorized with [ErrSignedOut] where there is none
// or it has ended: send them to /sign-in?return=PATH. model.Unavailable where the
// database does not answer.
func (s *SignIn) Caller(_ *http.Request) (admin.Caller, error) {
	return admin.Caller{}, model.Fail(model.Unauthorized, "sign in first", ErrSignedOut)
}

// Protect refuses what other sites have a browser send: every request but GET, HEAD and
// OPTIONS that comes from another origin than the hub's. Pages that take forms go
// behind it.
func (s *SignIn) Protect(next http.Handler) http.Handler { return next }
