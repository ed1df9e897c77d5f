package scimserver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/scimserver"
)

// walk reads all pages of a query by cursor and returns the names page by page.
// between, if set, runs between two pages.
func (s *service) walk(path, query string, between func(page int)) [][]string {
	s.t.Helper()
	var pages [][]string
	cursor := ""
	for len(pages) < 50 {
		a := s.do("GET", path+"?"+query+"&cursor="+cursor, "").want(200, `{"startIndex":null}`)
		list := strings.Fields(names(a))
		if n := a.body["itemsPerPage"].(float64); int(n) != len(list) {
			s.t.Errorf("%s: itemsPerPage %v with %d resources", a.what, n, len(list))
		}
		if len(list) == 0 && len(pages) > 0 {
			s.t.Errorf("%s: the last page is empty", a.what)
		}
		pages = append(pages, list)
		next, more := a.body["nextCursor"].(string)
		if !more {
			return pages
		}
		if !regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(next) {
			s.t.Fatalf("%s: the cursor %q needs escaping", a.what, next)
		}
		cursor = next
		if between != nil {
			between(len(pages))
		}
	}
	s.t.Fatalf("%s?%s: no end", path, query)
	return nil
}

func TestCursorPages(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	tests := []struct{ path, query, want string }{
		{users, "count=1", "Dora|bob|carl|Ann"},
		{users, "count=3", "Dora bob carl|Ann"},
		{users, "count=4", "Dora bob carl Ann"},
		{users, "count=200", "Dora bob carl Ann"},
		{users, "", "Dora bob carl Ann"},
		{users, "count=2&filter=title+pr", "Dora bob|Ann"},
		{users, "count=3&filter=title+pr", "Dora bob Ann"},
		{users, "count=2&filter=title+eq+%22nobody%22", ""},
		{users, "count=2&sortBy=userName", "Ann bob|carl Dora"},
		{users, "count=1&sortBy=title", "bob|Dora|Ann|carl"},
		{users, "count=1&sortBy=title&sortOrder=descending", "carl|Ann|Dora|bob"},
		{users, "count=1&sortBy=active", "carl|Dora|Ann|bob"},
		{users, "count=2&sortBy=meta.created&sortOrder=descending", "Ann carl|bob Dora"},
		{"/Groups", "count=2&excludedAttributes=members", "mu Beta|omega"},
		{"", "count=3", "Dora bob carl|Ann mu Beta|omega"},
		{"", "count=4", "Dora bob carl Ann|mu Beta omega"},
		{"", "count=7", "Dora bob carl Ann mu Beta omega"},
		{"/", "count=4&filter=meta.resourceType+eq+%22User%22", "Dora bob carl Ann"},
		{"", "count=2&filter=meta.resourceType+eq+%22Group%22", "mu Beta|omega"},
		{"", "count=2&sortBy=displayName", "Ann Beta|mu omega|carl bob|Dora"},
		{"", "count=3&sortBy=displayName&sortOrder=descending", "Dora bob carl|omega mu Beta|Ann"},
		{"", "count=1&sortBy=displayName&filter=displayName+pr", "Ann|Beta|mu|omega|carl|bob"},
	}
	for _, tt := range tests {
		var got []string
		for _, page := range s.walk(tt.path, tt.query, nil) {
			got = append(got, strings.Join(page, " "))
		}
		if text := strings.Join(got, "|"); text != tt.want {
			t.Errorf("%s?%s: %s, want %s", tt.path, tt.query, text, tt.want)
		}
	}
}

