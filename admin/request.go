package admin

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// RequestAsk asks for a role. From and Until are a date, an RFC 3339 time or a duration
// from now; a plain date is its first moment, UTC.
type RequestAsk struct {
	Role      string `json:"role"`
	For       string `json:"for,omitempty"` // userName or id; empty: whoever the token acts for
	Reason    string `json:"reason,omitempty"`
	From      string `json:"from,omitempty"`
	Until     string `json:"until,omitempty"`
	Emergency bool   `json:"emergency,omitempty"`
}

// RequestAnswer answers a request, or takes it back.
type RequestAnswer struct {
	Reason string `json:"reason,omitempty"`
	// Version of the request that was looked at: another one is refused. 0: any.
	Version int64 `json:"version,omitempty"`
}

// DeputyAsk names a deputy.
type DeputyAsk struct {
	Person string `json:"person,omitempty"` // in whose place; empty: whoever the token acts for
	Deputy string `json:"deputy"`           // who answers
	From   string `json:"from,omitempty"`
	Until  string `json:"until,omitempty"`
}

// DeputyView is a deputy with names.
type DeputyView struct {
	store.Deputy
	PersonName string `json:"person_name"`
	DeputyName string `json:"deputy_name"`
}

// DeputyEnded names the deputy that ended.
type DeputyEnded struct {
	ID string `json:"id"`
}

// who is the caller as the hub's rules about requests know them.
func (c Caller) who() hub.Who {
	return hub.Who{Name: c.Name, Person: c.Person, Operator: c.May(rightOperate) == nil, Override: c.May(rightAdminister) == nil}
}

// seesAll reports whether the caller sees what does not concern them.
func (c Caller) seesAll() bool { return c.May(rightRead) == nil }

func (a *API) askRequest(r *http.Request, by Caller) (any, error) {
	var in RequestAsk
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	if in.Role == "" {
		return nil, model.Fail(model.Invalid, "role is missing", nil)
	}
	ask := hub.Ask{Role: in.Role, For: in.For, Reason: in.Reason, Emergency: in.Emergency}
	var err error
	if ask.From, err = a.dateOf("from", in.From); err != nil {
		return nil, err
	}
	if ask.Until, err = a.dateOf("until", in.Until); err != nil {
		return nil, err
	}
	made, err := a.Hub.AskRequest(r.Context(), by.who(), ask)
	return a.shownRequest(r, by, made, err)
}

// shownRequest is the answer of whatever changed a request.
func (a *API) shownRequest(r *http.Request, by Caller, q model.Request, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return a.Hub.ShownRequest(r.Context(), by.who(), true, q.ID)
}

func (a *API) requests(r *http.Request, by Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	q := hub.RequestQuery{For: v.Get("for"), State: v.Get("state"), Role: v.Get("role"), After: v.Get("cursor"), Limit: limit, SeeAll: by.seesAll()}
	for name, into := range map[string]*bool{"mine": &q.Mine, "waiting": &q.Waiting} {
		if text := v.Get(name); text != "" {
			if *into, err = strconv.ParseBool(text); err != nil {
				return nil, model.Fail(model.Invalid, name+" must be true or false", err)
			}
		}
	}
	items, next, err := a.Hub.Requests(r.Context(), by.who(), q)
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func (a *API) request(r *http.Request, by Caller) (any, error) {
	return a.Hub.ShownRequest(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["request"])
}

func (a *API) approveRequest(r *http.Request, by Caller) (any, error) {
	return a.decide(r, by, true)
}

func (a *API) denyRequest(r *http.Request, by Caller) (any, error) {
	return a.decide(r, by, false)
}

func (a *API) decide(r *http.Request, by Caller, approve bool) (any, error) {
	in, err := answerOf(r)
	if err != nil {
		return nil, err
	}
	q, err := a.Hub.DecideRequest(r.Context(), by.who(), mux.Vars(r)["request"], hub.Verdict{Approve: approve, Reason: in.Reason, Version: expectedVersion(r, in.Version)})
	return a.shownRequest(r, by, q, err)
}

// answerOf reads an answer; nothing at all is one without a reason.
func answerOf(r *http.Request) (in RequestAnswer, err error) {
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) {
		return in, err
	}
	return in, nil
}

func (a *API) withdrawRequest(r *http.Request, by Caller) (any, error) {
	in, err := answerOf(r)
	if err != nil {
		return nil, err
	}
	q, err := a.Hub.WithdrawRequest(r.Context(), by.who(), mux.Vars(r)["request"], in.Reason)
	return a.shownRequest(r, by, q, err)
}

func (a *API) revokeRequest(r *http.Request, by Caller) (any, error) {
	in, err := answerOf(r)
	if err != nil {
		return nil, err
	}
	q, err := a.Hub.RevokeRequest(r.Context(), by.who(), mux.Vars(r)["request"], in.Reason)
	return a.shownRequest(r, by, q, err)
}

func (a *API) addDeputy(r *http.Request, by Caller) (any, error) {
	var in DeputyAsk
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	n := hub.NewDeputy{Person: in.Person, Deputy: in.Deputy}
	var err error
	if n.From, err = a.dateOf("from", in.From); err != nil {
		return nil, err
	}
	if n.Until, err = a.dateOf("until", in.Until); err != nil {
		return nil, err
	}
	return a.Hub.AddDeputy(r.Context(), by.who(), n)
}

func (a *API) deputies(r *http.Request, by Caller) (any, error) {
	found, people, err := a.Hub.Deputies(r.Context(), by.who(), by.seesAll(), r.URL.Query().Get("for"))
	if err != nil {
		return nil, err
	}
	found, next, err := pageOf(r, found, func(d store.Deputy) string { return d.ID })
	if err != nil {
		return nil, err
	}
	views := make([]DeputyView, len(found))
	for i, d := range found {
		views[i] = DeputyView{d, people[d.Person].Name, people[d.Deputy].Name}
	}
	return list(views, next), nil
}

func (a *API) endDeputy(r *http.Request, by Caller) (any, error) {
	id := mux.Vars(r)["deputy"]
	return DeputyEnded{id}, a.Hub.EndDeputy(r.Context(), by.who(), id)
}

// dateOf reads a date, a time or a duration from now.
func (a *API) dateOf(field, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if t, err := config.ParseDate(text); err == nil {
		return &t, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, model.Fail(model.Invalid, field+": write 2027-06-30, 2027-06-30T12:00:00Z or a duration such as 90d", err)
	}
	t := a.now().Add(d)
	return &t, nil
}
