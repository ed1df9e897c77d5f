package fanout

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
)

// drained reads a stream to its end.
func drained[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func idsOf(seq iter.Seq2[RemoteUser, error]) (ids string, err error) {
	for u, e := range seq {
		if ids += u.ID; e != nil {
			return ids, e
		}
	}
	return ids, nil
}

func TestClientSearch(t *testing.T) {
	t.Parallel()
	const work = `emails[type eq "work"].value`
	anna := func(uri string) []exchange {
		return []exchange{{"GET", uri, "", 200, nil, `{"totalResults":2,"Resources":[
			{"id":"7","userName":"anna","emails":[{"type":"home","value":"A@X"},{"type":"work","value":"w@x"}]},
			{"id":"8","userName":"ben","emails":[{"type":"work","value":"a@x"}]}]}`}}
	}
	tests := []struct {
		name    string
		attr    string
		profile func(*Profile)
		list    []exchange
		id      string
		class   Class
	}{
		{"an element is asked for without saying which", work, func(*Profile) {}, anna("/Users?count=100&filter=emails.value%20eq%20%22a%40x%22&startIndex=1"), "8", ""},
		{"as the profile names it", work, func(p *Profile) { p.Filters.Users = []string{"emails"} }, anna("/Users?count=100&filter=emails%20eq%20%22a%40x%22&startIndex=1"), "8", ""},
		{"not by this attribute: the list", work, func(p *Profile) { p.Filters.Users = []string{"userName"} }, anna("/Users?count=100&startIndex=1"), "8", ""},
		{"not by eq: the list", work, func(p *Profile) { p.Filters.Ops = []string{"sw"} }, anna("/Users?count=100&startIndex=1"), "8", ""},
		{"neither filter nor list", work, func(p *Profile) { p.Filters.Users, p.ListTrustworthy = []string{"userName"}, false }, nil, "", Unreadable},
		{"no pages: no page is asked for", "userName", func(p *Profile) { p.Pagination = "none" }, anna("/Users?filter=userName%20eq%20%22a%40x%22"), "", ""},
		{"cursor", "userName", func(p *Profile) { p.Pagination = "cursor" }, anna("/Users?count=100&cursor=&filter=userName%20eq%20%22a%40x%22"), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, found, err := script(t, with(t, tt.profile), model.Auth{}, tt.list...).Lookup(t.Context(), tt.attr, "a@x")
			if u.ID != tt.id || found != (tt.id != "") || ClassOf(err) != tt.class {
				t.Errorf("got %q, %v, %v", u.ID, found, err)
			}
		})
	}
	p := with(t, func(p *Profile) { p.Filters.Groups, p.ListTrustworthy = nil, false })
	if _, _, err := script(t, p, model.Auth{}).FindGroup(t.Context(), "g"); ClassOf(err) != Unreadable {
		t.Errorf("group: %v", err)
	}
}

