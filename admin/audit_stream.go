package admin

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"time"
)

// streamed is an answer of any length, one line after the other. Nothing of it is
// kept in memory.
type streamed struct {
	kind  string // media type
	write func(context.Context, *bufio.Writer) error
}

// stream sends the answer. Where it fails in the middle the connection breaks, so that
// nobody takes a part for the whole.
func (a *API) stream(w http.ResponseWriter, r *http.Request, s streamed) {
	h := w.Header()
	h.Set("Content-Type", s.kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	out := bufio.NewWriterSize(patient{w, http.NewResponseController(w)}, 1<<16)
	err := s.write(r.Context(), out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.Log.ErrorContext(r.Context(), "answer broken off", "method", r.Method, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// streamPatience is how long a client may take for a piece of a streamed answer. The
// whole may take as long as it is long: a server's limit is meant for the others.
const streamPatience = 2 * time.Minute

// patient moves the deadline of an answer on with each piece of it.
type patient struct {
	io.Writer
	control *http.ResponseController
}

// Write writes a piece.
func (p patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(streamPatience)) //nolint:forbidigo // a connection knows no clock but the wall's; a server without deadlines needs none moved
	return p.Writer.Write(b)
}