func TestCursorTotals(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	for path, total := range map[string]int{users: 4, "": 7, "?sortBy=displayName&": 7} {
		if !strings.HasSuffix(path, "&") {
			path += "?"
		}
		first := s.do("GET", path+"count=2&cursor", "").want(200, fmt.Sprintf(`{"totalResults":%d,"itemsPerPage":2}`, total))
		s.do("GET", path+"count=2&cursor="+first.body["nextCursor"].(string), "").want(200, fmt.Sprintf(`{"totalResults":%d,"itemsPerPage":2}`, total))
		for _, count := range []string{"0", "-1"} {
			s.do("GET", path+"&cursor&count="+count, "").want(200, fmt.Sprintf(`{"totalResults":%d,"itemsPerPage":0,"nextCursor":null,"Resources":[]}`, total))
		}
	}
	// In the body of a search it works the same, and the two go together.
	page := s.do("POST", users+"/.search", searchStart+`,"cursor":"","count":3,"attributes":["userName"]}`).want(200, `{"totalResults":4,"startIndex":null}`)
	next := page.body["nextCursor"].(string)
	rest := s.do("POST", users+"/.search", searchStart+`,"cursor":"`+next+`","count":3,"attributes":["userName"]}`).want(200, `{"nextCursor":null}`)
	if names(rest) != "Ann" {
		t.Errorf("%s", rest.raw)
	}
	s.do("GET", users+"?count=3&attributes=userName&cursor="+next, "").want(200, `{"itemsPerPage":1}`)
	s.do("GET", users+"?attributes=userName&cursor="+next, "").want(200, `{"itemsPerPage":1}`) // the count of the first page
	// Without a cursor, pages are by index as ever.
	s.do("GET", users+"?count=2", "").want(200, `{"startIndex":1,"nextCursor":null}`)
}

// stoppedClock stands still until it is moved.
type stoppedClock struct{ passed atomic.Int64 }

func (c *stoppedClock) read() time.Time     { return time.Unix(1_800_000_000, c.passed.Load()) }
func (c *stoppedClock) add(d time.Duration) { c.passed.Add(int64(d)) }

func TestCursorsThatAreRefused(t *testing.T) {
	t.Parallel()
	now := &stoppedClock{}
	other := func(h *scimserver.Handler) {
		auth := h.Auth
		h.Auth = func(r *http.Request) (scimserver.Client, error) {
			c, err := auth(r)
			if name := r.Header.Get("X-Source"); name != "" {
				c.Source = name
			}
			if name := r.Header.Get("X-Name"); name != "" {
				c.Name = name
			}
			return c, err
		}
	}
	s := serve(t, "rfc", other, func(h *scimserver.Handler) { h.CursorLife, h.Now = time.Hour, now.read })
	inhabit(s)
	const query = "count=2&filter=id+pr&sortBy=meta.created&attributes=userName"
	cursor := s.do("GET", users+"?"+query+"&cursor", "").want(200, "").body["nextCursor"].(string)
	s.do("GET", users+"?"+query+"&cursor="+cursor, "").want(200, "")
	s.do("GET", users+"?"+query+"&cursor="+cursor, "", "X-Name: rotated").want(200, "") // another credential of the same source
	flip := func(i int) string {
		c := byte('A')
		if cursor[i] == c {
			c = 'B'
		}
		return cursor[:i] + string(c) + cursor[i+1:]
	}
	invalid := []answer{
		s.do("GET", users+"?"+query+"&cursor="+cursor, "", "X-Source: payroll"),
		s.do("GET", "/Groups?"+query+"&cursor="+cursor, ""),
		s.do("GET", "?"+query+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+strings.Replace(query, "id+pr", "id+eq+%22id-1%22", 1)+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+strings.Replace(query, "sortBy=meta.created", "sortBy=title", 1)+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+strings.Replace(query, "&sortBy=meta.created", "", 1)+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+query+"&sortOrder=descending&cursor="+cursor, ""),
		s.do("GET", users+"?"+strings.Replace(query, "attributes=userName", "attributes=title", 1)+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+strings.Replace(query, "attributes", "excludedAttributes", 1)+"&cursor="+cursor, ""),
		s.do("GET", users+"?"+query+"&cursor="+flip(0), ""),
		s.do("GET", users+"?"+query+"&cursor="+flip(len(cursor)/2), ""),
		s.do("GET", users+"?"+query+"&cursor="+flip(len(cursor)-2), ""),
		s.do("GET", users+"?"+query+"&cursor="+cursor[:len(cursor)-4], ""),
		s.do("GET", users+"?"+query+"&cursor="+cursor+"=", ""),
		s.do("GET", users+"?"+query+"&cursor=x", ""),
		s.do("GET", users+"?"+query+"&cursor=%20", ""),
		s.do("GET", users+"?"+query+"&cursor="+strings.Repeat("A", 20000), ""),
		s.do("POST", users+"/.search", searchStart+`,"count":2,"cursor":"`+cursor+`"}`),
	}
	for i, a := range invalid {
		a.refused(400, "invalidCursor", "")
		if a.raw != invalid[0].raw {
			t.Errorf("%d: the refusal tells what is wrong: %s, first %s", i, a.raw, invalid[0].raw)
		}
	}
	s.do("GET", users+"?"+query+"&cursor="+cursor+"&cursor=x", "").refused(400, "invalidCursor", "more than once")
	s.do("GET", users+"?"+query+"&cursor=%zz", "").refused(400, "invalidCursor", "")
	s.do("GET", users+"?"+strings.Replace(query, "count=2", "count=3", 1)+"&cursor="+cursor, "").refused(400, "invalidCount", "count")
	s.do("GET", users+"?"+strings.Replace(query, "count=2", "count=0", 1)+"&cursor="+cursor, "").refused(400, "invalidCount", "count")
	s.do("GET", users+"?count=many&cursor", "").refused(400, "invalidCount", "count")
	s.do("GET", users+"?"+query+"&startIndex=1&cursor="+cursor, "").refused(400, "invalidValue", "startIndex")
	s.do("GET", users+"?"+query+"&startIndex=1&cursor", "").refused(400, "invalidValue", "startIndex")
	now.add(time.Hour)
	s.do("GET", users+"?"+query+"&cursor="+cursor, "").refused(400, "expiredCursor", "1h")
}

