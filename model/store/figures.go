package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Figures are what metrics tell of the hub as a whole, read in one state of the
// database. None of them counts what grows with the number of people: each is read off
// a short index, or off rows that keep count.
type Figures struct {
	At        time.Time // when they were read
	Targets   []TargetFigures
	Sources   map[string]SourceState
	Resources []ResourceFigure

	LeaversOpen   map[string]int // whose access is not verified gone yet, by target
	LeaversAtRisk int            // people of whom a goal is at risk or missed
	LeaversLate   int            // of these, those of whom it is missed

	Approvals      int // requests that wait for an answer
	OldestApproval *time.Time
	TasksOpen      map[string]int // by target
	TasksOverdue   map[string]int
	ReviewItems    map[string]int64 // by state
	Cases          int              // resources of which a person has to say whose they are

	Deliveries     map[string]int // on their way, by receiver
	OldestDelivery *time.Time
	Sessions       int // at the console, that are good still

	Audit AuditWatch
}

// TargetFigures are how one target is.
type TargetFigures struct {
	Name   string
	Holder string // of the lease; empty: nobody works there now
	State  TargetState
	Sweep  *Sweep     // the last one; nil: there was none
	Oldest *time.Time // since when the change that waits longest could have been made; nil: none waits
}

// ResourceFigure is how many resources of a kind a source has.
type ResourceFigure struct {
	Source, Kind string
	N            int64
}

// Figures reads them.
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		f = Figures{At: tx.Now, Sources: map[string]SourceState{}, LeaversOpen: map[string]int{}, TasksOpen: map[string]int{}, TasksOverdue: map[string]int{},
			ReviewItems: map[string]int64{}, Deliveries: map[string]int{}}
		for _, part := range []func(*Figures) error{tx.targetFigures, tx.resourceFigures, tx.leaverFigures, tx.peopleFigures, tx.taskFigures, tx.deliveryFigures} {
			if err := part(&f); err != nil {
				return err
			}
		}
		if err := tx.sourceStates(f.Sources, ``); err != nil {
			return err
		}
		f.Audit, err = tx.auditWatch()
		return err
	})
	return f, err
}

// targetFigures finds since when work waits with a look at the beginning of an index for
// each target: leavers, and all others. next_at is 0 of what overtakes the rest.
func (t *Tx) targetFigures(f *Figures) error {
	now := micros(t.Now)
	const oldest = `(SELECT CASE WHEN a.next_at = 0 THEN a.updated_at ELSE a.next_at END FROM accounts a WHERE a.target = t.name AND a.due AND %s a.leaver AND a.next_at <= ? ORDER BY a.next_at LIMIT 1)`
	rows, err := t.query(`SELECT t.name, CASE WHEN t.leased_until > ? THEN t.holder ELSE '' END, t.state, t.sweep, `+
		fmt.Sprintf(oldest, "")+`, `+fmt.Sprintf(oldest, "NOT")+` FROM targets t ORDER BY t.name`, now, now, now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var one TargetFigures
		var state, sweep []byte
		var leaver, other *int64
		if err := rows.Scan(&one.Name, &one.Holder, &state, &sweep, &leaver, &other); err != nil {
			return err
		}
		if err := json.Unmarshal(state, &one.State); err != nil {
			return fmt.Errorf("state of target %s: %w", one.Name, err)
		}
		if len(sweep) > 0 {
			if err := json.Unmarshal(sweep, &one.Sweep); err != nil {
				return fmt.Errorf("sweep of target %s: %w", one.Name, err)
			}
		}
		if leaver != nil && (other == nil || *leaver < *other) {
			other = leaver
		}
		one.Oldest = timePtr(other)
		f.Targets = append(f.Targets, one)
	}
	return rows.Err()
}

func (t *Tx) resourceFigures(f *Figures) error {
	rows, err := t.query(`SELECT source, kind, CAST(sum(n) AS bigint) FROM resource_counts GROUP BY source, kind ORDER BY source, kind`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r ResourceFigure
		if err := rows.Scan(&r.Source, &r.Kind, &r.N); err != nil {
			return err
		}
		f.Resources = append(f.Resources, r)
	}
	return rows.Err()
}

func (t *Tx) leaverFigures(f *Figures) error {
	const from = ` FROM leaver_targets t JOIN leaver_runs r ON r.id = t.run_id WHERE r.ended_at IS NULL AND r.kind = 'leaver' AND t.` + openTarget
	if err := t.tallyInto(f.LeaversOpen, `SELECT t.target, count(*)`+from+` GROUP BY t.target`); err != nil {
		return err
	}
	return t.row(`SELECT count(DISTINCT CASE WHEN t.risk_at IS NOT NULL OR t.late_at IS NOT NULL THEN r.id END), count(DISTINCT CASE WHEN t.late_at IS NOT NULL THEN r.id END)`+from).
		Scan(&f.LeaversAtRisk, &f.LeaversLate)
}

