package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

func kinds(t testing.TB) (reg *scim.Registry, user, group *scim.ResourceType) {
	t.Helper()
	reg = scim.DefaultRegistry()
	user, ok1 := reg.Type("User")
	group, ok2 := reg.Type("Group")
	if !ok1 || !ok2 {
		t.Fatal("the default registry lacks User or Group")
	}
	return reg, user, group
}

func status(err error) int {
	if e, ok := scim.AsError(err); ok {
		return e.Status
	}
	return 0
}

func members(ids ...string) []any {
	var out []any
	for _, id := range ids {
		out = append(out, map[string]any{"value": id})
	}
	return out
}

func TestUniqueness(t *testing.T) {
	t.Parallel()
	reg, user, group := kinds(t)
	for _, unique := range []bool{false, true} {
		s := memory.New(reg, memory.Options{UniqueGroupNames: unique})
		ctx := t.Context()
		create := func(k *scim.ResourceType, attribute, value string) (scim.Resource, error) {
			return s.Create(ctx, k, map[string]any{attribute: value})
		}
		ann, err := create(user, "userName", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := create(user, "userName", "ＡNN"); status(err) != 409 {
			t.Errorf("full-width ANN beside ann: %v", err)
		}
		if _, err := create(user, "userName", "bob"); err != nil {
			t.Error(err)
		}
		if _, err := create(group, "displayName", "eng"); err != nil {
			t.Error(err)
		}
		if _, err := create(group, "displayName", "Eng"); (status(err) == 409) != unique {
			t.Errorf("unique group names %v: %v", unique, err)
		}
		rename := func(to string) error {
			_, err := s.Modify(ctx, user, ann.ID, scimserver.Precondition{}, scim.Change{Replace: map[string]any{"userName": to}}, scim.Fields{})
			return err
		}
		if err := rename("BOB"); status(err) != 409 {
			t.Errorf("rename to another's name: %v", err)
		}
		if err := rename("ANN"); err != nil {
			t.Errorf("rename to another case of one's own name: %v", err)
		}
		if err := rename("eve"); err != nil {
			t.Error(err)
		}
		if _, err := create(user, "userName", "ann"); err != nil {
			t.Errorf("a name that was given up is not free: %v", err)
		}
	}
}

func TestTimesAndVersions(t *testing.T) {
	t.Parallel()
	reg, user, _ := kinds(t)
	now := time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.FixedZone("x", 3600))
	s := memory.New(reg, memory.Options{Now: func() time.Time { return now }})
	r, err := s.Create(t.Context(), user, map[string]any{"userName": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 5, 1, 11, 0, 0, 123456000, time.UTC)
	if r.Meta != (scim.Meta{Created: created, LastModified: created, Version: 1}) {
		t.Errorf("meta %+v", r.Meta)
	}
	set := func(title string) scim.Meta {
		c := scim.Change{Replace: map[string]any{"userName": "ann", "title": title}}
		r, err := s.Modify(t.Context(), user, r.ID, scimserver.Precondition{}, c, scim.Fields{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Meta
	}
	now = now.Add(time.Hour)
	if m := set("Dr"); m.Version != 2 || m.LastModified != created.Add(time.Hour) || m.Created != created {
		t.Errorf("after a change: %+v", m)
	}
	now = now.Add(time.Hour)
	if m := set("Dr"); m.Version != 2 || m.LastModified != created.Add(time.Hour) {
		t.Errorf("after a change without effect: %+v", m)
	}
	now = now.Add(-24 * time.Hour)
	if m := set("Prof"); m.Version != 3 || m.LastModified != created.Add(time.Hour) {
		t.Errorf("after the clock went back: %+v", m)
	}
}

func TestGroupsOfUsers(t *testing.T) {
	t.Parallel()
	reg, user, group := kinds(t)
	n := 0
	s := memory.New(reg, memory.Options{NewID: func() string { n++; return fmt.Sprint(n) }})
	ctx := t.Context()
	must := func(r scim.Resource, err error) scim.Resource {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	must(s.Create(ctx, user, map[string]any{"userName": "ann"}))                                                                                                      // 1
	must(s.Create(ctx, group, map[string]any{"displayName": "a", "members": members("1", "9")}))                                                                      // 2
	must(s.Create(ctx, group, map[string]any{"displayName": "b", "members": members("2")}))                                                                           // 3
	must(s.Create(ctx, group, map[string]any{"displayName": "c", "members": members("3", "1")}))                                                                      // 4
	must(s.Modify(ctx, group, "2", scimserver.Precondition{}, scim.Change{Replace: map[string]any{"displayName": "a", "members": members("1", "4")}}, scim.Fields{})) // a ring
	groups := func() string {
		r := must(s.Get(ctx, user, "1", scim.Fields{}))
		var out []string
		list, _ := r.Attrs["groups"].([]any)
		for _, g := range list {
			m := g.(map[string]any)
			out = append(out, fmt.Sprintf("%s=%s:%s", m["value"], m["display"], m["type"]))
		}
		return strings.Join(out, " ")
	}
	if got := groups(); got != "2=a:direct 4=c:direct 3=b:indirect" {
		t.Errorf("groups %q", got)
	}
	if err := s.Delete(ctx, group, "4", scimserver.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if got := groups(); got != "2=a:direct 3=b:indirect" {
		t.Errorf("groups after a group went: %q", got)
	}
	if diff := cmp.Diff(members("1"), must(s.Get(ctx, group, "2", scim.Fields{})).Attrs["members"]); diff != "" {
		t.Errorf("a deleted group is still a member:\n%s", diff)
	}
	if err := s.Delete(ctx, user, "1", scimserver.Precondition{}); err != nil {
		t.Fatal(err)
	}
	a := must(s.Get(ctx, group, "2", scim.Fields{}))
	if _, ok := a.Attrs["members"]; ok || a.Meta.Version != 4 {
		t.Errorf("after the last member went: %+v", a)
	}
	if got := len(s.Snapshot("Group")); got != 2 {
		t.Errorf("%d groups in the snapshot", got)
	}
	if s.Snapshot("Nope") != nil || s.Len("Nope") != 0 {
		t.Error("resources of an unknown type")
	}
}

func TestResultsAreNotChangedLater(t *testing.T) {
	t.Parallel()
	reg, user, group := kinds(t)
	s := memory.New(reg, memory.Options{})
	ctx := t.Context()
	u, err := s.Create(ctx, user, map[string]any{"userName": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Create(ctx, group, map[string]any{"displayName": "a", "members": members("x", u.ID, "y")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, user, u.ID, scimserver.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(members("x", u.ID, "y"), g.Attrs["members"]); diff != "" {
		t.Errorf("what was handed out has changed:\n%s", diff)
	}
}

// TestIndexAgreesWithScan asks the same question with and without an index.
func TestIndexAgreesWithScan(t *testing.T) {
	t.Parallel()
	reg, user, _ := kinds(t)
	s := memory.New(reg, memory.Options{})
	ctx := t.Context()
	for i := range 30 {
		attrs := map[string]any{"userName": fmt.Sprintf("User%d", i), "displayName": fmt.Sprintf("Name %d", i%7)}
		if i%3 == 0 {
			attrs["externalId"] = fmt.Sprintf("E%d", i%5)
		}
		if _, err := s.Create(ctx, user, attrs); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(filter string) string {
		f, err := scim.ParseFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		if f, err = scim.Bind(f, user); err != nil {
			t.Fatal(err)
		}
		page, err := s.List(ctx, user, scim.Query{Filter: f, StartIndex: 1, Count: 100})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range page.Resources {
			out = append(out, r.Attrs["userName"].(string))
		}
		return strings.Join(out, " ")
	}
	for _, f := range []string{
		`userName eq "USER3"`, `userName eq "nobody"`, `externalId eq "E0"`, `externalId eq "e0"`, `displayName eq "name 3"`,
		`displayName eq "name 3" and externalId pr`, `active eq true and userName eq "user1"`, `externalId eq null`,
	} {
		// Double negation keeps the meaning and hides the equality from the index.
		if fast, slow := ids(f), ids("not (not ("+f+"))"); fast != slow {
			t.Errorf("%s: index %q, scan %q", f, fast, slow)
		}
	}
	if got := ids(`externalId eq "E0"`); got != "User0 User15" {
		t.Errorf("found %q", got)
	}
}

func TestSearchEndsWithTheClient(t *testing.T) {
	t.Parallel()
	reg, user, _ := kinds(t)
	s := memory.New(reg, memory.Options{})
	if _, err := s.Create(t.Context(), user, map[string]any{"userName": "ann"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := scim.ParseFilter(`title pr`)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = scim.Bind(f, user); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(ctx, user, scim.Query{Filter: f, StartIndex: 1, Count: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUnknownType(t *testing.T) {
	t.Parallel()
	reg, _, _ := kinds(t)
	s := memory.New(reg, memory.Options{})
	odd := &scim.ResourceType{Name: "Device", Endpoint: "/Devices", Schema: &scim.Schema{}}
	if _, err := s.Create(t.Context(), odd, nil); status(err) != 404 {
		t.Errorf("create: %v", err)
	}
	if _, err := s.List(t.Context(), odd, scim.Query{}); status(err) != 404 {
		t.Errorf("list: %v", err)
	}
	if err := s.Delete(t.Context(), odd, "x", scimserver.Precondition{}); status(err) != 404 {
		t.Errorf("delete: %v", err)
	}
}
