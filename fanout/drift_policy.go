package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// compare judges one batch of accounts that the target showed.
func (s *sweeping) compare(ctx context.Context, batch []RemoteUser) error {
	if len(batch) == 0 {
		return nil
	}
	ids := make([]string, len(batch))
	for i, u := range batch {
		ids[i] = u.ID
	}
	return s.locked(ctx, ids, func(rows []model.AccountRow, busy map[string]bool) ([]model.AccountRow, []model.Change, error) {
		ours, foreign := map[string]model.AccountRow{}, map[string]model.AccountRow{}
		for _, row := range rows {
			if isForeign(row) {
				foreign[row.RemoteID] = row
			} else {
				ours[row.RemoteID] = row
			}
		}
		var out []model.AccountRow
		var found []model.Change
		for _, u := range batch {
			row, known := ours[u.ID]
			stray, reported := foreign[u.ID]
			switch {
			case known:
				if reported && !busy[stray.Identity] {
					stray.State = ""
					out = append(out, stray)
				}
				if busy[row.Identity] || !s.settled(row) {
					continue
				}
				row, changes := s.judge(row, u)
				out, found = append(out, row), append(found, changes...)
			case reported && busy[stray.Identity]:
			default:
				row, changes := s.stranger(u, stray, reported)
				out, found = append(out, row...), append(found, changes...)
			}
		}
		return out, found, nil
	})
}

// locked loads the rows of some accounts, keeps the worker from them while fn
// judges, and stores the outcome. busy names those somebody works on.
func (s *sweeping) locked(ctx context.Context, ids []string, fn func(rows []model.AccountRow, busy map[string]bool) ([]model.AccountRow, []model.Change, error)) error {
	st, target := s.r.w.Store, s.r.target.Name
	since := s.r.claims.announce()
	first, err := st.AccountsByRemote(ctx, target, ids)
	mine, marks := s.r.claims.seize(since, first, false)
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	defer func() {
		for i, row := range mine {
			if s.r.claims.release(row.Identity, marks[i]) {
				signal(s.r.wakeUrgent)
			}
		}
	}()
	busy := map[string]bool{}
	for _, row := range first {
		busy[row.Identity] = true
	}
	for _, row := range mine {
		delete(busy, row.Identity)
	}
	rows, err := st.AccountsByRemote(ctx, target, ids) // as they are now that nobody writes them
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	known := map[string]bool{}
	for _, row := range first {
		known[row.Identity] = true
	}
	for _, row := range rows {
		if !known[row.Identity] {
			busy[row.Identity] = true
		}
	}
	out, found, err := fn(rows, busy)
	if err != nil {
		return err
	}
	if len(out) > 0 {
		if err := st.SaveObserved(context.WithoutCancel(ctx), target, out); err != nil {
			return fmt.Errorf("store what the sweep saw: %w", err)
		}
	}
	if s.report.New += len(found); len(found) > 0 {
		if err := st.AuditChanges(context.WithoutCancel(ctx), target, found); err != nil {
			return fmt.Errorf("audit drift: %w", err)
		}
	}
	return nil
}

// settled reports whether a row is at rest, so that a difference is drift and not
// work under way: not due but for a later deletion, and not written since the
// sweep began.
func (s *sweeping) settled(row model.AccountRow) bool {
	if row.Applied == nil || !row.UpdatedAt.Before(s.began) {
		return false
	}
	return !row.Due || (row.State == model.StateDisabled && row.NextAttempt.After(s.began))
}

// judge compares one of our accounts with what the target shows.
func (s *sweeping) judge(row model.AccountRow, u RemoteUser) (model.AccountRow, []model.Change) {
	if erased(row) {
		return s.judgeErased(row, u.Active)
	}
	now := s.r.w.Now()
	applied := s.r.profile.Canonical(*row.Applied)
	seen := observe(s.r.profile, u, &applied)
	seen.Groups = applied.Groups
	if s.members != nil {
		seen.Groups = s.groupsOf(u.ID)
	}
	fields := differences(applied, seen)
	if row.Drift == "" && row.Observed != nil {
		// What the target made of our last write is not drift; see echo.
		if before := s.r.profile.Canonical(*row.Observed); len(differences(before, seen)) == 0 && before.Active == applied.Active {
			fields = nil
		}
	}
	if len(fields) == 0 && slices.Equal(seen.Groups, applied.Groups) {
		row.Observed, row.VerifiedAt = &seen, &now
		if row.Drift != "" {
			row.Drift, row.LastError, row.ErrorClass = "", "", ""
		}
		if row.State == model.StateDrifted {
			row.State = rest(row)
		}
		return row, nil
	}
	fields = append(fields, groupDiff(applied.Groups, seen.Groups)...)
	s.finding(store.Finding{Kind: driftChanged, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID, Fields: fields, Action: s.r.target.Drift.Changed})
	c := model.Change{Verb: model.Report, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID, Before: &applied, After: &seen,
		Fields: fields, Because: []string{"changed at the target, not by the hub"}}
	fresh := row.Drift != driftChanged || row.Observed == nil || len(differences(*row.Observed, seen)) > 0 || !slices.Equal(row.Observed.Groups, seen.Groups)
	row.Observed, row.Drift = &seen, driftChanged
	switch s.r.target.Drift.Changed {
	case "revert":
		shown := seen
		row.Applied, row.State, row.Due, row.NextAttempt = &shown, model.StateDrifted, true, now
		s.due = true
	case "adopt":
		// Taken as it is until what should be changes next; then that is written.
		shown := seen
		row.Applied, row.Drift = &shown, ""
	default:
		row.State, row.Due = model.StateDrifted, false
	}
	if !fresh {
		return row, nil
	}
	return row, []model.Change{c}
}

