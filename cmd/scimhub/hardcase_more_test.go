package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
)

// filtersOnElements: forms that clients use beside the grammar find the right
// ones, or are refused; they are never an error of the server.
func filtersOnElements(h *hard) {
	u1 := h.make("/Users", `"userName":"u1","emails":[{"type":"work","value":"a@x.test"},{"type":"home","value":"b@x.test"}]`)
	h.make("/Users", `"userName":"u2","emails":[{"type":"home","value":"a@x.test"}]`)
	h.make("/Groups", `"displayName":"g1","members":[{"value":%q}]`, u1)
	h.make("/Groups", `"displayName":"g2"`)
	h.finds("/Users", `emails[type eq "work" and value eq "a@x.test"]`, "u1")
	h.finds("/Users", `emails.type eq "work" and emails.value eq "b@x.test"`, "u1")
	h.finds("/Users", `emails[type eq "work" and value eq "b@x.test"]`)
	h.finds("/Users", `emails.value eq "A@X.test"`, "u1", "u2")
	h.finds("/Groups", fmt.Sprintf(`members[value eq %q]`, u1), "g1")
	h.finds("/Groups", fmt.Sprintf(`members.value eq %q`, u1), "g1")
	for _, c := range []struct {
		endpoint, filter string
		want             []string
	}{
		{"/Users", `emails[type eq "work"].value eq "a@x.test"`, []string{"u1"}},
		{"/Users", `emails eq "a@x.test"`, []string{"u1", "u2"}},
		{"/Users", `emails co "b@x"`, []string{"u1"}},
		{"/Groups", fmt.Sprintf(`members eq %q`, u1), []string{"g1"}},
	} {
		a, err := h.send(h.Context(), http.MethodGet, c.endpoint+"?filter="+url.QueryEscape(c.filter), nil)
		if err != nil {
			h.Fatal(err)
		}
		if h.dialect != "lenient" && a.status == http.StatusBadRequest && a.doc["scimType"] == "invalidFilter" {
			continue
		}
		h.finds(c.endpoint, c.filter, c.want...)
	}
	// A complex attribute that has no value of its own cannot be compared.
	h.want(badFilter, http.MethodGet, "/Users?filter=name+eq+%22x%22", nil)
}

// filtersRefused: what cannot be answered is refused; answered with everything it
// would be a leak.
func filtersRefused(h *hard) {
	h.make("/Users", `"userName":"u","active":true`)
	for _, f := range []string{`active gt true`, `x509Certificates.value lt "A"`, `userName regex "x"`, `userName eq`, `foo eq "x"`,
		`userName`, `eq "x"`, `(userName eq "x"`, `userName eq "x")`, `userName eq "x" and`, `not userName eq "x"`, `emails[type eq "work"`,
		`foo[bar eq "x"]`, `userName.foo eq "x"`, `userName eq 'x'`, `userName eq "x" userName eq "y"`, `meta.nothing pr`,
		`urn:ietf:params:scim:schemas:extension:acme:2.0:User:x eq "y"`} {
		h.want(badFilter, http.MethodGet, "/Users?filter="+url.QueryEscape(f), nil)
	}
}

// plusSigns: a plus sign of a query is a space, an encoded one is a plus sign.
func plusSigns(h *hard) {
	h.make("/Users", `"userName":"u","emails":[{"value":"a+b@x.test"}]`)
	h.matches(h.get("/Users?filter=emails.value%20eq%20%22a%2Bb@x.test%22"), `{"totalResults":1}`)
	h.matches(h.get("/Users?filter=emails.value+eq+%22a%2bb@x.test%22"), `{"totalResults":1}`)
	h.matches(h.get("/Users?filter=emails.value%20eq%20%22a+b@x.test%22"), `{"totalResults":0}`)
	h.matches(h.get("/Users?filter=emails.value%20eq%20%22a%252Bb@x.test%22"), `{"totalResults":0}`)
}

// paging: numbers out of range are put right, what is no number is refused.
func paging(h *hard) {
	for i := range 5 {
		h.make("/Users", `"userName":"u%d"`, i)
	}
	for query, want := range map[string][3]int{ // total, startIndex, resources
		"": {5, 1, 5}, "count=0": {5, 1, 0}, "count=-1": {5, 1, 0}, "count=100000": {5, 1, 5}, "count=2": {5, 1, 2}, "startIndex=0": {5, 1, 5},
		"startIndex=-7": {5, 1, 5}, "startIndex=4": {5, 4, 2}, "startIndex=4&count=1": {5, 4, 1}, "startIndex=999999": {5, 999999, 0},
		"count=0&startIndex=3": {5, 3, 0}, "count=99999999999999999999": {5, 1, 5},
	} {
		a := h.get(strings.TrimSuffix("/Users?"+query, "?"))
		h.matches(a, `{"totalResults":%d,"startIndex":%d,"itemsPerPage":%d}`, want[0], want[1], want[2])
		if list, ok := a.doc["Resources"].([]any); !ok || len(list) != want[2] {
			h.Errorf("%s: %d resources, due are %d: %s", query, len(list), want[2], a)
		}
	}
	for _, query := range []string{"count=abc", "startIndex=abc", "count=1.5", "startIndex=1e3", "count=0x10"} {
		h.want(due{status: 400}, http.MethodGet, "/Users?"+query, nil)
	}
	// Page by page, each exactly once.
	seen := map[string]int{}
	for start := 1; start <= 5; start += 2 {
		for _, r := range h.get(fmt.Sprintf("/Users?count=2&startIndex=%d", start)).list("Resources") {
			seen[text(r.(map[string]any), "userName")]++
		}
	}
	if diff := cmp.Diff(map[string]int{"u0": 1, "u1": 1, "u2": 1, "u3": 1, "u4": 1}, seen); diff != "" {
		h.Errorf("pages (-want +got):\n%s", diff)
	}
}

