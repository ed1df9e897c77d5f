package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func sortOf(t testing.TB, rt *scim.ResourceType, by, order string) *scim.Sort {
	t.Helper()
	s, err := rt.ParseSort(by, order)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestForeignPositions: what is no position of this list is refused as such,
// whatever it is, and never reaches the database.
func TestForeignPositions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada", map[string]any{"active": true}), newUser(t, "u2", "bob", nil))
		user := userType(t)
		title, active, created := sortOf(t, user, "title", ""), sortOf(t, user, "active", ""), sortOf(t, user, "meta.created", "")
		for _, tt := range []struct {
			sort  *scim.Sort
			after string
		}{
			{nil, `x`}, {nil, `[]`}, {nil, `[""]`}, {nil, `[1]`}, {nil, `["a","b"]`}, {nil, `["a"] 1`}, {nil, `["a\u0000"]`}, {nil, `{"a":1}`}, {nil, `null`}, {nil, ``},
			{title, `["u1"]`}, {title, `["u1",1]`}, {title, `["u1",true]`}, {title, `["u1","a\u0000"]`}, {title, `["u1",["x"]]`},
			{active, `["u1","true"]`}, {active, `["u1",1]`}, {created, `["u1",1.5]`}, {created, `["u1",99999999999999999999]`}, {created, `["u1","1"]`},
		} {
			_, err := db.Resources(t.Context(), "hr", user, scim.Query{StartIndex: 1, Count: 1, ByCursor: true, Sort: tt.sort, After: tt.after})
			if e, ok := scim.AsError(err); tt.after != "" && (!ok || e.Status != 400 || e.Type != "invalidCursor") {
				t.Errorf("%s: %v", tt.after, err)
			}
		}
		for _, count := range []int{0, 1, 2, 3} {
			page, err := db.Resources(t.Context(), "hr", user, scim.Query{StartIndex: 1, Count: count, ByCursor: true})
			if err != nil || page.Total != 2 || len(page.Resources) != min(count, 2) || (page.Next != "") != (count == 1) {
				t.Errorf("count %d: %d of %d, next %q, %v", count, len(page.Resources), page.Total, page.Next, err)
			}
		}
	})
}

// TestPositionsWhileOthersWrite: whoever exists from the first page to the last is
// seen exactly once, whatever comes and goes meanwhile.
func TestPositionsWhileOthersWrite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		const people = 60
		update(t, db, func(tx *store.Tx) error {
			for i := range people {
				if err := tx.CreateResource(newUser(t, numbered("u", 10*i), fmt.Sprint("name", i*37%people), nil)); err != nil {
					return err
				}
			}
			return nil
		})
		for _, sort := range []*scim.Sort{nil, sortOf(t, userType(t), "userName", "descending")} {
			var wg sync.WaitGroup
			seen := map[string]int{}
			stop := make(chan struct{})
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					w := newUser(t, numbered("u", 10*(i%people)+1+i%9), fmt.Sprint("other", i), nil)
					w.Identity = fmt.Sprint(w.Identity, i, sort == nil)
					if err := db.CreateResource(t.Context(), w); err != nil {
						t.Error(err)
						return
					}
					w.Action = "delete"
					if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.DeleteResource(w) }); err != nil {
						t.Error(err)
						return
					}
				}
			})
			q := scim.Query{StartIndex: 1, Count: 7, ByCursor: true, Sort: sort}
			for {
				page, err := db.Resources(t.Context(), "hr", userType(t), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Resources {
					seen[r.ID]++
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			close(stop)
			wg.Wait()
			for i := range people {
				if n := seen[numbered("u", 10*i)]; n != 1 {
					t.Errorf("sorted %t: user %d was seen %d times", sort != nil, i, n)
				}
			}
		}
	})
}

