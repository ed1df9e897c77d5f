package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// The kinds of drift.
const (
	driftChanged = "changed" // an owned attribute, active or a membership differs
	driftMissing = "missing" // our account is gone
	driftUnknown = "unknown" // an account that is nobody's the hub knows
)

const (
	sweepBatch = 100         // accounts compared at a time
	sweepPage  = 500         // rows read at a time
	sweepRetry = time.Minute // after a sweep that could not be finished
)

// SweepReport is what a drift sweep saw. Kinds counts all drift there is, not
// only what is new.
type SweepReport struct {
	Checked int            // accounts the target showed
	Kinds   map[string]int // changed, missing, unknown
	New     int            // found for the first time
}

// Sweep reads a target in full now and compares. It returns what was found; an
// error says that the target could not be read to its end, in which case nothing
// was concluded from what it did not show.
func (w *Worker) Sweep(ctx context.Context, name string) (SweepReport, error) {
	w.mu.Lock()
	r := w.runners[name]
	w.mu.Unlock()
	if r == nil {
		snapshot := w.Current()
		if snapshot != nil {
			for _, t := range snapshot.Targets {
				if t.Name == name {
					var err error
					if r, err = w.newRunner(t); err != nil {
						return SweepReport{}, err
					}
				}
			}
		}
	}
	if r == nil {
		return SweepReport{}, model.Fail(model.NotFound, "there is no target "+name, nil)
	}
	var report SweepReport
	ran := false
	err := r.leased(ctx, ctx, func(soft, hard context.Context) (err error) {
		ran = true
		report, err = r.sweep(soft, hard)
		return err
	})
	if err == nil && !ran {
		err = model.Fail(model.Unavailable, "another replica works on target "+name+"; try again", nil)
	}
	return report, err
}

// driftRound sweeps when it is time or somebody asked. A scheduled sweep lets a
// backlog go first, unless it has been waiting for a whole interval.
func (r *runner) driftRound(soft, hard context.Context) error {
	ready, err := r.mayWork(soft)
	if err != nil || !ready {
		return err
	}
	st, err := r.w.Store.TargetState(soft, r.target.Name)
	if err != nil {
		return fmt.Errorf("read target state: %w", err)
	}
	now := r.w.Now()
	if now.Before(r.sweepAfter) || !r.sweepDue(soft, st, now) {
		return nil
	}
	return r.leased(soft, hard, func(soft, hard context.Context) error {
		_, err := r.sweep(soft, hard)
		if err != nil {
			r.sweepAfter = r.w.Now().Add(sweepRetry)
		}
		// A quiet target is asked by sweeps alone: how it answers is its standing.
		r.note(hard, false)
		r.stamp(hard, true)
		return err
	})
}

func (r *runner) sweepDue(ctx context.Context, st store.TargetState, now time.Time) bool {
	every := r.target.Drift.Every
	switch {
	case st.DriftWanted:
		return true
	case every <= 0 || (st.LastDrift != nil && now.Before(st.LastDrift.Add(every))):
		return false
	case st.LastDrift != nil && now.After(st.LastDrift.Add(2*every)):
		return true
	}
	rows, err := r.w.Store.DueAccounts(ctx, r.target.Name, store.LaneAll, 1)
	return err == nil && len(rows) == 0
}

// sweeping is one sweep under way.
type sweeping struct {
	r       *runner
	began   time.Time
	seed    maphash.Seed
	seen    map[uint64]struct{} // hashes of the ids listed
	wanted  map[uint64]struct{} // hashes of match values of rows whose account is not known yet
	members map[string][]string // id -> groups; nil: memberships are not known
	report  SweepReport
	found   []store.Finding // what the report counts, up to sweepFindings
	due     bool
}

// sweepFindings limits the list kept of a sweep; the count goes on.
const sweepFindings = 1000

// finding counts a difference and keeps it for those who ask what the sweep found.
func (s *sweeping) finding(f store.Finding) {
	s.report.Kinds[f.Kind]++
	if len(s.found) < sweepFindings {
		s.found = append(s.found, f)
	}
}

