package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Session is one sign-in at the console.
type Session struct {
	ID   string // grows with time
	Hash string // of the browser's token
	Kind string // how they signed in: oidc, link or token
	Name string // who, as the audit trail names them
	Role string // as worked out at sign-in

	Person  string // identity; empty: nobody the hub knows
	Issuer  string // of the OpenID provider; empty unless Kind is oidc
	Subject string
	SID     string // the provider's own session; empty: it names none
	Data    string // JSON: what rights are worked out from

	Agent, Address string // of the browser

	CreatedAt, SeenAt time.Time
	ExpiresAt         time.Time
	EndedAt           *time.Time // nil: it goes on, unless it expired
	EndedBy, EndedWhy string

	// Of the identity as it is now; empty where Person is.
	PersonName   string
	Stage        model.Stage
	PersonHeld   bool // a source's guard holds them: they may have left by mistake
	PersonMerged string
}

const sessionColumns = `s.id, s.hash, s.kind, s.name, s.role, s.person, s.issuer, s.subject, s.sid, s.data, s.agent, s.address, s.created_at, s.seen_at, s.expires_at, s.ended_at, s.ended_by, s.ended_why`

const selectSessions = `SELECT ` + sessionColumns + `, coalesce(i.name, ''), coalesce(i.stage, ''), coalesce(i.over_guard, FALSE), coalesce(i.merged_into, '') FROM sessions s LEFT JOIN identities i ON i.id = s.person `

func scanSession(scan func(...any) error) (s Session, err error) {
	var created, seen, expires int64
	var ended *int64
	err = scan(&s.ID, &s.Hash, &s.Kind, &s.Name, &s.Role, &s.Person, &s.Issuer, &s.Subject, &s.SID, &s.Data, &s.Agent, &s.Address,
		&created, &seen, &expires, &ended, &s.EndedBy, &s.EndedWhy, &s.PersonName, &s.Stage, &s.PersonHeld, &s.PersonMerged)
	s.CreatedAt, s.SeenAt, s.ExpiresAt, s.EndedAt = fromMicros(created), fromMicros(seen), fromMicros(expires), timePtr(ended)
	return s, err
}

// Alive reports whether a session goes on at a moment, where idle is how long one may
// be unused.
func (s Session) Alive(now time.Time, idle time.Duration) bool {
	return s.EndedAt == nil && now.Before(s.ExpiresAt) && now.Before(s.SeenAt.Add(idle))
}

// SessionByHash finds the session of a browser's token, ended or not; ok is false where
// there is none.
func (s *Store) SessionByHash(ctx context.Context, hash string) (out Session, ok bool, err error) {
	return s.sessionWhere(ctx, `s.hash = ?`, hash)
}

func (s *Store) sessionWhere(ctx context.Context, where, value string) (out Session, ok bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = scanSession(tx.row(selectSessions+`WHERE `+where, value).Scan)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return out, false, nil
	}
	if err != nil {
		return out, false, fmt.Errorf("session: %w", err)
	}
	return out, true, nil
}

// SessionQuery asks for a page of sessions.
type SessionQuery struct {
	Name   string // whose; empty: everybody's
	Person string // of which identity; empty: of anybody
	// Issuer and Subject are the account at a provider, where Name is given; both
	// empty: of those who came another way.
	Issuer, Subject string
	Ended           bool // those that are over, too
	Idle            time.Duration
	After           string // id of the last one of the page before
	Limit           int
}

