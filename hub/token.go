package hub

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// tokenPrefix makes a token that leaked somewhere recognisable, to people and to
// scanners of source code.
const tokenPrefix = "shb_"

// newSecret makes a token of 256 random bits, and what is stored of it. A single
// SHA-256 is right here: a slow hash protects what people choose, because it can be
// guessed; nobody guesses 256 random bits, and every request has to be checked.
func newSecret() (secret string, hash []byte, err error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", nil, fmt.Errorf("new token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:], nil
}

// NewToken is what a new token is asked for with.
type NewToken struct {
	Source  string     // empty for a token of the proxy
	Target  string     // of a token of the proxy: the one target it is for
	May     []string   // of a token of the proxy: what it may do there
	Name    string     // empty: one is found
	Expires *time.Time // nil: never

	Role    string   // of a token of the API
	Scope   []string // of a token of the API: rights it is limited to; nil: all that the role may
	Targets []string // of a token of the API: the only targets it may call; nil: no limit
	Person  string   // of a token of the API: whom it acts for, userName or id
}

// CreateToken makes a bearer token of a source, of the proxy or of the API. The secret is not stored: this is
// the only time it can be seen.
func (h *Hub) CreateToken(ctx context.Context, by Actor, n NewToken) (k store.Token, secret string, err error) {
	var names []string
	switch {
	case n.Role != "":
		names, err = h.newAdminToken(ctx, &n)
	case n.Target != "":
		n.Source, err = h.tokensOf(n)
	default:
		names, err = h.credentialNames(n.Source)
	}
	if err != nil {
		return k, "", err
	}
	if n.Name != "" && !config.ValidName(n.Name) {
		return k, "", model.Fail(model.Invalid, fmt.Sprintf("%q is not a name: use 1 to 63 of a-z, 0-9, _, . and -, beginning with a letter or digit", n.Name), nil)
	}
	if slices.Contains(names, n.Name) {
		return k, "", model.Fail(model.Conflict, fmt.Sprintf("the configuration gives %s a credential %s already", tokenOwner(n.Source), n.Name), nil)
	}
	if n.Name == "" {
		if n.Name, err = h.freeName(ctx, n.Source, names); err != nil {
			return k, "", err
		}
	}
	if k.ID, err = newID(); err != nil {
		return k, "", err
	}
	if secret, k.Hash, err = newSecret(); err != nil {
		return k, "", err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if err := inFuture(n.Expires, tx.Now); err != nil {
			return err
		}
		if err := h.inLimit(store.Token{Source: n.Source, ExpiresAt: n.Expires}, tx.Now); err != nil {
			return err
		}
		k.Source, k.Name, k.ExpiresAt, k.CreatedBy, k.May = n.Source, n.Name, n.Expires, by.String(), n.May
		k.Role, k.Scope, k.Targets, k.Person = n.Role, n.Scope, n.Targets, n.Person
		k.CreatedAt, k.IssuedAt = tx.Now, tx.Now
		if err := tx.AddToken(k); err != nil {
			return err
		}
		return auditToken(tx, by, "token.create", k)
	})
	if err != nil {
		return store.Token{}, "", err
	}
	return k, secret, nil
}

// tokensOf is what the tokens of the proxy for a target are kept under.
func (h *Hub) tokensOf(n NewToken) (string, error) {
	if n.Source != "" {
		return "", model.Fail(model.Invalid, "a token is for a source or for a target, not for both", nil)
	}
	if _, ok := h.Snapshot().Doc.Target(n.Target); !ok {
		return "", model.Fail(model.NotFound, fmt.Sprintf("there is no target %q", n.Target), nil)
	}
	if len(n.May) == 0 {
		return "", model.Fail(model.Invalid, "a token for a target needs to be told what it may do", nil)
	}
	return store.TargetTokens + n.Target, nil
}

// credentialNames are those that the configuration gives a source, which must be there.
func (h *Hub) credentialNames(source string) (out []string, err error) {
	doc := h.Snapshot().Doc
	s, ok := doc.Source(source)
	if !ok {
		return nil, model.Fail(model.NotFound, fmt.Sprintf("there is no source %q%s; configured are: %s", source,
			config.Suggest(source, doc.SourceNames()), strings.Join(doc.SourceNames(), ", ")), nil)
	}
	for _, t := range s.Tokens {
		out = append(out, t.Name)
	}
	for _, b := range s.Basic {
		out = append(out, b.Name)
	}
	for _, c := range s.Certificates {
		out = append(out, c.Name)
	}
	if s.JWT != nil {
		out = append(out, "jwt") // what the audit trail calls signed tokens
	}
	return out, nil
}

