package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// reindexRetry is how long it takes until a reindexing that failed is tried again.
const reindexRetry = 10 * time.Second

// KeepIndexed works out anew what resources are found and compared by, each time that
// a configuration is put in force whose schemas differ from those they were indexed
// by, until ctx ends. What is written meanwhile is indexed by the new ones already.
func (h *Hub) KeepIndexed(ctx context.Context) {
	for {
		var retry <-chan time.Time
		if err := h.reindex(ctx); err != nil && ctx.Err() == nil {
			h.Log.Error("resources are not indexed by the schemas in force yet", "error", err)
			retry = time.After(reindexRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-h.activated:
		case <-retry:
		}
	}
}

// reindex brings every type up to date that is not.
func (h *Hub) reindex(ctx context.Context) error {
	snap := h.Snapshot()
	if snap == nil {
		return nil
	}
	for _, t := range snap.Doc.Registry.Types {
		digest, err := definition(t)
		if err != nil {
			return err
		}
		have, err := h.Store.IndexedBy(ctx, t.Name)
		if err != nil {
			return err
		}
		if have == digest {
			continue
		}
		taken, err := h.Store.Reindex(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if taken > 0 {
			h.Log.Warn("values that must be unique are held more than once; nobody else may take them", "type", t.Name, "values", taken)
		}
		if err := h.Store.SetIndexedBy(ctx, t.Name, digest); err != nil {
			return err
		}
	}
	return nil
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
