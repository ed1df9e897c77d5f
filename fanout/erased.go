package fanout

import (
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// erased reports whether a row is of somebody whose data was erased: what was applied
// has no name any more. Such an account is known by its id alone, and nothing that the
// target shows of it is kept.
func erased(row model.AccountRow) bool {
	return !isForeign(row) && row.Desired == nil && row.Applied != nil && row.Applied.UserName == ""
}

// judgeErased looks at an account of somebody whose data was erased: it must not let
// anybody in again. Where differences are reverted it is disabled once more.
func (s *sweeping) judgeErased(row model.AccountRow, active bool) (model.AccountRow, []model.Change) {
	now := s.r.w.Now()
	if !active {
		row.Drift, row.VerifiedAt = "", &now
		if row.State == model.StateDrifted {
			row.State = model.StateDisabled
		}
		return row, nil
	}
	fields := []model.FieldDiff{{Path: "active", Before: false, After: true}}
	s.finding(store.Finding{Kind: driftChanged, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID, Fields: fields, Action: s.r.target.Drift.Changed})
	fresh := row.Drift != driftChanged
	row.Drift, row.State = driftChanged, model.StateDrifted
	if s.r.target.Drift.Changed == "revert" {
		row.Applied, row.Due, row.NextAttempt = &model.Account{Active: true}, true, now
		s.due = true
	}
	if !fresh {
		return row, nil
	}
	return row, []model.Change{{Verb: model.Report, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID, Fields: fields,
		Because: []string{"somebody enabled the account of a person whose data was erased"}}}
}
