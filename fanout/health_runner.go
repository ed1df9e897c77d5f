package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/scimhub/scimhub/model/store"
)

// recall loads what an earlier process knew of the target's health.
func (r *runner) recall(ctx context.Context) {
	st, err := r.w.Store.TargetState(ctx, r.target.Name)
	if err != nil {
		r.log.ErrorContext(ctx, "target state cannot be read", "error", err)
		return
	}
	r.healthMu.Lock()
	defer r.healthMu.Unlock()
	r.health = Health{Failures: st.Failures, ErrorClass: Class(st.ErrorClass), LastError: st.LastError, Reason: st.Reason, Probes: st.Probes,
		RetryAt: timeOf(st.RetryAt), QuarantinedAt: timeOf(st.QuarantinedAt), FailingSince: timeOf(st.FailingSince)}
	r.noted = r.health
}

func (r *runner) standing() Health {
	r.healthMu.Lock()
	defer r.healthMu.Unlock()
	return r.health
}

// judge takes an operation's outcome into the target's health. Any answer about
// one object shows that the target itself works; but where what holds the objects is
// not there, or the hub itself gave up, it does not.
func (r *runner) judge(verb string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	e := asClientError(err)
	if err != nil && e.Class == Missing && (verb == "create" || verb == "lookup" || verb == "list") {
		e = &ClientError{Class: Garbage, Status: e.Status, Detail: "the address holds no SCIM users", Err: e}
	}
	r.healthMu.Lock()
	defer r.healthMu.Unlock()
	if err != nil && e.Class == Credentials {
		defer signal(r.wakeCare) // the next credential may be good
	}
	now := r.w.Now()
	switch {
	case err == nil || !e.Class.ofTarget():
		r.health = r.health.Succeeded(now)
	case !e.Paced: // else only requests of that kind wait
		r.health = r.health.Failed(r.target.Name, e, now)
	}
}

// forgive ends a back-off or quarantine that was stored and has been taken out of the
// store since: somebody asked for a sync or has resumed the target. The target still has
// to show itself well with one account.
func (r *runner) forgive(st store.TargetState) {
	r.healthMu.Lock()
	defer r.healthMu.Unlock()
	if st.RotateWanted {
		signal(r.wakeCare)
	}
	if st.QuarantinedAt == nil && r.noted.quarantined() && r.health.QuarantinedAt.Equal(r.noted.QuarantinedAt) {
		r.health = Health{RetryAt: r.w.Now()}
		r.noted = Health{}
		return
	}
	if st.RetryAt == nil && !r.noted.RetryAt.IsZero() && r.health.RetryAt.Equal(r.noted.RetryAt) {
		r.health.RetryAt, r.noted.RetryAt = r.w.Now(), time.Time{}
	}
}

// probed reports whether the normal lane may go on, be it with one account: a target
// in quarantine is asked something cheap first. Where nothing waits to be done, that
// the probe went well ends the quarantine.
func (r *runner) probed(ctx context.Context) bool {
	h := r.standing()
	switch {
	case r.w.Now().Before(h.RetryAt):
		return false
	case !h.quarantined() || h.Probed:
		return true
	}
	err := survive(r.log, func() error { return r.ping(ctx) })
	if err != nil && asClientError(err).Class == Missing {
		err = &ClientError{Class: Garbage, Detail: "the address holds no SCIM users", Err: err}
	}
	if err != nil {
		r.judge("probe", err)
		r.note(ctx, false)
		return false
	}
	due, err := r.w.Store.DueAccounts(ctx, r.target.Name, store.LaneNormal, 1)
	if err != nil {
		r.log.ErrorContext(ctx, "due accounts cannot be read", "error", err)
		return false
	}
	r.healthMu.Lock()
	if r.health = r.health.Answered(); len(due) == 0 {
		r.health = r.health.Succeeded(r.w.Now())
	}
	r.healthMu.Unlock()
	return true
}

// ping reads one thing that every application can show: an account that the hub knows,
// or where there is none a page of one.
func (r *runner) ping(ctx context.Context) error {
	id, known, err := r.w.Store.AnyRemoteID(ctx, r.target.Name)
	if err != nil {
		return err
	}
	if known {
		if _, err = r.conn.Get(ctx, id); err == nil {
			return nil
		}
		if ClassOf(err) != Missing {
			return err
		}
	}
	_, err = r.conn.Total(ctx)
	if e := asClientError(err); err != nil && e.Class == Garbage && e.Status == 0 {
		return nil // a list without a count: it answered
	}
	return err
}

// note stores the health where it changed, and with always the attempt. That a target
// goes into quarantine, or leaves it, is in the audit trail.
func (r *runner) note(ctx context.Context, always bool) {
	h := r.standing()
	r.healthMu.Lock()
	was := r.noted
	r.healthMu.Unlock()
	changed := !h.RetryAt.Equal(was.RetryAt) || !h.QuarantinedAt.Equal(was.QuarantinedAt) || (h.Failures == 0) != (was.Failures == 0)
	if !changed && !always {
		return
	}
	slots, _, _ := r.pace.gate.state()
	entry, told := quarantineEntry(r.target.Name, was, h)
	err := r.w.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if told {
			if err := tx.Audit(entry); err != nil {
				return err
			}
			if err := tx.Notify(standingNotice(r.target.Name, entry.Action, was, h)); err != nil {
				return err
			}
		}
		return tx.UpdateTargetState(r.target.Name, func(st *store.TargetState) {
			st.Failures, st.ErrorClass, st.LastError, st.Reason, st.Probes = h.Failures, string(h.ErrorClass), h.LastError, h.Reason, h.Probes
			st.Slots = slots
			st.RetryAt, st.QuarantinedAt, st.FailingSince = moment(h.RetryAt), moment(h.QuarantinedAt), moment(h.FailingSince)
		})
	})
	if err != nil {
		r.log.ErrorContext(ctx, "target state cannot be stored", "error", err)
		return
	}
	r.healthMu.Lock()
	r.noted = h
	r.healthMu.Unlock()
	switch {
	case told && h.quarantined():
		r.log.WarnContext(ctx, "target quarantined", "reason", h.Reason, "error", h.LastError, "next_probe", h.RetryAt)
	case told:
		r.log.InfoContext(ctx, "target works again", "quarantined_since", was.QuarantinedAt)
	}
}

// quarantineEntry is what the audit trail says of a change of standing; told is false
// where there is nothing to say: the same reason is said once.
func quarantineEntry(target string, was, is Health) (entry store.AuditEntry, told bool) {
	entry = store.AuditEntry{Actor: "hub", Action: "target.quarantined", Object: "target/" + target}
	switch {
	case is.quarantined() && (!was.quarantined() || is.Reason != was.Reason):
		entry.Data, _ = json.Marshal(map[string]any{"reason": is.Reason, "error": is.LastError})
	case !is.quarantined() && was.quarantined():
		entry.Action = "target.recovered"
		entry.Data, _ = json.Marshal(map[string]any{"quarantined_since": was.QuarantinedAt.UTC(), "reason": was.Reason})
	default:
		return entry, false
	}
	return entry, true
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
