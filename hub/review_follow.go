package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// followReviews brings open items of reviews to what was just decided about people, and
// notes who has another manager or department. It gives the audit entries.
func (h *Hub) followReviews(tx *store.Tx, snap *Snapshot, list []decided) (entries []store.AuditEntry, err error) {
	if err := tx.SetMoves(movesOf(snap, list, tx.Now)); err != nil {
		return nil, err
	}
	by := make(map[string]decided, len(list))
	ids := make([]string, 0, len(list))
	for _, e := range list {
		by[e.k.Row.ID] = e
		ids = append(ids, e.k.Row.ID)
	}
	items, err := tx.LiveReviewItems(ids)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	f := following{tx: tx, book: newReviewerBook(tx, snap), campaigns: map[string]model.Campaign{}}
	if err := f.book.learn(ids); err != nil {
		return nil, err
	}
	saves := tx.ReviewBook()
	for _, item := range items {
		now, err := f.follow(item, by[item.Identity])
		if err != nil {
			return nil, err
		}
		if sameItem(item, now) {
			continue
		}
		if err := saves.Save(item, now); err != nil {
			return nil, err
		}
		if item.State != now.State {
			entry, err := tellItem(tx, "hub", "review.item_"+string(now.State), now)
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
	}
	return entries, saves.Close()
}

// movesOf are those who have another manager or department than at the last evaluation.
// Who had none before, or has none now, has not moved.
func movesOf(snap *Snapshot, list []decided, now time.Time) (out []store.Move) {
	for _, e := range list {
		if e.k.Row.EvaluatedAt == nil || !e.d.present() || !here(e.k.Row.Stage) {
			continue
		}
		how := ""
		if m := e.k.Manager; m != nil && m.ID != "" && e.k.noted.Manager != "" && m.ID != e.k.noted.Manager {
			how = "another manager: " + m.Name
		}
		was, is := departmentOf(e.k.Row.User), departmentOf(e.d.Identity.User)
		if was != "" && is != "" && !strings.EqualFold(was, is) {
			how = strings.TrimPrefix(how+"; ", "; ") + fmt.Sprintf("another department: %q, before %q", is, was)
		}
		if how != "" {
			out = append(out, store.Move{Identity: e.k.Row.ID, At: now, How: how, Due: snap.Doc.Reviews.OnMove != nil})
		}
	}
	return out
}

// following is what it takes to follow items.
type following struct {
	tx        *store.Tx
	book      *reviewerBook
	campaigns map[string]model.Campaign
}

func (f *following) campaign(id string) (model.Campaign, error) {
	if c, known := f.campaigns[id]; known {
		return c, nil
	}
	c, err := f.tx.Campaign(id)
	f.campaigns[id] = c
	return c, err
}

// follow is one item as it is now.
func (f *following) follow(item model.ReviewItem, e decided) (model.ReviewItem, error) {
	held, grant, known := holdsItem(item, e)
	if !known {
		return item, nil
	}
	if item.State == model.ItemRevoking {
		return carriedIn(item, e, held, f.tx.Now), nil
	}
	if !held {
		item.State = model.ItemGone
		item.Changed = "it is gone: nothing gives it any more"
		return item, nil
	}
	if item.Role != "" {
		if access := accessOf(f.book.snap, grant); access.Digest != item.Access.Digest {
			item.Changed = fmt.Sprintf("the reasons have changed on %s", f.tx.Now.Format(time.DateOnly))
			item.Access = access
		}
	}
	if item.State != model.ItemPending {
		return item, nil
	}
	c, err := f.campaign(item.Review)
	if err != nil {
		return item, err
	}
	if c.State == model.CampaignClosing || c.State == model.CampaignClosed || c.Stage != item.Stage {
		return item, nil
	}
	item.Asked, item.Nobody, item.Escalated, err = f.book.asked(c, item)
	return item, err
}

// holdsItem reports whether the person still has what an item is about; known is false
// where that could not be decided.
func holdsItem(item model.ReviewItem, e decided) (held bool, grant model.Grant, known bool) {
	if item.Role != "" {
		at := slices.IndexFunc(e.d.Grants, func(g model.Grant) bool { return g.Role == item.Role })
		if at < 0 {
			return false, grant, true
		}
		grant = e.d.Grants[at]
		if old := slices.IndexFunc(e.k.Held, func(g model.Grant) bool { return g.Role == item.Role }); old >= 0 {
			grant.From = e.k.Held[old].From
		}
		return true, grant, true
	}
	desired, decidedAbout := e.d.Desired[item.Target]
	if !decidedAbout {
		return false, grant, false
	}
	return desired.Account != nil && slices.Contains(desired.Account.Groups, item.Group), grant, true
}

// carriedIn notes that a revocation has taken effect in the hub.
func carriedIn(item model.ReviewItem, e decided, held bool, now time.Time) model.ReviewItem {
	carried := model.ReviewCarried{}
	if item.Carried != nil {
		carried = *item.Carried
	}
	if held {
		for _, x := range e.d.Excluded {
			if x.ID == carried.Exclusion {
				carried.Note = "given again: " + x.EndedWhy
				item.Carried = &carried
			}
		}
		return item
	}
	item.State, item.CheckAt, item.Checks = model.ItemEvaluated, now.Add(verifyFirst), 0
	carried.EvaluatedAt = &now
	item.Carried = &carried
	return item
}

// accessOf is why somebody has a role, for a reviewer.
func accessOf(snap *Snapshot, g model.Grant) model.ReviewAccess {
	a := model.ReviewAccess{Why: []string{}, ApprovedBy: g.ApprovedBy, Until: g.Until, Facts: factsOf(g.Because)}
	if !g.From.IsZero() {
		from := g.From
		a.Since = &from
	}
	for _, r := range g.Because {
		r.KeptUntil = nil
		a.Why = append(a.Why, policy.ReasonText(r))
		if r.Request != "" && a.Request == "" {
			a.Request = r.Request
		}
	}
	if role, ok := snap.Doc.Role(g.Role); ok {
		a.Gives = slices.Clone(role.Grants)
	}
	a.Digest = accessDigest(a, g.Because)
	return a
}

// accessDigest tells access for one reason from that for another. When it began is no
// part of it, for a role that is lost and regained for the same reason is the same.
func accessDigest(a model.ReviewAccess, because []model.Reason) string {
	type reason struct {
		Role, Rule, Request, Group string
		Via                        []string
		HandOver                   bool
	}
	said := struct {
		ApprovedBy string
		Until      *time.Time
		Gives      []model.Entitlement
		Facts      model.Facts
		Because    []reason
	}{ApprovedBy: a.ApprovedBy, Until: a.Until, Gives: a.Gives, Facts: a.Facts}
	for _, r := range because {
		said.Because = append(said.Because, reason{r.Role, r.Rule, r.Request, r.Group, r.Via, r.HandOver})
	}
	text, err := json.Marshal(said) // keys of maps are sorted
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func sameItem(a, b model.ReviewItem) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// tellItem adds what became of an item to the person's timeline, and gives the audit
// entry.
func tellItem(tx *store.Tx, actor, action string, i model.ReviewItem) (store.AuditEntry, error) {
	data := map[string]any{"review": i.Review, "item": i.ID}
	for key, text := range map[string]string{"role": i.Role, "target": i.Target, "group": i.Group} {
		if text != "" {
			data[key] = text
		}
	}
	if d := i.Decision; d != nil {
		data["decision"] = d
	}
	if i.Carried != nil && i.Carried.Note != "" {
		data["note"] = i.Carried.Note
	}
	if i.Identity != "" {
		if err := tx.AddEvent(store.Event{Type: action, Identity: i.Identity, Data: data}); err != nil {
			return store.AuditEntry{}, err
		}
	}
	body, err := json.Marshal(data)
	return store.AuditEntry{Actor: actor, Action: action, Object: "review/" + i.Review, Identity: i.Identity, Data: body}, err
}