// Sessions lists sessions, the newest first.
func (s *Store) Sessions(ctx context.Context, q SessionQuery) (out []Session, next string, err error) {
	where, args := `WHERE TRUE`, []any{}
	add := func(text string, more ...any) { where, args = where+` AND `+text, append(args, more...) }
	if q.Name != "" {
		add(`s.name = ? AND s.issuer = ? AND s.subject = ?`, q.Name, q.Issuer, q.Subject)
	}
	if q.Person != "" {
		add(`s.person = ?`, q.Person)
	}
	if !q.Ended {
		add(`s.ended_at IS NULL AND s.expires_at > ? AND s.seen_at > ?`, micros(s.Now()), micros(s.Now().Add(-q.Idle)))
	}
	if q.After != "" {
		add(`s.id < ?`, q.After)
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(selectSessions+where+` ORDER BY s.id DESC LIMIT ?`, append(args, q.Limit+1)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			one, err := scanSession(rows.Scan)
			if err != nil {
				return err
			}
			out = append(out, one)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", fmt.Errorf("sessions: %w", err)
	}
	if len(out) > q.Limit {
		out = out[:q.Limit]
		next = out[q.Limit-1].ID
	}
	return out, next, nil
}

// AddSession stores a new session.
func (t *Tx) AddSession(s Session) error {
	_, err := t.exec(`INSERT INTO sessions (id, hash, kind, name, role, person, issuer, subject, sid, data, agent, address, created_at, seen_at, expires_at, ended_by, ended_why) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'','')`,
		s.ID, s.Hash, s.Kind, s.Name, s.Role, s.Person, s.Issuer, s.Subject, s.SID, s.Data, s.Agent, s.Address, micros(s.CreatedAt), micros(s.SeenAt), micros(s.ExpiresAt))
	return err
}

// SessionForUpdate reads a session by id and keeps others from changing it until the
// transaction ends. model.NotFound if there is none.
func (t *Tx) SessionForUpdate(id string) (Session, error) {
	lock := ""
	if t.pg {
		lock = ` FOR UPDATE OF s`
	}
	s, err := scanSession(t.row(selectSessions+`WHERE s.id = ?`+lock, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return s, model.Fail(model.NotFound, "there is no session with the id "+id, nil)
	}
	return s, err
}

// EndSession notes that a session is over, and whether it was not before.
func (t *Tx) EndSession(id, by, why string) (bool, error) {
	n, err := t.exec(`UPDATE sessions SET ended_at = ?, ended_by = ?, ended_why = ? WHERE id = ? AND ended_at IS NULL`, micros(t.Now), by, why, id)
	return n > 0, err
}

// SessionsOfSubject lists the ids of sessions that go on, of a subject at a provider, of
// one of its sessions there, or of both where both are given, made no later than at
// the moment given.
func (t *Tx) SessionsOfSubject(issuer, subject, sid string, made time.Time) ([]string, error) {
	where, args := `ended_at IS NULL AND issuer = ? AND issuer <> '' AND created_at <= ?`, []any{issuer, micros(made)}
	if subject != "" {
		where, args = where+` AND subject = ?`, append(args, subject)
	}
	if sid != "" {
		where, args = where+` AND sid = ?`, append(args, sid)
	}
	return t.texts(`SELECT id FROM sessions WHERE `+where+` ORDER BY id`, args...)
}

// SessionsSeen notes when sessions were used last, by id.
func (s *Store) SessionsSeen(ctx context.Context, seen map[string]time.Time) error {
	if len(seen) == 0 {
		return nil
	}
	return s.Update(ctx, func(tx *Tx) error {
		for _, id := range slices.Sorted(maps.Keys(seen)) { // in one order: replicas must not wait for each other in a circle
			at := micros(seen[id])
			if _, err := tx.exec(`UPDATE sessions SET seen_at = ? WHERE id = ? AND seen_at < ? AND ended_at IS NULL`, at, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// SweepSessions closes sessions that ran out, and forgets those that have been over for
// longer than keep, with links and answers of providers that are of no use any more; no
// more than limit of each. idle is how long a session may be unused; keep 0: for ever.
func (s *Store) SweepSessions(ctx context.Context, idle, keep time.Duration, limit int) error {
	return s.Update(ctx, func(tx *Tx) error {
		now, unused, before := micros(tx.Now), micros(tx.Now.Add(-idle)), micros(tx.Now.Add(-keep))
		if keep <= 0 {
			before = 0
		}
		for _, q := range []struct {
			text string
			args []any
		}{
			{`UPDATE sessions SET ended_at = ?, ended_why = CASE WHEN expires_at <= ? THEN 'its time was over' ELSE 'it was not used for too long' END WHERE id IN (SELECT id FROM sessions WHERE ended_at IS NULL AND (expires_at <= ? OR seen_at <= ?) ORDER BY id LIMIT ?)`, []any{now, now, now, unused, limit}},
			{`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at <= ? ORDER BY ended_at LIMIT ?)`, []any{before, limit}},
			{`DELETE FROM sign_in_states WHERE hash IN (SELECT hash FROM sign_in_states WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, []any{now, limit}},
			{`DELETE FROM sign_in_links WHERE expires_at <= ? AND NOT (first AND used_at IS NOT NULL)`, []any{before}},
		} {
			if _, err := tx.exec(q.text, q.args...); err != nil {
				return fmt.Errorf("sessions that are over: %w", err)
			}
		}
		return nil
	})
}

// SessionByID reads a session, ended or not; ok is false where there is none.
func (s *Store) SessionByID(ctx context.Context, id string) (out Session, ok bool, err error) {
	return s.sessionWhere(ctx, `s.id = ?`, id)
}
