package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestIdentityComesBack(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		create(t, db, newUser(t, "u1", "Ada@X", nil))
		at := noon().Add(time.Hour)
		want := store.IdentityRow{ID: "i-u1", Name: "Ada L. ünï", Stage: model.Leaver, Version: 3, CreatedAt: noon(), EvaluatedAt: &at, NextAt: &at, LeftAt: &at,
			LeftSource: "hr", OverGuard: true, User: map[string]any{"userName": "Ada@X", "level": int64(1<<53 + 1)}, Origin: map[string]string{"userName": "hr"}, Findings: []string{"a \"finding\""}}
		update(t, db, func(tx *store.Tx) error { return tx.SaveIdentity(want) })
		for _, name := range []string{"i-u1", "ada l. ünï", "ADA L. ÜNÏ"} {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				got, err := tx.FindIdentity(name)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s:\n%s", name, diff)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		twin := newUser(t, "u2", "ada L. ünï", nil)
		create(t, db, twin)
		err := db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.FindIdentity("ada l. ünï"); return err })
		if model.CodeOf(err) != model.Conflict {
			t.Errorf("two of one name: %v", err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error { _, err := tx.FindIdentity("nobody"); return err })
		if model.CodeOf(err) != model.NotFound {
			t.Errorf("nobody: %v", err)
		}
		left, people := 0, 0
		update(t, db, func(tx *store.Tx) (err error) { left, people, err = tx.Left("hr", noon()); return err })
		if left != 1 || people != 2 {
			t.Errorf("%d left of %d", left, people)
		}
		update(t, db, func(tx *store.Tx) (err error) { left, _, err = tx.Left("hr", at); return err })
		if left != 0 {
			t.Errorf("%d left after the moment itself", left)
		}
	})
}