func TestClientPagination(t *testing.T) {
	t.Parallel()
	page := func(cursor string) string { return "/Users?count=2&cursor=" + cursor }
	const all = "/Users"
	expired := exchange{"GET", page("b"), "", 400, nil, `{"scimType":"expiredCursor","detail":"too late"}`}
	first := exchange{"GET", page(""), "", 200, nil, `{"totalResults":3,"nextCursor":"b","Resources":[{"id":"1"},{"id":"2"}]}`}
	tests := []struct {
		name, pagination string
		list             []exchange
		ids              string
		class            Class
	}{
		{"cursors", "cursor", []exchange{first, {"GET", page("b"), "", 200, nil, `{"totalResults":3,"Resources":[{"id":"3"}]}`}}, "123", ""},
		{"cursors without total", "cursor", []exchange{{"GET", page(""), "", 200, nil, `{"nextCursor":"b","Resources":[{"id":"1"}]}`},
			{"GET", page("b"), "", 200, nil, `{"nextCursor":"c","Resources":[]}`}, {"GET", page("c"), "", 200, nil, `{"Resources":[{"id":"2"}]}`}}, "12", ""},
		{"a cursor expires: again from the start", "cursor", []exchange{first, expired, first, {"GET", page("b"), "", 200, nil, `{"totalResults":3,"Resources":[{"id":"3"}]}`}}, "123", ""},
		{"a cursor expires twice", "cursor", []exchange{first, expired, first, expired}, "12", Invalid},
		{"cursors end early", "cursor", []exchange{first, {"GET", page("b"), "", 200, nil, `{"totalResults":3,"Resources":[]}`}}, "12", Garbage},
		{"the same cursor again", "cursor", []exchange{first, {"GET", page("b"), "", 200, nil, `{"nextCursor":"b","Resources":[{"id":"3"}]}`}}, "123", Garbage},
		{"no pages, everybody", "none", []exchange{{"GET", all, "", 200, nil, `{"Resources":[{"id":"1"}],"totalResults":1}`}}, "1", ""},
		{"no pages, cut", "none", []exchange{{"GET", all, "", 200, nil, `{"Resources":[{"id":"1"}],"totalResults":2}`}}, "1", Garbage},
		{"no pages, no total", "none", []exchange{{"GET", all, "", 200, nil, `{"Resources":[{"id":"1"}]}`}}, "1", Garbage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := with(t, func(p *Profile) { p.Pagination, p.PageMax = tt.pagination, 2 })
			ids, err := idsOf(script(t, p, model.Auth{}, tt.list...).List(t.Context()))
			if ids != tt.ids || ClassOf(err) != tt.class {
				t.Errorf("ids %s, error %v", ids, err)
			}
			if strings.Contains(tt.name, "the same cursor") || tt.name == "cursors end early" {
				return
			}
			// The resumable reading keeps to the same rules, and may show some twice.
			ids = ""
			err = nil
			for page, e := range script(t, p, model.Auth{}, tt.list...).ListFrom(t.Context(), "") {
				for _, u := range page.Users {
					if !strings.Contains(ids, u.ID) {
						ids += u.ID
					}
				}
				err = e
			}
			if (tt.pagination == "cursor" && ids != tt.ids) || ClassOf(err) != tt.class {
				t.Errorf("page by page: ids %s, error %v", ids, err)
			}
		})
	}
}

func TestClientTotal(t *testing.T) {
	t.Parallel()
	for pagination, uri := range map[string]string{"index": "/Users?count=1&startIndex=1", "cursor": "/Users?count=1&cursor=", "none": "/Users"} {
		p := with(t, func(p *Profile) { p.Pagination = pagination })
		n, err := script(t, p, model.Auth{}, exchange{"GET", uri, "", 200, nil, `{"Resources":[{"id":"1"}],"totalResults":"41"}`}).Total(t.Context())
		if n != 41 || err != nil {
			t.Errorf("%s: %d, %v", pagination, n, err)
		}
		_, err = script(t, p, model.Auth{}, exchange{"GET", uri, "", 200, nil, `{"Resources":[{"id":"1"}]}`}).Total(t.Context())
		if ClassOf(err) != Garbage {
			t.Errorf("%s without total: %v", pagination, err)
		}
	}
}

