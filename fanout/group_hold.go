package fanout

import (
	"context"
	"slices"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// lock takes the locks of some names, in one order so that nobody waits for each other.
func (b *groupBook) lock(names []string) (free func()) {
	held := make([]*groupEntry, len(names))
	for i, name := range names {
		held[i] = b.entry(name)
		held[i].mu.Lock()
	}
	return func() {
		for _, e := range held {
			e.mu.Unlock()
		}
	}
}

// holdGroup works on a group while nobody else makes, finds or changes it. All names that
// the group has or had are locked: whoever began to make it under a former one is waited
// for.
func (r *runner) holdGroup(ctx context.Context, name string, work func(g store.TargetGroup, known bool) error) error {
	names := []string{scim.Fold(name)}
	for {
		others, err := r.holdNames(ctx, name, names, work)
		if len(others) == 0 {
			return err
		}
		names = others // renamed since it was read, or not read yet
	}
}

// holdNames is holdGroup under the locks of some names. Where the group has others, too,
// nothing was done, and they come back all.
func (r *runner) holdNames(ctx context.Context, name string, names []string, work func(g store.TargetGroup, known bool) error) (others []string, err error) {
	free := r.groups.lock(names)
	defer free()
	g, known, err := r.knownGroup(ctx, name)
	if err != nil {
		return nil, err
	}
	all := foldedNames(name, g)
	if slices.ContainsFunc(all, func(n string) bool { return !slices.Contains(names, n) }) {
		return all, nil
	}
	return nil, work(g, known)
}

// foldedNames are the names of a group, and the one it was looked for by, in order.
func foldedNames(name string, g store.TargetGroup) []string {
	names := []string{scim.Fold(name)}
	if g.Name != "" {
		names = append(names, scim.Fold(g.Name))
	}
	for _, f := range g.Former {
		names = append(names, scim.Fold(f))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
