package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// ReviewVerdict is what somebody decides about one item.
type ReviewVerdict struct {
	Verdict string     // model.VerdictKeep, VerdictRevoke or VerdictUntil
	Until   *time.Time // of VerdictUntil
	Reason  string
	Version int64 // of the item that was looked at; 0: whichever it is
}

// DecideReview decides about one item of a review. Forbidden who is not asked, and
// about themselves anybody; Conflict where nothing waits for a decision, or where the
// item is another version by now; Invalid what is not said as it has to be.
func (h *Hub) DecideReview(ctx context.Context, by Who, review, item string, v ReviewVerdict) (out ReviewItemView, err error) {
	err = h.decideItems(ctx, by, review, func(d *deciding) error {
		now, err := d.one(item, v, false)
		if err != nil {
			return err
		}
		views, err := viewItems(d.tx, d.who, d.me, []model.ReviewItem{now})
		if err == nil {
			out = views[0]
		}
		return err
	})
	return out, err
}

// decideItems is a transaction in which somebody decides about items of a review.
func (h *Hub) decideItems(ctx context.Context, by Who, review string, decide func(*deciding) error) error {
	snap := h.Snapshot()
	if snap == nil {
		return noConfiguration()
	}
	err := h.Store.Update(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil {
			return err
		}
		d, err := newDeciding(tx, snap, me, review)
		if err != nil {
			return err
		}
		if err := decide(d); err != nil {
			return err
		}
		return d.close()
	})
	if err != nil {
		return err
	}
	h.Wake()
	h.wakeReviews()
	return nil
}

// deciding is what it takes to decide about items of one review.
type deciding struct {
	tx   *store.Tx
	snap *Snapshot
	me   asker
	c    model.Campaign
	who  []reviewAs // as whom
	book *store.ReviewBook
	find *reviewerBook
	pace reviewPace
	n    int
}

func newDeciding(tx *store.Tx, snap *Snapshot, me asker, review string) (d *deciding, err error) {
	d = &deciding{tx: tx, snap: snap, me: me, book: tx.ReviewBook(), find: newReviewerBook(tx, snap)}
	if d.who, err = reviewersOf(tx, me.id); err != nil {
		return nil, err
	}
	if d.c, err = tx.HoldCampaign(review); err != nil {
		return nil, err
	}
	switch d.c.State {
	case model.CampaignOpen:
	case model.CampaignPreparing:
		return nil, model.Fail(model.Conflict, "the review is being prepared: its items are still written", nil)
	case model.CampaignMoving:
		return nil, model.Fail(model.Conflict, "the next stage of the review begins just now: try again in a moment", nil)
	default:
		return nil, model.Fail(model.Conflict, "the review is closed", nil)
	}
	return d, nil
}

// close writes what is written once for all decisions.
func (d *deciding) close() error {
	if d.n == 0 {
		return nil
	}
	if err := d.book.Close(); err != nil {
		return err
	}
	if err := d.savePace(); err != nil {
		return err
	}
	counts, err := d.tx.ReviewCounts([]string{d.c.ID})
	if err != nil || counts[d.c.ID][string(model.ItemPending)] > 0 {
		return err
	}
	at := d.tx.Now
	if d.c.Stage == len(d.c.Stages)-1 {
		at = at.Add(secondLook)
	}
	return d.tx.WakeCampaign(d.c.ID, at)
}

// one decides about one item, which is as it is from now on then.
func (d *deciding) one(id string, v ReviewVerdict, bulk bool) (model.ReviewItem, error) {
	before, err := d.hold(id)
	if err != nil {
		return before, err
	}
	as, key, override, err := d.allowed(before)
	if err != nil {
		return before, err
	}
	if v.Version != 0 && v.Version != before.Version {
		return before, model.Fail(model.Conflict, fmt.Sprintf("the item has changed meanwhile, it is version %d now: look at it again", before.Version), nil)
	}
	if err := d.decidable(before, &v); err != nil {
		return before, err
	}
	now := before
	if before.Decision != nil {
		now.Earlier = append(slices.Clone(before.Earlier), *before.Decision)
	}
	now.Decision = &model.ReviewDecision{Verdict: v.Verdict, Until: v.Until, Reason: v.Reason, By: d.me.name, Person: d.me.id, For: key, Override: override, Bulk: bulk, Stage: d.c.Stage, At: d.tx.Now,
		Against: against(before, v)}
	if as.person != d.me.id {
		now.Decision.DeputyOf = as.person
	}
	if now.State = model.ItemDecided; d.c.Stage == len(d.c.Stages)-1 {
		if now, err = carryOut(d.tx, d.me.actor(), now); err != nil {
			return before, err
		}
	}
	if err := d.book.Save(before, now); err != nil {
		return before, err
	}
	now.Version = before.Version + 1
	d.n++
	d.pace.say(*now.Decision)
	entry, err := tellItem(d.tx, d.me.actor(), "review.decided", now)
	if err != nil {
		return before, err
	}
	return now, d.tx.Audit(entry)
}

