package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// carryOut does what a decision of the last stage says: what is taken away is a row that
// the evaluation keeps to, and a mark. It returns the item as it is from then on.
func carryOut(tx *store.Tx, actor string, item model.ReviewItem) (model.ReviewItem, error) {
	d := item.Decision
	if err := takeBack(tx, actor, item); err != nil {
		return item, err
	}
	item.Carried, item.CheckAt, item.Checks = nil, time.Time{}, 0
	switch d.Verdict {
	case model.VerdictKeep:
		item.State = model.ItemKept
		return item, nil
	case model.VerdictUntil:
		item.State = model.ItemEnding
	default:
		item.State = model.ItemRevoking
	}
	if item.Identity == "" {
		now := tx.Now
		item.State, item.CheckAt = model.ItemEvaluated, now.Add(verifyFirst)
		item.Carried = &model.ReviewCarried{EvaluatedAt: &now, Note: "the hub takes no account away that is nobody's: take it away at " + item.Target + "; the next sweep sees it"}
		return item, nil
	}
	e := model.Exclusion{Identity: item.Identity, Role: item.Role, Target: item.Target, Group: item.Group, Review: item.Review, Item: item.ID, By: d.By, Reason: d.Reason,
		Facts: item.Access.Facts, Created: tx.Now, From: tx.Now}
	if d.Until != nil {
		e.From = *d.Until
	}
	if len(e.Facts) == 0 && item.Hints.Department != "" {
		e.Facts = model.Facts{departmentPath: item.Hints.Department}
	}
	var err error
	if e.ID, err = newID(); err != nil {
		return item, err
	}
	if err := tx.AddExclusion(e); err != nil {
		return item, err
	}
	item.Carried = &model.ReviewCarried{Exclusion: e.ID}
	entry, err := tellExclusion(tx, actor, "review.revoked", e)
	if err != nil {
		return item, err
	}
	if err := tx.Mark(false, item.Identity); err != nil {
		return item, err
	}
	return item, tx.Audit(entry)
}

// takeBack ends what an earlier decision about an item took away.
func takeBack(tx *store.Tx, actor string, item model.ReviewItem) error {
	if item.Carried == nil || item.Carried.Exclusion == "" {
		return nil
	}
	e, err := tx.Exclusion(item.Carried.Exclusion)
	if err != nil || e.Ended != nil {
		return err
	}
	e.Ended, e.EndedBy, e.EndedWhy = &tx.Now, actor, "decided otherwise"
	return endExclusion(tx, actor, e)
}

// endExclusion stores an end, tells it and marks the person.
func endExclusion(tx *store.Tx, actor string, e model.Exclusion) error {
	saved, err := tx.SaveExclusion(e)
	if err != nil || !saved {
		return err
	}
	entry, err := tellExclusion(tx, actor, "review.exclusion_ended", e)
	if err != nil {
		return err
	}
	if err := tx.Mark(false, e.Identity); err != nil {
		return err
	}
	return tx.Audit(entry)
}

// verifyItems looks at targets' accounts, as the hub knows them, for what was revoked.
func (h *Hub) verifyItems(ctx context.Context, snap *Snapshot) (worked bool, err error) {
	err = h.Store.Update(ctx, func(tx *store.Tx) error {
		items, err := tx.DueReviewItems(verifiedAtOnce)
		worked = len(items) > 0
		if err != nil || !worked {
			return err
		}
		accounts, err := tx.AccountsOf(unique(names(items, func(i model.ReviewItem) string {
			if i.Identity == "" {
				return i.Group
			}
			return i.Identity
		})))
		if err != nil {
			return err
		}
		book := tx.ReviewBook()
		var entries []store.AuditEntry
		var verified []model.ReviewItem
		paces := map[string]carriedPace{}
		for _, item := range items {
			now := verifiedItem(snap, item, accounts, tx.Now)
			if err := book.Save(item, now); err != nil {
				return err
			}
			if now.State != model.ItemRevoked {
				continue
			}
			entry, err := tellItem(tx, "hub", "review.verified", now)
			if err != nil {
				return err
			}
			entries, verified = append(entries, entry), append(verified, now)
		}
		if err := book.Close(); err != nil {
			return err
		}
		for _, item := range verified {
			if err := addVerified(tx, paces, item); err != nil {
				return err
			}
		}
		for _, review := range sortedKeys(paces) {
			if err := tx.SetReviewPace(review, "", paces[review]); err != nil {
				return err
			}
		}
		return tx.Audit(entries...)
	})
	return worked, err
}

