package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// Ask is what a role is asked for with.
type Ask struct {
	Role      string
	For       string // userName or id; empty: who asks
	Reason    string
	From      *time.Time // nil: as soon as it is approved
	Until     *time.Time // nil: as long as the role may be had
	Emergency bool       // granted at once, reviewed afterwards
}

// reasonLimit is how long a reason may be, in characters.
const reasonLimit = 2000

// AskRequest asks for a role. Whatever is wrong with it is an error that says so, and
// nothing has changed then: Invalid what cannot be asked, Forbidden what the asker may
// not, Conflict what is there already, Refused what a conflict of roles forbids.
func (h *Hub) AskRequest(ctx context.Context, by Who, in Ask) (r model.Request, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return r, noConfiguration()
	}
	role, err := askable(snap.Doc, in)
	if err != nil {
		return r, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		id, err := personFor(tx, me, in.For)
		if err != nil {
			return err
		}
		env, err := personCase(tx, snap, id)
		if err != nil {
			return err
		}
		if env.known.Approvers, err = resolveApprovers(tx, env.known, keysOf(*role.Request)); err != nil {
			return err
		}
		c, err := asking(snap, env, role, me, in)
		if err != nil {
			return err
		}
		c.Asked, c.NextAt = c.asked(), c.next()
		if r, err = h.addRequest(tx, c.Request); err != nil {
			return err
		}
		return h.settleWrite(tx, me.actor(), model.Request{}, r)
	})
	if err != nil {
		return model.Request{}, err
	}
	h.Wake()
	return r, nil
}

// settleWrite tells of a change that somebody made, and has what follows decided.
func (h *Hub) settleWrite(tx *store.Tx, actor string, before, now model.Request) error {
	entries, err := tell(tx, actor, before, now)
	if err != nil {
		return err
	}
	if err := tx.Mark(before.State == model.RequestApproved && !now.State.Open(), now.Identity); err != nil {
		return err
	}
	return tx.Audit(entries...)
}

func noConfiguration() error {
	return model.Fail(model.Unavailable, "no configuration is active", nil)
}

// askable finds the role and what can be told of a request without knowing anybody.
func askable(doc *config.Document, in Ask) (config.Role, error) {
	role, ok := doc.Role(in.Role)
	if !ok {
		var can []string
		for _, r := range doc.Roles {
			if r.Request != nil {
				can = append(can, r.Name)
			}
		}
		return role, model.Fail(model.Invalid, fmt.Sprintf("there is no role %q%s", in.Role, config.Suggest(in.Role, can)), nil)
	}
	if role.Request == nil {
		return role, model.Fail(model.Invalid, fmt.Sprintf("the role %s cannot be asked for: it has no request section in the configuration", role.Name), nil)
	}
	if in.Emergency && role.Request.Emergency == nil {
		return role, model.Fail(model.Invalid, fmt.Sprintf("the role %s is not given in an emergency: ask for it without --emergency", role.Name), nil)
	}
	if strings.TrimSpace(in.Reason) == "" && (role.Request.Reason == "required" || in.Emergency) {
		return role, model.Fail(model.Invalid, fmt.Sprintf("reason is missing: say why the role %s is needed", role.Name), nil)
	}
	return role, checkReason(in.Reason)
}

// checkReason refuses what is no text that people read: reasons are shown on terminals
// and pages, where control characters and turned directions make them look otherwise.
func checkReason(reason string) error {
	if utf8.RuneCountInString(reason) > reasonLimit {
		return model.Fail(model.Invalid, fmt.Sprintf("reason is longer than %d characters", reasonLimit), nil)
	}
	if !utf8.ValidString(reason) {
		return model.Fail(model.Invalid, "reason is not UTF-8 text", nil)
	}
	for _, c := range reason {
		if unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' || unicode.Is(unicode.Bidi_Control, c) {
			return model.Fail(model.Invalid, fmt.Sprintf("reason holds the control character %U: take it out", c), nil)
		}
	}
	return nil
}

// lastYear is the last that times can be in: RFC 3339 has four digits for it, and a
// zone may move one that is written so into the next year.
const lastYear = 9998

func checkTime(name string, at *time.Time) error {
	if at != nil && at.Year() > lastYear {
		return model.Fail(model.Invalid, fmt.Sprintf("%s lies after the year %d", name, lastYear), nil)
	}
	return nil
}

