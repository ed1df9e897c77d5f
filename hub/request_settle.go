package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/policy"
)

// settledRequests is what becomes of somebody's requests at a moment.
type settledRequests struct {
	inForce  []model.Request // give their roles now
	changed  []model.Request // to be stored; without an id: new
	findings []model.Finding // nobody can answer
	next     time.Time       // when time alone changes one of them

	env  requestEnv
	live []model.Request // as they are from now on
}

// setRequests keeps open requests apart from closed ones that are still of interest.
func (k *Known) setRequests(live []model.Request) {
	for _, r := range live {
		if r.State.Open() {
			k.Requests = append(k.Requests, r)
		} else {
			k.asked = append(k.asked, r)
		}
	}
}

// settleRequests works out which requests still stand. It is pure.
func settleRequests(doc *config.Document, k Known, identity model.Identity, stage model.Stage, datesOK bool, now time.Time) settledRequests {
	s := settledRequests{env: requestEnv{doc: doc, known: k, identity: identity, stage: stage, datesOK: datesOK, now: now}}
	for _, r := range slices.Concat(k.Requests, k.asked) {
		s.settle(r)
	}
	return s
}

// settle brings one request to the present.
func (s *settledRequests) settle(before model.Request) {
	c := requestCase{Request: before.Clone(), env: s.env}
	c.settleAll()
	s.keep(before, c)
}

// settleAll settles until nothing more comes about.
func (c *requestCase) settleAll() {
	for range settleLimit {
		last := c.Clone()
		c.settle()
		if sameRequest(last, c.Request) {
			return
		}
	}
}

// settleLimit bounds the steps that one moment may bring about.
const settleLimit = 8

// keep adds a request as it is from now on.
func (s *settledRequests) keep(before model.Request, c requestCase) {
	if f, ok := c.nobody(); ok {
		s.findings = append(s.findings, f)
	}
	c.Asked = c.asked()
	c.NextAt = c.next()
	if !sameRequest(before, c.Request) {
		s.changed = append(s.changed, c.Request)
	}
	if c.InForce(s.env.now) {
		s.inForce = append(s.inForce, c.Request)
	}
	if !c.NextAt.IsZero() && (s.next.IsZero() || c.NextAt.Before(s.next)) {
		s.next = c.NextAt
	}
	s.live = append(s.live, c.Request)
}

func sameRequest(a, b model.Request) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// settle does what time, facts and the configuration bring about by themselves.
func (c *requestCase) settle() {
	rules, there := c.config()
	c.settleReview(rules)
	if !c.State.Open() {
		return
	}
	now := c.env.now
	if there {
		c.RoleGone = nil
	}
	switch {
	case c.env.stage == model.Leaver || c.env.stage == model.Purged:
		if !mistaken(c.env.known.Row, now) {
			c.close(model.RequestEnded, c.env.known.Row.Name+" has left")
		}
	case !there:
		c.roleGone()
	case c.Until != nil && !now.Before(*c.Until):
		why := "its end had come"
		if c.State == model.RequestPending {
			why = "nobody had decided when its end came"
		}
		c.close(model.RequestExpired, why)
	case c.State == model.RequestPending:
		c.settlePending(rules)
	case c.excludedWhy() != "":
		c.close(model.RequestRevoked, c.excludedWhy())
	default:
		c.settleApproved(rules)
	}
}

// roleGone ends a request whose role is not configured any more, after a time in which a
// configuration that left it out by mistake can be mended. Meanwhile it gives nothing.
func (c *requestCase) roleGone() {
	if c.RoleGone == nil {
		at := c.env.now
		c.RoleGone = &at
	}
	if !c.env.now.Before(c.RoleGone.Add(secondThoughts)) {
		c.close(model.RequestEnded, "the role "+c.Role+" is no longer configured")
	}
}

func (c *requestCase) settlePending(rules config.Request) {
	now := c.env.now
	c.dropOwn()
	if due := c.Created.Add(rules.Within); rules.Within > 0 && !now.Before(due) {
		c.close(model.RequestExpired, "nobody had decided after "+words(rules.Within))
		return
	}
	s := &c.Steps[c.Step]
	list, _ := c.answerers(*s)
	if e := rules.Escalate; e != nil && len(s.Escalated) == 0 && (len(list) == 0 || !now.Before(s.AskedAt.Add(e.After))) {
		s.Escalated = slices.Clone(e.To)
	}
	remind(s, rules.Remind, now)
}

