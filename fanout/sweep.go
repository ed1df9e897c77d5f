package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// The phases of a sweep, in order. Where it is cut short it goes on in its phase.
const (
	phaseGroups   = "groups"   // who is in the groups that the hub works with
	phaseList     = "list"     // what the target lists, page by page
	phaseAbsent   = "absent"   // the hub's own accounts that were not listed, by id
	phaseConclude = "conclude" // what was found is believed, and acted upon
)

const (
	sweepBatch  = 100            // accounts compared at a time
	sweepPage   = 500            // rows read at a time
	sweepResume = 1000           // accounts read; a shorter sweep begins anew rather than go on
	sweepStale  = 24 * time.Hour // without progress; then a sweep begins anew
)

// errSweepCut ends a sweep that goes on later: the worker stops, or the target is
// paused or waited for.
var errSweepCut = errors.New("the sweep was cut short")

// sweeping is one sweep under way. What it holds in memory does not grow with the
// number of accounts: what was seen is noted in their rows.
type sweeping struct {
	r      *runner
	at     store.SweepProgress
	wanted bool              // somebody asked for it
	await  *bloom            // match values of rows whose account is not known yet
	groups map[string]bool   // whose members were read
	names  map[string]string // of groups: former name -> name
	failed int               // accounts that could not be read
	due    bool
	urgent bool

	recovery *store.Recovery // that the sweep is for; nil: for drift
	found    store.RecoveryFound
	knew     int // accounts that were seen and known before any was recognised
}

// sweep reads groups and accounts of the target and compares them with what was
// applied. What it sees is written down; nothing follows from it before everything
// was read and what the target showed can be believed, but for leavers who are let
// in again. Absence is believed only where a read by id says so.
func (r *runner) sweep(soft, hard context.Context, wanted bool) (SweepReport, error) {
	if r.target.Manual != nil {
		return r.unswept(hard)
	}
	hard = leisurely(hard)
	s := &sweeping{r: r, wanted: wanted, groups: map[string]bool{}, names: map[string]string{}}
	if err := s.recover(soft, hard); err != nil {
		return SweepReport{}, err
	}
	if err := s.begin(soft); err != nil {
		return SweepReport{}, err
	}
	refused, err := s.read(soft, hard)
	if err == nil && refused == "" {
		err = s.conclude(soft, hard)
	}
	if err == nil && refused == "" && s.recovery != nil {
		s.found, err = s.recognise(soft, hard)
	}
	if s.due || s.urgent {
		r.nudge()
	}
	if err != nil {
		if !errors.Is(err, errSweepCut) {
			r.w.Metrics.swept(r.target.Name, "failed")
		}
		return SweepReport{Checked: s.at.Checked, Kinds: map[string]int{}}, fmt.Errorf("sweep of target %s: %w", r.target.Name, err)
	}
	return s.end(context.WithoutCancel(hard), refused)
}

// unswept ends the sweep of a target where nothing can be read: people look after it.
func (r *runner) unswept(ctx context.Context) (SweepReport, error) {
	now := r.w.Now()
	why := "nothing can be read: people look after this application by hand"
	err := r.w.Store.EndSweep(ctx, r.target.Name, store.Sweep{At: now, Ended: now, By: "tasks", Unknown: why, Members: why})
	if err == nil {
		err = r.w.Store.UpdateTargetState(ctx, r.target.Name, func(t *store.TargetState) { t.LastDrift, t.DriftWanted, t.DriftRefused = &now, false, "" })
	}
	return SweepReport{Kinds: map[string]int{}}, err
}

// begin goes on with a sweep that was cut short, or begins one.
func (s *sweeping) begin(ctx context.Context) error {
	st, target, now := s.r.w.Store, s.r.target.Name, s.r.w.Now()
	groups, err := st.TargetGroups(ctx, target)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	for _, g := range groups {
		for _, former := range g.Former {
			s.names[former] = g.Name
		}
	}
	p, ok, err := st.SweepProgress(ctx, target)
	if err != nil {
		return fmt.Errorf("read how far the last sweep came: %w", err)
	}
	if ok && p.Checked >= sweepResume && now.Sub(p.Saved) < sweepStale {
		s.at = p
		for _, g := range p.Groups {
			s.groups[g] = true
		}
		return nil
	}
	s.at = store.SweepProgress{Began: now.Truncate(time.Microsecond), Phase: phaseGroups}
	if err := st.ResetSweepMembers(ctx, target, ""); err != nil {
		return err
	}
	return s.save(ctx)
}

// applied is what was written of a row's account, with the names that its groups have by
// now.
func (s *sweeping) applied(row model.AccountRow) model.AccountRow {
	if row.Applied == nil || len(s.names) == 0 {
		return row
	}
	a := *row.Applied
	a.Groups = make([]string, len(row.Applied.Groups))
	for i, g := range row.Applied.Groups {
		if a.Groups[i] = g; s.names[g] != "" {
			a.Groups[i] = s.names[g]
		}
	}
	row.Applied = &a
	return row
}

func (s *sweeping) save(ctx context.Context) error {
	err := s.r.w.Store.SaveSweepProgress(context.WithoutCancel(ctx), s.r.target.Name, s.at)
	if err != nil {
		return fmt.Errorf("store how far the sweep has come: %w", err)
	}
	return nil
}

// next begins a phase.
func (s *sweeping) next(ctx context.Context, phase string) error {
	s.at.Phase, s.at.Place = phase, ""
	return s.save(ctx)
}

