package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

// apply puts a configuration in force as the next version.
func (w *world) apply(configuration string) *hub.Snapshot {
	w.t.Helper()
	active, _, err := w.Store.ActiveConfig(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := w.Apply(w.t.Context(), hub.Actor{Name: "ops"}, "hub.yaml", []byte(configuration), active.Version)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Activate(snap)
	return snap
}

// rows are versions of what is stored of everybody, to see what was written.
func (w *world) rows() []string {
	var out []string
	for _, query := range []string{
		`SELECT 'identity ' || id || ' ' || version FROM identities ORDER BY id`,
		`SELECT 'grant ' || identity_id || ' ' || role || ' ' || because FROM grants WHERE ended_at IS NULL ORDER BY identity_id, role`,
		`SELECT 'account ' || identity_id || ' ' || target || ' ' || generation || ' ' || because FROM accounts ORDER BY identity_id, target`,
	} {
		out = append(out, w.db.Strings(w.t, query)...)
	}
	return out
}

// touched are the people of whom something differs.
func touched(before, after []string) (people []string) {
	for _, list := range [][2][]string{{before, after}, {after, before}} {
		for _, row := range list[0] {
			if !slices.Contains(list[1], row) {
				people = append(people, strings.Fields(row)[1])
			}
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

// TestChangeWritesOnlyWhomItChanges: of 400 people a new rule concerns four, and only
// theirs is written; a new version that says the same writes nothing.
func TestChangeWritesOnlyWhomItChanges(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.apply(oneSource)
		for i := range 400 {
			title := "Clerk"
			if i%100 == 7 {
				title = "Engineer"
			}
			w.person(fmt.Sprintf("p%03d", i), "title", title)
		}
		w.evaluate()
		before, audit := w.rows(), w.counts()
		w.apply(oneSource + "\n# a comment\n")
		w.evaluate()
		if people := touched(before, w.rows()); len(people) != 0 {
			w.t.Errorf("a version that says the same wrote %d people", len(people))
		}
		if now := w.counts(); now[0] != audit[0] || now[1] != audit[1]+1 {
			w.t.Errorf("events, audit entries before %v and after %v", audit, now)
		}
		w.apply(strings.Replace(oneSource, `user.title == "Engineer"`, `user.title == "Engineer" && user.active`, 1))
		w.evaluate()
		if people := touched(before, w.rows()); len(people) != 4 {
			w.t.Errorf("a rule about 4 people wrote %d", len(people))
		}
		if n, _, err := w.Store.Marks(w.t.Context()); n != 0 || err != nil {
			w.t.Errorf("%d are left: %v", n, err)
		}
	})
}

// TestPushThatSaysTheSameWritesNothing: a source repeats itself.
func TestPushThatSaysTheSameWritesNothing(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.person("ada", "title", "Engineer")
		w.evaluate()
		before := w.rows()
		id := w.db.Strings(w.t, `SELECT id FROM identities`)[0]
		if err := w.Store.Update(w.t.Context(), func(tx *store.Tx) error { return tx.Mark(false, id) }); err != nil {
			w.t.Fatal(err)
		}
		w.evaluate()
		if people := touched(before, w.rows()); len(people) != 0 {
			w.t.Errorf("wrote %v", people)
		}
	})
}

// TestMarksOvertakeTheSweep: who is marked while everybody is looked at is worked on
// first, under the new rules, and loses nothing that came meanwhile.
func TestMarksOvertakeTheSweep(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		w.apply(oneSource)
		for i := range 700 {
			w.person(fmt.Sprintf("p%03d", i), "title", "Engineer")
		}
		w.evaluate()
		last := w.db.Strings(w.t, `SELECT id FROM resources WHERE kind = 'User' ORDER BY identity_id DESC LIMIT 1`)[0]
		w.apply(strings.Replace(oneSource, `user.title == "Engineer"`, `user.title == "Engineer" && user.active`, 1))
		w.remove("hr", w.user, last)
		if _, err := w.EvaluateBatch(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		left := w.db.Strings(w.t, `SELECT id FROM identities WHERE stage = 'leaver'`)
		if len(left) != 1 {
			w.t.Fatalf("%d leavers after the first batch", len(left))
		}
		if n, _, _ := w.Store.Marks(w.t.Context()); n < 400 {
			w.t.Errorf("%d left to do after the first batch: the sweep was over before the leaver", n)
		}
		w.evaluate()
		if n := w.db.Int(w.t, `SELECT count(*) FROM grants WHERE role = 'engineer' AND ended_at IS NULL AND because LIKE '%user.active%'`); n != 699 {
			w.t.Errorf("%d of 699 hold the role by the new rule", n)
		}
	})
}

// TestSweepWithAnOldConfiguration: a replica that still has the old version neither
// walks the sweep nor clears marks.
func TestSweepWithAnOldConfiguration(t *testing.T) {
	t.Parallel()
	each(t, oneSource, func(w *world) {
		old := w.apply(oneSource)
		w.person("ada", "title", "Engineer")
		w.evaluate()
		next := w.apply(strings.Replace(oneSource, `user.title == "Engineer"`, `user.title == "Nobody"`, 1))
		w.Activate(old)
		w.evaluate()
		if n, _, err := w.Store.Marks(w.t.Context()); n != 1 || err != nil {
			w.t.Errorf("%d left to do, want 1: %v", n, err)
		}
		w.Activate(next)
		w.evaluate()
		if n := w.db.Int(w.t, `SELECT count(*) FROM grants WHERE role = 'engineer' AND ended_at IS NULL`); n != 0 {
			w.t.Error("the new version was not put to everybody")
		}
	})
}
