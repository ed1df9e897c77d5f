package store

import (
	"context"
	"sync"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Counts are how many people there are in each stage, and accounts of each target in
// each state.
type Counts struct {
	At       time.Time // when they were counted
	People   map[model.Stage]int
	Accounts map[string]map[model.AccountState]int
}

// counted remembers counts that took long. It may be lost: they are counted anew.
type counted struct {
	mu      sync.Mutex
	last    Counts
	took    time.Duration
	running bool
}

const (
	countCheap = 150 * time.Millisecond // what took no longer is counted anew each time
	countRest  = 20                     // times as long as it took, counts are good for
	countMost  = time.Minute            // that a count in the background may take
)

// Counts counts people and accounts. Where that takes long, in a large hub, it gives
// what was counted a moment ago, and counts anew in the background.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	c := &s.counted
	c.mu.Lock()
	last, took, running := c.last, c.took, c.running
	old := last.At.IsZero() || s.Now().Sub(last.At) > countRest*took || s.Now().Before(last.At)
	again := old && !running && took > countCheap
	c.running = running || again
	c.mu.Unlock()
	switch {
	case last.At.IsZero() || took <= countCheap:
		return s.countNow(ctx)
	case again:
		go func() { // whoever asks next has it
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countMost)
			defer cancel()
			_, _ = s.countNow(ctx) // the next who asks tries again
			c.mu.Lock()
			c.running = false
			c.mu.Unlock()
		}()
	}
	return last, nil
}

func (s *Store) countNow(ctx context.Context) (out Counts, err error) {
	began := time.Now() //nolint:forbidigo // how long it takes, whatever clock the store has
	out.At, out.People = s.Now(), map[model.Stage]int{}
	if out.Accounts, err = s.StateCounts(ctx); err != nil {
		return out, err
	}
	err = s.single(ctx, s.read, func(tx *Tx) error {
		rows, err := tx.query(`SELECT stage, count(*) FROM identities GROUP BY stage`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var stage string
			var n int
			if err := rows.Scan(&stage, &n); err != nil {
				return err
			}
			out.People[model.Stage(stage)] = n
		}
		return rows.Err()
	})
	if err != nil {
		return out, err
	}
	c := &s.counted
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.took = out, time.Since(began) //nolint:forbidigo // as above
	return out, nil
}

// Tally is how many there are of something, at most as many as were counted, and the
// oldest of them.
type Tally struct {
	N      int
	More   bool       // there are more than N
	Oldest *time.Time // nil: there are none, or it is not known
}

// tally counts the rows of a query of one column, a moment, that has no limit.
func (t *Tx) tally(most int, text string, args ...any) (out Tally, err error) {
	var oldest *int64
	err = t.row(`SELECT count(*), min(at) FROM (`+text+` LIMIT ?) AS x`, append(args, most+1)...).Scan(&out.N, &oldest)
	if out.N > most {
		out.N, out.More = most, true
	}
	out.Oldest = timePtr(oldest)
	return out, err
}

// Tallies are what needs somebody, of the hub as a whole. None is counted beyond most.
type Tallies struct {
	LeaversLate   Tally // people of whom a goal is missed, and access not verified gone
	LeaversAtRisk Tally
	Approvals     Tally // requests that somebody has to decide
	TasksOverdue  Tally
	TasksOpen     Tally
	Cases         Tally
	Findings      Tally // but for conflicts
	Conflicts     Tally
	Deliveries    Tally // receivers that took no message of late
	Reviews       Tally // open access reviews; Oldest is when the first of them is due
}

