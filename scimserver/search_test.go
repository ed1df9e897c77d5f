package scimserver_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

const (
	coreUser    = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	searchStart = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]`
)

// inhabit fills a service: four users and three groups, with what they can be
// sorted by.
func inhabit(s *service) {
	s.t.Helper()
	for _, body := range []string{
		`"userName":"Dora","title":"b","active":true,"emails":[{"value":"z@x.test"},{"value":"a@x.test","primary":true}]`,
		`"userName":"bob","displayName":"Éva","title":"A","emails":[{"value":"m@x.test"}]`,
		`"userName":"carl","displayName":"zoe","active":false`,
		`"userName":"Ann","displayName":"alpha","title":"C","active":true,"emails":[{"value":"B@x.test"}]`,
	} {
		s.do("POST", users, `{`+coreUser+`,`+body+`}`).want(201, "")
	}
	for _, name := range []string{"mu", "Beta", "omega"} {
		s.addGroup(name)
	}
}

func names(a answer) string {
	list, _ := a.body["Resources"].([]any)
	var out []string
	for _, e := range list {
		m := e.(map[string]any)
		name, ok := m["userName"].(string)
		if !ok {
			name, _ = m["displayName"].(string)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestSort(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	tests := []struct{ by, order, want string }{
		{"userName", "", "Ann bob carl Dora"},
		{"USERNAME", "Descending", "Dora carl bob Ann"},
		{"urn:ietf:params:scim:schemas:core:2.0:User:userName", "ascending", "Ann bob carl Dora"},
		{"title", "", "bob Dora Ann carl"},           // without a value last
		{"title", "descending", "carl Ann Dora bob"}, // and first
		{"emails", "", "Dora Ann bob carl"},          // the primary one
		{"emails.value", "", "Dora Ann bob carl"},    //
		{"active", "", "carl Dora Ann bob"},          // false before true, equal ones in order of creation
		{"meta.created", "descending", "Ann carl bob Dora"},
		{"id", "", "Dora bob carl Ann"},
	}
	for _, tt := range tests {
		q := url.Values{"sortBy": {tt.by}}
		if tt.order != "" {
			q.Set("sortOrder", tt.order)
		}
		a := s.do("GET", users+"?"+q.Encode(), "").want(200, `{"totalResults":4}`)
		if got := names(a); got != tt.want {
			t.Errorf("%v: %s, want %s", q, got, tt.want)
		}
		q.Set("startIndex", "2")
		q.Set("count", "2")
		a = s.do("GET", users+"?"+q.Encode(), "").want(200, `{"totalResults":4,"itemsPerPage":2,"startIndex":2}`)
		if got, want := names(a), strings.Join(strings.Fields(tt.want)[1:3], " "); got != want {
			t.Errorf("%v: %s, want %s", q, got, want)
		}
		body := searchStart + `,"sortBy":"` + tt.by + `","sortOrder":"` + tt.order + `"}`
		if got := names(s.do("POST", users+"/.search", body).want(200, "")); got != tt.want {
			t.Errorf("%s: %s, want %s", body, got, tt.want)
		}
	}
	for _, q := range []string{"sortBy=nope", "sortBy=name", "sortBy=password", "sortBy=emails[type%20eq%20%22x%22]"} {
		s.do("GET", users+"?"+q, "").refused(400, "invalidPath", "sortBy")
	}
	s.do("GET", users+"?sortBy=userName&sortOrder=up", "").refused(400, "invalidValue", "sortOrder")
	s.do("GET", "/Groups?sortBy=members", "").refused(400, "invalidValue", "members")
}

func TestSearchByPost(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	a := s.do("POST", users+"/.search", searchStart+`,"filter":"title pr","attributes":["userName","title"],"startIndex":2,"count":1}`).
		want(200, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":3,"startIndex":2,"itemsPerPage":1}`)
	one := a.body["Resources"].([]any)[0].(map[string]any)
	want := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": "id-2", "userName": "bob", "title": "A"}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.do("POST", "/Groups/.search/", searchStart+`,"excludedAttributes":["members"]}`).want(200, `{"totalResults":3}`)
	s.do("POST", users+"/.search", searchStart+`,"count":0}`).want(200, `{"totalResults":4,"itemsPerPage":0,"Resources":[]}`)
	s.do("POST", users+"/.search", searchStart+`,"attributes":[],"startIndex":-3,"count":-1}`).want(200, `{"totalResults":4,"startIndex":1,"itemsPerPage":0}`)
	for body, kind := range map[string]string{
		``:                                   "invalidSyntax",
		`{}`:                                 "invalidSyntax",
		searchStart + `,"count":"3"}`:        "invalidValue",
		searchStart + `,"startIndex":1.5}`:   "invalidValue",
		searchStart + `,"attributes":"x y"}`: "invalidValue",
		searchStart + `,"filter":"foo pr"}`:  "invalidFilter",
		searchStart + `,"sortBy":"foo"}`:     "invalidPath",
		searchStart + `,"filter":"password eq \"x\""}`:                                "invalidFilter",
		searchStart + `,"attributes":["userName"],"excludedAttributes":["userName"]}`: "invalidValue",
	} {
		s.do("POST", users+"/.search", body).refused(400, kind, "")
	}
	s.do("POST", users+"/.search", searchStart+"}", "Content-Type: text/plain").refused(415, "", "")
}

