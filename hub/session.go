package hub

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// linkLife is how long a link to sign in works.
const linkLife = 15 * time.Minute

// SignInProof is what a session is made for and used up by it. One of its parts is set,
// or none where an API token was shown.
type SignInProof struct {
	Link  string // that stood in a link
	State string // of an answer of a provider
	Until time.Time
}

// StartSession stores a new session and uses up what it was made for, all or nothing. A
// session made by a link gets the link's role and a name after it. The session's own
// times are set here, but for ExpiresAt where it is set: it lasts no longer than life.
func (h *Hub) StartSession(ctx context.Context, s store.Session, proof SignInProof, life time.Duration) (store.Session, error) {
	var err error
	if s.ID, err = newID(); err != nil {
		return s, err
	}
	given := s.ExpiresAt
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		s.CreatedAt, s.SeenAt, s.ExpiresAt = tx.Now, tx.Now, tx.Now.Add(life)
		if !given.IsZero() && given.Before(s.ExpiresAt) {
			s.ExpiresAt = given
		}
		switch {
		case proof.Link != "":
			sum := sha256.Sum256([]byte(proof.Link))
			link, err := tx.UseSignInLink(sum[:])
			if err != nil {
				return err
			}
			s.Role, s.Name = link.Role, "sign-in link of "+link.CreatedBy
		case proof.State != "":
			sum := sha256.Sum256([]byte(proof.State))
			if err := tx.UseSignInState(sum[:], proof.Until); err != nil {
				return err
			}
		}
		if err := tx.AddSession(s); err != nil {
			return err
		}
		return auditSession(tx, s.Name, "session.start", s, "")
	})
	return s, err
}

// EndSession ends a session. Ending it again changes nothing.
func (h *Hub) EndSession(ctx context.Context, by Actor, id, why string) (s store.Session, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		if s, err = tx.SessionForUpdate(id); err != nil {
			return err
		}
		return endSession(tx, by, &s, why)
	})
	return s, err
}

func endSession(tx *store.Tx, by Actor, s *store.Session, why string) error {
	ended, err := tx.EndSession(s.ID, by.String(), why)
	if err != nil || !ended {
		return err
	}
	s.EndedAt, s.EndedBy, s.EndedWhy = &tx.Now, by.String(), why
	return auditSession(tx, by.String(), "session.end", *s, why)
}

// EndSessionsOf ends the sessions of a subject at a provider, of one of its sessions
// there, or of both where both are given, that were made no later than at a moment. It
// returns how many there were.
func (h *Hub) EndSessionsOf(ctx context.Context, by Actor, issuer, subject, sid string, made time.Time, why string) (n int, err error) {
	if issuer == "" || subject == "" && sid == "" {
		return 0, model.Fail(model.Invalid, "whose sessions are to end is not said", nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		ids, err := tx.SessionsOfSubject(issuer, subject, sid, made)
		if err != nil {
			return err
		}
		for _, id := range ids {
			s, err := tx.SessionForUpdate(id)
			if err != nil {
				return err
			}
			if err := endSession(tx, by, &s, why); err != nil {
				return err
			}
		}
		n = len(ids)
		return nil
	})
	return n, err
}

// auditSession notes who came in how; nothing of the browser's token.
func auditSession(tx *store.Tx, actor, action string, s store.Session, why string) error {
	data, err := json.Marshal(struct {
		Kind    string    `json:"kind"`
		Name    string    `json:"name"`
		Role    string    `json:"role"`
		Address string    `json:"address,omitempty"`
		Expires time.Time `json:"expires"`
		Why     string    `json:"why,omitempty"`
	}{s.Kind, s.Name, s.Role, s.Address, s.ExpiresAt, why})
	if err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: actor, Action: action, Object: "session/" + s.ID, Identity: s.Person, Data: data})
}

// CreateSignInLink makes what stands in a link that lets somebody in once as an admin,
// for a quarter of an hour. It is not stored: this is the only time it can be seen. A
// first one is that of a hub to which nobody can sign in otherwise.
func (h *Hub) CreateSignInLink(ctx context.Context, by Actor, role string, first bool) (token string, expires time.Time, err error) {
	token = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(token))
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		expires = tx.Now.Add(linkLife)
		if err := tx.AddSignInLink(store.SignInLink{Hash: sum[:], Role: role, First: first, CreatedBy: by.String(), ExpiresAt: expires}); err != nil {
			return err
		}
		data, err := json.Marshal(map[string]any{"role": role, "expires": expires})
		if err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.String(), Action: "sign-in-link.create", Object: "sign-in-link", Data: data})
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return token, expires, nil
}
