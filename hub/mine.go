package hub

import (
	"context"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Mine is how much waits for one person, none counted beyond what was asked for.
type Mine struct {
	Requests       int // to be decided
	OldestRequest  *time.Time
	Tasks          int
	FirstTaskDue   *time.Time
	ReviewItems    int
	FirstReviewDue *time.Time
}

// Mine counts what waits for who asks: as themselves, as holder of a role, and as
// somebody's deputy. Nothing waits for a caller who acts for nobody.
func (h *Hub) Mine(ctx context.Context, by Who, most int) (out Mine, err error) {
	if by.Person == "" {
		return out, nil
	}
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		me, err := acting(tx, by)
		if err != nil || me.id == "" {
			return ignoreForbidden(err) // who left has nothing to do
		}
		keys, err := answersFor(tx, me.id)
		if err != nil {
			return err
		}
		asked, _, err := tx.Requests(store.RequestFilter{Asked: keys}, "", most)
		if err != nil {
			return err
		}
		for _, r := range asked {
			if waitsFor(r, me.id) {
				out.Requests++
				out.OldestRequest = earlier(out.OldestRequest, r.Created)
			}
		}
		tasks, _, err := tx.Tasks(store.TaskFilter{Assigned: keys, Limit: most})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			out.Tasks++
			out.FirstTaskDue = earlier(out.FirstTaskDue, t.Due)
		}
		return mineToReview(tx, keys, most, &out)
	})
	return out, err
}

// mineToReview counts the items of open reviews that wait for an answer.
func mineToReview(tx *store.Tx, keys []string, most int, out *Mine) error {
	open, _, err := tx.Campaigns(store.CampaignFilter{State: string(model.CampaignOpen), Asked: keys, Limit: most})
	if err != nil {
		return err
	}
	for _, c := range open {
		items, _, err := tx.ReviewItems(store.ReviewItemFilter{Review: c.ID, State: string(model.ItemPending), Asked: keys, Limit: most})
		if err != nil {
			return err
		}
		if len(items) > 0 {
			out.ReviewItems = min(out.ReviewItems+len(items), most)
			out.FirstReviewDue = earlier(out.FirstReviewDue, c.Due)
		}
		if out.ReviewItems >= most {
			break
		}
	}
	return nil
}

func ignoreForbidden(err error) error {
	if model.CodeOf(err) == model.Forbidden {
		return nil
	}
	return err
}

func earlier(a *time.Time, b time.Time) *time.Time {
	if a == nil || b.Before(*a) {
		return &b
	}
	return a
}
