package admin

import (
	"encoding/base64"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// CaseView is a case as operators see it, with the names of those it is about.
type CaseView struct {
	model.Case
	UserName string      `json:"userName"` // of the identity
	People   []PersonRef `json:"people"`   // the candidates
}

// PersonRef names a person.
type PersonRef struct {
	ID       string `json:"id"`
	UserName string `json:"userName"`
}

// cases lists open cases, or with state=all also those that are decided.
func (a *API) cases(r *http.Request, _ Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	state := q.Get("state")
	if state != "" && state != "open" && state != "all" {
		return nil, model.Fail(model.Invalid, "state must be open or all", nil)
	}
	cursor, err := decodeCursor(q.Get("cursor"))
	if err != nil || len(cursor) > 0 && len(cursor) != uuidLength {
		return nil, model.Fail(model.Invalid, "the cursor is not one of this listing", err)
	}
	found, next, err := a.Hub.Store.Cases(r.Context(), state == "all", cursor, limit)
	if err != nil {
		return nil, err
	}
	views := make([]CaseView, len(found))
	err = a.Hub.Store.View(r.Context(), func(tx *store.Tx) error {
		var ids []string
		for _, c := range found {
			ids = append(append(ids, c.Identity), c.Candidates...)
		}
		named, err := tx.NamesOf(ids)
		for i, c := range found {
			views[i] = CaseView{Case: c, UserName: named[c.Identity], People: []PersonRef{}}
			for _, id := range c.Candidates {
				views[i].People = append(views[i].People, PersonRef{ID: id, UserName: named[id]})
			}
		}
		return err
	})
	return list(views, base64.RawURLEncoding.EncodeToString([]byte(next))), err
}

// uuidLength is the length of the ids of cases, which cursors are.
const uuidLength = 36

// LinkRequest says whom a person turned out to be: somebody else, or nobody known.
type LinkRequest struct {
	To    string `json:"to,omitempty"`    // id or userName
	New   bool   `json:"new,omitempty"`   // decides the open case: somebody of their own
	Force bool   `json:"force,omitempty"` // even if a source describes both
}

func (a *API) link(r *http.Request, by Caller) (any, error) {
	var in LinkRequest
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	person, actor := mux.Vars(r)["person"], hub.Actor{Name: by.Name}
	if err := a.Hub.AboutOthers(r.Context(), by.who(), person, in.To); err != nil {
		return nil, err
	}
	switch {
	case in.New == (in.To != ""):
		return nil, model.Fail(model.Invalid, `say whom the person is: {"to": PERSON}, or {"new": true} for nobody known`, nil)
	case in.New && in.Force:
		return nil, model.Fail(model.Invalid, "force is for linking to somebody else; nothing holds a decision for somebody new back", nil)
	case in.New:
		return a.Hub.DecideNew(r.Context(), actor, person)
	}
	return a.Hub.Link(r.Context(), actor, person, in.To, in.Force)
}

// UnlinkRequest names the resource that is not the person's.
type UnlinkRequest struct {
	Source   string `json:"source"`
	Resource string `json:"resource,omitempty"` // needed where the source describes the person more than once
}

func (a *API) unlink(r *http.Request, by Caller) (any, error) {
	var in UnlinkRequest
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	if in.Source == "" {
		return nil, model.Fail(model.Invalid, `name the source whose resource is not this person's: {"source": NAME}`, nil)
	}
	if err := a.Hub.AboutOthers(r.Context(), by.who(), mux.Vars(r)["person"]); err != nil {
		return nil, err
	}
	return a.Hub.Unlink(r.Context(), hub.Actor{Name: by.Name}, mux.Vars(r)["person"], in.Source, in.Resource)
}

// disagreements are what sources say differently of one person.
func (a *API) disagreements(users []store.SourceUser) map[string][]model.Said {
	resources := make([]model.SourceResource, len(users))
	for i, u := range users {
		resources[i] = model.SourceResource{Source: u.Source, ID: u.ID, Attrs: a.shown(u.Attrs)}
	}
	return model.Disagree(resources)
}
