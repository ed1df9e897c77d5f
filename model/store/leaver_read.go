package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

const runColumns = `r.id, r.identity_id, coalesce(i.name, ''), r.kind, r.received_at, r.ended_at, r.outcome, r.by_whom, r.until_at, r.off_at`

// LeaverRuns lists runs, the newest first, with all their targets. next is the cursor
// of the next page; empty: there is none.
func (s *Store) LeaverRuns(ctx context.Context, f LeaverFilter) (runs []model.LeaverRun, next string, err error) {
	where, args := f.where()
	if f.After != "" {
		at, id, ok := strings.Cut(f.After, " ")
		us, bad := strconv.ParseInt(at, 10, 64)
		if !ok || bad != nil {
			return nil, "", model.Fail(model.Invalid, "the cursor is not one of this listing", bad)
		}
		where += ` AND (r.received_at < ? OR r.received_at = ? AND r.id < ?)`
		args = append(args, us, us, id)
	}
	err = s.View(ctx, func(tx *Tx) error {
		runs, err = tx.leaverRuns(`WHERE `+where+` ORDER BY r.received_at DESC, r.id DESC LIMIT ?`, append(args, f.Limit+1)...)
		return err
	})
	if len(runs) > f.Limit {
		runs = runs[:f.Limit]
		last := runs[f.Limit-1]
		next = fmt.Sprintf("%d %s", micros(last.ReceivedAt), last.ID)
	}
	return runs, next, err
}

// LeaverRun finds one run by its id; model.NotFound where there is none.
func (t *Tx) LeaverRun(id string) (model.LeaverRun, error) {
	runs, err := t.leaverRuns(`WHERE r.id = ?`, id)
	if err == nil && len(runs) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no run %q of a leaver", id), nil)
	}
	if err != nil {
		return model.LeaverRun{}, err
	}
	return runs[0], nil
}

// LastLeaverRun is the newest run of a person of a kind; of any with kind empty. ok is
// false where there is none.
func (t *Tx) LastLeaverRun(identity, kind string) (run model.LeaverRun, ok bool, err error) {
	where, args := LeaverFilter{Identity: identity, Kind: kind}.where()
	runs, err := t.leaverRuns(`WHERE `+where+` ORDER BY r.received_at DESC, r.id DESC LIMIT 1`, args...)
	if err != nil || len(runs) == 0 {
		return run, false, err
	}
	return runs[0], true, nil
}