// kept is the sweep as it is stored: in an order that says nothing of the target's.
func (s *sweeping) kept() store.Sweep {
	slices.SortFunc(s.found, func(a, b store.Finding) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.UserName, b.UserName), strings.Compare(a.RemoteID, b.RemoteID))
	})
	total := 0
	for _, n := range s.report.Kinds {
		total += n
	}
	return store.Sweep{At: s.began, Checked: s.report.Checked, Total: total, Findings: s.found}
}

// sweep reads groups and accounts of the target and compares them with what was
// applied. Absence is believed only after the whole list was read, and then only
// where a read by id says so too.
func (r *runner) sweep(soft, hard context.Context) (SweepReport, error) {
	s := &sweeping{r: r, began: r.w.Now(), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{},
		report: SweepReport{Kinds: map[string]int{}}}
	err := s.expect(soft)
	if err != nil {
		return s.report, err
	}
	groupsErr := s.readGroups(hard)
	err = s.list(soft, hard)
	if err == nil {
		err = s.absent(soft, hard)
	}
	if s.due {
		r.nudge()
	}
	if err = errors.Join(err, groupsErr); err != nil {
		return s.report, fmt.Errorf("sweep of target %s: %w", r.target.Name, err)
	}
	r.w.Metrics.drifted(r.target.Name, s.report.Kinds)
	if err := r.w.Store.EndSweep(context.WithoutCancel(hard), r.target.Name, s.kept()); err != nil {
		return s.report, fmt.Errorf("store the sweep: %w", err)
	}
	at := s.began
	return s.report, r.w.Store.UpdateTargetState(context.WithoutCancel(hard), r.target.Name, func(st *store.TargetState) {
		st.LastDrift, st.DriftWanted = &at, false
	})
}

// expect remembers the match values of accounts that are still to be found or
// made: the target may show them already, and they are not unknown.
func (s *sweeping) expect(ctx context.Context) error {
	s.wanted = map[uint64]struct{}{}
	match := s.r.match()
	return s.rows(ctx, func(rows []model.AccountRow) error {
		for _, row := range rows {
			like := row.Desired
			if like == nil {
				like = row.Observed
			}
			if row.Applied != nil || like == nil || isForeign(row) {
				continue
			}
			canonical := s.r.profile.Canonical(*like)
			for _, attr := range match {
				if v := matchValue(canonical, attr); v != "" {
					s.wanted[s.hash(attr+"\x00"+scim.Fold(v))] = struct{}{}
				}
			}
		}
		return nil
	})
}

func (s *sweeping) hash(text string) uint64 { return maphash.String(s.seed, text) }

// rows streams all rows of the target.
func (s *sweeping) rows(ctx context.Context, fn func([]model.AccountRow) error) error {
	after := ""
	for {
		rows, err := s.r.w.Store.Accounts(ctx, s.r.target.Name, after, sweepPage)
		if err != nil {
			return fmt.Errorf("read accounts: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if err := fn(rows); err != nil {
			return err
		}
		after = rows[len(rows)-1].Identity
	}
}

// readGroups reads who is in the groups that the hub works with.
func (s *sweeping) readGroups(ctx context.Context) error {
	r := s.r
	if !r.profile.MembersReadable {
		return nil
	}
	groups, err := r.w.Store.TargetGroups(ctx, r.target.Name)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	members := map[string][]string{}
	for _, g := range groups {
		id := g.RemoteID
		if id == "" {
			continue
		}
		var got RemoteGroup
		err := r.timed("get-group", func() (err error) {
			got, err = r.conn.Group(ctx, id)
			return err
		})
		if ClassOf(err) == Missing {
			r.forgetGroup(ctx, g.Name, id) // nobody is in a group that is gone
			continue
		}
		if err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		for _, m := range got.Members {
			members[m] = append(members[m], g.Name)
		}
	}
	s.members = members
	return nil
}

// list streams the target's accounts and compares them batch by batch.
func (s *sweeping) list(soft, hard context.Context) error {
	var batch []RemoteUser
	flush := func() error {
		err := s.compare(hard, batch)
		batch = batch[:0]
		return err
	}
	return s.r.timed("list", func() error {
		for u, err := range s.r.conn.List(hard) {
			if err == nil {
				err = soft.Err()
			}
			if err != nil {
				return errors.Join(err, flush())
			}
			s.seen[s.hash(u.ID)] = struct{}{}
			s.report.Checked++
			if batch = append(batch, u); len(batch) < sweepBatch {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		}
		return flush()
	})
}
