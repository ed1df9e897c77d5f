package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostile is one request that must be refused, or come to nothing.
type hostile struct {
	name   string
	method string
	path   string
	body   string
	status []int             // any of them
	header map[string]string // added, or with an empty value taken away
}

const (
	scimType  = "application/scim+json"
	userHead  = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	patchHead = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":`
)

// hostileRequests are what broken clients and curious people send. ID stands for a
// user that exists, GID for a group.
func hostileRequests() []hostile {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	list := strings.Repeat("[", 200_000)
	bad := []int{400}
	var out []hostile
	for name, body := range map[string]string{
		"empty": "", "no JSON": "hello", "cut off": userHead + `"userName":"x"`, "array": "[]", "null": "null", "number": "1e999999",
		"two values": userHead + `"userName":"x"}{}`, "deep": deep, "deep list": list, "deep in an attribute": userHead + `"userName":"x","name":` + deep + `}`,
		"no userName": userHead + `"displayName":"x"}`, "empty userName": userHead + `"userName":""}`, "userName of another type": userHead + `"userName":{"a":1}}`,
		"twice the attribute": userHead + `"userName":"x","USERNAME":"y"}`, "a NUL": userHead + `"userName":"a\u0000b"}`,
		"no UTF-8": userHead + "\"userName\":\"a\xff\xfeb\"}", "no schemas": `{"userName":"x"}`,
		"another schema":   `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"userName":"x"}`,
		"active is a list": userHead + `"userName":"x","active":[1,2]}`, "emails is a text": userHead + `"userName":"x","emails":"a@b"}`,
		"taken": userHead + `"userName":"VICTIM@example.com"}`,
	} {
		h := hostile{name: "create: " + name, method: "POST", path: "/Users", body: body, status: bad}
		if name == "taken" {
			h.status = []int{409}
		}
		out = append(out, h)
	}
	for name, ops := range map[string]string{
		"no operations": `[]`, "operations of another type": `"x"`, "unknown op": `[{"op":"explode","path":"active","value":true}]`,
		"path of parentheses": `[{"op":"remove","path":"emails[` + strings.Repeat("(", 5000) + `"}]`, "unknown path": `[{"op":"replace","path":"nothing","value":1}]`,
		"remove without path": `[{"op":"remove"}]`, "read-only": `[{"op":"replace","path":"id","value":"x"}]`, "remove what is required": `[{"op":"remove","path":"userName"}]`,
		"a wrong one last": `[{"op":"replace","path":"displayName","value":"changed"},{"op":"replace","path":"active","value":"perhaps"}]`,
		"deep value":       `[{"op":"add","path":"name","value":` + deep + `}]`,
	} {
		out = append(out, hostile{name: "patch: " + name, method: "PATCH", path: "/Users/ID", body: patchHead + ops + "}", status: bad})
	}
	for name, filter := range map[string]string{
		"parentheses": strings.Repeat("%28", 20_000), "nots": strings.Repeat("not%20%28", 5000), "half": "userName%20eq", "unknown attribute": "shoeSize%20eq%201",
		"password": `password%20sw%20%22a%22`, "SQL": `userName%20eq%20%22%27%20OR%201%3D1%20--%22%20garbage`, "many terms": strings.Repeat(`userName%20eq%20%22a%22%20or%20`, 1500) + "active%20pr",
		"NUL": "userName%20eq%20%22%00%22", "control": "userName%20eq%20%22%0a",
	} {
		out = append(out, hostile{name: "filter: " + name, method: "GET", path: "/Users?filter=" + filter, status: []int{400, 414}})
	}
	return append(out, hostileHTTP()...)
}

