package fanout

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
)

func TestClientMemberDialect(t *testing.T) {
	t.Parallel()
	patch := func(ops string) exchange {
		return exchange{"PATCH", "/Groups/g", patchOpHead + ops + `]}`, 204, nil, ""}
	}
	const add12 = `{"op":"add","path":"members","value":[{"value":"1"},{"value":"2"}]}`
	const drop3, drop4 = `{"op":"remove","path":"members[value eq \"3\"]"}`, `{"op":"remove","path":"members[value eq \"4\"]"}`
	ones, threes := []string{"1", "2"}, []string{"3", "4"}
	tests := []struct {
		name        string
		profile     func(*Profile)
		add, remove []string
		list        []exchange
		class       Class
	}{
		{"by value path", func(*Profile) {}, ones, threes, []exchange{patch(add12 + "," + drop3 + "," + drop4)}, ""},
		{"removed by list, capitals", func(p *Profile) { p.Patch.RemoveMembers, p.Patch.OpCase = "list", "capital" }, nil, threes,
			[]exchange{patch(`{"op":"Remove","path":"members","value":[{"value":"3"},{"value":"4"}]}`)}, ""},
		{"nested", func(p *Profile) { p.MemberShape = "nested" }, ones, threes[:1], []exchange{patch(`{"op":"add","value":{"members":[{"value":"1"},{"value":"2"}]}},` + drop3)}, ""},
		{"without path", func(p *Profile) { p.Patch.WithoutPath = "required" }, ones, nil, []exchange{patch(`{"op":"add","value":{"members":[{"value":"1"},{"value":"2"}]}}`)}, ""},
		{"split: access goes before it comes", func(p *Profile) { p.Patch.MaxOps = 2 }, ones, threes, []exchange{patch(drop3 + "," + drop4), patch(add12)}, ""},
		{"split by size", func(p *Profile) { p.Patch.MaxBody = 140 }, ones, threes, []exchange{patch(drop3), patch(drop4),
			patch(`{"op":"add","path":"members","value":[{"value":"1"}]}`), patch(`{"op":"add","path":"members","value":[{"value":"2"}]}`)}, ""},
		{"more than the application takes", func(p *Profile) { p.Patch.MaxMemberChanges = 3 }, ones, threes, nil, Invalid},
		{"nothing", func(*Profile) {}, nil, nil, nil, ""},
		{"PUT of the whole group", func(p *Profile) { p.Patch.Supported = false }, ones, threes, []exchange{
			{"GET", "/Groups/g", "", 200, nil, `{"id":"g","meta":{},"displayName":"G","externalId":"e","members":[{"value":"2","display":"two"},{"value":"3"},{"value":"5","type":"Group"}]}`},
			{"PUT", "/Groups/g", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"G","externalId":"e","members":[{"value":"2","display":"two"},{"value":"5","type":"Group"},{"value":"1"}]}`, 204, nil, ""}}, ""},
		{"who is there is not added again", func(p *Profile) { p.Patch.RepeatsMembers = true }, ones, threes[:1], []exchange{
			{"GET", "/Groups/g", "", 200, nil, `{"id":"g","members":[{"value":"2"},{"value":"3"}]}`},
			patch(`{"op":"add","path":"members","value":[{"value":"1"}]},` + drop3)}, ""},
		{"who is there already", func(p *Profile) { p.Patch.RepeatsMembers = true }, ones, nil, []exchange{
			{"GET", "/Groups/g", "", 200, nil, `{"id":"g","members":[{"value":"2"},{"value":"1"}]}`}}, ""},
		{"no PUT of a group whose members are not shown", func(p *Profile) { p.Patch.Supported, p.MembersReadable = false, false }, ones, nil, nil, Unreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := script(t, with(t, tt.profile), model.Auth{}, tt.list...).PatchMembers(t.Context(), "g", tt.add, tt.remove); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

// Some targets refuse to add who is there and to remove who is not. That is no
// failure; but nobody counts as removed because something failed to answer.
func TestClientMemberThereAlready(t *testing.T) {
	t.Parallel()
	refused := func(status int, detail string) exchange {
		return exchange{"PATCH", "/Groups/g", "", status, nil, `{"detail":"` + detail + `"}`}
	}
	shows := func(members string) exchange {
		return exchange{"GET", "/Groups/g", "", 200, nil, `{"members":[` + members + `],"id":"g"}`}
	}
	exists := func(status int) exchange {
		return exchange{"GET", "/Groups/g?excludedAttributes=members", "", status, nil, `{"id":"g"}`}
	}
	tests := []struct {
		name     string
		readable bool
		add      bool
		list     []exchange
		class    Class
	}{
		{"is there", true, true, []exchange{refused(409, "x"), shows(`{"value":"0"},{"value":"1"}`)}, ""},
		{"is not there", true, true, []exchange{refused(409, "x"), shows(`{"value":"0"}`)}, Conflict},
		{"the account is not known", true, true, []exchange{refused(404, "x"), shows(``)}, Invalid},
		{"the group is not known", true, true, []exchange{refused(404, "x"), {"GET", "/Groups/g", "", 404, nil, ""}}, Missing},
		{"is not there to remove", true, false, []exchange{refused(400, "x"), shows(`{"value":"0"}`)}, ""},
		{"is there to remove", true, false, []exchange{refused(400, "x"), shows(`"1"`)}, Invalid},
		{"the answer to the look is no group", true, false, []exchange{refused(400, "x"), {"GET", "/Groups/g", "", 200, nil, `<html>`}}, Invalid},
		{"the answer to the look is another group", true, false, []exchange{refused(404, "x"), {"GET", "/Groups/g", "", 200, nil, `{"id":"h"}`}}, Missing},
		{"a server that is down says nothing", true, false, []exchange{refused(503, "not a member")}, Server},
		{"not shown: already", false, true, []exchange{refused(409, "is Already a member")}, ""},
		{"not shown: something else", false, true, []exchange{refused(409, "busy")}, Conflict},
		{"not shown: gone, the group is there", false, false, []exchange{refused(404, "x"), exists(200)}, ""},
		{"not shown: the group is gone", false, false, []exchange{refused(404, "x"), exists(404)}, Missing},
		{"not shown: nothing is known", false, false, []exchange{refused(404, "x"), exists(500)}, Missing},
		{"not shown: a refusal stays one", false, false, []exchange{refused(400, "not a member")}, Invalid},
		{"not shown: the account is not known", false, true, []exchange{refused(404, "x"), exists(200)}, Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			add, remove := []string{"1"}, []string(nil)
			if !tt.add {
				add, remove = remove, add
			}
			c := script(t, with(t, func(p *Profile) { p.MembersReadable = tt.readable }), model.Auth{}, tt.list...)
			if err := c.PatchMembers(t.Context(), "g", add, remove); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}

func TestClientMembersOf(t *testing.T) {
	t.Parallel()
	group := func(text string) []exchange { return []exchange{{"GET", "/Groups/g", "", 200, nil, text}} }
	filtered := func(text string) []exchange {
		return []exchange{{"GET", "/Users?count=100&filter=groups.value%20eq%20%22g%22&startIndex=1", "", 200, nil, text}}
	}
	hidden := func(filters ...string) func(*Profile) {
		return func(p *Profile) { p.MembersReadable, p.Filters.Users = false, filters }
	}
	tests := []struct {
		name    string
		profile func(*Profile)
		list    []exchange
		ids     string
		class   Class
	}{
		{"objects, bare ids, numbers", func(*Profile) {}, group(`{"members":[{"value":"1","display":"x"},"2",3,{"value":4},null,{}],"id":"g"}`), "1234", ""},
		{"none", func(*Profile) {}, group(`{"id":"g","members":null}`), "", ""},
		{"not shown at all is empty", func(*Profile) {}, group(`{"id":"g"}`), "", ""},
		{"another group", func(*Profile) {}, group(`{"members":["1"],"id":"h"}`), "1", Garbage},
		{"cut off", func(*Profile) {}, group(`{"id":"g","members":["1"`), "1", Garbage},
		{"no list", func(*Profile) {}, group(`{"id":"g","members":{"value":"1"}}`), "", Garbage},
		{"no object", func(*Profile) {}, group(`[]`), "", Garbage},
		{"empty", func(*Profile) {}, group(``), "", Garbage},
		{"never shown", hidden("userName"), nil, "", Unreadable},
		{"any filter is no promise of this one", hidden("*"), nil, "", Unreadable},
		{"asked by group", hidden("groups.value"), filtered(`{"totalResults":2,"Resources":[{"id":"1","groups":[{"value":"g"}]},{"id":"2","groups":[{"value":"h"}]}]}`), "1", ""},
		{"asked by group, shown without", hidden("groups.value"), filtered(`{"totalResults":1,"Resources":[{"id":"1"}]}`), "1", ""},
		{"asked by group, shown without, where filters are ignored", func(p *Profile) { hidden("groups.value")(p); p.BadFilter = "ignore" }, filtered(`{"totalResults":1,"Resources":[{"id":"1"}]}`), "", Unreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ids := ""
			var last error
			for id, err := range script(t, with(t, tt.profile), model.Auth{}, tt.list...).Members(t.Context(), "g") {
				ids, last = ids+id, err
			}
			if ids != tt.ids || ClassOf(last) != tt.class {
				t.Errorf("ids %s, error %v", ids, last)
			}
		})
	}
}

// A group of 60,000 is read without being held.
//
//nolint:paralleltest // others would use memory meanwhile
func TestClientMembersBounded(t *testing.T) {
	const n = 60_000
	c := hostile(t, 30*time.Second, generic(t), func(w http.ResponseWriter, r *http.Request) {
		b := bufio.NewWriter(w)
		defer func() { _ = b.Flush() }()
		group := func(id string) {
			_, _ = fmt.Fprintf(b, `{"displayName":"G","members":[`)
			for i := range n {
				_, _ = fmt.Fprintf(b, `%s{"value":"%d","display":"Somebody With A Name","$ref":"https://x.example/scim/v2/Users/%d"}`, strings.Repeat(",", min(i, 1)), i, i)
			}
			_, _ = fmt.Fprintf(b, `],"id":%q}`, id)
		}
		if r.URL.Path == "/Groups/g" {
			group("g")
			return
		}
		_, _ = fmt.Fprint(b, `{"totalResults":1,"Resources":[`) // members come although they are excluded
		group("g")
		_, _ = fmt.Fprint(b, `]}`)
	})
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	met := 0
	for id, err := range c.Members(t.Context(), "g") {
		if err != nil {
			t.Fatal(err)
		}
		if id != strconv.Itoa(met) {
			t.Fatalf("member %d is %s", met, id)
		}
		if met++; met == n/2 || met == n-1 {
			runtime.GC()
			runtime.ReadMemStats(&during)
			if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("after %d members %d bytes are held", met, grown)
			}
		}
	}
	if met != n {
		t.Errorf("%d members", met)
	}
	groups := 0
	for g, err := range c.ListGroups(t.Context()) {
		if err != nil || g.ID != "g" || g.Name != "G" || g.Members != nil {
			t.Errorf("%+v, %v", g, err)
		}
		groups++
	}
	if groups != 1 {
		t.Errorf("%d groups", groups)
	}
}

func TestClientGroupObjects(t *testing.T) {
	t.Parallel()
	const long = "a name that is too long"
	limits := func(p *Profile) {
		p.Limits = map[string]model.AttrLimit{"displayName": {Len: 1}, "urn:ietf:params:scim:schemas:core:2.0:Group:displayName": {Len: 10, Charset: "/"}}
	}
	rename := func(name string) func(*Client) error {
		return func(c *Client) error { return c.RenameGroup(t.Context(), "g", name) }
	}
	tests := []struct {
		name    string
		profile func(*Profile)
		do      func(*Client) error
		list    []exchange
		class   Class
	}{
		{"rename", func(p *Profile) { p.Patch.OpCase = "capital" }, rename("new"), []exchange{{"PATCH", "/Groups/g", patchOpHead + `{"op":"Replace","path":"displayName","value":"new"}]}`, 200, nil, ""}}, ""},
		{"rename without path", func(p *Profile) { p.Patch.WithoutPath = "required" }, rename("new"), []exchange{{"PATCH", "/Groups/g", patchOpHead + `{"op":"replace","value":{"displayName":"new"}}]}`, 200, nil, ""}}, ""},
		{"rename by PUT keeps the members", func(p *Profile) { p.Patch.Supported = false }, rename("new"), []exchange{
			{"GET", "/Groups/g", "", 200, nil, `{"id":"g","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"old","members":[{"value":"1"}]}`},
			{"PUT", "/Groups/g", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"new","members":[{"value":"1"}]}`, 200, nil, ""}}, ""},
		{"no renaming", func(p *Profile) { p.Rename.Group = false }, rename("new"), nil, Invalid},
		{"too long", limits, rename(long), nil, Invalid},
		{"refused characters", limits, func(c *Client) error { _, err := c.CreateGroup(t.Context(), "a/b"); return err }, nil, Invalid},
		{"a limit of users is none of groups", limits, rename("two"), []exchange{{"PATCH", "/Groups/g", "", 204, nil, ""}}, ""},
		{"delete", func(*Profile) {}, func(c *Client) error { return c.DeleteGroup(t.Context(), "a/b") }, []exchange{{"DELETE", "/Groups/a%2Fb", "", 204, nil, ""}}, ""},
		{"no deleting", func(p *Profile) { p.DeleteGroup = "forbidden" }, func(c *Client) error { return c.DeleteGroup(t.Context(), "g") }, nil, Invalid},
		{"made, only an address", func(*Profile) {}, func(c *Client) error {
			g, err := c.CreateGroup(t.Context(), "g")
			if g.ID != "9" {
				t.Errorf("id %q", g.ID)
			}
			return err
		}, []exchange{{"POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"}`, 201, map[string]string{"Location": "/scim/Groups/9"}, ""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.do(script(t, with(t, tt.profile), model.Auth{}, tt.list...)); ClassOf(err) != tt.class {
				t.Errorf("error %v, want class %q", err, tt.class)
			}
		})
	}
}