// hold reads an item and its person, held for a decision.
func (d *deciding) hold(id string) (model.ReviewItem, error) {
	item, err := d.tx.ReviewItem(id)
	if err == nil && item.Review != d.c.ID {
		err = model.Fail(model.NotFound, fmt.Sprintf("there is no item with the id %q in this review", id), nil)
	}
	if err != nil {
		return item, err
	}
	if item.Identity != "" {
		if err := d.tx.HoldIdentities(item.Identity); err != nil {
			return item, err
		}
	}
	return d.tx.LockReviewItem(id)
}

// allowed says as whom the caller decides about an item.
func (d *deciding) allowed(item model.ReviewItem) (as reviewAs, key string, override bool, err error) {
	if d.me.id != "" && d.me.id == item.Identity {
		return as, "", false, model.Fail(model.Forbidden, fmt.Sprintf("%s has %s: nobody reviews what is their own", d.me.name, reviewWhat(item)), nil)
	}
	if item.State != model.ItemPending { // who may change a decision is who might have made it
		if err := d.find.learn([]string{item.Identity}); err != nil {
			return as, "", false, err
		}
		if item.Asked, _, _, err = d.find.asked(d.c, item); err != nil {
			return as, "", false, err
		}
	}
	as, key, ok := mayReview(d.who, d.me.id, item)
	switch {
	case ok:
		return as, key, false, nil
	case d.me.override:
		return reviewAs{person: d.me.id}, "", true, nil
	}
	return as, "", false, model.Fail(model.Forbidden, fmt.Sprintf("%s is not asked about %s of %s", d.me.name, reviewWhat(item), item.Person), nil)
}

// decidable says why a decision is none; it puts the reason in order.
func (d *deciding) decidable(item model.ReviewItem, v *ReviewVerdict) error {
	v.Reason = strings.TrimSpace(v.Reason)
	if err := cmp.Or(checkReason(v.Reason), checkTime("until", v.Until)); err != nil {
		return err
	}
	switch {
	case item.Stage != d.c.Stage:
		return model.Fail(model.Conflict, "the item is of another stage", nil)
	case item.State == model.ItemGone:
		return model.Fail(model.Conflict, item.Person+" does not have it any more: there is nothing to decide", nil)
	case item.State == model.ItemUndecided:
		return model.Fail(model.Conflict, "the time to decide is over", nil)
	}
	if carried := item.State == model.ItemEvaluated || item.State == model.ItemRevoked; carried && (item.Access.Request != "" || item.Identity == "" || v.Verdict == model.VerdictRevoke) {
		return model.Fail(model.Conflict, "it has been taken away already; who needs it asks for it anew", nil)
	}
	return checkVerdict(item, v, d.tx.Now)
}

func checkVerdict(item model.ReviewItem, v *ReviewVerdict, now time.Time) error {
	switch v.Verdict {
	case model.VerdictKeep:
		if v.Until != nil {
			return model.Fail(model.Invalid, "until goes with until=DATE alone", nil)
		}
	case model.VerdictRevoke:
		v.Until = nil
		if v.Reason == "" {
			return model.Fail(model.Invalid, "reason is missing: say why it is taken away", nil)
		}
	case model.VerdictUntil:
		switch {
		case v.Until == nil:
			return model.Fail(model.Invalid, "until is missing: until=2027-06-30", nil)
		case !v.Until.After(now):
			return model.Fail(model.Invalid, fmt.Sprintf("until %s has passed already: revoke it instead", v.Until.Format(time.RFC3339)), nil)
		case item.Access.Until != nil && v.Until.After(*item.Access.Until):
			return model.Fail(model.Invalid, fmt.Sprintf("until %s is later than the end it has, %s: for longer it is asked for anew", v.Until.Format(time.RFC3339), item.Access.Until.Format(time.RFC3339)), nil)
		case item.Identity == "":
			return model.Fail(model.Invalid, "an account that is nobody's is kept or revoked", nil)
		}
		until := v.Until.UTC()
		v.Until = &until
	default:
		return model.Fail(model.Invalid, "decision must be keep, revoke or until=DATE", nil)
	}
	if against(item, *v) && v.Reason == "" {
		return model.Fail(model.Invalid, fmt.Sprintf("reason is missing: the recommendation is to revoke (%s)", item.Hints.Because), nil)
	}
	return nil
}

// against reports whether a verdict goes against the recommendation.
func against(item model.ReviewItem, v ReviewVerdict) bool {
	return item.Hints.Recommend == model.VerdictRevoke && v.Verdict != model.VerdictRevoke || item.Hints.Recommend == model.VerdictKeep && v.Verdict == model.VerdictRevoke
}
