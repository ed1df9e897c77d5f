package scimserver_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// broken is a body whose sender goes away.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()
	const limit = 200
	reg := scim.DefaultRegistry()
	d, _ := scim.DialectNamed("rfc")
	store := memory.New(reg, memory.Options{})
	h := &scimserver.Handler{Backend: store, Registry: reg, MaxBody: limit,
		Auth: func(*http.Request) (scimserver.Client, error) { return scimserver.Client{Dialect: d}, nil }}
	root := mux.NewRouter()
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	user := func(size int) string {
		const start, end = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`, `"}`
		return start + strings.Repeat("u", size-len(start)-len(end)) + end
	}
	tests := []struct {
		name string
		body io.Reader
		code int
	}{
		{"at the limit", strings.NewReader(user(limit)), 201},
		{"one more", strings.NewReader(user(limit + 1)), 413},
		{"broken off", broken{strings.NewReader(user(limit - 1))}, 400},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", "/scim/v2/Users", tt.body)
		r.ContentLength = -1
		w := httptest.NewRecorder()
		root.ServeHTTP(w, r)
		if w.Code != tt.code {
			t.Errorf("%s: %d, want %d\n%s", tt.name, w.Code, tt.code, w.Body)
		}
		if tt.code == 413 && !strings.Contains(w.Body.String(), "200") {
			t.Errorf("%s: the limit is not named: %s", tt.name, w.Body)
		}
	}
	if n := store.Len("User"); n != 1 {
		t.Errorf("%d users, want 1", n)
	}
}

// TestAbortPassesThrough leaves a deliberate end of the connection to the server.
func TestAbortPassesThrough(t *testing.T) {
	t.Parallel()
	h := &scimserver.Handler{Registry: scim.DefaultRegistry(),
		Auth: func(*http.Request) (scimserver.Client, error) { panic(http.ErrAbortHandler) }}
	root := mux.NewRouter()
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	defer func() {
		if p := recover(); p == nil {
			t.Error("the abort was swallowed")
		}
	}()
	root.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/scim/v2/Users", nil))
}
