package store_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// noon is when clocks of tests start.
func noon() time.Time { return time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) }

func userType(t testing.TB) *scim.ResourceType  { return typeOf(t, "User") }
func groupType(t testing.TB) *scim.ResourceType { return typeOf(t, "Group") }

func typeOf(t testing.TB, name string) *scim.ResourceType {
	t.Helper()
	rt, ok := scim.DefaultRegistry().Type(name)
	if !ok {
		t.Fatalf("there is no resource type %s", name)
	}
	return rt
}

func filterOf(t testing.TB, rt *scim.ResourceType, text string) scim.Filter {
	t.Helper()
	f, err := scim.ParseFilter(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	bound, err := scim.Bind(f, rt)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return bound
}

// newUser is the write that makes a user of source hr with an identity of their own.
func newUser(t testing.TB, id, userName string, attrs map[string]any) store.ResourceWrite {
	t.Helper()
	all := map[string]any{"schemas": []any{scim.URNUser}, "userName": userName}
	maps.Copy(all, attrs)
	return store.ResourceWrite{
		Source: "hr", Actor: "source hr/main", Type: userType(t), Action: "create", Identity: "i-" + id, NewIdentity: true,
		Marks: []string{"i-" + id}, Data: map[string]any{"userName": userName},
		Resource: scim.Resource{ID: id, Type: "User", Attrs: all, Meta: scim.Meta{Created: noon(), LastModified: noon(), Version: 1}},
	}
}

func newGroup(t testing.TB, id, display string, members ...store.Member) store.ResourceWrite {
	t.Helper()
	return store.ResourceWrite{
		Source: "hr", Actor: "source hr/main", Type: groupType(t), Action: "create", Joined: members,
		Resource: scim.Resource{ID: id, Type: "Group", Attrs: map[string]any{"schemas": []any{scim.URNGroup}, "displayName": display},
			Meta: scim.Meta{Created: noon(), LastModified: noon(), Version: 1}},
	}
}

// create stores writes one by one.
func create(t testing.TB, db *storetest.DB, writes ...store.ResourceWrite) {
	t.Helper()
	for _, w := range writes {
		if err := db.CreateResource(t.Context(), w); err != nil {
			t.Fatalf("create %s: %v", w.Resource.ID, err)
		}
	}
}

func update(t testing.TB, db *storetest.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// list gives the ids on a page and the total.
func list(t testing.TB, db *storetest.DB, source string, rt *scim.ResourceType, q scim.Query) (ids []string, total int) {
	t.Helper()
	page, err := db.Resources(t.Context(), source, rt, q)
	if err != nil {
		t.Fatalf("list %v: %v", q.Filter, err)
	}
	for _, r := range page.Resources {
		ids = append(ids, r.ID)
	}
	return ids, page.Total
}

func verifyAudit(t testing.TB, db *storetest.DB) int64 {
	t.Helper()
	n, faults, err := db.VerifyAudit(t.Context())
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if len(faults) > 0 {
		t.Errorf("the audit chain has faults nobody made: %v", faults)
	}
	return n
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%06d", prefix, n) }
