package store_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// retitled is the write that gives a user, as it was read, another title.
func retitled(h store.Held, rt *scim.ResourceType, title string) store.ResourceWrite {
	next := h.Resource
	next.Attrs = maps.Clone(next.Attrs)
	next.Attrs["title"] = title
	next.Meta.Version++
	return store.ResourceWrite{Source: "hr", Actor: "test", Type: rt, Action: "modify", Resource: next, Before: h.Resource.Attrs,
		Identity: h.Identity, Marks: []string{h.Identity}, Data: map[string]any{"title": title}}
}

// TestModifyAlone: of all who read one version only one writes; the others are told
// and leave nothing behind, neither in the audit trail nor among the events.
func TestModifyAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		user := userType(t)
		create(t, db, newUser(t, "u1", "mira@example.com", nil))
		held, err := db.Held(t.Context(), "hr", user, "u1", scim.Fields{})
		if err != nil {
			t.Fatal(err)
		}
		before := verifyAudit(t, db)
		const writers = 20
		errs := make([]error, writers)
		var work sync.WaitGroup
		for i := range writers {
			work.Go(func() {
				errs[i] = db.ModifyResource(t.Context(), retitled(held, user, fmt.Sprint("title ", i)))
			})
		}
		work.Wait()
		wrote := 0
		for _, err := range errs {
			if err == nil {
				wrote++
			} else if !errors.Is(err, store.ErrStale) {
				t.Error(err)
			}
		}
		want := 1
		if !db.Postgres() {
			want = 0 // there a lock costs nothing, and one is always taken
		}
		if wrote != want {
			t.Errorf("%d wrote, want %d", wrote, want)
		}
		if after := verifyAudit(t, db); after != before+int64(wrote) {
			t.Errorf("%d audit entries, want %d", after, before+int64(wrote))
		}
		if got := held.Resource.Meta.Version + int64(wrote); got != version(t, db, user, "u1") {
			t.Errorf("version %d, want %d", version(t, db, user, "u1"), got)
		}
	})
}

// TestModifyAloneOfAnother: a resource that is gone, or belongs to another person by
// now, is not written.
func TestModifyAloneOfAnother(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		user := userType(t)
		create(t, db, newUser(t, "u1", "mira@example.com", nil), newUser(t, "u2", "nils@example.com", nil))
		for id, spoil := range map[string]func(h *store.Held){
			"u1": func(h *store.Held) { h.Identity = "i-u2" },
			"u2": func(h *store.Held) { h.Resource.ID = "u3" },
		} {
			held, err := db.Held(t.Context(), "hr", user, id, scim.Fields{})
			if err != nil {
				t.Fatal(err)
			}
			spoil(&held)
			if err := db.ModifyResource(t.Context(), retitled(held, user, "x")); !errors.Is(err, store.ErrStale) {
				t.Errorf("%s: %v", id, err)
			}
			if got := version(t, db, user, id); got != 1 {
				t.Errorf("%s is at version %d", id, got)
			}
		}
	})
}

func version(t *testing.T, db *storetest.DB, rt *scim.ResourceType, id string) int64 {
	t.Helper()
	r, err := db.Resource(t.Context(), "hr", rt, id, scim.Fields{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Meta.Version
}
