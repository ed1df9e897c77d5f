package store

import (
	"context"

	"github.com/scimhub/scimhub/model"
)

// OpenLeavers lists open runs, the oldest first, after the one of that moment and id:
// for whoever looks at all of them, page by page.
func (s *Store) OpenLeavers(ctx context.Context, after model.LeaverRun, limit int) (runs []model.LeaverRun, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		at := int64(0)
		if after.ID != "" {
			at = micros(after.ReceivedAt)
		}
		runs, err = tx.leaverRuns(`WHERE r.ended_at IS NULL AND (r.received_at > ? OR r.received_at = ? AND r.id > ?) ORDER BY r.received_at, r.id LIMIT ?`, at, at, after.ID, limit)
		return err
	})
	return runs, err
}

// NoteRisk notes that the goal of a leaver at a target is at risk or missed; first is
// false where that was noted before, or access is gone by now.
func (t *Tx) NoteRisk(run, target string, risk model.Risk) (first bool, err error) {
	column := "risk_at"
	if risk == model.RiskLate {
		column = "late_at"
	}
	n, err := t.exec(`UPDATE leaver_targets SET `+column+` = ? WHERE run_id = ? AND target = ? AND `+column+` IS NULL AND `+openTarget, micros(t.Now), run, target)
	return n == 1, err
}

// EndReturned ends the runs of leavers whose accounts are not those of leavers any
// more: they came back, or the accounts are somebody else's. It returns how many.
func (t *Tx) EndReturned() (int64, error) {
	return t.exec(`UPDATE leaver_runs SET ended_at = ?, outcome = 'returned' WHERE kind = 'leaver' AND ended_at IS NULL
AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.identity_id = leaver_runs.identity_id AND a.leaver AND a.leaver_at = leaver_runs.received_at)`, micros(t.Now))
}

// AnyReturned reports whether EndReturned would end any.
func (s *Store) AnyReturned(ctx context.Context) (found bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM leaver_runs r WHERE r.kind = 'leaver' AND r.ended_at IS NULL
AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.identity_id = r.identity_id AND a.leaver AND a.leaver_at = r.received_at))`).Scan(&found)
	})
	return found, err
}

// StartDrill opens a drill: it begins now. Targets of the run that are not needed are
// left out, and their note says why. model.Conflict where one is open already.
func (t *Tx) StartDrill(run model.LeaverRun) error {
	var open int
	if err := t.row(`SELECT count(*) FROM leaver_runs WHERE identity_id = ? AND kind = 'drill' AND ended_at IS NULL`, run.Identity).Scan(&open); err != nil {
		return err
	}
	if open > 0 {
		return model.Fail(model.Conflict, "a drill with this person is under way", nil)
	}
	if _, err := t.exec(`INSERT INTO leaver_runs (id, identity_id, kind, received_at, by_whom, until_at) VALUES (?,?,'drill',?,?,?)`,
		run.ID, run.Identity, micros(run.ReceivedAt), run.By, microsPtr(run.Until)); err != nil {
		return err
	}
	for _, lt := range run.Targets {
		if _, err := t.exec(`INSERT INTO leaver_targets (run_id, target, state, note) VALUES (?,?,?,?)`, run.ID, lt.Target, string(lt.State), lt.Note); err != nil {
			return err
		}
	}
	return nil
}

// Drills are the open drills of some people, by identity.
func (t *Tx) Drills(identities []string) (map[string]model.LeaverRun, error) {
	out := map[string]model.LeaverRun{}
	for chunk := range portions(identities) {
		runs, err := t.leaverRuns(`WHERE r.kind = 'drill' AND r.ended_at IS NULL AND r.identity_id IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			out[r.Identity] = r
		}
	}
	return out, nil
}

// TurnDrill has a drill give back from now on; first is false where it does already.
func (t *Tx) TurnDrill(id string) (first bool, err error) {
	n, err := t.exec(`UPDATE leaver_runs SET off_at = ? WHERE id = ? AND kind = 'drill' AND ended_at IS NULL AND off_at IS NULL`, micros(t.Now), id)
	return n == 1, err
}

// EndDrill ends a drill; first is false where it has ended. The accounts are ordinary
// ones from then on.
func (t *Tx) EndDrill(run model.LeaverRun, outcome string) (first bool, err error) {
	n, err := t.exec(`UPDATE leaver_runs SET ended_at = ?, outcome = ?, off_at = coalesce(off_at, ?) WHERE id = ? AND kind = 'drill' AND ended_at IS NULL`, micros(t.Now), outcome, micros(t.Now), run.ID)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.exec(`UPDATE accounts SET drill = FALSE WHERE identity_id = ? AND drill AND NOT leaver`, run.Identity)
	return true, err
}
