package admin

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// namedPerRole is how many people a role's change names.
const namedPerRole = 20

// planner adds up what would change, person by person.
type planner struct {
	out      PlanAnswer
	only     bool // about one target, not about roles
	targets  []model.Target
	profiles map[string]fanout.Profile
	rows     map[string][]model.AccountRow // by target: those that would not be in sync
	roles    map[string]*RoleChange
	affected map[string]bool
}

func newPlanner(snap *hub.Snapshot, only string) (*planner, error) {
	p := &planner{out: PlanAnswer{Plans: []model.Plan{}, Roles: []RoleChange{}, People: []hub.Effect{}}, only: only != "", profiles: map[string]fanout.Profile{},
		rows: map[string][]model.AccountRow{}, roles: map[string]*RoleChange{}, affected: map[string]bool{}}
	for _, t := range snap.Doc.Targets {
		if only != "" && only != t.Name {
			continue
		}
		profile, err := fanout.ProfileOf(t)
		if err != nil {
			return nil, err
		}
		p.targets, p.profiles[t.Name] = append(p.targets, t), profile
	}
	if only != "" && len(p.targets) == 0 {
		return nil, model.Fail(model.NotFound, "there is no target "+only, nil)
	}
	for _, w := range snap.Doc.Warnings {
		p.out.Warnings = append(p.out.Warnings, w.Error())
	}
	return p, nil
}

// add takes one person's decision.
func (p *planner) add(d hub.Planned, now time.Time) {
	p.out.Findings = append(p.out.Findings, d.Failures()...)
	for _, t := range p.targets {
		row, relevant := d.Row(t.Name)
		if relevant && len(fanout.Diff(t, p.profiles[t.Name], []model.AccountRow{row}, now).Changes) > 0 {
			p.rows[t.Name] = append(p.rows[t.Name], row)
		}
	}
	if !p.only && !d.Effect.Empty() {
		p.effect(d.Effect)
	}
}

// effect takes what becomes of one person's roles.
func (p *planner) effect(e hub.Effect) {
	p.out.People = append(p.out.People, e)
	p.affected[e.Identity] = true
	p.out.NewFindings += len(e.Findings)
	for _, r := range e.Gained {
		p.role(r.Role, "+"+e.Person).Gained++
		p.out.Gained++
	}
	for _, r := range e.Lost {
		p.role(r.Role, "-"+e.Person).Lost++
		p.out.Lost++
	}
}

func (p *planner) role(name, person string) *RoleChange {
	r := p.roles[name]
	if r == nil {
		r = &RoleChange{Role: name}
		p.roles[name] = r
	}
	if len(r.People) < namedPerRole {
		r.People = append(r.People, person)
	}
	return r
}

// finish gives the sums; plan is the guarded plan over rows of a target.
func (p *planner) finish(plan func(model.Target, []model.AccountRow) (model.Plan, error)) (PlanAnswer, error) {
	for _, t := range p.targets {
		one, err := plan(t, p.rows[t.Name])
		if err != nil {
			return p.out, err
		}
		if len(one.Changes) > 0 {
			p.out.Plans = append(p.out.Plans, one)
		}
		removed, held, added := countAccounts(one)
		p.out.Removals += removed
		p.out.Held += held
		p.out.Additions += added
		for _, c := range one.Changes {
			if c.Identity != "" {
				p.affected[c.Identity] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.roles)) {
		p.out.Roles = append(p.out.Roles, *p.roles[name])
	}
	slices.SortStableFunc(p.out.People, func(a, b hub.Effect) int { return strings.Compare(a.Person, b.Person) })
	p.out.Affected = len(p.affected)
	p.out.Unchanged = len(p.out.Plans) == 0 && len(p.out.People) == 0
	return p.out, nil
}

// countAccounts counts the accounts that lose something, those of them held, and those
// that gain something.
func countAccounts(p model.Plan) (removed, held, added int) {
	lose, kept, gain := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range p.Changes {
		switch {
		case c.Removes() && c.Held != "":
			lose[c.Identity], kept[c.Identity] = true, true
		case c.Removes():
			lose[c.Identity] = true
		case c.Verb == model.Create, c.Verb == model.Join, c.Verb == model.Adopt,
			c.Verb == model.Update && c.Before != nil && c.After != nil && !c.Before.Active && c.After.Active:
			gain[c.Identity] = true
		}
	}
	return len(lose), len(kept), len(gain)
}
