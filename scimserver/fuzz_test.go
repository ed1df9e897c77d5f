package scimserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// fuzzService is a handler over a few resources, without a network.
func fuzzService(t *testing.T, dialect string) (http.Handler, *memory.Store) {
	t.Helper()
	d, _ := scim.DialectNamed(dialect)
	reg := scim.DefaultRegistry()
	n := 0
	store := memory.New(reg, memory.Options{NewID: func() string { n++; return fmt.Sprint("id-", n) }})
	h := &scimserver.Handler{Backend: store, Registry: reg, CursorKey: make([]byte, scimserver.CursorKeySize),
		Auth: func(*http.Request) (scimserver.Client, error) {
			return scimserver.Client{Source: "hr", Dialect: d, Subject: &scimserver.Subject{Attribute: "userName", Value: "mira"}}, nil
		}}
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()
	h.Mount(root.PathPrefix("/scim/v2").Subrouter())
	user, _ := reg.Type("User")
	group, _ := reg.Type("Group")
	for _, name := range []string{"mira", "nora"} {
		if _, err := store.Create(t.Context(), user, map[string]any{"userName": name, "title": "t", "emails": []any{map[string]any{"value": name + "@x.test", "type": "work"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Create(t.Context(), group, map[string]any{"displayName": "eng", "members": []any{map[string]any{"value": "id-1"}}}); err != nil {
		t.Fatal(err)
	}
	return root, store
}

// FuzzServe sends requests of any shape: every answer is SCIM, none is a fault of
// the server, and one that refuses has changed nothing.
func FuzzServe(f *testing.F) {
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
	dialects := scim.DialectNames()
	f.Add(uint8(0), uint8(0), "/Users?filter=userName+eq+%22mira%22&sortBy=title&cursor", "", "")
	f.Add(uint8(0), uint8(1), "?sortBy=displayName&count=1&cursor=AAAA", "", "")
	f.Add(uint8(1), uint8(0), "/Users", `{`+coreUser+`,"userName":"x"}`, `W/"1"`)
	f.Add(uint8(1), uint8(2), "/.search", searchStart+`,"filter":"title pr","cursor":"","sortBy":"id"}`, "*")
	f.Add(uint8(1), uint8(2), "/Bulk", bulkJob("", makeUser("a", "b", managedBy("bulkId:c")), makeUser("c", "d", managedBy("bulkId:a"))), "")
	f.Add(uint8(2), uint8(3), "/Users/id-1", `{`+coreUser+`,"userName":"y"}`, `"1", W/"2"`)
	f.Add(uint8(3), uint8(2), "/Groups/id-3?attributes=members.value", patchOp(`{"op":"Remove","path":"members","value":[{"value":"id-1"}]}`), "")
	f.Add(uint8(3), uint8(0), "/Me", patchOp(`{"op":"add","path":"emails[type eq \"work\"].value","value":"z"}`), "")
	f.Add(uint8(4), uint8(5), "/Users/%69d-1/", "", "")
	f.Add(uint8(0), uint8(5), "/Schemas/urn%3Aietf:params", "", "")
	f.Fuzz(func(t *testing.T, method, dialect uint8, path, body, condition string) {
		u, err := url.ParseRequestURI("http://hub.test/scim/v2" + path)
		if err != nil || strings.ContainsAny(condition, "\r\n\x00") {
			t.Skip()
		}
		h, store := fuzzService(t, dialects[int(dialect)%len(dialects)])
		before := fmt.Sprint(store.Snapshot("User"), store.Snapshot("Group"))
		r := httptest.NewRequestWithContext(t.Context(), methods[int(method)%len(methods)], "http://hub.test/", strings.NewReader(body))
		r.URL = u
		r.Header.Set("If-Match", condition)
		r.Header.Set("X-HTTP-Method-Override", condition)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.HasPrefix(u.EscapedPath()+"/", "/scim/v2/") {
			return // not below the service
		}
		if w.Code >= 500 && w.Code != 501 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if after := fmt.Sprint(store.Snapshot("User"), store.Snapshot("Group")); w.Code >= 400 && after != before {
			t.Fatalf("%d, and yet:\n%s\n%s", w.Code, before, after)
		}
		if w.Body.Len() == 0 {
			return
		}
		var answer struct {
			Schemas []string
			Status  string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Schemas) == 0 {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if w.Code >= 400 && answer.Status != strconv.Itoa(w.Code) {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	})
}
