package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

const (
	groupChunk    = 50
	groupWait     = 200 * time.Millisecond // first look whether an unwanted group is empty; doubles
	groupWaitMost = time.Minute
	foreignShown  = 10_000 // members read at most before a group is removed
)

// groupOutcome is what became of one group.
type groupOutcome struct {
	store.GroupSettlement
	err error
}

// groupRound brings groups to what is wanted: it makes, takes over, renames and removes
// them, whoever is in them. Members come and go with their accounts.
func (r *runner) groupRound(soft, hard context.Context) error {
	if r.target.Manual != nil {
		return nil
	}
	due, err := r.w.Store.DueGroups(soft, r.target.Name, 1)
	if err != nil || len(due) == 0 {
		return err
	}
	if ready, err := r.mayWork(soft); err != nil || !ready {
		return err
	}
	return r.leased(soft, hard, func(soft, hard context.Context) error {
		for soft.Err() == nil && !r.halted(soft, hard) {
			due, err := r.w.Store.DueGroups(soft, r.target.Name, groupChunk)
			if err != nil {
				return fmt.Errorf("load due groups: %w", err)
			}
			if len(due) == 0 {
				break
			}
			pool := errgroup.Group{}
			pool.SetLimit(max(min(r.profile.Concurrency, groupChunk), 1))
			for _, g := range due {
				pool.Go(func() error {
					if r.halted(soft, hard) {
						return nil
					}
					return survive(r.log, func() error { return r.workGroup(hard, g.Name) })
				})
			}
			if err := pool.Wait(); err != nil {
				return err
			}
		}
		r.note(hard, true)
		r.stamp(hard, true)
		return nil
	})
}

func (r *runner) workGroup(ctx context.Context, name string) error {
	return r.holdGroup(ctx, name, func(g store.TargetGroup, known bool) error {
		if !known || !g.Due || g.NextAttempt.After(r.w.Now()) {
			return nil
		}
		var o groupOutcome
		if err := survive(r.log, func() error { o = r.groupStep(ctx, g); return nil }); err != nil {
			o = r.groupFailed(g, model.Change{Verb: model.CreateGroup, Group: g.Name, RemoteID: g.RemoteID}, err)
		}
		return r.storeGroup(ctx, o)
	})
}

func (r *runner) storeGroup(ctx context.Context, o groupOutcome) error {
	if err := r.w.Store.SettleGroup(context.WithoutCancel(ctx), o.GroupSettlement); err != nil {
		return fmt.Errorf("store group %q: %w", o.Group.Name, err)
	}
	if o.Wake {
		signal(r.wakeNormal)
	}
	return nil
}

// groupStep does the one thing that is to be done about a group.
func (r *runner) groupStep(ctx context.Context, g store.TargetGroup) groupOutcome {
	c, ok, why := newGroupDiffer(r.target, r.profile).change(g)
	switch {
	case !ok:
		return r.groupRests(g, why)
	case c.Held != "" && (isOurs(g) || g.RemoteID == "" && c.Verb != model.CreateGroup):
		return r.groupHolds(g, c.Held)
	}
	if c.Verb != model.CreateGroup {
		words, err := r.groupInRecovery(ctx, c.Verb)
		switch {
		case err != nil:
			return r.groupFailed(g, c, err)
		case words != "" && g.Approved != Digest(g.Target, c):
			return r.groupHolds(g, words)
		}
	}
	switch c.Verb {
	case model.RenameGroup:
		return r.renameGroup(ctx, g, c)
	case model.DeleteGroup:
		return r.deleteGroup(ctx, g, c)
	}
	return r.makeGroup(ctx, g)
}

// groupRests is the outcome of nothing to do.
func (r *runner) groupRests(g store.TargetGroup, why string) groupOutcome {
	g.State, g.Due, g.LastError, g.ErrorClass, g.Attempts = string(model.StateInSync), false, why, "", 0
	gone := !g.Wanted && !isOurs(g)
	return groupOutcome{GroupSettlement: store.GroupSettlement{Group: g, Gone: gone, Wake: g.Wanted}}
}

func (r *runner) groupHolds(g store.TargetGroup, words string) groupOutcome {
	g.State, g.Due, g.LastError, g.ErrorClass, g.Attempts = string(model.StateHeld), false, words, "", 0
	return groupOutcome{GroupSettlement: store.GroupSettlement{Group: g}}
}

func (r *runner) groupFailed(g store.TargetGroup, c model.Change, err error) groupOutcome {
	e := asClientError(err)
	if e.Class != Throttled {
		g.Attempts++
	}
	g.State, g.Due, g.LastError, g.ErrorClass = string(model.StateFailed), true, e.Error(), string(e.Class)
	g.NextAttempt = NextAttempt(RetryFacts{Key: g.Target + "/group/" + g.Name, Attempts: g.Attempts}, e.Class, e.RetryAfter, r.w.Now())
	return groupOutcome{GroupSettlement: store.GroupSettlement{Group: g, Failed: &c}, err: err}
}

