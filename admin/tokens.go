package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Caller is an operator, as their token proves it.
type Caller struct {
	Name   string
	Role   string
	Person string // userName or id of whom it acts for; empty: nobody

	Scope   []string // rights that the credential is limited to, whatever the role may; nil: no limit
	Targets []string // the only targets whose addresses it may call; nil: no limit
	Session string   // id of the session that they came in with; empty: an API token
}

// Token is one static API token. Only its hash is kept.
type Token struct {
	Caller
	Hash    [sha256.Size]byte
	Expires *time.Time

	// Random says that the hub made the token: nobody guesses it, so that who shows
	// it is let in however many others guess from the same address.
	Random bool
	ID     string // of one that was made while the hub runs; empty: of the configuration
}

// NewToken hashes a token.
func NewToken(name, role, secret string, expires *time.Time) Token {
	return Token{Caller: Caller{Name: name, Role: role}, Hash: sha256.Sum256([]byte(secret)), Expires: expires}
}

// Tokens is the set of API tokens in force; it may be replaced at any time.
type Tokens struct {
	Now func() time.Time

	// Slowly, if set, runs the check of the Authorization header, or says how long
	// the client has to wait because too many came with wrong ones from its address.
	Slowly func(r *http.Request, check func() bool) (wait time.Duration)

	// Used, if set, is told the ID of a token that was made while the hub runs, each
	// time it opens the door. It must return at once.
	Used func(id string)

	list   atomic.Pointer[[]Token] // of the configuration
	stored atomic.Pointer[[]Token] // made while the hub runs
}

// Replace puts another set in force, but for those that were made while the hub runs.
func (t *Tokens) Replace(list []Token) { t.list.Store(&list) }

// ReplaceStored puts another set of those in force that were made while the hub runs.
func (t *Tokens) ReplaceStored(list []Token) { t.stored.Store(&list) }

// InForce are the tokens that open the door now.
func (t *Tokens) InForce() (out []Token) {
	now := t.Now()
	for _, list := range []*[]Token{t.list.Load(), t.stored.Load()} {
		if list == nil {
			continue
		}
		for _, one := range *list {
			if one.Expires == nil || now.Before(*one.Expires) {
				out = append(out, one)
			}
		}
	}
	return out
}

// Caller finds out who asks; for fronts of the hub other than the API.
func (t *Tokens) Caller(r *http.Request) (Caller, error) { return t.caller(r) }

// caller finds out who asks.
func (t *Tokens) caller(r *http.Request) (Caller, error) {
	found, err := t.Shown(r)
	return found.Caller, err
}

// Shown is the token that a request shows. It is slow where somebody guesses.
func (t *Tokens) Shown(r *http.Request) (Token, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if secret = strings.TrimSpace(secret); !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return Token{}, model.Fail(model.Unauthorized, "an API token is needed: Authorization: Bearer …", nil)
	}
	found, err := t.find(secret)
	if err == nil && found.ID != "" && t.Used != nil {
		t.Used(found.ID)
	}
	if found.Random {
		return found, err
	}
	if slow := t.Slow(r, func() bool { return err == nil }); slow != nil {
		return Token{}, slow
	}
	return found, err
}

// Slow runs the check of what a request shows in its Authorization header, or says that
// too many that were wrong came from its address, for [Slowed] to recognise.
func (t *Tokens) Slow(r *http.Request, check func() bool) error {
	if t.Slowly == nil {
		check()
		return nil
	}
	if wait := t.Slowly(r, check); wait > 0 {
		return model.Fail(model.Unavailable, "too many requests with wrong tokens came from this address; come back later", &slowedError{wait})
	}
	return nil
}

// find is the owner of a token. All tokens are compared, each in constant time.
func (t *Tokens) find(secret string) (Token, error) {
	sum := sha256.Sum256([]byte(secret))
	var found *Token
	for _, list := range []*[]Token{t.stored.Load(), t.list.Load()} { // where both have it the configuration counts
		if list == nil {
			continue
		}
		for i := range *list {
			if subtle.ConstantTimeCompare(sum[:], (*list)[i].Hash[:]) == 1 {
				found = &(*list)[i]
			}
		}
	}
	switch {
	case found == nil:
		return Token{}, model.Fail(model.Unauthorized, "the API token is not known", nil)
	case found.Expires != nil && !t.Now().Before(*found.Expires):
		return Token{}, model.Fail(model.Unauthorized, "the API token "+found.Name+" has expired", nil)
	}
	return *found, nil
}

// Slowed reports whether an error says that too many guesses came from an address.
func Slowed(err error) bool {
	_, ok := errors.AsType[*slowedError](err)
	return ok
}

// slowedError says how long a client has to wait.
type slowedError struct{ wait time.Duration }

// Error is for the log.
func (e *slowedError) Error() string { return "wait " + e.wait.String() }