// Tallies counts them.
func (s *Store) Tallies(ctx context.Context, most int) (out Tallies, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		now := micros(tx.Now)
		for _, q := range []struct {
			into *Tally
			text string
			args []any
		}{
			{&out.LeaversLate, `SELECT min(t.late_at) AS at FROM leaver_runs r JOIN leaver_targets t ON t.run_id = r.id WHERE r.ended_at IS NULL AND r.kind = 'leaver' AND t.` + openTarget + ` AND t.late_at IS NOT NULL GROUP BY r.id`, nil},
			{&out.LeaversAtRisk, `SELECT min(t.risk_at) AS at FROM leaver_runs r JOIN leaver_targets t ON t.run_id = r.id WHERE r.ended_at IS NULL AND r.kind = 'leaver' AND t.` + openTarget + ` AND t.risk_at IS NOT NULL AND t.late_at IS NULL GROUP BY r.id`, nil},
			{&out.Approvals, `SELECT created_at AS at FROM requests WHERE state = 'pending' ORDER BY id`, nil},
			{&out.TasksOverdue, `SELECT due_at AS at FROM tasks WHERE done_at IS NULL AND due_at < ? ORDER BY due_at`, []any{now}},
			{&out.TasksOpen, `SELECT due_at AS at FROM tasks WHERE done_at IS NULL AND due_at >= ? ORDER BY due_at`, []any{now}},
			{&out.Cases, `SELECT opened_at AS at FROM cases WHERE decided_at IS NULL`, nil},
			{&out.Conflicts, `SELECT since AS at FROM findings WHERE kind = 'conflict'`, nil},
			{&out.Findings, `SELECT since AS at FROM findings WHERE kind <> 'conflict'`, nil},
			{&out.Deliveries, `SELECT coalesce(off_at, last_failed) AS at FROM receivers WHERE failures > 0 OR off_at IS NOT NULL`, nil},
		} {
			if *q.into, err = tx.tally(most, q.text, q.args...); err != nil {
				return err
			}
		}
		open, more, err := tx.Campaigns(CampaignFilter{State: string(model.CampaignOpen), Limit: min(most, 100)})
		out.Reviews = Tally{N: len(open), More: more != ""}
		for _, c := range open {
			if out.Reviews.Oldest == nil || c.Due.Before(*out.Reviews.Oldest) {
				due := c.Due
				out.Reviews.Oldest = &due
			}
		}
		return err
	})
	return out, err
}

// HeldBySource counts those who left at a source beyond its guard.
func (s *Store) HeldBySource(ctx context.Context, source string, most int) (out Tally, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.tally(most, `SELECT left_at AS at FROM identities WHERE left_source = ? AND left_at IS NOT NULL AND over_guard ORDER BY left_at`, source)
		return err
	})
	return out, err
}

// TargetGlance is how one target is, counted cheaply.
type TargetGlance struct {
	Due       Tally // accounts with something to do now; since when the one that waits longest could have been done
	Held      Tally // since when the state is what it is
	Errors    map[string]int
	MoreError bool // there are more failures than were counted
	Failed    Tally
	Hours     []TargetHour
}

// TargetHour is what was done at a target in an hour.
type TargetHour struct {
	Hour   time.Time
	Done   int
	Failed int
}

// GlanceTarget counts what waits and fails at a target, none beyond most, and what was
// done hour by hour since a moment.
func (s *Store) GlanceTarget(ctx context.Context, target string, since time.Time, most int) (out TargetGlance, err error) {
	out.Errors = map[string]int{}
	err = s.View(ctx, func(tx *Tx) error {
		now := micros(tx.Now)
		if out.Due, err = tx.tally(most, `SELECT next_at AS at FROM accounts WHERE target = ? AND due AND next_at <= ?`, target, now); err != nil {
			return err
		}
		var oldest *int64
		// next_at is 0 of what overtakes the rest: the time since when is that of the row. The
		// order is by the column, which an output of CASE takes the name of on PostgreSQL.
		err = tx.row(`SELECT min(at) FROM (SELECT (SELECT CASE WHEN next_at = 0 THEN updated_at ELSE next_at END FROM accounts WHERE target = ? AND due AND leaver AND next_at <= ? ORDER BY accounts.next_at LIMIT 1) AS at
UNION ALL SELECT (SELECT CASE WHEN next_at = 0 THEN updated_at ELSE next_at END FROM accounts WHERE target = ? AND due AND NOT leaver AND next_at <= ? ORDER BY accounts.next_at LIMIT 1)) AS x`, target, now, target, now).Scan(&oldest)
		if err != nil {
			return err
		}
		out.Due.Oldest = timePtr(oldest)
		if out.Held, err = tx.tally(most, `SELECT updated_at AS at FROM accounts WHERE target = ? AND state = 'held'`, target); err != nil {
			return err
		}
		if err := tx.errorsInto(&out, target, most); err != nil {
			return err
		}
		return tx.hoursInto(&out, target, since)
	})
	return out, err
}

