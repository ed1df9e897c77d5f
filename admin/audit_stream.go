package admin

import (
	"bufio"
	"context"
	"net/http"
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
	out := bufio.NewWriterSize(w, 1<<16)
	err := s.write(r.Context(), out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.Log.Error("answer broken off", "method", r.Method, "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	}
}
