package fanout

import (
	"cmp"
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
// kept, in memory, until shortly before it expires or until it is refused.
type authenticator struct {
	auth   model.Auth
	http   *http.Client
	now    func() time.Time
	mu     sync.Mutex
	slot   string // the one in use; empty: the first
	tokens map[string]*oauth2.Token
}

type slotKey struct{}

// withSlot has the requests of a context signed with one slot, whichever is in use.
func withSlot(ctx context.Context, slot string) context.Context {
	return context.WithValue(ctx, slotKey{}, slot)
}

// use takes a slot into use.
func (a *authenticator) use(slot string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slot = slot
}

func (a *authenticator) slotFor(ctx context.Context) string {
	if slot, ok := ctx.Value(slotKey{}).(string); ok {
		return slot
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return cmp.Or(a.slot, model.SlotPresent)
}

// inSlot is the credential as if the slot's were the only one.
func inSlot(a model.Auth, slot string) model.Auth {
	if slot != model.SlotNext || a.Next == nil {
		return a
	}
	secret := a.Next.Secret
	a.Expires, a.Owner = a.Next.Expires, a.Next.Owner
	switch {
	case !a.Bearer.IsZero():
		a.Bearer = secret
	case a.Basic != nil:
		a.Basic = &model.BasicAuth{User: a.Basic.User, Password: secret}
	case a.OAuth2 != nil:
		o := *a.OAuth2
		o.ClientSecret = secret
		a.OAuth2 = &o
	case a.Header != nil:
		a.Header = &model.HeaderAuth{Name: a.Header.Name, Value: secret}
	}
	return a
}

// sign adds the credentials to the request and returns the secrets used, so that
// they can be kept out of error texts.
func (a *authenticator) sign(ctx context.Context, r *http.Request) ([]string, error) {
	slot := a.slotFor(ctx)
	auth := inSlot(a.auth, slot)
	switch {
	case !auth.Bearer.IsZero():
		token, err := reveal(auth.Bearer)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		return []string{token}, nil
	case auth.Basic != nil:
		password, err := reveal(auth.Basic.Password)
		if err != nil {
			return nil, err
		}
		r.SetBasicAuth(auth.Basic.User, password)
		return []string{password, base64.StdEncoding.EncodeToString([]byte(auth.Basic.User + ":" + password))}, nil
	case auth.Header != nil:
		value, err := reveal(auth.Header.Value)
		if err != nil {
			return nil, err
		}
		r.Header.Set(auth.Header.Name, value)
		return []string{value}, nil
	case auth.OAuth2 != nil:
		return a.signOAuth2(ctx, r, slot, *auth.OAuth2)
	}
	return nil, nil
}

// signOAuth2 gets a new token when a tenth of the old one's life is left, so that none
// ends while a request is under way.
func (a *authenticator) signOAuth2(ctx context.Context, r *http.Request, slot string, o model.OAuth2) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	token := a.tokens[slot]
	if token == nil || (!token.Expiry.IsZero() && !a.now().Before(token.Expiry)) {
		secret, err := reveal(o.ClientSecret)
		if err != nil {
			return nil, err
		}
		config := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: secret, TokenURL: o.TokenURL, Scopes: o.Scopes}
		token, err = config.Token(context.WithValue(ctx, oauth2.HTTPClient, a.http))
		if err != nil {
			return nil, tokenError(err)
		}
		if !token.Expiry.IsZero() {
			life := token.Expiry.Sub(a.now())
			token.Expiry = token.Expiry.Add(-min(max(life/10, 10*time.Second), time.Minute, life/2))
		}
		if a.tokens == nil {
			a.tokens = map[string]*oauth2.Token{}
		}
		a.tokens[slot] = token
	}
	token.SetAuthHeader(r)
	return []string{token.AccessToken}, nil
}

// tokenError leaves the token endpoint's body out: it may repeat the secret.
func tokenError(err error) *ClientError {
	out := &ClientError{Class: Network, Detail: "no OAuth 2 token to be had"}
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil {
		return out
	}
	out.Detail = fmt.Sprintf("the token endpoint answers %d", r.Response.StatusCode)
	switch out.Class = Credentials; {
	case r.Response.StatusCode >= 500:
		out.Class = Server
	case r.Response.StatusCode == http.StatusTooManyRequests:
		out.Class = Throttled
	}
	return out
}

// forget drops tokens when one was refused.
func (a *authenticator) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.tokens)
}

func reveal(s model.Secret) (string, error) {
	v, err := s.Reveal()
	if err != nil {
		return "", &ClientError{Class: Credentials, Detail: "the target's secret cannot be read", Err: err}
	}
	return v, nil
}
