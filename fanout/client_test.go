package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
)

// exchange is one literal request expected and its literal answer.
type exchange struct {
	method, uri, body string // body "" is not compared
	status            int
	header            map[string]string
	answer            string
}

// script is a target that expects these exchanges in this order.
func script(t *testing.T, p Profile, auth model.Auth, list ...exchange) *Client {
	t.Helper()
	i := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i >= len(list) {
			t.Errorf("unexpected %s %s", r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		e := list[i]
		i++
		body, _ := io.ReadAll(r.Body)
		if r.Method != e.method || r.URL.RequestURI() != e.uri {
			t.Errorf("request %d: %s %s, want %s %s", i, r.Method, r.URL.RequestURI(), e.method, e.uri)
		}
		if e.body != "" {
			var got, want any
			if json.Unmarshal(body, &got) != nil || json.Unmarshal([]byte(e.body), &want) != nil || !cmp.Equal(got, want) {
				t.Errorf("request %d: body %s, want %s", i, body, e.body)
			}
		}
		for k, v := range e.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, e.answer)
	}))
	t.Cleanup(func() {
		server.Close()
		if i != len(list) {
			t.Errorf("%d of %d requests came", i, len(list))
		}
	})
	c, err := NewClient(model.Target{Name: "t", URL: server.URL + "/", Auth: auth}, p, ClientOptions{Version: "1.2", Timeout: 2 * time.Second, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const filterAnna = "/Users?count=100&filter=userName%20eq%20%22anna%22&startIndex=1"

func TestClientLookup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		answer string
		id     string
		class  Class
	}{
		{"plain", 200, `{"totalResults":1,"Resources":[{"id":"7","userName":"Anna"}]}`, "7", ""},
		{"numeric id, lower-case resources, total as text", 200, `{"totalResults":"1","resources":[{"id":7,"username":"anna"}]}`, "7", ""},
		{"no Resources when empty", 200, `{"totalResults":0}`, "", ""},
		{"Resources null", 200, `{"totalResults":0,"Resources":null}`, "", ""},
		{"Resources without total", 200, `{"Resources":[{"id":"7","userName":"anna"}]}`, "7", ""},
		{"filter ignored", 200, `{"totalResults":2,"Resources":[{"id":"6","userName":"ben"},{"id":"7","userName":"anna"}]}`, "7", ""},
		{"filter ignored, not there", 200, `{"totalResults":1,"Resources":[{"id":"6","userName":"ben"}]}`, "", ""},
		{"two match", 200, `{"totalResults":2,"Resources":[{"id":"6","userName":"anna"},{"id":"7","userName":"ANNA"}]}`, "", Conflict},
		{"the same twice", 200, `{"totalResults":2,"Resources":[{"id":"7","userName":"anna"},{"id":"7","userName":"ANNA"}]}`, "7", ""},
		{"HTML", 200, `<!DOCTYPE html><html>sign in</html>`, "", Garbage},
		{"empty", 200, ``, "", Garbage},
		{"broken JSON", 200, `{"totalResults":1,"Resou`, "", Garbage},
		{"two values", 200, `{"totalResults":0}{}`, "", Garbage},
		{"a list", 200, `[]`, "", Garbage},
		{"no list", 200, `{"message":"hello"}`, "", Garbage},
		{"resource without id", 200, `{"totalResults":1,"Resources":[{"userName":"anna"}]}`, "", Garbage},
		{"resource is text", 200, `{"totalResults":1,"Resources":["anna"]}`, "", Garbage},
		{"total without resources", 200, `{"totalResults":1}`, "", Garbage},
		{"401", 401, `{"detail":"no"}`, "", Credentials},
		{"404", 404, ``, "", Missing},
		{"500", 500, `<html>`, "", Server},
		{"redirect to elsewhere", 302, ``, "", Garbage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{}
			if tt.status == 302 {
				header["Location"] = "http://other.invalid/Users"
			}
			want := []exchange{{method: "GET", uri: filterAnna, status: tt.status, answer: tt.answer, header: header}}
			if tt.name == "Resources without total" {
				want = append(want, exchange{method: "GET", uri: strings.Replace(filterAnna, "startIndex=1", "startIndex=2", 1), status: 200, answer: `{"Resources":[]}`})
			}
			c := script(t, generic(t), model.Auth{}, want...)
			u, found, err := c.Lookup(t.Context(), "userName", "anna")
			if u.ID != tt.id || found != (tt.id != "") || ClassOf(err) != tt.class {
				t.Errorf("got %+v, %v, %v", u, found, err)
			}
		})
	}
}

