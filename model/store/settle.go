package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Settlement is the outcome of work on one account. Row.Generation is the one
// that the work was based on.
type Settlement struct {
	Row    model.AccountRow
	Done   []model.Change  // carried out: audited, removals counted
	Failed *model.Change   // what was tried in vain; Row.LastError says why
	Leaver *LeaverProgress // how far the end of a leaver's access is; nil: it is nobody's
}

// Settle stores outcomes in one transaction, with an audit entry for each change
// carried out. Facts about the target are always kept. State, Due, NextAttempt and
// the error are kept only where the generation has not moved on; otherwise the
// newer one decides. also is carried out with it; the whole may be tried more than once.
func (s *Store) Settle(ctx context.Context, target string, outcomes []Settlement, also ...func(*Tx) error) error {
	if len(outcomes) == 0 {
		return nil
	}
	ordered := append([]Settlement(nil), outcomes...)
	sort.SliceStable(ordered, func(i, j int) bool { return ordered[i].Row.Identity < ordered[j].Row.Identity })
	return s.Update(ctx, func(tx *Tx) error {
		entries, err := tx.heldEntries(target, ordered)
		if err != nil {
			return err
		}
		if err := tx.notifyHeld(target, entries, ordered); err != nil {
			return err
		}
		if err := tx.settleRows(target, ordered); err != nil {
			return fmt.Errorf("settle at %s: %w", target, err)
		}
		for _, o := range ordered {
			removed := false
			for _, c := range o.Done {
				if c.Verb == model.Adopt { // what a sweep took for a stranger's is ours now
					if _, err := tx.exec(`DELETE FROM accounts WHERE target = ? AND identity_id = ?`, target, "?"+o.Row.RemoteID); err != nil {
						return err
					}
				}
				if c.Verb == model.Delete && c.RemoteID != "" { // whoever finds it there again knows whose it was
					if err := tx.noteDeleted(target, c.RemoteID, o.Row.Identity, o.Row.Leaver); err != nil {
						return err
					}
				}
				entries = append(entries, named(changeEntry(target, c, "", o.Row.LastError), target, o.Row.Generation, c))
				removed = removed || c.Removes()
			}
			if r := o.Row; r.Desired == nil && r.RemoteID == "" && r.FormerID != "" { // also what was gone by itself
				if err := tx.noteDeleted(target, r.FormerID, r.Identity, r.Leaver); err != nil {
					return err
				}
			}
			if o.Failed != nil {
				entries = append(entries, named(changeEntry(target, *o.Failed, "failed", o.Row.LastError), target, o.Row.Generation, *o.Failed))
			}
			if removed {
				if _, err := tx.exec(`INSERT INTO removals (target, at, identity_id) VALUES (?,?,?)`, target, micros(tx.Now), o.Row.Identity); err != nil {
					return err
				}
			}
		}
		if err := tx.refer(target, ordered); err != nil {
			return err
		}
		if err := tx.noteAccounts(target, accountsOf(ordered)); err != nil {
			return err
		}
		if err := tx.saveProgress(target, ordered); err != nil {
			return err
		}
		if err := tx.countHour(target, ordered); err != nil {
			return err
		}
		for _, do := range also {
			if err := do(tx); err != nil {
				return err
			}
		}
		return tx.Audit(entries...)
	})
}

func accountsOf(outcomes []Settlement) []string {
	ids := make([]string, len(outcomes))
	for i, o := range outcomes {
		ids[i] = o.Row.Identity
	}
	return ids
}

// settleRows stores the rows of outcomes, which are in order of identity.
func (t *Tx) settleRows(target string, outcomes []Settlement) error {
	if t.pg { // in one order, for others lock several as well
		where, args := t.among("identity_id", accountsOf(outcomes))
		if _, err := t.exec(`SELECT 1 FROM accounts WHERE target = ? AND `+where+` ORDER BY identity_id FOR NO KEY UPDATE`, t.planned(append([]any{target}, args...))...); err != nil {
			return err
		}
	}
	fresh := func() *rowset {
		return newRowset("identity_id text", "generation bigint", "user_name text", "remote_id text", "owned text", "applied text", "observed text", "sent text", "enabled boolean", "invited boolean",
			"disabled_at bigint", "verified_at bigint", "former_id text", "gone_at bigint", "drift text", "state text", "due boolean", "attempts bigint", "next_at bigint", "last_error text", "error_class text")
	}
	rows, last := fresh(), ""
	for _, o := range outcomes {
		r, err := toRow(o.Row)
		if err != nil {
			return err
		}
		if r.IdentityID == last { // the later outcome counts
			if err := t.writeSettled(target, rows); err != nil {
				return err
			}
			rows = fresh()
		}
		last = r.IdentityID
		rows.add(r.IdentityID, r.Generation, r.UserName, r.RemoteID, r.Owned, r.Applied, r.Observed, r.Sent, r.Enabled, r.Invited,
			r.DisabledAt, r.VerifiedAt, r.FormerID, r.GoneAt, r.Drift, r.State, r.Due, r.Attempts, r.NextAt, r.LastError, r.ErrorClass)
	}
	return t.writeSettled(target, rows)
}

