package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Kinds of rows that are named elsewhere.
const (
	pruneIdentityHistory = "identity_history"
	pruneAccountHistory  = "account_history"
)

// pruneRules are all kinds of rows that would grow for ever, each found by an index in
// the order in which they get old.
func pruneRules() []pruneRule {
	return []pruneRule{
		{kind: "idempotency", take: pruneByTime("idempotency", "at", "")},
		{kind: "removals", take: pruneByTime("removals", "at", "")},
		// A release counts as long as the account is wanted as it was.
		{kind: "releases", take: pruneByTime("releases", "at", `NOT EXISTS (SELECT 1 FROM accounts a WHERE a.target = releases.target AND a.identity_id = releases.identity_id AND a.generation = releases.generation)`)},
		{kind: "notices", take: pruneNotices},
		{kind: "leaver_runs", take: pruneLeavers},
		{kind: "events", take: pruneEvents},
		{kind: "imports", take: pruneByTime("imports", "at", "")},
		{kind: pruneIdentityHistory, take: pruneReplaced(pruneIdentityHistory, "identity_id"), onward: true},
		{kind: pruneAccountHistory, take: pruneReplaced(pruneAccountHistory, "identity_id", "target"), onward: true},
		// The last of a person stays: it tells that they had access once.
		{kind: "grants", take: pruneByTime("grants", "ended_at", `ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM grants y WHERE y.identity_id = grants.identity_id AND y.id > grants.id)`), onward: true},
		{kind: "drift_deleted", take: pruneByTime("drift_deleted", "at", "")},
		{kind: "requests", take: pruneRequests},
		// What somebody confirmed counts until it is taken into the books.
		{kind: "tasks", take: pruneByTime("tasks", "done_at", `done_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.target = tasks.target AND a.identity_id = tasks.identity_id AND a.due)`)},
		{kind: "reviews", take: pruneReviews},
		{kind: "exceptions", take: pruneByTime("exceptions", "ended_at", "ended_at IS NOT NULL")},
		{kind: "exclusions", take: pruneByTime("exclusions", "ended_at", "ended_at IS NOT NULL")},
		{kind: "deputies", take: pruneByTime("deputies", "ended_at", "ended_at IS NOT NULL")},
		{kind: "cases", take: pruneByTime("cases", "decided_at", "decided_at IS NOT NULL")},
		{kind: "audit", take: pruneAuditTrail, told: true},
	}
}

func pruneRuleOf(kind string) (pruneRule, bool) {
	for _, r := range pruneRules() {
		if r.kind == kind {
			return r, true
		}
	}
	return pruneRule{}, false
}

// pruneByTime takes rows by the moment at which they were over. Those of one moment go
// together, so that a batch may be a little larger than it should.
func pruneByTime(table, at, cond string) func(*Tx, int64, string, int) (pruneStep, error) {
	if cond != "" {
		cond += " AND "
	}
	find := `SELECT count(*), coalesce(max(at), 0) FROM (SELECT ` + at + ` AS at FROM ` + table + ` WHERE ` + cond + at + ` >= ? AND ` + at + ` < ? ORDER BY ` + at + ` LIMIT ?) old`
	remove := `DELETE FROM ` + table + ` WHERE ` + cond + at + ` >= ? AND ` + at + ` <= ?`
	return func(t *Tx, cut int64, place string, limit int) (step pruneStep, err error) {
		from, _ := strconv.ParseInt(place, 10, 64) // none: the beginning
		var n int
		var last int64
		step.place = place
		if err := t.row(find, t.planned([]any{from, cut, limit})...).Scan(&n, &last); err != nil || n == 0 {
			return step, err
		}
		step.rows, err = t.exec(remove, t.planned([]any{from, last})...)
		step.place, step.more = strconv.FormatInt(last, 10), n == limit
		return step, err
	}
}

// pruneReplaced takes versions that another one had replaced by the moment: the last of
// each person, or account, before it stays, and says what was true at that moment. A
// pass looks at what replaced something since the one before.
func pruneReplaced(table string, key ...string) func(*Tx, int64, string, int) (pruneStep, error) {
	keys := strings.Join(key, ", ")
	same := make([]string, len(key))
	for i, k := range key {
		same[i] = "h." + k + " = l." + k
	}
	find := `SELECT count(*), coalesce(max(at), 0) FROM (SELECT at FROM ` + table + ` WHERE at > ? AND at <= ? ORDER BY at LIMIT ?) old`
	remove := `DELETE FROM ` + table + ` WHERE (` + keys + `, at) IN (SELECT h.` + strings.ReplaceAll(keys, ", ", ", h.") + `, h.at FROM ` + table + ` l JOIN ` + table + ` h ON ` + strings.Join(same, " AND ") + ` AND h.at < l.at WHERE l.at > ? AND l.at <= ?)`
	return func(t *Tx, cut int64, place string, limit int) (step pruneStep, err error) {
		from, _ := strconv.ParseInt(place, 10, 64)
		var n int
		var last int64
		step.place = place
		if err := t.row(find, t.planned([]any{from, cut, limit})...).Scan(&n, &last); err != nil || n == 0 {
			return step, err
		}
		step.rows, err = t.exec(remove, t.planned([]any{from, last})...)
		step.place, step.more = strconv.FormatInt(last, 10), n == limit
		return step, err
	}
}

// aged is a row that may be old enough.
type aged struct {
	id  string
	old bool
}

// pruneOld looks at a page of rows in the order of their ids and takes away those that
// are old: the page after it begins behind the last of these.
func pruneOld(page []aged, place string, limit int, remove func(ids []string) (int64, error)) (step pruneStep, err error) {
	step.place = place
	var ids []string
	for _, r := range page {
		if r.old {
			ids, step.place = append(ids, r.id), r.id
		}
	}
	if len(ids) == 0 {
		return step, nil
	}
	step.more = len(page) == limit
	step.rows, err = remove(ids)
	return step, err
}

