package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func all() scim.Fields { return scim.Fields{} }

func TestWriteIsOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		w := newUser(t, "u1", "ada", map[string]any{"password": "never kept? the caller's duty", "active": true})
		delete(w.Resource.Attrs, "password")
		create(t, db, w)
		got, err := db.Resource(t.Context(), "hr", w.Type, "u1", all())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.Resource, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		wrote := func(when string, events, audit, marks, n int) {
			t.Helper()
			have := []int{db.Int(t, `SELECT count(*) FROM events`), db.Int(t, `SELECT count(*) FROM audit`), db.Int(t, `SELECT count(*) FROM marks`),
				db.Int(t, `SELECT coalesce(sum(n), 0) FROM resource_counts`)}
			if diff := cmp.Diff([]int{events, audit, marks, n}, have); diff != "" {
				t.Errorf("after %s, events, audit entries, marks, resources:\n%s", when, diff)
			}
		}
		wrote("create", 1, 1, 1, 1)
		mark := db.Int(t, `SELECT generation FROM marks`)
		w.Action, w.NewIdentity, w.Urgent, w.Resource.Meta.Version = "modify", false, true, 2
		w.Resource.Attrs["active"] = false
		update(t, db, func(tx *store.Tx) error { return tx.ModifyResource(w) })
		wrote("modify", 2, 2, 1, 1)
		if now := db.Int(t, `SELECT generation FROM marks`); now <= mark {
			t.Errorf("the mark's generation is %d after %d", now, mark)
		}
		if n := db.Int(t, `SELECT count(*) FROM marks WHERE CAST(urgent AS integer) = 1`); n != 1 {
			t.Error("the mark is not urgent")
		}
		w.Action = "delete"
		update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(w) })
		wrote("delete", 3, 3, 1, 0)
		if _, err := db.Resource(t.Context(), "hr", w.Type, "u1", all()); status(err) != 404 {
			t.Errorf("read after delete: %v", err)
		}
		if n := verifyAudit(t, db); n != 3 {
			t.Errorf("%d audit entries verified, want 3", n)
		}
	})
}

func status(err error) int {
	e, ok := scim.AsError(err)
	if !ok {
		return 0
	}
	return e.Status
}

// TestFailedWriteLeavesNothing: whatever fails last, nothing of the write stays.
func TestFailedWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		db.Exec(t, `DROP TABLE events`)
		members := make([]store.Member, 6000) // more than fits one statement
		for i := range members {
			members[i] = store.Member{ID: numbered("u", i)}
		}
		for _, w := range []store.ResourceWrite{newUser(t, "u1", "ada", nil), newGroup(t, "g1", "all", members...)} {
			if err := db.CreateResource(t.Context(), w); err == nil {
				t.Fatal("written without its event")
			}
		}
		for _, table := range []string{"resources", "identities", "audit", "marks", "resource_counts", "group_members"} {
			if n := db.Int(t, `SELECT count(*) FROM `+table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})
}

func TestUserNameIsUnique(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "Ada@Example.com", nil), newUser(t, "u2", "bob", nil))
		same := newUser(t, "u3", "aDA@example.COM", nil)
		if err := db.CreateResource(t.Context(), same); model.CodeOf(err) != model.Conflict {
			t.Errorf("the same name in other letters: %v", err)
		}
		same.Source = "okta"
		if err := db.CreateResource(t.Context(), same); err != nil {
			t.Errorf("the same name at another source: %v", err)
		}
		rename := newUser(t, "u2", "ADA@example.com", nil)
		rename.Action, rename.NewIdentity = "modify", false
		err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.ModifyResource(rename) })
		if model.CodeOf(err) != model.Conflict {
			t.Errorf("renamed to a taken name: %v", err)
		}
		if ids, n := list(t, db, "hr", userType(t), scim.Query{StartIndex: 1, Count: 10}); n != 2 || len(ids) != 2 {
			t.Errorf("%d of %d users", len(ids), n)
		}
		create(t, db, newGroup(t, "g1", "team"), newGroup(t, "g2", "team")) // names of groups are not unique
	})
}

