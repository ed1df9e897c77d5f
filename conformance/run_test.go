package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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
	for i := range strangers {
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"stranger-%d","active":true,"title":"Stranger"}`, i)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scim/v2/Users", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+testToken)
		r.Header.Set("Content-Type", scimMedia)
		w := httptest.NewRecorder()
		root.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	return root
}

// strangers is how many users a reference service has before a run.
const strangers = 7

// population counts the resources of a service.
func population(t *testing.T, h http.Handler, endpoint string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/scim/v2"+endpoint+"?count=0", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var list struct{ TotalResults int }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list.TotalResults
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
			h := reference(t, profile)
			r := examine(t, h, Options{Profile: profile})
			var text bytes.Buffer
			if err := r.WriteText(&text, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			t.Log(text.String())
			if got := found(r); len(got) > 0 {
				t.Errorf("findings: %v", got)
			}
			if u, g := population(t, h, "/Users"), population(t, h, "/Groups"); u != strangers || g != 0 {
				t.Errorf("the run left %d users and %d groups; there were %d users", u, g, strangers)
			}
			if len(r.Leftovers) > 0 {
				t.Errorf("left behind: %v", r.Leftovers)
			}
		})
	}
}