// read goes through the phases in which the target is asked. refused says why nothing
// may be concluded from what it showed.
func (s *sweeping) read(soft, hard context.Context) (refused string, err error) {
	if s.at.Phase == phaseGroups {
		if err := s.readGroups(soft, hard); err != nil {
			return "", err
		}
		if err := s.next(hard, phaseList); err != nil {
			return "", err
		}
	}
	if s.at.Phase == phaseList {
		if s.byList() {
			err = s.list(soft, hard)
		}
		if err == nil {
			err = s.next(hard, phaseAbsent)
		}
		if err != nil {
			return "", err
		}
	}
	if s.at.Phase != phaseAbsent {
		return "", nil
	}
	refused, err = s.absent(soft, hard)
	if err != nil || refused != "" {
		return refused, err
	}
	if err = s.deletedAgain(soft, hard); err != nil {
		return "", err
	}
	if refused, err = s.doubt(soft, hard); err != nil || refused != "" {
		return refused, err
	}
	s.at.Phase, s.at.Place = phaseConclude, ""
	return "", s.r.w.Store.ConfirmSweep(context.WithoutCancel(hard), s.r.target.Name, s.at)
}

// byList reports whether the application's list says who is there. Where it does not,
// the accounts that the hub knows are read one by one.
func (s *sweeping) byList() bool {
	return s.r.profile.ListTrustworthy && s.r.profile.Pagination != "none"
}

// halt ends a sweep early where nothing new may begin.
func (s *sweeping) halt(soft context.Context) error {
	if soft.Err() != nil {
		return errSweepCut
	}
	ready, err := s.r.mayWork(soft)
	if left := s.r.standing().RetryAt.Sub(s.r.w.Now()); err == nil && !ready && left > 0 && left <= sweepPatience && !s.r.standing().quarantined() {
		s.rest(soft, left)
		ready, err = s.r.mayWork(soft)
	}
	if err == nil && !ready {
		err = errSweepCut
	}
	return err
}

// end stores what the sweep was and found.
func (s *sweeping) end(ctx context.Context, refused string) (SweepReport, error) {
	r, st := s.r, s.r.w.Store
	report := SweepReport{Checked: s.at.Checked, Kinds: map[string]int{}, New: s.at.New, Refused: refused}
	counts, err := st.CountFound(ctx, r.target.Name, &s.at.Began)
	if err != nil {
		return report, err
	}
	known, _, err := st.KnownAccounts(ctx, r.target.Name, s.at.Began)
	if err != nil {
		return report, err
	}
	sweep := store.Sweep{At: s.at.Began, Ended: r.w.Now(), Checked: s.at.Checked, Known: known, By: "list", Members: s.at.Note, Refused: refused}
	for _, c := range counts {
		report.Kinds[c.Kind] = c.Count
		sweep.Total += c.Count
	}
	sweep.Kinds = report.Kinds
	if !s.byList() {
		sweep.By, sweep.Unknown = "id", "not readable here: "+s.why()
	}
	if err := st.EndSweep(ctx, r.target.Name, sweep); err != nil {
		return report, fmt.Errorf("store the sweep: %w", err)
	}
	if refused == "" {
		r.w.Metrics.swept(r.target.Name, "ok")
	} else {
		r.w.Metrics.swept(r.target.Name, "refused")
		r.log.Warn("nothing is concluded from a drift sweep", "reason", refused)
	}
	if refused == "" && s.recovery != nil {
		if err := s.recoveryRead(ctx, s.found, report.Kinds); err != nil {
			return report, fmt.Errorf("store what was recovered: %w", err)
		}
	}
	return report, st.Update(ctx, func(tx *store.Tx) error {
		if refused == "" && report.New > 0 {
			if err := tx.Notify(driftNotice(r.target.Name, s.at.Began, report)); err != nil {
				return err
			}
		}
		return tx.UpdateTargetState(r.target.Name, func(t *store.TargetState) {
			t.LastDrift, t.DriftWanted, t.DriftRefused = &s.at.Began, awaitsAnother(t.Recovery, s.recovery), refused
		})
	})
}

// why the list is not read.
func (s *sweeping) why() string {
	if s.r.profile.Pagination == "none" {
		return "the application lists accounts without pages, so that a list may be cut off"
	}
	return "the application's lists do not show everybody"
}

// settled reports whether a row is at rest, so that a difference is drift and not
// work under way: not due but for a later deletion, and not written since the
// sweep began, or so shortly before that the target may still show what was.
func (s *sweeping) settled(row model.AccountRow) bool {
	late := time.Duration(s.r.profile.EventualSeconds) * time.Second
	if s.recovery != nil && s.recovery.Why == store.RecoveryRebuild && !row.Leaver {
		return row.Applied != nil && row.UpdatedAt.Before(s.at.Began) // nothing was written: all that is due waits
	}
	if row.Applied == nil || !row.UpdatedAt.Before(s.at.Began.Add(-late)) {
		return false
	}
	return !row.Due || waitsForDeletion(row, s.at.Began)
}

// waitsForDeletion reports whether all that is due of a row is its deletion, later.
func waitsForDeletion(row model.AccountRow, at time.Time) bool {
	return row.Desired == nil && row.DisabledAt != nil && row.NextAttempt.After(at) &&
		(row.State == model.StateDisabled || row.State == model.StateDrifted)
}
