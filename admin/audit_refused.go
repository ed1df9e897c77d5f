package admin

import (
	"errors"
	"net"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// refused notes in the audit trail what the API would not do: because of who asked, or
// because a guard, a conflict or a digest forbids it. What is merely wrong or not there
// is no refusal.
func (a *API) refused(r *http.Request, rt route, caller Caller, err error) {
	if a.Refused == nil {
		return
	}
	code := model.CodeOf(err)
	status := statuses[code]
	_, slowed := errors.AsType[*slowedError](err)
	switch {
	case slowed:
		status = http.StatusTooManyRequests
	case code != model.Unauthorized && code != model.Forbidden && code != model.Refused && code != model.Conflict:
		return
	}
	remote, _, splitErr := net.SplitHostPort(r.RemoteAddr)
	if splitErr != nil {
		remote = ""
	}
	reason := ""
	if e, ok := errors.AsType[*model.Error](err); ok {
		reason = e.Message
	}
	a.Refused(r.Context(), hub.APIRefusal{Actor: caller.Name, Remote: remote, Method: r.Method, Route: rt.path, Person: mux.Vars(r)["person"], Status: status, Reason: reason})
}
