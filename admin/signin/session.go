package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The ways in.
const (
	byProvider = "oidc"
	byLink     = "link"
	byToken    = "token"
)

// facts are what the rights of a session are worked out from on each request.
type facts struct {
	Values []string `json:"values,omitempty"` // of the provider's claim, as they were at sign-in
	Token  string   `json:"token,omitempty"`  // name of the API token that was shown
	Proof  []byte   `json:"proof,omitempty"`  // that it is that very token; see proofOf
	Hint   []byte   `json:"hint,omitempty"`   // the ID token, sealed, for signing out at the provider
}

// factsKey is where they stand in a session.
const factsKey = "facts"

// rows keeps the sessions of the session manager in the hub's database.
type rows struct{ s *SignIn }

type (
	foundKey struct{} // of *store.Session: what FindCtx found
	startKey struct{} // of *start: what CommitCtx is to store
	endKey   struct{} // of ending: why DeleteCtx ends a session
)

// start is a session to be stored.
type start struct {
	session store.Session
	proof   hub.SignInProof
}

type ending struct{ by, why string }

// FindCtx implements scs.CtxStore: a session that goes on, by the hash of its token.
func (k *rows) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	found, ok, err := k.s.o.Hub.Store.SessionByHash(ctx, hash)
	if err != nil || !ok {
		return nil, false, err
	}
	if into, wanted := ctx.Value(foundKey{}).(*store.Session); wanted {
		*into = found
	}
	limits := k.s.o.Hub.Snapshot().Doc.Admin.Session
	now := k.s.now()
	alive := found.Alive(now, limits.Idle) && now.Before(found.CreatedAt.Add(limits.Lifetime))
	return []byte(found.Data), alive, nil
}

// CommitCtx implements scs.CtxStore. Sessions are stored once and never changed, so that
// none comes back that was ended meanwhile.
func (k *rows) CommitCtx(ctx context.Context, hash string, data []byte, _ time.Time) error {
	begun, ok := ctx.Value(startKey{}).(*start)
	if !ok {
		return errors.New("a session is stored when it begins, and at no other time")
	}
	begun.session.Hash, begun.session.Data = hash, string(data)
	var err error
	begun.session, err = k.s.o.Hub.StartSession(ctx, begun.session, begun.proof, k.s.o.Hub.Snapshot().Doc.Admin.Session.Lifetime)
	return err
}

// DeleteCtx implements scs.CtxStore.
func (k *rows) DeleteCtx(ctx context.Context, hash string) error {
	found, ok, err := k.s.o.Hub.Store.SessionByHash(ctx, hash)
	if err != nil || !ok {
		return err
	}
	e, _ := ctx.Value(endKey{}).(ending)
	_, err = k.s.o.Hub.EndSession(ctx, hub.Actor{Name: e.by}, found.ID, e.why)
	return err
}

// errNoContext is what the methods of scs.Store answer, which the manager does not call
// of a store that has those of scs.CtxStore.
var errNoContext = errors.New("sessions are kept by request")

// Find implements scs.Store.
func (k *rows) Find(string) ([]byte, bool, error) { return nil, false, errNoContext }

// Commit implements scs.Store.
func (k *rows) Commit(string, []byte, time.Time) error { return errNoContext }

// Delete implements scs.Store.
func (k *rows) Delete(string) error { return errNoContext }

// codec writes sessions as JSON, so that what is stored can be read without this program.
type codec struct{}

type coded struct {
	Deadline time.Time      `json:"deadline"`
	Values   map[string]any `json:"values"`
}

// Encode implements scs.Codec.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(coded{deadline, values})
}

// Decode implements scs.Codec.
func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var c coded
	err := json.Unmarshal(data, &c)
	if c.Values == nil {
		c.Values = map[string]any{}
	}
	return c.Deadline, c.Values, err
}

