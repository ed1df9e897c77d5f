package hub

import (
	"maps"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Replayed is how a configuration would have decided about one person at a moment,
// compared with what was granted then.
type Replayed struct {
	Gained       []string // roles
	Lost         []string
	AccessGained []string // target, or target:group
	AccessLost   []string
}

// Empty reports whether it would have decided the same.
func (r Replayed) Empty() bool {
	return len(r.Gained)+len(r.Lost)+len(r.AccessGained)+len(r.AccessLost) == 0
}

// Equal reports whether two differences are the same.
func (r Replayed) Equal(o Replayed) bool {
	return slices.Equal(r.Gained, o.Gained) && slices.Equal(r.Lost, o.Lost) &&
		slices.Equal(r.AccessGained, o.AccessGained) && slices.Equal(r.AccessLost, o.AccessLost)
}

// Replay puts a recorded version of a person's facts to a configuration. then is the
// one that was in force; nil where it cannot be used any more: then access is compared
// by what roles give now. Roles that are kept for a hand-over alone count on neither
// side: they say how the change was made, not what was due.
func Replay(snap, then *Snapshot, row store.HistoryRow) Replayed {
	k := pastKnown(row)
	d := Decide(snap, k, row.At)
	due := slices.DeleteFunc(slices.Clone(d.Grants), handedOver)
	held := slices.DeleteFunc(slices.Clone(k.Held), handedOver)
	var r Replayed
	r.Gained, r.Lost = rolesDiffer(held, due)
	slices.Sort(r.Gained)
	slices.Sort(r.Lost)
	if then == nil {
		then = snap
	}
	d.Grants = due
	before := access(then, d.Identity, held, row.Doc.Stage, row.Doc.Blocked)
	after := access(snap, d.Identity, due, d.Stage, row.Doc.Blocked)
	for a := range after {
		if !before[a] {
			r.AccessGained = append(r.AccessGained, a)
		}
	}
	for a := range before {
		if !after[a] {
			r.AccessLost = append(r.AccessLost, a)
		}
	}
	slices.Sort(r.AccessGained)
	slices.Sort(r.AccessLost)
	return r
}

func handedOver(g model.Grant) bool {
	return len(g.Because) > 0 && !slices.ContainsFunc(g.Because, func(r model.Reason) bool { return !r.HandOver })
}

// access is what somebody may use at targets: an enabled account, and groups.
func access(snap *Snapshot, i model.Identity, grants []model.Grant, stage model.Stage, blocked bool) map[string]bool {
	out := map[string]bool{}
	if blocked {
		return out
	}
	for _, t := range snap.Doc.Targets {
		desired, err := snap.Policy.Desire(t, asPresent(i, stage), grants, stage)
		if err != nil {
			desired = byRoles(snap, t.Name, grants)
		}
		if desired.Account == nil || !desired.Account.Active {
			continue
		}
		out[t.Name] = true
		for _, g := range desired.Account.Groups {
			out[t.Name+":"+g] = true
		}
	}
	return out
}

// byRoles is what roles alone say of a target: for when a mapping fails.
func byRoles(snap *Snapshot, target string, grants []model.Grant) policy.Desired {
	groups, found := map[string]bool{}, false
	for _, g := range grants {
		for _, e := range snap.Policy.Entitlements(g.Role) {
			if e.Target == target {
				found = true
				if e.Group != "" {
					groups[e.Group] = true
				}
			}
		}
	}
	if !found {
		return policy.Desired{}
	}
	return policy.Desired{Account: &model.Account{Active: true, Groups: slices.Sorted(maps.Keys(groups))}}
}

// pastKnown is what was known of a person at a moment of the past, as far as it was
// recorded.
func pastKnown(row store.HistoryRow) Known {
	doc := row.Doc
	k := Known{past: true, Groups: doc.Groups, Requests: doc.Requests, Exclusions: doc.Exclusions}
	k.Row = store.IdentityRow{ID: row.Identity, Name: doc.Name, Stage: doc.Stage, User: doc.User, Origin: doc.Origin, LeftAt: doc.LeftAt,
		OverGuard: doc.OverGuard, MergedInto: doc.MergedInto, Findings: doc.Findings}
	for _, l := range doc.Links {
		k.Users = append(k.Users, store.SourceUser{Source: l.Source, ID: l.ResourceID, Modified: l.ModifiedAt,
			Attrs: map[string]any{"userName": l.UserName, "externalId": l.ExternalID}})
	}
	exceptions := map[string]*model.Exception{}
	for _, g := range doc.Grants {
		k.Held = append(k.Held, model.Grant{Identity: row.Identity, Role: g.Role, Because: g.Because, ApprovedBy: g.ApprovedBy, From: g.From, Until: g.Until})
		for _, r := range g.Because {
			if r.Exception == "" {
				continue
			}
			if exceptions[r.Exception] == nil {
				exceptions[r.Exception] = &model.Exception{ID: r.Exception, Identity: row.Identity, From: row.At, Until: row.At.Add(time.Hour)}
			}
			e := exceptions[r.Exception]
			if !slices.Contains(e.Roles, g.Role) {
				e.Roles = append(e.Roles, g.Role)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(exceptions)) {
		slices.Sort(exceptions[id].Roles)
		k.Exceptions = append(k.Exceptions, *exceptions[id])
	}
	if doc.Manager != "" {
		k.Manager = &model.Manager{ID: doc.Manager, Stage: model.Active}
	}
	if doc.Blocked {
		k.Case = &model.Case{Identity: row.Identity, Blocks: true}
	}
	return k
}
