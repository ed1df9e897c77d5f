package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

// TestSourcesAreApart: a source sees and changes only what it wrote, by whatever
// door it tries (RFC 7644 §6). What belongs to another is not there for it.
func TestSourcesAreApart(t *testing.T) {
	t.Parallel()
	eachProvider(t, map[string]string{"owner": "lenient", "other": "lenient", "strict": "interop"}, func(t *testing.T, p *provider) {
		owner, other, strict := p.connect("owner"), p.connect("other"), p.connect("strict")
		user := text(owner.must(t, 201, "POST", "/Users", userHead+`"userName":"u","externalId":"e","displayName":"Secret Name"}`).doc, "id")
		second := text(owner.must(t, 201, "POST", "/Users", userHead+`"userName":"u2"}`).doc, "id")
		group := text(owner.must(t, 201, "POST", "/Groups", groupHead+fmt.Sprintf(`"displayName":"g","members":[{"value":%q}]}`, user)).doc, "id")
		before := []string{string(owner.must(t, 200, "GET", "/Users", nil).body), string(owner.must(t, 200, "GET", "/Groups", nil).body)}

		notThere(t, other, user, group)
		otherQuestions(t, owner, other, user)
		bulkOfAnother(t, other, user, group)

		// The same names are free for another source, and nobody is told of the first.
		mine := text(other.must(t, 201, "POST", "/Users", userHead+`"userName":"U","externalId":"e"}`).doc, "id")
		if mine == user {
			t.Error("two sources share an id")
		}
		// A foreign id in a group is one that nobody has: it is kept as it was sent, or
		// refused, and shows nothing.
		a := other.must(t, 201, "POST", "/Groups", groupHead+fmt.Sprintf(`"displayName":"g","members":[{"value":%q},{"value":%q}]}`, user, mine))
		if strings.Contains(string(a.body), "Secret Name") {
			t.Errorf("a foreign member is shown: %s", a)
		}
		strict.must(t, 400, "POST", "/Groups", groupHead+fmt.Sprintf(`"displayName":"g","members":[{"value":%q}]}`, user))
		after := []string{string(owner.must(t, 200, "GET", "/Users", nil).body), string(owner.must(t, 200, "GET", "/Groups", nil).body)}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the owner's resources have changed:\n%s", diff)
		}
		owner.must(t, 204, "DELETE", "/Users/"+second, nil)
		// An id that is gone is as unknown as one that never was, to anybody.
		gone, never := other.must(t, 404, "GET", "/Users/"+second, nil), other.must(t, 404, "GET", "/Users/"+user, nil)
		if a, b := strings.ReplaceAll(string(gone.body), second, ""), strings.ReplaceAll(string(never.body), user, ""); a != b {
			t.Errorf("answers differ: %s and %s", a, b)
		}
	})
}

const groupHead = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],`

// notThere asks for another source's resources by id.
func notThere(t *testing.T, c connection, user, group string) {
	t.Helper()
	for target, body := range map[string]string{
		"/Users/" + user: userHead + `"userName":"taken over"}`, "/Groups/" + group: groupHead + `"displayName":"taken over"}`,
		// Nor is it there as something of another type.
		"/Users/" + group: userHead + `"userName":"taken over"}`, "/Groups/" + user: groupHead + `"displayName":"taken over"}`,
	} {
		c.must(t, 404, "GET", target, nil)
		c.must(t, 404, "HEAD", target, nil)
		c.must(t, 404, "PUT", target, body)
		c.must(t, 404, "PATCH", target, patchHead+`[{"op":"replace","path":"displayName","value":"taken over"}]}`)
		c.must(t, 404, "DELETE", target, nil)
		c.must(t, 404, "GET", target, nil, "If-None-Match", "*")
	}
}

// otherQuestions looks for another source's resources by lists, searches and a
// cursor that the owner was given.
func otherQuestions(t *testing.T, owner, other connection, user string) {
	t.Helper()
	search := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"id eq \"` + user + `\" or userName pr or displayName pr"}`
	for _, a := range []scimAnswer{
		other.must(t, 200, "GET", "/Users", nil), other.must(t, 200, "GET", "/Groups", nil), other.must(t, 200, "GET", "/?filter=id%20pr", nil),
		other.must(t, 200, "GET", "/Users?filter=id%20eq%20%22"+user+"%22", nil), other.must(t, 200, "GET", "/Groups?filter=members.value%20eq%20%22"+user+"%22", nil),
		other.must(t, 200, "POST", "/Users/.search", strings.ReplaceAll(search, " or displayName pr", "")), other.must(t, 200, "POST", "/.search", search),
		other.must(t, 200, "GET", "/Users?cursor&count=1", nil), other.must(t, 200, "GET", "/Users?sortBy=userName", nil),
	} {
		if a.doc["totalResults"] != 0.0 || len(a.list("Resources")) > 0 || a.doc["nextCursor"] != nil {
			t.Errorf("another source's resources are listed: %s", a)
		}
	}
	cursor := text(owner.must(t, 200, "GET", "/Users?cursor&count=1", nil).doc, "nextCursor")
	a := other.must(t, 400, "GET", "/Users?count=1&cursor="+cursor, nil)
	forged := other.must(t, 400, "GET", "/Users?count=1&cursor="+strings.Repeat("A", len(cursor)), nil)
	if a.doc["scimType"] != "invalidCursor" || a.doc["detail"] != forged.doc["detail"] {
		t.Errorf("another's cursor: %s, a forged one: %s", a, forged)
	}
}

// bulkOfAnother tries to change another source's resources from within a bulk
// request.
func bulkOfAnother(t *testing.T, c connection, user, group string) {
	t.Helper()
	a := c.must(t, 200, http.MethodPost, "/Bulk", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
		{"method":"PATCH","path":"/Users/%s","data":%s[{"op":"replace","path":"active","value":false}]}},
		{"method":"PUT","path":"/Groups/%s","data":%s"displayName":"x"}},
		{"method":"DELETE","path":"/Users/%[1]s"},{"method":"DELETE","path":"/Groups/%[3]s"}]}`, user, patchHead, group, groupHead))
	faults, err := replay.Match(`{"Operations":[{"method":"PATCH","status":"404"},{"method":"PUT","status":"404"},{"method":"DELETE","status":"404"},{"method":"DELETE","status":"404"}]}`, a.body, nil)
	if err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}
