package fanout

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// authenticator shows the hub's credentials. Secrets are revealed at each use,
// so that a rotated file or variable counts at once; only an OAuth 2 token is
// kept, in memory, until it expires or is refused.
type authenticator struct {
	auth  model.Auth
	http  *http.Client
	now   func() time.Time
	mu    sync.Mutex
	token *oauth2.Token
}

// sign adds the credentials to the request and returns the secrets used, so that
// they can be kept out of error texts.
func (a *authenticator) sign(ctx context.Context, r *http.Request) ([]string, error) {
	switch {
	case !a.auth.Bearer.IsZero():
		token, err := reveal(a.auth.Bearer)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		return []string{token}, nil
	case a.auth.Basic != nil:
		password, err := reveal(a.auth.Basic.Password)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(a.auth.Basic.User, password)
		return []string{password, base64.StdEncoding.EncodeToString([]byte(a.auth.Basic.User + ":" + password))}, nil
	case a.auth.Header != nil:
		value, err := reveal(a.auth.Header.Value)
		if err != nil {
			return nil, err
		}
		r.Header.Set(a.auth.Header.Name, value)
		return []string{value}, nil
	case a.auth.OAuth2 != nil:
		return a.signOAuth2(ctx, r)
	}
	return nil, nil
}

func (a *authenticator) signOAuth2(ctx context.Context, r *http.Request) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == nil || (!a.token.Expiry.IsZero() && !a.now().Add(10*time.Second).Before(a.token.Expiry)) {
		secret, err := reveal(a.auth.OAuth2.ClientSecret)
		if err != nil {
			return nil, err
		}
		o := a.auth.OAuth2
		config := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: secret, TokenURL: o.TokenURL, Scopes: o.Scopes}
		token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, a.http))
		if err != nil {
			return nil, tokenError(err)
		}
		a.token = token
	}
	a.token.SetAuthHeader(r)
	return []string{a.token.AccessToken}, nil
}

// tokenError leaves the token endpoint's body out: it may repeat the secret.
func tokenError(err error) *ClientError {
	out := &ClientError{Class: Network, Detail: "no OAuth 2 token to be had"}
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil {
		return out
	}
	out.Detail = fmt.Sprintf("the token endpoint answers %d", r.Response.StatusCode)
	if out.Class = Credentials; r.Response.StatusCode >= 500 {
		out.Class = Server
	}
	return out
}

// forget drops a token that was refused.
func (a *authenticator) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = nil
}

func reveal(s model.Secret) (string, error) {
	v, err := s.Reveal()
	if err != nil {
		return "", &ClientError{Class: Credentials, Detail: "the target's secret cannot be read", Err: err}
	}
	return v, nil
}
