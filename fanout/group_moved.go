package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
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
		stays := partsAndStays(m) && wants(m, g.Name)
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
		if known && partsAndStays(m) && wants(m, g.Name) {
			m.job.mu.Lock()
			m.job.lost = append(m.job.lost, g.Name)
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

// wants reports whether somebody belongs into a group of that name though not by the one
// under which it is left.
func wants(m member, name string) bool {
	fold := scim.Fold(name)
	return slices.ContainsFunc(m.job.row.Desired.Groups, func(g string) bool { return scim.Fold(g) == fold && g != m.change.Group })
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
