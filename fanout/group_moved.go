package fanout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// A group may be given another name between the moment in which it was decided who
// leaves it under the old name and joins it under the new one, and the moment in which
// that is sent. Both are about one group then: who leaves it would lose it.

// renamedInto leaves out of members those who are to leave a group by a former name and
// belong into it by its present one; that they left the former name is noted.
func (r *runner) renamedInto(ctx context.Context, name string, members []member) ([]member, error) {
	if !slices.ContainsFunc(members, partsAndStays) {
		return members, nil
	}
	g, known, err := r.knownGroup(ctx, name)
	if err != nil || !known {
		return members, err
	}
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { // the caller counts on all of them
		stays := partsAndStays(m) && r.belongs(m, g)
		if stays {
			r.forgetName(m)
		}
		return stays
	}), nil
}

// renamedUnder meets a group that got its new name while members were taken out of it
// under the old one: who belongs into it is put into it again.
func (r *runner) renamedUnder(ctx context.Context, name string, members []member) {
	if !slices.ContainsFunc(members, partsAndStays) {
		return
	}
	g, known, err := r.knownGroup(ctx, name)
	if err != nil {
		for _, m := range members {
			if partsAndStays(m) {
				m.job.fail(m.change, err)
			}
		}
		return
	}
	for _, m := range members {
		if known && partsAndStays(m) && r.belongs(m, g) {
			m.job.mu.Lock()
			m.job.lost = append(append(m.job.lost, g.Name), g.Former...)
			m.job.mu.Unlock()
			m.job.fail(m.change, &ClientError{Class: UnknownOutcome, Detail: fmt.Sprintf("group %q is called %q by now: it is joined again", name, g.Name)})
		}
	}
}

// partsAndStays tells who leaves one group and is to be in some.
func partsAndStays(m member) bool {
	d := m.job.row.Desired
	return m.change.Verb == model.Part && d != nil && len(d.Groups) > 0
}

// belongs reports whether somebody belongs into a group, by its name or one that it had,
// though not by the one under which it is left.
func (r *runner) belongs(m member, g store.TargetGroup) bool {
	names := namesOf([]store.TargetGroup{g}, r.profile)
	return slices.ContainsFunc(m.job.row.Desired.Groups, func(d string) bool { return d != m.change.Group && names.same(d, g.Name) })
}

// forgetName takes a former name of a group out of an account's row. Nothing was sent.
func (r *runner) forgetName(m member) {
	m.job.mu.Lock()
	defer m.job.mu.Unlock()
	if m.job.row.Applied != nil {
		m.job.row.Applied = without(m.job.row.Applied, m.change.Group)
	}
}

// without is an account that is not in some groups.
func without(a *model.Account, groups ...string) *model.Account {
	out := *a
	out.Groups = slices.DeleteFunc(slices.Clone(a.Groups), func(g string) bool { return slices.Contains(groups, g) })
	return &out
}

// decideSoon is how soon somebody is looked at again who is being decided anew.
const decideSoon = time.Second

// decided makes sure, before a group is made that nothing grants, that those who are to
// be in it are not being decided anew, and no source group either: what they are to be in
// may be a group of the target under a name that it does not have yet, or had between two
// others. A second group would be made of it, and nothing would ever be moved from one to
// the other.
func (r *runner) decided(ctx context.Context, members []member) error {
	rows := make(map[string]int64, len(members))
	for _, m := range members {
		rows[m.job.row.Identity] = m.job.row.Generation
	}
	anew, err := r.w.Store.DecidingAnew(ctx, r.target.Name, rows)
	if err != nil || !anew {
		return err
	}
	for _, m := range members {
		m.job.mu.Lock()
		m.job.soon = decideSoon
		m.job.mu.Unlock()
	}
	return &ClientError{Class: Network, Detail: "nothing was sent: nothing grants this group yet, and whoever is to be in it is being decided about anew"}
}
