package admin

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// TaskDone says that a task was done.
type TaskDone struct {
	Proof string `json:"proof,omitempty"` // how it can be checked
}

// TaskRefusal says that a task will not be done.
type TaskRefusal struct {
	Reason string `json:"reason"`
}

func (a *API) tasks(r *http.Request, by Caller) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	v := r.URL.Query()
	q := hub.TaskQuery{Target: v.Get("target"), For: v.Get("for"), State: v.Get("state"), After: v.Get("cursor"), Limit: limit, SeeAll: by.seesAll()}
	for name, into := range map[string]*bool{"mine": &q.Mine, "overdue": &q.Overdue} {
		if text := v.Get(name); text != "" {
			if *into, err = strconv.ParseBool(text); err != nil {
				return nil, model.Fail(model.Invalid, name+" must be true or false", err)
			}
		}
	}
	items, next, err := a.Hub.Tasks(r.Context(), by.who(), q)
	if err != nil {
		return nil, err
	}
	return list(items, next), nil
}

func (a *API) task(r *http.Request, by Caller) (any, error) {
	return a.Hub.ShownTask(r.Context(), by.who(), by.seesAll(), mux.Vars(r)["task"])
}

func (a *API) taskDone(r *http.Request, by Caller) (any, error) {
	var in TaskDone
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return a.closeTask(r, by, hub.TaskClosing{Words: in.Proof})
}

func (a *API) refuseTask(r *http.Request, by Caller) (any, error) {
	var in TaskRefusal
	if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return a.closeTask(r, by, hub.TaskClosing{Refused: true, Words: in.Reason})
}

func (a *API) closeTask(r *http.Request, by Caller, c hub.TaskClosing) (any, error) {
	t, err := a.Hub.CloseTask(r.Context(), by.who(), mux.Vars(r)["task"], c)
	if err != nil {
		return nil, err
	}
	return a.Hub.ShownTask(r.Context(), by.who(), true, t.ID)
}