// TestModifyLosesNothing: every concurrent read-and-write is there in the end.
func TestModifyLosesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada", map[string]any{"title": ""}))
		const writers, rounds = 4, 10
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				for range rounds {
					errs[i] = errors.Join(errs[i], db.Update(t.Context(), func(tx *store.Tx) error {
						h, err := tx.ResourceForUpdate("hr", userType(t), "u1", nil, false, all())
						if err != nil {
							return err
						}
						title, _ := h.Resource.Attrs["title"].(string)
						h.Resource.Attrs["title"] = title + string(rune('a'+i))
						h.Resource.Meta.Version++
						return tx.ModifyResource(store.ResourceWrite{Source: "hr", Type: userType(t), Action: "modify", Resource: h.Resource, Identity: h.Identity, Marks: []string{h.Identity}})
					}))
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		r, err := db.Resource(t.Context(), "hr", userType(t), "u1", all())
		if err != nil {
			t.Fatal(err)
		}
		title, _ := r.Attrs["title"].(string)
		for i := range writers {
			if n := strings.Count(title, string(rune('a'+i))); n != rounds {
				t.Errorf("%d of %d changes of writer %d are left", n, rounds, i)
			}
		}
		if r.Meta.Version != 1+writers*rounds {
			t.Errorf("version %d", r.Meta.Version)
		}
		if n := verifyAudit(t, db); n != 1+writers*rounds {
			t.Errorf("%d audit entries", n)
		}
	})
}

func TestMembersAreRows(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada", nil), newUser(t, "u2", "bob", nil),
			newGroup(t, "g1", "team", store.Member{ID: "u1", Type: "User", Display: "Ada"}, store.Member{ID: "u2"}, store.Member{ID: "nobody"}))
		values := func() []string {
			t.Helper()
			g, err := db.Resource(t.Context(), "hr", groupType(t), "g1", all())
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, m := range members(g.Attrs) {
				out = append(out, m.ID+"/"+m.Type+"/"+m.Display)
			}
			return out
		}
		if diff := cmp.Diff([]string{"nobody//", "u1/User/Ada", "u2//"}, values()); diff != "" {
			t.Error(diff)
		}
		change := newGroup(t, "g1", "team", store.Member{ID: "u3"}, store.Member{ID: "u1", Type: "User", Display: "Ada L."})
		change.Action, change.Parted = "modify", []string{"u2", "nobody", "never there"}
		update(t, db, func(tx *store.Tx) error {
			h, err := tx.ResourceForUpdate("hr", change.Type, "g1", []string{"u2", "u9"}, false, all())
			if err != nil {
				return err
			}
			if got := members(h.Resource.Attrs); len(got) != 1 || got[0].ID != "u2" {
				t.Errorf("loaded %v, want u2 alone", got)
			}
			return tx.ModifyResource(change)
		})
		if diff := cmp.Diff([]string{"u1/User/Ada L.", "u3//"}, values()); diff != "" {
			t.Error(diff)
		}
		u, err := db.Resource(t.Context(), "hr", userType(t), "u1", all())
		if err != nil {
			t.Fatal(err)
		}
		want := []any{map[string]any{"value": "g1", "display": "team", "type": "direct"}}
		if diff := cmp.Diff(want, u.Attrs["groups"]); diff != "" {
			t.Errorf("groups of a user:\n%s", diff)
		}
		without := scim.Fields{Exclude: []scim.Path{{Attr: "members"}}}
		if g, err := db.Resource(t.Context(), "hr", groupType(t), "g1", without); err != nil || g.Attrs["members"] != nil {
			t.Errorf("members that nobody asked for: %v %v", g.Attrs["members"], err)
		}
		gone := newUser(t, "u1", "ada", nil)
		gone.Action = "delete"
		update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(gone) })
		if diff := cmp.Diff([]string{"u3//"}, values()); diff != "" {
			t.Errorf("after a member was deleted:\n%s", diff)
		}
		change.Action = "delete"
		update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(change) })
		if n := db.Int(t, `SELECT count(*) FROM group_members`); n != 0 {
			t.Errorf("%d memberships of a group that is gone", n)
		}
	})
}

// TestSourcesSeeTheirOwn: reading, locking, listing, groups and identities.
func TestSourcesSeeTheirOwn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		foreign := newGroup(t, "g1", "spies", store.Member{ID: "u1"})
		foreign.Source = "okta"
		create(t, db, newUser(t, "u1", "ada", nil), foreign)
		for _, id := range []string{"g1", "none", ""} {
			if _, err := db.Resource(t.Context(), "hr", groupType(t), id, all()); status(err) != 404 {
				t.Errorf("group %q read by hr: %v", id, err)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ResourceForUpdate("okta", userType(t), "u1", nil, false, all())
			return err
		})
		if status(err) != 404 {
			t.Errorf("user of hr locked by okta: %v", err)
		}
		if u, err := db.Resource(t.Context(), "hr", userType(t), "u1", all()); err != nil || u.Attrs["groups"] != nil {
			t.Errorf("groups that another source wrote: %v %v", u.Attrs["groups"], err)
		}
		update(t, db, func(tx *store.Tx) error {
			got, err := tx.References("okta", []string{"u1"})
			if len(got) > 0 {
				t.Errorf("okta finds users of hr: %v", got)
			}
			if err != nil {
				return err
			}
			return tx.MarkMembers("g1")
		})
		if n := db.Int(t, `SELECT count(*) FROM marks`); n != 1 { // the one of the create
			t.Errorf("%d marks", n)
		}
	})
}

