package hub

import (
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/policy"
)

// Effect is what a decision changes for one person, for people to read.
type Effect struct {
	Identity string       `json:"identity"`
	Person   string       `json:"person"`
	Before   model.Stage  `json:"before,omitempty"` // stages, where they differ
	After    model.Stage  `json:"after,omitempty"`
	Gained   []RoleEffect `json:"gained,omitempty"` // by role
	Lost     []RoleEffect `json:"lost,omitempty"`
	Findings []string     `json:"findings,omitempty"` // that were not there before
}

// RoleEffect is one role gained or lost, and why it is held or was.
type RoleEffect struct {
	Role    string   `json:"role"`
	Because []string `json:"because,omitempty"`
}

// Empty reports whether nothing changes.
func (e Effect) Empty() bool {
	return e.Before == e.After && len(e.Gained) == 0 && len(e.Lost) == 0 && len(e.Findings) == 0
}

// effect compares a decision with what is stored of the person.
func (d Decision) effect(k Known) Effect { return d.against(k.Row.Stage, k.Held, k.Row.Findings) }

// against compares a decision with what was before it.
func (d Decision) against(stage model.Stage, held []model.Grant, findings []string) Effect {
	gained, lost := rolesDiffer(held, d.Grants)
	e := Effect{Identity: d.Identity.ID, Person: d.Identity.Name(), Gained: rolesOf(d.Grants, gained), Lost: rolesOf(held, lost)}
	if d.Stage != stage {
		e.Before, e.After = stage, d.Stage
	}
	for _, f := range d.texts() {
		if !slices.Contains(findings, f) {
			e.Findings = append(e.Findings, f)
		}
	}
	for i, lost := range e.Lost {
		for _, denied := range d.Denied { // says more than what used to give it
			if denied.Role == lost.Role {
				e.Lost[i].Because = nil
				for _, r := range denied.Because {
					e.Lost[i].Because = append(e.Lost[i].Because, "denied: "+policy.ReasonText(r))
				}
			}
		}
	}
	return e
}

// Compare gives what one configuration decides otherwise than another about some
// people, as things are now; those of whom both say the same are left out.
func (h *Hub) Compare(tx *store.Tx, from, to *Snapshot, ids []string) ([]Effect, error) {
	known, err := gather(tx, to, ids)
	if err != nil {
		return nil, err
	}
	var out []Effect
	for _, id := range ids {
		if k, ok := known[id]; ok {
			before := Decide(from, k, tx.Now)
			if e := Decide(to, k, tx.Now).against(before.Stage, before.Grants, before.texts()); !e.Empty() {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// rolesOf are some of the grants, with their reasons in words.
func rolesOf(grants []model.Grant, names []string) (out []RoleEffect) {
	for _, g := range grants {
		if !slices.Contains(names, g.Role) {
			continue
		}
		e := RoleEffect{Role: g.Role}
		for _, r := range g.Because {
			e.Because = append(e.Because, policy.ReasonText(r))
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b RoleEffect) int { return strings.Compare(a.Role, b.Role) })
	return out
}

// Planned is a decision beside what is stored of the same person's accounts.
type Planned struct {
	Decision
	Effect Effect
	stored map[string]model.AccountRow
	next   map[string]model.AccountRow
}

// Row is the account at a target as it would be; relevant is false where there
// would be none and never was.
func (p Planned) Row(target string) (row model.AccountRow, relevant bool) {
	if r, ok := p.next[target]; ok {
		return r, true
	}
	r, ok := p.stored[target]
	return r, ok
}

// PlanOne decides about one person without storing anything.
func PlanOne(snap *Snapshot, k Known, now time.Time) Planned {
	d := Decide(snap, k, now)
	p := Planned{Decision: d, Effect: d.effect(k), stored: map[string]model.AccountRow{}, next: map[string]model.AccountRow{}}
	for _, a := range k.Accounts {
		p.stored[a.Target] = a
	}
	leftAt := pressingSince(k.Row)
	if k.Row.LeftAt == nil && saidSo(d, k.Row, store.Mark{MarkedAt: now}, now) {
		leftAt = &now
	}
	changed, _ := d.Rows(k.Accounts, leftAt, k.Row.OverGuard)
	for _, a := range changed {
		if a.Due { // nothing to do where nothing is wanted and nothing was made
			p.next[a.Target] = a
		}
	}
	return p
}
