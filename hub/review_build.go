package hub

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// buildBatch is how many people, or accounts, one step of a campaign's making looks at.
const buildBatch = 200

// The ways to come by who a campaign is about. A campaign goes the first that its scope
// allows; what else the scope says narrows what is found. Cursors are "way|where".
const (
	wayOrphans    = "orphans"  // accounts of the target that are nobody's
	wayPeople     = "people"   // named one by one
	wayReports    = "reports"  // of the manager
	wayMoved      = "moved"    // since the moment
	wayExempt     = "exempt"   // by an exception
	wayRole       = "role:"    // who holds it; one role after the other
	wayMirrored   = "mirrored" // accounts of the target with groups that no role gives
	wayEverything = "\uffff"   // done
	betweenWays   = "|"
)

// reviewBuild writes the items of a campaign.
type reviewBuild struct {
	tx    *store.Tx
	snap  *Snapshot
	c     model.Campaign
	who   *reviewerBook
	roles map[string]bool // that the campaign is about
	rough bool            // items are counted and not kept: nobody is asked about them
}

func newReviewBuild(tx *store.Tx, snap *Snapshot, c model.Campaign) *reviewBuild {
	b := &reviewBuild{tx: tx, snap: snap, c: c, who: newReviewerBook(tx, snap), roles: map[string]bool{}}
	for _, r := range snap.Doc.Roles {
		if inScope(r, c.Scope) {
			b.roles[r.Name] = true
		}
	}
	return b
}

// inScope reports whether a campaign is about a role.
func inScope(r config.Role, s model.ReviewScope) bool {
	gives := func(e model.Entitlement) bool {
		return e.Target == s.Target && (s.Group == "" || strings.EqualFold(e.Group, s.Group))
	}
	return (s.Role == "" || r.Name == s.Role) && (s.Risk == "" || r.Risk == s.Risk) && (s.Target == "" || slices.ContainsFunc(r.Grants, gives)) && !s.Orphans
}

// step looks at the next people from a cursor on. It returns the items and the next
// cursor, which is empty when all is done.
func (b *reviewBuild) step(cursor string) (items []model.ReviewItem, next string, err error) {
	way, after, _ := strings.Cut(cursor, betweenWays)
	if cursor == "" {
		way = b.firstWay()
	}
	switch {
	case way == wayOrphans || way == wayMirrored:
		return b.accounts(way, after)
	case strings.HasPrefix(way, wayRole):
		role := strings.TrimPrefix(way, wayRole)
		ids, err := b.tx.HoldersAfter(role, after, buildBatch)
		if err != nil {
			return nil, "", err
		}
		items, err := b.itemsOf(ids, func(r string) bool { return r == role }, false)
		if len(ids) == buildBatch {
			return items, way + betweenWays + ids[len(ids)-1], err
		}
		return items, b.afterRole(role), err
	}
	ids, err := b.people(way, after)
	if err != nil {
		return nil, "", err
	}
	if len(ids) == buildBatch {
		next = way + betweenWays + ids[len(ids)-1]
	}
	items, err = b.itemsOf(ids, func(r string) bool { return b.roles[r] }, b.c.Scope.Role == "" && b.c.Scope.Risk == "")
	return items, next, err
}

func (b *reviewBuild) firstWay() string {
	s := b.c.Scope
	switch {
	case s.Orphans:
		return wayOrphans
	case len(s.People) > 0:
		return wayPeople
	case s.Manager != "":
		return wayReports
	case s.MovedSince != nil:
		return wayMoved
	case s.Exceptions:
		return wayExempt
	}
	next := b.afterRole("")
	way, _, _ := strings.Cut(next, betweenWays)
	return way
}

// afterRole is the cursor of the role behind one, in order of their names; behind the
// last one come groups that no role gives.
func (b *reviewBuild) afterRole(role string) string {
	for _, name := range sortedKeys(b.roles) {
		if name > role {
			return wayRole + name + betweenWays
		}
	}
	if t, ok := b.snap.Doc.Target(b.c.Scope.Target); ok && len(t.Mirror) > 0 && b.c.Scope.Role == "" && b.c.Scope.Risk == "" {
		return wayMirrored + betweenWays
	}
	if role == "" {
		return wayEverything
	}
	return ""
}

func (b *reviewBuild) people(way, after string) ([]string, error) {
	s := b.c.Scope
	switch way {
	case wayPeople:
		at, found := slices.BinarySearch(s.People, after)
		if found {
			at++
		}
		return s.People[at:min(at+buildBatch, len(s.People))], nil
	case wayReports:
		return b.tx.ReportsAfter(s.Manager, after, buildBatch)
	case wayMoved:
		return b.tx.MovedAfter(*s.MovedSince, after, buildBatch)
	case wayExempt:
		return b.tx.ExemptAfter(after, buildBatch)
	case wayEverything:
		return nil, nil
	}
	return nil, fmt.Errorf("review %s: the cursor %q is none", b.c.ID, way)
}