func TestIdentityPages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for i := range 7 {
			create(t, db, newUser(t, numbered("u", i), []string{"Zoë", "zoe", "a b", `a"b`, "a'b", "ß", "Ａ"}[i], nil))
		}
		var got []string
		cursor := ""
		for range 9 {
			page, next, err := db.Identities(t.Context(), "", cursor, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page {
				got = append(got, i.Name)
			}
			if cursor = next; next == "" {
				break
			}
		}
		byKey := func(a, b string) int { return strings.Compare(scim.Fold(a), scim.Fold(b)) }
		if len(got) != 7 || !slices.IsSortedFunc(got, byKey) { // without regard to case, as people look for names
			t.Errorf("pages %q", got)
		}
		page, _, err := db.Identities(t.Context(), "ZO", "", 10)
		if err != nil || len(page) != 2 {
			t.Errorf("prefix ZO: %v %v", page, err)
		}
		if _, _, err := db.Identities(t.Context(), "", "{", 10); model.CodeOf(err) != model.Invalid {
			t.Errorf("bad cursor: %v", err)
		}
		ids, err := db.IdentityIDs(t.Context(), "i-u000004", 10)
		if diff := cmp.Diff([]string{"i-u000005", "i-u000006"}, ids); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestFactsAndOrphans(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		second := newUser(t, "u2", "ada", nil)
		second.Source, second.Identity, second.NewIdentity = "okta", "i-u1", false
		foreign := newGroup(t, "g9", "foreign", store.Member{ID: "u1"})
		foreign.Source = "okta"
		create(t, db, newUser(t, "u1", "Ada", nil), second, newUser(t, "u3", "bob", nil), foreign,
			newGroup(t, "g1", "team b", store.Member{ID: "u1"}), newGroup(t, "g2", "team a", store.Member{ID: "u1"}, store.Member{ID: "u3"}))
		err := db.View(t.Context(), func(tx *store.Tx) error {
			f, err := tx.Facts([]string{"i-u1", "i-none"})
			if err != nil {
				return err
			}
			if len(f.Rows) != 1 || len(f.Users["i-u1"]) != 2 || f.Users["i-u1"][0].Source != "hr" {
				t.Errorf("rows %v users %v", f.Rows, f.Users)
			}
			want := []model.Membership{{Source: "hr", GroupID: "g2", Display: "team a"}, {Source: "hr", GroupID: "g1", Display: "team b"}}
			if diff := cmp.Diff(want, f.Groups["i-u1"]); diff != "" {
				t.Errorf("groups:\n%s", diff)
			}
			found, err := tx.FindLinkable("okta", userType(t), filterOf(t, userType(t), `userName eq "BOB"`))
			if diff := cmp.Diff([]string{"i-u3"}, found); diff != "" {
				t.Errorf("linkable: %s", diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		orphan := func() string {
			t.Helper()
			id, err := db.Returning(t.Context(), "hr", "ADA", "")
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		remove := func(w store.ResourceWrite) {
			t.Helper()
			w.Action = "delete"
			update(t, db, func(tx *store.Tx) error { return tx.DeleteResource(w) })
		}
		remove(newUser(t, "u1", "Ada", nil))
		if id := orphan(); id != "" {
			t.Errorf("%s still has a resource", id)
		}
		remove(second)
		if id := orphan(); id != "i-u1" {
			t.Errorf("orphan %q", id)
		}
		db.Exec(t, `UPDATE identities SET erased_at = 1 WHERE id = ?`, "i-u1")
		if id := orphan(); id != "" {
			t.Errorf("%s was erased and must not come back", id)
		}
	})
}

func TestGrantsHistory(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		until := noon().Add(24 * time.Hour)
		grant := model.Grant{Identity: "i1", Role: "eng", ApprovedBy: "boss", From: noon(), Until: &until,
			Because: []model.Reason{{Role: "eng", Rule: `user.title == "x"`, Facts: map[string]any{"title": "x"}, Version: 1}}}
		update(t, db, func(tx *store.Tx) error { return tx.AddGrant(grant, 1) })
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AddGrant(grant, 1) }); err == nil {
			t.Error("one role was granted twice at a time")
		}
		clock.Add(time.Hour)
		newer := grant
		newer.Because = []model.Reason{{Role: "eng", Rule: "user.active", Version: 2}}
		update(t, db, func(tx *store.Tx) error { return tx.SetGrantReasons(newer) })
		clock.Add(time.Hour)
		update(t, db, func(tx *store.Tx) error { return tx.EndGrant("i1", "eng") })
		clock.Add(time.Hour)
		again := newer
		again.From = clock.Now()
		update(t, db, func(tx *store.Tx) error { return tx.AddGrant(again, 2) })
		at := func(when time.Time) []model.Grant {
			t.Helper()
			var out map[string][]model.Grant
			err := db.View(t.Context(), func(tx *store.Tx) (err error) { out, err = tx.GrantsAt([]string{"i1", "i2"}, when); return err })
			if err != nil {
				t.Fatal(err)
			}
			return out["i1"]
		}
		for when, want := range map[time.Duration]string{-time.Second: "", 0: "12:00", time.Hour: "12:00", 2*time.Hour - time.Second: "12:00", 2 * time.Hour: "",
			3*time.Hour - time.Second: "", 3 * time.Hour: "15:00", 99 * time.Hour: "15:00"} {
			got := ""
			for _, g := range at(noon().Add(when)) {
				got += g.From.Format("15:04")
			}
			if got != want {
				t.Errorf("%s after noon the grant from %q was held, want %q", when, got, want)
			}
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			now, err := tx.Grants([]string{"i1"})
			if diff := cmp.Diff([]model.Grant{again}, now["i1"]); diff != "" {
				t.Errorf("held now:\n%s", diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := db.Int(t, `SELECT count(*) FROM grants`); n != 2 {
			t.Errorf("%d rows of history", n)
		}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for i := range 3 {
			update(t, db, func(tx *store.Tx) error {
				return tx.AddEvent(store.Event{Type: fmt.Sprint("identity.", i), Source: "hr", Identity: "i1", Data: map[string]any{"n": i}})
			})
		}
		got := db.Strings(t, `SELECT type FROM events WHERE identity_id = ? ORDER BY id`, "i1")
		if diff := cmp.Diff([]string{"identity.0", "identity.1", "identity.2"}, got); diff != "" {
			t.Error(diff)
		}
	})
}