// selection: attributes are selected on every operation that answers with a
// resource; the password never comes back.
func selection(h *hard) {
	boss := h.make("/Users", `"userName":"boss"`)
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + enterpriseURN + `"],"userName":"u","name":{"givenName":"G","familyName":"F"},
		"password":"Zz9-of-the-test","` + enterpriseURN + `":{"department":"D","manager":{"value":"` + boss + `"}}}`
	h.selected(boss, body)
}

func (h *hard) selected(boss, body string) {
	h.Helper()
	query := "?attributes=name.givenName," + enterpriseURN + ":manager,password"
	manager := `"manager":{"value":"` + boss + `"}`
	want := `{"{{only}}":true,"id":"{{any}}","schemas":"{{any}}","name":{"{{only}}":true,"givenName":"G"},"` + enterpriseURN + `":{"{{only}}":true,` + manager + `}}`
	a := h.want(due{status: 201}, http.MethodPost, "/Users"+query, body)
	h.matches(a, "%s", want)
	id := text(a.doc, "id")
	h.matches(h.get("/Users/"+id+query), "%s", want)
	h.matches(h.get("/Users"+query+"&filter=userName%20eq%20%22u%22"), `{"totalResults":1,"Resources":[%s]}`, want)
	h.matches(h.want(dueFine, http.MethodPut, "/Users/"+id+query, body), "%s", want)
	h.matches(h.want(dueFine, http.MethodPatch, "/Users/"+id+query, patchHead+`[{"op":"replace","path":"displayName","value":"d"}]}`), "%s", want)
	h.matches(h.want(dueFine, http.MethodPost, "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"u\"",
		"attributes":["name.givenName","`+enterpriseURN+`:manager","password"]}`), `{"totalResults":1,"Resources":[%s]}`, want)
	h.matches(h.get("/Users/"+id+"?attributes="+enterpriseURN), `{"{{only}}":true,"id":%q,"schemas":"{{any}}",%q:{"department":"D",%s}}`, id, enterpriseURN, manager)
	h.matches(h.get("/Users/"+id+"?attributes="+enterpriseURN+":manager.value"), `{"{{only}}":true,"id":%q,"schemas":"{{any}}",%q:{"{{only}}":true,"manager":{"{{only}}":true,"value":%q}}}`, id, enterpriseURN, boss)
	h.matches(h.get("/Users/"+id+"?excludedAttributes=id,schemas,NAME,"+enterpriseURN), `{"id":%q,"userName":"u","name":"{{absent}}",%q:"{{absent}}","password":"{{absent}}"}`, id, enterpriseURN)
	h.want(due{status: 400}, http.MethodGet, "/Users/"+id+"?attributes=userName&excludedAttributes=name", nil)
}

// versions: conditional requests, RFC 7644 §3.14 and RFC 9110 §13.
func versions(h *hard) {
	const body = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u","nickName":%q}`
	stale := due{status: http.StatusPreconditionFailed}
	target := "/Users/" + h.make("/Users", `"userName":"u"`)
	version := func() string { return h.get(target).header.Get("ETag") }
	v1 := version()
	h.patch(dueFine, target, `{"op":"replace","path":"nickName","value":"one"}`)
	v2 := version()
	if v1 == v2 || v2 == "" {
		h.Errorf("version %q, then %q", v1, v2)
	}
	h.want(stale, http.MethodPut, target, fmt.Sprintf(body, "lost"), "If-Match", v1)
	h.want(stale, http.MethodPatch, target, patchHead+`[{"op":"remove","path":"nickName"}]}`, "If-Match", v1)
	h.want(stale, http.MethodDelete, target, nil, "If-Match", v1)
	h.matches(h.get(target), `{"nickName":"one"}`)
	h.want(dueFine, http.MethodPut, target, fmt.Sprintf(body, "two"), "If-Match", "*")
	h.want(dueFine, http.MethodPut, target, fmt.Sprintf(body, "three"), "If-Match", `"a", `+version())
	if a := h.must(h.T, http.StatusNotModified, http.MethodGet, target, nil, "If-None-Match", version()); len(a.body) > 0 {
		h.Errorf("304 with a body: %s", a)
	}
	h.want(dueFine, http.MethodGet, target, nil, "If-None-Match", v1)

	// Of two changes of one version one is lost, and is told so.
	now := version()
	codes := make([]int, 2)
	var both sync.WaitGroup
	for i := range codes {
		both.Go(func() {
			a, err := h.send(h.Context(), http.MethodPut, target, fmt.Sprintf(body, fmt.Sprint("racer", i)), "If-Match", now)
			if err != nil {
				h.Error(err)
			}
			codes[i] = a.status
		})
	}
	both.Wait()
	winner := slices.Index(codes, http.StatusOK)
	if slices.Sort(codes); codes[0] != http.StatusOK || codes[1] != http.StatusPreconditionFailed {
		h.Fatalf("two changes of one version: %v", codes)
	}
	h.matches(h.get(target), `{"nickName":"racer%d"}`, winner)
}

// errorBodies: each refusal is an Error with its status as a text, and what HTTP
// wants beside it.
func errorBodies(h *hard) {
	const head = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	a := h.want(due{status: 401}, http.MethodGet, "/Users", nil, "Authorization", "")
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		h.Errorf("401 with WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
	}
	h.want(due{status: 401}, http.MethodGet, "/Users", nil, "Authorization", "Bearer wrong")
	h.want(due{status: 404}, http.MethodGet, "/Nope", nil)
	a = h.want(due{status: 405}, http.MethodPatch, "/Users", "{}")
	if allow := a.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") || strings.Contains(allow, "PATCH") {
		h.Errorf("405 with Allow %q", allow)
	}
	h.want(due{status: 413}, http.MethodPost, "/Users", head+`"userName":"u","displayName":"`+strings.Repeat("x", 8<<20)+`"}`)
	h.want(due{status: 415}, http.MethodPost, "/Users", "userName=u", "Content-Type", "text/plain")
	for _, body := range []string{`{"userName":`, `[]`, head + `"userName":"u"}{}`, head + `"userName":"u","userName":"v"}`,
		head + `"userName":"u","x":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_001)} {
		h.want(badSyntax, http.MethodPost, "/Users", body)
	}
	// Too long for a filter, and for an address: which of the two is said does not matter.
	a, err := h.send(h.Context(), http.MethodGet, "/Users?filter="+strings.Repeat("(", 300_000), nil)
	if err != nil {
		h.Fatal(err)
	}
	if err := a.isError(a.status); err != nil || a.status != 400 && a.status != http.StatusRequestURITooLong {
		h.Errorf("300,000 parentheses: %s %v", a, err)
	}
	h.matches(h.get("/Users"), `{"totalResults":0}`)
	if err := h.alive(h.Context(), "/healthz"); err != nil {
		h.Error(err)
	}
}

// discoveryIsTrue: it can be read without credentials, is not filtered or paged,
// and whatever it advertises as writable can be written and read back.
func discoveryIsTrue(h *hard) {
	h.matches(h.must(h.T, 200, http.MethodGet, "/ServiceProviderConfig", nil, "Authorization", ""),
		`{"authenticationSchemes":["{{some}}",{"type":"oauthbearertoken"}]}`)
	h.want(due{status: 403}, http.MethodGet, "/Schemas?filter=id%20eq%20%22x%22", nil)
	all := h.get("/Schemas")
	if diff := cmp.Diff(string(all.body), string(h.get("/Schemas?count=1&startIndex=9&sortBy=id&attributes=name").body)); diff != "" {
		h.Errorf("/Schemas with paging differs:\n%s", diff)
	}
	h.matches(h.get("/Schemas/URN%3AIETF%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUSER"), `{"id":"urn:ietf:params:scim:schemas:core:2.0:User"}`)
	for _, method := range []string{http.MethodDelete, http.MethodPost, http.MethodPut, http.MethodPatch} {
		h.want(due{status: 405}, method, "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "{")
	}
	user := h.make("/Users", `"userName":"u"`)
	group := h.make("/Groups", `"displayName":"g"`)
	targets := map[string]string{"urn:ietf:params:scim:schemas:core:2.0:User": "/Users/" + user, enterpriseURN: "/Users/" + user,
		"urn:ietf:params:scim:schemas:core:2.0:Group": "/Groups/" + group}
	tried := 0
	for _, s := range all.list("Resources") {
		schema := s.(map[string]any)
		target := targets[text(schema, "id")]
		if target == "" {
			continue
		}
		attributes, _ := schema["attributes"].([]any)
		for _, a := range attributes {
			attribute := a.(map[string]any)
			if m := text(attribute, "mutability"); m == "readOnly" {
				continue
			}
			h.writable(target, text(schema, "id"), attribute, user)
			tried++
		}
	}
	if tried < 25 {
		h.Errorf("only %d attributes are advertised as writable", tried)
	}
}