// narrowed leaves out people whom the rest of the scope does not mean.
func (b *reviewBuild) narrowed(ids []string) ([]string, error) {
	s := b.c.Scope
	if s.Manager != "" && len(s.People) > 0 {
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return b.who.people[id].Manager != s.Manager })
	}
	if s.MovedSince != nil {
		moves, err := b.tx.Moves(ids)
		if err != nil {
			return nil, err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { m, moved := moves[id]; return !moved || m.At.Before(*s.MovedSince) })
	}
	if s.Exceptions && len(ids) > 0 {
		about, err := b.tx.About(ids)
		if err != nil {
			return nil, err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			return !slices.ContainsFunc(about.Exceptions[id], func(e model.Exception) bool { return e.InForce(b.tx.Now) })
		})
	}
	return ids, nil
}

// itemsOf makes the items of people: roles that they hold and, with mirrored, groups of
// theirs that no role gives.
func (b *reviewBuild) itemsOf(ids []string, wanted func(role string) bool, mirrored bool) (items []model.ReviewItem, err error) {
	if err := b.who.learn(ids); err != nil {
		return nil, err
	}
	if ids, err = b.narrowed(ids); err != nil || len(ids) == 0 {
		return nil, err
	}
	grants, err := b.tx.Grants(ids)
	if err != nil {
		return nil, err
	}
	var accounts map[string][]model.AccountRow
	if mirrored || !b.rough || b.c.Scope.UnusedFor > 0 {
		if accounts, err = b.accountsOf(ids); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		for _, g := range grants[id] {
			if wanted(g.Role) {
				items = append(items, model.ReviewItem{Identity: id, Role: g.Role, Access: accessOf(b.snap, g)})
			}
		}
		if mirrored {
			for _, a := range accounts[id] {
				items = append(items, b.mirroredOf(a)...)
			}
		}
	}
	return b.complete(items, grants, accounts)
}

func (b *reviewBuild) accountsOf(ids []string) (map[string][]model.AccountRow, error) {
	list, err := b.tx.AccountsOf(ids)
	out := map[string][]model.AccountRow{}
	for _, a := range list {
		out[a.Identity] = append(out[a.Identity], a)
	}
	return out, err
}

// mirroredOf are the groups of an account that no role gives.
func (b *reviewBuild) mirroredOf(a model.AccountRow) (items []model.ReviewItem) {
	s := b.c.Scope
	if a.Desired == nil || s.Target != "" && a.Target != s.Target {
		return nil
	}
	for _, group := range sortedKeys(a.Because) {
		reasons := a.Because[group]
		if group == "" || s.Group != "" && !strings.EqualFold(group, s.Group) || len(reasons) == 0 || slices.ContainsFunc(reasons, func(r model.Reason) bool { return r.Group == "" }) {
			continue
		}
		access := accessOf(b.snap, model.Grant{Because: reasons})
		access.Gives = []model.Entitlement{{Target: a.Target, Group: group}}
		items = append(items, model.ReviewItem{Identity: a.Identity, Target: a.Target, Group: group, Access: access})
	}
	return items
}

// accounts makes items of accounts of the target: those that are nobody's, or groups
// that no role gives.
func (b *reviewBuild) accounts(way, after string) (items []model.ReviewItem, next string, err error) {
	list, err := b.tx.AccountsAfter(b.c.Scope.Target, after, way == wayOrphans, buildBatch)
	if err != nil {
		return nil, "", err
	}
	if len(list) == buildBatch {
		next = way + betweenWays + list[len(list)-1].Identity
	}
	if way == wayMirrored {
		accounts, ids := map[string][]model.AccountRow{}, []string(nil)
		for _, a := range list {
			items = append(items, b.mirroredOf(a)...)
			accounts[a.Identity] = append(accounts[a.Identity], a)
			ids = append(ids, a.Identity)
		}
		if err := b.who.learn(ids); err != nil {
			return nil, "", err
		}
		items, err = b.complete(items, nil, accounts)
		return items, next, err
	}
	for _, a := range list {
		name := a.Identity
		if a.Observed != nil && a.Observed.UserName != "" {
			name = a.Observed.UserName
		}
		access := model.ReviewAccess{Why: []string{"nobody's: it is at " + a.Target + ", and nothing the hub knows of gives it"}, Gives: []model.Entitlement{{Target: a.Target}}}
		access.Digest = accessDigest(access, nil)
		items = append(items, model.ReviewItem{Person: name, Target: a.Target, Group: a.Identity, Access: access, Hints: model.ReviewHints{LastUse: lastUse(a)}})
	}
	items, err = b.complete(items, nil, nil)
	return items, next, err
}

// complete gives items their ids, hints and reviewers, and drops those that the scope
// leaves out because they were used.
func (b *reviewBuild) complete(items []model.ReviewItem, grants map[string][]model.Grant, accounts map[string][]model.AccountRow) (out []model.ReviewItem, err error) {
	if b.rough && b.c.Scope.UnusedFor == 0 {
		return items, nil
	}
	hints, err := newHintBook(b, items, grants, accounts)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		item.Review, item.State, item.Stage = b.c.ID, model.ItemPending, 0
		if item.Identity != "" {
			item.Person = b.who.people[item.Identity].Name
		}
		item.Hints = hints.of(item)
		if s := b.c.Scope; s.UnusedFor > 0 && (item.Hints.LastUse == nil || b.tx.Now.Sub(*item.Hints.LastUse) < s.UnusedFor) {
			continue
		}
		if item.ID, err = newID(); err != nil {
			return nil, err
		}
		if item.Asked, item.Nobody, item.Escalated, err = b.who.asked(b.c, item); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}
