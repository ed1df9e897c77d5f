package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ReviewQuery says which reviews are listed.
type ReviewQuery struct {
	State   string // one of the states, or active
	Waiting bool   // with items that wait for who lists
	After   string
	Limit   int
	SeeAll  bool
}

// Reviews lists reviews, the newest first. Who does not see everything sees those that
// wait for them.
func (h *Hub) Reviews(ctx context.Context, by Who, q ReviewQuery) (out []ReviewView, next string, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return nil, "", noConfiguration()
	}
	if !slices.Contains([]string{"", "active", "preparing", "open", "moving", "closing", "closed"}, q.State) {
		return nil, "", model.Fail(model.Invalid, "state must be active, preparing, open, moving, closing or closed", nil)
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, who, err := seeing(tx, by, q.SeeAll)
		if err != nil {
			return err
		}
		f := store.CampaignFilter{State: q.State, After: q.After, Limit: q.Limit}
		keys := allKeys(who)
		if q.Waiting && me.id != "" || !q.SeeAll {
			f.Asked = keys
		}
		list, more, err := tx.Campaigns(f)
		if err != nil {
			return err
		}
		next = more
		out, err = viewCampaigns(tx, snap, list, keys)
		return err
	})
	return out, next, err
}

// seeing is who looks, and as whom they may decide.
func seeing(tx *store.Tx, by Who, seeAll bool) (me asker, who []reviewAs, err error) {
	me = asker{credential: by.Name, name: by.Name, operator: by.Operator, override: by.Override}
	if by.Person == "" && seeAll {
		return me, nil, nil
	}
	if me, err = acting(tx, by); err != nil {
		return me, nil, err
	}
	who, err = reviewersOf(tx, me.id)
	return me, who, err
}

// ShownReview reads one review. NotFound where there is none that who asks may see.
func (h *Hub) ShownReview(ctx context.Context, by Who, seeAll bool, id string) (v ReviewView, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return v, noConfiguration()
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		_, who, err := seeing(tx, by, seeAll)
		if err != nil {
			return err
		}
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		if v, err = viewCampaign(tx, snap, c, allKeys(who)); err != nil {
			return err
		}
		return mustConcern(tx, seeAll, v.Waiting, id, who)
	})
	if err != nil {
		return ReviewView{}, err
	}
	return v, nil
}

// mustConcern hides a review from who is no operator, is not asked, and has decided
// nothing in it.
func mustConcern(tx *store.Tx, seeAll bool, waiting int64, id string, who []reviewAs) error {
	if seeAll || waiting > 0 {
		return nil
	}
	if len(who) > 0 {
		var pace json.RawMessage
		if err := tx.ReviewPace(id, who[0].person, &pace); err != nil || len(pace) > 0 {
			return err
		}
	}
	return model.Fail(model.NotFound, fmt.Sprintf("there is no review with the id %q", id), nil)
}

// ReviewItemQuery says which items are listed.
type ReviewItemQuery struct {
	Review    string // empty: of all reviews, what waits for the caller
	State     string
	Reviewer  string // userName or id of who can decide, or role:NAME
	Person    string // userName or id of whom they are about
	Role      string
	Risk      string
	Recommend string
	Mine      bool // that wait for the caller
	After     string
	Limit     int
	SeeAll    bool
}

// ReviewItems lists items. Who does not see everything sees what waits for them.
func (h *Hub) ReviewItems(ctx context.Context, by Who, q ReviewItemQuery) (out []ReviewItemView, next string, err error) {
	if err := checkItemState(q.State); err != nil {
		return nil, "", err
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, who, err := seeing(tx, by, q.SeeAll)
		if err != nil {
			return err
		}
		if q.Review != "" {
			if _, err := tx.Campaign(q.Review); err != nil {
				return err
			}
		}
		f, err := itemFilter(tx, me, who, q)
		if err != nil {
			return err
		}
		items, more, err := tx.ReviewItems(f)
		if err != nil {
			return err
		}
		next = more
		if q.Mine || q.Review == "" {
			items = slices.DeleteFunc(items, func(i model.ReviewItem) bool { return me.id != "" && i.Identity == me.id })
		}
		out, err = viewItems(tx, who, me, items)
		return err
	})
	return out, next, err
}

func checkItemState(state string) error {
	known := []model.ItemState{model.ItemPending, model.ItemDecided, model.ItemKept, model.ItemEnding, model.ItemRevoking, model.ItemEvaluated, model.ItemRevoked, model.ItemGone, model.ItemUndecided}
	if state == "" || slices.Contains(known, model.ItemState(state)) {
		return nil
	}
	return model.Fail(model.Invalid, "state must be one of "+andList(names(known, func(s model.ItemState) string { return string(s) })), nil)
}

