// Package signin lets people in at the console: through an OpenID provider, by a link
// that works once, or with an API token. Who is let in gets a session, which is a row
// that every replica knows; what its owner may do is worked out anew on each request.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
)

// Options are what signing in needs. All fields but Refused are required.
type Options struct {
	Hub    *hub.Hub
	Tokens *admin.Tokens
	Log    *slog.Logger
	// BaseURL is where people reach the hub, without a slash at its end.
	BaseURL func() string
	// Key is 32 random bytes that all replicas share.
	Key []byte
	// Refused notes who was not let in; may be nil. It must not block.
	Refused func(context.Context, hub.APIRefusal)
}

// SignIn is the way in at the console. Make one with [New]; it is safe for concurrent use.
type SignIn struct {
	o         Options
	sessions  *scs.SessionManager
	providers providers
	logouts   logoutLimits // of what a provider says at the back door

	mu    sync.Mutex
	seen  map[string]time.Time // sessions that were used and of which it is not written yet
	swept time.Time
}

// New makes the way in.
func New(o Options) *SignIn {
	s := &SignIn{o: o, seen: map[string]time.Time{}}
	s.providers = newProviders(o.Hub.Store.Now)
	s.sessions = scs.New()
	s.sessions.Store = &rows{s}
	s.sessions.Codec = codec{}
	s.sessions.HashTokenInStore = true
	s.sessions.Cookie.Persist = false // it ends with the browser, or before
	return s
}

// Mount adds /sign-in, /sign-in/oidc, /sign-in/callback, /sign-in/backchannel and
// /sign-out to the root.
func (s *SignIn) Mount(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) {
		r.Path(path).Methods(http.MethodGet, http.MethodHead).Handler(h)
	}
	post := func(path string, h http.HandlerFunc) { r.Path(path).Methods(http.MethodPost).Handler(s.Protect(h)) }
	get("/sign-in", s.showSignIn)
	post("/sign-in", s.doSignIn)
	get("/sign-in/oidc", s.begin)
	get("/sign-in/callback", s.callback)
	get("/sign-out", s.showSignOut)
	post("/sign-out", s.doSignOut)
	// A provider is no browser, and its token proves itself.
	r.Path("/sign-in/backchannel").Methods(http.MethodPost).HandlerFunc(s.backChannel)
}

// ErrSignedOut is the cause of the error that [SignIn.Caller] gives who has no session.
var ErrSignedOut = errors.New("there is no session")

// Protect refuses what other sites have a browser send: every request but GET, HEAD and
// OPTIONS that comes from another origin than the hub's. Pages that take forms go
// behind it.
func (s *SignIn) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard := http.NewCrossOriginProtection()
		if base, err := url.Parse(s.o.BaseURL()); err == nil && base.Host != "" {
			// Behind a proxy that rewrites Host the browser still names where people reach the hub.
			if err := guard.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
				s.o.Log.ErrorContext(r.Context(), "the public URL is no origin", "error", err)
			}
		}
		if err := guard.Check(r); err != nil {
			s.o.Log.WarnContext(r.Context(), "another site had a browser send this", "origin", clip(r.Header.Get("Origin"), 200))
			s.show(w, http.StatusForbidden, sheet{Title: "Refused", Fault: "Another site had your browser send this. If it was you who sent it: open the page anew, at " + s.o.BaseURL() + ", and send it again."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secure reports whether people reach the hub by TLS.
func (s *SignIn) secure() bool { return strings.HasPrefix(s.o.BaseURL(), "https://") }

// cookieName is a cookie's name with the prefix that keeps other hosts from setting it,
// which browsers know by TLS alone.
func (s *SignIn) cookieName(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// manager is the session manager with the cookie that goes with the public URL in force.
func (s *SignIn) manager() *scs.SessionManager {
	m := *s.sessions
	m.Cookie.Name, m.Cookie.Secure = s.cookieName("scimhub"), s.secure()
	m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Path = true, http.SameSiteLaxMode, "/"
	m.Lifetime = s.o.Hub.Snapshot().Doc.Admin.Session.Lifetime
	return &m
}

func (s *SignIn) now() time.Time { return s.o.Hub.Store.Now() }
