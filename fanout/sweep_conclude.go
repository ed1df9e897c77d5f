package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// doubt looks for reasons not to believe what the target showed.
func (s *sweeping) doubt(soft, ctx context.Context) (refused string, err error) {
	st, target := s.r.w.Store, s.r.target.Name
	known, seen, err := st.KnownAccounts(ctx, target, s.at.Began)
	if err != nil {
		return "", err
	}
	if limit := s.limit(known); s.at.Others > limit {
		return fmt.Sprintf("%d of %d accounts carry the names of other people; nothing is concluded; is this the right tenant, and the right application?", s.at.Others, known), nil
	}
	gone, err := s.countFound(ctx, driftMissing)
	if err != nil {
		return "", err
	}
	switch {
	case gone == 0 && len(s.at.Gone) == 0:
		return "", s.strangersInGroups(ctx)
	case gone > s.limit(known):
		return s.tooMany(ctx, gone, s.limit(known))
	}
	believed, err := s.witness(soft, ctx, known)
	switch {
	case err != nil:
		return "", err
	case !believed:
		return fmt.Sprintf("the target shows %d of %d known accounts, and none that the hub knows could be found by its id; nothing is concluded; is this the right tenant, and may the credential see everybody?", seen, known), nil
	}
	return "", s.strangersInGroups(ctx)
}

// tooMany says why it is not believed that so many are gone.
func (s *sweeping) tooMany(ctx context.Context, gone, limit int) (string, error) {
	known, seen, err := s.r.w.Store.KnownAccounts(ctx, s.r.target.Name, s.at.Began)
	return fmt.Sprintf("the target shows %d of %d known accounts, and %d were not found by their ids (at most %d are believed to be gone at once); nothing is concluded; is this the right tenant, and may the credential see everybody?",
		seen, known, gone, limit), err
}

// witness reads something that must be there before an absence is believed: an account
// that this sweep saw, or a group. Where the hub knows one account only there is no
// witness, and it has to be absent in several sweeps in a row.
func (s *sweeping) witness(soft, ctx context.Context, known int) (bool, error) {
	st, target := s.r.w.Store, s.r.target.Name
	ids, err := st.Witnesses(ctx, target, "", &s.at.Began, witnesses)
	if err != nil {
		return false, err
	}
	if len(ids) > 0 {
		there := false
		err = s.patiently(soft, func() (err error) {
			there, err = s.r.anyThere(ctx, ids)
			return err
		})
		return there, err
	}
	groups, err := st.TargetGroups(ctx, target)
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		if g.RemoteID != "" && g.Owned != "" && !slices.Contains(s.at.Gone, g.Name) && s.groups[g.Name] {
			return true, nil // its members were read by its id
		}
	}
	return known <= 1, nil
}

// conclude acts on what was found and is believed.
func (s *sweeping) conclude(soft, hard context.Context) error {
	r := s.r
	for {
		found, err := r.w.Store.FoundBy(hard, r.target.Name, s.at.Began, s.at.Place, sweepBatch)
		if err != nil {
			return fmt.Errorf("read what the sweep found: %w", err)
		}
		if len(found) == 0 {
			return r.w.Store.ForgetStrangers(hard, r.target.Name, s.at.Began, s.byList())
		}
		if soft.Err() != nil {
			return errSweepCut
		}
		if err := s.act(hard, found); err != nil {
			return err
		}
		s.at.Place = found[len(found)-1].Object
		if err := s.save(hard); err != nil {
			return err
		}
	}
}

// act applies the reactions to some objects.
func (s *sweeping) act(ctx context.Context, found []store.Finding) error {
	by := map[string][]store.Finding{}
	var ids []string
	for _, f := range found {
		if by[f.Object] == nil {
			ids = append(ids, f.Object)
		}
		by[f.Object] = append(by[f.Object], f)
	}
	return s.locked(ctx, func() ([]model.AccountRow, error) {
		return s.r.w.Store.AccountsNamed(ctx, s.r.target.Name, ids)
	}, func(rows []model.AccountRow, busy map[string]bool) (store.Look, error) {
		have := map[string]model.AccountRow{}
		for _, row := range rows {
			have[row.Identity] = row
		}
		var look store.Look
		for _, id := range ids {
			row, exists := have[id]
			switch {
			case busy[id]:
			case strings.HasPrefix(id, store.GroupObject("")):
				s.group(ctx, &look, by[id])
			case strings.HasPrefix(id, "?"):
				s.stranger(&look, row, exists, by[id])
			case exists && s.settled(row):
				s.react(&look, row, by[id])
			}
		}
		return look, nil
	})
}

// fresh reports whether this sweep is the first to see it.
func fresh(f store.Finding) bool { return f.Since.Equal(f.Sweep) }

