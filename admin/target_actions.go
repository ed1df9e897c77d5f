package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// syncTarget makes everything that waits at the target due now: back-off ends,
// failed accounts are tried again.
func (a *API) syncTarget(r *http.Request, by Caller) (any, error) {
	return a.act(r, by, "sync", func(ctx context.Context, t model.Target) error {
		if err := a.Hub.Store.DueNow(ctx, t.Name); err != nil {
			return err
		}
		if err := a.Hub.Store.GroupsDueNow(ctx, t.Name); err != nil {
			return err
		}
		return a.Hub.Store.UpdateTargetState(ctx, t.Name, func(st *store.TargetState) { st.RetryAt = nil })
	})
}

// driftTarget asks for a drift sweep.
func (a *API) driftTarget(r *http.Request, by Caller) (any, error) {
	return a.act(r, by, "drift", func(ctx context.Context, t model.Target) error {
		if t.Manual != nil {
			return model.Fail(model.Invalid, "target "+t.Name+" is looked after by hand: nothing can be read there", nil)
		}
		return a.Hub.Store.UpdateTargetState(ctx, t.Name, func(st *store.TargetState) { st.DriftWanted = true })
	})
}

func (a *API) pauseTarget(r *http.Request, by Caller) (any, error) {
	return a.act(r, by, "pause", func(ctx context.Context, t model.Target) error {
		return a.Hub.Store.UpdateTargetState(ctx, t.Name, func(st *store.TargetState) { st.Paused = true })
	})
}

// resumeTarget ends a pause, and the quarantine with it: the target has to show itself
// well anew.
func (a *API) resumeTarget(r *http.Request, by Caller) (any, error) {
	return a.act(r, by, "resume", func(ctx context.Context, t model.Target) error {
		return a.Hub.Store.UpdateTargetState(ctx, t.Name, func(st *store.TargetState) {
			st.Paused, st.QuarantinedAt, st.RetryAt, st.FailingSince = false, nil, nil, nil
			st.Failures, st.Reason, st.Probes = 0, "", 0
		})
	})
}

// act carries out an operator's action on a target, audited, and shows the target.
func (a *API) act(r *http.Request, by Caller, action string, do func(context.Context, model.Target) error) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	if err := do(r.Context(), t); err != nil {
		return nil, err
	}
	err = a.Hub.Store.Update(r.Context(), func(tx *store.Tx) error {
		return tx.Audit(store.AuditEntry{Actor: by.Name, Action: "target." + action, Object: "target/" + t.Name})
	})
	if err != nil {
		return nil, err
	}
	a.Nudge(t.Name)
	return a.targetView(r.Context(), t.Name)
}

// ReleaseRequest names the plan that is released: the digest shown with the held changes.
type ReleaseRequest struct {
	Digest string `json:"digest"`
}

// ReleaseAnswer counts what was released.
type ReleaseAnswer struct {
	Target   string `json:"target"`
	Digest   string `json:"digest"`
	Accounts int    `json:"accounts"`
	Changes  int    `json:"changes"`
}

// releaseTarget approves exactly the held plan of this digest. If anything of it
// has changed since, the digest has too, and nothing is released.
func (a *API) releaseTarget(r *http.Request, by Caller) (any, error) {
	t, err := a.configured(r)
	if err != nil {
		return nil, err
	}
	var req ReleaseRequest
	if err := readJSON(r, &req); err != nil {
		return nil, err
	}
	self, err := a.Hub.Self(r.Context(), by.who())
	if err != nil {
		return nil, err
	}
	if moved, err := a.releaseMove(r.Context(), t, req.Digest, by); err != nil || moved {
		return ReleaseAnswer{Target: t.Name, Digest: req.Digest}, err
	}
	plan, err := a.heldPlan(r.Context(), t)
	if err != nil {
		return nil, err
	}
	if len(plan.Changes) == 0 {
		return nil, model.Fail(model.Refused, "nothing is held at "+t.Name, nil)
	}
	if have := fanout.PlanDigest(plan); have != req.Digest {
		return nil, model.Fail(model.Refused, fmt.Sprintf("the digest %q is not that of the plan held now (%s): look at the plan again, it may have changed", req.Digest, have), nil)
	}
	if self != "" && slices.ContainsFunc(plan.Changes, func(c model.Change) bool { return c.Identity == self }) {
		return nil, model.Fail(model.Forbidden, "your own account is in this plan: nobody decides about themselves; somebody else releases it, or a token that acts for nobody", nil)
	}
	var approvals []store.Approval
	var groups []store.GroupApproval
	var digests []string
	for _, c := range plan.Changes {
		digest := fanout.Digest(t.Name, c)
		if c.Identity == "" && c.Group != "" {
			groups, digests = append(groups, store.GroupApproval{Group: c.Group, Digest: digest}), append(digests, digest)
			continue
		}
		approvals, digests = append(approvals, store.Approval{Identity: c.Identity, Digest: digest}), append(digests, digest)
	}
	accounts := accountsIn(plan)
	data, err := json.Marshal(map[string]any{"digest": req.Digest, "accounts": accounts, "changes": digests})
	if err != nil {
		return nil, err
	}
	err = a.Hub.Store.Update(r.Context(), func(tx *store.Tx) error {
		if err := tx.Release(t.Name, by.Name, approvals); err != nil {
			return err
		}
		if err := tx.ReleaseGroups(t.Name, by.Name, groups); err != nil {
			return err
		}
		if err := tx.Notify(releasedNotice(t.Name, by, req.Digest, len(digests))); err != nil {
			return err
		}
		return tx.Audit(store.AuditEntry{Actor: by.Name, Action: "target.release", Object: "target/" + t.Name, Data: data})
	})
	if err != nil {
		return nil, err
	}
	a.Nudge(t.Name)
	return ReleaseAnswer{t.Name, req.Digest, accounts, len(digests)}, nil
}
