package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/outbound"
)

const (
	askProvider  = 10 * time.Second // for one request to the provider
	askedAgain   = time.Hour        // how old what a provider says of itself may become
	askedRetry   = 5 * time.Second  // after it could not be asked
	maxFromThere = 1 << 20          // bytes of an answer
	skew         = time.Minute      // how far the provider's clock may be from ours
)

// provider is an OpenID provider with what it says of itself.
type provider struct {
	*oidc.Provider
	verifier *oidc.IDTokenVerifier
	says     struct {
		EndSession string   `json:"end_session_endpoint"`
		Auth       []string `json:"token_endpoint_auth_methods_supported"`
	}
}

// providers keeps what the provider of the configuration in force says of itself, and
// its keys. What is kept is used on where the provider does not answer.
type providers struct {
	now    func() time.Time
	client *http.Client

	mu     *sync.Mutex
	issuer string
	id     string // of the client
	kept   *provider
	asked  time.Time // when it answered
	failed time.Time // when it did not
	err    error
}

func newProviders(now func() time.Time) providers {
	own := outbound.Configured() // the addresses of keys and tokens are the provider's word
	own.ResponseHeaderTimeout = askProvider
	return providers{now: now, mu: &sync.Mutex{}, client: &http.Client{Transport: limited{own}, Timeout: askProvider}}
}

// limited cuts answers that are longer than any that makes sense.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxFromThere), res.Body}
	}
	return res, err
}

// context is one in which libraries ask the provider our way.
func (p *providers) context(ctx context.Context) context.Context {
	return context.WithValue(oidc.ClientContext(ctx, p.client), oauth2.HTTPClient, p.client)
}

// get is the provider of a configuration. model.Unavailable in words where it cannot be
// asked and was not before.
func (p *providers) get(ctx context.Context, o config.OIDC) (*provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.issuer != o.Issuer || p.id != o.ClientID {
		p.issuer, p.id, p.kept, p.err, p.asked, p.failed = o.Issuer, o.ClientID, nil, nil, time.Time{}, time.Time{}
	}
	now := p.now()
	if p.kept != nil && now.Sub(p.asked) < askedAgain {
		return p.kept, nil
	}
	if p.err == nil || now.Sub(p.failed) >= askedRetry {
		found, err := p.discover(ctx, o)
		if err == nil {
			p.kept, p.asked, p.err = found, now, nil
			return found, nil
		}
		p.failed, p.err = now, err
	}
	if p.kept != nil {
		return p.kept, nil
	}
	return nil, p.err
}

func (p *providers) discover(ctx context.Context, o config.OIDC) (*provider, error) {
	ctx, cancel := context.WithTimeout(p.context(ctx), askProvider)
	defer cancel()
	found, err := oidc.NewProvider(ctx, o.Issuer)
	if mismatch, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return nil, model.Fail(model.Unavailable, fmt.Sprintf("the provider at %s calls itself by another name: admin.oidc.issuer must be exactly that", o.Issuer), mismatch)
	}
	if err != nil {
		return nil, model.Fail(model.Unavailable, "the sign-in provider "+o.Issuer+" does not answer as it should; whoever is signed in stays so", err)
	}
	out := &provider{Provider: found}
	if err := found.Claims(&out.says); err != nil {
		return nil, model.Fail(model.Unavailable, "what the sign-in provider "+o.Issuer+" says of itself cannot be read", err)
	}
	// Keys are fetched when they are needed, after this request has ended.
	out.verifier = found.VerifierContext(context.WithoutCancel(ctx), &oidc.Config{ClientID: o.ClientID, Now: func() time.Time { return p.now().Add(-skew) }})
	return out, nil
}

// oauth is the configuration of the code flow.
func (p *provider) oauth(o config.OIDC, secret, redirect string) *oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(p.says.Auth) > 0 && !slices.Contains(p.says.Auth, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := []string{oidc.ScopeOpenID}
	for _, s := range o.Scopes {
		if s != oidc.ScopeOpenID {
			scopes = append(scopes, s)
		}
	}
	return &oauth2.Config{ClientID: o.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirect, Scopes: scopes}
}

// verify checks an ID token: signature, issuer, audience, end, and that it answers this
// very question and was made for this client alone.
func (p *provider) verify(ctx context.Context, o config.OIDC, raw, nonce, access string, now time.Time) (*oidc.IDToken, error) {
	token, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var more struct {
		Party string `json:"azp"`
	}
	if err := token.Claims(&more); err != nil {
		return nil, err
	}
	switch {
	case nonce == "" || token.Nonce != nonce:
		return nil, errors.New("the ID token has another nonce: it answers another question")
	case len(token.Audience) > 1 && more.Party != o.ClientID, more.Party != "" && more.Party != o.ClientID:
		return nil, errors.New("the ID token was made for another client")
	case token.IssuedAt.After(now.Add(skew)):
		return nil, errors.New("the ID token was made in the future: one of the clocks is wrong")
	case token.Subject == "":
		return nil, errors.New("the ID token names nobody")
	case token.AccessTokenHash != "":
		return token, token.VerifyAccessToken(access)
	}
	return token, nil
}

// tellExchange says why no tokens were given for a code, without what the answer held.
func tellExchange(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		code := 0
		if e.Response != nil {
			code = e.Response.StatusCode
		}
		return fmt.Errorf("the provider answered %d %s", code, strings.TrimSpace(clip(e.ErrorCode+" "+e.ErrorDescription, 300)))
	}
	return err
}
