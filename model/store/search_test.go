package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestSearchForm: case, width, accents and spaces do not matter.
func TestSearchForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  Jörg   MÜLLER ": "jorg muller", "Ｓøren": "soren", "Łukasz Żak": "lukasz zak", "weiß": "weiss", "Zoë@Ex.com": "zoe@ex.com", "": "", "Ægir": "aegir",
		"İx": "ix", "Nguyễn": "nguyen", "山田": "山田",
	} {
		if got := store.SearchForm(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		if again := store.SearchForm(want); again != want {
			t.Errorf("%q does not stay, but is %q", want, again)
		}
	}
}

// save makes identities as the evaluation does; keys are ids.
func save(t *testing.T, db *storetest.DB, people map[string]map[string]any) {
	t.Helper()
	for id, user := range people {
		db.Exec(t, `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,'','','','{}','{}',0,0,'',FALSE,'[]')`, id)
		name, _ := user["userName"].(string)
		update(t, db, func(tx *store.Tx) error {
			return tx.SaveIdentity(store.IdentityRow{ID: id, Name: name, Stage: model.Active, User: user})
		})
	}
}

func peopleOf(t *testing.T, db *storetest.DB, f store.PeopleFilter) (out []string) {
	t.Helper()
	for range 100 {
		found, next, err := db.People(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > f.Limit {
			t.Fatalf("a page of %d, limit %d", len(found), f.Limit)
		}
		for _, p := range found {
			out = append(out, p.ID)
		}
		if f.After = next; next == "" {
			return out
		}
	}
	t.Fatal("the listing has no end")
	return nil
}

// TestPeopleByWords: whole values count more than words, exact ones more than beginnings;
// everybody is named once, whatever the size of a page; and who changes is found by what
// they are now.
func TestPeopleByWords(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		mail := func(a string) []any { return []any{map[string]any{"value": a}} }
		people := map[string]map[string]any{
			"a": {"userName": "mara", "displayName": "Mara Jade", "name": map[string]any{"givenName": "Mara", "familyName": "Jade"}, "emails": mail("mara.jade@example.com")},
			"b": {"userName": "mara.smith", "displayName": "Mara Smith", "emails": mail("ms@example.com")},
			"c": {"userName": "jm", "displayName": "Jörg Maravic", "externalId": "E-77"},
			"d": {"userName": "xm", "displayName": "Xavier Müller", "name": map[string]any{"familyName": "Müller"}, scim.URNEnterprise: map[string]any{"employeeNumber": "4711", "department": "R & D"}},
		}
		save(t, db, people)
		for text, want := range map[string]string{
			"mara": "a b c", "MARA": "a b c", "mara s": "b", "smith mara": "b", "jorg": "c", "müller": "d", "muller": "d", "mueller": "d", "4711": "d", "e-77": "c",
			"mara.jade@example.com": "a", "jade": "a", "example": "", "zz": "", "ms@ex": "b", "m": "a b d c", "%": "", "_": "",
		} {
			for _, limit := range []int{1, 2, 50} {
				got := peopleOf(t, db, store.PeopleFilter{Text: text, Limit: limit})
				if diff := cmp.Diff(strings.Join(strings.Fields(want), " "), strings.Join(got, " ")); diff != "" {
					t.Errorf("%q by %d (-want, +got):\n%s", text, limit, diff)
				}
			}
		}
		if got := peopleOf(t, db, store.PeopleFilter{Department: "r & D", Limit: 2}); !slices.Equal(got, []string{"d"}) {
			t.Errorf("by department: %v", got)
		}
		update(t, db, func(tx *store.Tx) error {
			return tx.SaveIdentity(store.IdentityRow{ID: "a", Name: "other", Stage: model.Leaver, User: map[string]any{"userName": "other"}})
		})
		if got := peopleOf(t, db, store.PeopleFilter{Text: "jade", Limit: 5}); len(got) > 0 {
			t.Errorf("found by a former name: %v", got)
		}
		if got := peopleOf(t, db, store.PeopleFilter{Text: "other", Stage: model.Leaver, Limit: 5}); !slices.Equal(got, []string{"a"}) {
			t.Errorf("by the new name: %v", got)
		}
		update(t, db, func(tx *store.Tx) error { _, err := tx.Erase("c"); return err })
		if n := db.Int(t, `SELECT count(*) FROM search_words WHERE identity_id = 'c'`); n > 0 {
			t.Errorf("%d words of somebody erased", n)
		}
	})
}

// TestPeopleAreIndexedLater: after an upgrade people are found by the beginning of their
// user name at once, and by words when the index has come so far.
func TestPeopleAreIndexedLater(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		for n := range 7 {
			db.Exec(t, `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, over_guard, findings) VALUES (?,?,?,'active',?,'{}',1,0,'',FALSE,'[]')`,
				fmt.Sprint("i", n), fmt.Sprint("user", n), fmt.Sprint("user", n), fmt.Sprintf(`{"displayName":"Word Nr%d"}`, n))
		}
		if got := peopleOf(t, db, store.PeopleFilter{Text: "user", Limit: 3}); len(got) != 7 {
			t.Errorf("by the beginning of the user name: %v", got)
		}
		after, total := "", 0
		for {
			n, last, err := db.IndexPeople(t.Context(), after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			after, total = last, total+n
		}
		if left, err := db.Unindexed(t.Context(), 10); err != nil || left > 0 || total != 7 {
			t.Errorf("%d done, %d left, %v", total, left, err)
		}
		for _, text := range []string{"word", "user"} {
			if got := peopleOf(t, db, store.PeopleFilter{Text: text, Limit: 3}); len(got) != 7 {
				t.Errorf("%q: %v", text, got)
			}
		}
	})
}

// TestPeopleListings use indexes.
func TestPeopleListingsUseIndexes(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	for _, text := range []string{
		`SELECT word, identity_id FROM search_words WHERE rank = 1 AND word >= 'a' AND word < 'b' AND (word, identity_id) > ('a', 'b') ORDER BY word, identity_id LIMIT 5`,
		`SELECT id FROM identities WHERE search_hash = '' AND erased_at IS NULL AND id > 'x' ORDER BY id LIMIT 5`,
		`SELECT key, id FROM identities WHERE stage = 'active' ORDER BY key, id LIMIT 5`,
		`SELECT identity_id FROM grants WHERE role = 'x' AND ended_at IS NOT NULL AND identity_id > 'a' ORDER BY identity_id LIMIT 5`,
		`SELECT identity_id FROM grants WHERE role = 'x' AND ended_at IS NULL AND identity_id > 'a' ORDER BY identity_id LIMIT 5`,
		`SELECT identity_id FROM account_history WHERE target = 'x' AND identity_id > 'a' GROUP BY identity_id ORDER BY identity_id LIMIT 5`,
		`SELECT left_at FROM identities WHERE left_source = 'x' AND left_at IS NOT NULL AND over_guard ORDER BY left_at LIMIT 5`,
		`SELECT error_class FROM accounts WHERE target = 'x' AND error_class <> '' AND error_class <> 'y' LIMIT 5`,
	} {
		for _, line := range db.Plan(t, text) {
			if strings.HasPrefix(line, "SCAN") || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s\n\t%s", text, line)
			}
		}
	}
}