func TestSearchOverAllTypes(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	tests := []struct {
		query string
		total int
		want  string
	}{
		{"", 7, "Dora bob carl Ann mu Beta omega"},
		{"count=3", 7, "Dora bob carl"},
		{"startIndex=3&count=3", 7, "carl Ann mu"},
		{"startIndex=5&count=2", 7, "mu Beta"},
		{"startIndex=7", 7, "omega"},
		{"startIndex=8", 7, ""},
		{"count=0", 7, ""},
		{"filter=displayName+sw+%22z%22+or+displayName+eq+%22MU%22", 2, "carl mu"},
		{"filter=meta.resourceType+eq+%22Group%22", 3, "mu Beta omega"},
		{"filter=userName+eq+%22ann%22", 1, "Ann"},
		{"filter=not+(userName+eq+%22ann%22)", 6, "Dora bob carl mu Beta omega"},
		{"filter=userName+ne+%22ann%22", 6, "Dora bob carl mu Beta omega"},
		{"filter=active+eq+true+and+displayName+eq+%22mu%22", 0, ""},
		{"sortBy=displayName", 7, "Ann Beta mu omega carl bob Dora"},
		{"sortBy=displayName&startIndex=3&count=3", 7, "mu omega carl"},
		{"sortBy=displayName&sortOrder=descending", 7, "Dora bob carl omega mu Beta Ann"},
		{"sortBy=displayName&startIndex=99", 7, ""},
		{"sortBy=displayName&count=0", 7, ""},
		{"sortBy=userName&attributes=userName,displayName", 7, "Ann bob carl Dora mu Beta omega"},
		{"sortBy=title&attributes=userName,displayName", 7, "bob Dora Ann carl mu Beta omega"},
		{"sortBy=title&excludedAttributes=title", 7, "bob Dora Ann carl mu Beta omega"},
		{"filter=title+pr&sortBy=title&sortOrder=descending", 3, "Ann Dora bob"},
	}
	for _, tt := range tests {
		for _, path := range []string{"", "/"} {
			a := s.do("GET", path+"?"+tt.query, "").want(200, fmt.Sprintf(`{"totalResults":%d}`, tt.total))
			if got := names(a); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.query, got, tt.want)
			}
			if strings.Contains(tt.query, "tributes=") && strings.Contains(a.raw, `"title"`) {
				t.Errorf("%s: shows a title: %s", tt.query, a.raw)
			}
		}
	}
	a := s.do("POST", "/.search", searchStart+`,"filter":"displayName eq \"beta\""}`).want(200, `{"totalResults":1}`)
	group := a.body["Resources"].([]any)[0].(map[string]any)
	if group["meta"].(map[string]any)["location"] != s.base+"/Groups/id-6" {
		t.Errorf("%v", group)
	}
	s.do("GET", "?filter=nope+pr", "").refused(400, "invalidFilter", "nope")
	s.do("GET", "?filter=password+eq+%22x%22", "").refused(400, "invalidFilter", "password")
	s.do("GET", "?sortBy=nope", "").refused(400, "invalidPath", "nope")
	s.do("GET", "?sortBy=displayName&startIndex=1001&count=1", "").refused(400, "tooMany", "1000")
}

