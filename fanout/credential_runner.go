package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const careEvery = time.Minute // that credentials are looked at

// care looks after the target's credentials until soft ends: what is about to end is
// warned of, the next one tried and taken into use.
func (r *runner) care(soft, hard context.Context) {
	for soft.Err() == nil {
		if err := survive(r.log, func() error { return r.careRound(hard) }); err != nil && soft.Err() == nil {
			r.log.ErrorContext(hard, "credentials cannot be looked after", "error", err)
		}
		wait(soft, r.wakeCare, careEvery)
	}
}

func (r *runner) careRound(ctx context.Context) error {
	slots, err := r.reviewCredentials(ctx)
	if err != nil || len(slots) == 0 {
		return err
	}
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		return err
	}
	f := credentialFacts{Slots: slots, Expires: map[string]*time.Time{}, Wanted: st.RotateWanted}
	for _, c := range slots {
		f.Expires[c.Slot] = expiryOf(r.target.Auth, r.profile, c)
	}
	if h := r.standing(); h.ErrorClass == Credentials {
		f.Refused = h.LastError
	}
	if len(slots) > 1 {
		if f.OwnerLeaves, err = r.w.Store.HeldFor(ctx, r.target.Name, heldOwner); err != nil {
			return err
		}
	}
	now := r.w.Now()
	step := nextStep(f, now)
	if step.Test == "" {
		if f.Wanted && len(slots) < 2 {
			return r.forgetRotation(ctx)
		}
		return nil
	}
	err = r.ping(withSlot(ctx, step.Test))
	if err != nil && ClassOf(err) != Credentials {
		r.log.WarnContext(ctx, "the next credential cannot be tried now", "error", err)
		return nil
	}
	return r.tested(ctx, step, err, now)
}

// reviewCredentials brings the stored slots in line with the configuration, takes the
// one in use into use, and warns where its end comes near.
func (r *runner) reviewCredentials(ctx context.Context) ([]store.Credential, error) {
	var slots []store.Credential
	var expires *time.Time
	warned := 0
	err := r.w.Store.ChangeCredentials(ctx, r.target.Name, func(tx *store.Tx, have []store.Credential) ([]store.Credential, error) {
		slots = known(have, credentialSlots(r.target.Auth), tx.Now)
		expires, warned = nil, 0
		for i, c := range slots {
			if !c.InUse {
				continue
			}
			expires = expiryOf(r.target.Auth, r.profile, c)
			if warned = warning(expires, c.Warned, tx.Now); warned == 0 {
				continue
			}
			slots[i].Warned = warned
			data, _ := json.Marshal(map[string]any{"slot": c.Slot, "expires": expires.UTC(), "days": warned})
			if err := tx.Notify(endingNotice(r.target.Name, c.Slot, *expires, warned)); err != nil {
				return nil, err
			}
			if err := tx.Audit(store.AuditEntry{Actor: "hub", Action: "credential.expiring", Object: "target/" + r.target.Name, Data: data}); err != nil {
				return nil, err
			}
		}
		return slots, nil
	})
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(slots, func(c store.Credential) bool { return c.InUse }); i >= 0 {
		r.useSlot(slots[i].Slot)
	}
	if warned > 0 {
		r.log.WarnContext(ctx, "the credential of the target expires", "expires", expires.UTC(), "days", warned)
	}
	if r.w.Expires != nil {
		r.w.Expires(r.target.Name, expires)
	}
	return slots, nil
}