func (t *Tx) writeSettled(target string, rows *rowset) error {
	_, err := t.inRows(rows, `UPDATE accounts SET remote_id = v.remote_id, owned = v.owned, applied = v.applied, observed = v.observed, sent = v.sent, enabled = v.enabled, invited = v.invited,
disabled_at = v.disabled_at, verified_at = v.verified_at, former_id = v.former_id, gone_at = v.gone_at, updated_at = CAST(? AS bigint),
user_name = CASE WHEN accounts.generation = v.generation THEN v.user_name ELSE accounts.user_name END,
drift = CASE WHEN accounts.generation = v.generation THEN v.drift ELSE accounts.drift END, state = CASE WHEN accounts.generation = v.generation THEN v.state ELSE accounts.state END,
due = CASE WHEN accounts.generation = v.generation THEN v.due ELSE TRUE END, attempts = CASE WHEN accounts.generation = v.generation THEN v.attempts ELSE accounts.attempts END,
next_at = CASE WHEN accounts.generation = v.generation THEN v.next_at ELSE accounts.next_at END,
last_error = CASE WHEN accounts.generation = v.generation THEN v.last_error ELSE accounts.last_error END,
error_class = CASE WHEN accounts.generation = v.generation THEN v.error_class ELSE accounts.error_class END,
trace = CASE WHEN accounts.generation = v.generation AND NOT v.due THEN '' ELSE accounts.trace END
FROM v WHERE accounts.target = ? AND accounts.identity_id = v.identity_id`, micros(t.Now), target)
	return err
}

func changeEntry(target string, c model.Change, result, message string) AuditEntry {
	data := map[string]any{"userName": c.UserName, "verb": c.Verb}
	if c.RemoteID != "" {
		data["remoteId"] = c.RemoteID
	}
	if c.Group != "" {
		data["group"] = c.Group
	}
	if len(c.Fields) > 0 {
		data["fields"] = c.Fields
	}
	if len(c.Because) > 0 {
		data["because"] = c.Because
	}
	if c.Undo != "" && c.Undo != model.UndoFreely {
		data["undo"] = c.Undo
	}
	if c.Loses != "" {
		data["loses"] = c.Loses
	}
	if result != "" {
		data["result"], data["error"] = result, message
	}
	body, _ := json.Marshal(data)
	return AuditEntry{Actor: "hub", Action: "target." + string(c.Verb), Object: "target/" + target, Identity: c.Identity, Data: body}
}

// SaveObserved stores what a drift sweep saw: observation, drift, state and what
// follows from them, where the generation has not moved. Rows of identities "?…"
// are accounts that are not ours: made when missing, removed when their state is empty.
func (s *Store) SaveObserved(ctx context.Context, target string, rows []model.AccountRow) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.saveObservedAll(target, rows) })
}

func (t *Tx) saveObservedAll(target string, rows []model.AccountRow) error {
	var ours []string
	for _, a := range rows {
		if err := t.saveObserved(a); err != nil {
			return fmt.Errorf("observe %s at %s: %w", a.Identity, target, err)
		}
		if !strings.HasPrefix(a.Identity, "?") {
			ours = append(ours, a.Identity)
		}
	}
	if err := t.referencesDue(target, ours); err != nil {
		return err
	}
	return t.noteAccounts(target, ours)
}

