package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// NewReview is what a campaign is started with.
type NewReview struct {
	Name      string
	Why       string
	Scope     model.ReviewScope
	Stages    []model.ReviewStage // at least one
	Remind    time.Duration
	Escalate  []string
	After     time.Duration
	Undecided string // empty: keep
}

// Limits of what an operator may ask for in one campaign.
const (
	maxStages     = 5
	maxReviewers  = 10
	maxReviewedBy = 1000 // people who are named one by one
	reviewName    = 200
)

// StartReview starts a campaign; its items are written at once after it. Invalid says
// what is wrong with it.
func (h *Hub) StartReview(ctx context.Context, by Who, in NewReview) (v ReviewView, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return v, noConfiguration()
	}
	if err := checkReview(snap.Doc, in); err != nil {
		return v, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		if !me.operator {
			return model.Fail(model.Forbidden, "a review is started by an operator", nil)
		}
		c, err := newCampaign(tx, in)
		if err != nil {
			return err
		}
		c.Origin, c.By, c.Name = model.CampaignAsked, me.actor(), strings.TrimSpace(in.Name)
		if c.Name == "" {
			if c.Name, err = scopeWords(tx, c.Scope); err != nil {
				return err
			}
		}
		if _, err = h.startCampaign(tx, &c, ""); err != nil {
			return err
		}
		v, err = viewCampaign(tx, snap, c, nil)
		return err
	})
	if err != nil {
		return ReviewView{}, err
	}
	return h.workNow(ctx, snap, v.ID, model.CampaignPreparing)
}

func checkReview(doc *config.Document, in NewReview) error {
	s := in.Scope
	if err := checkScope(doc, s); err != nil {
		return err
	}
	if len(in.Stages) == 0 || len(in.Stages) > maxStages {
		return model.Fail(model.Invalid, fmt.Sprintf("stages: a review has 1 to %d", maxStages), nil)
	}
	for _, stage := range in.Stages {
		if len(stage.Reviewers) == 0 || len(stage.Reviewers) > maxReviewers {
			return model.Fail(model.Invalid, fmt.Sprintf("reviewers: a stage has 1 to %d", maxReviewers), nil)
		}
		if stage.Within <= 0 {
			return model.Fail(model.Invalid, "due: a stage takes some time", nil)
		}
		if err := checkReviewers(doc, "reviewers", stage.Reviewers); err != nil {
			return err
		}
	}
	if err := checkReviewers(doc, "escalate.to", in.Escalate); err != nil {
		return err
	}
	switch in.Undecided {
	case "", model.UndecidedKeep, model.UndecidedRevoke:
	case model.UndecidedEscalate:
		if len(in.Escalate) == 0 {
			return model.Fail(model.Invalid, "undecided: escalate needs escalate, who is asked then", nil)
		}
	default:
		return model.Fail(model.Invalid, "undecided must be keep, revoke or escalate", nil)
	}
	if len([]rune(in.Name)) > reviewName {
		return model.Fail(model.Invalid, fmt.Sprintf("name is longer than %d characters", reviewName), nil)
	}
	return cmp.Or(checkReason(in.Why), checkReason(in.Name))
}

func checkScope(doc *config.Document, s model.ReviewScope) error {
	if s.Role == "" && s.Target == "" && s.Manager == "" && len(s.People) == 0 && s.Risk == "" && !s.Exceptions && s.MovedSince == nil && s.UnusedFor == 0 {
		return model.Fail(model.Invalid, "a review needs a scope: a role, a target, a manager, people, a risk, exceptions, moved or unused", nil)
	}
	if _, ok := doc.Role(s.Role); s.Role != "" && !ok {
		return model.Fail(model.Invalid, fmt.Sprintf("there is no role %q%s", s.Role, config.Suggest(s.Role, roleNames(doc))), nil)
	}
	targets := names(doc.Targets, func(t model.Target) string { return t.Name })
	switch {
	case s.Target != "" && !slices.Contains(targets, s.Target):
		return model.Fail(model.Invalid, fmt.Sprintf("there is no target %q%s", s.Target, config.Suggest(s.Target, targets)), nil)
	case (s.Group != "" || s.Orphans) && s.Target == "":
		return model.Fail(model.Invalid, "group and orphans need a target", nil)
	case s.Risk != "" && !slices.Contains(config.Risks(), s.Risk):
		return model.Fail(model.Invalid, "risk must be low, medium or high", nil)
	case s.UnusedFor < 0:
		return model.Fail(model.Invalid, "unused must be longer than 0", nil)
	case len(s.People) > maxReviewedBy:
		return model.Fail(model.Invalid, fmt.Sprintf("people: at most %d are named one by one", maxReviewedBy), nil)
	}
	return nil
}

func checkReviewers(doc *config.Document, field string, list []string) error {
	for _, who := range list {
		if err := config.CheckReviewer(who); err != nil {
			return model.Fail(model.Invalid, fmt.Sprintf("%s: %q %v", field, who, err), err)
		}
		if name, ok := strings.CutPrefix(who, roleApprover); ok {
			if _, there := doc.Role(name); !there {
				return model.Fail(model.Invalid, fmt.Sprintf("%s: there is no role %q%s", field, name, config.Suggest(name, roleNames(doc))), nil)
			}
		}
	}
	return nil
}

