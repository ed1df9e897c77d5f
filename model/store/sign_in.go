package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// SignInLink lets somebody in once.
type SignInLink struct {
	Hash      []byte // SHA-256 of what stands in the link
	Role      string
	First     bool // printed by a hub that nobody can sign in to otherwise
	CreatedBy string
	ExpiresAt time.Time
}

// AddSignInLink stores a link.
func (t *Tx) AddSignInLink(l SignInLink) error {
	_, err := t.exec(`INSERT INTO sign_in_links (hash, role, first, created_at, created_by, expires_at) VALUES (?,?,?,?,?,?)`,
		l.Hash, l.Role, l.First, micros(t.Now), l.CreatedBy, micros(l.ExpiresAt))
	return err
}

// UseSignInLink uses a link up. model.Unauthorized where there is none, it was used or
// its time is over.
func (t *Tx) UseSignInLink(hash []byte) (l SignInLink, err error) {
	var expires int64
	err = t.row(`UPDATE sign_in_links SET used_at = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ? RETURNING hash, role, first, created_by, expires_at`,
		micros(t.Now), hash, micros(t.Now)).Scan(&l.Hash, &l.Role, &l.First, &l.CreatedBy, &expires)
	l.ExpiresAt = fromMicros(expires)
	if errors.Is(err, sql.ErrNoRows) {
		return l, model.Fail(model.Unauthorized, "this link was used already or is too old; make another one on the hub's machine: scimhub sign-in", nil)
	}
	return l, err
}

// SignInLinkWorks reports whether a link can be used now, without using it.
func (s *Store) SignInLinkWorks(ctx context.Context, hash []byte) (yes bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM sign_in_links WHERE hash = ? AND used_at IS NULL AND expires_at > ?)`, hash, micros(s.Now())).Scan(&yes)
	})
	return yes, err
}

// SignedInFirst reports whether somebody came in by a link that a hub printed when it
// started.
func (s *Store) SignedInFirst(ctx context.Context) (yes bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM sign_in_links WHERE first AND used_at IS NOT NULL)`).Scan(&yes)
	})
	return yes, err
}

// UseSignInState notes an answer of a provider that makes a session. model.Conflict
// where it made one already.
func (t *Tx) UseSignInState(hash []byte, expires time.Time) error {
	_, err := t.exec(`INSERT INTO sign_in_states (hash, expires_at) VALUES (?, ?)`, hash, micros(expires))
	if isUnique(err) {
		return model.Fail(model.Conflict, "this sign-in was used already: start again", err)
	}
	return err
}

// maxKnownAs is how many people, or resources of people, of one name are looked at.
const maxKnownAs = 50

// KnownAs lists the people whose merged record has a value, without regard to case (but
// for externalId): userName, externalId, or emails, which means the address for work. It
// does not tell who has left; erased people and those who turned out to be another are
// left out.
func (s *Store) KnownAs(ctx context.Context, attribute, value string) (out []IdentityRow, err error) {
	if !indexable(value) {
		return nil, nil
	}
	var rows []identityRow
	q := s.read.WithContext(ctx).Where(`erased_at IS NULL AND merged_into = ''`).Order("id").Limit(maxKnownAs)
	switch attribute {
	case "userName":
		q = q.Where(`key = ?`, identityKey(value))
	case "externalId":
		q = q.Where(`id IN (SELECT identity_id FROM resources WHERE kind = 'User' AND external_id = ? AND external_id <> '')`, value)
	case "emails":
		q = q.Where(`id IN (SELECT r.identity_id FROM resource_values v JOIN resources r ON r.id = v.resource_id WHERE v.kind = 'User' AND v.attr = 'emails.value' AND v.value = ?)`, scim.Fold(value))
	default:
		return nil, model.Fail(model.Internal, "people are not found by "+attribute, nil)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("people known as: %w", reachable(err))
	}
	for _, r := range rows {
		p, err := r.plain()
		if err != nil {
			return nil, err
		}
		if attribute == "userName" || hasValue(p.User, attribute, value) {
			out = append(out, p)
		}
	}
	return out, nil
}

// hasValue reports whether a merged record, not only one of the resources behind it,
// has the value.
func hasValue(user map[string]any, attribute, value string) bool {
	if attribute == "externalId" {
		return user["externalId"] == value
	}
	list, _ := user["emails"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		kind, _ := m["type"].(string)
		address, _ := m["value"].(string)
		if (kind == "" || strings.EqualFold(kind, "work")) && scim.Fold(address) == scim.Fold(value) {
			return true
		}
	}
	return false
}