func (t *Tx) saveObserved(a model.AccountRow) error {
	foreign := len(a.Identity) > 0 && a.Identity[0] == '?'
	if foreign && a.State == "" {
		_, err := t.exec(`DELETE FROM accounts WHERE target = ? AND identity_id = ?`, a.Target, a.Identity)
		return err
	}
	r, err := toRow(a)
	if err != nil {
		return err
	}
	if foreign {
		r.UpdatedAt = micros(t.Now)
		_, err = t.exec(`INSERT INTO accounts (target, identity_id, user_name, remote_id, owned, desired, applied, observed, because, leaver, leaver_held, state, drift, due, enabled, generation, attempts, next_at, last_error, error_class, verified_at, updated_at)
VALUES (?,?,?,?,?,NULL,?,?,'{}',FALSE,FALSE,?,?,?,?,1,0,?,?,?,?,?)
ON CONFLICT (target, identity_id) DO UPDATE SET user_name = excluded.user_name, remote_id = excluded.remote_id, owned = excluded.owned, applied = excluded.applied, observed = excluded.observed, state = excluded.state, drift = excluded.drift, due = excluded.due, enabled = excluded.enabled, next_at = excluded.next_at, last_error = excluded.last_error, error_class = excluded.error_class, verified_at = excluded.verified_at, updated_at = excluded.updated_at`,
			r.Target, r.IdentityID, r.UserName, r.RemoteID, r.Owned, r.Applied, r.Observed, r.State, r.Drift, r.Due, r.Enabled, r.NextAt, r.LastError, r.ErrorClass, r.VerifiedAt, r.UpdatedAt)
		return err
	}
	_, err = t.exec(`UPDATE accounts SET remote_id = ?, owned = ?, applied = ?, observed = ?, enabled = ?, invited = ?, disabled_at = ?, verified_at = ?, former_id = ?, gone_at = ?, drift = ?, state = ?, due = ?, next_at = ?, last_error = ?, error_class = ?, updated_at = ? WHERE target = ? AND identity_id = ? AND generation = ?`,
		r.RemoteID, r.Owned, r.Applied, r.Observed, r.Enabled, r.Invited, r.DisabledAt, r.VerifiedAt, r.FormerID, r.GoneAt, r.Drift, r.State, r.Due, r.NextAt, r.LastError, r.ErrorClass, micros(t.Now), r.Target, r.IdentityID, r.Generation)
	return err
}

// AuditChanges appends audit entries for changes seen or made at a target outside
// of a settlement, a drift for instance.
func (s *Store) AuditChanges(ctx context.Context, target string, changes []model.Change) error {
	return s.Update(ctx, func(tx *Tx) error {
		entries := make([]AuditEntry, len(changes))
		for i, c := range changes {
			entries[i] = changeEntry(target, c, "", "")
		}
		return tx.Audit(entries...)
	})
}

// Removals counts the accounts of a target that lost access since a moment.
func (s *Store) Removals(ctx context.Context, target string, since time.Time) (int, error) {
	var n int
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(DISTINCT identity_id) FROM removals WHERE target = ? AND at > ?`, target, micros(since)).Scan(&n)
	})
	return n, err
}

// Population counts the accounts that the hub held active at a target at a moment:
// those active now and those that lost access since. Who lost a membership alone is
// still active and counts once.
func (s *Store) Population(ctx context.Context, target string, at time.Time) (int, error) {
	var n int
	err := s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT count(*) FROM accounts WHERE target = ? AND (enabled OR identity_id IN (SELECT identity_id FROM removals WHERE target = ? AND at > ?))`,
			target, target, micros(at)).Scan(&n)
	})
	return n, err
}

// Approval says that somebody approved one change, by digest, of an account as it
// is wanted now.
type Approval struct{ Identity, Digest string }

// Approved finds which digests of changes were released, and by whom. A release
// holds for the decision it was made about: when something else was wanted of the
// account since, it is over, even if the same change comes up again.
func (s *Store) Approved(ctx context.Context, target string, digests []string) (map[string]string, error) {
	out := map[string]string{}
	for start := 0; start < len(digests); start += 500 {
		chunk := digests[start:min(start+500, len(digests))]
		var rows []struct{ Digest, ByWhom string }
		err := s.read.WithContext(ctx).Raw(`SELECT r.digest, r.by_whom FROM releases r JOIN accounts a ON a.target = r.target AND a.identity_id = r.identity_id AND a.generation = r.generation WHERE r.target = ? AND r.digest IN ?`, target, chunk).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.Digest] = r.ByWhom
		}
	}
	return out, nil
}

// Release approves changes and makes their accounts due again.
func (t *Tx) Release(target, by string, approvals []Approval) error {
	identities := make([]string, len(approvals))
	for i, a := range approvals {
		identities[i] = a.Identity
		if _, err := t.exec(`INSERT INTO releases (target, digest, by_whom, at, identity_id, generation)
SELECT target, CAST(? AS text), CAST(? AS text), CAST(? AS bigint), identity_id, generation FROM accounts WHERE target = ? AND identity_id = ?
ON CONFLICT (target, digest) DO UPDATE SET by_whom = excluded.by_whom, at = excluded.at, identity_id = excluded.identity_id, generation = excluded.generation`,
			a.Digest, by, micros(t.Now), target, a.Identity); err != nil {
			return err
		}
	}
	slices.Sort(identities)
	for chunk := range slices.Chunk(slices.Compact(identities), 500) {
		args := append([]any{string(model.StatePending), micros(t.Now), target}, anys(chunk)...)
		if _, err := t.exec(`UPDATE accounts SET state = ?, due = TRUE, next_at = ? WHERE target = ? AND identity_id IN `+list(len(chunk)), args...); err != nil {
			return err
		}
		if err := t.noteAccounts(target, chunk); err != nil {
			return err
		}
	}
	return nil
}
