package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// groupBook keeps, for each name of a group that is worked on, a lock (see holdGroup), so
// that nobody makes one twice and no group waits for another, and what was learnt of it.
// What groups there are is in the store: a name may be another group's by now.
type groupBook struct {
	mu    sync.Mutex
	by    map[string]*groupEntry // by folded name
	light atomic.Bool            // the last chunk was about memberships alone
	// trust in look-ups of groups by name, as of a moment.
	trustMu   sync.Mutex
	trustedAt time.Time
}

type groupEntry struct {
	mu sync.Mutex // see holdGroup

	learnt   sync.Mutex
	most     int       // half of the members that did not all arrive in one request; 0: that was never seen
	proven   int       // members that were seen to arrive in one request
	verified time.Time // when members were last read to see that they arrive
}

func (b *groupBook) entry(name string) *groupEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := scim.Fold(name)
	if b.by == nil {
		b.by = map[string]*groupEntry{}
	}
	if b.by[key] == nil {
		b.by[key] = &groupEntry{}
	}
	return b.by[key]
}

// groupHeld is the error of who cannot be put into a group because the group itself
// waits for a person.
type groupHeld struct{ words string }

// Error is what the group waits for.
func (e *groupHeld) Error() string { return e.words }

// groupID finds a group by name, or makes it, once, for those who are to be in it. Empty:
// there is none and create is false. A *groupHeld error says that the group waits for a
// person.
func (r *runner) groupID(ctx context.Context, name string, members []member, create bool) (id string, err error) {
	g, known, err := r.knownGroup(ctx, name)
	if err != nil || isOurs(g) {
		return g.RemoteID, err
	}
	if create && (!known || len(g.Origins) == 0) && !waitsForPerson(g) { // whoever is to be in it was decided about first
		if err := r.decided(ctx, members); err != nil {
			return "", err
		}
		if err := r.w.Store.EnsureGroup(ctx, r.target.Name, name); err != nil {
			return "", fmt.Errorf("store group %q: %w", name, err)
		}
	}
	err = r.holdGroup(ctx, name, func(g store.TargetGroup, known bool) (err error) {
		switch {
		case isOurs(g): // while we waited, or another got this name meanwhile
			id = g.RemoteID
		case create && !known:
			err = &ClientError{Class: Network, Detail: fmt.Sprintf("nothing was sent: group %q was forgotten a moment ago, it is looked at again", name)}
		case create:
			id, err = r.groupForMembers(ctx, g, name)
		default:
			id, err = r.groupThere(ctx, name)
		}
		return err
	})
	return id, err
}

func waitsForPerson(g store.TargetGroup) bool {
	return g.State == string(model.StateHeld) && !g.Due
}

// groupThere looks for a group that is not to be made.
func (r *runner) groupThere(ctx context.Context, name string) (id string, err error) {
	found, there, err := r.findGroup(ctx, name)
	if err == nil && !there { // who seems to be in none would seem to have left it
		err = r.believeAbsent(ctx)
	}
	return found.ID, err
}

// groupForMembers makes or finds a group because somebody is to be in it.
func (r *runner) groupForMembers(ctx context.Context, g store.TargetGroup, name string) (id string, err error) {
	if waitsForPerson(g) {
		return "", &groupHeld{g.LastError}
	}
	g.Wanted = true
	o := r.makeGroup(ctx, g)
	if err := r.storeGroup(ctx, o); err != nil {
		return "", err
	}
	switch {
	case o.err != nil:
		return "", o.err
	case o.Group.State == string(model.StateHeld):
		return "", &groupHeld{fmt.Sprintf("group %q: %s", name, o.Group.LastError)}
	}
	return o.Group.RemoteID, nil
}

// knownGroup reads what is known of a group by any of its names. One that has to get
// another name where groups keep theirs becomes two.
func (r *runner) knownGroup(ctx context.Context, name string) (store.TargetGroup, bool, error) {
	g, known, err := r.w.Store.TargetGroup(ctx, r.target.Name, name)
	if err == nil && known && r.splits(g) {
		if err = r.w.Store.SplitGroup(ctx, g); err == nil {
			signal(r.wakeGroups)
			g, known, err = r.w.Store.TargetGroup(ctx, r.target.Name, name)
		}
	}
	if err != nil {
		return store.TargetGroup{}, false, fmt.Errorf("read group %q: %w", name, err)
	}
	return g, known, nil
}

