package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// How reviews are carried on.
const (
	reviewPause    = time.Second      // what other replicas did is found this late at most
	schedulePause  = 10 * time.Second // between looks at the campaigns of the configuration
	campaignPause  = time.Minute      // until a campaign is taken up again that failed
	refreshEvery   = 24 * time.Hour   // who is asked is looked up again for all that waits
	secondLook     = time.Hour        // after the last decision, in which it can be changed
	toldAtOnce     = 200              // reviewers in one notice
	itemsAtOnce    = 200
	verifyFirst    = 2 * time.Second
	verifySlowest  = 5 * time.Minute
	verifiedAtOnce = 100
)

// The works over all items, or all reviewers, of an open campaign.
const (
	taskTell     = "tell"     // the stage has begun
	taskRemind   = "remind"   // items still wait
	taskEscalate = "escalate" // others are asked, too
	taskRefresh  = "refresh"  // who is asked is looked up again
	taskSettle   = "settle"   // what nobody decided
	taskSeal     = "seal"     // what was decided is summed up
)

// RunReviews carries reviews on until the context ends: their items are written, people
// are told and reminded, stages end, revocations are looked after. Any number of
// replicas may run it.
func (h *Hub) RunReviews(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := h.ReviewStep(ctx)
		if err != nil && ctx.Err() == nil {
			h.Log.ErrorContext(ctx, "reviews cannot be carried on", "error", err)
		}
		if worked && err == nil {
			continue
		}
		timer := time.NewTimer(reviewPause)
		select {
		case <-ctx.Done():
		case <-h.reviewsWoken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wakeReviews tells RunReviews that there may be something to do. Losing it costs time
// only.
func (h *Hub) wakeReviews() {
	select {
	case h.reviewsWoken <- struct{}{}:
	default:
	}
}

// ReviewStep does the next bit of work of reviews; it reports whether there was any.
func (h *Hub) ReviewStep(ctx context.Context) (worked bool, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return false, nil
	}
	ctx = context.WithoutCancel(ctx) // what was begun is finished
	if started, err := h.scheduleReviews(ctx, snap); err != nil || started {
		return started, err
	}
	due, err := h.Store.ReviewsDue(ctx)
	if err != nil || !due {
		return false, err
	}
	for _, work := range []func(context.Context, *Snapshot) (bool, error){h.workCampaign, h.verifyItems, h.workMoves} {
		did, err := work(ctx, snap)
		worked = worked || did
		if err != nil {
			return worked, err
		}
	}
	return worked, nil
}

// scheduleReviews starts the campaigns of the configuration that are due; it looks at
// them every few seconds.
func (h *Hub) scheduleReviews(ctx context.Context, snap *Snapshot) (started bool, err error) {
	now := h.Store.Now().UnixMicro()
	last := h.lastSchedule.Load()
	if len(snap.Doc.Reviews.Campaigns) == 0 || now >= last && now-last < schedulePause.Microseconds() || !h.lastSchedule.CompareAndSwap(last, now) {
		return false, nil
	}
	err = h.Store.Update(ctx, func(tx *store.Tx) (err error) {
		started, err = h.startScheduled(tx, snap)
		return err
	})
	return started, err
}

func (h *Hub) workMoves(ctx context.Context, snap *Snapshot) (worked bool, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) (err error) {
		worked, err = h.startMoved(tx, snap)
		return err
	})
	return worked, err
}

// workCampaign does the next bit of work of one campaign. One that fails waits, so that
// it keeps no other one waiting.
func (h *Hub) workCampaign(ctx context.Context, snap *Snapshot) (worked bool, err error) {
	id := ""
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		c, found, err := tx.DueCampaign()
		if worked = found; err != nil || !found {
			return err
		}
		id = c.ID
		return h.surviveReview(tx, snap, c)
	})
	if err == nil || id == "" {
		return worked, err
	}
	pause := campaignPause
	if model.CodeOf(err) == model.Conflict { // somebody changed an item meanwhile
		pause = 0
	}
	postponed := h.Store.Update(ctx, func(tx *store.Tx) error { return tx.PostponeCampaign(id, tx.Now.Add(pause)) })
	if pause == 0 && postponed == nil {
		return true, nil
	}
	return worked, errors.Join(fmt.Errorf("review %s: %w", id, err), postponed)
}

// stepsAtOnce is how many steps of a campaign are taken before whoever began it has their
// answer; what is left goes on by itself.
const stepsAtOnce = 10

// workNow takes the next steps of a campaign as long as it is in a state, and gives it as
// it is then. That it fails is for RunReviews to find.
func (h *Hub) workNow(ctx context.Context, snap *Snapshot, id string, state model.CampaignState) (v ReviewView, err error) {
	for range stepsAtOnce {
		again := false
		err := h.Store.Update(ctx, func(tx *store.Tx) error {
			c, err := tx.LockCampaign(id)
			if again = c.State == state; err != nil || !again {
				return err
			}
			return h.surviveReview(tx, snap, c)
		})
		if err != nil || !again {
			break
		}
	}
	h.wakeReviews()
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		v, err = viewCampaign(tx, snap, c, nil)
		return err
	})
	return v, err
}

// surviveReview is one bit of work of a campaign; a panic is an error.
func (h *Hub) surviveReview(tx *store.Tx, snap *Snapshot, c model.Campaign) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	w := campaignWork{h: h, tx: tx, snap: snap, c: &c}
	switch {
	case c.State == model.CampaignPreparing:
		err = w.prepare()
	case c.State == model.CampaignMoving:
		err = w.move()
	case c.State == model.CampaignClosing && c.Task == taskSettle:
		err = w.settle()
	case c.State == model.CampaignClosing:
		err = w.seal()
	case c.State == model.CampaignOpen && c.Task == taskRefresh:
		err = w.refresh()
	case c.State == model.CampaignOpen && c.Task != "":
		err = w.tell()
	case c.State == model.CampaignOpen:
		err = w.look()
	default:
		c.NextAt = time.Time{}
	}
	if err != nil {
		return err
	}
	return tx.SaveCampaign(c)
}
