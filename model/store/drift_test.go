package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// applied makes people whose accounts are as wanted, by the ids r-<identity>.
func applied(t *testing.T, db *storetest.DB, identities ...string) {
	t.Helper()
	var out []store.Settlement
	for _, id := range identities {
		setDesired(t, db, desired(id))
		row := accountOf(t, db, id)
		row.RemoteID, row.Owned, row.Applied, row.Observed = "r-"+id, model.OwnedCreated, row.Desired, row.Desired
		row.State, row.Due = model.StateInSync, false
		out = append(out, store.Settlement{Row: row})
	}
	if err := db.Settle(t.Context(), "git", out); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, db *storetest.DB, l store.Look) {
	t.Helper()
	if err := db.SaveLook(t.Context(), "git", l); err != nil {
		t.Fatal(err)
	}
}

func remoteIDs(rows []model.AccountRow) (out []string) {
	for _, r := range rows {
		out = append(out, r.RemoteID)
	}
	return out
}

// TestSeenAndUnseen: who was shown is noted in the rows, and who was not is listed.
func TestSeenAndUnseen(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		applied(t, db, "a", "b", "c", "d")
		clock.Add(time.Minute)
		began := clock.Now()
		clock.Add(time.Minute)
		setDesired(t, db, desired("e")) // awaited
		look(t, db, store.Look{Began: began, Seen: []string{"a", "b"}, Same: []string{"a"}})
		rows, err := db.UnseenAccounts(t.Context(), "git", began, "", 10)
		if err != nil || !slices.Equal(remoteIDs(rows), []string{"r-c", "r-d"}) {
			t.Errorf("unseen: %v, %v", remoteIDs(rows), err)
		}
		if rows, err = db.UnseenAccounts(t.Context(), "git", began, "c", 10); err != nil || !slices.Equal(remoteIDs(rows), []string{"r-d"}) {
			t.Errorf("unseen after c: %v, %v", remoteIDs(rows), err)
		}
		known, seen, err := db.KnownAccounts(t.Context(), "git", began)
		if err != nil || known != 4 || seen != 2 {
			t.Errorf("%d of %d known were seen, want 2 of 4: %v", seen, known, err)
		}
		if a := accountOf(t, db, "a"); a.VerifiedAt == nil || !a.VerifiedAt.Equal(clock.Now()) || !a.UpdatedAt.Before(began) {
			t.Errorf("verified %v, updated %v", a.VerifiedAt, a.UpdatedAt)
		}
		ids, err := db.Witnesses(t.Context(), "git", "a", &began, 3)
		if err != nil || !slices.Equal(ids, []string{"r-b"}) {
			t.Errorf("witnesses: %v, %v", ids, err)
		}
		awaited, err := db.AwaitedAccounts(t.Context(), "git", "", 10)
		if err != nil || len(awaited) != 1 || awaited[0].Identity != "e" {
			t.Errorf("awaited: %v, %v", awaited, err)
		}
	})
}

// TestSightings: sweeps that can be believed count; another difference begins anew;
// what is not found any more is forgotten.
func TestSightings(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		title := func(after string) store.Finding {
			return store.Finding{Kind: "changed", Identity: "a", UserName: "a@x", RemoteID: "r-a", Action: "revert",
				Fields: []model.FieldDiff{{Path: "title", Before: "x", After: after}}, Observed: &model.Account{UserName: "a@x", Active: true}}
		}
		stray := store.Finding{Kind: "unknown", UserName: "s", RemoteID: "9", Action: "report"}
		sweep := func(believed bool, found ...store.Finding) {
			t.Helper()
			clock.Add(time.Hour)
			began := clock.Now()
			look(t, db, store.Look{Began: began, Found: found})
			look(t, db, store.Look{Began: began, Found: found}) // shown twice, counted once
			p := store.SweepProgress{Began: began, Phase: "conclude"}
			end := store.Sweep{At: began, Refused: "half of them"}
			if believed {
				if err := db.ConfirmSweep(t.Context(), "git", p); err != nil {
					t.Fatal(err)
				}
				end.Refused = ""
			}
			if err := db.EndSweep(t.Context(), "git", end); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, want ...string) {
			t.Helper()
			last, ok, err := db.LastSweep(t.Context(), "git")
			if err != nil || !ok {
				t.Fatalf("%s: %v %v", what, ok, err)
			}
			var got []string
			for _, f := range last.Findings {
				got = append(got, fmt.Sprintf("%s %s %d", f.Kind, f.Object, f.Sightings))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		sweep(true, title("y"), stray)
		check("first", "changed a 1", "unknown ?9 1")
		sweep(true, title("y"), stray)
		check("second", "changed a 2", "unknown ?9 2")
		sweep(false, title("y"), store.Finding{Kind: "unknown", UserName: "new", RemoteID: "10"})
		check("refused", "changed a 2", "unknown ?9 2")
		sweep(true, title("z"))
		check("another value; the stranger is gone", "changed a 1")
		if _, ok, err := db.SweepProgress(t.Context(), "git"); ok || err != nil {
			t.Errorf("a sweep is under way after its end: %v", err)
		}
	})
}

