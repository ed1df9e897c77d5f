package conformance

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

const testToken = "open-sesame"

// reference is a service that should pass.
func reference(t *testing.T, dialect string) http.Handler {
	t.Helper()
	d, ok := scim.DialectNamed(dialect)
	if !ok {
		t.Fatalf("there is no dialect %q", dialect)
	}
	reg := scim.DefaultRegistry()
	tokens := &scimserver.Tokens{}
	err := tokens.Replace([]scimserver.Token{{
		Client: scimserver.Client{Source: "hr", Name: "main", Dialect: d}, Hash: scimserver.HashToken(testToken),
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := &scimserver.Handler{Backend: memory.New(reg, memory.Options{}), Registry: reg, Auth: tokens.Authenticator(time.Now),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	root := mux.NewRouter().SkipClean(true)
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	return root
}

// examine runs the checks against a handler.
func examine(t *testing.T, h http.Handler, o Options) *Report {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o.URL, o.Token, o.Now = srv.URL+"/scim/v2", testToken, time.Now
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReference: the project's own server passes in every profile.
func TestReference(t *testing.T) {
	t.Parallel()
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			r := examine(t, reference(t, profile), Options{Profile: profile})
			var text bytes.Buffer
			if err := r.WriteText(&text, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			t.Log(text.String())
			if n := r.Count(Fail) + r.Count(Warn); n > 0 {
				t.Errorf("%d findings", n)
			}
			if len(r.Leftovers) > 0 {
				t.Errorf("left behind: %v", r.Leftovers)
			}
		})
	}
}
