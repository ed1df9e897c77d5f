package fanout

import (
	"context"
	"fmt"
	"slices"

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
	st, target := s.r.w.Store, s.r.target.Name
	members := map[string][]string{}
	if len(s.groups) > 0 {
		var err error
		if members, err = st.SweepMembers(ctx, target, ids); err != nil {
			return fmt.Errorf("read who is in which group: %w", err)
		}
	}
	var strangers []RemoteUser
	err := s.locked(ctx, func() ([]model.AccountRow, error) { return st.AccountsByRemote(ctx, target, ids) },
		func(rows []model.AccountRow, busy map[string]bool) (store.Look, error) {
			ours, foreign := map[string]model.AccountRow{}, map[string]bool{}
			var look store.Look
			for _, row := range rows {
				look.Seen = append(look.Seen, row.Identity)
				if isForeign(row) {
					foreign[row.RemoteID] = foreign[row.RemoteID] || busy[row.Identity]
				} else {
					ours[row.RemoteID] = row
				}
			}
			strangers = strangers[:0]
			for _, u := range batch {
				row, known := ours[u.ID]
				switch {
				case known && !busy[row.Identity] && s.settled(row):
					s.r.noteInvited(ctx, row, u)
					s.judge(&look, row, u, members[u.ID])
				case !known:
					strangers = append(strangers, u)
				}
			}
			return look, nil
		})
	if err != nil {
		return err
	}
	return s.strange(ctx, strangers)
}

// judge compares one of our accounts with what the target shows and writes down what
// differs. Nothing follows yet, but for the account of a leaver that is active.
func (s *sweeping) judge(look *store.Look, row model.AccountRow, u RemoteUser, groups []string) {
	c := compareAccount(s.r.profile, s.applied(row), u, groups, func(g string) bool { return s.groups[g] })
	if !c.differs() {
		s.alike(look, row, c.seen)
		return
	}
	found := func(kind, group string, takes bool, fields []model.FieldDiff) reaction {
		seen := c.seen
		re := reactionTo(s.r.target, kind, row, takes)
		look.Found = append(look.Found, store.Finding{Kind: kind, Identity: row.Identity, UserName: shownName(row), RemoteID: row.RemoteID,
			Group: group, Fields: fields, Action: re.action, Observed: &seen})
		return re
	}
	if len(c.fields) > 0 {
		kind := driftChanged
		if c.resurrected {
			kind = driftResurrected
		}
		re := found(kind, "", false, c.fields)
		if re.urgent && s.recovery == nil {
			s.letOut(look, row, c)
		}
		if kind == driftChanged && otherPerson(c) {
			s.at.Others++
		}
	}
	for _, g := range c.joined {
		found(driftMembership, g, true, []model.FieldDiff{{Path: "groups", After: g}})
	}
	for _, g := range c.parted {
		found(driftMembership, g, false, []model.FieldDiff{{Path: "groups", Before: g}})
	}
}

// shownName is the user name of a row's account, of somebody erased none.
func shownName(row model.AccountRow) string {
	if erased(row) {
		return ""
	}
	return nameOf(row)
}

// otherPerson reports whether the account looks like somebody else's altogether: such
// are the ids of another tenant.
func otherPerson(c comparison) bool {
	names, other := 0, 0
	for _, f := range c.fields {
		switch {
		case f.Path == "active":
		case f.Path == "userName":
			names++
		default:
			other++
		}
	}
	return names > 0 && other > 0
}

// alike notes that an account is as it was applied.
func (s *sweeping) alike(look *store.Look, row model.AccountRow, seen model.Account) {
	same := row.Drift == "" && row.State != model.StateDrifted
	if same && erased(row) {
		look.Same = append(look.Same, row.Identity)
		return
	}
	if same && row.Observed != nil && row.Observed.Active == seen.Active && len(differences(*row.Observed, seen)) == 0 && slices.Equal(row.Observed.Groups, seen.Groups) {
		look.Same = append(look.Same, row.Identity)
		return
	}
	now := s.r.w.Now()
	row.Observed, row.VerifiedAt = &seen, &now
	if row.Drift != "" {
		row.Drift, row.LastError, row.ErrorClass = "", "", ""
	}
	if row.State == model.StateDrifted {
		row.State = rest(row)
	}
	look.Rows = append(look.Rows, row)
}