// TestFoundPages: everything found is listed once, whatever the size of a page.
func TestFoundPages(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		began := clock.Now()
		var found []store.Finding
		for i := range 23 {
			found = append(found, store.Finding{Kind: []string{"unknown", "missing"}[i%2], UserName: fmt.Sprintf("u%d", i%3), RemoteID: fmt.Sprintf("%02d", i)})
		}
		for _, g := range []string{"eng", "ops"} {
			found = append(found, store.Finding{Kind: "membership", Identity: "a", RemoteID: "r-a", Group: g, Fields: []model.FieldDiff{{Path: "groups", After: g}}})
		}
		look(t, db, store.Look{Began: began, Found: found})
		seen := map[string]int{}
		after, pages := "", 0
		for {
			page, next, err := db.Found(t.Context(), store.FoundFilter{Target: "git", After: after, Limit: 5})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page {
				seen[f.Kind+f.Object+f.Group]++
			}
			pages++
			if after = next; next == "" {
				break
			}
		}
		if len(seen) != 25 || pages != 5 {
			t.Errorf("%d differences in %d pages", len(seen), pages)
		}
		if page, _, err := db.Found(t.Context(), store.FoundFilter{Target: "git", Kind: "membership", Limit: 9}); err != nil || len(page) != 2 || page[0].Identity != "a" {
			t.Errorf("memberships: %v %v", page, err)
		}
		if _, _, err := db.Found(t.Context(), store.FoundFilter{Target: "git", After: "nonsense", Limit: 5}); model.CodeOf(err) != model.Invalid {
			t.Errorf("a cursor of something else: %v", err)
		}
		objects := 0
		for at := ""; ; {
			part, err := db.FoundBy(t.Context(), "git", began, at, 4)
			if err != nil {
				t.Fatal(err)
			}
			if len(part) == 0 {
				break
			}
			for _, f := range part {
				if f.Object != at {
					objects++
				}
				at = f.Object
			}
		}
		if objects != 24 {
			t.Errorf("%d objects, want 24", objects)
		}
	})
}

// TestSweepMembers: members are told by account, and those that are nobody's.
func TestSweepMembers(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		applied(t, db, "a", "b")
		for _, g := range []string{"eng", "ops"} {
			for range 2 { // read twice
				if err := db.AddSweepMembers(t.Context(), "git", g, []string{"r-a", "stranger-" + g}); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := db.SweepMembers(t.Context(), "git", []string{"r-a", "r-b"})
		if diff := cmp.Diff(map[string][]string{"r-a": {"eng", "ops"}}, got); err != nil || diff != "" {
			t.Errorf("members: %v %s", err, diff)
		}
		strange, err := db.StrangeMembers(t.Context(), "git", "", "", 1)
		if err != nil || len(strange) != 1 || strange[0] != [2]string{"stranger-eng", "eng"} {
			t.Errorf("strange members: %v %v", strange, err)
		}
		strange, err = db.StrangeMembers(t.Context(), "git", "stranger-eng", "eng", 9)
		if err != nil || len(strange) != 1 || strange[0] != [2]string{"stranger-ops", "ops"} {
			t.Errorf("strange members after: %v %v", strange, err)
		}
		if err := db.ResetSweepMembers(t.Context(), "git", "eng"); err != nil {
			t.Fatal(err)
		}
		if n := db.Int(t, `SELECT count(*) FROM drift_members`); n != 2 {
			t.Errorf("%d memberships left", n)
		}
	})
}

// TestDeletedIsRemembered: whose an account was that the hub deleted is known by its id
// alone; strangers that are not found any more are forgotten.
func TestDeletedIsRemembered(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		applied(t, db, "a")
		row := accountOf(t, db, "a")
		row.RemoteID, row.Owned, row.Applied, row.Observed, row.State = "", "", nil, nil, model.StateDeleted
		err := db.Settle(t.Context(), "git", []store.Settlement{{Row: row, Done: []model.Change{{Verb: model.Delete, Identity: "a", RemoteID: "r-a"}}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.DeletedAccounts(t.Context(), "git", []string{"r-a", "r-b"})
		if diff := cmp.Diff(map[string]store.Deleted{"r-a": {Identity: "a"}}, got); err != nil || diff != "" {
			t.Errorf("deleted: %v %s", err, diff)
		}
		began := clock.Now()
		for _, id := range []string{"7", "8"} {
			look(t, db, store.Look{Began: began, Rows: []model.AccountRow{{Target: "git", Identity: "?" + id, RemoteID: id, State: model.StateUnknown}}})
		}
		look(t, db, store.Look{Began: began, Found: []store.Finding{{Kind: "unknown", RemoteID: "8"}}})
		if err := db.ForgetStrangers(t.Context(), "git", began, true); err != nil {
			t.Fatal(err)
		}
		rows, err := db.AccountsNamed(t.Context(), "git", []string{"?7", "?8"})
		if err != nil || len(rows) != 1 || rows[0].RemoteID != "8" {
			t.Errorf("strangers: %v %v", rows, err)
		}
	})
}
