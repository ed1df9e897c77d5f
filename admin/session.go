package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// SessionView is a sign-in at the console. What the browser shows for it is in no view.
type SessionView struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"` // oidc, link or token: how they signed in
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Person     string     `json:"person,omitempty"` // id
	PersonName string     `json:"person_name,omitempty"`
	Address    string     `json:"address,omitempty"`
	Agent      string     `json:"agent,omitempty"` // the browser, as it calls itself
	Started    time.Time  `json:"started"`
	Seen       time.Time  `json:"seen"` // to the minute
	Expires    time.Time  `json:"expires"`
	Ended      *time.Time `json:"ended,omitempty"`
	EndedBy    string     `json:"ended_by,omitempty"`
	EndedWhy   string     `json:"ended_why,omitempty"`
	Current    bool       `json:"current,omitempty"` // that of whoever asks
}

// SessionEnd says why a session is ended.
type SessionEnd struct {
	Reason string `json:"reason,omitempty"`
}

// SignInLinkRequest asks for a link that lets somebody in once.
type SignInLinkRequest struct {
	Role string `json:"role,omitempty"` // default admin
}

// SignInLinkView is such a link. It is shown this once.
type SignInLinkView struct {
	URL     string    `json:"url"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

// concealed is the view without the link, which lets in whoever has it.
func (v SignInLinkView) concealed() any {
	v.URL = ""
	return v
}

// Me is who asks, as the API knows them.
type Me struct {
	Name       string   `json:"name"`
	Role       string   `json:"role"`
	Person     string   `json:"person,omitempty"` // id, or userName as a token of the configuration has it
	PersonName string   `json:"person_name,omitempty"`
	Scope      []string `json:"scope,omitempty"`
	Targets    []string `json:"targets,omitempty"`
	Session    string   `json:"session,omitempty"` // id; empty: an API token
}

func (a *API) me(r *http.Request, by Caller) (any, error) {
	me := Me{Name: by.Name, Role: by.Role, Person: by.Person, Scope: by.Scope, Targets: by.Targets, Session: by.Session}
	if by.Person == "" {
		return me, nil
	}
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		row, err := tx.FindIdentity(by.Person)
		if code := model.CodeOf(err); code == model.NotFound || code == model.Conflict {
			return nil
		}
		me.PersonName = row.Name
		return err
	})
	return me, err
}

func sessionView(s store.Session, by Caller) SessionView {
	return SessionView{ID: s.ID, Kind: s.Kind, Name: s.Name, Role: s.Role, Person: s.Person, PersonName: s.PersonName, Address: s.Address, Agent: s.Agent,
		Started: s.CreatedAt, Seen: s.SeenAt, Expires: s.ExpiresAt, Ended: s.EndedAt, EndedBy: s.EndedBy, EndedWhy: s.EndedWhy, Current: s.ID == by.Session}
}

// sessions lists the sessions of everybody, or, for who may not see everything or asks
// for them, the caller's own.
func (a *API) sessions(r *http.Request, by Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	q := store.SessionQuery{Person: v.Get("person"), Idle: a.Hub.Snapshot().Doc.Admin.Session.Idle, After: v.Get("cursor"), Limit: limit}
	mine := by.May(rightRead) != nil
	for name, into := range map[string]*bool{"ended": &q.Ended, "mine": &mine} {
		if text := v.Get(name); text != "" {
			asked, err := strconv.ParseBool(text)
			if err != nil {
				return nil, model.Fail(model.Invalid, name+" must be true or false", err)
			}
			*into = *into && name == "mine" || asked // nobody widens what they see
		}
	}
	if mine {
		if q.Name, q.Issuer, q.Subject, err = a.own(r.Context(), by); err != nil {
			return nil, err
		}
	}
	found, next, err := a.Hub.Store.Sessions(r.Context(), q)
	if err != nil {
		return nil, err
	}
	views := make([]SessionView, len(found))
	for i, s := range found {
		views[i] = sessionView(s, by)
	}
	return list(views, next), nil
}

// own is by what the caller's own sessions are known: their name, and, of who comes from
// a provider, which account there.
func (a *API) own(ctx context.Context, by Caller) (name, issuer, subject string, err error) {
	if by.Session == "" {
		return by.Name, "", "", nil
	}
	s, _, err := a.Hub.Store.SessionByID(ctx, by.Session)
	return by.Name, s.Issuer, s.Subject, err
}

// readOptional reads a body that may be left out.
func readOptional(r *http.Request, into any) error {
	if err := readJSON(r, into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// endSession ends a session: anybody's for an operator, one's own for everybody.
func (a *API) endSession(r *http.Request, by Caller) (any, error) {
	var in SessionEnd
	if err := readOptional(r, &in); err != nil {
		return nil, err
	}
	id := mux.Vars(r)["session"]
	if by.May(rightOperate) != nil {
		s, ok, err := a.Hub.Store.SessionByID(r.Context(), id)
		if err != nil {
			return nil, err
		}
		name, issuer, subject, err := a.own(r.Context(), by)
		if err != nil {
			return nil, err
		}
		if !ok || s.Name != name || s.Issuer != issuer || s.Subject != subject { // whether somebody else has it is nobody's business
			return nil, model.Fail(model.NotFound, "you have no session with the id "+id, nil)
		}
	}
	why := strings.TrimSpace(in.Reason)
	if why == "" {
		why = by.Name + " ended it"
	}
	s, err := a.Hub.EndSession(r.Context(), by.actor(), id, why)
	if err != nil {
		return nil, err
	}
	return sessionView(s, by), nil
}

func (a *API) createSignInLink(r *http.Request, by Caller) (any, error) {
	in := SignInLinkRequest{Role: RoleAdmin}
	if err := readOptional(r, &in); err != nil {
		return nil, err
	}
	if operators := slices.DeleteFunc(Roles(), func(r string) bool { return r == RolePerson }); !slices.Contains(operators, in.Role) {
		return nil, model.Fail(model.Invalid, "role must be one of "+strings.Join(operators, ", ")+config.Suggest(in.Role, operators), nil)
	}
	if err := within(by, nil, nil); err != nil {
		return nil, err
	}
	token, expires, err := a.Hub.CreateSignInLink(r.Context(), by.actor(), in.Role, false)
	if err != nil {
		return nil, err
	}
	return SignInLinkView{URL: a.baseURL() + "/sign-in?token=" + url.QueryEscape(token), Role: in.Role, Expires: expires}, nil
}

// baseURL is where people reach the hub, without a slash at its end.
func (a *API) baseURL() string {
	if a.BaseURL != nil {
		return a.BaseURL()
	}
	return strings.TrimRight(a.Hub.Snapshot().Doc.PublicURL, "/")
}
