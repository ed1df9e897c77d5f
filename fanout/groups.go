package fanout

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

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
	var keys []string
	by := map[string]*delta{}
	for _, j := range jobs {
		for _, c := range j.changes {
			if c.Group == "" || c.Held != "" || c.Verb == model.CreateGroup {
				continue
			}
			key := scim.Fold(c.Group) // sources write a name in different ways
			if by[key] == nil {
				by[key] = &delta{name: c.Group}
				keys = append(keys, key)
			}
			by[key].members = append(by[key].members, member{j, c})
			j.open++
		}
	}
	slices.Sort(keys)
	pool := errgroup.Group{}
	pool.SetLimit(max(width, 1))
	for _, key := range keys {
		pool.Go(func() error {
			r.group(ctx, by[key])
			return nil
		})
	}
	_ = pool.Wait() // the functions return nil: failures belong to their job
}

// group changes the members of one group: who is to leave it first, so that nobody
// waits for others to join.
func (r *runner) group(ctx context.Context, d *delta) {
	slices.SortStableFunc(d.members, func(a, b member) int { return rank(a.change.Verb) - rank(b.change.Verb) })
	joins := slices.ContainsFunc(d.members, func(m member) bool { return m.change.Verb == model.Join })
	for rest := d.members; len(rest) > 0; {
		n := r.pieceSize(d.name, rest)
		members := r.unwanted(slices.Clone(rest[:n]))
		rest = rest[n:]
		if len(members) == 0 {
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

// What a request about members holds beside their ids, in bytes at most.
const (
	patchFrame  = 160 // schemas, operations, the path of what is added
	addFrame    = 16  // {"value":""},
	removeFrame = 64  // {"op":"remove","path":"members[value eq \"\"]"},
)

// pieceSize is how many of the members go into one request: as many as the application
// takes by number, by operations and by bytes, at least one.
func (r *runner) pieceSize(group string, members []member) int {
	p := r.profile.Patch
	most := max(p.MaxMemberChanges, 1)
	if learnt := r.groups.entry(group).limit(); learnt > 0 {
		most = min(most, learnt)
	}
	bytes, ops, adds := patchFrame, 0, 0
	for i, m := range members {
		size, op := len(m.id())+addFrame, 0
		switch {
		case m.change.Verb != model.Join && p.RemoveMembers != "list":
			size, op = len(m.id())+removeFrame, 1
		case m.change.Verb == model.Join && adds == 0:
			op = 1
		}
		if m.change.Verb == model.Join {
			adds++
		}
		bytes, ops = bytes+size, ops+op
		if i > 0 && (i == most || p.MaxBody > 0 && bytes > p.MaxBody || p.MaxOps > 0 && ops > p.MaxOps) {
			return i
		}
	}
	return len(members)
}

// piece sends one PATCH. A group that is gone is looked up again once. Where the
// target refuses the piece it is halved until only the bad members are left, so
// that one bad object does not stop the others. So it is where some of it did not
// arrive though the target said so.
func (r *runner) piece(ctx context.Context, name string, members []member, create, again bool) {
	id, err := r.groupID(ctx, name, members, create)
	if err == nil && id == "" {
		for _, m := range members { // parting from a group that is not there
			r.settleMember(m)
		}
		return
	}
	if err == nil {
		if members, err = r.renamedInto(ctx, name, members); err == nil && len(members) == 0 {
			return
		}
	}
	if err == nil {
		err = r.patch(ctx, name, id, members)
	}
	if words, held := isGroupHeld(err); held {
		for _, m := range members {
			m.job.wait(words)
		}
		return
	}
	class := ClassOf(err)
	if class == Missing && again && id != "" {
		found, err2 := r.lostGroup(ctx, name, id, members, create)
		if err2 == nil && found != id {
			r.piece(ctx, name, members, create, false)
			return
		}
		if err2 != nil {
			err, class = err2, ClassOf(err2)
		}
	}
	switch {
	case err == nil:
		for _, m := range members {
			r.settleMember(m)
		}
		r.renamedUnder(ctx, name, members)
	case id != "" && len(members) > 1 && (class == Missing || class == Invalid || class == Conflict || isDropped(err)):
		half := len(members) / 2
		r.piece(ctx, name, members[:half], create, false)
		r.piece(ctx, name, members[half:], create, false)
	default:
		for _, m := range members {
			m.job.fail(m.change, fmt.Errorf("group %q: %w", name, err))
		}
	}
}

// patch sends one request and, now and then, sees whether it arrived.
func (r *runner) patch(ctx context.Context, name, id string, members []member) error {
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
	under, end := r.changingMembers(ctx, name, members, verb)
	err := r.timed(string(verb), func() error { return r.conn.PatchMembers(under, id, add, remove) })
	if end(err); err != nil {
		return err
	}
	return r.arrived(ctx, name, id, add)
}

// wait holds a job whose group waits for a person.
func (j *job) wait(words string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held == "" {
		j.held = words
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