func (t *Tx) leaverRuns(where string, args ...any) ([]model.LeaverRun, error) {
	rows, err := t.query(`SELECT `+runColumns+` FROM leaver_runs r LEFT JOIN identities i ON i.id = r.identity_id `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []model.LeaverRun
	for rows.Next() {
		var r model.LeaverRun
		var received int64
		var ended, until, off *int64
		if err := rows.Scan(&r.ID, &r.Identity, &r.UserName, &r.Kind, &received, &ended, &r.Outcome, &r.By, &until, &off); err != nil {
			return nil, err
		}
		r.ReceivedAt, r.EndedAt, r.Until, r.OffAt = fromMicros(received), timePtr(ended), timePtr(until), timePtr(off)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, t.leaverTargets(out)
}

// leaverTargets fills in the targets of runs.
func (t *Tx) leaverTargets(runs []model.LeaverRun) error {
	at := map[string]int{}
	ids := make([]string, len(runs))
	for i, r := range runs {
		at[r.ID], ids[i] = i, r.ID
	}
	for chunk := range portions(ids) {
		rows, err := t.query(`SELECT run_id, target, state, sent_at, accepted_at, verified_at, back_at, attempts, next_at, last_error, error_class, status, note, risk_at, late_at FROM leaver_targets WHERE run_id IN `+list(len(chunk))+` ORDER BY run_id, target`, anys(chunk)...)
		if err != nil {
			return err
		}
		if err := scanTargets(rows, func(run string, lt model.LeaverTarget) {
			runs[at[run]].Targets = append(runs[at[run]].Targets, lt)
		}); err != nil {
			return err
		}
	}
	return nil
}

func scanTargets(rows *sql.Rows, each func(run string, lt model.LeaverTarget)) error {
	defer rows.Close()
	for rows.Next() {
		var run, state string
		var lt model.LeaverTarget
		var sent, accepted, verified, back, next, risk, late *int64
		if err := rows.Scan(&run, &lt.Target, &state, &sent, &accepted, &verified, &back, &lt.Attempts, &next, &lt.LastError, &lt.ErrorClass, &lt.Status, &lt.Note, &risk, &late); err != nil {
			return err
		}
		lt.State = model.LeaverState(state)
		lt.SentAt, lt.AcceptedAt, lt.VerifiedAt, lt.BackAt = timePtr(sent), timePtr(accepted), timePtr(verified), timePtr(back)
		lt.NextAt, lt.RiskAt, lt.LateAt = timePtr(next), timePtr(risk), timePtr(late)
		each(run, lt)
	}
	return rows.Err()
}

// Quantiles are how long it took, of N that were verified.
type Quantiles struct {
	N             int
	P50, P95, P99 time.Duration
}

// LeaverQuantiles is how long it took from the fact to access verified gone, of leavers
// whose fact came since a moment: everywhere, and at each target.
func (s *Store) LeaverQuantiles(ctx context.Context, since time.Time) (all Quantiles, targets map[string]Quantiles, err error) {
	targets = map[string]Quantiles{}
	err = s.View(ctx, func(tx *Tx) error {
		var err error
		const people = `SELECT r.ended_at - r.received_at AS took FROM leaver_runs r WHERE r.kind = 'leaver' AND r.outcome = 'verified' AND r.received_at >= ? AND EXISTS (SELECT 1 FROM leaver_targets t WHERE t.run_id = r.id AND t.verified_at IS NOT NULL)`
		if all, err = tx.quantiles(people, micros(since)); err != nil {
			return err
		}
		const at = ` FROM leaver_targets t JOIN leaver_runs r ON r.id = t.run_id WHERE r.kind = 'leaver' AND r.received_at >= ? AND t.verified_at IS NOT NULL`
		names, err := tx.texts(`SELECT DISTINCT t.target`+at+` ORDER BY 1`, micros(since))
		if err != nil {
			return err
		}
		for _, name := range names {
			if targets[name], err = tx.quantiles(`SELECT t.verified_at - r.received_at AS took`+at+` AND t.target = ?`, micros(since), name); err != nil {
				return err
			}
		}
		return nil
	})
	return all, targets, err
}

// quantiles reads them off a query with one column of microseconds, took.
func (t *Tx) quantiles(query string, args ...any) (q Quantiles, err error) {
	if err := t.row(`SELECT count(*) FROM (`+query+`) x`, args...).Scan(&q.N); err != nil || q.N == 0 {
		return q, err
	}
	for percent, into := range map[int]*time.Duration{50: &q.P50, 95: &q.P95, 99: &q.P99} {
		var us int64
		rank := (q.N*percent + 99) / 100 // nearest rank
		if err := t.row(`SELECT took FROM (`+query+`) x ORDER BY took LIMIT 1 OFFSET ?`, append(append([]any{}, args...), rank-1)...).Scan(&us); err != nil {
			return q, err
		}
		*into = time.Duration(us) * time.Microsecond
	}
	return q, nil
}

// LeaverCounts counts, by target, the leavers whose access is still to be taken away
// there, and the people of whom a goal is at risk or missed. Drills do not count.
func (s *Store) LeaverCounts(ctx context.Context) (open map[string]int, atRisk int, err error) {
	open = map[string]int{}
	err = s.View(ctx, func(tx *Tx) error {
		const from = ` FROM leaver_targets t JOIN leaver_runs r ON r.id = t.run_id WHERE r.ended_at IS NULL AND r.kind = 'leaver' AND t.` + openTarget
		rows, err := tx.query(`SELECT t.target, count(*)` + from + ` GROUP BY t.target`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var target string
			var n int
			if err := rows.Scan(&target, &n); err != nil {
				return err
			}
			open[target] = n
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.row(`SELECT count(DISTINCT r.id)` + from + ` AND (t.risk_at IS NOT NULL OR t.late_at IS NOT NULL)`).Scan(&atRisk)
	})
	return open, atRisk, err
}

// LeaversDue lists the targets where something is to be done for a leaver now, by
// name: one short look for all of them.
func (s *Store) LeaversDue(ctx context.Context) (targets []string, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		targets, err = tx.texts(`SELECT DISTINCT target FROM accounts WHERE leaver AND due AND next_at <= ? ORDER BY target`, micros(tx.Now))
		return err
	})
	return targets, err
}