// freeName is token, token-2, token-3 and so on.
func (h *Hub) freeName(ctx context.Context, source string, taken []string) (string, error) {
	list, err := h.Store.LiveTokens(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range list {
		if k.Source == source {
			taken = append(taken, k.Name)
		}
	}
	name := "token"
	for n := 2; slices.Contains(taken, name); n++ {
		name = fmt.Sprintf("token-%d", n)
	}
	return name, nil
}

func inFuture(at *time.Time, now time.Time) error {
	if at != nil && !at.After(now) {
		return model.Fail(model.Invalid, "the token would have expired already on "+at.Format(time.RFC3339), nil)
	}
	return nil
}

// Rotation says how a token gets a new secret.
type Rotation struct {
	Overlap time.Duration // how long the present secret stays valid; 0: it ends now
	Expires *time.Time    // nil: the new secret lives as long as the present one was to
}

// RotateToken gives a token a new secret, which is only seen now, and lets the
// present one end later. There are two slots: as long as a secret before the
// present one is valid there is none free, and the rotation is refused.
func (h *Hub) RotateToken(ctx context.Context, by Actor, id string, r Rotation) (k store.Token, secret string, err error) {
	secret, hash, err := newSecret()
	if err != nil {
		return k, "", err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if k, err = tx.TokenForUpdate(id); err != nil {
			return err
		}
		if k.RevokedAt != nil {
			return model.Fail(model.Conflict, "the token was revoked on "+k.RevokedAt.Format(time.RFC3339)+": create another", nil)
		}
		if k.PreviousUntil != nil && tx.Now.Before(*k.PreviousUntil) {
			return model.Fail(model.Conflict, "the token was rotated a while ago, and the secret before is valid until "+
				k.PreviousUntil.Format(time.RFC3339)+": rotate again then, or revoke it and create another", nil)
		}
		rotate(&k, hash, r, tx.Now)
		if err := h.inLimit(k, tx.Now); err != nil {
			return err
		}
		if err := inFuture(k.ExpiresAt, tx.Now); err != nil {
			return err
		}
		if err := tx.SaveToken(k); err != nil {
			return err
		}
		return auditToken(tx, by, "token.rotate", k)
	})
	if err != nil {
		return store.Token{}, "", err
	}
	return k, secret, nil
}

// rotate moves the present secret to the second slot, no longer than it was to live.
func rotate(k *store.Token, hash []byte, r Rotation, now time.Time) {
	k.Previous, k.PreviousUntil = nil, nil
	if r.Overlap > 0 {
		until := now.Add(r.Overlap)
		if k.ExpiresAt != nil && k.ExpiresAt.Before(until) {
			until = *k.ExpiresAt
		}
		k.Previous, k.PreviousUntil = k.Hash, &until
	}
	if r.Expires == nil && k.ExpiresAt != nil {
		again := now.Add(k.ExpiresAt.Sub(k.IssuedAt))
		r.Expires = &again
	}
	k.Hash, k.IssuedAt, k.ExpiresAt = hash, now, r.Expires
}

// RevokeToken ends a token at once, both of its secrets. Revoking again changes nothing.
func (h *Hub) RevokeToken(ctx context.Context, by Actor, id string) (k store.Token, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if k, err = tx.TokenForUpdate(id); err != nil || k.RevokedAt != nil {
			return err
		}
		k.RevokedAt, k.Previous, k.PreviousUntil = &tx.Now, nil, nil
		if err := tx.SaveToken(k); err != nil {
			return err
		}
		return auditToken(tx, by, "token.revoke", k)
	})
	return k, err
}

// auditToken notes which token, never its secret or hash.
func auditToken(tx *store.Tx, by Actor, action string, k store.Token) error {
	data, err := json.Marshal(struct {
		Source        string     `json:"source"`
		Name          string     `json:"name"`
		Expires       *time.Time `json:"expires,omitempty"`
		PreviousUntil *time.Time `json:"previous_until,omitempty"`
		Role          string     `json:"role,omitempty"`
		Scope         []string   `json:"scope,omitempty"`
		Targets       []string   `json:"targets,omitempty"`
		Person        string     `json:"person,omitempty"`
	}{k.Source, k.Name, k.ExpiresAt, k.PreviousUntil, k.Role, k.Scope, k.Targets, k.Person})
	if err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: by.String(), Action: action, Object: "token/" + k.ID, Identity: k.Person, Data: data})
}