// letOut sends a leaver's account that is active again to the urgent lane at once.
func (s *sweeping) letOut(look *store.Look, row model.AccountRow, c comparison) {
	fresh := row.Drift != driftResurrected
	applied := *row.Applied
	applied.Active = true
	seen := c.seen
	row.Applied, row.Observed, row.Drift = &applied, &seen, driftResurrected
	row.State, row.Due, row.NextAttempt = model.StateDrifted, true, s.r.w.Now()
	look.Rows = append(look.Rows, row)
	s.due, s.urgent = true, true
	s.r.log.Warn("the account of somebody who left is active again", "identity", row.Identity)
	now := s.r.w.Now()
	for i := range look.Found {
		if look.Found[i].Identity == row.Identity && look.Found[i].Kind == driftResurrected {
			look.Found[i].Done = &now
		}
	}
	if fresh {
		s.at.New++
		why := "an account that the hub had disabled is active again"
		if erased(row) {
			why = "somebody enabled the account of a person whose data was erased"
		}
		look.Audit = append(look.Audit, model.Change{Verb: model.Report, Identity: row.Identity, UserName: nameOf(row), RemoteID: row.RemoteID,
			Fields: c.fields, Because: []string{why}, Urgent: true})
	}
}

// strange treats accounts that are nobody's the hub knows: one that it deleted and
// that is active again is let out at once, any other is written down.
func (s *sweeping) strange(ctx context.Context, batch []RemoteUser) error {
	if len(batch) == 0 {
		return nil
	}
	ids := make([]string, len(batch))
	for i, u := range batch {
		ids[i] = u.ID
	}
	deleted, err := s.r.w.Store.DeletedAccounts(ctx, s.r.target.Name, ids)
	if err != nil {
		return fmt.Errorf("read which accounts were deleted: %w", err)
	}
	look := store.Look{Began: s.at.Began}
	for _, u := range batch {
		if _, protected := s.r.protect.matchDoc(u.ID, u.Attrs); protected || s.expected(u) {
			continue
		}
		if d, was := deleted[u.ID]; was && u.Active {
			back, err := s.risen(ctx, u, d.Identity)
			if err != nil {
				return err
			}
			if back {
				continue
			}
		}
		re := reactionTo(s.r.target, driftUnknown, model.AccountRow{}, true)
		look.Found = append(look.Found, store.Finding{Kind: driftUnknown, Object: "?" + u.ID, UserName: u.UserName, RemoteID: u.ID, Action: re.action,
			Observed: &model.Account{UserName: u.UserName, Active: u.Active}})
	}
	if err := s.r.w.Store.SaveLook(context.WithoutCancel(ctx), s.r.target.Name, look); err != nil {
		return fmt.Errorf("store what the sweep saw: %w", err)
	}
	return nil
}

// risen takes an account that the hub deleted, and that is there again under its id,
// back into its row, where nothing has taken its place since.
func (s *sweeping) risen(ctx context.Context, u RemoteUser, identity string) (back bool, err error) {
	err = s.locked(ctx, func() ([]model.AccountRow, error) {
		return s.r.w.Store.AccountsNamed(ctx, s.r.target.Name, []string{identity})
	}, func(rows []model.AccountRow, busy map[string]bool) (store.Look, error) {
		var look store.Look
		if len(rows) != 1 || busy[identity] || rows[0].Desired != nil || rows[0].Applied != nil || rows[0].RemoteID != "" || rows[0].Due {
			return look, nil
		}
		back = true
		row := rows[0]
		seen := model.Account{UserName: u.UserName, Active: true}
		off := model.Account{UserName: u.UserName}
		row.RemoteID, row.Owned, row.Applied = u.ID, model.OwnedCreated, &off
		fields := []model.FieldDiff{{Path: "active", Before: false, After: true}}
		re := reactionTo(s.r.target, driftResurrected, row, true)
		look.Seen = []string{identity}
		look.Found = []store.Finding{{Kind: driftResurrected, Identity: identity, UserName: u.UserName, RemoteID: u.ID, Fields: fields, Action: re.action, Observed: &seen}}
		if re.urgent {
			s.letOut(&look, row, comparison{seen: seen, fields: fields})
			return look, nil
		}
		row.State, row.Observed = model.StateDisabled, &seen
		look.Rows = []model.AccountRow{row}
		return look, nil
	})
	return back, err
}
