package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
)

// AddCampaign stores a new access review, version 1. slot keeps the same from being
// started twice: added is false where there is one of that slot already; an empty slot
// keeps nothing.
func (t *Tx) AddCampaign(c model.Campaign, slot string) (added bool, err error) {
	c.Version = 1
	doc, err := json.Marshal(c)
	if err != nil {
		return false, fmt.Errorf("review: %w", err)
	}
	n, err := t.exec(`INSERT INTO reviews (id, state, schedule, slot, created_at, next_at, version, doc) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		c.ID, string(c.State), c.Schedule, slot, micros(c.Created), nextMicros(c.NextAt), c.Version, string(doc))
	return n == 1, err
}

// SaveCampaign stores a review that was read in version c.Version, as the next one;
// model.Conflict where another version is stored already.
func (t *Tx) SaveCampaign(c model.Campaign) error {
	before := c.Version
	c.Version++
	doc, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("review %s: %w", c.ID, err)
	}
	n, err := t.exec(`UPDATE reviews SET state = ?, next_at = ?, version = ?, doc = ? WHERE id = ? AND version = ?`,
		string(c.State), nextMicros(c.NextAt), c.Version, string(doc), c.ID, before)
	if err == nil && n == 0 {
		err = model.Fail(model.Conflict, "the review has changed meanwhile: try again", nil)
	}
	return err
}

// Campaign reads a review. model.NotFound if there is none.
func (t *Tx) Campaign(id string) (model.Campaign, error) { return t.campaign(id, "") }

// HoldCampaign is Campaign for somebody who decides about its items: until the
// transaction ends it goes to no other stage.
func (t *Tx) HoldCampaign(id string) (model.Campaign, error) { return t.campaign(id, " FOR SHARE") }

// LockCampaign is Campaign for somebody who is about to change it.
func (t *Tx) LockCampaign(id string) (model.Campaign, error) { return t.campaign(id, " FOR UPDATE") }

func (t *Tx) campaign(id, lock string) (model.Campaign, error) {
	if !t.pg {
		lock = ""
	}
	found, err := t.campaignsWhere(`id = ?`+lock, id)
	if err == nil && len(found) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no review with the id %q", id), nil)
	}
	if err != nil {
		return model.Campaign{}, err
	}
	return found[0], nil
}

func (t *Tx) campaignsWhere(where string, args ...any) ([]model.Campaign, error) {
	docs, err := t.texts(`SELECT doc FROM reviews WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reviews: %w", err)
	}
	out := make([]model.Campaign, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, fmt.Errorf("a stored review cannot be read: %w", err)
		}
	}
	return out, nil
}

// CampaignFilter says which reviews a listing is about; empty fields say nothing.
type CampaignFilter struct {
	State  string   // one of the states, or active for all that are not closed
	Asked  []string // who can decide: identities and role:NAME; only reviews with items that wait for them
	After  string   // id that the previous page ended with
	Limit  int
	Origin string
}

// Campaigns lists reviews, the newest first, and the cursor of the next page.
func (t *Tx) Campaigns(f CampaignFilter) (out []model.Campaign, next string, err error) {
	where, args := `TRUE`, []any{}
	add := func(cond string, values ...any) { where, args = where+` AND `+cond, append(args, values...) }
	switch f.State {
	case "":
	case "active":
		add(`state IN ('preparing', 'open', 'moving', 'closing')`)
	default:
		add(`state = ?`, f.State)
	}
	if f.Asked != nil {
		if len(f.Asked) == 0 {
			return nil, "", nil
		}
		add(`id IN (SELECT review_id FROM review_counts WHERE kind = 'asked' AND n > 0 AND who IN `+list(len(f.Asked))+`)`, anys(f.Asked)...)
	}
	if f.After != "" {
		add(`id < ?`, f.After)
	}
	out, err = t.campaignsWhere(where+` ORDER BY id DESC LIMIT ?`, append(args, f.Limit+1)...)
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		next = out[f.Limit-1].ID
	}
	return out, next, err
}

// DueCampaign is a review that has something to do now and that nobody works on, held
// until the transaction ends; the one that waited longest.
func (t *Tx) DueCampaign() (c model.Campaign, found bool, err error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	list, err := t.campaignsWhere(`next_at <= ? ORDER BY next_at, id LIMIT 1`+lock, micros(t.Now))
	if err != nil || len(list) == 0 {
		return c, false, err
	}
	return list[0], true, nil
}

// LastCampaign is the newest review of a campaign of the configuration.
func (t *Tx) LastCampaign(schedule string) (c model.Campaign, found bool, err error) {
	list, err := t.campaignsWhere(`schedule = ? AND schedule <> '' ORDER BY id DESC LIMIT 1`, schedule)
	if err != nil || len(list) == 0 {
		return c, false, err
	}
	return list[0], true, nil
}

// WakeCampaign has a review looked at, at a moment or sooner.
func (t *Tx) WakeCampaign(id string, at time.Time) error {
	_, err := t.exec(`UPDATE reviews SET next_at = ? WHERE id = ? AND state <> 'closed' AND (next_at IS NULL OR next_at > ?)`, micros(at), id, micros(at))
	return err
}

// ReviewCount is one of the counts of a review.
type ReviewCount struct {
	Kind string // state, asked
	Who  string
	N    int64
}

