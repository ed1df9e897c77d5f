package hub

import (
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

// The questions put after the fact.
const (
	reviewEmergency = "emergency"
	reviewMoved     = "moved"
)

// requestCase is one request with all that decides what becomes of it. Its methods
// are pure: they change the request of the case and nothing else.
//
//	state      event                                    becomes
//	------------------------------------------------------------------------------
//	–          asked; no step is configured             approved
//	–          asked in an emergency                    approved, with a review
//	–          asked                                    pending
//	pending    the last step says yes, or an override   approved
//	pending    somebody asked says no                   denied
//	pending    taken back                               withdrawn
//	pending    undecided for longer than within,        expired
//	           or its end has come
//	approved   its end has come                         expired
//	approved   a fact it relies on has changed          lapsed
//	approved   taken away, given up, review says no     revoked
//	approved   review of an emergency not answered      expired
//	both       the person left, the role is no more     ended
//	           and has not been for a week
//
// What is closed never opens again.
type requestCase struct {
	model.Request
	env requestEnv
}

// requestEnv is what is known of the person at the moment, and the configuration.
type requestEnv struct {
	doc      *config.Document
	known    Known
	identity model.Identity
	stage    model.Stage
	datesOK  bool // the dates of the person can be read
	now      time.Time
}

// config is what the configuration says of the request's role; there is false where
// the role is no more, and rules are those of a role that cannot be asked for where
// only its section of requests is no more.
func (c *requestCase) config() (rules config.Request, there bool) {
	role, there := c.env.doc.Role(c.Role)
	if role.Request != nil {
		rules = *role.Request
	}
	return rules, there
}

// approverKeys are the configured approvers that may be asked about a request.
func approverKeys(r model.Request, rules *config.Request) []string {
	var keys []string
	for _, s := range r.Steps {
		keys = append(keys, s.Approvers...)
		keys = append(keys, s.Escalated...)
	}
	if r.Review != nil {
		keys = append(keys, r.Review.Step.Approvers...)
	}
	if rules != nil && rules.Escalate != nil {
		keys = append(keys, rules.Escalate.To...)
	}
	return keys
}

// question is the step that waits for an answer; nil: none does.
func (c *requestCase) question() *model.Step {
	switch {
	case c.Review != nil:
		return &c.Review.Step
	case c.State == model.RequestPending && c.Step < len(c.Steps):
		return &c.Steps[c.Step]
	}
	return nil
}

// start opens a new request: the first step, or all of it where nobody need be asked.
func (c *requestCase) start() {
	c.State, c.Created, c.Step = model.RequestPending, c.env.now, 0
	c.advance()
}

// startEmergency grants at once, and asks afterwards.
func (c *requestCase) startEmergency(e config.Emergency) {
	c.State, c.Created, c.Step = model.RequestPending, c.env.now, len(c.Steps)
	c.approve()
	asked := c.env.now
	c.Review = &model.Review{Why: reviewEmergency, EndIfSilent: true, Due: asked.Add(e.Within),
		Step: model.Step{Approvers: e.Review, AskedAt: &asked}}
}

// advance opens the steps in order for as long as they are decided already.
func (c *requestCase) advance() {
	for c.Step < len(c.Steps) {
		s := &c.Steps[c.Step]
		if s.AskedAt == nil {
			at := c.env.now
			s.AskedAt = &at
			c.askedByManager(s)
		}
		if !stepDone(*s) {
			return
		}
		c.Step++
	}
	c.approve()
}

// askedForIt is the reason of a manager's yes that is their asking.
const askedForIt = "asked for it"

// askedByManager takes it for a yes of the manager that they asked for their report.
func (c *requestCase) askedByManager(s *model.Step) {
	m := c.env.known.Manager
	if c.AskedBy == "" || c.AskedBy == c.Identity || m == nil || m.ID != c.AskedBy || m.Circle || !slices.Contains(s.Approvers, managerApprover) {
		return
	}
	s.Decisions = append(s.Decisions, model.Approval{Approver: m.ID, For: managerApprover, Actor: m.Name, Approve: true, Reason: askedForIt, At: c.env.now})
}

// approve grants the request and notes the facts that it relies on.
func (c *requestCase) approve() {
	at := c.env.now
	c.State, c.Approved, c.Step = model.RequestApproved, &at, len(c.Steps)
	c.note()
	if c.Until != nil && !at.Before(*c.Until) {
		c.close(model.RequestExpired, "its end had come before it was approved")
	}
}

// close ends the request for good. A review that is open goes on where it is one of
// an emergency: that it is over answers nothing.
func (c *requestCase) close(state model.RequestState, why string) {
	pending, at := c.State == model.RequestPending, c.env.now
	c.State, c.Why, c.Closed = state, why, &at
	if c.Review != nil && c.Review.Why != reviewEmergency {
		c.closeReview()
	}
	if c.Origin != model.OriginRule {
		return
	}
	switch state {
	case model.RequestDenied, model.RequestWithdrawn, model.RequestRevoked:
		c.Silent = true
	case model.RequestExpired:
		c.Silent = pending
	}
}

func (c *requestCase) closeReview() {
	at := c.env.now
	review := *c.Review
	review.Closed = &at
	c.Reviewed, c.Review = append(slices.Clone(c.Reviewed), review), nil
}

// stepDone reports whether a step has said yes: one approver, or with All one for
// each approver configured. Who was asked since nobody decided in time decides alone,
// and so does an operator.
func stepDone(s model.Step) bool {
	for _, d := range s.Decisions {
		if d.Approve && (!s.All || d.Override || slices.Contains(s.Escalated, d.For)) {
			return true
		}
	}
	return s.All && len(stillNeeded(s)) == 0
}

// stillNeeded are the configured approvers of a step that it still needs.
func stillNeeded(s model.Step) (out []string) {
	for _, key := range s.Approvers {
		said := func(d model.Approval) bool { return d.Approve && d.For == key }
		if !slices.ContainsFunc(s.Decisions, said) {
			out = append(out, key)
		}
	}
	return out
}

// answerer is somebody who can answer, and as whom.
type answerer struct{ id, key, deputyOf string }

// answerers lists who can answer a question, and says in words why others cannot.
// Nobody decides about a role of their own, or one that they asked for, themselves or
// by a deputy.
func (c *requestCase) answerers(s model.Step) (list []answerer, faults []string) {
	for _, key := range append(stillNeeded(s), s.Escalated...) {
		a := c.env.known.Approvers[key]
		if a.Fault != "" {
			faults = append(faults, a.Fault)
		}
		for _, id := range a.IDs {
			if c.own(id) {
				faults = append(faults, c.ownWords(id, a.Names[id]))
				continue
			}
			list = append(list, answerer{id, key, ""})
		}
		for _, person := range slices.Concat(a.IDs, a.Away) {
			for _, deputy := range a.Deputies[person] {
				if !c.own(person) && !c.own(deputy) {
					list = append(list, answerer{deputy, key, person})
				}
			}
		}
	}
	slices.Sort(faults)
	return list, slices.Compact(faults)
}

// own reports whether somebody would decide about themselves. A manager who asked for
// their report may be asked again when the report moves.
func (c *requestCase) own(id string) bool {
	if id == c.Identity {
		return true
	}
	return id == c.AskedBy && (c.Review == nil || c.Review.Why != reviewMoved)
}

func (c *requestCase) ownWords(id, name string) string {
	if id == c.Identity {
		return name + " is to hold the role"
	}
	return name + " asked for it"
}

// canAnswer finds as whom somebody answers; their own right goes before a deputy's.
func (c *requestCase) canAnswer(id string) (as []answerer) {
	q := c.question()
	if q == nil {
		return nil
	}
	list, _ := c.answerers(*q)
	for _, a := range list {
		if a.id == id {
			as = append(as, a)
		}
	}
	slices.SortStableFunc(as, func(x, y answerer) int { return strings.Compare(x.deputyOf, y.deputyOf) })
	return as
}

// asked names who can answer now: identities, and role:NAME for holders of a role.
func (c *requestCase) asked() (out []string) {
	q := c.question()
	if q == nil {
		return nil
	}
	for _, key := range append(stillNeeded(*q), q.Escalated...) {
		if strings.HasPrefix(key, roleApprover) {
			out = append(out, key)
			continue
		}
		a := c.env.known.Approvers[key]
		for _, id := range slices.Concat(a.IDs, a.Away) {
			if !c.own(id) {
				out = append(out, id)
			}
		}
	}
	return unique(out)
}
