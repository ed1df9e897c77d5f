package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model"
)

// Erase removes what is personal about an identity, and about those that turned out
// to be it: the merged record, its history, what was said in reasons, events and
// requests. What stays is that there was somebody, with ids, roles, accounts, groups and
// moments, and accounts that are still at a target by their ids there. Resources of sources are
// removed by DeleteResource before, the audit trail by EraseAudit. It returns the
// identities erased; model.Conflict where somebody who comes back is one of them by now.
func (t *Tx) Erase(id string) (erased []string, err error) {
	if erased, err = t.MergedInto(id); err != nil {
		return nil, err
	}
	if _, err := t.LockIdentities(erased...); err != nil {
		return nil, err
	}
	var described int
	if err := t.row(`SELECT count(*) FROM resources WHERE identity_id <> '' AND identity_id IN `+list(len(erased)), anys(erased)...).Scan(&described); err != nil {
		return nil, err
	}
	if described > 0 {
		return nil, model.Fail(model.Conflict, "a source describes this person again since it was decided to erase them: nothing was changed", nil)
	}
	for _, one := range erased {
		if err := t.eraseOne(one); err != nil {
			return nil, fmt.Errorf("erase %s: %w", one, err)
		}
	}
	// Answers that are kept for a day may be about anybody.
	if _, err := t.exec(`UPDATE idempotency SET body = NULL WHERE body IS NOT NULL`); err != nil {
		return nil, fmt.Errorf("erase answers: %w", err)
	}
	return erased, nil
}

// Marked reports whether an identity waits for its evaluation, or is evaluated now.
func (t *Tx) Marked(id string) (bool, error) {
	var n int
	err := t.row(`SELECT count(*) FROM marks WHERE identity_id = ?`, id).Scan(&n)
	return n > 0, err
}

// MergedInto lists an identity and all that turned out to be it, by id.
func (t *Tx) MergedInto(id string) ([]string, error) {
	return t.texts(`WITH RECURSIVE m(id) AS (SELECT id FROM identities WHERE id = ? UNION SELECT i.id FROM identities i JOIN m ON i.merged_into = m.id AND i.merged_into <> '') SELECT id FROM m ORDER BY id`, id)
}

func (t *Tx) eraseOne(id string) error {
	now := micros(t.Now)
	if err := t.eraseRequests(id); err != nil {
		return err
	}
	if err := t.EraseAccounts(id); err != nil {
		return err
	}
	if err := t.eraseTasks(id); err != nil {
		return err
	}
	if err := t.eraseReviews(id); err != nil {
		return err
	}
	if err := t.eraseAccountHistory(id); err != nil {
		return err
	}
	for _, s := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM identity_history WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM search_words WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM findings WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM account_references WHERE identity_id = ?`, []any{id}},
		{`UPDATE account_references SET named = referred WHERE referred = ?`, []any{id}},
		{`DELETE FROM drift_found WHERE object = ?`, []any{id}},
		{`DELETE FROM cases WHERE identity_id = ? AND decided_at IS NULL`, []any{id}},
		{`DELETE FROM apart WHERE identity_id = ? OR owner_id = ?`, []any{id, id}},
		{`DELETE FROM linked_accounts WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM linked_asked WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM linked_resources WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM marks WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM sessions WHERE person = ?`, []any{id}},
		{`UPDATE leaver_targets SET last_error = '', note = '' WHERE run_id IN (SELECT id FROM leaver_runs WHERE identity_id = ?)`, []any{id}},
		{`UPDATE deputies SET ended_at = ? WHERE (person_id = ? OR deputy_id = ?) AND ended_at IS NULL`, []any{now, id, id}},
		{`UPDATE exceptions SET reason = '', ended_at = coalesce(ended_at, ?) WHERE identity_id = ?`, []any{now, id}},
		{`UPDATE grants SET because = '[]', approved_by = '', ended_at = coalesce(ended_at, ?) WHERE identity_id = ?`, []any{now, id}},
		{`UPDATE events SET data = '{}' WHERE identity_id = ?`, []any{id}},
		{`DELETE FROM deliveries WHERE recipient = ? OR notice_id IN (SELECT id FROM notices WHERE identity_id = ?)`, []any{id, id}},
		{`DELETE FROM notices WHERE identity_id = ?`, []any{id}},
		{`UPDATE identities SET name = id, key = ?, stage = ?, user_doc = '{}', origin = '{}', findings = '[]', next_at = NULL, over_guard = FALSE, ends_at = NULL, ends_known_at = NULL, manager_id = '', manager_named = '', number = '', history_hash = '', search_hash = '', version = version + 1, evaluated_at = ?, erased_at = ? WHERE id = ?`,
			[]any{identityKey(id), string(model.Purged), now, now, id}},
	} {
		if _, err := t.exec(s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// EraseAccounts keeps, of the accounts of somebody erased, only those that are still
// at a target, inactive, by their ids there. What was applied has no name any more,
// by which they are known.
func (t *Tx) EraseAccounts(id string) error {
	if _, err := t.exec(`DELETE FROM accounts WHERE identity_id = ? AND remote_id = ''`, id); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE accounts SET user_name = '', desired = NULL, applied = ?, observed = NULL, sent = NULL, because = '{}', leaver = FALSE, leaver_at = NULL, leaver_held = FALSE, drill = FALSE, drift = '', last_error = '', error_class = '', enabled = FALSE, generation = generation + 1, updated_at = ? WHERE identity_id = ?`,
		`{"userName":"","active":false}`, micros(t.Now), id)
	return err
}

// eraseRequests takes what people wrote, and the facts, out of a person's requests.
// Who decided which role when stays.
func (t *Tx) eraseRequests(id string) error {
	docs := map[string]string{}
	rows, err := t.query(`SELECT id, doc FROM requests WHERE identity_id = ?`, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var request, doc string
		if err := rows.Scan(&request, &doc); err != nil {
			return err
		}
		docs[request] = doc
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for request, doc := range docs {
		var r model.Request
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			return fmt.Errorf("request %s: %w", request, err)
		}
		r = silenced(r, t.Now)
		body, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE requests SET doc = ?, state = ?, live = FALSE, next_at = NULL WHERE id = ?`, string(body), string(r.State), request); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM request_asked WHERE request_id = ?`, request); err != nil {
			return err
		}
	}
	return nil
}

// silenced is a request without words and facts, and closed.
func silenced(r model.Request, now time.Time) model.Request {
	r.Reason, r.Why, r.Facts, r.FactSources, r.Department, r.Manager, r.Asked, r.Silent = "", "", nil, nil, "", "", nil, false
	if r.AskedBy == r.Identity {
		r.Actor = ""
	}
	step := func(s *model.Step) {
		for i := range s.Decisions {
			s.Decisions[i].Reason = ""
		}
	}
	for i := range r.Steps {
		step(&r.Steps[i])
	}
	if r.Review != nil {
		r.Reviewed, r.Review = append(r.Reviewed, *r.Review), nil
	}
	for i := range r.Reviewed {
		step(&r.Reviewed[i].Step)
	}
	if r.State.Open() {
		r.State, r.Closed = model.RequestEnded, &now
	}
	return r
}
