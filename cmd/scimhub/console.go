package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/admin/console"
	"github.com/scimhub/scimhub/admin/signin"
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
	return i.admins.Caller(r)
}