func (t *Tx) errorsInto(out *TargetGlance, target string, most int) error {
	rows, err := t.query(`SELECT error_class, count(*), min(at) FROM (SELECT error_class, updated_at AS at FROM accounts WHERE target = ? AND error_class <> '' AND error_class <> ? LIMIT ?) AS x GROUP BY error_class ORDER BY error_class`, target, awaitsPerson, most+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var class string
		var n int
		var oldest *int64
		if err := rows.Scan(&class, &n, &oldest); err != nil {
			return err
		}
		out.Errors[class] = n
		out.Failed.N += n
		if at := timePtr(oldest); out.Failed.Oldest == nil || at.Before(*out.Failed.Oldest) {
			out.Failed.Oldest = at
		}
	}
	if out.Failed.N > most {
		out.Failed.N, out.Failed.More = most, true
	}
	return rows.Err()
}

func (t *Tx) hoursInto(out *TargetGlance, target string, since time.Time) error {
	rows, err := t.query(`SELECT hour, done, failed FROM target_hours WHERE target = ? AND hour >= ? ORDER BY hour`, target, micros(since))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h TargetHour
		var hour int64
		if err := rows.Scan(&hour, &h.Done, &h.Failed); err != nil {
			return err
		}
		h.Hour = fromMicros(hour)
		out.Hours = append(out.Hours, h)
	}
	return rows.Err()
}

// countHour adds to what was done at a target in this hour.
func (t *Tx) countHour(target string, outcomes []Settlement) error {
	done, failed := 0, 0
	for _, o := range outcomes {
		if done += len(o.Done); o.Failed != nil {
			failed++
		}
	}
	if done+failed == 0 {
		return nil
	}
	_, err := t.exec(`INSERT INTO target_hours (target, hour, done, failed) VALUES (?,?,?,?) ON CONFLICT (target, hour) DO UPDATE SET done = target_hours.done + excluded.done, failed = target_hours.failed + excluded.failed`,
		target, micros(t.Now.Truncate(time.Hour)), done, failed)
	return err
}

// PruneHours forgets what was done at targets before a moment.
func (s *Store) PruneHours(ctx context.Context, targets []string, before time.Time) error {
	return s.Update(ctx, func(tx *Tx) error {
		for _, target := range targets {
			if _, err := tx.exec(`DELETE FROM target_hours WHERE target = ? AND hour < ?`, target, micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ConfigSweep is how far a sweep over everybody is that a change of the configuration
// began.
type ConfigSweep struct {
	Version int64
	Started time.Time
	Done    int // people looked at
	Total   int
}

// ConfigSweep reads it; false where none is under way.
func (s *Store) ConfigSweep(ctx context.Context) (out ConfigSweep, ok bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		rows, err := tx.query(`SELECT version, started_at, done_to FROM sweeps`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if ok = rows.Next(); !ok {
			return rows.Err()
		}
		var started int64
		var doneTo string
		if err := rows.Scan(&out.Version, &started, &doneTo); err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		out.Started = fromMicros(started)
		var left int
		if err := tx.row(`SELECT count(*) FROM identities WHERE id > ? AND erased_at IS NULL`, doneTo).Scan(&left); err != nil {
			return err
		}
		if err := tx.row(`SELECT count(*) FROM identities WHERE erased_at IS NULL`).Scan(&out.Total); err != nil {
			return err
		}
		out.Done = max(out.Total-left, 0)
		return nil
	})
	return out, ok, err
}

// MarksWaiting counts the people who are marked, at most most, and since when.
func (s *Store) MarksWaiting(ctx context.Context, most int) (out Tally, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.tally(most, `SELECT marked_at AS at FROM marks`)
		return err
	})
	return out, err
}

// AuditSince reports whether anything was written to the audit trail after a moment.
func (s *Store) AuditSince(ctx context.Context, at time.Time) (written bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM audit WHERE at > ?)`, micros(at)).Scan(&written)
	})
	return written, err
}