// keysOf are all approvers that a role's requests may ever ask.
func keysOf(q config.Request) []string {
	keys := []string{managerApprover}
	for _, s := range q.Approve {
		keys = append(keys, s.Of...)
	}
	if q.Escalate != nil {
		keys = append(keys, q.Escalate.To...)
	}
	if q.Emergency != nil {
		keys = slices.Concat(keys, q.Emergency.By, q.Emergency.Review)
	}
	return unique(keys)
}

// personCase locks a person and reads what a request of theirs is decided by.
func personCase(tx *store.Tx, snap *Snapshot, id string) (env requestEnv, err error) {
	if err := tx.HoldIdentities(id); err != nil {
		return env, err
	}
	known, err := gather(tx, snap, []string{id})
	if err != nil {
		return env, err
	}
	k := known[id]
	identity, findings := Resolve(snap, k)
	if k.Row.Name == k.Row.ID { // not evaluated yet
		k.Row.Name = identity.Name()
	}
	return requestEnv{doc: snap.Doc, known: k, identity: identity, now: tx.Now, datesOK: datesRead(findings),
		stage: stageOf(snap.Doc.Identity, identity, findings, k.Row.Stage, tx.Now)}, nil
}

// asking makes a new request, or says why there can be none. It is pure.
func asking(snap *Snapshot, env requestEnv, role config.Role, me asker, in Ask) (c requestCase, err error) {
	rules, name := *role.Request, env.known.Row.Name
	c = requestCase{env: env, Request: model.Request{Identity: env.identity.ID, Role: role.Name, Origin: model.OriginAsked, AskedBy: me.id,
		Actor: me.name, Reason: strings.TrimSpace(in.Reason), Steps: newSteps(rules.Approve)}}
	switch {
	case env.stage == model.Leaver || env.stage == model.Purged || env.identity.MergedInto != "":
		return c, model.Fail(model.Invalid, name+" has left: nobody can ask for a role for them", nil)
	case blocked(env.known):
		return c, model.Fail(model.Conflict, fmt.Sprintf("it is not decided who %s is (case %s): decide that first", name, env.known.Case.ID), nil)
	}
	if err := mayAsk(env, rules, role.Name, me, in.Emergency); err != nil {
		return c, err
	}
	if c.From, c.Until, err = interval(rules, in, env.now); err != nil {
		return c, err
	}
	if err := alreadyThere(snap, &c, in.Emergency); err != nil {
		return c, err
	}
	conflictStep, err := c.conflictStep()
	if err != nil {
		return c, err
	}
	if in.Emergency {
		if conflictStep != nil {
			return c, model.Fail(model.Refused, fmt.Sprintf("%s may not be held together with %s: in an emergency, too, an exception has to be allowed first (scimhub conflict exempt)",
				role.Name, andList(without(conflictStep.Conflict, role.Name))), nil)
		}
		c.Origin = model.OriginEmergency
		c.startEmergency(*rules.Emergency)
		return c, nil
	}
	if conflictStep != nil {
		c.Steps = append(c.Steps, *conflictStep)
	}
	c.start()
	return c, nil
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}

// mayAsk says whether somebody may ask for a role for a person. An operator may, but
// in an emergency nobody need approve it: there an operator is like anybody else, and
// an admin's token that acts for nobody may what it may approve.
func mayAsk(env requestEnv, rules config.Request, role string, me asker, emergency bool) error {
	name := env.known.Row.Name
	own := me.id == env.identity.ID
	report := env.known.Manager != nil && env.known.Manager.ID == me.id
	switch {
	case me.override && me.id == "", me.operator && !emergency:
		return nil
	case me.id == "": // an operator in an emergency
	case rules.By == "anyone" || own:
	case rules.By == "self":
		return model.Fail(model.Forbidden, fmt.Sprintf("the role %s can be asked for by whoever is to hold it alone: %s has to ask", role, name), nil)
	case !report:
		return model.Fail(model.Forbidden, fmt.Sprintf("%s is not your report: the role %s can be asked for by %s or by their manager", name, role, name), nil)
	}
	if !emergency || len(rules.Emergency.By) == 0 {
		return nil
	}
	for _, key := range rules.Emergency.By {
		if slices.Contains(env.known.Approvers[key].IDs, me.id) {
			return nil
		}
	}
	return model.Fail(model.Forbidden, fmt.Sprintf("the role %s is given in an emergency to %s alone; ask for it without --emergency", role, andList(rules.Emergency.By)), nil)
}