func TestPagesAndTotals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		var want []string
		update(t, db, func(tx *store.Tx) error {
			want = nil
			for i := range 25 {
				w := newUser(t, numbered("u", i), numbered("user", i), map[string]any{"active": i%2 == 0})
				want = append(want, w.Resource.ID)
				if err := tx.CreateResource(w); err != nil {
					return err
				}
			}
			return nil
		})
		active := filterOf(t, userType(t), `active eq true`)
		for _, tt := range []struct {
			f               scim.Filter
			start, count, n int
			first           string
			total           int
		}{
			{nil, 1, 10, 10, want[0], 25}, {nil, 21, 10, 5, want[20], 25}, {nil, 26, 10, 0, "", 25}, {nil, 1, 0, 0, "", 25},
			{nil, 1, 25, 25, want[0], 25}, {nil, 1 << 40, 10, 0, "", 25}, {active, 1, 5, 5, want[0], 13}, {active, 11, 5, 3, want[20], 13},
			{active, 14, 5, 0, "", 13}, {active, 1, 0, 0, "", 13}, {active, 1, 13, 13, want[0], 13}, {filterOf(t, userType(t), `userName eq "nobody"`), 1, 5, 0, "", 0},
		} {
			ids, total := list(t, db, "hr", userType(t), scim.Query{Filter: tt.f, StartIndex: tt.start, Count: tt.count})
			if len(ids) != tt.n || total != tt.total || tt.n > 0 && ids[0] != tt.first {
				t.Errorf("filter %v, %d from %d: %v of %d, want %d of %d beginning with %s", tt.f, tt.count, tt.start, ids, total, tt.n, tt.total, tt.first)
			}
		}
		// New ones come behind, so that pages under way do not move.
		var got []string
		for start := 1; ; start += 7 {
			ids, _ := list(t, db, "hr", userType(t), scim.Query{StartIndex: start, Count: 7})
			if len(ids) == 0 {
				break
			}
			got = append(got, ids...)
			if start < 22 {
				w := newUser(t, numbered("v", start), numbered("late", start), nil)
				create(t, db, w)
				want = append(want, w.Resource.ID)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages:\n%s", diff)
		}
	})
}

func TestOddTextsComeBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for i, text := range append(texts(), strings.Repeat("long", 20_000), "<&>\u2029", `"`, `\`, `\\"`) {
			id := numbered("u", i)
			w := newUser(t, id, text+id, map[string]any{"title": text, "externalId": text, "name": map[string]any{"familyName": text}})
			create(t, db, w)
			got, err := db.Resource(t.Context(), "hr", w.Type, id, all())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w.Resource.Attrs, got.Attrs); diff != "" {
				t.Errorf("%.40q came back as:\n%s", text, diff)
			}
			for _, path := range []string{"title", "externalId", "name.familyName"} {
				p, _ := scim.ParsePath(path)
				f, err := scim.Bind(scim.Compare{Path: p, Op: scim.Eq, Value: text}, w.Type)
				if err != nil {
					t.Fatal(err)
				}
				if ids, _ := list(t, db, "hr", w.Type, scim.Query{Filter: f, StartIndex: 1, Count: 100}); !slices.Contains(ids, id) {
					t.Errorf("%s eq %.40q finds %v", path, text, ids)
				}
			}
		}
	})
}

// TestViewIsOneState: what commits meanwhile is not seen.
func TestViewIsOneState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		create(t, db, newUser(t, "u1", "ada", nil))
		err := db.View(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Identity("i-u1"); err != nil {
				return err
			}
			create(t, db, newUser(t, "u2", "bob", nil))
			if _, err := tx.Identity("i-u2"); model.CodeOf(err) != model.NotFound {
				t.Errorf("a later commit is seen: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error { return tx.Mark(false, "i-u1") })
		if err == nil {
			t.Error("a view could write")
		}
	})
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.CreateResource(ctx, newUser(t, "u1", "ada", nil)); !errors.Is(err, context.Canceled) {
			t.Errorf("create: %v", err)
		}
		if _, err := db.Resources(ctx, "hr", userType(t), scim.Query{StartIndex: 1, Count: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("list: %v", err)
		}
		if n := db.Int(t, `SELECT count(*) FROM resources`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}