// tested stores how a try of a slot went, and takes it into use where that is due.
func (r *runner) tested(ctx context.Context, step credentialStep, refusal error, now time.Time) error {
	switched := refusal == nil && step.Switch != ""
	err := r.w.Store.ChangeCredentials(ctx, r.target.Name, func(tx *store.Tx, slots []store.Credential) ([]store.Credential, error) {
		i := slices.IndexFunc(slots, func(c store.Credential) bool { return c.Slot == step.Test })
		if i < 0 {
			switched = false
			return slots, nil
		}
		c := &slots[i]
		action, said := "credential.refused", refusal != nil && c.Refused == ""
		data := map[string]any{"slot": step.Test}
		c.TestedAt, c.Refused = &now, ""
		if refusal != nil {
			c.Refused = refusal.Error()
			c.Tries++
			data["error"] = c.Refused
		} else {
			c.Tries = 0
		}
		if switched = switched && !c.InUse; switched {
			for n := range slots {
				slots[n].InUse = n == i
			}
			action, said, data["because"] = "credential.rotated", true, step.Switch
			if err := tx.Unhold(r.target.Name, heldOwner); err != nil {
				return nil, err
			}
			if err := tx.RetryFailed(r.target.Name, string(Credentials)); err != nil {
				return nil, err
			}
		}
		if switched || (refusal != nil && step.Switch != "") {
			if err := tx.UpdateTargetState(r.target.Name, func(st *store.TargetState) { st.RotateWanted = false }); err != nil {
				return nil, err
			}
		}
		if said {
			body, _ := json.Marshal(data)
			return slots, tx.Audit(store.AuditEntry{Actor: "hub", Action: action, Object: "target/" + r.target.Name, Data: body})
		}
		return slots, nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("store the credential: %w", err)
	case refusal != nil:
		r.log.WarnContext(ctx, "the target refuses a credential that is not in use", "slot", step.Test, "error", refusal)
	case switched:
		r.log.InfoContext(ctx, "the target's credential was changed", "slot", step.Test, "because", step.Switch)
		r.useSlot(step.Test)
		r.newCredential()
	}
	return nil
}

// useSlot signs with a slot from now on, and knows whose account it belongs to.
func (r *runner) useSlot(slot string) {
	if c, ok := r.conn.(*Client); ok {
		c.auth.use(slot)
	}
	r.slot.Store(&slot)
}

// inForce is the target with the credential in use.
func (r *runner) inForce() model.Target {
	t := r.target
	if slot := r.slot.Load(); slot != nil && *slot == model.SlotNext {
		t.Auth.InUse = model.SlotNext
	}
	return t
}

// newCredential lets a target that refused the last one show itself well at once.
func (r *runner) newCredential() {
	r.healthMu.Lock()
	if r.health.ErrorClass == Credentials {
		r.health.RetryAt, r.health.Probed = r.w.Now(), false
	}
	r.healthMu.Unlock()
	r.nudge()
}

func (r *runner) forgetRotation(ctx context.Context) error {
	return r.w.Store.UpdateTargetState(ctx, r.target.Name, func(st *store.TargetState) { st.RotateWanted = false })
}

// CredentialView is one slot of a target's credentials as operators see it.
type CredentialView struct {
	Slot      string     `json:"slot"`
	Reference string     `json:"reference"` // how the configuration names it
	InUse     bool       `json:"in_use"`
	Owner     string     `json:"owner,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	FirstSeen *time.Time `json:"first_seen,omitempty"`
	TestedAt  *time.Time `json:"tested_at,omitempty"`
	Refused   string     `json:"refused,omitempty"`
}

// ShowCredentials gives the slots of a target, and the target with the one in use.
func ShowCredentials(ctx context.Context, s *store.Store, t model.Target) (model.Target, []CredentialView, error) {
	if t.Manual != nil {
		return t, nil, nil
	}
	p, err := ProfileOf(t)
	if err != nil {
		return t, nil, err
	}
	stored, err := s.Credentials(ctx, t.Name)
	if err != nil {
		return t, nil, err
	}
	var out []CredentialView
	for _, c := range known(stored, credentialSlots(t.Auth), time.Time{}) {
		if c.InUse && c.Slot == model.SlotNext {
			t.Auth.InUse = model.SlotNext
		}
		reference, _, _ := strings.Cut(c.Reference, " until ")
		v := CredentialView{Slot: c.Slot, Reference: reference, InUse: c.InUse, Owner: inSlot(t.Auth, c.Slot).Owner,
			Expires: expiryOf(t.Auth, p, c), FirstSeen: moment(c.FirstSeen), TestedAt: c.TestedAt, Refused: c.Refused}
		out = append(out, v)
	}
	return t, out, nil
}