func TestClientWrites(t *testing.T) {
	t.Parallel()
	before := model.Account{UserName: "anna", Active: true, Attrs: map[string]any{
		"name.familyName": "Old", "title": "x", `emails[type eq "work"].value`: "a@x", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "A"}}
	after := model.Account{UserName: "anna", Active: true, Attrs: map[string]any{
		"name.familyName": "New", `phoneNumbers[type eq "work"].value`: "1", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "B"}}
	const patched = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
		{"op":"remove","path":"emails[type eq \"work\"]"},
		{"op":"replace","path":"name.familyName","value":"New"},
		{"op":"add","path":"phoneNumbers","value":[{"type":"work","value":"1"}]},
		{"op":"remove","path":"title"},
		{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"B"}]}`
	put := generic(t)
	put.Patch.Supported = false
	pathless := generic(t)
	pathless.Patch.WithoutPath = "required"
	update := func(c *Client) error { _, err := c.Update(t.Context(), "7", before, after); return err }
	tests := []struct {
		name    string
		profile Profile
		do      func(*Client) error
		list    []exchange
		class   Class
	}{
		{"create", generic(t), func(c *Client) error { _, err := c.Create(t.Context(), before); return err }, []exchange{{"POST", "/Users", `{
			"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"anna","active":true,"name":{"familyName":"Old"},"title":"x","emails":[{"type":"work","value":"a@x"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"A"}}`, 201, nil, `{"id":"7"}`}}, ""},
		{"create answered 200", generic(t), func(c *Client) error { _, err := c.Create(t.Context(), before); return err }, []exchange{{"POST", "/Users", "", 200, nil, `{"id":7}`}}, ""},
		{"create with Location alone", generic(t), func(c *Client) error {
			u, err := c.Create(t.Context(), before)
			if u.ID != "a b" {
				return fmt.Errorf("id %q", u.ID)
			}
			return err
		}, []exchange{{"POST", "/Users", "", 201, map[string]string{"Location": "/scim/Users/a%20b"}, ``}}, ""},
		{"create without id", generic(t), func(c *Client) error { _, err := c.Create(t.Context(), before); return err }, []exchange{{"POST", "/Users", "", 201, nil, `{"ok":true}`}}, Garbage},
		{"create taken", generic(t), func(c *Client) error { _, err := c.Create(t.Context(), before); return err }, []exchange{{"POST", "/Users", "", 409, nil, `{"status":409,"scimType":"uniqueness"}`}}, Conflict},
		{"create taken, said with 400", generic(t), func(c *Client) error { _, err := c.Create(t.Context(), before); return err }, []exchange{{"POST", "/Users", "", 400, nil, `{"status":"400","scimType":"uniqueness"}`}}, Conflict},
		{"update answered 204", generic(t), update, []exchange{{"PATCH", "/Users/7", patched, 204, nil, ""}}, ""},
		{"update answered 200", generic(t), update, []exchange{{"PATCH", "/Users/7", patched, 200, nil, `{"id":"7","userName":"anna"}`}}, ""},
		{"update answered with a web page", generic(t), update, []exchange{{"PATCH", "/Users/7", patched, 200, nil, `<html>`}}, Garbage},
		{"update answered with something else", generic(t), update, []exchange{{"PATCH", "/Users/7", patched, 200, nil, `{"ok":true}`}}, Garbage},
		{"update without path", pathless, update, []exchange{{"PATCH", "/Users/7", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
			{"op":"remove","path":"emails[type eq \"work\"]"},
			{"op":"add","path":"phoneNumbers","value":[{"type":"work","value":"1"}]},
			{"op":"remove","path":"title"},
			{"op":"replace","value":{"name":{"familyName":"New"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"B"}}}]}`, 204, nil, ""}}, ""},
		{"update by PUT keeps what others own", put, update, []exchange{
			{"GET", "/Users/7", "", 200, nil, `{"id":"7","meta":{"version":"1"},"groups":[{"value":"g"}],"userName":"anna","nickName":"keep","n":12345678901234567890,"emails":[{"type":"home","value":"h"},{"type":"work","value":"a@x"}],"title":"x"}`},
			{"PUT", "/Users/7", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"anna","nickName":"keep","n":12345678901234567890,"name":{"familyName":"New"},"emails":[{"type":"home","value":"h"}],"phoneNumbers":[{"type":"work","value":"1"}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"B"}}`, 204, nil, ""}}, ""},
		{"disable", generic(t), func(c *Client) error { _, err := c.SetActive(t.Context(), "7/8", false); return err }, []exchange{
			{"PATCH", "/Users/7%2F8", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`, 204, nil, ""}}, ""},
		{"delete", generic(t), func(c *Client) error { return c.Delete(t.Context(), "7") }, []exchange{{"DELETE", "/Users/7", "", 204, nil, ""}}, ""},
		{"delete of nobody", generic(t), func(c *Client) error { return c.Delete(t.Context(), "7") }, []exchange{{"DELETE", "/Users/7", "", 404, nil, "<html>"}}, Missing},
		{"read of another", generic(t), func(c *Client) error { _, err := c.Get(t.Context(), "7"); return err }, []exchange{{"GET", "/Users/7", "", 200, nil, `{"id":"8"}`}}, Garbage},
		{"members", generic(t), func(c *Client) error {
			return c.PatchMembers(t.Context(), "g", []string{"1", "2"}, []string{`3"`})
		}, []exchange{
			{"PATCH", "/Groups/g", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"1"},{"value":"2"}]},{"op":"remove","path":"members[value eq \"3\\\"\"]"}]}`, 204, nil, ""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.do(script(t, tt.profile, model.Auth{}, tt.list...)); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

func TestClientList(t *testing.T) {
	t.Parallel()
	page := func(start int) string { return fmt.Sprintf("/Users?count=2&startIndex=%d", start) }
	two := func(a, b, total int) string {
		return fmt.Sprintf(`{"totalResults":%d,"Resources":[{"id":"%d"},{"id":"%d"}]}`, total, a, b)
	}
	tests := []struct {
		name string
		list []exchange
		n    int
		bad  bool
	}{
		{"two pages", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 4)}, {"GET", page(3), "", 200, nil, two(3, 4, 4)}}, 4, false},
		{"no paging, everything at once", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 2)}}, 2, false},
		{"the same page for ever, no total", []exchange{{"GET", page(1), "", 200, nil, `{"Resources":[{"id":"1"}]}`}, {"GET", page(2), "", 200, nil, `{"Resources":[{"id":"1"}]}`}}, 1, false},
		{"the same page for ever", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 9)}, {"GET", page(3), "", 200, nil, two(1, 2, 9)}}, 2, true},
		{"ends early", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 9)}, {"GET", page(3), "", 200, nil, `{"totalResults":9,"Resources":[]}`}}, 2, true},
		{"fails half-way", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 9)}, {"GET", page(3), "", 500, nil, ``}}, 2, true},
		{"shrinks meanwhile", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 3)}, {"GET", page(3), "", 200, nil, `{"totalResults":2,"Resources":[]}`},
			{"GET", page(1), "", 200, nil, two(2, 3, 2)}}, 3, false},
		{"somebody goes and another moves up a page", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 4)}, {"GET", page(3), "", 200, nil, `{"totalResults":3,"Resources":[{"id":"4"}]}`},
			{"GET", page(1), "", 200, nil, two(2, 3, 3)}, {"GET", page(3), "", 200, nil, `{"totalResults":3,"Resources":[{"id":"4"}]}`}}, 4, false},
		{"somebody comes and others move down a page", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 3)}, {"GET", page(3), "", 200, nil, two(2, 3, 4)},
			{"GET", page(1), "", 200, nil, two(0, 1, 4)}, {"GET", page(3), "", 200, nil, two(2, 3, 4)}}, 4, false},
		{"shrinks for ever", []exchange{{"GET", page(1), "", 200, nil, two(1, 2, 9)}, {"GET", page(3), "", 200, nil, `{"totalResults":8}`},
			{"GET", page(1), "", 200, nil, two(1, 2, 7)}, {"GET", page(3), "", 200, nil, `{"totalResults":6}`}}, 2, true},
		{"more on a page than asked for", []exchange{{"GET", page(1), "", 200, nil, `{"totalResults":3,"Resources":[{"id":"1"},{"id":"2"},{"id":"3"}]}`}}, 3, false},
		{"the same full page again, no total", []exchange{{"GET", page(1), "", 200, nil, `{"Resources":[{"id":"1"},{"id":"2"}]}`}, {"GET", page(3), "", 200, nil, `{"Resources":[{"id":"1"},{"id":"2"}]}`}}, 2, true},
		{"total before and after, null", []exchange{{"GET", page(1), "", 200, nil, `{"totalResults":0,"Resources":null}`}}, 0, false},
		{"two lists", []exchange{{"GET", page(1), "", 200, nil, `{"totalResults":1,"Resources":[],"resources":[{"id":"1"}]}`}}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := generic(t)
			p.PageMax = 2
			n := 0
			var last error
			for _, err := range script(t, p, model.Auth{}, tt.list...).List(t.Context()) {
				if last = err; err == nil {
					n++
				}
			}
			if n != tt.n || (last != nil) != tt.bad {
				t.Errorf("%d accounts, error %v", n, last)
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		header string
		body   string
		class  Class
		after  time.Duration
		detail string
	}{
		{400, "", `{"schemas":["x"],"status":400,"scimType":"invalidValue","detail":"bad title"}`, Invalid, 0, "invalidValue: bad title"},
		{403, "", `{"error":"forbidden"}`, Credentials, 0, "forbidden"},
		{410, "", ``, Missing, 0, ""},
		{429, "17", ``, Throttled, 17 * time.Second, ""},
		{429, "Sun, 22 Nov 2026 12:01:00 GMT", ``, Throttled, time.Minute, ""},
		{429, "-3", ``, Throttled, 0, ""},
		{429, "soon", ``, Throttled, 0, ""},
		{503, "9", `<html><body>down</body></html>`, Server, 9 * time.Second, "an HTML page"},
		{500, "", "line\x1b[31m one\nline two", Server, 0, "line [31m one line two"},
		{500, "", strings.Repeat("ä", 10_000), Server, 0, strings.Repeat("ä", 150) + "…"},
		{502, "", `{"detail":"token s3cr3t is bad"}`, Server, 0, "token [redacted] is bad"},
		{418, "", ``, Invalid, 0, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			t.Parallel()
			c := script(t, generic(t), model.Auth{Bearer: model.NewSecret("s3cr3t")}, exchange{"GET", "/Users/7", "", tt.status, map[string]string{"Retry-After": tt.header}, tt.body})
			_, err := c.Get(t.Context(), "7")
			e := asClientError(err)
			if e.Class != tt.class || e.RetryAfter != tt.after || e.Detail != tt.detail || e.Status != tt.status {
				t.Errorf("got %+v", e)
			}
		})
	}
	t.Run("throttled in other words", func(t *testing.T) {
		t.Parallel()
		p, err := ProfileNamed("databricks")
		if err != nil {
			t.Fatal(err)
		}
		_, err = script(t, p, model.Auth{}, exchange{"GET", "/Users/7", "", 500, nil, `{"detail":"REQUEST_LIMIT_EXCEEDED"}`}).Get(t.Context(), "7")
		if ClassOf(err) != Throttled {
			t.Errorf("got %v", err)
		}
	})
}

func TestClientOutcome(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/slow") {
			<-release
		}
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	defer close(release)
	newClient := func(url string, timeout time.Duration) *Client {
		c, err := NewClient(model.Target{Name: "t", URL: url}, generic(t), ClientOptions{Timeout: timeout, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := newClient(server.URL, 5*time.Second)
	if _, err := c.Create(t.Context(), *account("a")); ClassOf(err) != UnknownOutcome {
		t.Errorf("lost answer to a create: %v", err)
	}
	if _, err := c.Get(t.Context(), "x"); ClassOf(err) != Network {
		t.Errorf("lost answer to a read: %v", err)
	}
	if _, err := newClient(server.URL, 50*time.Millisecond).Get(t.Context(), "slow"); ClassOf(err) != Timeout {
		t.Errorf("slow read: %v", err)
	}
	nobody := newClient("http://target.invalid", time.Second)
	nobody.http.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("connection refused")
	}}
	if _, err := nobody.Create(t.Context(), *account("a")); ClassOf(err) != Network {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestClientAuth(t *testing.T) {
	t.Parallel()
	tokens := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			tokens++
			id, secret, _ := r.BasicAuth()
			if id != "me" || secret != "hidden" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"hidden is wrong"}`)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, tokens)
			return
		}
		for _, h := range []string{"User-Agent", "Accept"} {
			if r.Header.Get(h) == "" {
				t.Errorf("no %s", h)
			}
		}
		_, _ = fmt.Fprintf(w, `{"id":"7","seen":%q,"own":%q}`, r.Header.Get("Authorization"), r.Header.Get("X-Key"))
	}))
	t.Cleanup(server.Close)
	seen := func(auth model.Auth) (string, error) {
		c, err := NewClient(model.Target{Name: "t", URL: server.URL, Auth: auth}, generic(t), ClientOptions{Now: func() time.Time { return time.Now() }})
		if err != nil {
			t.Fatal(err)
		}
		u, err := c.Get(t.Context(), "7")
		return stringOf(u.Attrs, "seen") + stringOf(u.Attrs, "own"), err
	}
	secret := model.NewSecret
	for _, tt := range []struct {
		auth model.Auth
		want string
	}{
		{model.Auth{}, ""},
		{model.Auth{Bearer: secret("b")}, "Bearer b"},
		{model.Auth{Basic: &model.BasicAuth{User: "u", Password: secret("p")}}, "Basic dTpw"},
		{model.Auth{Header: &model.HeaderAuth{Name: "X-Key", Value: secret("k")}}, "k"},
		{model.Auth{OAuth2: &model.OAuth2{TokenURL: server.URL + "/token", ClientID: "me", ClientSecret: secret("hidden")}}, "Bearer t1"},
	} {
		if got, err := seen(tt.auth); err != nil || got != tt.want {
			t.Errorf("%+v: %q, %v", tt.auth, got, err)
		}
	}
	_, err := seen(model.Auth{OAuth2: &model.OAuth2{TokenURL: server.URL + "/token", ClientID: "you", ClientSecret: secret("hidden")}})
	if ClassOf(err) != Credentials || strings.Contains(fmt.Sprint(err), "hidden") {
		t.Errorf("refused client: %v", err)
	}
	_, err = seen(model.Auth{Bearer: secret("${env:SCIMHUB_TEST_NOT_SET}")})
	if ClassOf(err) != Credentials || !strings.Contains(fmt.Sprint(err), "SCIMHUB_TEST_NOT_SET") {
		t.Errorf("missing secret: %v", err)
	}
}

