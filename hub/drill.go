package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// DrillLimit is how long a drill keeps accounts off at most, and how long it then waits
// for them to be back.
const DrillLimit = 10 * time.Minute

// drillGrace is the grace period below which an account that is switched off could be
// deleted while a drill runs.
const drillGrace = 2 * DrillLimit

// StartDrill treats a test person as a leaver at every target, until that is verified
// or the drill's time is over; then the accounts are given back, and that is verified,
// too. Roles, requests and what sources say stay as they are, and no guard counts it.
// Targets where something could be lost, or a person would have to act, are left out and
// say why. Refused of anybody but the people whom identity.drill names.
func (h *Hub) StartDrill(ctx context.Context, by Actor, person string) (run model.LeaverRun, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return run, model.Fail(model.Unavailable, "there is no configuration yet", nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.FindIdentity(person)
		if err != nil {
			return err
		}
		if err := mayDrill(snap, row); err != nil {
			return err
		}
		if _, err := tx.LockIdentities(row.ID); err != nil {
			return err
		}
		accounts, err := tx.AccountsOf([]string{row.ID})
		if err != nil {
			return err
		}
		until := tx.Now.Add(DrillLimit)
		run = model.LeaverRun{ID: model.LeaverRunID(row.ID, tx.Now), Identity: row.ID, UserName: row.Name, Kind: model.RunDrill,
			ReceivedAt: tx.Now, By: by.String(), Until: &until, Targets: h.drillTargets(snap, accounts)}
		if _, of := run.Verified(); of == 0 {
			return model.Fail(model.Refused, fmt.Sprintf("there is no target where a drill with %s could take anything away: %s", row.Name, leftOut(run)), nil)
		}
		if err := tx.StartDrill(run); err != nil {
			return err
		}
		if err := tellDrill(tx, run, by.String(), "drill.start"); err != nil {
			return err
		}
		return tx.Mark(true, row.ID)
	})
	if err != nil {
		return model.LeaverRun{}, err
	}
	h.Wake()
	return run, nil
}

// mayDrill refuses everybody but active test people.
func mayDrill(snap *Snapshot, row store.IdentityRow) error {
	userName, _ := row.User["userName"].(string)
	named := slices.ContainsFunc(snap.Doc.Identity.Drill, func(name string) bool {
		return strings.EqualFold(name, row.Name) || strings.EqualFold(name, userName)
	})
	switch {
	case !named:
		return model.Fail(model.Refused, row.Name+" is not among the test people of identity.drill: a drill switches every account of a person off, so nobody else may take part in one", nil)
	case row.Stage != model.Active:
		return model.Fail(model.Refused, fmt.Sprintf("%s is %s, not active: there would be nothing to give back", row.Name, row.Stage), nil)
	}
	return nil
}

// drillTargets are the targets where the person has an account, by name, with why some
// are left out.
func (h *Hub) drillTargets(snap *Snapshot, accounts []model.AccountRow) (out []model.LeaverTarget) {
	for _, a := range accounts { // by target
		t, configured := snap.Doc.Target(a.Target)
		lt := model.LeaverTarget{Target: a.Target, State: model.LeaverWaiting}
		switch {
		case !configured:
			continue
		case a.Desired == nil && a.Applied == nil:
			continue
		case a.Desired == nil, a.Applied == nil, !a.Desired.Active, !a.Applied.Active:
			lt.Note = "there is no active account"
		case a.Leaver, a.State == model.StateHeld:
			lt.Note = "the account is held: " + a.LastError
		default:
			lt.Note = h.drillExempt(t)
		}
		if lt.Note != "" {
			lt.State = model.LeaverNotNeeded
		}
		out = append(out, lt)
	}
	return out
}

// drillExempt says why a drill leaves a target out; empty: it does not.
func (h *Hub) drillExempt(t model.Target) string {
	switch {
	case t.Manual != nil:
		return "left out: a person would have to do it (manual)"
	case t.Mode != model.ModeEnforce && t.Mode != model.ModeNoDelete:
		return "left out: mode " + string(t.Mode) + " does not disable"
	case t.Leaver.First == "delete":
		return "left out: leavers' accounts are deleted there (leaver.first: delete)"
	case t.Leaver.Then == "delete" && t.Leaver.After < drillGrace:
		return "left out: the grace period is so short that the account could be deleted meanwhile"
	case h.DrillExempt != nil:
		return h.DrillExempt(t)
	}
	return ""
}

