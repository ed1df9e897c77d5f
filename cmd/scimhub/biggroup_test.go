package main_test

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
)

// TestBigGroups changes a group as providers change big ones: people come in one
// bulk request, members a thousand at a time by one operation (Entra), by an
// operation each (Okta's catalogue) and all of them anew (Okta's wizard).
func TestBigGroups(t *testing.T) {
	t.Parallel()
	eachProvider(t, map[string]string{"big": "lenient"}, func(t *testing.T, p *provider) {
		c := p.connect("big")
		ids := bulkOfPeople(t, c, sized(1000, 1000, 200))
		half, most := len(ids)/2, min(100, len(ids)/2)
		group := "/Groups/" + text(c.must(t, 201, "POST", "/Groups", groupHead+`"displayName":"big"}`).doc, "id")
		members := func(what string, want int) {
			t.Helper()
			seen := map[string]bool{}
			for _, m := range c.must(t, 200, "GET", group, nil).list("members") {
				seen[text(m.(map[string]any), "value")] = true
			}
			if len(seen) != want {
				t.Errorf("%s: %d members, due are %d", what, len(seen), want)
			}
		}
		patch := func(operations string) {
			t.Helper()
			c.must(t, 200, http.MethodPatch, group+"?attributes=displayName", patchHead+"["+operations+"]}")
		}
		patch(`{"op":"Add","path":"members","value":` + memberList(ids) + `}`)
		members("one operation adds all", len(ids))
		version := c.must(t, 200, "GET", group+"?excludedAttributes=members", nil).header.Get("ETag")
		patch(`{"op":"Add","path":"members","value":` + memberList(ids) + `}`)
		if now := c.must(t, 200, "GET", group+"?excludedAttributes=members", nil).header.Get("ETag"); now != version {
			t.Errorf("the same members once more: version %s, was %s", now, version)
		}
		patch(`{"op":"Remove","path":"members","value":` + memberList(ids[:half]) + `}`)
		members("one operation removes half", len(ids)-half)
		var each []string
		for i := range most { // one goes, one comes
			each = append(each, fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"},{"op":"add","path":"members","value":[{"value":%q}]}`, ids[half+i], ids[i]))
		}
		patch(strings.Join(each, ","))
		members("operations one by one", len(ids)-half)
		c.must(t, 200, http.MethodPut, group+"?excludedAttributes=members", groupHead+`"displayName":"big","members":`+memberList(ids)+`}`)
		members("all anew", len(ids))
		for _, id := range []string{ids[0], ids[len(ids)-1]} {
			c.must(t, 204, http.MethodDelete, "/Users/"+id, nil)
		}
		members("two people are deleted", len(ids)-2)
		patch(`{"op":"replace","path":"members","value":[]}`)
		members("cleared", 0)
		if a := c.must(t, 200, "GET", "/Users?count=1&filter=groups%20pr", nil); a.doc["totalResults"] != 0.0 {
			t.Errorf("people are still in groups: %s", a)
		}
	})
}

func memberList(ids []string) string {
	return `[{"$ref":null,"value":"` + strings.Join(ids, `"},{"$ref":null,"value":"`) + `"}]`
}

// bulkOfPeople makes people by bulk requests of at most 500 and returns their ids.
func bulkOfPeople(t *testing.T, c connection, n int) []string {
	t.Helper()
	var ids []string
	for len(ids) < n {
		var operations []string
		for i := range min(500, n-len(ids)) {
			operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"b%d","data":%s"userName":"big%d"}}`, i, userHead, len(ids)+i))
		}
		a := c.must(t, 200, http.MethodPost, "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(operations, ",")+`]}`)
		answers := a.list("Operations")
		if len(answers) != len(operations) {
			t.Fatalf("%d answers to %d operations: %s", len(answers), len(operations), a)
		}
		for i, o := range answers {
			op := o.(map[string]any)
			if op["status"] != "201" || op["bulkId"] != fmt.Sprint("b", i) {
				t.Fatalf("operation %d: %v", i, op)
			}
			ids = append(ids, path.Base(text(op, "location")))
		}
	}
	return ids
}
