package hub

import (
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// requestAnswer is what somebody says to the question that waits.
type requestAnswer struct {
	person   string // identity of who answers; empty: an operator who is nobody here
	name     string // as people know them
	override bool   // may decide in the place of whoever is asked
	approve  bool
	reason   string
}

// answer takes an answer to the question that waits. The error says why it is none,
// and nothing has changed then.
func (c *requestCase) answer(a requestAnswer) error {
	if c.question() == nil {
		return model.Fail(model.Conflict, c.closedWords(), nil)
	}
	if !a.approve && a.reason == "" {
		return model.Fail(model.Invalid, "to say no needs a reason", nil)
	}
	if a.person != "" && c.own(a.person) {
		what := "is to hold the role " + c.Role
		if a.person != c.Identity {
			what = "asked for the role " + c.Role
		}
		return model.Fail(model.Forbidden, fmt.Sprintf("%s %s: nobody decides about their own request, and no role of theirs lets them", a.name, what), nil)
	}
	as := c.canAnswer(a.person)
	if a.person == "" {
		as = nil
	}
	if len(as) == 0 && !a.override {
		return model.Fail(model.Forbidden, c.notAsked(a), nil)
	}
	decisions := c.decisions(a, as)
	if c.Review != nil {
		c.answerReview(a, decisions)
		return nil
	}
	s := &c.Steps[c.Step]
	s.Decisions = append(slices.Clone(s.Decisions), decisions...)
	switch {
	case !a.approve:
		c.close(model.RequestDenied, a.name+": "+a.reason)
	case decisions[0].Override: // in the place of all who would have been asked
		c.Step = len(c.Steps)
		c.approve()
	default:
		c.advance()
	}
	return nil
}

// decisions is an answer as it is kept: one for each approver that it stands for
// where all have to say yes.
func (c *requestCase) decisions(a requestAnswer, as []answerer) (out []model.Approval) {
	d := model.Approval{Approver: a.person, Actor: a.name, Approve: a.approve, Reason: a.reason, At: c.env.now}
	if len(as) == 0 {
		d.Override = true
		return []model.Approval{d}
	}
	seen := map[string]bool{}
	for _, way := range as {
		if seen[way.key] {
			continue
		}
		seen[way.key] = true
		d.For, d.Deputy = way.key, way.deputyOf
		out = append(out, d)
		if !c.question().All {
			break
		}
	}
	return out
}

// answerReview closes a question that was put after the fact: yes keeps the role
// until its end, no takes it away at once.
func (c *requestCase) answerReview(a requestAnswer, decisions []model.Approval) {
	review := *c.Review
	review.Step.Decisions = append(slices.Clone(review.Step.Decisions), decisions...)
	c.Review = &review
	c.closeReview()
	switch {
	case a.approve && review.Why == reviewMoved:
		c.noteMoved()
	case !a.approve && c.State == model.RequestApproved:
		c.close(model.RequestRevoked, fmt.Sprintf("%s, asked after the fact (%s): %s", a.name, reviewWords(review.Why), a.reason))
	}
}

func reviewWords(why string) string {
	if why == reviewMoved {
		return "the person moved"
	}
	return "emergency"
}

func (c *requestCase) closedWords() string {
	if c.State == model.RequestApproved {
		return fmt.Sprintf("the request was approved on %s, and nothing is asked about it now", c.Approved.Format(time.RFC3339))
	}
	at := c.env.now
	if c.Closed != nil {
		at = *c.Closed
	}
	return fmt.Sprintf("the request is %s since %s: %s", c.State, at.Format(time.RFC3339), c.Why)
}

// notAsked says whose answer the request waits for instead.
func (c *requestCase) notAsked(a requestAnswer) string {
	q := c.question()
	for _, d := range q.Decisions {
		if d.Approver == a.person && a.person != "" {
			return fmt.Sprintf("%s said yes already; the step waits for others", a.name)
		}
	}
	list, faults := c.answerers(*q)
	var names []string
	for _, w := range list {
		names = append(names, c.nameOf(w.id))
	}
	switch names = unique(names); {
	case len(names) == 0:
		return fmt.Sprintf("%s is not asked; nobody is, but an admin can decide: %s", a.name, andList(faults))
	case len(names) > namesShown:
		return fmt.Sprintf("%s is not asked, but %s and %d others", a.name, andList(names[:namesShown]), len(names)-namesShown)
	}
	return fmt.Sprintf("%s is not asked, but %s", a.name, andList(names))
}

// namesShown is how many people one message names.
const namesShown = 5

func (c *requestCase) nameOf(id string) string {
	for _, a := range c.env.known.Approvers {
		if n := a.Names[id]; n != "" {
			return n
		}
	}
	return id
}

// withdraw takes back a request that nobody has decided.
func (c *requestCase) withdraw(name, reason string) error {
	if c.State != model.RequestPending {
		if c.State == model.RequestApproved {
			return model.Fail(model.Conflict, "the request is approved: to give the role up, revoke it", nil)
		}
		return model.Fail(model.Conflict, c.closedWords(), nil)
	}
	c.close(model.RequestWithdrawn, withReason(name+" took it back", reason))
	return nil
}

// revoke takes an approved request away.
func (c *requestCase) revoke(name, reason string) error {
	if c.State != model.RequestApproved {
		if c.State == model.RequestPending {
			return model.Fail(model.Conflict, "the request is not approved yet: deny it, or withdraw it", nil)
		}
		return model.Fail(model.Conflict, c.closedWords(), nil)
	}
	c.close(model.RequestRevoked, withReason(name, reason))
	return nil
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}