func itemFilter(tx *store.Tx, me asker, who []reviewAs, q ReviewItemQuery) (f store.ReviewItemFilter, err error) {
	f = store.ReviewItemFilter{Review: q.Review, State: q.State, Role: q.Role, Risk: q.Risk, Recommend: q.Recommend, After: q.After, Limit: q.Limit}
	if q.Person != "" {
		row, err := tx.FindIdentity(q.Person)
		if err != nil {
			return f, err
		}
		f.Identity = row.ID
	}
	keys := allKeys(who)
	switch {
	case q.Reviewer != "" && strings.HasPrefix(q.Reviewer, roleApprover):
		f.Asked = []string{q.Reviewer}
	case q.Reviewer != "":
		row, err := tx.FindIdentity(q.Reviewer)
		if err != nil {
			return f, err
		}
		f.Asked = []string{row.ID}
	case q.Mine || q.Review == "":
		if f.State = cmp.Or(f.State, string(model.ItemPending)); me.id != "" || q.Review == "" {
			f.Asked = keys
		}
	}
	if !q.SeeAll {
		f.Seen = keys
	}
	return f, nil
}

// ShownReviewItem reads one item. NotFound where there is none that who asks may see.
func (h *Hub) ShownReviewItem(ctx context.Context, by Who, seeAll bool, review, id string) (v ReviewItemView, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, who, err := seeing(tx, by, seeAll)
		if err != nil {
			return err
		}
		item, err := tx.ReviewItem(id)
		if err == nil && item.Review != review {
			err = model.Fail(model.NotFound, fmt.Sprintf("there is no item with the id %q in this review", id), nil)
		}
		if err != nil {
			return err
		}
		_, _, mine := mayReview(who, me.id, item)
		decided := item.Decision != nil && me.id != "" && item.Decision.Person == me.id
		if !seeAll && !mine && !decided {
			return model.Fail(model.NotFound, fmt.Sprintf("there is no item with the id %q in this review", id), nil)
		}
		views, err := viewItems(tx, who, me, []model.ReviewItem{item})
		if err == nil {
			v = views[0]
		}
		return err
	})
	return v, err
}

// viewItems shows items to somebody.
func viewItems(tx *store.Tx, who []reviewAs, me asker, items []model.ReviewItem) ([]ReviewItemView, error) {
	var ids, people []string
	for _, i := range items {
		ids = append(ids, i.ID)
		for _, key := range i.Asked {
			if !strings.HasPrefix(key, roleApprover) {
				people = append(people, key)
			}
		}
	}
	for _, as := range who {
		people = append(people, as.person)
	}
	found, err := tx.People(unique(people))
	if err != nil {
		return nil, err
	}
	seen, err := tx.ReviewItemsSeen(me.seenAs(), ids)
	if err != nil {
		return nil, err
	}
	campaigns := map[string]model.Campaign{}
	out := make([]ReviewItemView, len(items))
	for n, i := range items {
		c, known := campaigns[i.Review]
		if !known {
			if c, err = tx.Campaign(i.Review); err != nil {
				return nil, err
			}
			campaigns[i.Review] = c
		}
		v := ReviewItemView{ReviewItem: i, ShownYet: seen[i.ID], ReviewName: c.Name, Due: c.Due}
		for _, key := range i.Asked {
			v.WaitsFor = append(v.WaitsFor, cmp.Or(found[key].Name, key))
		}
		slices.Sort(v.WaitsFor)
		as, _, ok := mayReview(who, me.id, i)
		if ok && as.person != me.id {
			v.DeputyOf = found[as.person].Name
		}
		v.WhyNot = whyNotMine(c, i, me, ok)
		v.Mine = v.WhyNot == ""
		out[n] = v
	}
	return out, nil
}

// whyNotMine says why somebody cannot decide an item now; empty: they can.
func whyNotMine(c model.Campaign, i model.ReviewItem, me asker, asked bool) string {
	switch {
	case c.State != model.CampaignOpen:
		return "the review is " + string(c.State)
	case me.id != "" && i.Identity == me.id:
		return "nobody reviews what is their own"
	case i.State != model.ItemPending:
		return "it is " + string(i.State)
	case !asked && !me.override:
		return "others are asked"
	}
	return ""
}

// NextReviews says when somebody's roles are looked at next, by role: when what waits
// now is due, or when a campaign of the configuration comes that is about the role.
func NextReviews(tx *store.Tx, snap *Snapshot, identity string, roles []string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	sooner := func(role string, at time.Time) {
		if was, known := out[role]; !known || at.Before(was) {
			out[role] = at
		}
	}
	items, _, err := tx.ReviewItems(store.ReviewItemFilter{Identity: identity, State: string(model.ItemPending), Limit: reportItems})
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		c, err := tx.Campaign(i.Review)
		if err != nil {
			return nil, err
		}
		sooner(i.Role, c.Due)
	}
	if snap == nil {
		return out, nil
	}
	for _, s := range snap.Doc.Reviews.Campaigns {
		if s.Scope.Manager != "" || s.Scope.Exceptions || s.Moved > 0 || s.Scope.UnusedFor > 0 {
			continue // whether it will be about this person is not known yet
		}
		at, _, err := nextStart(tx, s)
		if err != nil {
			return nil, err
		}
		for _, name := range roles {
			if role, ok := snap.Doc.Role(name); ok && !at.IsZero() && inScope(role, s.Scope) {
				sooner(name, at)
			}
		}
	}
	return out, nil
}
