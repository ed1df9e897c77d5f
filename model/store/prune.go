package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// pruneLease is how long a replica that takes old rows away may be silent before another
// goes on where it stopped.
const pruneLease = time.Minute

// pruneTold is after how many rows the audit trail is told, where a pass is that long.
const pruneTold = 100_000

// actionRetention is the audit entry of rows that were older than they are kept.
const actionRetention = "retention.prune"

// ErrPrunedElsewhere says that another replica takes old rows away at the moment.
var ErrPrunedElsewhere = errors.New("another replica takes old rows away")

// Pruned is how far taking away is of one kind of rows.
type Pruned struct {
	Kind  string    // as PruneKinds says
	Until time.Time // what was over by then is gone; zero: nothing was ever taken away
	Gone  int64     // rows, ever
	Began time.Time // the pass under way, or the last one; zero: there was none
	At    time.Time // its last batch
	Done  time.Time // when a pass came to its end; zero: none has
}

// UnderWay reports whether a pass goes on.
func (p Pruned) UnderWay(now time.Time) bool {
	return p.Began.After(p.Done) && now.Before(p.At.Add(pruneLease))
}

// pruneRule takes the oldest rows of a kind away: up to about limit of those that were
// over at cut, of which place is where it stopped the time before.
type pruneRule struct {
	kind string
	take func(t *Tx, cut int64, place string, limit int) (pruneStep, error)
	// onward: a pass begins where the one before ended, because what it left there stays.
	onward bool
	// told: it writes into the audit trail by itself.
	told bool
}

type pruneStep struct {
	rows  int64
	place string
	more  bool
}

// PruneKinds are the kinds of rows that are taken away, in the order in which they are
// best looked at.
func PruneKinds() []string {
	rules := pruneRules()
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.kind
	}
	return out
}

// PruneBatch takes away rows of a kind that were over before a moment: about limit of
// them, in a transaction. The first batch of a replica takes the lease for it;
// ErrPrunedElsewhere where another has it. more says that the pass is not at its end.
func (s *Store) PruneBatch(ctx context.Context, holder, kind string, before time.Time, limit int) (rows int64, more bool, err error) {
	rule, ok := pruneRuleOf(kind)
	if !ok {
		return 0, false, model.Fail(model.Invalid, "no rows of the kind "+kind+" are ever taken away", nil)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		step, err := tx.pruneBatch(rule, holder, before, limit)
		rows, more = step.rows, step.more
		return err
	})
	if err != nil && !errors.Is(err, ErrPrunedElsewhere) {
		err = fmt.Errorf("old rows of %s: %w", kind, err)
	}
	return rows, more, err
}

func (t *Tx) pruneBatch(rule pruneRule, holder string, before time.Time, limit int) (step pruneStep, err error) {
	now, cut := micros(t.Now), micros(before)
	n, err := t.exec(`INSERT INTO pruning (kind, holder, leased_until) VALUES ('', ?, ?) ON CONFLICT (kind) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
WHERE pruning.holder = excluded.holder OR pruning.leased_until <= ?`, holder, micros(t.Now.Add(pruneLease)), now)
	if err != nil {
		return step, err
	}
	if n == 0 {
		return step, ErrPrunedElsewhere
	}
	if _, err := t.exec(`INSERT INTO pruning (kind) VALUES (?) ON CONFLICT (kind) DO NOTHING`, rule.kind); err != nil {
		return step, err
	}
	var place string
	var untold, began, done, until int64
	if err := t.row(`SELECT place, untold, began_at, done_at, until_at FROM pruning WHERE kind = ?`, rule.kind).Scan(&place, &untold, &began, &done, &until); err != nil {
		return step, err
	}
	if began <= done { // the pass before came to its end
		began = max(now, done+1)
		if !rule.onward {
			place = ""
		}
	}
	if step, err = rule.take(t, cut, place, limit); err != nil {
		return step, err
	}
	if untold += step.rows; rule.told {
		untold = 0
	}
	if step.rows > 0 {
		until = max(until, cut)
	}
	if !step.more {
		done = began
	}
	if untold > 0 && (!step.more || untold >= pruneTold) {
		if err := t.tellPruned(rule.kind, untold, before); err != nil {
			return step, err
		}
		untold = 0
	}
	_, err = t.exec(`UPDATE pruning SET until_at = ?, place = ?, gone = gone + ?, untold = ?, began_at = ?, at = ?, done_at = ? WHERE kind = ?`,
		until, step.place, step.rows, untold, began, now, done, rule.kind)
	return step, err
}