// groupsOf is the account's groups among those that the hub works with.
func (s *sweeping) groupsOf(id string) []string {
	out := slices.Clone(s.members[id])
	slices.Sort(out)
	return slices.Compact(out)
}

func groupDiff(before, after []string) []model.FieldDiff {
	var out []model.FieldDiff
	for _, g := range before {
		if !slices.Contains(after, g) {
			out = append(out, model.FieldDiff{Path: "groups", Before: g})
		}
	}
	for _, g := range after {
		if !slices.Contains(before, g) {
			out = append(out, model.FieldDiff{Path: "groups", After: g})
		}
	}
	return out
}

// rest is the state of a row in which nothing is left to do.
func rest(row model.AccountRow) model.AccountState {
	switch {
	case row.Desired != nil:
		return model.StateInSync
	case row.Applied != nil:
		return model.StateDisabled
	}
	return model.StateDeleted
}

// stranger treats an account that is nobody's the hub knows.
func (s *sweeping) stranger(u RemoteUser, row model.AccountRow, reported bool) ([]model.AccountRow, []model.Change) {
	if _, protected := s.r.protect.matchDoc(u.ID, u.Attrs); protected || s.expected(u) {
		if reported {
			row.State = ""
			return []model.AccountRow{row}, nil
		}
		return nil, nil
	}
	s.finding(store.Finding{Kind: driftUnknown, UserName: u.UserName, RemoteID: u.ID, Action: s.r.target.Drift.Unknown})
	now := s.r.w.Now()
	seen := model.Account{UserName: u.UserName, Active: u.Active}
	if !reported {
		row = model.AccountRow{Target: s.r.target.Name, Identity: "?" + u.ID, RemoteID: u.ID, State: model.StateUnknown, NextAttempt: now}
	}
	row.Observed, row.Drift, row.VerifiedAt = &seen, driftUnknown, &now
	if s.r.target.Drift.Unknown == "disable" && u.Active && row.State == model.StateUnknown {
		row.Due, row.NextAttempt, s.due = true, now, true
	}
	if reported {
		return []model.AccountRow{row}, nil
	}
	return []model.AccountRow{row}, []model.Change{{Verb: model.Report, Identity: row.Identity, UserName: u.UserName, RemoteID: u.ID,
		After: &seen, Because: []string{"nobody the hub knows has this account"}}}
}

// expected reports whether a row waits for this very account.
func (s *sweeping) expected(u RemoteUser) bool {
	for _, attr := range s.r.match() {
		p, err := parseAttr(attr)
		if err != nil {
			continue
		}
		if s.anyWanted(attr, p.get(u.Attrs)) {
			return true
		}
	}
	return false
}

func (s *sweeping) anyWanted(attr string, v any) bool {
	values := map[string]string{}
	indexValue(values, v, "")
	for value := range values {
		if _, ok := s.wanted[s.hash(attr+"\x00"+value)]; ok {
			return true
		}
	}
	return false
}

// absent looks at our accounts that the complete list did not show.
func (s *sweeping) absent(soft, hard context.Context) error {
	var errs []error
	err := s.rows(soft, func(rows []model.AccountRow) error {
		for _, row := range rows {
			if _, shown := s.seen[s.hash(row.RemoteID)]; shown || row.RemoteID == "" || soft.Err() != nil {
				continue
			}
			if !isForeign(row) && !s.settled(row) {
				continue
			}
			if err := s.lookAgain(hard, row.RemoteID); err != nil {
				if errs = append(errs, err); len(errs) >= 5 {
					return errors.Join(errs...) // the target, not the accounts
				}
			}
		}
		return soft.Err()
	})
	return errors.Join(append(errs, err)...)
}

// lookAgain reads one account by id before it counts as missing.
func (s *sweeping) lookAgain(ctx context.Context, id string) error {
	u, err := s.r.get(ctx, id)
	switch {
	case err == nil:
		return s.compare(ctx, []RemoteUser{u})
	case ClassOf(err) != Missing:
		return err
	}
	return s.locked(ctx, []string{id}, func(rows []model.AccountRow, busy map[string]bool) (out []model.AccountRow, found []model.Change, err error) {
		for _, row := range rows {
			switch {
			case busy[row.Identity]:
			case isForeign(row):
				row.State = ""
				out = append(out, row)
			case s.settled(row):
				fresh := row.Drift != driftMissing
				c := model.Change{Verb: model.Report, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID,
					Before: row.Applied, Because: []string{"the account is no longer at the target"}}
				s.r.missing(&row, s.r.w.Now())
				if row.Drift == driftMissing {
					s.finding(store.Finding{Kind: driftMissing, Identity: row.Identity, UserName: c.UserName, RemoteID: c.RemoteID, Action: s.r.target.Drift.Missing})
				}
				s.due = s.due || row.Due
				if out = append(out, row); fresh {
					found = append(found, c)
				}
			}
		}
		return out, found, nil
	})
}

// missing applies the drift policy to an account that the target no longer has.
// One that was not wanted any more is simply deleted.
func (r *runner) missing(row *model.AccountRow, now time.Time) {
	row.Observed, row.Sent = nil, nil
	switch {
	case row.Desired == nil:
		r.gone(row)
		row.State, row.Drift, row.Due, row.LastError, row.ErrorClass = model.StateDeleted, "", false, "", ""
	case r.target.Drift.Missing == "recreate":
		row.Applied, row.RemoteID, row.Owned = nil, "", ""
		row.State, row.Drift, row.Due, row.NextAttempt = model.StatePending, driftMissing, true, now
	default:
		row.State, row.Drift, row.Due = model.StateDrifted, driftMissing, false
		row.LastError = "the account is no longer at the target"
	}
}
