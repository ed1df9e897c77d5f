package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Caller is an operator, as their token proves it.
type Caller struct {
	Name string
	Role string
}

// Token is one static API token. Only its hash is kept.
type Token struct {
	Caller
	Hash    [sha256.Size]byte
	Expires *time.Time
}

// NewToken hashes a token.
func NewToken(name, role, secret string, expires *time.Time) Token {
	return Token{Caller: Caller{name, role}, Hash: sha256.Sum256([]byte(secret)), Expires: expires}
}

// Tokens is the set of API tokens in force; it may be replaced at any time.
type Tokens struct {
	Now  func() time.Time
	list atomic.Pointer[[]Token]
}

// Replace puts another set in force.
func (t *Tokens) Replace(list []Token) { t.list.Store(&list) }

// caller finds out who asks. All tokens are compared, each in constant time.
func (t *Tokens) caller(r *http.Request) (Caller, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Caller{}, model.Fail(model.Unauthorized, "an API token is needed: Authorization: Bearer …", nil)
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	var found *Token
	if list := t.list.Load(); list != nil {
		for i := range *list {
			if subtle.ConstantTimeCompare(sum[:], (*list)[i].Hash[:]) == 1 {
				found = &(*list)[i]
			}
		}
	}
	switch {
	case found == nil:
		return Caller{}, model.Fail(model.Unauthorized, "the API token is not known", nil)
	case found.Expires != nil && !t.Now().Before(*found.Expires):
		return Caller{}, model.Fail(model.Unauthorized, "the API token "+found.Name+" has expired", nil)
	}
	return found.Caller, nil
}