func (t *Tx) tellPruned(kind string, rows int64, before time.Time) error {
	body, err := json.Marshal(map[string]any{"rows": rows, "before": before})
	if err != nil {
		return err
	}
	return t.Audit(AuditEntry{Actor: "hub", Action: actionRetention, Object: "retention/" + kind, Data: body})
}

// ReleasePruning lets other replicas take old rows away.
func (s *Store) ReleasePruning(ctx context.Context, holder string) error {
	return s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE pruning SET holder = '', leased_until = 0 WHERE kind = '' AND holder = ?`, holder)
		return err
	})
}

// Pruned tells by kind how far taking away is; kinds of which nothing was ever looked at
// are not there.
func (s *Store) Pruned(ctx context.Context) (out map[string]Pruned, err error) {
	out = map[string]Pruned{}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT kind, until_at, gone, began_at, at, done_at FROM pruning WHERE kind <> ''`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p Pruned
			var until, began, at, done int64
			if err := rows.Scan(&p.Kind, &until, &p.Gone, &began, &at, &done); err != nil {
				return err
			}
			p.Until, p.Began, p.At, p.Done = zeroMicros(until), zeroMicros(began), zeroMicros(at), zeroMicros(done)
			out[p.Kind] = p
		}
		return rows.Err()
	})
	return out, err
}

// HistoryKept is since when all is known that was true of people and accounts: what had
// been replaced by then may be gone. Zero: since the beginning.
func (t *Tx) HistoryKept() (time.Time, error) {
	var us int64
	err := t.row(`SELECT coalesce(max(until_at), 0) FROM pruning WHERE kind IN (?, ?)`, pruneIdentityHistory, pruneAccountHistory).Scan(&us)
	return zeroMicros(us), err
}

// zeroMicros is the time of a number that is 0 where there is none.
func zeroMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return fromMicros(us)
}

// Crowded reports whether somebody waits for a connection or, on SQLite, for their turn
// to write: what is not urgent lets them go first.
func (s *Store) Crowded() bool {
	if !s.pg {
		s.turns.mu.Lock()
		defer s.turns.mu.Unlock()
		return len(s.turns.waiting[0])+len(s.turns.waiting[1]) > 0
	}
	pool, err := s.write.DB()
	if err != nil {
		return false
	}
	stats := pool.Stats()
	return stats.InUse >= stats.MaxOpenConnections
}

// Shrink gives space of rows that are gone back to the file system: on SQLite, of files
// that were made to (auto_vacuum), up to a number of pages at a time. A tenth of the file
// stays for what will be written. more says that there is more to give back.
func (s *Store) Shrink(ctx context.Context, pages int) (more bool, err error) {
	if s.pg {
		return false, nil // autovacuum does
	}
	next, err := s.turns.take(ctx)
	if err != nil {
		return false, err
	}
	defer next()
	err = s.single(ctx, s.write, func(tx *Tx) error {
		var mode, free, all int
		for pragma, into := range map[string]*int{"auto_vacuum": &mode, "freelist_count": &free, "page_count": &all} {
			if err := tx.row(`PRAGMA ` + pragma).Scan(into); err != nil {
				return err
			}
		}
		spare := free - all/10
		if mode != sqliteIncremental || spare < pages {
			return nil
		}
		more = spare >= 2*pages
		_, err := tx.exec(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pages))
		return err
	})
	return more, err
}

// sqliteIncremental is the auto_vacuum of files whose free pages can be given back.
const sqliteIncremental = 2