func TestDecodeDoubtful(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text   string
		active bool
		bad    bool
	}{
		{`{"id":"1","active":"True"}`, true, false},
		{`{"id":"1","ACTIVE":"false"}`, false, false},
		{`{"id":"1","Active":false,"active":false}`, false, false},
		{`{"id":"1","Active":false,"active":true}`, false, true},
		{`{"id":"1","active":false,"active":true}`, false, true},
		{`{"id":"1","active":null}`, true, false},
		{`{"id":"1","name":{"x":1,"X":2}}`, false, true},
		{`{"id":"1"} x`, false, true},
		{`{"id":"1"}}`, false, true},
		{`{"id":"1",}`, false, true},
		{`{"id":"1","deep":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100) + `}`, false, true},
		{`{"id":"1"`, false, true},
		{`null`, false, true},
		{`"1"`, false, true},
	}
	for _, tt := range tests {
		doc, err := decodeObject([]byte(tt.text))
		if (err != nil) != tt.bad {
			t.Errorf("%.60s: %v", tt.text, err)
		}
		if err != nil {
			continue
		}
		if u, err := userOf(doc); err != nil || u.Active != tt.active {
			t.Errorf("%.60s: active %v, %v", tt.text, u.Active, err)
		}
	}
}

func TestWaitAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		class       Class
		want        time.Duration
	}{
		{"Retry-After", "2.5", Server, 2500 * time.Millisecond},
		{"Retry-After", "999999999", Throttled, 24 * time.Hour},
		{"Retry-After-Ms", "250", Throttled, 250 * time.Millisecond},
		{"X-Ms-Retry-After-Ms", "1e300", Server, 24 * time.Hour},
		{"X-RateLimit-Reset", "30", Throttled, 30 * time.Second},
		{"X-RateLimit-Reset", "30", Server, 0},
		{"RateLimit-Reset", "7", Throttled, 7 * time.Second},
		{"X-Rate-Limit-Reset", fmt.Sprint(noon.Add(time.Minute).Unix()), Throttled, time.Minute},
		{"X-Rate-Limit-Reset", fmt.Sprint(noon.Add(time.Minute).UnixMilli()), Throttled, time.Minute},
		{"X-Rate-Limit-Reset", fmt.Sprint(noon.Add(-time.Minute).Unix()), Throttled, 0},
		{"X-RateLimit-Reset", noon.Add(time.Hour).Format(http.TimeFormat), Throttled, time.Hour},
		{"X-RateLimit-Reset", "NaN", Throttled, 0},
		{"X-RateLimit-Reset", "-1", Throttled, 0},
	}
	for _, tt := range tests {
		if got := waitAsked(http.Header{http.CanonicalHeaderKey(tt.name): {tt.value}}, tt.class, noon.UTC()); got != tt.want {
			t.Errorf("%s: %s (%s): %v, want %v", tt.name, tt.value, tt.class, got, tt.want)
		}
	}
}

func TestClientAddressAndHeaders(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, strings.Join([]string{r.Method, r.URL.Path, r.UserAgent(), r.Header.Get("Accept"), r.Header.Get("Content-Type"), r.Header.Get("If-Match")}, "|"))
		w.Header().Set("ETag", `W/"3"`)
		_, _ = io.WriteString(w, `{"id":"7"}`)
	}))
	defer server.Close()
	p := with(t, func(p *Profile) {
		p.BasePath, p.ContentType, p.UserAgent = "/scim/v2", "application/json", "shop-agent"
		p.Patch.Supported, p.ETag, p.Discovery.ServiceProviderConfig = false, true, "ServiceProviderConfigs"
	})
	for _, base := range []string{"/x/", "/x/SCIM/v2"} {
		c, err := NewClient(model.Target{Name: "t", URL: server.URL + base}, p, ClientOptions{Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.SetActive(t.Context(), "7", false); err != nil {
			t.Error(err)
		}
		if _, err = c.Describe(t.Context(), "ServiceProviderConfig"); err != nil {
			t.Error(err)
		}
	}
	const rest = "|shop-agent|application/json, application/scim+json;q=0.9|"
	want := []string{
		"GET|/x/scim/v2/Users/7" + rest + "|", "PUT|/x/scim/v2/Users/7" + rest + `application/json|W/"3"`, "GET|/x/scim/v2/ServiceProviderConfigs" + rest + "|",
		"GET|/x/SCIM/v2/Users/7" + rest + "|", "PUT|/x/SCIM/v2/Users/7" + rest + `application/json|W/"3"`, "GET|/x/SCIM/v2/ServiceProviderConfigs" + rest + "|",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

// hostile is a target that answers every request with what write writes.
func hostile(t *testing.T, timeout time.Duration, p Profile, write func(http.ResponseWriter, *http.Request)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(write))
	t.Cleanup(server.Close)
	c, err := NewClient(model.Target{Name: "t", URL: server.URL}, p, ClientOptions{Timeout: timeout, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientHostileAnswers(t *testing.T) {
	t.Parallel()
	blanks := strings.Repeat(" ", 1<<20)
	many := strings.Repeat(`,{"id":"2","x":"`+strings.Repeat("x", 1000)+`"}`, 2000)
	t.Run("a bomb", func(t *testing.T) {
		t.Parallel()
		c := hostile(t, time.Minute, generic(t), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, `{"id":"7","x":"`)
			for range 12 {
				if _, err := io.WriteString(z, blanks); err != nil {
					return
				}
			}
			_ = z.Close()
		})
		if _, err := c.Get(t.Context(), "7"); ClassOf(err) != Garbage || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("read: %v", err)
		}
		if err := drained(c.List(t.Context())); ClassOf(err) != Garbage || !strings.Contains(err.Error(), "too large") {
			t.Errorf("list: %v", err)
		}
		if err := drained(c.Members(t.Context(), "7")); ClassOf(err) != Garbage {
			t.Errorf("members: %v", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		c := hostile(t, 10*time.Second, generic(t), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"totalResults":2001,"Resources":[{"id":"1"}`+many)
			panic(http.ErrAbortHandler)
		})
		if ids, err := idsOf(c.List(t.Context())); !strings.HasPrefix(ids, "12") || ClassOf(err) != Network {
			t.Errorf("%.9s, %v", ids, err)
		}
	})
	t.Run("stands still", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		c := hostile(t, 100*time.Millisecond, generic(t), func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"totalResults":2,"Resources":[{"id":"1"}`)
			if r.URL.Query().Has("filter") {
				_, _ = io.WriteString(w, many)
			}
			w.(http.Flusher).Flush()
			<-release
		})
		t.Cleanup(func() { close(release) })
		if ids, err := idsOf(c.List(t.Context())); ids != "" || ClassOf(err) != Timeout {
			t.Errorf("short: %q, %v", ids, err)
		}
		if _, _, err := c.Lookup(t.Context(), "userName", "a"); ClassOf(err) != Timeout {
			t.Errorf("long: %v", err)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		c := hostile(t, 10*time.Second, generic(t), func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/Users/7": // the same host, a read: followed
				http.Redirect(w, r, "/Users/8", http.StatusMovedPermanently)
			case "/Users/8":
				_, _ = io.WriteString(w, `{"id":"7"}`)
			default:
				http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
			}
		})
		if u, err := c.Get(t.Context(), "7"); err != nil || u.ID != "7" {
			t.Errorf("read: %v, %v", u, err)
		}
		if err := c.Delete(t.Context(), "7"); ClassOf(err) != Garbage {
			t.Errorf("a write is not redirected: %v", err)
		}
		if _, err := c.Get(t.Context(), "9"); ClassOf(err) != Garbage {
			t.Errorf("credentials stay on their host: %v", err)
		}
	})
}

