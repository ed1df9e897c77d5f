package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// ReviewBook writes items of reviews and keeps the counts, which are written when it is
// closed: once for all that changed, as late as possible, for everybody who decides in
// the same review waits for whoever has written them.
type ReviewBook struct {
	tx    *Tx
	delta map[countKey]int64
}

type countKey struct{ review, kind, who string }

// ReviewBook begins one; Close ends it.
func (t *Tx) ReviewBook() *ReviewBook { return &ReviewBook{tx: t, delta: map[countKey]int64{}} }

// count adds what an item counts for, times by.
func (b *ReviewBook) count(i model.ReviewItem, by int64) {
	b.delta[countKey{i.Review, "state", string(i.State)}] += by
	if i.State != model.ItemPending {
		return
	}
	for _, who := range i.Asked {
		b.delta[countKey{i.Review, "asked", who}] += by
	}
	if len(i.Asked) == 0 {
		b.delta[countKey{i.Review, "state", "nobody"}] += by
	}
}

// Add stores new items, version 1. Those that the review has already are left out; it
// returns how many were stored.
func (b *ReviewBook) Add(items []model.ReviewItem) (added int, err error) {
	for chunk := range portions(items) {
		args := make([]any, 0, 14*len(chunk))
		for _, i := range chunk {
			i.Version = 1
			doc, err := json.Marshal(i)
			if err != nil {
				return added, fmt.Errorf("item: %w", err)
			}
			args = append(args, i.ID, i.Review, i.Identity, i.Role, i.Target, i.Group, string(i.State), i.Stage, i.Live(), i.Hints.Risk, i.Hints.Recommend,
				nextMicros(i.CheckAt), i.Version, string(doc))
		}
		stored, err := b.tx.texts(`INSERT INTO review_items (id, review_id, identity_id, role, target, group_name, state, stage, live, risk, recommend, check_at, version, doc) VALUES `+
			tuples(`(?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, len(chunk))+` ON CONFLICT DO NOTHING RETURNING id`, args...)
		if err != nil {
			return added, fmt.Errorf("items: %w", err)
		}
		added += len(stored)
		var asked []model.ReviewItem
		for _, i := range chunk {
			if slices.Contains(stored, i.ID) {
				b.count(i, 1)
				asked = append(asked, i)
			}
		}
		if err := b.ask(asked); err != nil {
			return added, err
		}
	}
	return added, nil
}

// ask stores who is asked about items.
func (b *ReviewBook) ask(items []model.ReviewItem) error {
	type row struct{ who, review, item string }
	var rows []row
	for _, i := range items {
		for _, who := range i.Asked {
			rows = append(rows, row{who, i.Review, i.ID})
		}
	}
	for chunk := range portions(rows) {
		args := make([]any, 0, 3*len(chunk))
		for _, r := range chunk {
			args = append(args, r.who, r.review, r.item)
		}
		if _, err := b.tx.exec(`INSERT INTO review_asked (asked, review_id, item_id) VALUES `+tuples(`(?,?,?)`, len(chunk))+` ON CONFLICT DO NOTHING`, args...); err != nil {
			return fmt.Errorf("who is asked: %w", err)
		}
	}
	return nil
}

// Save stores an item that was read as before; model.Conflict where another version is
// stored already. Asked is kept only of what is pending.
func (b *ReviewBook) Save(before, now model.ReviewItem) error {
	if now.State != model.ItemPending {
		now.Asked, now.Nobody = nil, ""
	}
	now.Version = before.Version + 1
	doc, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("item %s: %w", now.ID, err)
	}
	n, err := b.tx.exec(`UPDATE review_items SET state = ?, stage = ?, live = ?, risk = ?, recommend = ?, check_at = ?, version = ?, doc = ? WHERE id = ? AND version = ?`,
		string(now.State), now.Stage, now.Live(), now.Hints.Risk, now.Hints.Recommend, nextMicros(now.CheckAt), now.Version, string(doc), now.ID, before.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return model.Fail(model.Conflict, "the item has changed meanwhile: look at it again", nil)
	}
	b.count(before, -1)
	b.count(now, 1)
	if slices.Equal(before.Asked, now.Asked) {
		return nil
	}
	if _, err := b.tx.exec(`DELETE FROM review_asked WHERE item_id = ?`, now.ID); err != nil {
		return fmt.Errorf("who is asked: %w", err)
	}
	return b.ask([]model.ReviewItem{now})
}

// Close writes the counts, in one order for all.
func (b *ReviewBook) Close() error {
	keys := make([]countKey, 0, len(b.delta))
	for k, n := range b.delta {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y countKey) int {
		return cmp.Or(strings.Compare(x.review, y.review), strings.Compare(x.kind, y.kind), strings.Compare(x.who, y.who))
	})
	for chunk := range portions(keys) {
		args := make([]any, 0, 4*len(chunk))
		for _, k := range chunk {
			args = append(args, k.review, k.kind, k.who, b.delta[k])
		}
		if _, err := b.tx.exec(`INSERT INTO review_counts (review_id, kind, who, n) VALUES `+tuples(`(?,?,?,?)`, len(chunk))+
			` ON CONFLICT (review_id, kind, who) DO UPDATE SET n = review_counts.n + excluded.n`, args...); err != nil {
			return fmt.Errorf("counts of a review: %w", err)
		}
	}
	clear(b.delta)
	return nil
}

// ReviewItem reads an item. model.NotFound if there is none.
func (t *Tx) ReviewItem(id string) (model.ReviewItem, error) { return t.reviewItem(id, "") }

// LockReviewItem is ReviewItem for somebody who is about to change it.
func (t *Tx) LockReviewItem(id string) (model.ReviewItem, error) {
	return t.reviewItem(id, " FOR UPDATE")
}

func (t *Tx) reviewItem(id, lock string) (model.ReviewItem, error) {
	if !t.pg {
		lock = ""
	}
	found, err := t.reviewItemsWhere(`id = ?`+lock, id)
	if err == nil && len(found) == 0 {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no item with the id %q in a review", id), nil)
	}
	if err != nil {
		return model.ReviewItem{}, err
	}
	return found[0], nil
}

func (t *Tx) reviewItemsWhere(where string, args ...any) ([]model.ReviewItem, error) {
	docs, err := t.texts(`SELECT doc FROM review_items WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("items of reviews: %w", err)
	}
	out := make([]model.ReviewItem, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, fmt.Errorf("a stored item of a review cannot be read: %w", err)
		}
	}
	return out, nil
}

// ReviewItemFilter says which items a listing is about; empty fields say nothing.
type ReviewItemFilter struct {
	Review    string
	Identity  string
	State     string
	States    []string
	Role      string
	Risk      string
	Recommend string
	Asked     []string // who can decide: identities and role:NAME; nil: whoever
	Seen      []string // keeps to what one of these can decide, for whom not everything is to be seen
	Below     int      // only of stages below this one; 0: any
	After     string
	Limit     int
}

// ReviewItems lists items in the order in which they were written, and the cursor of
// the next page.
func (t *Tx) ReviewItems(f ReviewItemFilter) (out []model.ReviewItem, next string, err error) {
	where, args := `id > ?`, []any{f.After}
	add := func(cond string, values ...any) { where, args = where+` AND `+cond, append(args, values...) }
	for _, c := range []struct{ column, value string }{{"review_id", f.Review}, {"identity_id", f.Identity}, {"state", f.State}, {"role", f.Role},
		{"risk", f.Risk}, {"recommend", f.Recommend}} {
		if c.value != "" {
			add(c.column+` = ?`, c.value)
		}
	}
	if len(f.States) > 0 {
		add(`state IN `+list(len(f.States)), anys(f.States)...)
	}
	if f.Below > 0 {
		add(`stage < ?`, f.Below)
	}
	for _, who := range [][]string{f.Asked, f.Seen} {
		if who == nil {
			continue
		}
		if len(who) == 0 {
			return nil, "", nil
		}
		of, ofArgs := "", []any{}
		if f.Review != "" {
			of, ofArgs = ` AND review_id = ?`, []any{f.Review}
		}
		add(`id IN (SELECT item_id FROM review_asked WHERE asked IN `+list(len(who))+of+`)`, append(anys(who), ofArgs...)...)
	}
	out, err = t.reviewItemsWhere(where+` ORDER BY id LIMIT ?`, append(args, f.Limit+1)...)
	if err == nil && len(out) > f.Limit {
		out = out[:f.Limit]
		next = out[f.Limit-1].ID
	}
	return out, next, err
}

// LiveReviewItems reads the items of people that an evaluation may change, in order,
// held until the transaction ends.
func (t *Tx) LiveReviewItems(identities []string) ([]model.ReviewItem, error) {
	if t.pg {
		return t.liveReviewItems(identities, " FOR UPDATE")
	}
	return t.liveReviewItems(identities, "")
}

// ReviewItemsAbout reads the items of a person that are not settled yet, in order.
func (t *Tx) ReviewItemsAbout(identity string) ([]model.ReviewItem, error) {
	return t.liveReviewItems([]string{identity}, "")
}

func (t *Tx) liveReviewItems(identities []string, lock string) ([]model.ReviewItem, error) {
	var out []model.ReviewItem
	for chunk := range slices.Chunk(identities, idChunk) {
		found, err := t.reviewItemsWhere(`live AND identity_id <> '' AND identity_id IN `+list(len(chunk))+` ORDER BY id`+lock, anys(chunk)...)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// DueReviewItems are items of which it is to be looked at now whether they are carried
// out, held until the transaction ends.
func (t *Tx) DueReviewItems(limit int) ([]model.ReviewItem, error) {
	lock := ""
	if t.pg {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	return t.reviewItemsWhere(`check_at <= ? ORDER BY check_at, id LIMIT ?`+lock, micros(t.Now), limit)
}
