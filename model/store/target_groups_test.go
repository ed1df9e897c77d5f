package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

func TestTargetGroups(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		groups := []store.TargetGroup{
			{Target: "git", Name: "eng", RemoteID: "g1", Owned: "created", State: "in_sync", NextAttempt: noon()},
			{Target: "git", Name: "ops", State: "failed", LastError: "no", Attempts: 3, NextAttempt: noon().Add(time.Hour)},
		}
		for _, g := range []store.TargetGroup{groups[1], {Target: "git", Name: "eng"}, groups[0], {Target: "chat", Name: "all"}} {
			if err := db.SaveTargetGroup(t.Context(), g); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.TargetGroups(t.Context(), "git")
		if diff := cmp.Diff(groups, got, cmpopts.IgnoreFields(store.TargetGroup{}, "Generation", "UpdatedAt")); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
