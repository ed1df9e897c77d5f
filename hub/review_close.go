package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ReviewClosing is how a review is closed.
type ReviewClosing struct {
	Force     bool   // though somebody has not decided and there is time left
	Undecided string // keep or revoke; empty: as the review says
	Reason    string
}

// CloseReview ends a review. Refused while somebody has not decided and there is time
// left, unless it is forced, which needs a reason. What was decided in a stage before
// the last counts then.
func (h *Hub) CloseReview(ctx context.Context, by Who, id string, in ReviewClosing) (v ReviewView, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return v, noConfiguration()
	}
	in.Reason = strings.TrimSpace(in.Reason)
	if err := checkReason(in.Reason); err != nil {
		return v, err
	}
	if !slices.Contains([]string{"", model.UndecidedKeep, model.UndecidedRevoke}, in.Undecided) {
		return v, model.Fail(model.Invalid, "undecided must be keep or revoke", nil)
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		if !me.operator {
			return model.Fail(model.Forbidden, "a review is closed by an operator", nil)
		}
		c, err := tx.LockCampaign(id)
		if err != nil {
			return err
		}
		w := campaignWork{h: h, tx: tx, snap: snap, c: &c}
		counts, err := w.counts()
		if err != nil {
			return err
		}
		open := counts.Pending
		if c.Stage < len(c.Stages)-1 {
			open += counts.Decided
		}
		switch {
		case c.State == model.CampaignClosed || c.State == model.CampaignClosing:
			v, err = viewCampaign(tx, snap, c, nil)
			return err
		case open > 0 && !in.Force:
			return model.Fail(model.Refused, fmt.Sprintf("%d of %d items are not decided and there is time until %s: remind who is asked, or force it", open, counts.Items, c.Due.UTC().Format("2006-01-02 15:04")), nil)
		case open > 0 && in.Reason == "":
			return model.Fail(model.Invalid, "reason is missing: say why the review is closed though not everything is decided", nil)
		case c.State == model.CampaignPreparing && !in.Force:
			return model.Fail(model.Refused, "the review is being prepared; force it to give it up", nil)
		}
		if open > 0 {
			if err := closesOwn(tx, me, id); err != nil {
				return err
			}
		}
		c.SettleAs = in.Undecided
		w.close(me.actor())
		if err := auditCampaign(tx, me.actor(), "review.closing", c, map[string]any{"force": in.Force, "undecided": c.SettleAs, "open": open, "reason": in.Reason}); err != nil {
			return err
		}
		if err := tx.SaveCampaign(c); err != nil {
			return err
		}
		v, err = viewCampaign(tx, snap, c, nil)
		return err
	})
	if err != nil {
		return ReviewView{}, err
	}
	h.Wake()
	return h.workNow(ctx, snap, id, model.CampaignClosing)
}

// closesOwn refuses to force a review closed of who has something in it that is not
// decided: what becomes of it would be their own doing.
func closesOwn(tx *store.Tx, me asker, review string) error {
	if me.id == "" {
		return nil
	}
	own, _, err := tx.ReviewItems(store.ReviewItemFilter{Review: review, Identity: me.id, States: []string{string(model.ItemPending), string(model.ItemDecided)}, Limit: 1})
	if err == nil && len(own) > 0 {
		err = model.Fail(model.Forbidden, fmt.Sprintf("%s of %s is not decided yet: nobody decides about themselves by closing the review; somebody else closes it, or it ends by itself", reviewWhat(own[0]), me.name), nil)
	}
	return err
}

// How much of each a report names.
const (
	reportItems     = 100
	reportReviewers = 1000
)

// ReviewReport sums a review up, closed or not. It reads what is kept as decisions are
// made, and never counts all items.
func (h *Hub) ReviewReport(ctx context.Context, by Who, seeAll bool, id string) (r ReviewReport, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return r, noConfiguration()
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, who, err := seeing(tx, by, seeAll)
		if err != nil {
			return err
		}
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		if !seeAll {
			return model.Fail(model.Forbidden, "the report of a review is for operators and auditors", nil)
		}
		r = ReviewReport{At: tx.Now, Digest: c.Digest, Reviewers: []ReviewPace{}, Waiting: []ReviewWaiting{}, Open: []ReviewItemView{}, Undecided: []ReviewItemView{}, Flags: []string{}}
		if r.Review, err = viewCampaign(tx, snap, c, allKeys(who)); err != nil {
			return err
		}
		if err := r.reviewers(tx, id); err != nil {
			return err
		}
		for _, list := range []struct {
			states []string
			into   *[]ReviewItemView
		}{{[]string{string(model.ItemRevoking), string(model.ItemEvaluated)}, &r.Open}, {[]string{string(model.ItemUndecided)}, &r.Undecided}} {
			for _, state := range list.states {
				items, _, err := tx.ReviewItems(store.ReviewItemFilter{Review: id, State: state, Limit: reportItems})
				if err != nil {
					return err
				}
				views, err := viewItems(tx, who, me, items)
				if err != nil {
					return err
				}
				*list.into = append(*list.into, views...)
			}
		}
		r.flags()
		return nil
	})
	if err != nil {
		return ReviewReport{}, err
	}
	return r, nil
}