func (c *requestCase) settleApproved(rules config.Request) {
	now := c.env.now
	if why := c.lapsed(); why != "" {
		c.close(model.RequestLapsed, why)
		return
	}
	if c.Manager == "" || c.Department == "" {
		c.noteFirst()
	}
	if moved := c.moved(); moved != "" && c.Origin != model.OriginEmergency && (c.Review == nil || c.Review.Why == reviewMoved) {
		c.noteMoved()
		if rules.Moved.Ask == factManager {
			c.Review = &model.Review{Why: reviewMoved, About: moved, EndIfSilent: rules.Moved.Undecided == "end", Due: now.Add(rules.Moved.Within),
				Step: model.Step{Approvers: []string{managerApprover}, AskedAt: &now}}
		}
	}
	if at := c.noticeAt(rules); !at.IsZero() && !now.Before(at) {
		c.Noticed = true
	}
}

// dropOwn takes back what the person, or who asked, answered under another name before
// it turned out who they are, and puts the question again. That a manager asked for
// their report is the one answer that may be the asker's own.
func (c *requestCase) dropOwn() {
	for i := range c.Steps[:min(c.Step+1, len(c.Steps))] {
		s := &c.Steps[i]
		kept := slices.DeleteFunc(slices.Clone(s.Decisions), func(d model.Approval) bool {
			if d.Override || !c.own(d.Approver) {
				return false
			}
			return d.Approver == c.Identity || d.For != managerApprover || d.Reason != askedForIt
		})
		if len(kept) == len(s.Decisions) {
			continue
		}
		at := c.env.now
		s.Decisions, s.AskedAt, s.Reminded, c.Step = kept, &at, nil, min(c.Step, i)
	}
}

// noticeAt is when the person is told of the end; zero: not, or they were already. Who
// has a role in an emergency knows.
func (c *requestCase) noticeAt(rules config.Request) time.Time {
	if c.Until == nil || rules.Notice == 0 || c.Noticed || c.Origin == model.OriginEmergency {
		return time.Time{}
	}
	return c.Until.Add(-rules.Notice)
}

// noteFirst notes a manager or a department that the person had none of so far.
func (c *requestCase) noteFirst() {
	manager, department := c.Manager, c.Department
	c.noteMoved()
	if manager != "" {
		c.Manager = manager
	}
	if department != "" {
		c.Department = department
	}
}

// settleReview ends a question put after the fact that nobody answered in time.
func (c *requestCase) settleReview(rules config.Request) {
	if c.Review == nil {
		return
	}
	now, review := c.env.now, *c.Review
	if now.Before(review.Due) {
		remind(&c.Review.Step, rules.Remind, now)
		return
	}
	c.closeReview()
	if review.EndIfSilent && c.State == model.RequestApproved {
		c.close(model.RequestExpired, fmt.Sprintf("nobody had answered by %s whether it is to stay (%s)", review.Due.Format(time.RFC3339), reviewWords(review.Why)))
	}
}

// remind notes that whoever is asked is reminded.
func remind(s *model.Step, every time.Duration, now time.Time) {
	if at := nextReminder(*s, every); every > 0 && !now.Before(at) {
		s.Reminded = &now
	}
}

func nextReminder(s model.Step, every time.Duration) time.Time {
	if every <= 0 || s.AskedAt == nil {
		return time.Time{}
	}
	if s.Reminded != nil {
		return s.Reminded.Add(every)
	}
	return s.AskedAt.Add(every)
}

