package admin

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"

	"github.com/scimhub/scimhub/model"
)

// The media types of answers.
const (
	kindJSON    = "application/json"
	kindProblem = "application/problem+json"
	kindCSV     = "text/csv"
)

// answer is what a request is answered with, before it is sent: so that it can be kept,
// compared and sent again.
type answer struct {
	status int
	kind   string
	body   []byte
	header http.Header // beside those that every answer has; may be nil
	stream *streamed   // instead of a body
	// kept is the body for whoever keeps the answer: without what is told only once.
	kept []byte
}

// concealer is an answer with something that is told once and stored nowhere.
type concealer interface {
	// concealed is the answer without it.
	concealed() any
}

// handler answers the requests of a route: who may not, is refused first; then, of a
// request that came before with its idempotency key, the answer is looked up.
func (a *API) handler(rt route, thing *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.callerOf(r)
		if err == nil {
			err = rt.allowed(caller, r)
		}
		if err == nil {
			err = a.stillIn(r, caller)
		}
		if err != nil {
			level := slog.LevelWarn
			if _, slowed := errors.AsType[*slowedError](err); slowed { // those before it were told
				level = slog.LevelDebug
			}
			a.Log.Log(r.Context(), level, "refused", "method", r.Method, "actor", caller.Name, "error", err)
			a.refused(r, rt, caller, err)
			send(w, problemAnswer(err))
			return
		}
		if r, err = readable(r); err != nil {
			send(w, problemAnswer(err))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(w, rt))
		out := a.once(r, rt, caller, func(r *http.Request) answer { return a.served(r, rt, thing, caller) })
		if out.stream != nil {
			a.stream(w, r, *out.stream)
			return
		}
		send(w, ifNoneMatch(r, out))
	})
}

// stillIn refuses the credential of who has left, whatever its role: one that acts for a
// person ends with them, though nobody has revoked it.
func (a *API) stillIn(r *http.Request, c Caller) error {
	why, err := a.Hub.Gone(r.Context(), c.who())
	if err == nil && why != "" {
		err = model.Fail(model.Forbidden, why, nil)
	}
	return err
}

// served carries a request out, if what it was made against is still so.
func (a *API) served(r *http.Request, rt route, thing *route, caller Caller) answer {
	r, err := a.ifMatch(r, thing, caller)
	var out any
	if err == nil {
		out, err = rt.serve(r, caller)
	}
	if err != nil {
		a.logInternal(r, err)
		a.refused(r, rt, caller, err)
		return problemAnswer(err)
	}
	if s, ok := out.(streamed); ok {
		return answer{status: http.StatusOK, kind: s.kind, stream: &s}
	}
	made := a.jsonAnswer(r, http.StatusOK, kindJSON, out)
	if c, ok := out.(concealer); ok {
		made.kept = a.jsonAnswer(r, http.StatusOK, kindJSON, c.concealed()).body
	}
	return made
}

func (a *API) jsonAnswer(r *http.Request, status int, kind string, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		a.Log.ErrorContext(r.Context(), "answer cannot be encoded", "method", r.Method, "error", err)
		return problemAnswer(model.Fail(model.Internal, "the answer cannot be encoded: the log says more", err))
	}
	return answer{status: status, kind: kind, body: body, kept: body}
}

// send writes an answer with the headers that all have.
func send(w http.ResponseWriter, out answer) {
	h := w.Header()
	maps.Copy(h, out.header)
	if out.kind != "" {
		h.Set("Content-Type", out.kind)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body)
}

// readAll reads a body of a request.
func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, model.Fail(model.Invalid, "the request is larger than 8 MiB", err)
	}
	return nil, model.Fail(model.Invalid, "the body ended before all of it had come", err)
}
