package admin

import (
	"net/http"

	"github.com/scimhub/scimhub/model"
)

func (a *API) later() (any, error) {
	return nil, model.Fail(model.Unavailable, "this is not there yet", nil)
}

func (a *API) overview(*http.Request, Caller) (any, error)          { return a.later() }
func (a *API) progress(*http.Request, Caller) (any, error)          { return a.later() }
func (a *API) search(*http.Request, Caller) (any, error)            { return a.later() }
func (a *API) personView(*http.Request, Caller) (any, error)        { return a.later() }
func (a *API) whatIf(*http.Request, Caller) (any, error)            { return a.later() }
func (a *API) evidenceAccess(*http.Request, Caller) (any, error)    { return a.later() }
func (a *API) evidencePerson(*http.Request, Caller) (any, error)    { return a.later() }
func (a *API) evidenceConflicts(*http.Request, Caller) (any, error) { return a.later() }
func (a *API) evidenceLeavers(*http.Request, Caller) (any, error)   { return a.later() }