// interval is from when until when the role is asked for.
func interval(rules config.Request, in Ask, now time.Time) (from, until *time.Time, err error) {
	if err := cmp.Or(checkTime("from", in.From), checkTime("until", in.Until)); err != nil {
		return nil, nil, err
	}
	start, longest := now, rules.Expires
	if in.Emergency {
		longest = rules.Emergency.For
	}
	if from = in.From; from != nil && !from.After(now) {
		if now.Sub(*from) >= 24*time.Hour {
			return nil, nil, model.Fail(model.Invalid, fmt.Sprintf("from %s is in the past; leave it out to begin at once", from.Format(time.RFC3339)), nil)
		}
		from = nil // today
	}
	if from != nil {
		if in.Emergency {
			return nil, nil, model.Fail(model.Invalid, "an emergency is now: leave from out", nil)
		}
		start = *from
	}
	if until = in.Until; until == nil {
		if longest > 0 {
			end := start.Add(longest)
			until = &end
		}
		return from, until, checkTime("from "+start.Format(time.RFC3339)+" with the longest time that the role may be had", until)
	}
	switch end := start.Add(longest); {
	case !until.After(now):
		return nil, nil, model.Fail(model.Invalid, fmt.Sprintf("until %s is in the past", until.Format(time.RFC3339)), nil)
	case !until.After(start):
		return nil, nil, model.Fail(model.Invalid, fmt.Sprintf("until %s is not after from %s", until.Format(time.RFC3339), start.Format(time.RFC3339)), nil)
	case longest > 0 && until.After(end):
		return nil, nil, model.Fail(model.Invalid, fmt.Sprintf("until %s is longer than the role may be had at a time (%s): until %s at the latest",
			until.Format(time.RFC3339), words(longest), end.Format(time.RFC3339)), nil)
	}
	return from, until, nil
}

// alreadyThere says what makes a request pointless: a rule gives the role, it is asked
// for, or held for the time, or denied to the person whatever anybody approves.
func alreadyThere(snap *Snapshot, c *requestCase, emergency bool) error {
	name, k := c.env.known.Row.Name, c.env.known
	for _, g := range k.Held {
		ruled := func(b model.Reason) bool { return b.Rule != "" && !b.HandOver }
		if i := slices.IndexFunc(g.Because, ruled); g.Role == c.Role && i >= 0 {
			return model.Fail(model.Conflict, fmt.Sprintf("%s holds %s already, by the rule of %s: %s", name, c.Role, g.Because[i].Role, g.Because[i].Rule), nil)
		}
	}
	for _, r := range k.Requests {
		switch {
		case r.Role != c.Role:
		case r.State == model.RequestPending && !emergency:
			return model.Fail(model.Conflict, fmt.Sprintf("%s is asked for already, for %s: request %s waits for an answer", c.Role, name, r.ID), nil)
		case r.State == model.RequestApproved && r.Until == nil:
			return model.Fail(model.Conflict, fmt.Sprintf("%s is approved for %s already, without an end: request %s", c.Role, name, r.ID), nil)
		case r.State == model.RequestApproved && meanwhile(r, c.Request, c.env.now):
			return model.Fail(model.Conflict, fmt.Sprintf("%s is approved for %s already until %s (request %s): ask with from %s to go on after that",
				c.Role, name, r.Until.Format(time.RFC3339), r.ID, r.Until.Format(time.RFC3339)), nil)
		}
	}
	return denied(snap, c)
}

// meanwhile reports whether two requests are for times that have a moment in common.
func meanwhile(a, b model.Request, now time.Time) bool {
	start := func(r model.Request) time.Time {
		if r.From == nil {
			return now
		}
		return *r.From
	}
	return (a.Until == nil || start(b).Before(*a.Until)) && (b.Until == nil || start(a).Before(*b.Until))
}

// denied refuses what a deny rule would take away again.
func denied(snap *Snapshot, c *requestCase) error {
	try := c.Request
	now := c.env.now
	try.ID, try.State, try.Approved, try.From = "asked", model.RequestApproved, &now, nil
	person := asPresent(c.env.identity, c.env.stage)
	for _, d := range snap.Policy.Evaluate(person, []model.Request{try}, now).Denied {
		if d.Role != c.Role {
			continue
		}
		why := ""
		if len(d.Because) > 0 {
			why = ": " + d.Because[0].Rule
		}
		return model.Fail(model.Refused, fmt.Sprintf("%s may not hold %s, whoever approves it%s", c.env.known.Row.Name, c.Role, why), nil)
	}
	return nil
}