// splits reports whether a group of ours is to get a name that it cannot be given, and
// that another one can have.
func (r *runner) splits(g store.TargetGroup) bool {
	if !g.Wanted || !isOurs(g) || r.profile.Rename.Group || g.Applied == "" || scim.Fold(g.Applied) == scim.Fold(g.Name) {
		return false
	}
	c, ok, _ := newGroupDiffer(r.target, r.profile).change(g)
	return ok && c.Held == ""
}

func (r *runner) findGroup(ctx context.Context, name string) (g RemoteGroup, found bool, err error) {
	err = r.timed("find-group", func() (err error) {
		g, found, err = r.conn.FindGroup(ctx, name)
		return err
	})
	return g, found, err
}

// groupTrust is how long a look-up by name that was seen to work is believed.
const groupTrust = 15 * time.Minute

// believeAbsent makes sure that look-ups of groups by name find what is there before
// nothing found is taken for nothing there: some applications answer a filter that they
// do not know with an empty list.
func (r *runner) believeAbsent(ctx context.Context) error {
	b := &r.groups
	b.trustMu.Lock()
	defer b.trustMu.Unlock()
	if !b.trustedAt.IsZero() && r.w.Now().Before(b.trustedAt.Add(groupTrust)) {
		return nil
	}
	groups, err := r.w.Store.TargetGroups(ctx, r.target.Name)
	if err != nil {
		return fmt.Errorf("read the groups of the target: %w", err)
	}
	tried := 0
	for _, g := range groups {
		if !isOurs(g) || g.Applied == "" || tried == canaryTries {
			continue
		}
		tried++
		found, there, err := r.findGroup(ctx, g.Applied)
		if err != nil && ClassOf(err) != Conflict {
			return err
		}
		if err != nil || there && found.ID == g.RemoteID {
			b.trustedAt = r.w.Now()
			return nil
		}
		if there {
			continue // somebody has made another one of that name
		}
		err = r.timed("get-group", func() error { _, err := r.conn.Group(ctx, g.RemoteID); return err })
		if ClassOf(err) == Missing {
			continue
		}
		if err != nil {
			return err
		}
		return &ClientError{Class: Garbage, Detail: fmt.Sprintf("look-ups of groups by name find nothing although group %q (%s) is there: no group is made", g.Applied, g.RemoteID)}
	}
	return r.believeNothing(ctx)
}

// lostGroup meets an application that does not know a group or one of its members by
// id. Where the group is gone it is made anew, or found under another id; else the same
// id comes back: somebody else is missing.
func (r *runner) lostGroup(ctx context.Context, name, id string, members []member, create bool) (string, error) {
	found, there, err := r.findGroup(ctx, name)
	if err != nil {
		return "", err
	}
	if there && found.ID == id {
		return id, nil
	}
	switch err := r.groupDeparted(ctx, id); {
	case ClassOf(err) == Invalid:
		return id, nil
	case err != nil:
		return "", err
	}
	r.forgetGroup(ctx, name, id)
	return r.groupID(ctx, name, members, create)
}

// forgetGroup drops the id of a group that the target no longer knows. What is wanted is
// made anew.
func (r *runner) forgetGroup(ctx context.Context, name, id string) {
	ctx = context.WithoutCancel(ctx)
	err := r.holdGroup(ctx, name, func(g store.TargetGroup, known bool) error {
		if !known || g.RemoteID != id {
			return nil
		}
		defer signal(r.wakeGroups)
		lost := model.Change{Verb: model.Report, Group: g.Name, RemoteID: id, Because: []string{"the target does not know the group any more"}}
		g.RemoteID, g.Owned, g.Applied, g.State, g.Due, g.NextAttempt = "", "", "", string(model.StatePending), true, r.w.Now()
		return r.w.Store.SettleGroup(ctx, store.GroupSettlement{Group: g, Done: []model.Change{lost}})
	})
	if err != nil {
		r.log.ErrorContext(ctx, "group cannot be stored", "error", err)
	}
}

func isGroupHeld(err error) (string, bool) {
	held, ok := errors.AsType[*groupHeld](err)
	if !ok {
		return "", false
	}
	return held.words, true
}
