package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// campaignWork is one bit of work of a campaign.
type campaignWork struct {
	h    *Hub
	tx   *store.Tx
	snap *Snapshot
	c    *model.Campaign
}

func (w *campaignWork) again() { w.c.NextAt = w.tx.Now }

// prepare writes the next items; behind the last the first stage opens.
func (w *campaignWork) prepare() error {
	items, next, err := newReviewBuild(w.tx, w.snap, *w.c).step(w.c.Cursor)
	if err != nil {
		return err
	}
	book := w.tx.ReviewBook()
	if _, err := book.Add(items); err != nil {
		return err
	}
	if err := book.Close(); err != nil {
		return err
	}
	w.again()
	if w.c.Cursor = next; next != "" {
		return nil
	}
	counts, err := w.counts()
	if err != nil {
		return err
	}
	if counts.Items == 0 { // there is nothing to look at
		w.close("hub")
		return nil
	}
	w.openStage()
	return nil
}

func (w *campaignWork) counts() (ReviewCounts, error) {
	counts, err := w.tx.ReviewCounts([]string{w.c.ID})
	return reviewCounts(counts[w.c.ID]), err
}

func (w *campaignWork) openStage() {
	now := w.tx.Now
	s := &w.c.Stages[w.c.Stage]
	s.Opened = &now
	w.c.State, w.c.Due, w.c.Refreshed = model.CampaignOpen, now.Add(s.Within), now
	w.c.Cursor, w.c.Task, w.c.Escalated, w.c.RemindedAt = "", taskTell, nil, nil
}

// close begins the end of a campaign.
func (w *campaignWork) close(by string) {
	now := w.tx.Now
	w.c.Stages[w.c.Stage].Closed = &now
	w.c.State, w.c.Cursor, w.c.Task, w.c.ClosedBy = model.CampaignClosing, "", taskSettle, by
	if w.c.SettleAs == "" {
		w.c.SettleAs = w.c.Undecided
	}
	w.again()
}

// look decides what comes next of a campaign that is open.
func (w *campaignWork) look() error {
	c, now := w.c, w.tx.Now
	counts, err := w.counts()
	if err != nil {
		return err
	}
	var done carriedPace
	if err := w.tx.ReviewPace(c.ID, "", &done); err != nil {
		return err
	}
	stage := c.Stages[c.Stage]
	last := c.Stage == len(c.Stages)-1
	said := *stage.Opened
	if done.LastSaid.After(said) {
		said = done.LastSaid
	}
	w.again()
	switch {
	case !now.Before(c.Due) && last && c.Undecided == model.UndecidedEscalate && !c.Extended && counts.Pending > 0:
		c.Extended, c.Due, c.Task, c.Cursor = true, now.Add(stage.Within), taskRefresh, ""
	case last && (!now.Before(c.Due) || counts.Pending == 0 && !now.Before(said.Add(secondLook))):
		w.close("hub")
	case !last && (!now.Before(c.Due) || counts.Pending == 0):
		c.Stages[c.Stage].Closed = &now
		c.Stage++
		c.State, c.Cursor = model.CampaignMoving, ""
	case c.Escalated == nil && c.After > 0 && len(c.Escalate) > 0 && counts.Pending > 0 && !now.Before(stage.Opened.Add(c.After)):
		c.Escalated, c.Task, c.Cursor = &now, taskRefresh, ""
	case c.Remind > 0 && counts.Pending > 0 && !now.Before(remindAt(*c)):
		c.RemindedAt, c.Task, c.Cursor = &now, taskRemind, ""
	case counts.Pending > 0 && !now.Before(c.Refreshed.Add(refreshEvery)):
		c.Task, c.Cursor = taskRefresh, ""
	default:
		c.NextAt = w.next(counts, said)
	}
	return nil
}

func remindAt(c model.Campaign) time.Time {
	from := *c.Stages[c.Stage].Opened
	if c.RemindedAt != nil {
		from = *c.RemindedAt
	}
	return from.Add(c.Remind)
}

// next is when there is something to do by the clock.
func (w *campaignWork) next(counts ReviewCounts, said time.Time) time.Time {
	c := w.c
	next := c.Due
	sooner := func(when bool, at time.Time) {
		if when && at.After(w.tx.Now) && at.Before(next) {
			next = at
		}
	}
	pending := counts.Pending > 0
	sooner(!pending, said.Add(secondLook))
	sooner(pending && c.Remind > 0, remindAt(*c))
	sooner(pending && c.Escalated == nil && c.After > 0 && len(c.Escalate) > 0, c.Stages[c.Stage].Opened.Add(c.After))
	sooner(pending, c.Refreshed.Add(refreshEvery))
	return next
}

// tell writes the next notices to those who are asked.
func (w *campaignWork) tell() error {
	waiting, err := w.tx.ReviewWaiting(w.c.ID, w.c.Cursor, toldAtOnce)
	if err != nil {
		return err
	}
	var asked []string
	for _, c := range waiting {
		asked = append(asked, c.Who)
	}
	kind := map[string]string{taskTell: "review.started", taskRemind: "review.reminder", taskEscalate: "review.escalated"}[w.c.Task]
	if len(asked) > 0 {
		if err := reviewNews(w.tx, kind, *w.c, asked, w.c.Cursor, nil); err != nil {
			return err
		}
	}
	w.again()
	if len(waiting) == toldAtOnce {
		w.c.Cursor = asked[len(asked)-1]
		return nil
	}
	w.c.Task, w.c.Cursor = "", ""
	return nil
}