// carriedPace is how fast the revocations of a campaign are carried out, and when
// somebody decided last.
type carriedPace struct {
	LastSaid time.Time     `json:"last_said,omitzero"`
	Verified int64         `json:"verified"`
	Sum      time.Duration `json:"sum"`
	Slowest  time.Duration `json:"slowest"`
}

func addVerified(tx *store.Tx, paces map[string]carriedPace, item model.ReviewItem) error {
	p, known := paces[item.Review]
	if !known {
		if err := tx.ReviewPace(item.Review, "", &p); err != nil {
			return err
		}
	}
	took := item.Carried.VerifiedAt.Sub(item.Decision.At)
	p.Verified++
	p.Sum += took
	p.Slowest = max(p.Slowest, took)
	paces[item.Review] = p
	return nil
}

// verifiedItem is an item that was taken away in the hub after a look at the accounts.
// It is pure.
func verifiedItem(snap *Snapshot, item model.ReviewItem, accounts []model.AccountRow, now time.Time) model.ReviewItem {
	item.CheckAt = time.Time{}
	if item.State != model.ItemEvaluated {
		return item
	}
	carried := *item.Carried
	left, stays, at := leftAt(snap, item, accounts)
	if len(left) == 0 {
		if at.Before(*carried.EvaluatedAt) {
			at = now
		}
		carried.VerifiedAt, carried.Note = &at, strings.Join(stays, "; ")
		item.State, item.Carried = model.ItemRevoked, &carried
		return item
	}
	if item.Identity != "" {
		carried.Note = strings.Join(left, "; ")
	}
	item.Carried = &carried
	item.CheckAt = now.Add(min(verifySlowest, verifyFirst<<min(item.Checks, 10)))
	item.Checks++
	return item
}

// leftAt says what of an item targets still hold, what stays since something else gives
// it, and when the rest was last seen to be gone.
func leftAt(snap *Snapshot, item model.ReviewItem, accounts []model.AccountRow) (left, stays []string, at time.Time) {
	for _, e := range item.Access.Gives {
		if _, configured := snap.Doc.Target(e.Target); !configured {
			stays = append(stays, e.Target+" is not configured any more")
			continue
		}
		owner := item.Identity
		if owner == "" {
			owner = item.Group
		}
		n := slices.IndexFunc(accounts, func(a model.AccountRow) bool { return a.Target == e.Target && a.Identity == owner })
		if n < 0 {
			continue
		}
		a, what := accounts[n], entitlementText(e)
		holds := func(x *model.Account) bool {
			return x != nil && x.Active && (e.Group == "" || slices.ContainsFunc(x.Groups, func(g string) bool { return strings.EqualFold(g, e.Group) }))
		}
		switch {
		case item.Identity == "" && a.State == model.StateUnknown && (a.Observed == nil || a.Observed.Active):
			left = append(left, what+" is still there")
		case holds(a.Desired):
			stays = append(stays, what+" stays: something else gives it")
		case holds(a.Applied) || slices.ContainsFunc(a.Sent, func(s model.Account) bool { return holds(&s) }):
			text := what + " is still there (" + string(a.State) + ")"
			if a.LastError != "" {
				text += ": " + a.LastError
			}
			left = append(left, text)
		case a.VerifiedAt != nil && a.VerifiedAt.After(at):
			at = *a.VerifiedAt
		}
	}
	return left, stays, at
}

func entitlementText(e model.Entitlement) string {
	if e.Group == "" {
		return fmt.Sprintf("the account at %s", e.Target)
	}
	return fmt.Sprintf("the group %s at %s", e.Group, e.Target)
}