// agedRows reads rows of an id and whether it is old.
func (t *Tx) agedRows(text string, args ...any) (out []aged, err error) {
	rows, err := t.query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r aged
		if err := rows.Scan(&r.id, &r.old); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// removeIDs takes rows away by their ids.
func (t *Tx) removeIDs(table, column string, ids []string) (n int64, err error) {
	for chunk := range portions(ids) {
		gone, err := t.exec(`DELETE FROM `+table+` WHERE `+column+` IN `+list(len(chunk)), anys(chunk)...)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}

// pruneEvents goes by ids, which grow with time.
func pruneEvents(t *Tx, cut int64, place string, limit int) (pruneStep, error) {
	page, err := t.agedRows(`SELECT id, at < ? FROM events WHERE id > ? ORDER BY id LIMIT ?`, cut, place, limit)
	if err != nil {
		return pruneStep{place: place}, err
	}
	return pruneOld(page, place, limit, func(ids []string) (int64, error) { return t.removeIDs("events", "id", ids) })
}

// pruneNotices takes notices with their deliveries.
func pruneNotices(t *Tx, cut int64, place string, limit int) (pruneStep, error) {
	page, err := t.agedRows(`SELECT id, at < ? AND expanded FROM notices WHERE id > ? ORDER BY id LIMIT ?`, cut, place, limit)
	if err != nil {
		return pruneStep{place: place}, err
	}
	return pruneOld(page, place, limit, func(ids []string) (int64, error) {
		deliveries, err := t.removeIDs("deliveries", "notice_id", ids)
		if err != nil {
			return 0, err
		}
		notices, err := t.removeIDs("notices", "id", ids)
		return deliveries + notices, err
	})
}

// pruneLeavers takes runs with what became of each account.
func pruneLeavers(t *Tx, cut int64, _ string, limit int) (step pruneStep, err error) {
	ids, err := t.texts(`SELECT id FROM leaver_runs WHERE ended_at < ? AND received_at < ? ORDER BY received_at LIMIT ?`, t.planned([]any{cut, cut, limit})...)
	if err != nil {
		return step, err
	}
	targets, err := t.removeIDs("leaver_targets", "run_id", ids)
	if err != nil {
		return step, err
	}
	runs, err := t.removeIDs("leaver_runs", "id", ids)
	return pruneStep{rows: targets + runs, more: len(ids) == limit}, err
}

// pruneRequests takes requests of which nothing can become any more and that were closed
// before the moment. They are looked at in the order in which they were made.
func pruneRequests(t *Tx, cut int64, place string, limit int) (step pruneStep, err error) {
	created, id, _ := strings.Cut(place, ".")
	from, _ := strconv.ParseInt(created, 10, 64)
	rows, err := t.query(`SELECT id, created_at, doc FROM requests WHERE NOT live AND (created_at, id) > (?, ?) AND created_at < ? ORDER BY created_at, id LIMIT ?`, t.planned([]any{from, id, cut, limit})...)
	if err != nil {
		return step, err
	}
	defer rows.Close()
	step.place = place
	seen, ids := 0, []string(nil)
	for rows.Next() {
		var one, doc string
		var at int64
		if err := rows.Scan(&one, &at, &doc); err != nil {
			return step, err
		}
		var q model.Request
		if err := json.Unmarshal([]byte(doc), &q); err != nil {
			return step, fmt.Errorf("request %s: %w", one, err)
		}
		seen++
		step.place = strconv.FormatInt(at, 10) + "." + one
		if q.Closed != nil && micros(*q.Closed) < cut || q.Closed == nil && at < cut {
			ids = append(ids, one)
		}
	}
	if err := rows.Err(); err != nil {
		return step, err
	}
	step.more = seen == limit
	step.rows, err = t.removeIDs("requests", "id", ids)
	return step, err
}

// pruneReviews takes closed reviews, the items first. The last of a schedule stays: the
// next one is reckoned from it.
func pruneReviews(t *Tx, cut int64, place string, limit int) (step pruneStep, err error) {
	var id, doc string
	step.place = place
	err = t.row(`SELECT id, doc FROM reviews WHERE state = ? AND id > ? AND created_at < ? AND NOT (schedule <> '' AND NOT EXISTS (SELECT 1 FROM reviews y WHERE y.schedule = reviews.schedule AND y.id > reviews.id)) ORDER BY id LIMIT 1`,
		string(model.CampaignClosed), place, cut).Scan(&id, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return step, nil
	}
	if err != nil {
		return step, err
	}
	var c model.Campaign
	if err := json.Unmarshal([]byte(doc), &c); err != nil {
		return step, fmt.Errorf("review %s: %w", id, err)
	}
	step.more = true
	if c.Closed == nil || micros(*c.Closed) >= cut {
		step.place = id
		return step, nil
	}
	items, err := t.texts(`SELECT id FROM review_items WHERE review_id = ? ORDER BY id LIMIT ?`, t.planned([]any{id, limit})...)
	if err != nil {
		return step, err
	}
	if step.rows, err = t.removeIDs("review_items", "id", items); err != nil || len(items) == limit {
		return step, err
	}
	n, err := t.exec(`DELETE FROM reviews WHERE id = ?`, id)
	step.rows, step.place = step.rows+n, id
	return step, err
}

// pruneAuditTrail takes the oldest entries of all lanes.
func pruneAuditTrail(t *Tx, cut int64, _ string, limit int) (pruneStep, error) {
	n, more, err := t.pruneAudit(fromMicros(cut), limit)
	return pruneStep{rows: n, more: more}, err
}
