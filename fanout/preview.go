package fanout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const previewPage = 500 // rows read at a time

// PreviewFacts is what a preview assumes.
type PreviewFacts struct {
	Now time.Time
	// Desire, if set, replaces what is stored as desired, page by page: for the
	// plan of a configuration that is not active yet. It is called once more with
	// no rows at the end, to add accounts that no row exists for.
	Desire func(ctx context.Context, rows []model.AccountRow) ([]model.AccountRow, error)
}

// Preview computes the plan of a target from what is stored, without asking the
// target: the plan that the worker would carry out now, held changes included.
// Accounts that exist at the target already and have not been looked up yet show
// as create.
func Preview(ctx context.Context, s *store.Store, t model.Target, f PreviewFacts) (model.Plan, error) {
	p, err := ProfileOf(t)
	if err != nil {
		return model.Plan{}, err
	}
	plan := model.Plan{Target: t.Name}
	groups, err := s.TargetGroups(ctx, t.Name)
	if err != nil {
		return plan, fmt.Errorf("read the groups of target %s: %w", t.Name, err)
	}
	names := namesOf(groups, p)
	held := map[string]bool{}
	collect := func(rows []model.AccountRow) error {
		if f.Desire != nil {
			if rows, err = f.Desire(ctx, rows); err != nil {
				return fmt.Errorf("work out what target %s should hold: %w", t.Name, err)
			}
		}
		if rows, _, err = withReferences(ctx, s, t.Name, p, rows, false); err != nil {
			return err
		}
		for _, row := range rows {
			if row.Leaver && row.LeaverHeld {
				held[row.Identity] = true
			}
		}
		for i, row := range rows {
			rows[i] = names.follow(row)
		}
		plan.Changes = append(plan.Changes, Diff(t, p, rows, f.Now).Changes...)
		return nil
	}
	for after := ""; ; {
		rows, err := s.Accounts(ctx, t.Name, after, previewPage)
		if err != nil {
			return plan, fmt.Errorf("read accounts of target %s: %w", t.Name, err)
		}
		if len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].Identity
		if err := collect(rows); err != nil {
			return plan, err
		}
	}
	if f.Desire != nil {
		if err := collect(nil); err != nil {
			return plan, err
		}
	}
	slices.SortStableFunc(plan.Changes, byOrder)
	plan, err = PreviewGuard(ctx, s, t, f.Now, plan, held)
	if err != nil {
		return plan, err
	}
	if f.Desire == nil { // of another configuration it is not known which groups it grants
		plan.Changes = append(plan.Changes, GroupChanges(t, p, groups)...)
	}
	return withGroups(plan, groups), nil
}

// PreviewGuard applies the guard with the facts that are stored: what would be held
// if the plan were carried out now. leaverHeld are the people whom their source's
// guard holds.
func PreviewGuard(ctx context.Context, s *store.Store, t model.Target, now time.Time, p model.Plan, leaverHeld map[string]bool) (model.Plan, error) {
	facts := GuardFacts{Guard: t.Guard, LeaverHeld: leaverHeld}
	var digests []string
	for _, c := range p.Changes {
		if awaitsApproval(c.Held) || (c.Held == "" && c.Removes()) {
			digests = append(digests, Digest(p.Target, c))
		}
	}
	var err error
	if facts.Approved, err = s.Approved(ctx, t.Name, digests); err != nil {
		return p, fmt.Errorf("read approvals: %w", err)
	}
	if facts.Asked, err = s.AskedRemovals(ctx, t.Name); err != nil {
		return p, fmt.Errorf("count tasks: %w", err)
	}
	since := now.Add(-t.Guard.Span())
	if facts.AlreadyRemoved, err = s.Removals(ctx, t.Name, since); err != nil {
		return p, fmt.Errorf("count removals: %w", err)
	}
	if facts.Population, err = s.Population(ctx, t.Name, since); err != nil {
		return p, fmt.Errorf("count accounts: %w", err)
	}
	return Guard(p, facts), nil
}

// withGroups adds a create-group for each group that members are to join and
// that is not known at the target. The worker looks for it by name first.
func withGroups(p model.Plan, groups []store.TargetGroup) model.Plan {
	known := map[string]bool{}
	for _, g := range groups {
		if g.RemoteID != "" {
			for _, name := range append(g.Former, g.Name) {
				known[scim.Fold(name)] = true
			}
		}
	}
	for _, c := range p.Changes {
		if c.Identity == "" && c.Group != "" {
			known[scim.Fold(c.Group)] = true
		}
	}
	for _, c := range slices.Clone(p.Changes) {
		if c.Verb == model.Join && c.Held == "" && !known[scim.Fold(c.Group)] {
			known[scim.Fold(c.Group)] = true
			p.Changes = append(p.Changes, model.Change{Verb: model.CreateGroup, Group: c.Group, Because: []string{"not known at the target yet; used if it exists"}})
		}
	}
	slices.SortStableFunc(p.Changes, byOrder)
	return p
}

// HeldChanges are the changes of a plan that are not carried out.
func HeldChanges(p model.Plan) []model.Change {
	var out []model.Change
	for _, c := range p.Changes {
		if c.Held != "" {
			out = append(out, c)
		}
	}
	return out
}
