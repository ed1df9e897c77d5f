package admin

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// Problem is an error as the API tells it (RFC 9457). Code is for programs; exit
// codes of the command line follow from it.
type Problem struct {
	Title  string     `json:"title"`
	Status int        `json:"status"`
	Detail string     `json:"detail"`
	Code   model.Code `json:"code"`
	Faults []string   `json:"faults,omitempty"` // of a configuration, each with file:line:column
}

var statuses = map[model.Code]int{
	model.Invalid: 400, model.Unauthorized: 401, model.Forbidden: 403, model.NotFound: 404,
	model.Conflict: 409, model.Refused: 409, model.Unavailable: 503, model.Internal: 500,
}

// StatusOf is the status of an error by its code alone.
func StatusOf(err error) int { return statuses[model.CodeOf(err)] }

// statusError is the cause of an error whose code says less than its status.
type statusError struct{ status int }

// Error is for the log.
func (e *statusError) Error() string { return http.StatusText(e.status) }

// retryUnavailable is after how many seconds a client may ask again what could not be
// answered: a database that restarts is back by then, and the next attempt finds it.
const retryUnavailable = "5"

// problemAnswer is the one translation from errors to answers. The text of an internal
// error stays in the log.
func problemAnswer(err error) answer {
	p, header := Problem{Code: model.CodeOf(err), Detail: "internal error: the log says more"}, http.Header{}
	p.Status = statuses[p.Code]
	if e, ok := errors.AsType[*slowedError](err); ok { // RFC 6585 §4
		p.Status = http.StatusTooManyRequests
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.wait.Seconds()))))
	}
	if e, ok := errors.AsType[*statusError](err); ok {
		p.Status = e.status
	}
	if p.Status == http.StatusServiceUnavailable { // RFC 9110 §10.2.3: clients that retry by themselves look for it
		header.Set("Retry-After", retryUnavailable)
	}
	p.Title = http.StatusText(p.Status)
	if e, ok := errors.AsType[*model.Error](err); ok {
		p.Detail = e.Message
	}
	if faults, ok := errors.AsType[*hub.FaultsError](err); ok {
		for _, f := range faults.Faults {
			p.Faults = append(p.Faults, f.Error())
		}
	}
	if rows, ok := errors.AsType[*hub.RowsError](err); ok {
		p.Faults = rows.Lines()
	}
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="scimhub"`)
	}
	return p.answer(header)
}

// WriteProblem answers with an error as the API does, for what stands in front of it.
func WriteProblem(w http.ResponseWriter, err error) { send(w, problemAnswer(err)) }

// answer is the problem as it is sent. What it is made of can always be encoded.
func (p Problem) answer(header http.Header) answer {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}")
	}
	return answer{status: p.Status, kind: kindProblem, body: body, kept: body, header: header}
}

// notAllowed says which methods an address takes (RFC 9110 §15.5.6).
func notAllowed(methods []string) http.Handler {
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusMethodNotAllowed
		send(w, Problem{Title: http.StatusText(status), Status: status, Detail: "this address does not take that method, but " + allow,
			Code: model.Invalid}.answer(http.Header{"Allow": {allow}}))
	})
}

func problemHandler(code model.Code, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		send(w, problemAnswer(model.Fail(code, text, nil)))
	})
}
