package hub

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Verdict is an answer to a request.
type Verdict struct {
	Approve bool
	Reason  string // needed to say no
	Version int64  // of the request that was looked at; 0: whichever it is
}

// DecideRequest answers what a request waits for: its present step, or the question
// put after the fact. Forbidden who is not asked; Conflict where nothing is, or where
// the request is another version by now; Refused what a conflict of roles forbids.
func (h *Hub) DecideRequest(ctx context.Context, by Who, id string, v Verdict) (model.Request, error) {
	v.Reason = strings.TrimSpace(v.Reason)
	r, err := h.changeRequest(ctx, by, id, v.Version, v.Reason, func(tx *store.Tx, c *requestCase, me asker) error {
		if v.Approve && c.Review == nil && c.State == model.RequestPending {
			if err := c.addConflictStep(tx); err != nil {
				return err
			}
		}
		before := c.State
		err := c.answer(requestAnswer{person: me.id, name: me.name, override: me.override, approve: v.Approve, reason: v.Reason})
		if err != nil || before == c.State || c.State != model.RequestApproved {
			return err
		}
		return c.allow(tx, me)
	})
	if err == nil {
		h.Metrics.decided(v.Approve)
	}
	return r, err
}

// WithdrawRequest takes back a request that nobody has decided: who asked may, who is
// to hold the role, and an operator.
func (h *Hub) WithdrawRequest(ctx context.Context, by Who, id, reason string) (model.Request, error) {
	return h.changeRequest(ctx, by, id, 0, reason, func(_ *store.Tx, c *requestCase, me asker) error {
		if !me.operator && me.id != c.Identity && me.id != c.AskedBy {
			return model.Fail(model.Forbidden, "a request is withdrawn by who asked, or by who is to hold the role", nil)
		}
		return c.withdraw(me.name, strings.TrimSpace(reason))
	})
}

// RevokeRequest ends an approved request: an operator may, and who holds the role may
// give it up. It needs a reason.
func (h *Hub) RevokeRequest(ctx context.Context, by Who, id, reason string) (model.Request, error) {
	return h.changeRequest(ctx, by, id, 0, reason, func(_ *store.Tx, c *requestCase, me asker) error {
		if !me.operator && me.id != c.Identity {
			return model.Fail(model.Forbidden, "an approved role is taken away by an operator, or given up by who holds it", nil)
		}
		if strings.TrimSpace(reason) == "" {
			return model.Fail(model.Invalid, "reason is missing: say why the role is taken away", nil)
		}
		return c.revoke(me.name, strings.TrimSpace(reason))
	})
}

// changeRequest is one change to one request that somebody makes: the person and the
// request are held, brought to the present, changed, stored, told and marked.
func (h *Hub) changeRequest(ctx context.Context, by Who, id string, version int64, reason string,
	change func(*store.Tx, *requestCase, asker) error) (r model.Request, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return r, noConfiguration()
	}
	if err := checkReason(reason); err != nil {
		return r, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		before, c, err := openCase(tx, snap, id)
		if err != nil {
			return err
		}
		if version != 0 && version != before.Version {
			return changedMeanwhile(before)
		}
		if err := change(tx, &c, me); err != nil {
			return err
		}
		c.Asked, c.NextAt = c.asked(), c.next()
		saved, err := tx.SaveRequest(c.Request)
		if err != nil {
			return err
		}
		if !saved {
			return changedMeanwhile(before)
		}
		r = c.Request
		r.Version++
		return h.settleWrite(tx, me.actor(), before, r)
	})
	if err != nil {
		return model.Request{}, err
	}
	h.Wake()
	return r, nil
}

func changedMeanwhile(r model.Request) error {
	return model.Fail(model.Conflict, fmt.Sprintf("the request has changed meanwhile, it is version %d now: look at it again", r.Version), nil)
}

// openCase reads a request and its person, held for a change, as it stands now: what
// time has brought about counts, though the evaluation may not have come to it.
func openCase(tx *store.Tx, snap *Snapshot, id string) (before model.Request, c requestCase, err error) {
	if before, err = tx.Request(id); err != nil {
		return before, c, err
	}
	env, err := personCase(tx, snap, before.Identity)
	if err != nil {
		return before, c, err
	}
	if before, err = tx.Request(id); err != nil { // as it is now that the person is held
		return before, c, err
	}
	role, _ := snap.Doc.Role(before.Role)
	keys := approverKeys(before, role.Request)
	if role.Request != nil {
		keys = append(keys, keysOf(*role.Request)...)
	}
	if env.known.Approvers, err = resolveApprovers(tx, env.known, unique(append(keys, managerApprover))); err != nil {
		return before, c, err
	}
	c = requestCase{Request: before.Clone(), env: env}
	c.settleAll()
	return before, c, nil
}

// conflictStep is the step of those who may allow an exception to a conflict that the
// request runs into; nil: it runs into none.
func (c *requestCase) conflictStep() (*model.Step, error) {
	start := c.env.now
	if c.From != nil && c.From.After(start) {
		start = *c.From
	}
	others := c.env.known
	others.Requests = nil
	for _, r := range c.env.known.Requests {
		if r.ID != c.ID {
			others.Requests = append(others.Requests, r)
		}
	}
	approvers, roles, refused := preventConflict(c.env.doc, others, c.Role, start, c.Until, c.env.now)
	if refused != nil {
		return nil, refused
	}
	if len(roles) == 0 {
		return nil, nil
	}
	if c.Until == nil {
		return nil, model.Fail(model.Invalid, fmt.Sprintf("until is missing: %s may be held together only by an exception, which has an end", andList(roles)), nil)
	}
	return &model.Step{Approvers: approvers, Conflict: roles}, nil
}

// addConflictStep looks again whether the request runs into a conflict, which may have
// come about since it was asked: then those are asked, too, who may allow it.
func (c *requestCase) addConflictStep(tx *store.Tx) error {
	step, err := c.conflictStep()
	if err != nil || step == nil {
		return err
	}
	for _, s := range c.Steps {
		if len(s.Conflict) > 0 {
			return nil
		}
	}
	c.Steps = append(c.Steps, *step)
	resolved, err := resolveApprovers(tx, c.env.known, step.Approvers)
	maps.Copy(c.env.known.Approvers, resolved)
	return err
}

// allow makes the exceptions that a request needs which has just been approved.
func (c *requestCase) allow(tx *store.Tx, me asker) error {
	step, err := c.conflictStep()
	if err != nil || step == nil {
		return err
	}
	owner, by := me.id, me.name
	for _, s := range c.Steps {
		for _, d := range s.Decisions {
			if len(s.Conflict) > 0 && d.Approve && d.Approver != "" {
				owner, by = d.Approver, d.Actor
			}
		}
	}
	if owner == "" {
		return model.Fail(model.Refused, fmt.Sprintf("an exception to a conflict has an owner, and the token %s acts for nobody: allow it first with scimhub conflict exempt", me.credential), nil)
	}
	start := c.env.now
	if c.From != nil && c.From.After(start) {
		start = *c.From
	}
	until := start.Add(time.Microsecond)
	if c.Until != nil {
		until = *c.Until
	}
	e := model.Exception{Identity: c.Identity, Roles: step.Conflict, Owner: owner, By: by, Request: c.ID, From: start, Until: until,
		Reason: withReason("approved with request "+c.ID, c.Reason)}
	return addException(tx, me.actor(), &e)
}