// reviewNews writes what is to be told of a campaign. Of one stage, one moment and one
// part of those who are asked it is told once.
func reviewNews(tx *store.Tx, kind string, c model.Campaign, asked []string, part string, more map[string]any) error {
	data := map[string]any{"review": c.ID, "name": c.Name, "due": c.Due, "stage": c.Stage + 1, "stages": len(c.Stages)}
	maps.Copy(data, more)
	key := fmt.Sprintf("%s/%d/%s/%s", c.ID, c.Stage, part, c.Due.UTC().Format(time.RFC3339Nano))
	if c.RemindedAt != nil {
		key += "/" + strconv.FormatInt(c.RemindedAt.UnixMicro(), 10)
	}
	return tx.Notify(store.Notice{Type: kind, Subject: "review/" + c.ID, Key: key, Asked: asked, Data: data})
}

// refresh looks up who is asked about the next items; behind the last, those are told
// who are asked since the campaign escalated.
func (w *campaignWork) refresh() error {
	more, err := w.each([]string{string(model.ItemPending)}, 0, func(who *reviewerBook, item model.ReviewItem) (model.ReviewItem, error) {
		var err error
		item.Asked, item.Nobody, item.Escalated, err = who.asked(*w.c, item)
		item.Escalated = item.Escalated || w.c.Escalated != nil || w.c.Extended
		return item, err
	})
	if err != nil || more {
		return err
	}
	escalated := w.c.Escalated != nil && !w.c.Escalated.Before(w.c.Refreshed) || w.c.Extended && w.c.Refreshed.Before(w.c.Due.Add(-w.c.Stages[w.c.Stage].Within))
	w.c.Refreshed, w.c.Task, w.c.Cursor = w.tx.Now, "", ""
	if escalated {
		w.c.Task = taskEscalate
	}
	return nil
}

// each changes the next items of some states; more reports whether there may be more.
func (w *campaignWork) each(states []string, below int, change func(*reviewerBook, model.ReviewItem) (model.ReviewItem, error)) (more bool, err error) {
	f := store.ReviewItemFilter{Review: w.c.ID, States: states, Below: below, After: w.c.Cursor, Limit: itemsAtOnce}
	items, next, err := w.tx.ReviewItems(f)
	if err != nil {
		return false, err
	}
	who := newReviewerBook(w.tx, w.snap)
	if err := who.learn(names(items, func(i model.ReviewItem) string { return i.Identity })); err != nil {
		return false, err
	}
	book := w.tx.ReviewBook()
	for _, item := range items {
		now, err := change(who, item)
		if err != nil {
			return false, err
		}
		if sameItem(item, now) {
			continue
		}
		if err := book.Save(item, now); err != nil {
			return false, err
		}
	}
	w.again()
	w.c.Cursor = next
	return next != "", book.Close()
}

// move puts the next items into the stage that begins.
func (w *campaignWork) move() error {
	more, err := w.each([]string{string(model.ItemPending), string(model.ItemDecided)}, w.c.Stage, func(who *reviewerBook, item model.ReviewItem) (model.ReviewItem, error) {
		if item.Decision != nil {
			item.Earlier = append(append([]model.ReviewDecision(nil), item.Earlier...), *item.Decision)
		}
		item.Stage, item.State, item.Decision = w.c.Stage, model.ItemPending, nil
		var err error
		item.Asked, item.Nobody, item.Escalated, err = who.asked(*w.c, item)
		return item, err
	})
	if err != nil || more {
		return err
	}
	w.openStage()
	return nil
}

// settle does with the next items that nobody decided what the campaign says.
func (w *campaignWork) settle() error {
	var entries []store.AuditEntry
	more, err := w.each([]string{string(model.ItemPending), string(model.ItemDecided)}, 0, func(_ *reviewerBook, item model.ReviewItem) (model.ReviewItem, error) {
		if item.Decision == nil && w.c.SettleAs != model.UndecidedRevoke {
			item.State = model.ItemUndecided
			return item, nil
		}
		if item.Decision == nil {
			item.Decision = &model.ReviewDecision{Verdict: model.VerdictRevoke, Reason: "nobody decided in time", By: "the review " + w.c.Name, Stage: w.c.Stage, At: w.tx.Now, Rule: true}
		}
		now, err := carryOut(w.tx, "hub", item)
		if err != nil {
			return item, err
		}
		entry, err := tellItem(w.tx, "hub", "review.decided", now)
		entries = append(entries, entry)
		return now, err
	})
	if err != nil {
		return err
	}
	if !more {
		w.c.Task, w.c.Cursor, w.c.Digest = taskSeal, "", ""
	}
	return w.tx.Audit(entries...)
}

// seal sums up what was decided about the next items; behind the last the campaign is
// closed, and its digest in the audit trail.
func (w *campaignWork) seal() error {
	more, err := w.each(nil, 0, func(_ *reviewerBook, item model.ReviewItem) (model.ReviewItem, error) {
		item.Sealed = item.Seal()
		sum := sha256.Sum256([]byte(w.c.Digest + item.Sealed))
		w.c.Digest = hex.EncodeToString(sum[:])
		return item, nil
	})
	if err != nil || more {
		return err
	}
	counts, err := w.counts()
	if err != nil {
		return err
	}
	now := w.tx.Now
	w.c.State, w.c.Closed, w.c.Cursor, w.c.Task, w.c.NextAt = model.CampaignClosed, &now, "", "", time.Time{}
	data := map[string]any{"digest": w.c.Digest, "counts": counts}
	if err := reviewNews(w.tx, "review.closed", *w.c, nil, "closed", map[string]any{"counts": counts}); err != nil {
		return err
	}
	return auditCampaign(w.tx, w.c.ClosedBy, "review.closed", *w.c, data)
}
