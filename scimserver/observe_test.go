package scimserver_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	type seen struct {
		Source, Method, Resource string
		Code                     int
	}
	var mu sync.Mutex
	var got []seen
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.Observe = func(source, method, resource string, code int, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, seen{source, method, resource, code})
			if d < 0 {
				t.Errorf("%s took %s", method, d)
			}
		}
	})
	s.addUser("mira")
	s.do("GET", "/Groups?filter=x", "")
	s.do("PROPFIND", users+"/id-1", "")
	s.do("HEAD", "/Schemas", "")
	s.do("GET", "/secret/path", "")
	s.do("GET", users, "", "Authorization: ")
	s.do("GET", "/ServiceProviderConfig", "", "Authorization: ")
	want := []seen{
		{"hr", "POST", "User", 201}, {"hr", "GET", "Group", 400}, {"hr", "other", "User", 405}, {"hr", "HEAD", "Schemas", 200},
		{"hr", "GET", "other", 404}, {"", "GET", "User", 401}, {"", "GET", "ServiceProviderConfig", 200},
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, slices.Clone(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.BaseURL = scimserver.FixedBase("https://hub.example.com/scim/v2/") })
	a := s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x"}`).
		want(http.StatusCreated, `{"meta":{"location":"https://hub.example.com/scim/v2/Users/id-1"}}`)
	if got := a.header.Get("Location"); got != "https://hub.example.com/scim/v2/Users/id-1" {
		t.Errorf("Location %q", got)
	}
}
