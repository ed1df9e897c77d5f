package scimserver_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

func TestPaging(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.MaxPage, h.DefaultPage = 4, 3 })
	var all []string
	for i := range 6 {
		all = append(all, s.addUser(fmt.Sprintf("user%d", i)))
	}
	tests := []struct {
		query    string
		start    int
		from, to int // of all
	}{
		{"", 1, 0, 3},
		{"?", 1, 0, 3},
		{"?&", 1, 0, 3},
		{"?aadOptscim062020", 1, 0, 3},
		{"?filter=", 1, 0, 3},
		{"?count=2", 1, 0, 2},
		{"?count=2&startIndex=3&", 3, 2, 4},
		{"?startIndex=5&count=4", 5, 4, 6},
		{"?startIndex=6", 6, 5, 6},
		{"?startIndex=7", 7, 6, 6},
		{"?startIndex=999999", 999999, 6, 6},
		{"?startIndex=0", 1, 0, 3},
		{"?startIndex=-5&count=1", 1, 0, 1},
		{"?count=0", 1, 0, 0},
		{"?count=-1", 1, 0, 0},
		{"?count=100000", 1, 0, 4},
		{"?count=99999999999999999999", 1, 0, 4},
		{"?count=-99999999999999999999", 1, 0, 0},
		{"?sortBy=userName", 1, 0, 3},
		{"?sortOrder=nonsense", 1, 0, 3},
		{"?COUNT=1", 1, 0, 1},
	}
	for _, tt := range tests {
		for _, path := range []string{users, users + "/"} {
			a := s.do("GET", path+tt.query, "").want(200, fmt.Sprintf(
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":6,"startIndex":%d,"itemsPerPage":%d}`, tt.start, tt.to-tt.from))
			if _, ok := a.body["Resources"].([]any); !ok {
				t.Errorf("%s: Resources is %v", a.what, a.body["Resources"])
			}
			if diff := cmp.Diff(append([]string{}, all[tt.from:tt.to]...), ids(a.body["Resources"], "id")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", a.what, diff)
			}
		}
	}
	huge := s.do("GET", users+"?startIndex=99999999999999999999&count=99999999999999999999", "").want(200, `{"totalResults":6,"Resources":[]}`)
	if huge.body["startIndex"].(float64) < 1e9 {
		t.Errorf("startIndex is %v", huge.body["startIndex"])
	}
	for _, q := range []string{"?count=abc", "?startIndex=1.5", "?count=0x10", "?startIndex=%zz", "?count=1&count=2", "?attributes=%zz"} {
		s.do("GET", users+q, "").refused(400, "invalidValue", "")
	}
	s.do("GET", users+"?sortBy=nonsense", "").refused(400, "invalidPath", "nonsense")
	s.do("GET", users+"?filter=id%20pr&filter=userName%20pr", "").refused(400, "invalidFilter", "more than once")
}

func TestPagesStayInOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	var all []string
	for i := range 10 {
		all = append(all, s.addUser(fmt.Sprintf("user%d", i)))
	}
	s.do("DELETE", users+"/"+all[4], "").want(204, "")
	s.do("PATCH", users+"/"+all[2], patchOp(`{"op":"replace","path":"title","value":"x"}`)).want(200, "")
	want := append(append([]string{}, all[:4]...), all[5:]...)
	var got []string
	for start := 1; start <= 9; start += 2 {
		a := s.do("GET", fmt.Sprintf("%s?startIndex=%d&count=2", users, start), "").want(200, `{"totalResults":9}`)
		got = append(got, ids(a.body["Resources"], "id")...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, "lenient")
	post := func(body string) {
		s.do("POST", users, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`+body+`}`).want(201, "")
	}
	post(`"userName":"Ann","externalId":"E1","active":true,"title":"Dr","emails":[{"type":"work","value":"a+b@x.test"},{"type":"home","value":"ann@home.test"}]`)
	post(`"userName":"bob","externalId":"e1","active":false,"emails":[{"type":"home","value":"bob@x.test"}]`)
	post(`"userName":"caro","displayName":"Say \"é\"","active":true,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}`)
	s.addGroup("eng", "id-1", "id-3")
	tests := []struct{ filter, want string }{
		{`userName eq "ann"`, "Ann"},
		{`USERNAME EQ "ANN"`, "Ann"},
		{`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob"`, "bob"},
		{`userName eq "nobody"`, ""},
		{`externalId eq "e1"`, "bob"},
		{`id eq "id-3"`, "caro"},
		{`id eq "ID-3"`, ""},
		{`userName eq "bob" or userName eq "caro" and active eq false`, "bob"},
		{`(userName eq "bob" or userName eq "caro") and active eq true`, "caro"},
		{`not (userName sw "a") and active eq true`, "caro"},
		{`active eq false`, "bob"},
		{`title pr`, "Ann"},
		{`title ne "Dr"`, "bob caro"},
		{`title eq null`, "bob caro"},
		{`emails.value co "x.test"`, "Ann bob"},
		{`emails[type eq "work" and value co "x.test"]`, "Ann"},
		{`emails[type eq "home" and value sw "a+"]`, ""},
		{`emails[type eq "work"].value eq "a+b@x.test"`, "Ann"},
		{`emails eq "bob@x.test"`, "bob"},
		{`displayName eq "Say \"\u00E9\""`, "caro"},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r&d"`, "caro"},
		{`schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`, "caro"},
		{`groups.display eq "ENG"`, "Ann caro"},
		{`groups[value eq "id-4"] and active eq true`, "Ann caro"},
		{`meta.lastModified gt "2026-03-01T09:00:00+01:00"`, "Ann bob caro"},
		{`meta.created lt "2026-03-01T08:00:00Z"`, ""},
		{`meta.resourceType eq "User"`, "Ann bob caro"},
	}
	for _, tt := range tests {
		a := s.do("GET", users+"?filter="+url.QueryEscape(tt.filter), "").want(200, "")
		got := strings.Join(ids(a.body["Resources"], "userName"), " ")
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.filter, got, tt.want)
		}
		if total := fmt.Sprint(a.body["totalResults"]); total != fmt.Sprint(len(strings.Fields(tt.want))) {
			t.Errorf("%s: totalResults %s", tt.filter, total)
		}
	}
	// A plus in a query is a space; only %2B is a plus.
	s.do("GET", users+`?filter=emails.value+eq+"a%2Bb@x.test"`, "").want(200, `{"totalResults":1}`)
	s.do("GET", users+`?filter=emails.value+eq+"a+b@x.test"`, "").want(200, `{"totalResults":0}`)
	s.do("GET", "/Groups?excludedAttributes=members&filter=displayName%20eq%20%22Eng%22", "").want(200, `{"totalResults":1}`)
	s.do("GET", `/Groups?filter=id+eq+"id-4"+and+members+eq+"id-3"`, "").want(200, `{"totalResults":1}`)
	s.do("GET", `/Groups?filter=members[value+eq+"id-2"]`, "").want(200, `{"totalResults":0}`)
}

