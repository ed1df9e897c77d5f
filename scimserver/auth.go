package scimserver

import (
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// Credentials is everything that proves who a client is, and how much each source
// may ask for. It is not changed once it is in force.
type Credentials struct {
	Tokens       []Token
	Basic        []Basic
	Certificates []Certificate
	JWT          []JWT
	Limits       map[string]Limit // by source; a source that is not there has none
}

// Access authenticates requests by the credentials in force: bearer tokens (RFC
// 6750), signed tokens of an issuer (RFC 7519), HTTP Basic (RFC 7617) and TLS client
// certificates (RFC 7644 §2). Make one with [NewAccess]; it is safe for concurrent
// use, and the credentials can be replaced while requests are served.
type Access struct {
	now      func() time.Time
	used     func(id string)
	keys     *keyring
	limits   *limits
	failures *failures
	replaces sync.Mutex // one at a time: what follows belongs together
	state    atomic.Pointer[accessState]
}

type accessState struct {
	Credentials
	tokens      Tokens
	unguessable *accessState // what is left where credentials are guessed: see guarded
}

// AccessOptions adjust an Access. The zero value is ready for use.
type AccessOptions struct {
	Now func() time.Time // nil means time.Now

	// Keys fetches the keys of issuers. Nil means a client that gives up after five
	// seconds. How much it reads and how often it asks is limited in any case.
	Keys *http.Client

	// Used, if set, is told the ID of each [Token] that opened the door. It must be
	// safe for concurrent use and return at once.
	Used func(id string)
}

// NewAccess makes an Access that lets nobody in.
func NewAccess(o AccessOptions) *Access {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Access{now: o.Now, used: o.Used, keys: newKeyring(o.Keys, o.Now), limits: newLimits(), failures: newFailures()}
	a.state.Store(&accessState{unguessable: &accessState{}})
	return a
}

// Replace puts credentials in force from the next request on. With an
// [ErrDuplicateToken] the old ones stay.
func (a *Access) Replace(c Credentials) error {
	if err := c.Check(); err != nil {
		return err
	}
	made := slices.DeleteFunc(slices.Clone(c.Tokens), func(t Token) bool { return t.ID == "" })
	s := &accessState{Credentials: c, unguessable: &accessState{Credentials: Credentials{JWT: c.JWT}}}
	if err := errors.Join(s.tokens.Replace(c.Tokens), s.unguessable.tokens.Replace(made)); err != nil {
		return err
	}
	a.replaces.Lock()
	defer a.replaces.Unlock()
	a.keys.keep(c.JWT)
	a.limits.keep(c.Limits)
	a.state.Store(s)
	return nil
}

// Schemes lists the ways in that are open now.
func (a *Access) Schemes() []Scheme { return a.state.Load().Schemes() }

// Check says whether credentials can be told apart: an [ErrDuplicateToken] names
// two owners of one.
func (c Credentials) Check() error {
	if err := new(Tokens).Replace(c.Tokens); err != nil {
		return err
	}
	if err := checkCertificates(c.Certificates); err != nil {
		return err
	}
	return checkBasic(c.Basic)
}

// Authenticate is an [Authenticator]. Where the client is known but refused for
// another reason (429, 403), it is returned beside the error.
//
//	Authorization         client certificate    the client is
//	----------------------------------------------------------------------
//	none                  none or unlisted      nobody: 401
//	none                  of a source           that of the certificate
//	valid                 none or unlisted      that of the credentials
//	valid                 of the same source    that of the credentials
//	valid                 of another source     nobody: 401
//	not valid             whatever              nobody: 401
func (a *Access) Authenticate(r *http.Request) (Client, error) {
	now, state := a.now(), a.state.Load()
	byCert, hasCert, err := state.certificate(r.TLS, now)
	if err != nil {
		return Client{}, err
	}
	client := byCert
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		if client, err = a.guarded(r, state, headers, now); err != nil {
			return client, err
		}
		if hasCert && byCert.Source != client.Source {
			return Client{}, Unauthorized("the client certificate belongs to another source than the credentials")
		}
	} else if !hasCert {
		return Client{}, missing(r, state)
	}
	if err := a.limits.take(client.Source, now); err != nil {
		return client, err
	}
	return client, nil
}

