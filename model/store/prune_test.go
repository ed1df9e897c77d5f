package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// prune takes everything of a kind, and counts rows and batches.
func prune(t *testing.T, db *storetest.DB, kind string, before time.Time, limit int) (rows int64, batches int) {
	t.Helper()
	for more := true; more; batches++ {
		n, again, err := db.PruneBatch(t.Context(), "r1", kind, before, limit)
		if err != nil || batches > 100 {
			t.Fatalf("%s: %v after %d batches", kind, err, batches)
		}
		rows, more = rows+n, again
	}
	return rows, batches
}

// TestPruneByTime: of each kind what was over goes, what goes on or is younger stays.
func TestPruneByTime(t *testing.T) {
	t.Parallel()
	old, young := noon().UnixMicro(), noon().AddDate(0, 0, 100).UnixMicro()
	cut := noon().AddDate(0, 0, 50)
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		clock.Set(noon().AddDate(0, 0, 120))
		for kind, rows := range map[string]struct {
			insert     string // id, moment; NULL where it goes on
			gone, left int
			open       bool // some go on
		}{
			"removals":      {`INSERT INTO removals (target, at, identity_id) VALUES ('chat', ?2, ?1)`, 25, 25, false},
			"idempotency":   {`INSERT INTO idempotency (caller, key, print, attempt, at) VALUES ('c', ?1, 'p', 1, ?2)`, 25, 25, false},
			"drift_deleted": {`INSERT INTO drift_deleted (target, remote_id, identity_id, leaver, at) VALUES ('chat', ?1, 'i', FALSE, ?2)`, 25, 25, false},
			"deputies":      {`INSERT INTO deputies (id, person_id, deputy_id, from_at, created_at, by_whom, ended_at) VALUES (?1, 'a', 'b', 1, 1, '', ?2)`, 25, 35, true},
			"cases":         {`INSERT INTO cases (id, identity_id, source, resource_id, rule, candidates, blocks, opened_at, decided_by, decision, decided_at) VALUES (?1, 'i', 'hr', ?1, '', '[]', FALSE, 1, '', '', ?2)`, 25, 35, true},
			"tasks":         {`INSERT INTO tasks (id, kind, target, identity_id, digest, assignee, removes, created_at, due_at, outcome, generation, auto, doc, done_at) VALUES (?1, 'k', 'chat', ?1, '', '', FALSE, 1, 1, '', 0, FALSE, '{}', ?2)`, 25, 35, true},
		} {
			for i := range 60 {
				at := any(old + int64(i))
				switch {
				case i >= 50 && !rows.open:
					continue
				case i >= 50:
					at = nil
				case i%2 == 1:
					at = young + int64(i)
				}
				text := strings.NewReplacer("?1", "'"+fmt.Sprintf("%s%03d", kind, i)+"'", "?2", fmt.Sprint(at)).Replace(rows.insert)
				db.Exec(t, strings.ReplaceAll(text, "<nil>", "NULL"))
			}
			gone, batches := prune(t, db, kind, cut, 10)
			if left := db.Int(t, `SELECT count(*) FROM `+kind); int(gone) != rows.gone || left != rows.left || batches < 3 {
				t.Errorf("%s: %d went in %d batches, %d stayed", kind, gone, batches, left)
			}
			if again, _ := prune(t, db, kind, cut, 10); again != 0 {
				t.Errorf("%s: %d more went in another pass", kind, again)
			}
		}
		if n := db.Int(t, `SELECT count(*) FROM audit WHERE action = 'retention.prune'`); n != 6 {
			t.Errorf("%d entries tell of it, one for each kind is wanted", n)
		}
		verifyAudit(t, db)
	})
}

