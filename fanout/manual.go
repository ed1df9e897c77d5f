package fanout

import (
	"context"
	"iter"
	"sync"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model"
)

// manual is the Connector of an application without an API: what it is told to do was
// done by a person before, who said so by closing a task. It refuses what nobody was
// asked about. Nothing can be read there; what is there is what was confirmed.
type manual struct {
	mu     sync.Mutex
	agreed map[string]bool // nameKey of accounts to be made, idKey of those there are
}

var _ Connector = (*manual)(nil)

// manualProfile is what the hub can rely on where people do the work.
func manualProfile(p Profile) Profile {
	p.ListTrustworthy, p.MembersReadable, p.EchoesBody = false, false, false
	p.Transfer = "manual"
	return p
}

func (m *manual) agree(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.agreed == nil {
		m.agreed = map[string]bool{}
	}
	for _, k := range keys {
		m.agreed[k] = true
	}
}

func (m *manual) revoke(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		delete(m.agreed, k)
	}
}

// check says whether somebody confirmed what is about to count as done.
func (m *manual) check(keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if !m.agreed[k] {
			return &ClientError{Class: Invalid, Detail: "nobody was asked to do this by hand"}
		}
	}
	return nil
}

func unreadable() error {
	return &ClientError{Class: Unreadable, Detail: "people look after this application by hand: nothing can be read there"}
}

// Lookup finds nobody: only what was confirmed is known.
func (*manual) Lookup(context.Context, string, string) (RemoteUser, bool, error) {
	return RemoteUser{}, false, nil
}

// Get cannot read.
func (*manual) Get(context.Context, string) (RemoteUser, error) { return RemoteUser{}, unreadable() }

// List cannot read.
func (*manual) List(context.Context) iter.Seq2[RemoteUser, error] {
	return func(yield func(RemoteUser, error) bool) { yield(RemoteUser{}, unreadable()) }
}

// ListFrom cannot read.
func (*manual) ListFrom(context.Context, string) iter.Seq2[UserPage, error] {
	return func(yield func(UserPage, error) bool) { yield(UserPage{}, unreadable()) }
}

// Total cannot read.
func (*manual) Total(context.Context) (int, error) { return 0, unreadable() }

// Create gives a confirmed account the number under which the hub knows it.
func (m *manual) Create(_ context.Context, a model.Account) (RemoteUser, error) {
	if err := m.check(nameKey(a.UserName)); err != nil {
		return RemoteUser{}, err
	}
	id := uuid.NewString()
	m.agree(idKey(id)) // its memberships belong to the same task
	return RemoteUser{ID: id, UserName: a.UserName, Active: a.Active}, nil
}

// Update takes what was confirmed as written.
func (m *manual) Update(_ context.Context, id string, _, _ model.Account) (*RemoteUser, error) {
	return nil, m.check(idKey(id))
}

// SetActive takes what was confirmed as written.
func (m *manual) SetActive(_ context.Context, id string, _ bool) (*RemoteUser, error) {
	return nil, m.check(idKey(id))
}

// Delete takes what was confirmed as done.
func (m *manual) Delete(_ context.Context, id string) error { return m.check(idKey(id)) }

// FindGroup takes every group as one that is there: tasks name it.
func (*manual) FindGroup(_ context.Context, name string) (RemoteGroup, bool, error) {
	return RemoteGroup{ID: name, Name: name}, true, nil
}

// Group cannot read.
func (*manual) Group(context.Context, string) (RemoteGroup, error) {
	return RemoteGroup{}, unreadable()
}

// ListGroups cannot read.
func (*manual) ListGroups(context.Context) iter.Seq2[RemoteGroup, error] {
	return func(yield func(RemoteGroup, error) bool) { yield(RemoteGroup{}, unreadable()) }
}

// Members cannot read.
func (*manual) Members(context.Context, string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("", unreadable()) }
}

// CreateGroup makes none: whoever puts the first member in makes it.
func (*manual) CreateGroup(_ context.Context, name string) (RemoteGroup, error) {
	return RemoteGroup{ID: name, Name: name}, nil
}

// RenameGroup is nothing that people are asked for.
func (*manual) RenameGroup(context.Context, string, string) error { return byHand() }

// DeleteGroup is nothing that people are asked for.
func (*manual) DeleteGroup(context.Context, string) error { return byHand() }

func byHand() error {
	return &ClientError{Class: Invalid, Detail: "groups of an application that is looked after by hand are renamed and removed by hand"}
}

// PatchMembers takes what was confirmed as written.
func (m *manual) PatchMembers(_ context.Context, _ string, add, remove []string) error {
	keys := make([]string, 0, len(add)+len(remove))
	for _, id := range append(append([]string(nil), add...), remove...) {
		keys = append(keys, idKey(id))
	}
	return m.check(keys...)
}

// confirmed asks for all changes of one account at a manual target, in one task. nil:
// somebody says that they are done, and they may be carried out in the books.
func (r *runner) confirmed(ctx context.Context, j *job) error {
	m, ok := r.conn.(*manual)
	if !ok {
		return nil
	}
	keys := []string{nameKey(nameOf(j.row))}
	if j.row.RemoteID != "" {
		keys = []string{idKey(j.row.RemoteID)}
	}
	m.revoke(keys...)
	changes := unheld(j.changes)
	if len(changes) == 0 {
		return nil
	}
	if err := r.asked(ctx, j, model.TaskManual, changes); err != nil {
		return err
	}
	if j.row.Owned == model.OwnedCreating && j.row.RemoteID != "" {
		j.row.Owned = model.OwnedCreated
	}
	m.agree(keys...)
	return nil
}

// remember finds accounts of a manual target in the hub's own books, as resolve does
// at the target. Of an account whose making was asked for and not confirmed it is not
// known whether it exists: when its owner leaves somebody has to look.
func (r *runner) remember(jobs []*job) {
	for _, j := range jobs {
		row := &j.row
		if row.Applied != nil || isForeign(*row) {
			continue
		}
		row.RemoteID, row.Observed = "", nil
		if row.Desired != nil {
			continue
		}
		for i := range row.Sent {
			if s := row.Sent[len(row.Sent)-1-i]; j.intent && !isNone(s) {
				row.RemoteID, row.Observed = uuid.NewString(), &s
				break
			}
		}
		if row.RemoteID == "" {
			row.Owned = ""
		}
	}
}

// witnessed is verify where nothing can be read: the word of the person who closed the
// task.
func (r *runner) witnessed(j *job) {
	if j.err != nil || (j.row.Applied != nil && j.row.Applied.Active) {
		return
	}
	now := r.w.Now()
	j.row.VerifiedAt = &now
	r.revoked(j)
}