// reviewers reads how everybody decided, for whom items wait, and how fast revocations
// were carried out.
func (r *ReviewReport) reviewers(tx *store.Tx, id string) error {
	paces, err := tx.ReviewPaces(id, reportReviewers)
	if err != nil {
		return err
	}
	for _, doc := range paces {
		var p ReviewPace
		if err := json.Unmarshal(doc, &p); err != nil {
			return fmt.Errorf("pace: %w", err)
		}
		r.Reviewers = append(r.Reviewers, p)
	}
	slices.SortStableFunc(r.Reviewers, func(a, b ReviewPace) int { return strings.Compare(a.Reviewer, b.Reviewer) })
	var done carriedPace
	if err := tx.ReviewPace(id, "", &done); err != nil {
		return err
	}
	if done.Verified > 0 {
		r.MeanSeconds, r.SlowestSeconds = (done.Sum.Seconds())/float64(done.Verified), done.Slowest.Seconds()
	}
	waiting, err := tx.ReviewWaiting(id, "", reportItems)
	if err != nil {
		return err
	}
	people, err := tx.People(names(waiting, func(c store.ReviewCount) string { return c.Who }))
	if err != nil {
		return err
	}
	for _, w := range waiting {
		one := ReviewWaiting{Who: w.Who, Name: w.Who, N: w.N}
		if p, ok := people[w.Who]; ok {
			one.Name = p.Name
		}
		r.Waiting = append(r.Waiting, one)
	}
	return nil
}

// flags says in words what an auditor should look at.
func (r *ReviewReport) flags() {
	c := r.Review.Counts
	for _, p := range r.Reviewers {
		if p.Flag != "" {
			r.Flags = append(r.Flags, p.Reviewer+": "+p.Flag)
		}
		if p.Decided >= paceMany && p.Keep == p.Decided {
			r.Flags = append(r.Flags, fmt.Sprintf("%s kept all of %d items", p.Reviewer, p.Decided))
		}
		if p.Against > 0 {
			r.Flags = append(r.Flags, fmt.Sprintf("%s decided %d times against the recommendation", p.Reviewer, p.Against))
		}
	}
	if c.Undecided > 0 {
		r.Flags = append(r.Flags, fmt.Sprintf("nobody decided about %d items; they stay", c.Undecided))
	}
	if n := c.Revoking + c.Evaluated; n > 0 {
		r.Flags = append(r.Flags, fmt.Sprintf("%d revocations are not seen to be carried out", n))
	}
	if c.Nobody > 0 {
		r.Flags = append(r.Flags, fmt.Sprintf("%d items have nobody who could decide; an admin can", c.Nobody))
	}
}

// EachReviewItem calls each with all items of a review in order, a page at a time.
func (h *Hub) EachReviewItem(ctx context.Context, id string, each func(model.ReviewItem) error) error {
	after := ""
	for {
		var items []model.ReviewItem
		err := h.Store.View(ctx, func(tx *store.Tx) (err error) {
			if _, err = tx.Campaign(id); err != nil {
				return err
			}
			items, after, err = tx.ReviewItems(store.ReviewItemFilter{Review: id, After: after, Limit: 1000})
			return err
		})
		if err != nil {
			return err
		}
		for _, i := range items {
			if err := each(i); err != nil {
				return err
			}
		}
		if after == "" {
			return nil
		}
	}
}

// Exclusions lists what reviewers keep from people, the newest first: of one person by
// name or id, or all; those that have ended, too, where asked for.
func (h *Hub) Exclusions(ctx context.Context, person string, ended bool, after string, limit int) (out []ExclusionView, next string, err error) {
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		id := ""
		if person != "" {
			row, err := tx.FindIdentity(person)
			if err != nil {
				return err
			}
			id = row.ID
		}
		list, more, err := tx.Exclusions(id, ended, after, limit)
		if err != nil {
			return err
		}
		next = more
		out, err = viewExclusions(tx, list)
		return err
	})
	return out, next, err
}

func viewExclusions(tx *store.Tx, list []model.Exclusion) ([]ExclusionView, error) {
	people, err := tx.People(unique(names(list, func(e model.Exclusion) string { return e.Identity })))
	if err != nil {
		return nil, err
	}
	out := make([]ExclusionView, len(list))
	for i, e := range list {
		out[i] = ExclusionView{Exclusion: e, Person: people[e.Identity].Name, InForce: e.InForce(tx.Now)}
	}
	return out, nil
}

// EndExclusion lets somebody have again what a reviewer took away, if anything still
// gives it. It needs a reason; nobody does it for themselves.
func (h *Hub) EndExclusion(ctx context.Context, by Who, id, reason string) (v ExclusionView, err error) {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return v, model.Fail(model.Invalid, "reason is missing: say why it is given back", nil)
	}
	if err := checkReason(reason); err != nil {
		return v, err
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		e, err := tx.Exclusion(id)
		if err != nil {
			return err
		}
		switch {
		case !me.operator:
			return model.Fail(model.Forbidden, "what a review took away is given back by an operator", nil)
		case me.id != "" && me.id == e.Identity:
			return model.Fail(model.Forbidden, me.name+" is who it was taken from: nobody decides about themselves", nil)
		case e.Ended != nil:
			return model.Fail(model.Conflict, "it has ended already: "+e.EndedWhy, nil)
		}
		if err := tx.HoldIdentities(e.Identity); err != nil {
			return err
		}
		e.Ended, e.EndedBy, e.EndedWhy = &tx.Now, me.actor(), reason
		if err := endExclusion(tx, me.actor(), e); err != nil {
			return err
		}
		views, err := viewExclusions(tx, []model.Exclusion{e})
		if err == nil {
			v = views[0]
		}
		return err
	})
	if err == nil {
		h.Wake()
	}
	return v, err
}
