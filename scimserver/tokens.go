package scimserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Token is one static bearer token (RFC 6750) of one source. Only its hash is kept.
type Token struct {
	Client
	ID      string // of a token that the service made of random bits; else empty
	Hash    [sha256.Size]byte
	Expires time.Time // zero means never
}

// HashToken is the form in which tokens are kept and compared. A fast hash is
// enough: a token is random and long, so that there is nothing to guess from it.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Tokens is the set of bearer tokens that are valid now. The zero value holds
// none. It can be replaced while requests are served.
type Tokens struct {
	list atomic.Pointer[[]Token]
}

// ErrDuplicateToken says that one token was given to two clients, so that it
// could not tell them apart.
var ErrDuplicateToken = errors.New("scimserver: the same token is given twice")

// Replace makes list the valid tokens from the next request on. With an
// [ErrDuplicateToken] the old ones stay.
func (t *Tokens) Replace(list []Token) error {
	owner := make(map[[sha256.Size]byte]Client, len(list))
	for _, tok := range list {
		if o, ok := owner[tok.Hash]; ok {
			return fmt.Errorf("%w: %s/%s and %s/%s", ErrDuplicateToken, o.Source, o.Name, tok.Source, tok.Name)
		}
		owner[tok.Hash] = tok.Client
	}
	kept := append([]Token(nil), list...)
	t.list.Store(&kept)
	return nil
}

// Lookup returns the client that token belongs to, or 401. How long it takes does
// not depend on how much of a token was guessed right.
func (t *Tokens) Lookup(token string, now time.Time) (Client, error) {
	tok, err := t.find(token, now)
	if err != nil {
		return Client{}, err
	}
	return tok.Client, nil
}

// find is Lookup for callers that want the whole token, one that has expired beside
// the error.
func (t *Tokens) find(token string, now time.Time) (Token, error) {
	list := t.list.Load()
	if token == "" || list == nil {
		return Token{}, Unauthorized("the bearer token is not valid")
	}
	hash, found := HashToken(token), -1
	for i := range *list {
		if subtle.ConstantTimeCompare(hash[:], (*list)[i].Hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Token{}, Unauthorized("the bearer token is not valid")
	}
	tok := (*list)[found]
	if !tok.Expires.IsZero() && !now.Before(tok.Expires) {
		return tok, Unauthorized("the bearer token expired on " + tok.Expires.UTC().Format(time.DateOnly))
	}
	return tok, nil
}

// Authenticator checks the Authorization header of requests against the tokens.
func (t *Tokens) Authenticator(now func() time.Time) Authenticator {
	return func(r *http.Request) (Client, error) {
		token, err := BearerToken(r)
		if err != nil {
			return Client{}, err
		}
		return t.Lookup(token, now())
	}
}

// BearerToken returns the token of the Authorization header, or 401 if there is
// none or the scheme is another (RFC 6750 §2.1).
func BearerToken(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", Unauthorized("this service needs a bearer token in the Authorization header")
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", Unauthorized("the Authorization header must read: Bearer, a space, the token")
	}
	return token, nil
}
