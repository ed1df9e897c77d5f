package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/console"
	"github.com/scimhub/scimhub/admin/signin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// mountConsole adds the pages, which ask the API on the same router, and the way in. The
// context ends what pages that are open listen to.
func (i *instance) mountConsole(ctx context.Context, root *mux.Router) error {
	key, err := i.store.ProcessKey(ctx, "sign-in")
	if err != nil {
		return err
	}
	in := signin.New(signin.Options{Hub: i.hub, Tokens: i.admins, Log: i.log, BaseURL: i.publicURL, Key: key, Refused: i.refusals.AddAPI})
	i.signIn = in
	in.Mount(root)
	c := &console.Console{API: root, Caller: func(r *http.Request) (admin.Caller, error) { return i.consoleCaller(in, r) },
		Protect: in.Protect, Log: i.log, Now: i.store.Now, Secure: func() bool { return strings.HasPrefix(i.publicURL(), "https://") }}
	return c.Mount(ctx, root)
}

// consoleCaller is who looks at a page: whoever has a session, or shows an API token as
// the password of HTTP Basic, with any user name, or as a bearer token.
func (i *instance) consoleCaller(in *signin.SignIn, r *http.Request) (admin.Caller, error) {
	who := in.Caller
	if r.URL.Path == "/live" || r.Header.Get("X-Live") != "" { // the page asks, and perhaps nobody looks at it
		who = in.Watching
	}
	caller, err := who(r)
	if !errors.Is(err, signin.ErrSignedOut) || r.Header.Get("Authorization") == "" {
		return caller, err
	}
	if _, password, ok := r.BasicAuth(); ok {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+password)
	}
	if caller, err = i.admins.Caller(r); err != nil {
		i.refusedPage(r, err)
	}
	return caller, err
}

// refusedPage notes in the audit trail that somebody showed a token that lets nobody in.
func (i *instance) refusedPage(r *http.Request, err error) {
	f := hub.APIRefusal{Method: r.Method, Route: "console", Status: http.StatusUnauthorized}
	if model.CodeOf(err) == model.Unavailable { // too many came from there
		f.Status = http.StatusTooManyRequests
	}
	if host, _, splitErr := net.SplitHostPort(r.RemoteAddr); splitErr == nil {
		f.Remote = host
	}
	if e, ok := errors.AsType[*model.Error](err); ok {
		f.Reason = e.Message
	}
	i.refusals.AddAPI(r.Context(), f)
}