// TestPruneHistory: what was true at any moment since the cut is answered as before; of
// what had been replaced by then nothing is left, and each version goes once it may.
func TestPruneHistory(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		for day := range 60 {
			clock.Set(noon().AddDate(0, 0, day))
			update(t, db, func(tx *store.Tx) error {
				for p := range 10 {
					if day%(p+1) != 0 { // each changes at a pace of their own
						continue
					}
					if err := tx.AddHistory(fmt.Sprint("p", p), store.HistoryDoc{Name: fmt.Sprint("day ", day)}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		db.Exec(t, `INSERT INTO account_history (identity_id, target, at, because, leaver, state, drift, error_class, last_error)
SELECT identity_id, 'chat', at, '{}', FALSE, 'in_sync', '', '', '' FROM identity_history`)
		told := func() (out []string) {
			for day := 30; day < 60; day++ {
				err := db.View(t.Context(), func(tx *store.Tx) error {
					for p := range 10 {
						h, found, err := tx.HistoryAt(fmt.Sprint("p", p), noon().AddDate(0, 0, day))
						if err != nil {
							return err
						}
						acc, err := tx.AccountsAt(fmt.Sprint("p", p), noon().AddDate(0, 0, day))
						if err != nil {
							return err
						}
						out = append(out, fmt.Sprint(day, p, found, h.Doc.Name, len(acc), acc[0].At))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			return out
		}
		before := strings.Join(told(), "\n")
		for _, cut := range []int{10, 20, 30} { // days go by
			for _, kind := range []string{"identity_history", "account_history"} {
				prune(t, db, kind, noon().AddDate(0, 0, cut), 7)
				surplus := db.Int(t, `SELECT count(*) FROM `+kind+` h WHERE EXISTS (SELECT 1 FROM `+kind+` l WHERE l.identity_id = h.identity_id AND l.at > h.at AND l.at <= ?)`, noon().AddDate(0, 0, cut).UnixMicro())
				if surplus != 0 {
					t.Errorf("%s, day %d: %d versions are left that another had replaced", kind, cut, surplus)
				}
			}
		}
		if after := strings.Join(told(), "\n"); after != before {
			t.Errorf("the past is told differently:\n%s\nwas\n%s", after, before)
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			kept, err := tx.HistoryKept()
			if !kept.Equal(noon().AddDate(0, 0, 30)) {
				t.Errorf("kept since %v", kept)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestPruneEvents: by their ids, in batches, those of one moment and those that are
// young left alone.
func TestPruneEvents(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, _ *storetest.Clock) {
		for i := range 95 {
			at := noon().AddDate(0, 0, i)
			db.Exec(t, `INSERT INTO events (id, at, type, source, resource_id, identity_id, data) VALUES (?, ?, 'x', 'hr', '', 'i', '{}')`, numbered("e", i), at.UnixMicro())
		}
		if gone, batches := prune(t, db, "events", noon().AddDate(0, 0, 60), 20); gone != 60 || batches != 4 || db.Int(t, `SELECT count(*) FROM events`) != 35 {
			t.Errorf("%d went in %d batches", gone, batches)
		}
		if gone, _ := prune(t, db, "events", noon().AddDate(0, 0, 70), 20); gone != 10 {
			t.Errorf("%d went when days had gone by", gone)
		}
	})
}

// TestPruneAlone: one replica at a time, another when it is silent; who is unknown takes
// nothing.
func TestPruneAlone(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		take := func(who string) error {
			_, _, err := db.PruneBatch(t.Context(), who, "removals", noon(), 10)
			return err
		}
		if err := take("r1"); err != nil {
			t.Fatal(err)
		}
		if err := take("r2"); !errors.Is(err, store.ErrPrunedElsewhere) {
			t.Errorf("a second one: %v", err)
		}
		clock.Add(2 * time.Minute)
		if err := take("r2"); err != nil {
			t.Errorf("the first is silent: %v", err)
		}
		if err := take("r1"); !errors.Is(err, store.ErrPrunedElsewhere) {
			t.Errorf("the first wakes up: %v", err)
		}
		if err := db.ReleasePruning(t.Context(), "r2"); err != nil {
			t.Fatal(err)
		}
		if err := take("r1"); err != nil {
			t.Errorf("the second has let go: %v", err)
		}
		if _, _, err := db.PruneBatch(t.Context(), "r1", "identities", noon(), 10); err == nil {
			t.Error("people are not taken away")
		}
	})
}

// TestPruneByIndex: what is old is found without reading the table from end to end.
func TestPruneByIndex(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, storetest.SQLite)
	for _, q := range []string{
		`SELECT at FROM account_history WHERE at > 1 AND at <= 5 ORDER BY at LIMIT 10`,
		`SELECT at FROM identity_history WHERE at > 1 AND at <= 5 ORDER BY at LIMIT 10`,
		`SELECT id, at < 5 FROM events WHERE id > 'a' ORDER BY id LIMIT 10`,
		`SELECT id, at < 5 FROM notices WHERE id > 'a' ORDER BY id LIMIT 10`,
		`SELECT at FROM audit WHERE at < 5 ORDER BY at LIMIT 10`,
		`SELECT ended_at FROM grants WHERE ended_at IS NOT NULL AND ended_at >= 1 AND ended_at < 5 ORDER BY ended_at LIMIT 10`,
		`SELECT done_at FROM tasks WHERE done_at IS NOT NULL AND done_at >= 1 AND done_at < 5 ORDER BY done_at LIMIT 10`,
		`SELECT id FROM requests WHERE NOT live AND (created_at, id) > (1, 'a') AND created_at < 5 ORDER BY created_at, id LIMIT 10`,
		`SELECT at FROM removals WHERE at >= 1 AND at < 5 ORDER BY at LIMIT 10`,
		`SELECT ended_at FROM exclusions WHERE ended_at IS NOT NULL AND ended_at >= 1 AND ended_at < 5 ORDER BY ended_at LIMIT 10`,
		`DELETE FROM identity_history WHERE (identity_id, at) IN (SELECT h.identity_id, h.at FROM identity_history l JOIN identity_history h ON h.identity_id = l.identity_id AND h.at < l.at WHERE l.at > 1 AND l.at <= 5)`,
	} {
		for _, step := range db.Plan(t, q) {
			lower := strings.ToLower(step)
			if strings.Contains(lower, "seq scan") || strings.HasPrefix(lower, "scan ") && !strings.Contains(lower, "index") {
				t.Errorf("%s: %s", q, step)
			}
		}
	}
}
