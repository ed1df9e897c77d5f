// Package memory is a scimserver.Backend that keeps resources in memory. It is
// what simulated applications run on, and the plain model that other backends can
// be compared with: no client sees less than another, and nothing survives the
// process.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// Options changes how a Store behaves. The zero value is ready to use.
type Options struct {
	// UniqueGroupNames refuses a second group with a displayName that differs in
	// case at most, also where the client's dialect does not ask for it.
	UniqueGroupNames bool
	Now              func() time.Time // nil means time.Now
	NewID            func() string    // nil means random UUIDs
}

// Store holds the resources of one application. It is safe for concurrent use.
type Store struct {
	options Options
	mu      sync.RWMutex
	tables  map[string]*table   // by resource type name
	holders map[string][]string // resource id → ids of the groups that list it as a member
	seq     uint64
}

// table holds the resources of one type in order of creation.
type table struct {
	kind   *scim.ResourceType
	byID   map[string]*record
	order  []*record
	keys   []key
	lookup map[string]map[any][]*record // by key name, then by the value in the search document; in order of creation
	owner  map[scim.UniqueValue]*record
}

var _ scimserver.Backend = (*Store)(nil)

// New makes an empty Store for the resource types of reg.
func New(reg *scim.Registry, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	s := &Store{options: o, tables: map[string]*table{}, holders: map[string][]string{}}
	for _, t := range reg.Types {
		s.tables[t.Name] = newTable(t)
	}
	return s
}

func newTable(t *scim.ResourceType) *table {
	tb := &table{kind: t, byID: map[string]*record{}, lookup: map[string]map[any][]*record{}, owner: map[scim.UniqueValue]*record{}}
	tb.keys = keysOf(t)
	for _, k := range tb.keys {
		tb.lookup[k.name] = map[any][]*record{}
	}
	return tb
}

// now is the time of a change, in the precision that meta has.
func (s *Store) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }

func (s *Store) table(t *scim.ResourceType) (*table, error) {
	tb, ok := s.tables[t.Name]
	if !ok {
		return nil, scim.Errorf(404, "", "there are no resources of type %s here", t.Name)
	}
	return tb, nil
}

func (s *Store) find(t *scim.ResourceType, id string) (*table, *record, error) {
	tb, err := s.table(t)
	if err != nil {
		return nil, nil, err
	}
	rec, ok := tb.byID[id]
	if !ok {
		return nil, nil, scimserver.NotFound(t, id)
	}
	return tb, rec, nil
}

// Get returns the resource with this id; 404 if there is none.
func (s *Store) Get(_ context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, rec, err := s.find(t, id)
	if err != nil {
		return scim.Resource{}, err
	}
	return s.complete(rec, want), nil
}

// Create stores a new resource; 409 if it takes a value that must be unique.
func (s *Store) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb, err := s.table(t)
	if err != nil {
		return scim.Resource{}, err
	}
	now := s.now()
	s.seq++
	rec := &record{seq: s.seq, res: scim.Resource{
		Type: t.Name, Attrs: attrs,
		Meta: scim.Meta{Created: now, LastModified: now, Version: 1},
	}}
	rec.keys = tb.keyValues(rec.res)
	own := t.UniqueValues(rec.res)
	if err := tb.checkUnique(rec, own, rec.keys, s.uniqueNames(ctx)); err != nil {
		return scim.Resource{}, err
	}
	if err := s.checkReferences(ctx, scim.Resource{}, rec.res); err != nil {
		return scim.Resource{}, err
	}
	tb.claim(rec, own)
	rec.res.ID = s.options.NewID()
	tb.byID[rec.res.ID] = rec
	tb.order = append(tb.order, rec)
	tb.reindex(rec, nil, rec.keys)
	s.link(rec.res.ID, nil, memberIDs(rec.res))
	return s.complete(rec, scim.Fields{}), nil
}

// Modify changes the resource; 404, 412, 409, and what Change.Apply finds.
func (s *Store) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb, rec, err := s.find(t, id)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := pre.Check(rec.res.Meta); err != nil {
		return scim.Resource{}, err
	}
	next, changed, err := c.Apply(t, rec.res)
	if err != nil {
		return scim.Resource{}, err
	}
	if changed {
		if err := s.replace(ctx, tb, rec, next); err != nil {
			return scim.Resource{}, err
		}
	}
	return s.complete(rec, want), nil
}

// replace puts a changed resource in the place of the old one.
func (s *Store) replace(ctx context.Context, tb *table, rec *record, next scim.Resource) error {
	keys, own := tb.keyValues(next), tb.kind.UniqueValues(next)
	if err := tb.checkUnique(rec, own, keys, s.uniqueNames(ctx)); err != nil {
		return err
	}
	if err := s.checkReferences(ctx, rec.res, next); err != nil {
		return err
	}
	tb.claim(rec, own)
	before, oldName := memberIDs(rec.res), rec.res.Attrs["displayName"]
	tb.reindex(rec, rec.keys, keys)
	rec.keys = keys
	next.ID, next.Type, next.Meta = rec.res.ID, rec.res.Type, rec.res.Meta
	rec.res = next
	s.touch(rec)
	after := memberIDs(next)
	s.link(rec.res.ID, before, after)
	if oldName != next.Attrs["displayName"] {
		s.forget(after) // their "groups" show the name
	}
	return nil
}

// touch gives a changed record its next version. The time never goes back.
func (s *Store) touch(rec *record) {
	if now := s.now(); now.After(rec.res.Meta.LastModified) {
		rec.res.Meta.LastModified = now
	}
	rec.res.Meta.Version++
	rec.doc.Store(nil)
}

// Delete removes the resource, and its memberships with it; 404, 412.
func (s *Store) Delete(_ context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb, rec, err := s.find(t, id)
	if err != nil {
		return err
	}
	if err := pre.Check(rec.res.Meta); err != nil {
		return err
	}
	s.link(id, memberIDs(rec.res), nil)
	s.leaveAll(id)
	tb.reindex(rec, rec.keys, nil)
	tb.claim(rec, nil)
	delete(tb.byID, id)
	tb.order = without(tb.order, rec.seq)
	return nil
}

// Snapshot returns every resource of a type in order of creation, as the store
// holds it.
func (s *Store) Snapshot(typeName string) []scim.Resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tb, ok := s.tables[typeName]
	if !ok {
		return nil
	}
	out := make([]scim.Resource, 0, len(tb.order))
	for _, rec := range tb.order {
		out = append(out, s.complete(rec, scim.Fields{}))
	}
	return out
}

// Len is the number of resources of a type.
func (s *Store) Len(typeName string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if tb, ok := s.tables[typeName]; ok {
		return len(tb.order)
	}
	return 0
}