// newCampaign makes a campaign with the people that its scope and its reviewers name
// found.
func newCampaign(tx *store.Tx, in NewReview) (c model.Campaign, err error) {
	c = model.Campaign{Scope: in.Scope, Stages: slices.Clone(in.Stages), State: model.CampaignPreparing, Created: tx.Now, NextAt: tx.Now, Why: strings.TrimSpace(in.Why),
		Remind: in.Remind, Escalate: in.Escalate, After: in.After, Undecided: cmp.Or(in.Undecided, model.UndecidedKeep)}
	if c.ID, err = newID(); err != nil {
		return c, err
	}
	if c.Scope.Manager != "" {
		row, err := tx.FindIdentity(c.Scope.Manager)
		if err != nil {
			return c, err
		}
		c.Scope.Manager = row.ID
	}
	c.Scope.People = slices.Clone(c.Scope.People)
	for i, name := range c.Scope.People {
		row, err := tx.FindIdentity(name)
		if err != nil {
			return c, err
		}
		c.Scope.People[i] = row.ID
	}
	c.Scope.People = unique(c.Scope.People)
	for _, list := range append([][]string{c.Escalate}, reviewersIn(c.Stages)...) {
		for _, who := range list {
			if name, ok := strings.CutPrefix(who, userApprover); ok {
				if _, err := tx.FindIdentity(name); err != nil {
					return c, err
				}
			}
		}
	}
	c.Due = tx.Now.Add(c.Stages[0].Within)
	return c, nil
}

func reviewersIn(stages []model.ReviewStage) (out [][]string) {
	for _, s := range stages {
		out = append(out, s.Reviewers)
	}
	return out
}

// startCampaign stores a campaign; started is false where one of that slot is there.
func (h *Hub) startCampaign(tx *store.Tx, c *model.Campaign, slot string) (started bool, err error) {
	if started, err = tx.AddCampaign(*c, slot); err != nil || !started {
		return false, err
	}
	c.Version = 1
	return true, auditCampaign(tx, c.By, "review.created", *c, map[string]any{"scope": c.Scope, "stages": c.Stages, "undecided": c.Undecided, "why": c.Why})
}

func auditCampaign(tx *store.Tx, actor, action string, c model.Campaign, data map[string]any) error {
	data["name"], data["origin"] = c.Name, c.Origin
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return tx.Audit(store.AuditEntry{Actor: actor, Action: action, Object: "review/" + c.ID, Data: body})
}

// startScheduled starts the campaigns of the configuration whose time has come; it
// reports whether it started one.
func (h *Hub) startScheduled(tx *store.Tx, snap *Snapshot) (started bool, err error) {
	for _, s := range snap.Doc.Reviews.Campaigns {
		at, slot, err := nextStart(tx, s)
		if err != nil {
			return started, err
		}
		if at.IsZero() || tx.Now.Before(at) {
			continue
		}
		in := NewReview{Scope: s.Scope, Stages: s.Stages, Remind: s.Remind, Undecided: s.Undecided}
		if s.Moved > 0 {
			since := tx.Now.Add(-s.Moved)
			in.Scope.MovedSince = &since
		}
		if s.Escalate != nil {
			in.Escalate, in.After = s.Escalate.To, s.Escalate.After
		}
		c, err := newCampaign(tx, in)
		if err != nil {
			if model.CodeOf(err) == model.Internal {
				return started, err
			}
			h.Log.Warn("a review of the configuration cannot be started", "campaign", s.Name, "error", err)
			continue
		}
		c.Origin, c.Schedule, c.By, c.Name = model.CampaignSchedule, s.Name, "hub", s.Name+" "+tx.Now.Format(time.DateOnly)
		one, err := h.startCampaign(tx, &c, slot)
		if err != nil {
			return started, err
		}
		started = started || one
	}
	return started, nil
}

// nextStart is when a campaign of the configuration is to start next, and the slot of
// that; zero while the last one is still going on.
func nextStart(tx *store.Tx, s config.Campaign) (at time.Time, slot string, err error) {
	last, found, err := tx.LastCampaign(s.Name)
	if err != nil {
		return at, "", err
	}
	if !found {
		at = tx.Now
		if s.First != nil {
			at = *s.First
		}
		return at, s.Name + "/", nil
	}
	if last.State != model.CampaignClosed {
		return time.Time{}, "", nil
	}
	return last.Created.Add(s.Every), s.Name + "/" + last.ID, nil
}

// startMoved starts small reviews of what people keep who moved, one for each new
// manager; it reports whether there was anything to do.
func (h *Hub) startMoved(tx *store.Tx, snap *Snapshot) (started bool, err error) {
	moves, err := tx.TakeMoves(movesAtOnce)
	if err != nil || len(moves) == 0 {
		return false, err
	}
	m := snap.Doc.Reviews.OnMove
	if m == nil { // it was configured when they moved
		return true, nil
	}
	ids := names(moves, func(m store.Move) string { return m.Identity })
	people, err := tx.Reviewed(ids)
	if err != nil {
		return true, err
	}
	groups := map[string][]store.Move{}
	for _, move := range moves {
		if p, there := people[move.Identity]; there && here(p.Stage) {
			groups[p.Manager] = append(groups[p.Manager], move)
		}
	}
	for _, manager := range sortedKeys(groups) {
		group := groups[manager]
		in := NewReview{Scope: model.ReviewScope{People: names(group, func(m store.Move) string { return m.Identity })},
			Stages: []model.ReviewStage{{Reviewers: m.Reviewers, Within: m.Within}}, Undecided: m.Undecided}
		c, err := newCampaign(tx, in)
		if err != nil {
			return true, err
		}
		first := people[group[0].Identity].Name
		c.Name, c.Why = "Move of "+first, group[0].How
		if len(group) > 1 {
			c.Name, c.Why = fmt.Sprintf("Move of %s and %d more", first, len(group)-1), "they moved"
		}
		c.Origin, c.By = model.CampaignMove, "hub"
		if _, err := h.startCampaign(tx, &c, ""); err != nil {
			return true, err
		}
	}
	return true, nil
}

// movesAtOnce is how many moves are looked at together.
const movesAtOnce = 100