// TestLookUps: what identity providers match by is found by an index, and exactly.
func TestLookUps(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		long := strings.Repeat("x", 300) + "@example.com"
		emails := func(pairs ...string) map[string]any {
			var list []any
			for i := 0; i < len(pairs); i += 2 {
				list = append(list, map[string]any{"type": pairs[i], "value": pairs[i+1]})
			}
			return map[string]any{"emails": list}
		}
		create(t, db, newUser(t, "u1", "ada", emails("work", "Ada@X", "home", "shared@x", "other", "Ada@X")), newUser(t, "u2", "bob", emails("home", "ada@x", "work", "shared@x")),
			newUser(t, "u3", "eve", emails("work", long)), newGroup(t, "g1", "Team", store.Member{ID: "u1"}), newGroup(t, "g2", "team", store.Member{ID: "g1"}), newGroup(t, "g3", "other"))
		foreign := newGroup(t, "f1", "theirs", store.Member{ID: "u1"})
		foreign.Source = "okta"
		create(t, db, foreign)
		check := func(rt *scim.ResourceType, filter string, want ...string) {
			t.Helper()
			ids, n := list(t, db, "hr", rt, scim.Query{Filter: filterOf(t, rt, filter), StartIndex: 1, Count: 10})
			if !slices.Equal(ids, want) || n != len(want) {
				t.Errorf("%.80s: %v of %d, want %v", filter, ids, n, want)
			}
		}
		user, group := userType(t), groupType(t)
		check(user, `emails.value eq "ADA@x"`, "u1", "u2")
		check(user, `emails eq "ada@x"`, "u1", "u2")
		check(user, `emails[type eq "work" and value eq "ada@x"]`, "u1")
		check(user, `emails[type eq "work"].value eq "shared@x"`, "u2")
		check(user, `emails.value eq "`+long+`"`, "u3")
		check(user, `emails.value eq "ada@x" or userName eq "eve" or id eq "u2"`, "u1", "u2", "u3")
		check(user, `not (emails.value eq "ada@x")`, "u3")
		check(user, `emails.value eq "ada@x" and not (emails.value eq "shared@x")`)
		check(user, `groups.value eq "g1"`, "u1")
		check(user, `groups eq "g2"`, "u1")
		check(user, `groups[value eq "g2" and type eq "indirect"]`, "u1")
		check(user, `groups[value eq "g2" and type eq "direct"]`)
		check(user, `groups.value eq "g2" or groups.value eq "g3"`, "u1")
		check(user, `groups.value eq "f1"`)
		check(user, `not (groups.value eq "g2")`, "u2", "u3")
		check(group, `displayName eq "TEAM"`, "g1", "g2")
		check(group, `members eq "u1" and id eq "g1"`, "g1")
		check(group, `members[value eq "g1"]`, "g2")

		change := newUser(t, "u1", "ada", emails("work", "new@x", "home", "shared@x"))
		change.Action, change.NewIdentity = "modify", false
		update(t, db, func(tx *store.Tx) error { return tx.ModifyResource(change) })
		check(user, `emails eq "ada@x"`, "u2")
		check(user, `emails eq "new@x"`, "u1")
		again := change
		again.Before, again.Resource.Attrs = change.Resource.Attrs, emails("home", "Last@x")
		update(t, db, func(tx *store.Tx) error { return tx.ModifyResource(again) })
		check(user, `emails eq "new@x"`)
		check(user, `emails eq "last@x"`, "u1")
		change.Action = "delete"
		update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(change) })
		if n := db.Int(t, `SELECT count(*) FROM resource_values WHERE resource_id = 'u1'`); n != 0 {
			t.Errorf("%d values of a user who is gone", n)
		}
	})
}