// TestCursorKeys: replicas with one key read each other's cursors, others do not.
func TestCursorKeys(t *testing.T) {
	t.Parallel()
	keyed := func(fill byte) *service {
		s := serve(t, "rfc", func(h *scimserver.Handler) { h.CursorKey = slices.Repeat([]byte{fill}, scimserver.CursorKeySize) })
		inhabit(s)
		return s
	}
	one, two, stranger, alone := keyed(1), keyed(1), keyed(2), serve(t, "rfc")
	next := one.do("GET", users+"?count=3&cursor", "").want(200, "").body["nextCursor"].(string)
	a := two.do("GET", users+"?count=3&cursor="+next, "").want(200, "")
	if names(a) != "Ann" {
		t.Errorf("%s", a.raw)
	}
	for _, s := range []*service{stranger, alone} {
		s.do("GET", users+"?count=3&cursor="+next, "").refused(400, "invalidCursor", "")
	}
}

// TestCursorsUnderWrites changes the list between pages: what exists all the time
// is seen once, whatever else comes and goes.
func TestCursorsUnderWrites(t *testing.T) {
	t.Parallel()
	for _, path := range []string{users, ""} {
		for _, order := range []string{"", "&sortBy=displayName", "&sortBy=displayName&sortOrder=descending"} {
			s := serve(t, "rfc")
			var stay, leave []string
			made := 0
			add := func(name string) string {
				made++
				a := s.do("POST", users, fmt.Sprintf(`{%s,"userName":"%s","displayName":"%s"}`, coreUser, name, name)).want(201, "")
				return a.body["id"].(string)
			}
			for i := range 12 {
				name := fmt.Sprintf("n%02d", (i*7)%12)
				id := add(name)
				if i%3 == 0 {
					leave = append(leave, id)
				} else {
					stay = append(stay, name)
				}
			}
			var seen []string
			pages := s.walk(path, "count=2"+order, func(page int) {
				if page <= len(leave) {
					s.do("DELETE", users+"/"+leave[page-1], "").want(204, "")
				}
				if page < 4 {
					add(fmt.Sprintf("a%02d", page))
					add(fmt.Sprintf("z%02d", page))
				}
				s.do("PATCH", users+"/id-2", patchOp(fmt.Sprintf(`{"op":"replace","path":"title","value":"t%d"}`, page))).want(200, "")
			})
			for _, p := range pages {
				for _, name := range p {
					if slices.Contains(stay, name) {
						seen = append(seen, name)
					}
				}
			}
			slices.Sort(seen)
			slices.Sort(stay)
			if diff := cmp.Diff(stay, seen); diff != "" {
				t.Errorf("%s%s (-there +seen):\n%s", path, order, diff)
			}
		}
	}
}

// TestCursorAuthorisation: a cursor opens no door.
func TestCursorAuthorisation(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	inhabit(s)
	next := s.do("GET", users+"?count=2&cursor", "").want(200, "").body["nextCursor"].(string)
	s.do("GET", users+"?count=2&cursor="+url.QueryEscape(next), "", "Authorization: ").refused(401, "", "")
}