// Whoever reads a list and asks the target about what it shows must not wait for the
// slot that the list holds.
func TestClientListHoldsNoSlot(t *testing.T) {
	t.Parallel()
	slot := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, one := strings.CutPrefix(r.URL.Path, "/Users/"); one {
			_, _ = fmt.Fprintf(w, `{"id":%q}`, id)
			return
		}
		_, _ = io.WriteString(w, `{"totalResults":3000,"Resources":[`)
		for i := range 3000 {
			_, _ = fmt.Fprintf(w, `%s{"id":"%d","x":"%s"}`, strings.Repeat(",", min(i, 1)), i, strings.Repeat("x", 1000))
		}
		_, _ = io.WriteString(w, `]}`)
	}))
	defer server.Close()
	c, err := NewClient(model.Target{Name: "t", URL: server.URL}, generic(t), ClientOptions{Now: func() time.Time { return noon },
		Pace: func(ctx context.Context, _ PaceRequest) (func(error), error) {
			select {
			case slot <- struct{}{}:
				return func(error) { <-slot }, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := 0
	for u, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%1000 == 0 {
			if _, err := c.Get(ctx, u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != 3000 {
		t.Errorf("%d accounts", n)
	}
}

func TestClientHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"id":"7","protocol":%q}`, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	target := model.Target{Name: "t", URL: server.URL}
	transport := newTransport(target, generic(t))
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, err := NewClient(target, generic(t), ClientOptions{Transport: transport, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := c.Get(t.Context(), "7"); err != nil || u.Attrs["protocol"] != "HTTP/2.0" {
		t.Errorf("%+v, %v", u, err)
	}
}
