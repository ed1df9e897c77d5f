package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
)

// reindexRetry is how long it takes until a reindexing that failed is tried again.
const reindexRetry = 10 * time.Second

// reindexSettle is when what was written meanwhile is indexed once more: requests under
// way, and other replicas for a moment, still go by the schemas before.
const reindexSettle = 15 * time.Second

// KeepIndexed works out anew what resources are found and compared by, each time that
// a configuration is put in force whose schemas differ from those they were indexed
// by, until ctx ends. What is written meanwhile is indexed by the new ones already.
func (h *Hub) KeepIndexed(ctx context.Context) {
	var since time.Time // what was written since is to be done once more; zero: see what differs
	for {
		var again <-chan time.Time
		begun := h.Store.Now()
		differed, err := h.reindex(ctx, since)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			h.Log.ErrorContext(ctx, "resources are not indexed by the schemas in force yet", "error", err)
			again = time.After(reindexRetry)
		case differed:
			since, again = begun.Add(-reindexSettle), time.After(reindexSettle)
		default:
			since = time.Time{}
		}
		select {
		case <-ctx.Done():
			return
		case <-h.activated:
			since = time.Time{}
		case <-again:
		}
	}
}

// LearnIndexed finds out which types have no resource with attributes that they do not
// define: their documents can be passed on as they are stored, which is quicker. Until
// it is known they are not.
func (h *Hub) LearnIndexed(ctx context.Context) error {
	snap := h.Snapshot()
	if snap == nil {
		return nil
	}
	for _, t := range snap.Doc.Registry.Types {
		if _, err := h.indexed(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// indexed reports whether the resources of a type are indexed by its definition.
func (h *Hub) indexed(ctx context.Context, t *scim.ResourceType) (bool, error) {
	digest, err := definition(t)
	if err != nil {
		return false, err
	}
	have, err := h.Store.IndexedBy(ctx, t.Name)
	if err == nil && have.Digest != digest && have.Empty {
		have.Digest, have.Undeclared = digest, false
		err = h.Store.SetIndexedBy(ctx, t.Name, have)
	}
	if err != nil || have.Digest != digest {
		return false, err
	}
	if !have.Undeclared {
		h.declared.Store(t, true)
	}
	return true, nil
}

// reindex brings every type up to date that is not; with a moment, that which was
// written since, of those that were not then. differed says that there were any.
func (h *Hub) reindex(ctx context.Context, since time.Time) (differed bool, err error) {
	snap := h.Snapshot()
	if snap == nil {
		return false, nil
	}
	for _, t := range snap.Doc.Registry.Types {
		if since.IsZero() {
			if done, err := h.indexed(ctx, t); err != nil || done {
				if err != nil {
					return differed, err
				}
				continue
			}
		}
		if err := h.reindexType(ctx, t, since); err != nil {
			return differed, fmt.Errorf("%s: %w", t.Name, err)
		}
		differed = differed || since.IsZero()
	}
	return differed, nil
}

func (h *Hub) reindexType(ctx context.Context, t *scim.ResourceType, since time.Time) error {
	done, err := h.Store.Reindex(ctx, t, since)
	if err != nil {
		return err
	}
	if done.Taken > 0 {
		h.Log.WarnContext(ctx, "values that must be unique are held more than once; nobody else may take them", "type", t.Name, "values", done.Taken)
	}
	x := store.Index{Undeclared: done.Undeclared > 0}
	if x.Digest, err = definition(t); err != nil {
		return err
	}
	if !since.IsZero() {
		before, err := h.Store.IndexedBy(ctx, t.Name)
		if err != nil {
			return err
		}
		x.Undeclared = x.Undeclared || before.Undeclared
	}
	if x.Undeclared {
		h.declared.Delete(t)
		h.Log.InfoContext(ctx, "resources have attributes that no schema defines any more: they are kept, and not shown", "type", t.Name)
	} else if !since.IsZero() {
		h.declared.Store(t, true)
	}
	return h.Store.SetIndexedBy(ctx, t.Name, x)
}

// passable takes back the wish for documents as they are stored, where they may hold
// what the type does not define.
func (h *Hub) passable(t *scim.ResourceType, want scim.Fields) scim.Fields {
	if want.PassOn {
		_, want.PassOn = h.declared.Load(t)
	}
	return want
}

// definition is a digest of everything that a resource type says about its attributes.
func definition(t *scim.ResourceType) (string, error) {
	all := []any{t.JSON(""), t.Schema.JSON("")}
	for _, e := range t.Extensions {
		all = append(all, e.Schema.JSON(""))
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("definition of %s: %w", t.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
