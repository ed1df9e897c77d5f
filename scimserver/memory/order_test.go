package memory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// crowd is a store with users of whom many have equal or no values.
func crowd(t *testing.T, n int) (*memory.Store, *scim.ResourceType) {
	t.Helper()
	reg, user, _ := kinds(t)
	made := 0
	s := memory.New(reg, memory.Options{NewID: func() string { made++; return fmt.Sprintf("%04d", made) }})
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		attrs := map[string]any{"userName": fmt.Sprintf("u%d", i)}
		if v := r.IntN(4); v > 0 {
			attrs["title"] = string(rune('A'+v)) + "é"
		}
		if v := r.IntN(3); v > 0 {
			attrs["active"] = v == 1
		}
		if v := r.IntN(3); v > 0 {
			attrs["emails"] = []any{map[string]any{"value": fmt.Sprintf("x%d@x.test", r.IntN(n))}, map[string]any{"value": fmt.Sprint(v), "primary": v == 1}}
		}
		if _, err := s.Create(t.Context(), user, attrs); err != nil {
			t.Fatal(err)
		}
	}
	return s, user
}

// TestOrders reads lists in every order by index and by position, in pages of
// several sizes: all must be what sorting everything at once gives.
func TestOrders(t *testing.T) {
	t.Parallel()
	s, user := crowd(t, 60)
	for _, by := range []string{"", "title", "active", "emails", "meta.created", "meta.lastModified", "id"} {
		for _, order := range []string{"ascending", "descending"} {
			sort, err := user.ParseSort(by, order)
			if err != nil {
				t.Fatal(err)
			}
			want := s.Snapshot("User")
			if sort != nil {
				slices.SortStableFunc(want, func(x, y scim.Resource) int {
					return sort.Compare(sort.Key(user.SearchDoc(x)), sort.Key(user.SearchDoc(y)))
				})
			}
			for _, size := range []int{1, 7, 30, 60, 100} {
				compare(t, fmt.Sprint(by, " ", order, " by index ", size), want, byIndex(t, s, user, scim.Query{Sort: sort, Count: size}))
				compare(t, fmt.Sprint(by, " ", order, " by position ", size), want, byPosition(t, s, user, scim.Query{Sort: sort, Count: size}))
			}
		}
	}
}