// TestProjectionOnEveryAnswer asks every operation that shows a resource for less.
func TestProjectionOnEveryAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	const only = "?attributes=name.givenName,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value,password"
	body := strings.Replace(lena, `"id":"mine",`, "", 1)
	show := func(a answer) map[string]any {
		if list, ok := a.body["Resources"].([]any); ok {
			return list[0].(map[string]any)
		}
		return a.body
	}
	check := func(a answer, keys ...string) {
		t.Helper()
		got := []string{}
		for k := range show(a) {
			got = append(got, k)
		}
		slices.Sort(got)
		slices.Sort(keys)
		if diff := cmp.Diff(keys, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.what, diff)
		}
	}
	const ext = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	few := []string{"id", "schemas", "name", ext}
	check(s.do("POST", users+only, body).want(201, ""), few...)
	check(s.do("GET", users+"/id-1"+only, "").want(200, ""), few...)
	check(s.do("GET", users+only, "").want(200, ""), few...)
	check(s.do("GET", only, "").want(200, ""), few...)
	check(s.do("PUT", users+"/id-1"+only, body).want(200, ""), few...)
	check(s.do("PATCH", users+"/id-1"+only, patchOp(`{"op":"replace","path":"title","value":"x"}`)).want(200, ""), few...)
	check(s.do("POST", users+"/.search", searchStart+`,"attributes":["name.givenName","`+ext+`:manager.value","password"]}`).want(200, ""), few...)
	full := s.do("GET", users+"/id-1?attributes=&excludedAttributes=", "").want(200, "")
	if full.body["emails"] == nil {
		t.Errorf("an empty list of attributes hides them: %s", full.raw)
	}
	group := s.do("POST", "/Groups?excludedAttributes=members,displayName", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"x","members":[{"value":"id-1"}]}`)
	check(group.want(201, ""), "id", "schemas", "meta")
	got := s.do("GET", "/Groups/"+group.body["id"].(string), "").want(200, `{"displayName":"x"}`)
	if len(ids(got.body["members"], "value")) != 1 {
		t.Errorf("the member is lost: %s", got.raw)
	}
}

func TestLongSearchByPost(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.MaxQuery = 100 })
	s.addUser("mira")
	filter := strings.Repeat(`userName eq \"x\" or `, 10) + `userName eq \"mira\"`
	s.do("GET", users+"?filter="+url.QueryEscape(strings.ReplaceAll(filter, `\`, "")), "").refused(414, "", ".search")
	s.do("POST", users+"/.search", searchStart+`,"filter":"`+filter+`"}`).want(200, `{"totalResults":1}`)
}

// TestSortedSearchReadsGroupsOneByOne: to show one group of many in the order of
// several types, the members of the others are not read.
func TestSortedSearchReadsGroupsOneByOne(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc", func(h *scimserver.Handler) { h.Backend = onlyGroups{large{groups: 5, members: 3}} })
	for _, query := range []string{"sortBy=id&count=1&startIndex=3", "sortBy=id&count=1&cursor="} {
		if a := s.do("GET", "/?"+query, "").want(200, ""); len(a.body["Resources"].([]any)) != 1 {
			t.Errorf("%s: %v", query, a.body)
		}
	}
}

// onlyGroups has no users.
type onlyGroups struct{ large }

func (o onlyGroups) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	if t.Name != "Group" {
		return scim.Page{}, nil
	}
	return o.large.List(ctx, t, q)
}
