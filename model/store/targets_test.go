package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestTargetState(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		got, err := db.TargetState(t.Context(), "git")
		if diff := cmp.Diff(store.TargetState{Name: "git"}, got); diff != "" || err != nil {
			t.Errorf("never worked on: %v\n%s", err, diff)
		}
		var wg sync.WaitGroup
		errs := make([]error, 5)
		for i := range errs {
			wg.Go(func() {
				errs[i] = db.UpdateTargetState(t.Context(), "git", func(s *store.TargetState) { s.Failures++ })
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		at := noon()
		if err := db.UpdateTargetState(t.Context(), "git", func(s *store.TargetState) { s.Paused, s.LastError, s.RetryAt = true, `no "thing"`, &at }); err != nil {
			t.Fatal(err)
		}
		if ok, err := db.LeaseTarget(t.Context(), "git", "r1", time.Minute); !ok || err != nil {
			t.Errorf("lease of a target with a state: %v %v", ok, err)
		}
		got, err = db.TargetState(t.Context(), "git")
		want := store.TargetState{Name: "git", Failures: 5, Paused: true, LastError: `no "thing"`, RetryAt: &at}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestConfigVersions(t *testing.T) {
	t.Parallel()
	withClock(t, func(t *testing.T, db *storetest.DB, clock *storetest.Clock) {
		if _, ok, err := db.ActiveConfig(t.Context()); ok || err != nil {
			t.Errorf("there is a version in a fresh database: %v", err)
		}
		create(t, db, newUser(t, "u1", "ada", nil))
		mark := claim(t, db, 1)[0]
		update(t, db, func(tx *store.Tx) error { return tx.Unmark(mark) })
		add := func(after int64, body string) error {
			return db.Update(t.Context(), func(tx *store.Tx) error {
				v, err := tx.AddConfig(after, "digest "+body, body, "ops")
				if err == nil && v != after+1 {
					t.Errorf("version %d after %d", v, after)
				}
				return err
			})
		}
		if err := add(0, "one"); err != nil {
			t.Fatal(err)
		}
		if n, _, err := db.Marks(t.Context()); n != 1 || err != nil {
			t.Errorf("%d people marked by a new version, want 1: %v", n, err)
		}
		if err := add(0, "late"); model.CodeOf(err) != model.Conflict {
			t.Errorf("planned against version 0: %v", err)
		}
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = add(1, "two") })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if model.CodeOf(err) != model.Conflict {
				t.Errorf("of several at once: %v", err)
			}
		}
		got, ok, err := db.ActiveConfig(t.Context())
		want := store.ConfigVersion{Version: 2, Digest: "digest two", Body: "two", By: "ops", At: noon()}
		if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil || won != 1 {
			t.Errorf("%d of several won; %v\n%s", won, err, diff)
		}
	})
}
