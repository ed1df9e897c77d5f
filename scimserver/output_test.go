package scimserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// large is a backend whose lists are of big groups. The last one is of a kind that
// JSON does not have, if spoilt.
type large struct {
	scimserver.Backend
	groups, members int
	spoilt          any
	gone            bool // every second group is deleted while the page is read
}

func (l large) List(_ context.Context, _ *scim.ResourceType, q scim.Query) (scim.Page, error) {
	page := scim.Page{Total: l.groups}
	for g := range l.groups {
		page.Resources = append(page.Resources, scim.Resource{ID: strconv.Itoa(g)})
	}
	if q.Fields.Wants("members") {
		return page, errors.New("members of many groups at once")
	}
	return page, nil
}

func (l large) Get(_ context.Context, t *scim.ResourceType, id string, _ scim.Fields) (scim.Resource, error) {
	g, _ := strconv.Atoi(id)
	if l.gone && g%2 == 0 {
		return scim.Resource{}, scimserver.NotFound(t, id)
	}
	var list []any
	for m := range l.members {
		list = append(list, map[string]any{"value": fmt.Sprintf("user-%d-%d", g, m)})
	}
	r := scim.Resource{ID: id, Type: "Group", Attrs: map[string]any{"displayName": "group " + id, "members": list}}
	if l.spoilt != nil && g == l.groups-1 {
		r.Attrs["displayName"] = l.spoilt
	}
	return r, nil
}

func TestLargePagesGoOutInParts(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = large{groups: 20, members: 1000} })
	resp := raw(t, s, "GET", "/Groups")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.TransferEncoding) == 0 || resp.ContentLength >= 0 || resp.Header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("transfer %v, length %d, header %v", resp.TransferEncoding, resp.ContentLength, resp.Header)
	}
	var list struct {
		TotalResults int
		Resources    []struct {
			ID      string
			Members []struct{ Value string }
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	if list.TotalResults != 20 || len(list.Resources) != 20 || len(list.Resources[19].Members) != 1000 || list.Resources[19].Members[999].Value != "user-19-999" {
		t.Errorf("%d bytes, %d resources", len(body), len(list.Resources))
	}
	head := raw(t, s, "HEAD", "/Groups")
	if head.ContentLength != int64(len(body)) {
		t.Errorf("HEAD says %d bytes, GET sent %d", head.ContentLength, len(body))
	}
	one := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = large{members: 5000} })
	resp = raw(t, one, "GET", "/Groups/7")
	var group struct{ Members []struct{ Value string } }
	if err := json.NewDecoder(resp.Body).Decode(&group); err != nil || len(group.Members) != 5000 || resp.ContentLength >= 0 {
		t.Errorf("one group: %v, %d members, length %d", err, len(group.Members), resp.ContentLength)
	}
	// Groups that go meanwhile are not shown, and not counted.
	for _, groups := range []int{1, 2, 5, 20} {
		s := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = large{groups: groups, members: 1000, gone: true} })
		a := s.do("GET", "/Groups", "").want(200, fmt.Sprintf(`{"totalResults":%d,"itemsPerPage":%d}`, groups, groups/2))
		if n := len(ids(a.body["Resources"], "id")); n != groups/2 {
			t.Errorf("%d groups shown of %d", n, groups)
		}
	}
	small := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = large{groups: 2, members: 3} })
	if resp := raw(t, small, "GET", "/Groups"); resp.ContentLength < 0 {
		t.Error("a small page has no Content-Length")
	}
}

// raw sends one request and returns the response with its body unread.
func raw(t *testing.T, s *service, method, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestPartsAreNotTakenForTheWhole: what cannot be encoded is a 500, and where the
// beginning has gone out, a broken connection.
func TestPartsAreNotTakenForTheWhole(t *testing.T) {
	t.Parallel()
	small := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = large{groups: 2, members: 1, spoilt: math.Inf(1)} })
	small.do("GET", "/Groups", "").refused(500, "", "")
	codes := make(chan int, 1)
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.Backend = large{groups: 20, members: 1000, spoilt: math.Inf(1)}
		h.Observe = func(_, _, _ string, code int, _ time.Duration) { codes <- code }
	})
	resp := raw(t, s, "GET", "/Groups")
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, then %v", len(body), err)
	}
	if code := <-codes; code != 500 {
		t.Errorf("observed %d", code)
	}
}

// patient is a backend that takes its time over the last group of a page.
type patient struct{ large }

