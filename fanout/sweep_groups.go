package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

const memberBatch = 500 // memberships stored at a time

// readGroups notes who is in the groups that the hub made or took over. A group that
// cannot be read is left out: nothing is said about who is in it.
func (s *sweeping) readGroups(soft, hard context.Context) error {
	r := s.r
	if !r.profile.Has("Group") {
		s.at.Note = "the application has no groups"
		return nil
	}
	groups, err := r.w.Store.TargetGroups(soft, r.target.Name)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	slices.SortFunc(groups, func(a, b store.TargetGroup) int { return strings.Compare(a.Name, b.Name) })
	if !r.profile.MembersReadable {
		s.at.Note = "not readable at this application"
		return nil
	}
	var failed []string
	for _, g := range groups {
		if g.RemoteID == "" || g.Owned == "" || g.Name <= s.at.Place {
			continue
		}
		if err := s.halt(soft); err != nil {
			return err
		}
		err := s.patiently(soft, func() error { return s.members(hard, g) })
		switch class := ClassOf(err); {
		case err == nil:
			s.groups[g.Name] = true
			s.at.Groups = append(s.at.Groups, g.Name)
		case class == Missing:
			if err := s.groupGone(hard, g); err != nil {
				return err
			}
		case class == Unreadable:
			s.at.Note = "not readable at this application"
			return nil
		default:
			failed = append(failed, g.Name)
			r.log.WarnContext(hard, "the members of a group could not be read", "group", g.Name, "error", err)
		}
		s.at.Place = g.Name
		if err := s.save(hard); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		s.at.Note = "could not be read of: " + strings.Join(failed[:min(len(failed), 10)], ", ")
	}
	return s.renames(hard, groups)
}

// members writes down who is in one group.
func (s *sweeping) members(ctx context.Context, g store.TargetGroup) error {
	st, target := s.r.w.Store, s.r.target.Name
	if err := st.ResetSweepMembers(ctx, target, g.Name); err != nil {
		return err
	}
	var batch []string
	err := s.r.timed("get-group", func() error {
		for id, err := range s.r.conn.Members(ctx, g.RemoteID) {
			if err != nil {
				return err
			}
			if batch = append(batch, id); len(batch) < memberBatch {
				continue
			}
			if err := st.AddSweepMembers(ctx, target, g.Name, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		return nil
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return st.AddSweepMembers(ctx, target, g.Name, batch)
}

// groupGone writes down that a group is not there any more. Nobody is in it then.
func (s *sweeping) groupGone(ctx context.Context, g store.TargetGroup) error {
	s.groups[g.Name] = true
	s.at.Groups, s.at.Gone = append(s.at.Groups, g.Name), append(s.at.Gone, g.Name)
	return s.groupFinding(ctx, g, reactionTo(s.r.target, driftMembership, model.AccountRow{}, false).action,
		[]model.FieldDiff{{Path: "group", Before: g.RemoteID}})
}

func (s *sweeping) groupFinding(ctx context.Context, g store.TargetGroup, action string, fields []model.FieldDiff) error {
	return s.r.w.Store.SaveLook(context.WithoutCancel(ctx), s.r.target.Name, store.Look{Began: s.at.Began, Found: []store.Finding{{
		Kind: driftMembership, Object: store.GroupObject(g.Name), Group: g.Name, RemoteID: g.RemoteID, Fields: fields, Action: action}}})
}

// renames notices groups that were renamed at the target.
func (s *sweeping) renames(ctx context.Context, groups []store.TargetGroup) error {
	by := map[string]store.TargetGroup{}
	for _, g := range groups {
		if g.RemoteID != "" && g.Owned != "" {
			by[g.RemoteID] = g
		}
	}
	if len(by) == 0 {
		return nil
	}
	err := s.r.timed("list-groups", func() error {
		for g, err := range s.r.conn.ListGroups(ctx) {
			if err != nil {
				return err
			}
			have, ours := by[g.ID]
			if !ours || g.Name == "" || strings.EqualFold(g.Name, groupName(have)) {
				continue
			}
			if err := s.groupFinding(ctx, have, s.renamed(have), []model.FieldDiff{{Path: "displayName", Before: groupName(have), After: g.Name}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.r.log.WarnContext(ctx, "the groups could not be listed", "error", err)
	}
	return nil // names are no reason to look no further
}

// renamed is what follows from another name of a group. What hangs on it at the target is
// known by its id: nobody loses anything meanwhile.
func (s *sweeping) renamed(g store.TargetGroup) string {
	action := reactionTo(s.r.target, driftMembership, model.AccountRow{}, false).action
	if action == "revert" && s.r.profile.Rename.Group && g.Wanted && !g.Due {
		return action
	}
	return "report"
}

// groupName is a group's name at the target as the hub knows it.
func groupName(g store.TargetGroup) string {
	if g.Applied != "" {
		return g.Applied
	}
	return g.Name
}

// strangersInGroups writes down the members of our groups that are no account of the
// hub's.
func (s *sweeping) strangersInGroups(ctx context.Context) error {
	st, target := s.r.w.Store, s.r.target.Name
	id, group := "", ""
	for {
		pairs, err := st.StrangeMembers(ctx, target, id, group, sweepPage)
		if err != nil || len(pairs) == 0 {
			return err
		}
		look := store.Look{Began: s.at.Began}
		for _, p := range pairs {
			id, group = p[0], p[1]
			look.Found = append(look.Found, store.Finding{Kind: driftMembership, Object: "?" + id, RemoteID: id, Group: group,
				Fields: []model.FieldDiff{{Path: "groups", After: group}}, Action: "report"})
		}
		if err := st.SaveLook(context.WithoutCancel(ctx), target, look); err != nil {
			return err
		}
	}
}