// TestDeclaredUnique: a schema of one's own declares attributes unique, at the top and
// below, and so they are, within a source, until their holder goes.
func TestDeclaredUnique(t *testing.T) {
	t.Parallel()
	badge := &scim.Attribute{Name: "badge", Uniqueness: "server"}
	phone := &scim.Attribute{Name: "lines", Type: scim.TypeComplex, MultiValued: true, Sub: []*scim.Attribute{{Name: "number", Type: scim.TypeInteger, Uniqueness: "global"}}}
	acme := &scim.Schema{ID: "urn:acme:unique:2.0:User", Name: "Unique", Attributes: []*scim.Attribute{badge, phone}}
	r, err := scim.NewRegistry(&scim.ResourceType{Name: "User", Endpoint: "/Users", Schema: userType(t).Schema, Extensions: []scim.Extension{{Schema: acme}}})
	if err != nil {
		t.Fatal(err)
	}
	user, _ := r.Type("User")
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		person := func(id, badge string, lines ...int64) store.ResourceWrite {
			ext := map[string]any{}
			if badge != "" {
				ext["badge"] = badge
			}
			var list []any
			for _, n := range lines {
				list = append(list, map[string]any{"number": n})
			}
			if list != nil {
				ext["lines"] = list
			}
			w := newUser(t, id, id, map[string]any{acme.ID: ext})
			w.Type = user
			return w
		}
		refused := func(w store.ResourceWrite, attr string) {
			t.Helper()
			err := db.CreateResource(t.Context(), w)
			taken, ok := asTaken(err)
			if !ok || taken != attr {
				t.Errorf("%s: %v, want a conflict of %s", w.Resource.ID, err, attr)
			}
		}
		long := strings.Repeat("B", 9000)
		create(t, db, person("u1", "B-1", 7, 8), person("u2", "", 9), person("u3", long))
		refused(person("x1", "b-1"), "urn:acme:unique:2.0:User:badge")
		refused(person("x2", "b-2", 1, 8), "urn:acme:unique:2.0:User:lines.number")
		refused(person("x3", strings.ToLower(long)), "urn:acme:unique:2.0:User:badge")
		refused(person("U1", "b-3"), "userName")
		elsewhere := person("x4", "b-1", 7)
		elsewhere.Source = "okta"
		create(t, db, elsewhere, person("u4", long+"B"))
		move := person("u2", "b-1", 9)
		move.Action, move.NewIdentity = "modify", false
		if _, ok := asTaken(db.Update(t.Context(), func(tx *store.Tx) error { return tx.ModifyResource(move) })); !ok {
			t.Error("changed to a taken value")
		}
		gone := person("u1", "B-1", 7, 8)
		gone.Action = "delete"
		update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(gone) })
		update(t, db, func(tx *store.Tx) error { return tx.ModifyResource(move) })
		ids, _ := list(t, db, "hr", user, scim.Query{Filter: filterOf(t, user, acme.ID+`:badge eq "b-1" or `+acme.ID+`:lines.number eq 9`), StartIndex: 1, Count: 9})
		if diff := cmp.Diff([]string{"u2"}, ids); diff != "" {
			t.Error(diff)
		}
	})
}

func asTaken(err error) (string, bool) {
	taken, ok := errors.AsType[*store.TakenError](err)
	if !ok {
		return "", false
	}
	return taken.Attribute, true
}

// TestLongValues: no value is too long for an index.
func TestLongValues(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		var b strings.Builder // nothing that a database could compress
		for i := range 20_000 {
			fmt.Fprintf(&b, "%x", i*i*2654435761)
		}
		text := b.String()
		create(t, db, newUser(t, "u1", text, map[string]any{"externalId": text, "emails": []any{map[string]any{"value": text}}}), newUser(t, "u2", text+"x", map[string]any{"externalId": text + "x"}))
		if _, ok := asTaken(db.CreateResource(t.Context(), newUser(t, "u3", strings.ToUpper(text), nil))); !ok {
			t.Error("a long name was given twice")
		}
		for _, attr := range []string{"userName", "externalId", "emails.value"} {
			p, _ := scim.ParsePath(attr)
			f, err := scim.Bind(scim.Compare{Path: p, Op: scim.Eq, Value: text}, userType(t))
			if err != nil {
				t.Fatal(err)
			}
			if ids, _ := list(t, db, "hr", userType(t), scim.Query{Filter: f, StartIndex: 1, Count: 9}); !slices.Equal(ids, []string{"u1"}) {
				t.Errorf("%s finds %v", attr, ids)
			}
		}
	})
}