func (p patient) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	if id == strconv.Itoa(p.groups-1) {
		select {
		case <-ctx.Done():
			return scim.Resource{}, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
	return p.large.Get(ctx, t, id, want)
}

// TestLongAnswers: the time that the server gives to requests for arriving does not
// run against answers.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	d, _ := scim.DialectNamed("rfc")
	h := &scimserver.Handler{Backend: patient{large{groups: 5, members: 3000}}, Registry: scim.DefaultRegistry(),
		Auth: func(*http.Request) (scimserver.Client, error) { return scimserver.Client{Dialect: d}, nil }}
	root := mux.NewRouter()
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	srv := httptest.NewUnstartedServer(root)
	srv.Config.ReadTimeout = 100 * time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	resp := raw(t, &service{t: t, base: srv.URL + "/scim/v2"}, "GET", "/Groups")
	var list struct{ ItemsPerPage int }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || list.ItemsPerPage != 5 {
		t.Errorf("%v, %d groups", err, list.ItemsPerPage)
	}
}

// talk sends bytes over a connection of its own and reads the answer.
func talk(t *testing.T, s *service, text string) *http.Response {
	t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/scim/v2")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	text = strings.ReplaceAll(strings.ReplaceAll(text, "HOST", host), "\n", "\r\n")
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestOtherWaysToAsk(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	s.addUser("mira")
	auth := "Authorization: Bearer " + token + "\n"
	for _, tt := range []struct {
		text string
		code int
	}{
		{"GET http://HOST/scim/v2/Users HTTP/1.1\nHost: HOST\n" + auth + "\n", 200},
		{"GET /scim/v2/Users HTTP/1.0\n" + auth + "\n", 200},
		{"GET /scim/v2/Users HTTP/1.0\nAccept: text/html;q=0.9\n" + auth + "\n", 200},
		{"OPTIONS * HTTP/1.1\nHost: HOST\n\n", 200}, // the server's own
		{"GET /scim/v2/%zz HTTP/1.1\nHost: HOST\n" + auth + "\n", 400},
	} {
		if resp := talk(t, s, tt.text); resp.StatusCode != tt.code {
			t.Errorf("%q: %d, want %d", tt.text, resp.StatusCode, tt.code)
		}
	}
}

// TestSlowBodies: who does not send the rest of a body is told so and cut off.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.BodyTimeout = 50 * time.Millisecond })
	for _, path := range []string{"/Users", "/Users/.search", "/Bulk"} {
		resp := talk(t, s, "POST /scim/v2"+path+" HTTP/1.1\nHost: HOST\nAuthorization: Bearer "+token+"\nContent-Length: 100\n\n{\"schemas\":")
		var body struct{ Status, Detail string }
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusRequestTimeout || body.Status != "408" || !strings.Contains(body.Detail, "50ms") || !resp.Close {
			t.Errorf("%s: %d %+v, close %v", path, resp.StatusCode, body, resp.Close)
		}
	}
	// A connection goes on after a body that came in time.
	s.addUser("mira")
	s.addUser("nora")
}

// TestEncodedPaths: a router that matches paths as they were sent makes no difference.
func TestEncodedPaths(t *testing.T) {
	t.Parallel()
	for _, encoded := range []bool{false, true} {
		s := serve(t, "rfc")
		reg := scim.DefaultRegistry()
		d, _ := scim.DialectNamed("rfc")
		h := &scimserver.Handler{Backend: s.store, Registry: reg, Auth: func(*http.Request) (scimserver.Client, error) {
			return scimserver.Client{Source: "hr", Dialect: d}, nil
		}}
		root := mux.NewRouter().SkipClean(true)
		if encoded {
			root = root.UseEncodedPath()
		}
		h.Mount(root.PathPrefix("/scim/v2").Subrouter())
		srv := httptest.NewServer(root)
		t.Cleanup(srv.Close)
		s.base = srv.URL + "/scim/v2"
		s.addUser("mira")
		for path, code := range map[string]int{
			"/Users/id-1": 200, "/Users/id%2D1": 200, "/Users/%69d-1/": 200, "/Users/id%252D1": 404, "/Users/a%2Fb": 404, "/Users/%ff": 404,
			"/Users/%00": 404, "/Users/%2e%2e": 404, "/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser": 200,
			"/Schemas/urn%253Aietf:params:scim:schemas:core:2.0:User": 200, "//Users": 404, "/Users//id-1": 404,
		} {
			s.do("GET", path, "").want(code, "")
		}
	}
}

// TestPanicWhileEncoding: a resource that cannot be rendered costs one answer.
func TestPanicWhileEncoding(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) {
		h.Backend = large{groups: 1, spoilt: panicky{}}
	})
	s.do("GET", "/Groups", "").refused(500, "", "")
	s.do("GET", "/Groups", "").refused(500, "", "")
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("secret in a panic") }