func leftOut(run model.LeaverRun) string {
	var parts []string
	for _, t := range run.Targets {
		parts = append(parts, t.Target+": "+t.Note)
	}
	if len(parts) == 0 {
		return "no account"
	}
	return strings.Join(parts, "; ")
}

// tellDrill writes of a drill to the audit trail and the person's timeline.
func tellDrill(tx *store.Tx, run model.LeaverRun, actor, action string) error {
	data := map[string]any{"run": run.ID, "summary": run.Summary(tx.Now)}
	if run.Outcome != "" {
		data["outcome"] = run.Outcome
	}
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if err := tx.AddEvent(store.Event{Type: action, Identity: run.Identity, Data: data}); err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: actor, Action: action, Object: "identity/" + run.Identity, Identity: run.Identity, Data: body})
}

// drillRuns reports whether a drill keeps accounts off.
func drillRuns(run model.LeaverRun, now time.Time) bool {
	return run.EndedAt == nil && run.OffAt == nil && run.Until != nil && now.Before(*run.Until)
}

// practise takes, while a drill runs, the accounts away that it concerns. A target that
// could not be decided is left alone: nobody would know what to give back.
func (d *Decision) practise(k Known, now time.Time) {
	if k.Drill == nil || !d.present() || d.Identity.MergedInto != "" {
		return
	}
	d.drill, d.off = k.Drill, map[string]bool{}
	if !drillRuns(*k.Drill, now) {
		return
	}
	for _, t := range k.Drill.Targets {
		if _, decided := d.Desired[t.Target]; decided && t.State != model.LeaverNotNeeded {
			d.Desired[t.Target], d.off[t.Target] = policy.Desired{}, true
		}
	}
}

// practises reports whether the account at a target takes part in the drill.
func (d *Decision) practises(target string) bool {
	return d.drill != nil && slices.ContainsFunc(d.drill.Targets, func(t model.LeaverTarget) bool {
		return t.Target == target && t.State != model.LeaverNotNeeded
	})
}

// followDrill takes an open drill on: it gives back when everything is verified off or
// the time is over, and ends when everything is back, or does not come.
func (h *Hub) followDrill(ctx context.Context, run model.LeaverRun) error {
	turned := false
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		turned = false
		run, err := tx.LeaverRun(run.ID)
		if err != nil || run.EndedAt != nil {
			return err
		}
		row, err := tx.Identity(run.Identity)
		if err != nil {
			return err
		}
		outcome := drillOutcome(run, row, tx.Now)
		if outcome != "" {
			run.Outcome = outcome
			first, err := tx.EndDrill(run, outcome)
			if err != nil || !first {
				return err
			}
			turned = true
			if err := tx.Mark(true, run.Identity); err != nil {
				return err
			}
			return tellDrill(tx, run, "hub", "drill.end")
		}
		if run.OffAt != nil || !run.Done() && drillRuns(run, tx.Now) {
			return nil
		}
		first, err := tx.TurnDrill(run.ID)
		if err != nil || !first {
			return err
		}
		turned = true
		if err := tx.Mark(true, run.Identity); err != nil {
			return err
		}
		return tellDrill(tx, run, "hub", "drill.back")
	})
	if turned && err == nil {
		h.Wake()
	}
	return err
}

// drillOutcome says how a drill has ended; empty: it has not.
func drillOutcome(run model.LeaverRun, row store.IdentityRow, now time.Time) string {
	switch {
	case row.Stage != model.Active && row.Stage != model.Leave || row.MergedInto != "" || row.ErasedAt != nil:
		return model.OutcomeLeft
	case run.OffAt == nil:
		return ""
	case !slices.ContainsFunc(run.Targets, func(t model.LeaverTarget) bool { return t.State != model.LeaverNotNeeded && t.BackAt == nil }):
		if run.Done() {
			return model.OutcomeBack
		}
		return model.OutcomeLate
	case !now.Before(run.OffAt.Add(DrillLimit)):
		return model.OutcomeLate
	}
	return ""
}
