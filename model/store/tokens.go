package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Token is a bearer token of a source that was made while the hub ran. It has two
// slots: the present secret, and the one before it, which a rotation leaves valid
// for a while. Only hashes are stored.
type Token struct {
	ID, Source, Name string
	Hash             []byte     // SHA-256 of the present secret
	Previous         []byte     // of the one before; nil: there was none
	PreviousUntil    *time.Time // nil like Previous
	CreatedAt        time.Time
	CreatedBy        string
	IssuedAt         time.Time  // when the present secret was made
	ExpiresAt        *time.Time // nil: never
	RevokedAt        *time.Time // nil: it was not
	LastUsed         *time.Time // the day, UTC; nil: never
	May              []string   // rights of a token for one target

	Role    string   // of a token of the API
	Scope   []string // of a token of the API; nil: all that the role may
	Targets []string // of a token of the API: the only targets it may call; nil: no limit
	Person  string   // of a token of the API: whom it acts for
}

// TargetTokens is the source of tokens for one target, which no source can be called.
const TargetTokens = "target/"

// AdminTokens is the source of tokens of the API, which no source can be called.
const AdminTokens = "admin/"

const tokenColumns = `id, source, name, hash, previous_hash, previous_until, created_at, created_by, issued_at, expires_at, revoked_at, last_used, may, role, scope, targets, person`

// Tokens lists the tokens by source, name and age: those of a source, or of all
// with an empty one, the revoked ones included.
func (s *Store) Tokens(ctx context.Context, source string) ([]Token, error) {
	return s.tokensWhere(ctx, `(? = '' OR source = ?)`, source, source)
}

// LiveTokens lists the tokens that are not revoked.
func (s *Store) LiveTokens(ctx context.Context) ([]Token, error) {
	return s.tokensWhere(ctx, `revoked_at IS NULL`)
}

func (s *Store) tokensWhere(ctx context.Context, where string, args ...any) (out []Token, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT `+tokenColumns+` FROM tokens WHERE `+where+` ORDER BY source, name, created_at, id`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			t, err := scanToken(rows.Scan)
			if err != nil {
				return err
			}
			out = append(out, t)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return out, nil
}

func scanToken(scan func(...any) error) (t Token, err error) {
	var created, issued int64
	var previous, expires, revoked, used *int64
	var may, scope, targets string
	err = scan(&t.ID, &t.Source, &t.Name, &t.Hash, &t.Previous, &previous, &created, &t.CreatedBy, &issued, &expires, &revoked, &used, &may, &t.Role, &scope, &targets, &t.Person)
	if may != "" {
		t.May = strings.Split(may, ",")
	}
	if scope != "" {
		t.Scope = strings.Split(scope, ",")
	}
	if targets != "" {
		t.Targets = strings.Split(targets, ",")
	}
	t.CreatedAt, t.IssuedAt = fromMicros(created), fromMicros(issued)
	t.PreviousUntil, t.ExpiresAt, t.RevokedAt, t.LastUsed = timePtr(previous), timePtr(expires), timePtr(revoked), timePtr(used)
	return t, err
}

// AddToken stores a new token. model.Conflict if one of that name is in force.
func (t *Tx) AddToken(k Token) error {
	_, err := t.exec(`INSERT INTO tokens (`+tokenColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, k.ID, k.Source, k.Name, k.Hash, k.Previous,
		microsPtr(k.PreviousUntil), micros(k.CreatedAt), k.CreatedBy, micros(k.IssuedAt), microsPtr(k.ExpiresAt), microsPtr(k.RevokedAt), microsPtr(k.LastUsed), strings.Join(k.May, ","), k.Role, strings.Join(k.Scope, ","), strings.Join(k.Targets, ","), k.Person)
	if isUnique(err) {
		return model.Fail(model.Conflict, "there is a token of "+strings.TrimSuffix(k.Source, "/")+" called "+k.Name+" already", err)
	}
	return err
}

// TokenForUpdate reads a token and keeps others from changing it until the
// transaction ends. model.NotFound if there is none.
func (t *Tx) TokenForUpdate(id string) (Token, error) {
	lock := ""
	if t.pg {
		lock = ` FOR UPDATE`
	}
	k, err := scanToken(t.row(`SELECT `+tokenColumns+` FROM tokens WHERE id = ?`+lock, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return k, model.Fail(model.NotFound, "there is no token with the id "+id, nil)
	}
	return k, err
}

// SaveToken stores what rotations and revocations change.
func (t *Tx) SaveToken(k Token) error {
	_, err := t.exec(`UPDATE tokens SET hash = ?, previous_hash = ?, previous_until = ?, issued_at = ?, expires_at = ?, revoked_at = ? WHERE id = ?`,
		k.Hash, k.Previous, microsPtr(k.PreviousUntil), micros(k.IssuedAt), microsPtr(k.ExpiresAt), microsPtr(k.RevokedAt), k.ID)
	return err
}

// TokensUsed notes the day on which tokens were used: for each, one write a day.
func (s *Store) TokensUsed(ctx context.Context, ids []string, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	day := micros(at.UTC().Truncate(24 * time.Hour))
	return s.Update(ctx, func(tx *Tx) error {
		for _, id := range ids {
			if _, err := tx.exec(`UPDATE tokens SET last_used = ? WHERE id = ? AND (last_used IS NULL OR last_used < ?)`, day, id, day); err != nil {
				return err
			}
		}
		return nil
	})
}

// TokenByHash finds the token that a secret's SHA-256 belongs to, as its present or its
// previous one, revoked or not; ok is false where there is none.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (k Token, ok bool, err error) {
	list, err := s.tokensWhere(ctx, `hash = ? OR previous_hash = ?`, hash, hash)
	if err != nil || len(list) == 0 {
		return k, false, err
	}
	return list[0], true, nil
}

// TokenByID reads a token; ok is false where there is none.
func (s *Store) TokenByID(ctx context.Context, id string) (k Token, ok bool, err error) {
	list, err := s.tokensWhere(ctx, `id = ?`, id)
	if err != nil || len(list) == 0 {
		return k, false, err
	}
	return list[0], true, nil
}
