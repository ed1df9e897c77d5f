package config

import (
	"errors"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Reviews says how access is looked at again.
type Reviews struct {
	BulkKeeps int           // how many items may be kept at once; default 25
	Stale     time.Duration // not used for so long: the recommendation is to revoke; default 90 d
	Peers     float64       // percent of peers below which somebody who moved should not have a role; default 20
	OnMove    *MoveReview   // nil: nothing is looked at when people move
	Campaigns []Campaign
}

// MoveReview is the small review of what somebody keeps who moved.
type MoveReview struct {
	Reviewers []string // manager (the new one), owner, role:NAME, user:NAME
	Within    time.Duration
	Undecided string // keep or revoke
}

// Campaign is an access review that comes again.
type Campaign struct {
	Name      string
	Scope     model.ReviewScope
	Moved     time.Duration // people who moved in that time before it starts; 0: no matter
	Stages    []model.ReviewStage
	Every     time.Duration
	First     *time.Time // nil: as soon as it is configured
	Remind    time.Duration
	Escalate  *Escalation
	Undecided string // keep, revoke or escalate
}

// Defaults of reviews.
const (
	defaultBulkKeeps = 25
	defaultStale     = 90 * day
	defaultPeers     = 20
	reviewWithin     = 14 * day
)

func defaultReviews() Reviews {
	return Reviews{BulkKeeps: defaultBulkKeeps, Stale: defaultStale, Peers: defaultPeers}
}

func (r *reader) reviews(n *node, v *Reviews) {
	r.fields(n, map[string]func(*node){
		"bulk_keeps": func(n *node) { v.BulkKeeps = r.integer(n, 1, 1000) },
		"stale":      func(n *node) { v.Stale = r.positive(n) },
		"peers":      func(n *node) { v.Peers = r.percent(n) },
		"on_move":    func(n *node) { v.OnMove = r.onMove(n) },
		"campaigns": func(n *node) {
			unique := r.unique("campaign")
			r.each(n, func(e *node) { v.Campaigns = append(v.Campaigns, r.campaign(e, unique)) })
		},
	})
}

func (r *reader) onMove(n *node) *MoveReview {
	m := &MoveReview{Reviewers: []string{"manager"}, Within: reviewWithin, Undecided: model.UndecidedKeep}
	r.fields(n, map[string]func(*node){
		"reviewer":  func(n *node) { m.Reviewers = []string{r.reviewer(n)} },
		"reviewers": func(n *node) { m.Reviewers = r.reviewers(n) },
		"within":    func(n *node) { m.Within = r.positive(n) },
		"undecided": func(n *node) { m.Undecided = r.enum(n, model.UndecidedKeep, model.UndecidedRevoke) },
	})
	return m
}

func (r *reader) campaign(n *node, unique func(*node, string)) Campaign {
	c := Campaign{Undecided: model.UndecidedKeep}
	within, reviewers := reviewWithin, []string(nil)
	r.need(n, "name", "scope", "every")
	r.fields(n, map[string]func(*node){
		"name":      func(n *node) { c.Name = r.name(n); unique(n, c.Name) },
		"scope":     func(n *node) { r.reviewScope(n, &c) },
		"every":     func(n *node) { c.Every = r.positive(n) },
		"first":     func(n *node) { c.First = r.date(n) },
		"due":       func(n *node) { within = r.positive(n) },
		"reviewer":  func(n *node) { reviewers = []string{r.reviewer(n)} },
		"reviewers": func(n *node) { reviewers = r.reviewers(n) },
		"stages":    func(n *node) { r.each(n, func(v *node) { c.Stages = append(c.Stages, r.reviewStage(v)) }) },
		"remind":    func(n *node) { c.Remind = r.positive(n) },
		"escalate":  func(n *node) { c.Escalate = r.escalation(n) },
		"undecided": func(n *node) {
			c.Undecided = r.enum(n, model.UndecidedKeep, model.UndecidedRevoke, model.UndecidedEscalate)
		},
	})
	switch {
	case len(c.Stages) > 0 && reviewers != nil:
		r.fault(n, "takes reviewer or stages, not both")
	case len(c.Stages) == 0 && n.has("stages"):
		r.fault(n, "needs at least one stage")
	case len(c.Stages) == 0:
		if reviewers == nil {
			reviewers = []string{"manager"}
		}
		c.Stages = []model.ReviewStage{{Reviewers: reviewers, Within: within}}
	}
	if c.Undecided == model.UndecidedEscalate && c.Escalate == nil {
		r.fault(n, "undecided: escalate needs escalate, who is asked then")
	}
	return c
}

func (r *reader) reviewStage(n *node) model.ReviewStage {
	s := model.ReviewStage{Within: reviewWithin}
	r.fields(n, map[string]func(*node){
		"reviewer":  func(n *node) { s.Reviewers = []string{r.reviewer(n)} },
		"reviewers": func(n *node) { s.Reviewers = r.reviewers(n) },
		"within":    func(n *node) { s.Within = r.positive(n) },
	})
	if len(s.Reviewers) == 0 {
		s.Reviewers = []string{"manager"}
	}
	return s
}

func (r *reader) reviewScope(n *node, c *Campaign) {
	s := &c.Scope
	r.fields(n, map[string]func(*node){
		"role":       func(n *node) { s.Role = r.text(n) },
		"target":     func(n *node) { s.Target = r.text(n) },
		"group":      func(n *node) { s.Group = r.text(n) },
		"manager":    func(n *node) { s.Manager = r.text(n) },
		"risk":       func(n *node) { s.Risk = r.enum(n, Risks()...) },
		"exceptions": func(n *node) { s.Exceptions = r.flag(n) },
		"moved":      func(n *node) { c.Moved = r.positive(n) },
		"unused":     func(n *node) { s.UnusedFor = r.positive(n) },
		"orphans":    func(n *node) { s.Orphans = r.flag(n) },
	})
	if n.kind == object && len(n.entries) == 0 || n.kind == null {
		r.fault(n, "needs at least one of role, target, manager, risk, exceptions, moved, unused, orphans")
	}
	if (s.Group != "" || s.Orphans) && s.Target == "" {
		r.fault(n, "group and orphans need target")
	}
}

// Risks are the risks that a role may have, the least first.
func Risks() []string { return []string{"low", "medium", "high"} }

func (r *reader) reviewer(n *node) string { return r.checked(n, CheckReviewer) }

func (r *reader) reviewers(n *node) (out []string) {
	r.each(n, func(v *node) { out = append(out, r.reviewer(v)) })
	if len(out) == 0 {
		r.fault(n, "needs at least one reviewer")
	}
	return out
}

// CheckReviewer says what is wrong with a reviewer: one is manager, owner, role:NAME or
// user:NAME.
func CheckReviewer(s string) error {
	if s == "owner" {
		return nil
	}
	if err := checkApprover(s); err != nil {
		return errors.New(`must be manager, owner, "role:NAME" or "user:NAME"`)
	}
	return nil
}

// checkOwner says what is wrong with who answers for a role.
func checkOwner(s string) error {
	if err := checkApprover(s); err != nil || s == "manager" {
		return errors.New(`must be "role:NAME" or "user:NAME"`)
	}
	return nil
}

// checkReviews finds campaigns about what is not there.
func (c *references) checkReviews(d *Document, roles, targets []string) {
	if m := d.Reviews.OnMove; m != nil {
		c.reviewers(roles, m.Reviewers, "reviews", "on_move")
	}
	for i, one := range d.Reviews.Campaigns {
		at := []any{"reviews", "campaigns", i}
		c.to("role", roles, one.Scope.Role, append(slices.Clone(at), "scope", "role")...)
		c.to("target", targets, one.Scope.Target, append(slices.Clone(at), "scope", "target")...)
		for n, s := range one.Stages {
			c.reviewers(roles, s.Reviewers, at...)
			c.reviewers(roles, s.Reviewers, append(slices.Clone(at), "stages", n)...)
		}
		if one.Escalate != nil {
			c.approvers(roles, one.Escalate.To, append(slices.Clone(at), "escalate", "to")...)
		}
	}
}

// reviewers checks the roles that reviewers name, in either form of writing them.
func (c *references) reviewers(roles, list []string, at ...any) {
	c.approvers(roles, list, append(slices.Clone(at), "reviewer")...)
	c.approvers(roles, list, append(slices.Clone(at), "reviewers")...)
}