// makeGroup looks for a wanted group, takes over what is there by rule and makes what is
// not. The caller holds the group's lock.
func (r *runner) makeGroup(ctx context.Context, g store.TargetGroup) groupOutcome {
	differ := newGroupDiffer(r.target, r.profile)
	c, ok, why := differ.change(g)
	switch {
	case !ok:
		return r.groupRests(g, why)
	case c.Verb == model.AdoptGroup && c.Held == "":
		return r.adoptGroup(g, c)
	case c.Held != "" && c.Verb == model.CreateGroup && !strings.HasPrefix(c.Held, "mode "):
		return r.groupHolds(g, c.Held) // what the mode does not make may still be there
	}
	g.RemoteID, g.Applied = "", begunAs(g)
	if o, done := r.madeBefore(ctx, &g, c); done {
		return o
	}
	found, there, err := r.findGroup(ctx, g.Name)
	if err != nil {
		return r.groupFailed(g, c, err)
	}
	if there {
		return r.foundGroup(ctx, g, found)
	}
	if c.Held == "" {
		if c.Held, err = r.groupInRecovery(ctx, model.CreateGroup); err != nil {
			return r.groupFailed(g, c, err)
		}
	}
	if c.Held != "" {
		return r.groupHolds(g, c.Held)
	}
	if err := r.believeAbsent(ctx); err != nil {
		return r.groupFailed(g, c, err)
	}
	if ok, err := r.w.Store.IntendGroup(ctx, g.Target, g.Name); err != nil || !ok {
		return r.groupFailed(g, c, errors.Join(err, &ClientError{Class: Conflict, Detail: "the group is being made already"}))
	}
	before, begun := g.Owned, g.Applied
	err = r.timed(string(model.CreateGroup), func() (err error) {
		found, err = r.conn.CreateGroup(ctx, g.Name)
		return err
	})
	switch class := ClassOf(err); {
	case err == nil:
		c.RemoteID = found.ID
		g.RemoteID, g.Owned, g.Applied = found.ID, model.OwnedCreated, g.Name
		return r.groupDone(g, c)
	case class == Conflict:
		found, there, err2 := r.findGroup(ctx, g.Name)
		if err2 == nil && there {
			return r.foundGroup(ctx, g, found)
		}
		if err2 == nil {
			err = &ClientError{Class: Garbage, Detail: fmt.Sprintf("look-ups by name find nothing although the application says that group %q exists (%s): it is neither made nor taken over", g.Name, asClientError(err).Detail)}
		}
	case class == Server, class == Timeout, class == UnknownOutcome, class == Garbage:
		before, begun = model.OwnedCreating, g.Name // it may have been made
	}
	g.Owned, g.Applied = before, begun
	return r.groupFailed(g, c, err)
}

// begunAs is the name under which a group may have been made; empty: it was not.
func begunAs(g store.TargetGroup) string {
	if g.Owned != model.OwnedCreating {
		return ""
	}
	return cmp.Or(g.Applied, g.Name)
}

// madeBefore looks for a group that may have been made under a name which it should not
// have any more: it is ours and gets its present one. Else nobody has made anything yet.
func (r *runner) madeBefore(ctx context.Context, g *store.TargetGroup, c model.Change) (o groupOutcome, done bool) {
	if g.Applied == "" || scim.Fold(g.Applied) == scim.Fold(g.Name) {
		return o, false
	}
	found, there, err := r.findGroup(ctx, g.Applied)
	if err != nil {
		return r.groupFailed(*g, c, err), true
	}
	if !there {
		g.Owned, g.Applied = "", ""
		return o, false
	}
	if o = r.foundGroup(ctx, *g, found); o.err == nil {
		o.Group.State, o.Group.Due, o.Group.NextAttempt = string(model.StatePending), true, r.w.Now()
		signal(r.wakeGroups)
	}
	return o, true
}

// foundGroup takes what a look-up found into the row. What we may have made is ours.
func (r *runner) foundGroup(ctx context.Context, g store.TargetGroup, found RemoteGroup) groupOutcome {
	c := model.Change{Verb: model.AdoptGroup, Group: g.Name, RemoteID: found.ID, Because: grantedBy(g)}
	others, err := r.w.Store.GroupsByRemote(ctx, g.Target, found.ID)
	if err != nil {
		return r.groupFailed(g, c, err)
	}
	for _, o := range others {
		if o.Name != g.Name && isOurs(o) {
			return r.groupFailed(g, c, &ClientError{Class: Conflict, Detail: fmt.Sprintf("what is called %q there is group %q, which gets that name first", found.Name, o.Name)})
		}
	}
	g.RemoteID, g.Applied = found.ID, found.Name
	if g.Owned == model.OwnedCreating {
		g.Owned = model.OwnedCreated
		c.Verb = model.CreateGroup
		return r.groupDone(g, c)
	}
	g.Owned = ""
	if r.target.Manual != nil {
		g.Owned = model.OwnedAdopted
		return r.groupDone(g)
	}
	c, ok, why := newGroupDiffer(r.target, r.profile).change(g)
	switch {
	case !ok:
		return r.groupRests(g, why)
	case c.Held != "":
		return r.groupHolds(g, c.Held)
	}
	return r.adoptGroup(g, c)
}