// ReviewCounts reads how many items of reviews are in each state, by review.
func (t *Tx) ReviewCounts(ids []string) (map[string]map[string]int64, error) {
	out := map[string]map[string]int64{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := t.query(`SELECT review_id, who, n FROM review_counts WHERE kind = 'state' AND review_id IN `+list(len(ids)), anys(ids)...)
	if err != nil {
		return nil, fmt.Errorf("counts of reviews: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, who string
		var n int64
		if err := rows.Scan(&id, &who, &n); err != nil {
			return nil, fmt.Errorf("counts of reviews: %w", err)
		}
		if out[id] == nil {
			out[id] = map[string]int64{}
		}
		out[id][who] = n
	}
	return out, rows.Err()
}

// ReviewWaiting lists for whom items of a review wait, in order of who it is, after
// one; an empty one: nobody can be asked.
func (t *Tx) ReviewWaiting(review, after string, limit int) (out []ReviewCount, err error) {
	rows, err := t.query(`SELECT kind, who, n FROM review_counts WHERE review_id = ? AND kind = 'asked' AND who > ? AND n > 0 ORDER BY who LIMIT ?`, review, after, limit)
	if err != nil {
		return nil, fmt.Errorf("who is asked: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c ReviewCount
		if err := rows.Scan(&c.Kind, &c.Who, &c.N); err != nil {
			return nil, fmt.Errorf("who is asked: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// ReviewPace is how somebody decides in a review, as a JSON document. Who changes it has
// closed their book before, which has them take turns.
func (t *Tx) ReviewPace(review, who string, into any) error {
	var doc string
	err := t.row(`SELECT doc FROM review_pace WHERE review_id = ? AND who = ?`, review, who).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pace: %w", err)
	}
	return json.Unmarshal([]byte(doc), into)
}

// SetReviewPace stores it.
func (t *Tx) SetReviewPace(review, who string, pace any) error {
	doc, err := json.Marshal(pace)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO review_pace (review_id, who, doc) VALUES (?,?,?) ON CONFLICT (review_id, who) DO UPDATE SET doc = excluded.doc`, review, who, string(doc))
	return err
}

// ReviewPaces reads how everybody decides in a review, by who, at most limit.
func (t *Tx) ReviewPaces(review string, limit int) ([]json.RawMessage, error) {
	docs, err := t.texts(`SELECT doc FROM review_pace WHERE review_id = ? AND who <> '' ORDER BY who LIMIT ?`, review, limit)
	out := make([]json.RawMessage, len(docs))
	for i, d := range docs {
		out[i] = json.RawMessage(d)
	}
	return out, err
}

// OpenReviewItems counts what waits in reviews, by state: pending, revoking, evaluated.
func (s *Store) OpenReviewItems(ctx context.Context) (out map[string]int64, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		out, err = tx.openReviewItems()
		return err
	})
	return out, err
}

func (t *Tx) openReviewItems() (map[string]int64, error) {
	rows, err := t.query(`SELECT c.who, sum(c.n) FROM review_counts c WHERE c.kind = 'state' AND c.who IN ('pending', 'revoking', 'evaluated') AND c.n > 0 GROUP BY c.who`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var who string
		var n int64
		if err := rows.Scan(&who, &n); err != nil {
			return nil, err
		}
		out[who] = n
	}
	return out, rows.Err()
}

// ReviewWaitingFor counts the items of a review that wait for any of these; one that
// waits for several counts for each.
func (t *Tx) ReviewWaitingFor(review string, asked []string) (n int64, err error) {
	if len(asked) == 0 {
		return 0, nil
	}
	err = t.row(`SELECT coalesce(sum(n), 0) FROM review_counts WHERE review_id = ? AND kind = 'asked' AND who IN `+list(len(asked)), append([]any{review}, anys(asked)...)...).Scan(&n)
	return n, err
}

// PostponeCampaign has a review looked at no sooner than at a moment.
func (t *Tx) PostponeCampaign(id string, at time.Time) error {
	_, err := t.exec(`UPDATE reviews SET next_at = ? WHERE id = ? AND next_at IS NOT NULL`, micros(at), id)
	return err
}

// ReviewsDue reports whether there is something to do about reviews now.
func (s *Store) ReviewsDue(ctx context.Context) (due bool, err error) {
	err = s.single(ctx, s.read, func(tx *Tx) error {
		return tx.row(`SELECT EXISTS (SELECT 1 FROM reviews WHERE next_at <= ?) OR EXISTS (SELECT 1 FROM review_items WHERE check_at <= ?) OR EXISTS (SELECT 1 FROM review_moves WHERE due)`,
			micros(tx.Now), micros(tx.Now)).Scan(&due)
	})
	return due, err
}

// SeeReviewItems notes that somebody has had items of a review before them; it returns
// how many of these are items of it.
func (t *Tx) SeeReviewItems(review, who string, items []string) (int, error) {
	n := 0
	for chunk := range slices.Chunk(items, idChunk) {
		ids, err := t.texts(`SELECT id FROM review_items WHERE review_id = ? AND id IN `+list(len(chunk))+` ORDER BY id`, append([]any{review}, anys(chunk)...)...)
		if err != nil {
			return n, err
		}
		for some := range portions(ids) {
			args := make([]any, 0, 2*len(some))
			for _, id := range some {
				args = append(args, id, who)
			}
			if _, err := t.exec(`INSERT INTO review_seen (item_id, who) VALUES `+tuples(`(?,?)`, len(some))+` ON CONFLICT DO NOTHING`, args...); err != nil {
				return n, err
			}
		}
		n += len(ids)
	}
	return n, nil
}

// ReviewItemsSeen tells which of some items somebody has had before them.
func (t *Tx) ReviewItemsSeen(who string, items []string) (map[string]bool, error) {
	out := map[string]bool{}
	for chunk := range slices.Chunk(items, idChunk) {
		ids, err := t.texts(`SELECT item_id FROM review_seen WHERE who = ? AND item_id IN `+list(len(chunk)), append([]any{who}, anys(chunk)...)...)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			out[id] = true
		}
	}
	return out, nil
}
