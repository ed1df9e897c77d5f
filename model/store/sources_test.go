package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestDeviations: counts add up over flushes, per source, and the last time never
// goes back.
func TestDeviations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *storetest.DB) {
		early, late := time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
		for _, list := range [][]store.Deviation{
			{{Source: "entra", Name: "op_case", N: 2, LastAt: late}, {Source: "okta", Name: "op_case", N: 9, LastAt: late}},
			{{Source: "entra", Name: "op_case", N: 3, LastAt: early}, {Source: "entra", Name: "bom", N: 7, LastAt: early}},
		} {
			if err := db.Store.AddDeviations(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Store.Deviations(t.Context(), "entra")
		if err != nil {
			t.Fatal(err)
		}
		want := []store.Deviation{{Source: "entra", Name: "bom", N: 7, LastAt: early}, {Source: "entra", Name: "op_case", N: 5, LastAt: late}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
