package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// groupNames finds groups by the names that accounts have for them.
type groupNames struct {
	now, before map[string]string // folded name -> the group's name
}

// namesOf lays the names of a target's groups out. Where groups keep their names, one
// that was renamed at its source is another one at the target.
func namesOf(groups []store.TargetGroup, p Profile) groupNames {
	n := groupNames{now: make(map[string]string, len(groups)), before: map[string]string{}}
	for _, g := range groups {
		n.now[scim.Fold(g.Name)] = g.Name
		for _, f := range g.Former {
			if !p.Rename.Group {
				break
			}
			n.before[scim.Fold(f)] = g.Name
		}
	}
	return n
}

// same reports whether two names are those of one group: they differ by case only, or
// one is what the other's group was called before.
func (n groupNames) same(a, b string) bool {
	x, y := scim.Fold(a), scim.Fold(b)
	return x == y || n.of(x) == n.of(y) && n.of(x) != ""
}

func (n groupNames) of(fold string) string {
	if name, ok := n.now[fold]; ok {
		return name
	}
	return n.before[fold]
}

// movedGroups reports whether an account is to leave some groups, in which it is or may
// be, and join others: only then one of them may be another under a new name.
func movedGroups(r model.AccountRow) bool {
	if r.Desired == nil || r.Applied == nil {
		return false
	}
	lacks := func(groups, of []string) bool {
		return slices.ContainsFunc(of, func(g string) bool { return !slices.Contains(groups, g) })
	}
	return lacks(certainGroups(r.Applied, r.Sent), r.Desired.Groups) && lacks(r.Desired.Groups, possibleGroups(r.Applied, r.Sent))
}

// follow gives the groups that an account is in the names by which it is to be in them:
// who is in a group that was renamed neither leaves it nor joins it.
func (n groupNames) follow(r model.AccountRow) model.AccountRow {
	if !movedGroups(r) {
		return r
	}
	renamed := func(a *model.Account) *model.Account {
		if a == nil {
			return nil
		}
		groups := slices.Clone(a.Groups)
		for i, g := range groups {
			if slices.Contains(r.Desired.Groups, g) {
				continue
			}
			at := slices.IndexFunc(r.Desired.Groups, func(d string) bool { return n.same(g, d) })
			if at >= 0 {
				groups[i] = r.Desired.Groups[at]
			}
		}
		if slices.Equal(groups, a.Groups) {
			return a
		}
		slices.Sort(groups)
		out := *a
		out.Groups = slices.Compact(groups)
		return &out
	}
	r.Applied, r.Observed = renamed(r.Applied), renamed(r.Observed)
	if len(r.Sent) > 0 {
		sent := slices.Clone(r.Sent)
		for i := range sent {
			sent[i] = *renamed(&sent[i])
		}
		r.Sent = sent
	}
	return r
}

// followGroups is follow for the rows of a chunk, before they are compared.
func (r *runner) followGroups(ctx context.Context, jobs []*job) error {
	if !slices.ContainsFunc(jobs, func(j *job) bool { return movedGroups(j.row) }) {
		return nil
	}
	groups, err := r.w.Store.TargetGroups(ctx, r.target.Name)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	names := namesOf(groups, r.profile)
	for _, j := range jobs {
		j.row = names.follow(j.row)
	}
	return nil
}