// adoptGroup takes a group that was found under the hub's care. Who is in it stays.
func (r *runner) adoptGroup(g store.TargetGroup, c model.Change) groupOutcome {
	g.Owned = model.OwnedAdopted
	return r.groupDone(g, c)
}

func (r *runner) groupDone(g store.TargetGroup, done ...model.Change) groupOutcome {
	g.State, g.Due, g.LastError, g.ErrorClass, g.Attempts = string(model.StateInSync), false, "", "", 0
	return groupOutcome{GroupSettlement: store.GroupSettlement{Group: g, Done: done, Wake: true}}
}

func (r *runner) renameGroup(ctx context.Context, g store.TargetGroup, c model.Change) groupOutcome {
	err := r.timed(string(model.RenameGroup), func() error { return r.conn.RenameGroup(ctx, g.RemoteID, g.Name) })
	switch class := ClassOf(err); {
	case err == nil:
		g.Applied = g.Name
		return r.groupDone(g, c)
	case class == Missing: // somebody deleted it, perhaps
		if err := r.groupDeparted(ctx, g.RemoteID); err != nil {
			return r.groupFailed(g, c, err)
		}
		g.RemoteID, g.Owned, g.Applied = "", "", ""
		return r.makeGroup(ctx, g)
	case class == Conflict:
		err = &ClientError{Class: Conflict, Status: asClientError(err).Status, Detail: fmt.Sprintf("group %q cannot be called %q: another one there has that name (%s)", g.Applied, g.Name, asClientError(err).Detail)}
	}
	return r.groupFailed(g, c, err)
}

// deleteGroup removes a group of ours that nothing grants: once nobody whom the hub
// knows is in it, nobody else either, and as the guard allows. A person may approve what
// the hub does not do by itself.
func (r *runner) deleteGroup(ctx context.Context, g store.TargetGroup, c model.Change) groupOutcome {
	names := append([]string{g.Name}, g.Former...)
	n, err := r.w.Store.AccountsIn(ctx, g.Target, names)
	if err != nil {
		return r.groupFailed(g, c, err)
	}
	if n > 0 {
		g.Attempts++
		g.State, g.Due, g.LastError = string(model.StatePending), true, fmt.Sprintf("it is removed when the last of %d members has left it", n)
		g.NextAttempt = r.w.Now().Add(min(groupWait<<min(g.Attempts, 12), groupWaitMost))
		return groupOutcome{GroupSettlement: store.GroupSettlement{Group: g}}
	}
	if g.Approved != Digest(g.Target, c) {
		words, err := r.keepsGroup(ctx, g, names)
		if err != nil && ClassOf(err) != Missing {
			return r.groupFailed(g, c, err)
		}
		if words != "" {
			return r.groupHolds(g, words)
		}
	}
	err = r.timed(string(model.DeleteGroup), func() error { return r.conn.DeleteGroup(ctx, g.RemoteID) })
	if err != nil && ClassOf(err) != Missing {
		return r.groupFailed(g, c, err)
	}
	g.RemoteID, g.Owned, g.Applied = "", "", ""
	o := r.groupDone(g, c)
	o.Gone, o.Wake = true, false
	return o
}

// keepsGroup says why a group is not removed without a person: somebody is in it whom
// the hub did not put there, or too much was removed of late.
func (r *runner) keepsGroup(ctx context.Context, g store.TargetGroup, names []string) (string, error) {
	if !r.profile.MembersReadable {
		return "nobody can see who else is in it at this application; its deletion waits for approval", nil
	}
	strangers, err := r.strangersIn(ctx, g, names)
	if err != nil {
		return "", err
	}
	if strangers > 0 {
		return fmt.Sprintf("%d members whom the hub did not put there would lose the group; its deletion waits for approval", strangers), nil
	}
	facts := GuardFacts{Guard: r.target.Guard}
	r.guardMu.Lock()
	defer r.guardMu.Unlock()
	if err := r.count(ctx, &facts); err != nil {
		return "", err
	}
	if limit := facts.Guard.Limit(facts.Population); facts.AlreadyRemoved >= limit {
		return beyond(facts, facts.AlreadyRemoved+1, limit), nil
	}
	return "", nil
}

// strangersIn counts the members of a group that are not the hub's doing.
func (r *runner) strangersIn(ctx context.Context, g store.TargetGroup, names []string) (int, error) {
	var ids []string
	err := r.timed("get-group", func() error {
		for id, err := range r.conn.Members(ctx, g.RemoteID) {
			if err != nil {
				return err
			}
			if ids = append(ids, id); len(ids) >= foreignShown {
				break
			}
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	ours, err := r.w.Store.GroupMemberIDs(ctx, g.Target, names, ids)
	if err != nil {
		return 0, fmt.Errorf("members of group %q: %w", g.Name, err)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return ours[id] })
	return len(ids), nil
}
