package console

import (
	"net/http"

	"github.com/scimhub/scimhub/admin"
)

// download is what a page answers that is a file of the API's: it is passed on as it
// comes, however long it is.
type download struct {
	path string // of the API, escaped, with its parameters
	name string // of the file
}

// pass asks the API for a file and passes it on.
func (c *Console) pass(w http.ResponseWriter, r *http.Request, v *Visit, d download) {
	req, err := http.NewRequestWithContext(admin.WithCaller(r.Context(), v.Caller), http.MethodGet, "/api/v1"+d.path, http.NoBody)
	if err != nil {
		c.problem(w, r, v, err)
		return
	}
	req.RemoteAddr, req.Host = r.RemoteAddr, r.Host
	p := &passing{ResponseWriter: w, name: d.name}
	c.API.ServeHTTP(p, req)
	if p.failed != nil {
		c.problem(w, r, v, p.failed.problem())
	}
}

// passing hands an answer of the API to a browser as a file; one that tells an error is
// kept, as there is a page for it.
type passing struct {
	http.ResponseWriter
	name   string
	begun  bool
	failed *answer
}

// WriteHeader begins the file.
func (p *passing) WriteHeader(status int) {
	switch {
	case p.begun:
	case status >= http.StatusBadRequest:
		p.failed = &answer{header: p.Header().Clone(), status: status}
		for _, name := range []string{"Content-Type", "Content-Length", "ETag"} {
			p.Header().Del(name)
		}
	default:
		p.Header().Set("Content-Disposition", `attachment; filename="`+p.name+`"`)
		p.ResponseWriter.WriteHeader(status)
	}
	p.begun = true
}

// Write goes on with it.
func (p *passing) Write(b []byte) (int, error) {
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	if p.failed != nil {
		return p.failed.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap is the connection, whose time limits are those of the API's stream.
func (p *passing) Unwrap() http.ResponseWriter { return p.ResponseWriter }
