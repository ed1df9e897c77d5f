package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// hintBook knows what helps to decide about the items of one step.
type hintBook struct {
	b        *reviewBuild
	grants   map[string][]model.Grant
	accounts map[string][]model.AccountRow
	moves    map[string]store.Move
	peers    map[store.PeerKey]int
}

func newHintBook(b *reviewBuild, items []model.ReviewItem, grants map[string][]model.Grant, accounts map[string][]model.AccountRow) (h *hintBook, err error) {
	h = &hintBook{b: b, grants: grants, accounts: accounts}
	var ids, managers, roles []string
	for _, i := range items {
		if i.Identity != "" {
			ids = append(ids, i.Identity)
		}
		if m := b.who.people[i.Identity].Manager; m != "" && i.Role != "" {
			managers, roles = append(managers, m), append(roles, i.Role)
		}
	}
	if h.moves, err = b.tx.Moves(unique(ids)); err != nil {
		return nil, err
	}
	h.peers, err = b.tx.Peers(unique(managers), unique(roles))
	return h, err
}

// of are the hints of one item.
func (h *hintBook) of(item model.ReviewItem) model.ReviewHints {
	p := h.b.who.people[item.Identity]
	hints := model.ReviewHints{LastUse: item.Hints.LastUse, Department: departmentOf(p.User)}
	if p.Manager != "" {
		hints.Manager = h.b.who.bosses[p.Manager].Name
	}
	if role, ok := h.b.snap.Doc.Role(item.Role); ok {
		hints.Risk = role.Risk
	}
	if p.Manager != "" && item.Role != "" {
		hints.Peers = max(0, h.peers[store.PeerKey{Manager: p.Manager}]-1)
		hints.Holding = max(0, h.peers[store.PeerKey{Manager: p.Manager, Role: item.Role}]-1)
	}
	if m, moved := h.moves[item.Identity]; moved && item.Access.Since != nil && m.At.After(*item.Access.Since) {
		at := m.At
		hints.Moved, hints.MovedHow = &at, m.How
	}
	for _, a := range h.accounts[item.Identity] {
		if !slices.ContainsFunc(item.Access.Gives, func(e model.Entitlement) bool { return e.Target == a.Target }) {
			continue
		}
		if used := lastUse(a); used != nil && (hints.LastUse == nil || used.After(*hints.LastUse)) {
			hints.LastUse = used
		}
	}
	hints.Conflicts = h.conflicts(item)
	hints.Recommend, hints.Because = recommend(hints, item, h.b.snap.Doc.Reviews.Stale, h.b.snap.Doc.Reviews.Peers, h.b.tx.Now)
	return hints
}

// conflicts are roles that the person holds beside the one of the item though nobody
// should hold both.
func (h *hintBook) conflicts(item model.ReviewItem) (out []string) {
	if item.Role == "" {
		return nil
	}
	for _, c := range h.b.snap.Doc.Conflicts {
		if !slices.Contains(c.Roles, item.Role) {
			continue
		}
		for _, g := range h.grants[item.Identity] {
			if g.Role != item.Role && slices.Contains(c.Roles, g.Role) {
				out = append(out, g.Role)
			}
		}
	}
	return unique(out)
}

// enoughPeers is how many people of the same manager it takes to compare with.
const enoughPeers = 4

// recommend says what the hints speak for, and why; nothing where they do not say. It
// is pure.
//
//	there are conflicts beside it                         revoke
//	kept for hand-over only                               nothing: it ends by itself
//	not used for longer than stale                        revoke
//	moved since, and few peers hold it                    revoke
//	few peers hold it, and the risk is high               revoke
//	most peers hold it, not moved since, risk not high    keep
func recommend(h model.ReviewHints, item model.ReviewItem, stale time.Duration, few float64, now time.Time) (verdict, because string) {
	share := 100.0
	if h.Peers > 0 {
		share = 100 * float64(h.Holding) / float64(h.Peers)
	}
	rare := h.Peers >= enoughPeers && share < few
	peers := fmt.Sprintf("%d of %d people of the same manager have it", h.Holding, h.Peers)
	switch {
	case len(h.Conflicts) > 0:
		return model.VerdictRevoke, "conflicts with " + strings.Join(h.Conflicts, ", ")
	case slices.ContainsFunc(item.Access.Why, func(w string) bool { return strings.Contains(w, "kept for hand-over") }):
		return "", ""
	case h.LastUse != nil && now.Sub(*h.LastUse) > stale:
		return model.VerdictRevoke, "last used on " + h.LastUse.UTC().Format(time.DateOnly)
	case h.Moved != nil && rare:
		return model.VerdictRevoke, "moved since it was given, and " + peers
	case h.Risk == "high" && rare:
		return model.VerdictRevoke, "of high risk, and " + peers
	case h.Moved == nil && h.Risk != "high" && h.Peers >= enoughPeers && share >= 80:
		return model.VerdictKeep, peers
	}
	return "", ""
}

// lastUse is when an account was last used, where the application tells it among the
// attributes that were read; nil: it does not.
func lastUse(a model.AccountRow) *time.Time {
	if a.Observed == nil {
		return nil
	}
	var latest *time.Time
	for path, v := range a.Observed.Attrs {
		name := strings.ToLower(path[strings.LastIndexAny(path, ":.")+1:])
		text, isText := v.(string)
		if !isText || !slices.Contains([]string{"lastlogin", "lastloginat", "lastlogindate", "lastsignin", "lastsigninat", "lastaccess", "lastused", "lastactive"}, name) {
			continue
		}
		if at, err := time.Parse(time.RFC3339, text); err == nil && (latest == nil || at.After(*latest)) {
			latest = &at
		}
	}
	return latest
}