// hostileHTTP is about everything but the body.
func hostileHTTP() []hostile {
	huge := userHead + `"userName":"big","displayName":"` + strings.Repeat("x", 3<<20) + `"}`
	user := userHead + `"userName":"nobody"}`
	return []hostile{
		{name: "too large", method: "POST", path: "/Users", body: huge, status: []int{413}},
		{name: "count is no number", method: "GET", path: "/Users?count=many", status: []int{400}},
		{name: "startIndex is no number", method: "GET", path: "/Users?startIndex=0x10", status: []int{400}},
		{name: "attributes both ways", method: "GET", path: "/Users?attributes=userName&excludedAttributes=name", status: []int{400}},
		{name: "form", method: "POST", path: "/Users", body: "userName=x", status: []int{415}, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		{name: "no token", method: "POST", path: "/Users", body: user, status: []int{401}, header: map[string]string{"Authorization": ""}},
		{name: "wrong token", method: "POST", path: "/Users", body: user, status: []int{401}, header: map[string]string{"Authorization": "Bearer no"}},
		{name: "token of the API", method: "POST", path: "/Users", body: user, status: []int{401}, header: map[string]string{"Authorization": "Bearer " + adminToken}},
		{name: "another kind of token", method: "GET", path: "/Users", status: []int{401}, header: map[string]string{"Authorization": "Basic " + strings.Repeat("A", 4000)}},
		{name: "no such id", method: "PUT", path: "/Users/nobody", body: user, status: []int{404}},
		{name: "way out of the tree", method: "GET", path: "/Users/..%2f..%2f..%2fetc%2fpasswd", status: []int{404}},
		{name: "way out of the tree, plain", method: "GET", path: "/Users/../../../etc/passwd", status: []int{404}},
		{name: "very long id", method: "DELETE", path: "/Users/" + strings.Repeat("x", 50_000), status: []int{404, 414}},
		{name: "id with a NUL", method: "GET", path: "/Users/%00", status: []int{400, 404}},
		{name: "id that is no UTF-8", method: "GET", path: "/Users/%ff%fe", status: []int{400, 404}},
		{name: "no such endpoint", method: "POST", path: "/Nothing", body: user, status: []int{404}},
		{name: "delete of everything", method: "DELETE", path: "/Users", status: []int{405}},
		{name: "strange method", method: "BREW", path: "/Users", status: []int{405, 501}},
		{name: "write to discovery", method: "POST", path: "/Schemas", body: "{", status: []int{405}},
		{name: "If-Match of another version", method: "DELETE", path: "/Users/ID", status: []int{412}, header: map[string]string{"If-Match": `W/"77777"`}},
		{name: "group without a name", method: "POST", path: "/Groups", body: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`, status: []int{400}},
		{name: "members of another type", method: "PATCH", path: "/Groups/GID", body: patchHead + `[{"op":"add","path":"members","value":{"value":{"value":1}}}]}`, status: []int{400}},
		{name: "remove members by a list", method: "PATCH", path: "/Groups/GID", body: patchHead + `[{"op":"remove","path":"members","value":[{"value":"x"}]}]}`, status: []int{400}},
		{name: "bulk", method: "POST", path: "/Bulk", body: strings.Repeat("[", 1000), status: []int{400, 404, 501}},
	}
}

// TestHostileInbound: whatever comes in gets an answer that says what is wrong,
// changes nothing and does not end the process.
func TestHostileInbound(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world) {
		c := newCompany(10, 4, rand.New(rand.NewPCG(5, 6)))
		hr, _ := push(t, w, c)
		victim, err := hr.create(t.Context(), "/Users", "userName", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"},
			"userName": "victim@example.com", "displayName": "Victim", "active": true})
		if err != nil {
			t.Fatal(err)
		}
		gid, err := hr.create(t.Context(), "/Groups", "displayName", map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"},
			"displayName": "victims", "members": []any{map[string]any{"value": victim}}})
		if err != nil {
			t.Fatal(err)
		}
		w.rest(30 * time.Second)
		before, auditBefore := everything(t, hr), changesAudited(t, w)
		for _, h := range hostileRequests() {
			h.path = strings.NewReplacer("GID", gid, "ID", victim).Replace(h.path)
			refusedSCIM(t, w, h)
		}
		rawGarbage(t, w)
		hostileAPI(t, w)
		if diff := cmp.Diff(before, everything(t, hr)); diff != "" {
			t.Errorf("something was changed (-before +after):\n%s", diff)
		}
		if n := changesAudited(t, w); n != auditBefore {
			t.Errorf("%d audit entries, before %d: a refused request has left a trace of a change", n, auditBefore)
		}
		if w.hub.ended() {
			t.Fatal("the hub has ended")
		}
		if err := hr.patch(t.Context(), "/Users/"+victim, op("replace", "displayName", "Alive")); err != nil {
			t.Errorf("a normal request afterwards: %v", err)
		}
		for _, secret := range []string{hrToken, idpToken, adminToken, appToken} {
			if strings.Contains(w.hub.err.String()+w.hub.out.String(), secret) {
				t.Errorf("the log holds a secret: %s", secret)
			}
		}
	})
}

func (w *world) send(t *testing.T, base, token string, h hostile) (*http.Response, []byte) {
	t.Helper()
	// The path is sent as it is, not as net/http would tidy it up.
	req, err := http.NewRequestWithContext(t.Context(), h.method, base+"/", strings.NewReader(h.body))
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.TrimPrefix(base, w.base)
	path, query, _ := strings.Cut(prefix+h.path, "?")
	req.URL.Opaque, req.URL.RawQuery = strings.TrimPrefix(w.base, "http:")+path, query
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", scimType)
	for k, v := range h.header {
		if req.Header.Del(k); v != "" {
			req.Header.Set(k, v)
		}
	}
	res, err := plainHTTP.Do(req)
	if err != nil {
		t.Errorf("%s: no answer: %v", h.name, err)
		return nil, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: the answer is cut off: %v", h.name, err)
	}
	return res, body
}

// refusedSCIM sends a request and wants an Error body (RFC 7644 §3.12) with one of
// the statuses, that gives nothing away.
func refusedSCIM(t *testing.T, w *world, h hostile) {
	t.Helper()
	res, body := w.send(t, w.base+"/scim/v2", hrToken, h)
	if res == nil {
		return
	}
	var e struct {
		Schemas []string
		Status  string
		Detail  string
	}
	if err := json.Unmarshal(body, &e); err != nil || !slices.Contains(h.status, res.StatusCode) || res.Header.Get("Content-Type") != scimType ||
		e.Status != fmt.Sprint(res.StatusCode) || e.Detail == "" || len(e.Schemas) != 1 || e.Schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error" {
		t.Errorf("%s: %s %s (want %v) %.300s", h.name, res.Status, res.Header.Get("Content-Type"), h.status, body)
	}
	for _, inside := range []string{"goroutine", ".go:", "SQLSTATE", "SQL logic", "gorm", "pgx", "panic"} {
		if strings.Contains(e.Detail, inside) {
			t.Errorf("%s: the detail shows the inside: %s", h.name, e.Detail)
		}
	}
	if len(e.Detail) > 2000 {
		t.Errorf("%s: a detail of %d bytes", h.name, len(e.Detail))
	}
}

// rawGarbage is what is no HTTP at all, or ends in the middle.
func rawGarbage(t *testing.T, w *world) {
	t.Helper()
	address := strings.TrimPrefix(w.base, "http://")
	head := "POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + hrToken + "\r\nContent-Type: " + scimType + "\r\n"
	full := userHead + `"userName":"smuggled"}`
	for name, text := range map[string]string{
		"noise":                     strings.Repeat("\x00\xff\x16\x03\x01", 1000),
		"no request":                "\r\n\r\n\r\n",
		"two lengths":               head + "Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + full,
		"length and chunks":         head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + full,
		"a chunk of negative size":  head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + full,
		"body shorter than said":    head + "Content-Length: 5000\r\n\r\n" + full,
		"a header that is too long": head + "X-Long: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"ends in the header":        head,
	} {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _ = io.WriteString(conn, text) // the server may close before everything is written
		_ = conn.(*net.TCPConn).CloseWrite()
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			res.Body.Close()
			if res.StatusCode < 400 {
				t.Errorf("raw, %s: %s", name, res.Status)
			}
		}
		conn.Close()
	}
}

// hostileAPI is garbage at the operators' door: problem+json, and nothing else.
func hostileAPI(t *testing.T, w *world) {
	t.Helper()
	deep := strings.Repeat(`{"config":`, 50_000)
	yamlBomb := "a: &a [x,x,x,x,x,x,x,x,x]\n" + strings.Repeat("b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n", 50)
	for _, h := range []hostile{
		{name: "plan: no JSON", method: "POST", path: "/plan", body: "garbage", status: []int{400}},
		{name: "plan: deep", method: "POST", path: "/plan", body: deep, status: []int{400}},
		{name: "plan: unknown field", method: "POST", path: "/plan", body: `{"confog":"x"}`, status: []int{400}},
		{name: "plan: no configuration", method: "POST", path: "/plan", body: `{"config":"][ not yaml"}`, status: []int{400, 422}},
		{name: "apply: bomb", method: "POST", path: "/config", body: string(mustJSON(map[string]string{"config": yamlBomb})), status: []int{400, 422}},
		{name: "apply: anchors", method: "POST", path: "/config", body: string(mustJSON(map[string]string{"config": strings.Repeat("[", 100_000)})), status: []int{400, 422}},
		{name: "apply: empty", method: "POST", path: "/config", body: `{}`, status: []int{400, 422}},
		{name: "too large", method: "POST", path: "/plan", body: `{"config":"` + strings.Repeat("x", 9<<20) + `"}`, status: []int{400, 413}},
		{name: "no such target", method: "POST", path: "/targets/nothing/sync", status: []int{404}},
		{name: "release without digest", method: "POST", path: "/targets/git/release", body: `{}`, status: []int{400, 409, 422}},
		{name: "release of another digest", method: "POST", path: "/targets/git/release", body: `{"digest":"0000"}`, status: []int{403, 409, 422}},
		{name: "no such person", method: "GET", path: "/identities/%00", status: []int{400, 404}},
		{name: "person with quotes", method: "GET", path: "/identities/%27%3B%20DROP%20TABLE%20identities%3B--", status: []int{404}},
		{name: "limit", method: "GET", path: "/audit?limit=-1", status: []int{400}},
		{name: "cursor", method: "GET", path: "/audit?cursor=%ff%fe%00", status: []int{400}},
		{name: "moment", method: "GET", path: "/identities/victim@example.com/explain?at=never", status: []int{400}},
		{name: "no such address", method: "GET", path: "/nothing", status: []int{404}},
		{name: "wrong method", method: "DELETE", path: "/targets", status: []int{400, 404, 405}},
		{name: "no token", method: "POST", path: "/plan", body: "{}", status: []int{401}, header: map[string]string{"Authorization": ""}},
		{name: "token of a source", method: "POST", path: "/plan", body: "{}", status: []int{401}, header: map[string]string{"Authorization": "Bearer " + hrToken}},
	} {
		res, body := w.send(t, w.base+"/api/v1", adminToken, h)
		if res == nil {
			continue
		}
		var problem struct{ Title, Detail string }
		if err := json.Unmarshal(body, &problem); err != nil || !slices.Contains(h.status, res.StatusCode) ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") || problem.Title+problem.Detail == "" {
			t.Errorf("API, %s: %s %s (want %v) %.300s", h.name, res.Status, res.Header.Get("Content-Type"), h.status, body)
		}
		if bytes.Contains(body, []byte("SQL")) || bytes.Contains(body, []byte(".go:")) {
			t.Errorf("API, %s: the inside shows: %.300s", h.name, body)
		}
	}
}

// everything is all that a source sees of what it wrote.
func everything(t *testing.T, s *source) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, endpoint := range []string{"/Users", "/Groups"} {
		a, _, err := s.settled(t.Context(), http.MethodGet, endpoint+"?count=200", nil)
		if err != nil || a.status != http.StatusOK {
			t.Fatal(a.status, err)
		}
		out[endpoint] = string(a.body)
	}
	return out
}

// changesAudited counts the audit entries of changes: refusals are there, too.
func changesAudited(t *testing.T, w *world) (n int) {
	t.Helper()
	for next := ""; ; {
		var page struct {
			Items []struct{ Action string }
			Next  string
		}
		if err := getJSON(t.Context(), w.base+"/api/v1/audit?limit=1000&cursor="+url.QueryEscape(next), adminToken, &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			if !strings.HasSuffix(e.Action, ".refused") {
				n++
			}
		}
		if next = page.Next; next == "" {
			return n
		}
	}
}