func (t *Tx) peopleFigures(f *Figures) error {
	var oldest *int64
	err := t.row(`SELECT count(*), min(r.created_at) FROM (SELECT id FROM requests WHERE state = 'pending' UNION SELECT request_id FROM request_asked) x JOIN requests r ON r.id = x.id`).
		Scan(&f.Approvals, &oldest)
	if err != nil {
		return fmt.Errorf("pending approvals: %w", err)
	}
	f.OldestApproval = timePtr(oldest)
	if err := t.row(`SELECT (SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > ?), (SELECT count(*) FROM cases WHERE decided_at IS NULL)`, micros(t.Now)).
		Scan(&f.Sessions, &f.Cases); err != nil {
		return err
	}
	items, err := t.openReviewItems()
	f.ReviewItems = items
	return err
}

func (t *Tx) taskFigures(f *Figures) error {
	if err := t.tallyInto(f.TasksOpen, `SELECT target, count(*) FROM tasks WHERE done_at IS NULL GROUP BY target`); err != nil {
		return err
	}
	return t.tallyInto(f.TasksOverdue, `SELECT target, count(*) FROM tasks WHERE done_at IS NULL AND due_at < ? GROUP BY target`, micros(t.Now))
}

func (t *Tx) deliveryFigures(f *Figures) error {
	if err := t.tallyInto(f.Deliveries, `SELECT receiver, count(*) FROM deliveries WHERE state = 'pending' GROUP BY receiver`); err != nil {
		return err
	}
	var oldest *int64
	err := t.row(`SELECT min(created_at) FROM deliveries WHERE state = 'pending'`).Scan(&oldest)
	f.OldestDelivery = timePtr(oldest)
	return err
}

// tallyInto reads a query whose rows are a name and a number.
func (t *Tx) tallyInto(into map[string]int, text string, args ...any) error {
	rows, err := t.query(text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		into[name] = n
	}
	return rows.Err()
}

// StageCounts counts the people of each stage; those that were erased or became
// somebody else count as what they were last. It reads an index from end to end.
func (s *Store) StageCounts(ctx context.Context) (map[model.Stage]int, error) {
	counts := map[string]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.tallyInto(counts, `SELECT stage, count(*) FROM identities GROUP BY stage`)
	})
	out := map[model.Stage]int{}
	for stage, n := range counts {
		out[model.Stage(stage)] = n
	}
	return out, err
}

// HeldLeaversBySource counts those who left at a source beyond its guard and whose access is
// held until somebody decides, by source.
func (s *Store) HeldLeaversBySource(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.tallyInto(out, `SELECT left_source, count(*) FROM identities WHERE left_at IS NOT NULL AND over_guard GROUP BY left_source`)
	})
	return out, err
}

// Size is how many bytes the database takes on disk, indexes included.
func (s *Store) Size(ctx context.Context) (bytes int64, err error) {
	text := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if s.pg {
		text = `SELECT pg_database_size(current_database())`
	}
	err = s.single(ctx, s.read, func(tx *Tx) error { return tx.row(text).Scan(&bytes) })
	return bytes, err
}

// Pool is how the connections to the database are used, without asking it.
type Pool struct {
	Name        string // read and write; of PostgreSQL there is one for both: all
	Open, InUse int
	Max         int
	Waits       int64         // how often somebody had to wait for one
	Waited      time.Duration // for how long in all
}

// Pools tells of the pools of connections. Of SQLite, whose writers take turns before
// they take the connection, InUse says whether one writes, and waits are not counted.
func (s *Store) Pools() []Pool {
	pool := func(name string, write bool) Pool {
		from := s.read
		if write {
			from = s.write
		}
		db, err := from.DB()
		if err != nil {
			return Pool{Name: name}
		}
		st := db.Stats()
		return Pool{Name: name, Open: st.OpenConnections, InUse: st.InUse, Max: st.MaxOpenConnections, Waits: st.WaitCount, Waited: st.WaitDuration}
	}
	if s.pg {
		return []Pool{pool("all", true)}
	}
	return []Pool{pool("read", false), pool("write", true)}
}

// WritersWaiting is how many writers wait for their turn at this process, of SQLite.
func (s *Store) WritersWaiting() int { return s.turns.count() }

// count is how many wait for their turn.
func (t *turns) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting[0]) + len(t.waiting[1])
}