func missing(r *http.Request, s *accessState) error {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && len(s.Certificates) > 0 {
		return Unauthorized("the client certificate is not one of a source, and there is no Authorization header")
	}
	return Unauthorized("this service needs a bearer token in the Authorization header")
}

// guarded checks the Authorization header, unless too many attempts from that
// address have failed. Credentials that were right from there before pass all the
// same: behind a proxy everybody has one address, and nobody must be able to lock
// the others out. So do signed tokens and those that the service made, which nobody
// guesses.
func (a *Access) guarded(r *http.Request, s *accessState, headers []string, now time.Time) (Client, error) {
	if len(headers) > 1 {
		return Client{}, Unauthorized("there is more than one Authorization header")
	}
	addr := remoteAddress(r)
	pair := sha256.Sum256([]byte(addr + "\n" + headers[0]))
	wait := a.failures.wait(addr, now)
	slowed := wait > 0 && !a.failures.known(pair)
	if slowed {
		s = s.unguessable
	}
	client, err := a.authorization(r, s, headers[0], now)
	switch e, ok := scim.AsError(err); {
	case err == nil:
		a.failures.succeeded(pair)
	case ok && e.Status == http.StatusUnauthorized:
		if !slowed { // else it is not known whether it was right
			wait = a.failures.failed(addr, now)
		}
		if wait > 0 {
			return Client{}, tooManyFailures(wait)
		}
	}
	return client, err
}

// Slowly runs check, which says whether the Authorization header of r is right, for
// a door beside SCIM: who guesses at either is slowed at both. It says how long to
// wait where too many attempts from that address have failed; check was not run
// then, or was one failure too many. Otherwise it is 0.
func (a *Access) Slowly(r *http.Request, check func() bool) (wait time.Duration) {
	now, addr := a.now(), remoteAddress(r)
	pair := sha256.Sum256([]byte(addr + "\n" + r.Header.Get("Authorization")))
	if wait := a.failures.wait(addr, now); wait > 0 && !a.failures.known(pair) {
		return wait
	}
	if check() {
		a.failures.succeeded(pair)
		return 0
	}
	return a.failures.failed(addr, now)
}

// authorization reads the one Authorization header.
func (a *Access) authorization(r *http.Request, s *accessState, header string, now time.Time) (Client, error) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(header), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Basic") && found && len(s.Basic) > 0:
		return s.basic(rest, now)
	case strings.EqualFold(scheme, "Bearer") && rest != "":
		client, id, err := a.bearer(r, s, rest, now)
		if err == nil {
			a.opened(id)
		}
		return client, err
	case found || strings.EqualFold(scheme, "Bearer") || scheme == "":
		return Client{}, Unauthorized(headerForm)
	}
	// A token alone: only now can be known whose it is, and whether they may do so.
	client, id, err := a.bearer(r, s, scheme, now)
	if err != nil || !client.Dialect.BareToken {
		return Client{}, Unauthorized(headerForm)
	}
	a.opened(id)
	if client.Dialect.Seen != nil {
		client.Dialect.Seen(scim.FlagBareToken)
	}
	return client, nil
}

const headerForm = "the Authorization header must read: Bearer, a space, the token"

// bearer finds the owner of a token, and its ID: a static one first, then, where it
// has the form of a JWT, an issuer's.
func (a *Access) bearer(r *http.Request, s *accessState, token string, now time.Time) (c Client, id string, err error) {
	found, err := s.tokens.find(token, now)
	if err == nil {
		return found.Client, found.ID, nil
	}
	if found.Source != "" || len(s.JWT) == 0 || strings.Count(token, ".") != 2 {
		return Client{}, "", err
	}
	c, err = a.keys.authenticate(r.Context(), s.JWT, token, now)
	return c, "", err
}

// opened tells of a token that opened the door.
func (a *Access) opened(id string) {
	if id != "" && a.used != nil {
		a.used(id)
	}
}

// remoteAddress is the other side of the connection without its port. An IPv6
// network of 64 bits counts as one: whoever has one address there has them all.
func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = clip(r.RemoteAddr)
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
