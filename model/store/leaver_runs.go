package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// LeaverProgress is what work on a leaver's account found out. Moments are those at
// which it did; nil: not this time.
type LeaverProgress struct {
	State    model.LeaverState
	Accepted *time.Time // the target confirmed
	Verified *time.Time // the target showed that access is gone
	Back     *time.Time // of a drill: the target showed the account active again
	Status   int        // of HTTP, of a failure
	Note     string     // what was confirmed only
}

// noteLeavers opens runs for accounts whose people left, or take part in a drill, with
// what is to be done at each target. Rows that were stored decide: where the caller saw
// nothing there may be something.
func (t *Tx) noteLeavers(accounts []model.AccountRow) error {
	var leavers []model.AccountRow
	for _, a := range accounts {
		if a.Leaver && a.LeaverAt != nil {
			leavers = append(leavers, a)
		}
	}
	for chunk := range portions(leavers) {
		runs, pairs := make([]any, 0, 4*len(chunk)), make([]any, 0, 2*len(chunk))
		runs = append(runs, model.HeldBySource)
		var ids []string
		var values []any
		for _, a := range chunk { // sorted by identity
			pairs = append(pairs, a.Identity, a.Target)
			id := model.LeaverRunID(a.Identity, *a.LeaverAt)
			if slices.Contains(ids, id) {
				continue
			}
			kind := model.RunLeaver
			if a.Drill {
				kind = model.RunDrill
			}
			ids = append(ids, id)
			values = append(values, id, a.Identity, kind, micros(*a.LeaverAt))
		}
		begun, err := t.texts(`INSERT INTO leaver_runs (id, identity_id, kind, received_at) VALUES `+tuples(`(?,?,?,?)`, len(ids))+` ON CONFLICT (id) DO NOTHING RETURNING id`, values...)
		if err != nil {
			return err
		}
		if err := t.notifyLeaving(begun); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO leaver_targets (run_id, target, state, last_error)
SELECT a.identity_id || '-' || a.leaver_at, a.target, CASE WHEN a.leaver_held THEN 'held' WHEN a.due THEN 'waiting' ELSE 'not_needed' END, CASE WHEN a.leaver_held THEN CAST(? AS text) ELSE '' END
FROM accounts a WHERE a.leaver AND a.leaver_at IS NOT NULL AND (a.identity_id, a.target) IN (VALUES `+tuples(`(CAST(? AS text),CAST(? AS text))`, len(chunk))+`)
ON CONFLICT (run_id, target) DO UPDATE SET state = excluded.state, last_error = excluded.last_error, error_class = '', status = 0, attempts = 0, next_at = NULL WHERE leaver_targets.verified_at IS NULL`,
			append(runs, pairs...)...)
		if err != nil {
			return err
		}
		if err := t.closeRuns(ids, true); err != nil {
			return err
		}
	}
	return nil
}

// openTarget is the condition of a target where access is still to be taken away.
const openTarget = `state NOT IN ('verified', 'not_needed')`

// closeRuns ends the runs of leavers that have no open target any more, and with
// reopen opens those again that have. The caller holds their locks, or made them.
func (t *Tx) closeRuns(ids []string, reopen bool) error {
	for chunk := range portions(ids) {
		in := list(len(chunk))
		ended, err := t.texts(`UPDATE leaver_runs SET ended_at = ?, outcome = 'verified' WHERE kind = 'leaver' AND ended_at IS NULL AND id IN `+in+`
AND NOT EXISTS (SELECT 1 FROM leaver_targets t WHERE t.run_id = leaver_runs.id AND t.`+openTarget+`) RETURNING id`, append([]any{micros(t.Now)}, anys(chunk)...)...)
		if err == nil && !reopen {
			err = t.notifyGone(ended)
		}
		if err == nil && reopen {
			_, err = t.exec(`UPDATE leaver_runs SET ended_at = NULL, outcome = '' WHERE kind = 'leaver' AND ended_at IS NOT NULL AND id IN `+in+`
AND EXISTS (SELECT 1 FROM leaver_targets t WHERE t.run_id = leaver_runs.id AND t.`+openTarget+`)`, anys(chunk)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// saveSent notes that requests are about to go out for leavers.
func (t *Tx) saveSent(target string, intents []Intent, stored map[string]bool) error {
	var ids []string
	for _, i := range intents {
		if i.LeaverAt != nil && stored[i.Identity] {
			ids = append(ids, model.LeaverRunID(i.Identity, *i.LeaverAt))
		}
	}
	slices.Sort(ids)
	for chunk := range portions(ids) {
		args := append([]any{micros(t.Now), target}, anys(chunk)...)
		if _, err := t.exec(`UPDATE leaver_targets SET state = 'sent', sent_at = coalesce(sent_at, ?) WHERE target = ? AND verified_at IS NULL AND run_id IN `+list(len(chunk)), args...); err != nil {
			return err
		}
	}
	return nil
}

// saveProgress stores how far leavers are. What was verified stays so.
func (t *Tx) saveProgress(target string, outcomes []Settlement) error {
	var runs []string
	for _, o := range outcomes {
		if o.Leaver != nil && o.Row.LeaverAt != nil {
			runs = append(runs, model.LeaverRunID(o.Row.Identity, *o.Row.LeaverAt))
		}
	}
	slices.Sort(runs)
	if t.pg { // who settles another target of theirs waits, so that one of both sees that it is the last
		for chunk := range portions(runs) {
			if _, err := t.texts(`SELECT id FROM leaver_runs WHERE id IN `+list(len(chunk))+` ORDER BY id FOR UPDATE`, anys(chunk)...); err != nil {
				return err
			}
		}
	}
	sorted := slices.SortedFunc(slices.Values(outcomes), func(a, b Settlement) int { return cmp.Compare(a.Row.Identity, b.Row.Identity) })
	for _, o := range sorted {
		if err := t.saveOneProgress(target, o); err != nil {
			return err
		}
	}
	return t.closeRuns(runs, false)
}

func (t *Tx) saveOneProgress(target string, o Settlement) error {
	p, row := o.Leaver, o.Row
	if p == nil {
		return nil
	}
	if p.Back != nil {
		_, err := t.exec(`UPDATE leaver_targets SET back_at = coalesce(back_at, ?) WHERE target = ? AND run_id IN (SELECT id FROM leaver_runs WHERE identity_id = ? AND kind = 'drill' AND ended_at IS NULL)`,
			micros(*p.Back), target, row.Identity)
		return err
	}
	if row.LeaverAt == nil {
		return nil
	}
	var next *int64
	if row.Due && !row.NextAttempt.IsZero() {
		next = microsPtr(&row.NextAttempt)
	}
	message := row.LastError
	if p.State == model.LeaverVerified {
		next, message = nil, ""
	}
	_, err := t.exec(`UPDATE leaver_targets SET state = ?, accepted_at = coalesce(accepted_at, CAST(? AS bigint)), verified_at = ?, attempts = ?, next_at = ?, last_error = ?, error_class = ?, status = ?, note = ?
WHERE run_id = ? AND target = ? AND verified_at IS NULL`,
		string(p.State), microsPtr(p.Accepted), microsPtr(p.Verified), row.Attempts, next, message, row.ErrorClass, p.Status, p.Note,
		model.LeaverRunID(row.Identity, *row.LeaverAt), target)
	return err
}

// LeaverFilter narrows a list of runs; empty fields do not.
type LeaverFilter struct {
	Identity string
	Kind     string
	Open     bool      // only those that have not ended
	Since    time.Time // received not before
	Until    time.Time // received before
	After    string    // the cursor of the previous page
	Limit    int
}

func (f LeaverFilter) where() (where string, args []any) {
	parts := []string{"TRUE"}
	add := func(text string, values ...any) { parts, args = append(parts, text), append(args, values...) }
	if f.Identity != "" {
		add("r.identity_id = ?", f.Identity)
	}
	if f.Kind != "" {
		add("r.kind = ?", f.Kind)
	}
	if f.Open {
		add("r.ended_at IS NULL")
	}
	if !f.Since.IsZero() {
		add("r.received_at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("r.received_at < ?", micros(f.Until))
	}
	return strings.Join(parts, " AND "), args
}
