package admin

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// maxInConflict limits how many people a conflict is shown with.
const maxInConflict = 100

// ConflictView is a conflict of the configuration and who is in it now.
type ConflictView struct {
	Name    string       `json:"name"`
	Roles   []string     `json:"roles"`
	Action  string       `json:"action"`
	Approve []string     `json:"approve,omitempty"`
	People  []InConflict `json:"people"`         // those whom it concerns, at most 100
	More    bool         `json:"more,omitempty"` // there are others
}

// InConflict is a person whom a conflict concerns.
type InConflict struct {
	Identity string    `json:"identity"`
	UserName string    `json:"userName"`
	Message  string    `json:"message"`
	Since    time.Time `json:"since"`
}

// ExceptionRequest asks for an exception. From and Until are dates, RFC 3339 times or
// durations from now.
type ExceptionRequest struct {
	For    string   `json:"for"` // the person
	Roles  []string `json:"roles"`
	Owner  string   `json:"owner"` // the person who answers for it
	Reason string   `json:"reason"`
	From   string   `json:"from,omitempty"` // empty: now
	Until  string   `json:"until"`
}

// ExceptionView is an exception as operators see it.
type ExceptionView struct {
	model.Exception
	UserName string `json:"userName"`
	State    string `json:"state"` // planned, active, ended
}

// Revocation says why something is taken back.
type Revocation struct {
	Reason string `json:"reason,omitempty"`
}

func (a *API) conflicts(r *http.Request, _ Caller) (any, error) {
	snap := a.Hub.Snapshot()
	if snap == nil {
		return nil, model.Fail(model.Unavailable, "no configuration is active", nil)
	}
	shown, cursor, err := pageOf(r, snap.Doc.Conflicts, func(c config.Conflict) string { return c.Name })
	if err != nil {
		return nil, err
	}
	views := make([]ConflictView, 0, len(shown))
	for _, c := range shown {
		found, names, next, err := a.Hub.Store.Findings(r.Context(), store.FindingFilter{Kind: model.FindingConflict, Subject: c.Name, Limit: maxInConflict})
		if err != nil {
			return nil, err
		}
		v := ConflictView{Name: c.Name, Roles: c.Roles, Action: c.Action, Approve: c.Approve, People: []InConflict{}, More: next != ""}
		for _, f := range found {
			v.People = append(v.People, InConflict{Identity: f.Identity, UserName: names[f.Identity], Message: f.Message, Since: f.Since})
		}
		views = append(views, v)
	}
	return list(views, cursor), nil
}

func (a *API) exceptionView(r *http.Request, list ...model.Exception) (views []ExceptionView, err error) {
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		ids := make([]string, len(list))
		for i, e := range list {
			ids[i] = e.Identity
		}
		names, err := tx.Names(ids)
		views = nil
		for _, e := range list {
			views = append(views, exceptionAt(e, names[e.Identity], tx.Now))
		}
		return err
	})
	return views, err
}

// exceptionAt is an exception as it stands at a moment.
func exceptionAt(e model.Exception, name string, now time.Time) ExceptionView {
	v := ExceptionView{Exception: e, UserName: name, State: "ended"}
	switch {
	case e.InForce(now):
		v.State = "active"
	case e.EndedAt == nil && now.Before(e.From):
		v.State = "planned"
	}
	return v
}

func (a *API) exceptions(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	ended := q.Get("ended")
	if ended != "" && ended != "true" && ended != "false" {
		return nil, model.Fail(model.Invalid, "ended must be true or false", nil)
	}
	after, err := cursorOf(r)
	if err != nil {
		return nil, err
	}
	f := store.ExceptionFilter{Ended: ended == "true", After: after, Limit: limit}
	if person := q.Get("for"); person != "" {
		err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
			row, err := tx.FindIdentity(person)
			f.Identity = row.ID
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	found, next, err := a.Hub.Store.Exceptions(r.Context(), f)
	if err != nil {
		return nil, err
	}
	views, err := a.exceptionView(r, found...)
	return list(views, encodeCursor(next)), err
}

func (a *API) exception(r *http.Request, _ Caller) (any, error) {
	var e model.Exception
	err := a.Hub.Store.View(r.Context(), func(tx *store.Tx) (err error) {
		e, err = tx.Exception(mux.Vars(r)["exception"])
		return err
	})
	return a.oneException(r, e, err)
}

func (a *API) oneException(r *http.Request, e model.Exception, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	views, err := a.exceptionView(r, e)
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

func (a *API) addException(r *http.Request, by Caller) (any, error) {
	var in ExceptionRequest
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.For) == "" {
		return nil, model.Fail(model.Invalid, "for is missing: the person who is to hold the roles together", nil)
	}
	n := hub.NewException{Person: in.For, Roles: in.Roles, Owner: in.Owner, Reason: in.Reason, Asker: by.Person}
	var err error
	if n.From, err = a.timeIn("from", in.From); err != nil {
		return nil, err
	}
	until, err := a.timeIn("until", in.Until)
	if err != nil {
		return nil, err
	}
	if until != nil {
		n.Until = *until
	}
	e, err := a.Hub.AddException(r.Context(), hub.Actor{Name: by.Name}, n)
	return a.oneException(r, e, err)
}

// timeIn reads a date, a time or a duration from now; nil where there is none.
func (a *API) timeIn(field, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := config.ParseDate(text); err == nil {
		return &t, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil || d < 0 {
		return nil, model.Fail(model.Invalid, field+": write 2027-06-30, 2027-06-30T12:00:00Z or a duration such as 90d", err)
	}
	t := a.now().Add(d)
	return &t, nil
}

func (a *API) revokeException(r *http.Request, by Caller) (any, error) {
	var in Revocation
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) { // nothing at all is fine
		return nil, err
	}
	if err := a.Hub.StillHere(r.Context(), by.who()); err != nil {
		return nil, err
	}
	e, err := a.Hub.RevokeException(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["exception"], in.Reason)
	return a.oneException(r, e, err)
}