// next is when time alone changes the request; zero: never.
func (c *requestCase) next() (next time.Time) {
	rules, _ := c.config()
	at := func(t time.Time) {
		if t.After(c.env.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if c.Review != nil {
		at(c.Review.Due)
		at(nextReminder(c.Review.Step, rules.Remind))
	}
	if !c.State.Open() {
		return next
	}
	at(mendedUntil(c.env.known.Row))
	if c.RoleGone != nil {
		at(c.RoleGone.Add(secondThoughts))
	}
	for _, t := range []*time.Time{c.From, c.Until} {
		if t != nil {
			at(*t)
		}
	}
	if c.State == model.RequestApproved {
		at(c.noticeAt(rules))
		return next
	}
	if rules.Within > 0 {
		at(c.Created.Add(rules.Within))
	}
	s := c.Steps[c.Step]
	at(nextReminder(s, rules.Remind))
	if e := rules.Escalate; e != nil && len(s.Escalated) == 0 {
		at(s.AskedAt.Add(e.After))
	}
	return next
}

// nobody is the finding that a question waits and nobody is there to answer it.
func (c *requestCase) nobody() (f model.Finding, found bool) {
	q := c.question()
	if q == nil || c.ID == "" || c.env.stage == model.Leaver || c.env.stage == model.Purged {
		return f, false
	}
	list, faults := c.answerers(*q)
	if len(list) > 0 {
		return f, false
	}
	why := "there is nobody to ask"
	if len(faults) > 0 {
		why = andList(faults)
	}
	return model.Finding{Identity: c.Identity, Kind: model.FindingApproval, Subject: c.Role,
		Message: fmt.Sprintf("nobody can approve %s for %s: %s; an admin can decide request %s", c.Role, c.env.known.Row.Name, why, c.ID)}, true
}

// words is a duration for people.
func words(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return "a day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// askByRule asks for the roles that a rule gives and that need approval all the
// same, and closes what was asked for a rule that no longer matches. A rule asks once
// for as long as it matches; when it was refused it asks again after it has stopped
// matching and matches anew. It reports whether a role was granted at once.
func (s *settledRequests) askByRule(result policy.Result) (granted bool) {
	s.endByRule(result)
	for _, w := range result.Wanted {
		same := func(r model.Request) bool { return r.Role == w.Role && (r.State.Open() || r.Silent) }
		role, ok := s.env.doc.Role(w.Role)
		if !ok || role.Request == nil || slices.ContainsFunc(s.live, same) {
			continue
		}
		c := requestCase{env: s.env, Request: model.Request{Identity: s.env.identity.ID, Role: w.Role, Origin: model.OriginRule, Actor: "rule",
			Steps: newSteps(role.Request.Approve)}}
		if len(w.Because) > 0 {
			c.Reason = "the rule matches: " + w.Because[0].Rule
		}
		if role.Request.Expires > 0 {
			until := s.env.now.Add(role.Request.Expires)
			c.Until = &until
		}
		c.start()
		s.keep(model.Request{}, c)
		granted = granted || c.InForce(s.env.now)
	}
	return granted
}

// endByRule closes what a rule asked for that no longer matches.
func (s *settledRequests) endByRule(result policy.Result) {
	before := *s
	s.inForce, s.changed, s.findings, s.next, s.live = nil, nil, nil, time.Time{}, nil
	for _, r := range before.live {
		c := requestCase{Request: r.Clone(), env: s.env}
		if r.Origin == model.OriginRule && !ruleMatches(result, r) {
			if r.State.Open() {
				c.close(model.RequestEnded, "the rule of the role "+r.Role+" no longer matches")
			}
			c.Silent = false
		}
		s.keep(s.env.stored(r.ID), c)
	}
}

// stored is a request as it was read.
func (e *requestEnv) stored(id string) model.Request {
	for _, r := range slices.Concat(e.known.Requests, e.known.asked) {
		if r.ID == id {
			return r
		}
	}
	return model.Request{}
}

// ruleMatches reports whether the rule of a request's role matches, or may: where it
// could not be decided it is taken to.
func ruleMatches(result policy.Result, r model.Request) bool {
	ofRole := func(g model.Grant) bool { return g.Role == r.Role }
	if slices.Contains(result.Undecided, r.Role) || slices.Contains(result.Unsettled, r.Role) || slices.ContainsFunc(result.Wanted, ofRole) ||
		slices.ContainsFunc(result.Denied, func(d model.Denied) bool { return d.Role == r.Role }) {
		return true
	}
	for _, g := range result.Grants {
		if g.Role == r.Role {
			return slices.ContainsFunc(g.Because, func(b model.Reason) bool { return b.Rule != "" || b.Request == r.ID })
		}
	}
	return false
}

// newSteps are the steps of a request as configured.
func newSteps(steps []config.Step) []model.Step {
	out := make([]model.Step, 0, len(steps))
	for _, s := range steps {
		out = append(out, model.Step{All: s.All, Approvers: slices.Clone(s.Of)})
	}
	return out
}