func compare(t *testing.T, what string, want, got []scim.Resource) {
	t.Helper()
	list := func(all []scim.Resource) []string {
		var out []string
		for _, r := range all {
			out = append(out, r.ID)
		}
		return out
	}
	if diff := cmp.Diff(list(want), list(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func byIndex(t *testing.T, s *memory.Store, kind *scim.ResourceType, q scim.Query) []scim.Resource {
	t.Helper()
	var out []scim.Resource
	for q.StartIndex = 1; ; q.StartIndex += q.Count {
		page, err := s.List(t.Context(), kind, q)
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, page.Resources...); len(out) >= page.Total {
			return out
		}
	}
}

func byPosition(t *testing.T, s *memory.Store, kind *scim.ResourceType, q scim.Query) []scim.Resource {
	t.Helper()
	var out []scim.Resource
	q.StartIndex, q.ByCursor = 1, true
	for {
		page, err := s.List(t.Context(), kind, q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page.Resources...)
		if (page.Total < 0) != (q.After != "") {
			t.Errorf("total %d after %q", page.Total, q.After)
		}
		if page.Next == "" {
			return out
		}
		if len(page.Resources) != q.Count {
			t.Fatalf("%d resources in a page of %d that is not the last", len(page.Resources), q.Count)
		}
		q.After = page.Next
	}
}

func TestPositionsOfOthers(t *testing.T) {
	t.Parallel()
	s, user := crowd(t, 3)
	for _, after := range []string{"x", "7", `{"s":"1"}`, `{"s":-1}`, `{"t":1,"s":1}`} {
		_, err := s.List(t.Context(), user, scim.Query{StartIndex: 1, Count: 1, ByCursor: true, After: after})
		if e, ok := scim.AsError(err); !ok || e.Status != 400 || e.Type != scim.InvalidCursor {
			t.Errorf("%s: %v", after, err)
		}
	}
	// A position of another order is an odd place, and no accident.
	for _, after := range []string{`{"b":true,"s":1}`, `{"f":1.5,"s":9}`, `{}`} {
		sort, _ := user.ParseSort("title", "")
		if _, err := s.List(t.Context(), user, scim.Query{Sort: sort, StartIndex: 1, Count: 1, ByCursor: true, After: after}); err != nil {
			t.Errorf("%s: %v", after, err)
		}
	}
}

// TestDeclaredUniqueness: whatever a schema declares unique is, in parts, lists and
// extensions too.
func TestDeclaredUniqueness(t *testing.T) {
	t.Parallel()
	text := func(name, uniqueness string) *scim.Attribute {
		return &scim.Attribute{Name: name, Type: scim.TypeString, Uniqueness: uniqueness}
	}
	tags := text("tags", "global")
	tags.MultiValued = true
	exact := text("code", "server")
	exact.CaseExact = true
	reg, err := scim.NewRegistry(&scim.ResourceType{Name: "Device", Endpoint: "/Devices",
		Schema: &scim.Schema{ID: "urn:acme:Device", Name: "Device", Attributes: []*scim.Attribute{
			exact, tags, {Name: "port", Type: scim.TypeInteger, Uniqueness: "server"},
			{Name: "chip", Type: scim.TypeComplex, Sub: []*scim.Attribute{text("serial", "server"), text("note", "none")}},
		}},
		Extensions: []scim.Extension{{Schema: &scim.Schema{ID: "urn:acme:Room", Name: "Room", Attributes: []*scim.Attribute{text("seat", "server")}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	kind := reg.Types[0]
	s := memory.New(reg, memory.Options{})
	create := func(attrs map[string]any) (scim.Resource, error) { return s.Create(t.Context(), kind, attrs) }
	first := map[string]any{"code": "A", "tags": []any{"red", "blue"}, "port": int64(7), "chip": map[string]any{"serial": "S1", "note": "n"},
		"urn:acme:Room": map[string]any{"seat": "9f"}}
	one, err := create(first)
	if err != nil {
		t.Fatal(err)
	}
	for name, attrs := range map[string]map[string]any{
		"code": {"code": "A"}, "tags": {"tags": []any{"green", "BLUE"}}, "port": {"port": int64(7)}, "chip.serial": {"chip": map[string]any{"serial": "s1"}},
		"urn:acme:Room:seat": {"urn:acme:Room": map[string]any{"seat": "9F"}},
	} {
		_, err := create(attrs)
		if e, ok := scim.AsError(err); !ok || e.Status != 409 || e.Type != scim.Uniqueness || e.Detail[:len(name)] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := create(map[string]any{"code": "a", "chip": map[string]any{"note": "n"}}); err != nil {
		t.Errorf("values of their own: %v", err)
	}
	if n := s.Len("Device"); n != 2 {
		t.Fatalf("%d devices", n)
	}
	if err := s.Delete(t.Context(), kind, one.ID, scimserver.Precondition{}); err != nil {
		t.Fatal(err)
	}
	again, err := create(first)
	if err != nil {
		t.Fatalf("the values of a deleted device are not free: %v", err)
	}
	change := scim.Change{Replace: map[string]any{"code": "B"}}
	if _, err := s.Modify(t.Context(), kind, again.ID, scimserver.Precondition{}, change, scim.Fields{}); err != nil {
		t.Fatal(err)
	}
	if _, err := create(map[string]any{"code": "A", "tags": []any{"red"}}); err != nil {
		t.Errorf("values that were given up are not free: %v", err)
	}
}

// TestUnknownReferences: only a dialect that does not take them has them refused.
func TestUnknownReferences(t *testing.T) {
	t.Parallel()
	reg, user, group := kinds(t)
	for _, name := range []string{"rfc", "interop"} {
		d, _ := scim.DialectNamed(name)
		ctx := scimserver.WithClient(t.Context(), scimserver.Client{Dialect: d})
		s := memory.New(reg, memory.Options{})
		ann, err := s.Create(ctx, user, map[string]any{"userName": "ann"})
		if err != nil {
			t.Fatal(err)
		}
		want := 400
		if d.UnresolvedReferences {
			want = 0
		}
		managed := func(id string) map[string]any {
			return map[string]any{"userName": "bob" + id, scim.URNEnterprise: map[string]any{"manager": map[string]any{"value": id}}}
		}
		if _, err := s.Create(ctx, user, managed("nobody")); status(err) != want {
			t.Errorf("%s: unknown manager: %v", name, err)
		}
		if _, err := s.Create(ctx, user, managed(ann.ID)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		g, err := s.Create(ctx, group, map[string]any{"displayName": "g", "members": members(ann.ID)})
		if err != nil {
			t.Fatal(err)
		}
		replace := scim.Change{Replace: map[string]any{"displayName": "g", "members": members(ann.ID, "nobody")}}
		if _, err := s.Modify(ctx, group, g.ID, scimserver.Precondition{}, replace, scim.Fields{}); status(err) != want {
			t.Errorf("%s: unknown member: %v", name, err)
		}
	}
}