// begun starts a session and gives the browser its token, a new one each time. seal is
// told the token, with which it may hide in the facts what nobody else is to read.
func (s *SignIn) begun(w http.ResponseWriter, r *http.Request, b *start, f facts, seal func(token string, f *facts) error) error {
	m := s.manager()
	old := s.find(r)
	b.session.Agent, b.session.Address = clip(r.UserAgent(), 300), remote(r)
	ctx, err := m.Load(context.WithValue(r.Context(), startKey{}, b), "")
	if err != nil {
		return err
	}
	if err := m.RenewToken(ctx); err != nil {
		return err
	}
	token := m.Token(ctx)
	if seal != nil {
		if err := seal(token, &f); err != nil {
			return err
		}
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	m.Put(ctx, factsKey, string(text))
	if _, _, err := m.Commit(ctx); err != nil {
		return err
	}
	m.WriteSessionCookie(ctx, w, token, b.session.ExpiresAt)
	s.o.Log.InfoContext(r.Context(), "signed in", "session", b.session.ID, "by", b.session.Kind, "actor", b.session.Name, "role", b.session.Role)
	if old.row.ID != "" && old.row.EndedAt == nil {
		s.end(r.Context(), old.row, old.row.Name, "they signed in anew")
	}
	return nil
}

// found is a session as a request shows it.
type found struct {
	token string
	row   store.Session
	facts facts
	alive bool
	err   error // of the database
}

// find reads the session that a request comes with.
func (s *SignIn) find(r *http.Request) (out found) {
	m := s.manager()
	cookie, err := r.Cookie(m.Cookie.Name)
	if err != nil || cookie.Value == "" {
		return out
	}
	out.token = cookie.Value
	ctx, err := m.Load(context.WithValue(r.Context(), foundKey{}, &out.row), out.token)
	if err != nil {
		out.err = err
		return out
	}
	text := m.GetString(ctx, factsKey)
	out.alive = text != ""
	if out.alive && json.Unmarshal([]byte(text), &out.facts) != nil {
		out.alive = false
	}
	return out
}

// Caller is who a request comes from by their session: name, role, person and id of the
// session as they are now. model.Unauthorized with [ErrSignedOut] where there is none
// or it has ended: send them to /sign-in?return=PATH. model.Unavailable where the
// database does not answer.
func (s *SignIn) Caller(r *http.Request) (admin.Caller, error) {
	c, at, err := s.recognise(r)
	if err == nil && s.now().Sub(at) > usedEvery {
		s.mu.Lock()
		s.seen[c.Session] = s.now()
		s.mu.Unlock()
	}
	return c, err
}

// Watching is Caller for requests that a page makes by itself: they do not count as use,
// so that a page which nobody looks at does not keep its session.
func (s *SignIn) Watching(r *http.Request) (admin.Caller, error) {
	c, _, err := s.recognise(r)
	return c, err
}

// usedEvery is how exactly it is known when a session was used last.
const usedEvery = time.Minute

func (s *SignIn) recognise(r *http.Request) (c admin.Caller, seen time.Time, err error) {
	f := s.find(r)
	switch {
	case f.err != nil:
		return c, seen, model.Fail(model.Unavailable, "the database does not answer: who you are cannot be looked up", f.err)
	case !f.alive:
		return c, seen, model.Fail(model.Unauthorized, "sign in first", ErrSignedOut)
	}
	if f.row.PersonMerged != "" {
		if err := s.follow(r.Context(), &f.row); err != nil {
			return c, seen, err
		}
	}
	c, why := s.rights(f)
	if why != "" {
		s.end(r.Context(), f.row, "scimhub", why)
		return admin.Caller{}, seen, model.Fail(model.Unauthorized, "sign in again: "+why, ErrSignedOut)
	}
	return c, f.row.SeenAt, nil
}

// follow finds whom a person turned out to be.
func (s *SignIn) follow(ctx context.Context, row *store.Session) error {
	return s.o.Hub.Store.View(ctx, func(tx *store.Tx) error {
		i, err := tx.FindIdentity(row.Person)
		if err != nil && model.CodeOf(err) != model.NotFound {
			return err
		}
		row.Person, row.PersonName, row.Stage, row.PersonHeld = i.ID, i.Name, i.Stage, i.OverGuard
		return nil
	})
}

// end ends a session; where that cannot be stored it is refused all the same, now and
// the next time.
func (s *SignIn) end(ctx context.Context, row store.Session, by, why string) {
	if _, err := s.o.Hub.EndSession(ctx, hub.Actor{Name: by}, row.ID, why); err != nil {
		s.o.Log.WarnContext(ctx, "the end of a session cannot be stored", "session", row.ID, "error", err)
		return
	}
	s.o.Log.InfoContext(ctx, "session ended", "session", row.ID, "reason", why)
}

// Limits of the sweep over sessions.
const (
	sweepEvery = time.Minute
	sweepLimit = 1000
)

// Flush writes which sessions were used, and now and then closes and forgets those that
// are over. Call it every few seconds.
func (s *SignIn) Flush(ctx context.Context) error {
	now := s.now()
	s.mu.Lock()
	seen, sweep := s.seen, now.Sub(s.swept) >= sweepEvery
	s.seen = map[string]time.Time{}
	if sweep {
		s.swept = now
	}
	s.mu.Unlock()
	err := s.o.Hub.Store.SessionsSeen(ctx, seen)
	if sweep {
		doc := s.o.Hub.Snapshot().Doc
		err = errors.Join(err, s.o.Hub.Store.SweepSessions(ctx, doc.Admin.Session.Idle, doc.Retention.Sessions, sweepLimit))
	}
	return err
}