func TestSearchSeesEveryChange(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	u := s.addUser("mira")
	g := s.addGroup("eng", u)
	outer := s.addGroup("all", g)
	find := func(filter string, want int) {
		t.Helper()
		s.do("GET", users+"?filter="+url.QueryEscape(filter), "").want(200, fmt.Sprintf(`{"totalResults":%d}`, want))
	}
	find(`groups.display eq "eng"`, 1)
	find(`groups[display eq "all" and type eq "indirect"]`, 1)
	s.do("PATCH", "/Groups/"+outer, patchOp(`{"op":"replace","path":"displayName","value":"everybody"}`)).want(200, "")
	find(`groups.display eq "all"`, 0)
	find(`groups.display eq "everybody"`, 1)
	s.do("PATCH", "/Groups/"+g, patchOp(`{"op":"remove","path":"members[value eq \"`+u+`\"]"}`)).want(200, "")
	find(`groups pr`, 0)
	s.do("PATCH", "/Groups/"+outer, patchOp(`{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`)).want(200, "")
	find(`groups[type eq "direct"]`, 1)
	s.do("DELETE", "/Groups/"+outer, "").want(204, "")
	find(`groups pr`, 0)
	s.do("PATCH", users+"/"+u, patchOp(`{"op":"replace","path":"userName","value":"nora"}`)).want(200, "")
	find(`userName eq "mira"`, 0)
	find(`userName eq "NORA"`, 1)
	s.do("DELETE", users+"/"+u, "").want(204, "")
	find(`userName eq "nora"`, 0)
}