// react applies the reactions to the differences of one of our accounts.
func (s *sweeping) react(look *store.Look, row model.AccountRow, found []store.Finding) {
	now := s.r.w.Now()
	report := model.Change{Verb: model.Report, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID, Before: row.Applied,
		Because: []string{"changed at the target, not by the hub"}}
	applied := s.r.profile.Canonical(*s.applied(row).Applied)
	out := applied
	out.Groups = slices.Clone(applied.Groups)
	kind, due, adopted, isNew := "", false, false, false
	for i, f := range found {
		isNew = isNew || fresh(f)
		report.Fields = append(report.Fields, f.Fields...)
		if f.Kind == driftMissing {
			report.Because = []string{"the account is no longer at the target"}
			if s.r.missing(&row, now); row.Due {
				s.due, f.Done = true, &now
				look.Found = append(look.Found, f)
			}
			look.Rows = append(look.Rows, row)
			s.reported(look, report, isNew)
			return
		}
		kind = graver(kind, f.Kind)
		if f.Observed == nil {
			continue
		}
		report.After = f.Observed
		takes := f.Kind == driftMembership && joinedByHand(f)
		re := reactionTo(s.r.target, f.Kind, row, takes)
		if s.recovery != nil {
			re.action, re.needed = "report", 1
			if s.recovery.Why == store.RecoveryRebuild { // as it is; what is wanted otherwise is seen then
				re.action = "revert"
			}
		}
		if re.action == "report" || f.Sightings < re.needed {
			continue
		}
		// As the target shows it; what is wanted then differs, and is written.
		if f.Kind == driftMembership {
			out.Groups = regrouped(out.Groups, f.Group, takes)
		} else {
			out.UserName, out.Active, out.Attrs = f.Observed.UserName, f.Observed.Active, f.Observed.Attrs
		}
		if re.action == "adopt" {
			adopted = true
			continue
		}
		due = true
		found[i].Done = &now
		look.Found = append(look.Found, found[i])
	}
	row.Observed, row.Drift = report.After, kind
	row.Applied = &out
	switch {
	case due:
		row.State, row.Due, row.NextAttempt = model.StateDrifted, true, now
		s.due = true
	case adopted:
		row.Drift = "" // taken as it is until what should be changes next
	default:
		row.Applied = &applied
		row.State = model.StateDrifted // what is due later, a deletion, stays so
	}
	look.Rows = append(look.Rows, row)
	s.reported(look, report, isNew)
}

func (s *sweeping) reported(look *store.Look, c model.Change, isNew bool) {
	if isNew {
		s.at.New++
		look.Audit = append(look.Audit, c)
	}
}

// regrouped is a list of groups with one more, or less.
func regrouped(groups []string, group string, in bool) []string {
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == group })
	if in {
		groups = append(groups, group)
		slices.Sort(groups)
	}
	return groups
}

// graver is the kind by which a row with several is known.
func graver(a, b string) string {
	for _, k := range []string{driftResurrected, driftChanged, driftMembership} {
		if a == k || b == k {
			return k
		}
	}
	return b
}

// stranger keeps the row of an account that is nobody's the hub knows.
func (s *sweeping) stranger(look *store.Look, row model.AccountRow, exists bool, found []store.Finding) {
	for _, f := range found {
		if f.Kind != driftUnknown || f.Observed == nil {
			continue
		}
		now := s.r.w.Now()
		if !exists {
			row = model.AccountRow{Target: s.r.target.Name, Identity: f.Object, RemoteID: f.RemoteID, State: model.StateUnknown, NextAttempt: now}
		}
		row.Observed, row.Drift, row.VerifiedAt = f.Observed, driftUnknown, &now
		re := reactionTo(s.r.target, driftUnknown, row, true)
		if s.recovery == nil && re.action == "disable" && f.Sightings >= re.needed && f.Observed.Active && row.State == model.StateUnknown {
			row.Due, row.NextAttempt, s.due = true, now, true
			f.Done = &now
			look.Found = append(look.Found, f)
		}
		look.Rows, look.Seen = append(look.Rows, row), append(look.Seen, row.Identity)
		s.reported(look, model.Change{Verb: model.Report, Identity: row.Identity, UserName: f.UserName, RemoteID: f.RemoteID,
			After: f.Observed, Because: []string{"nobody the hub knows has this account"}}, fresh(f))
	}
}

// group reports what is wrong with a group itself. One that is gone is forgotten, so
// that whoever belongs into it has it made again.
func (s *sweeping) group(ctx context.Context, look *store.Look, found []store.Finding) {
	for _, f := range found {
		why := "the group was renamed at the target"
		if s.recovery == nil && f.Action == "revert" && f.Fields[0].Path == "displayName" {
			s.renameBack(ctx, f)
		}
		if len(f.Fields) == 1 && f.Fields[0].Path == "group" {
			why = "the group is no longer at the target"
			s.r.forgetGroup(ctx, f.Group, f.RemoteID)
		}
		s.reported(look, model.Change{Verb: model.Report, Group: f.Group, RemoteID: f.RemoteID, Fields: f.Fields, Because: []string{why}}, fresh(f))
	}
}

// renameBack has a group named again as it is wanted.
func (s *sweeping) renameBack(ctx context.Context, f store.Finding) {
	err := s.r.holdGroup(ctx, f.Group, func(g store.TargetGroup, known bool) error {
		name, isText := f.Fields[0].After.(string)
		if !known || !isText || g.RemoteID != f.RemoteID || !g.Wanted {
			return nil
		}
		defer signal(s.r.wakeGroups)
		g.Applied, g.State, g.Due, g.NextAttempt = name, string(model.StatePending), true, s.r.w.Now()
		return s.r.w.Store.SettleGroup(context.WithoutCancel(ctx), store.GroupSettlement{Group: g})
	})
	if err != nil {
		s.r.log.ErrorContext(ctx, "a renamed group cannot be put right", "group", f.Group, "error", err)
	}
}