// Whatever a target answers, reading it does not panic, and only what has an id
// is a resource.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"id":1}`, `{"id":"x","members":[1,"2",{"value":3}]}`, `{"totalResults":"9","resources":[{}]}`, `[`, `null`, `{"Resources":[{"id":"1","a":[{}]}],"totalResults":1}`, `{"Resources":null,"totalResults":2}`, "\xef\xbb\xbf{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = detailOf(text, []string{"x"})
		doc, err := decodeObject(text)
		if err != nil {
			return
		}
		if u, err := userOf(doc); err == nil {
			if u.ID == "" {
				t.Error("a user without id")
			}
			_ = observe(Profile{}, u, account("a"))
		}
		if g, err := groupOf(doc); err == nil && g.ID == "" {
			t.Error("a group without id")
		}
		p, pageErr := pageOf(doc)
		if v, _ := field(doc, "Resources"); pageErr == nil && !p.hasTotal && v == nil {
			t.Error("no list reads as a list")
		}
		// Read while it comes, a list says the same as when it is read at once.
		s := &stream{status: 200, body: bytes.NewReader(text), left: streamLimit, allowed: resourceLimit}
		var shown []map[string]any
		end, err := readPage(s, "", func(doc map[string]any) bool {
			shown = append(shown, doc)
			return true
		})
		if (err == nil) != (pageErr == nil) || err == nil && (end.n != len(p.resources) || end.total != p.total || !cmp.Equal(shown, p.resources)) {
			t.Errorf("streamed: %+v, %v, %v; at once: %+v, %v", end, shown, err, p, pageErr)
		}
	})
}

// TestLookupIsCaseExactWhereTheAttributeIs: two people whose ids differ in case
// alone are two people (RFC 7643 §3.1), whatever the target's filter thinks.
func TestLookupIsCaseExactWhereTheAttributeIs(t *testing.T) {
	t.Parallel()
	for attr, want := range map[string]bool{"externalId": false, "EXTERNALID": false, "userName": true} {
		c := script(t, generic(t), model.Auth{}, exchange{method: "GET", uri: "/Users?count=100&filter=" + attr + "%20eq%20%22aB1%22&startIndex=1", status: 200,
			answer: `{"totalResults":1,"Resources":[{"id":"1","userName":"Ab1","externalId":"Ab1"}]}`})
		if _, found, err := c.Lookup(t.Context(), attr, "aB1"); found != want || err != nil {
			t.Errorf("%s: found %v, want %v: %v", attr, found, want, err)
		}
	}
}
