package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// groupBook knows the ids of a target's groups. Each group has a lock of its own,
// so that nobody makes one twice and no group waits for another.
type groupBook struct {
	mu     sync.Mutex
	loaded bool
	by     map[string]*groupEntry
}

type groupEntry struct {
	mu sync.Mutex
	id string // empty: not known
}

func (b *groupBook) entry(ctx context.Context, s *store.Store, target, name string) (*groupEntry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded {
		list, err := s.TargetGroups(ctx, target)
		if err != nil {
			return nil, fmt.Errorf("read the groups of the target: %w", err)
		}
		b.by, b.loaded = map[string]*groupEntry{}, true
		for _, g := range list {
			b.by[g.Name] = &groupEntry{id: g.RemoteID}
		}
	}
	if b.by[name] == nil {
		b.by[name] = &groupEntry{}
	}
	return b.by[name], nil
}

// delta is what a chunk does to one group.
type delta struct {
	name    string
	members []member
}

type member struct {
	job    *job
	change model.Change
}

func (m member) id() string { return m.job.row.RemoteID }

// memberships gathers the joins and parts of a chunk by group and sends them in
// pieces of the profile's size.
func (r *runner) memberships(ctx context.Context, jobs []*job, width int) {
	var names []string
	by := map[string]*delta{}
	for _, j := range jobs {
		for _, c := range j.changes {
			if c.Group == "" || c.Held != "" || c.Verb == model.CreateGroup {
				continue
			}
			if by[c.Group] == nil {
				by[c.Group] = &delta{name: c.Group}
				names = append(names, c.Group)
			}
			by[c.Group].members = append(by[c.Group].members, member{j, c})
			j.open++
		}
	}
	slices.Sort(names)
	pool := errgroup.Group{}
	pool.SetLimit(max(width, 1))
	for _, name := range names {
		pool.Go(func() error {
			r.group(ctx, by[name])
			return nil
		})
	}
	_ = pool.Wait() // the functions return nil: failures belong to their job
}

func (r *runner) group(ctx context.Context, d *delta) {
	joins := slices.ContainsFunc(d.members, func(m member) bool { return m.change.Verb == model.Join })
	for members := range slices.Chunk(d.members, max(r.profile.Patch.MaxMemberChanges, 1)) {
		if members = r.unwanted(members); len(members) == 0 {
			continue
		}
		err := survive(r.log, func() error { r.piece(ctx, d.name, members, joins, true); return nil })
		for _, m := range members {
			if err != nil {
				m.job.fail(m.change, fmt.Errorf("group %q: %w", d.name, err))
			}
			m.job.through()
		}
	}
}

// piece sends one PATCH. A group that is gone is looked up again once. Where the
// target refuses the piece it is halved until only the bad members are left, so
// that one bad object does not stop the others.
func (r *runner) piece(ctx context.Context, name string, members []member, create, again bool) {
	id, err := r.groupID(ctx, name, create)
	if err == nil && id == "" {
		for _, m := range members { // parting from a group that is not there
			r.settleMember(m)
		}
		return
	}
	if err == nil {
		var add, remove []string
		for _, m := range members {
			if m.change.Verb == model.Join {
				add = append(add, m.id())
			} else {
				remove = append(remove, m.id())
			}
		}
		verb := model.Join
		if len(add) == 0 {
			verb = model.Part
		}
		err = r.timed(string(verb), func() error { return r.conn.PatchMembers(ctx, id, add, remove) })
	}
	switch class := ClassOf(err); {
	case err == nil:
		for _, m := range members {
			r.settleMember(m)
		}
	case class == Missing && again && id != "":
		r.forgetGroup(ctx, name, id)
		r.piece(ctx, name, members, create, false)
	case id != "" && len(members) > 1 && (class == Missing || class == Invalid || class == Conflict):
		half := len(members) / 2
		r.piece(ctx, name, members[:half], create, false)
		r.piece(ctx, name, members[half:], create, false)
	default:
		for _, m := range members {
			m.job.fail(m.change, fmt.Errorf("group %q: %w", name, err))
		}
	}
}

// settleMember takes a membership that was written into the account's row.
func (r *runner) settleMember(m member) {
	m.job.did(m.change)
	m.job.mu.Lock()
	defer m.job.mu.Unlock()
	if m.job.row.Applied == nil {
		return
	}
	applied := *m.job.row.Applied
	applied.Groups = slices.DeleteFunc(slices.Clone(applied.Groups), func(g string) bool { return g == m.change.Group })
	if m.change.Verb == model.Join {
		applied.Groups = append(applied.Groups, m.change.Group)
	}
	slices.Sort(applied.Groups)
	m.job.row.Applied = &applied
	if m.job.row.Observed != nil {
		seen := *m.job.row.Observed
		seen.Groups = slices.Clone(applied.Groups)
		m.job.row.Observed = &seen
	}
}

// groupID finds a group by name, or makes it, once. Empty: there is none and
// create is false.
func (r *runner) groupID(ctx context.Context, name string, create bool) (string, error) {
	e, err := r.groups.entry(ctx, r.w.Store, r.target.Name, name)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.id != "" {
		return e.id, nil
	}
	var g RemoteGroup
	find := func() (found bool, err error) {
		err = r.timed("find-group", func() (err error) {
			g, found, err = r.conn.FindGroup(ctx, name)
			return err
		})
		return found, err
	}
	found, err := find()
	if err != nil || (!found && !create) {
		return "", err
	}
	owned := model.OwnedAdopted
	if !found {
		owned = model.OwnedCreated
		err := r.timed(string(model.CreateGroup), func() (err error) {
			g, err = r.conn.CreateGroup(ctx, name)
			return err
		})
		if ClassOf(err) == Conflict {
			owned = model.OwnedAdopted
			if found, err2 := find(); err2 != nil || !found {
				return "", err
			}
			err = nil
		}
		if err != nil {
			return "", err
		}
	}
	e.id = g.ID
	r.saveGroup(ctx, name, g.ID, owned)
	return g.ID, nil
}

// saveGroup remembers a group. Should that fail it is found again by name.
func (r *runner) saveGroup(ctx context.Context, name, id, owned string) {
	ctx = context.WithoutCancel(ctx)
	err := r.w.Store.SaveTargetGroup(ctx, store.TargetGroup{Target: r.target.Name, Name: name, RemoteID: id, Owned: owned, State: string(model.StateInSync)})
	if err == nil && owned == model.OwnedCreated {
		err = r.w.Store.AuditChanges(ctx, r.target.Name, []model.Change{{Verb: model.CreateGroup, Group: name, RemoteID: id}})
	}
	if err != nil {
		r.log.Error("group cannot be stored", "error", err)
	}
}

// forgetGroup drops an id that the target no longer knows.
func (r *runner) forgetGroup(ctx context.Context, name, id string) {
	e, err := r.groups.entry(ctx, r.w.Store, r.target.Name, name)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.id == id {
		e.id = ""
	}
}
