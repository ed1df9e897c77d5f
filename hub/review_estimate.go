package hub

import (
	"context"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// Bounds of how far an estimate looks.
const (
	estimateSteps = 10    // of a campaign's making
	estimateMost  = 10000 // holders of roles, which are counted and not read
)

// EstimateReview says how many items a review would have, or that they are more than it
// counted.
func (h *Hub) EstimateReview(ctx context.Context, in NewReview) (out ReviewEstimate, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return out, noConfiguration()
	}
	if err := checkScope(snap.Doc, in.Scope); err != nil {
		return out, err
	}
	in.Stages, in.Escalate = []model.ReviewStage{{Reviewers: []string{managerApprover}, Within: 1}}, nil
	err = h.Store.View(ctx, func(tx *store.Tx) error {
		c, err := newCampaign(tx, in)
		if err != nil {
			return err
		}
		out = ReviewEstimate{}
		if out.About, err = scopeWords(tx, c.Scope); err != nil {
			return err
		}
		b := newReviewBuild(tx, snap, c)
		b.rough = true
		cursor, known, err := b.counted(&out)
		if err != nil || known {
			return err
		}
		for range estimateSteps {
			items, next, err := b.step(cursor)
			if err != nil {
				return err
			}
			out.Items += int64(len(items))
			if cursor = next; next == "" {
				return nil
			}
		}
		out.More = true
		return nil
	})
	return out, err
}

// counted counts the items of a campaign that is about all who hold some roles, as far as
// it is known without reading them: from the cursor on they have to be. known: that is all.
func (b *reviewBuild) counted(out *ReviewEstimate) (cursor string, known bool, err error) {
	cursor = b.afterRole("")
	if s := b.c.Scope; b.firstWay() != strings.Split(cursor, betweenWays)[0] || s.UnusedFor > 0 {
		return "", false, nil
	}
	for strings.HasPrefix(cursor, wayRole) {
		role, _, _ := strings.Cut(strings.TrimPrefix(cursor, wayRole), betweenWays)
		n, err := b.tx.CountHolders(estimateMost, role)
		if err != nil {
			return "", false, err
		}
		if out.Items += int64(n); out.Items > estimateMost {
			out.Items, out.More = estimateMost, true
			return "", true, nil
		}
		cursor = b.afterRole(role)
	}
	return cursor, cursor == "" || cursor == wayEverything, nil
}
