package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The headers of requests that are carried out once.
const (
	idempotencyKey      = "Idempotency-Key"
	idempotencyReplayed = "Idempotency-Replayed"
)

// Limits of keys, and of answers that are kept, bytes.
const (
	maxKey  = 255
	maxKept = 256 << 10
)

// once carries a POST with an idempotency key out once, however often and at however
// many replicas it comes, and gives the first answer again. All else is just carried out.
func (a *API) once(r *http.Request, rt route, caller Caller, serve func(*http.Request) answer) answer {
	keys := r.Header.Values(idempotencyKey)
	if r.Method != http.MethodPost || rt.about.reads || len(keys) == 0 {
		return serve(r)
	}
	asked, done, err := onceOf(r, rt, caller, keys)
	if err != nil {
		return problemAnswer(err)
	}
	defer done()
	known, begun, err := a.Hub.Store.BeginOnce(r.Context(), asked)
	if err != nil {
		a.logInternal(r, err)
		return problemAnswer(err)
	}
	if !begun {
		return a.replayed(asked, known)
	}
	out := serve(r.WithContext(store.WithOnce(r.Context(), known)))
	a.settle(r, known, out)
	return out
}

// settle keeps the answer for whoever asks again. That is done even if the client has
// gone: it is why it will ask again.
func (a *API) settle(r *http.Request, o store.Once, out answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	var err error
	switch out.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable:
		err = a.Hub.Store.DropOnce(ctx, o) // if nothing was written it may come again, put right
	}
	o.Status, o.Kind = out.status, out.kind
	if len(out.kept) <= maxKept {
		o.Body = out.kept
	}
	err = errors.Join(err, a.Hub.Store.EndOnce(ctx, o))
	if err != nil {
		a.Log.ErrorContext(r.Context(), "an answer could not be kept for its idempotency key", "method", r.Method, "error", err)
	}
}

// replayed answers a request that has come before.
func (a *API) replayed(asked, known store.Once) answer {
	again := http.Header{idempotencyReplayed: {"true"}}
	switch {
	case !bytes.Equal(asked.Print, known.Print):
		return problemAnswer(model.Fail(model.Invalid, "this "+idempotencyKey+" was used for another request: take a new key for each", &statusError{http.StatusUnprocessableEntity}))
	case known.Status == 0 && a.now().Before(known.At.Add(store.OnceGiven)):
		out := problemAnswer(model.Fail(model.Conflict, "the same request is under way: come back in a moment for its answer", nil))
		out.header = http.Header{"Retry-After": {"1"}}
		return out
	case known.Status == 0:
		return problemAnswer(model.Fail(model.Conflict, "the same request was begun at "+known.At.Format(time.RFC3339)+
			" and has written something, but its end is unknown: look what has become of it; take a new key to ask again", nil))
	case known.Body == nil:
		out := problemAnswer(model.Fail(model.Conflict, "the request was carried out at "+known.At.Format(time.RFC3339)+" and answered with "+
			strconv.Itoa(known.Status)+"; the answer was not kept, and nothing was done now", nil))
		out.header = again
		return out
	}
	return answer{status: known.Status, kind: known.Kind, body: known.Body, header: again}
}

// onceOf reads the key, and the body to tell other requests by. A long one, of an
// import, goes to a file, which done removes.
func onceOf(r *http.Request, rt route, caller Caller, keys []string) (o store.Once, done func(), err error) {
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey || strings.ContainsFunc(keys[0], func(c rune) bool { return c < ' ' || c > '~' }) {
		return o, nil, model.Fail(model.Invalid, fmt.Sprintf("%s must be given once, with 1 to %d printable characters of ASCII", idempotencyKey, maxKey), nil)
	}
	who := sha256.Sum256([]byte(strings.Join([]string{caller.Name, caller.Role, caller.Person}, "\x00")))
	asked := sha256.New()
	_, _ = io.WriteString(asked, strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), ""}, "\x00"))
	done = func() {}
	if rt.path == importPath {
		if done, err = spoolBody(r, asked); err != nil {
			return o, nil, err
		}
	} else {
		body, err := readAll(r)
		if err != nil {
			return o, nil, err
		}
		_, _ = asked.Write(body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return store.Once{Caller: who[:], Key: keys[0], Print: asked.Sum(nil)}, done, nil
}

// spoolBody puts a long body into a temporary file on its way.
func spoolBody(r *http.Request, also io.Writer) (done func(), err error) {
	spool, err := os.CreateTemp("", "scimhub-body-*")
	if err != nil {
		return nil, fmt.Errorf("body of a request: %w", err)
	}
	unnamed := os.Remove(spool.Name()) == nil // so that a process that is killed leaves nothing behind
	done = func() {
		_ = spool.Close()
		if !unnamed {
			_ = os.Remove(spool.Name())
		}
	}
	if _, err := io.Copy(io.MultiWriter(spool, also), r.Body); err != nil {
		done()
		if _, ok := errors.AsType[*os.PathError](err); ok {
			return nil, fmt.Errorf("body of a request: %w", err)
		}
		return nil, tooLarge(err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		done()
		return nil, fmt.Errorf("body of a request: %w", err)
	}
	r.Body = io.NopCloser(spool)
	return done, nil
}

// logInternal tells the operator what a client is not told. What ended because the
// client went away is no failure of the hub.
func (a *API) logInternal(r *http.Request, err error) {
	switch ctx := r.Context(); {
	case model.CodeOf(err) != model.Internal:
	case errors.Is(ctx.Err(), context.Canceled):
		a.Log.InfoContext(ctx, "request given up by its client", "method", r.Method, "error", err)
	default:
		a.Log.ErrorContext(ctx, "request failed", "method", r.Method, "error", err)
	}
}
