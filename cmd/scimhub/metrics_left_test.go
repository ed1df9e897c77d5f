package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestHeldLeaversOfSourcesThatLeft: only sources of the configuration have a series; of
// one that comes back the figure is there again.
func TestHeldLeaversOfSourcesThatLeft(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		for id, source := range map[string]string{"a": "hr", "b": "hr", "c": "old"} {
			db.Exec(t, `INSERT INTO identities (id, name, key, stage, user_doc, origin, version, created_at, left_source, left_at, over_guard, findings)
VALUES (?, ?, ?, 'leaver', '{}', '{}', 0, 1, ?, 5, TRUE, '[]')`, id, id, id, source)
		}
		var snap *hub.Snapshot
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(atOnce{peoplePart(db.Store, func() *hub.Snapshot { return snap })})
		for n, want := range [][]string{
			{`scimhub_held_leavers{source="hr"}`, `scimhub_held_leavers{source="old"}`, `scimhub_identities{stage="leaver"}`}, // no configuration yet
			{`scimhub_held_leavers{source="hr"}`, `scimhub_identities{stage="leaver"}`},
			{`scimhub_held_leavers{source="hr"}`, `scimhub_held_leavers{source="old"}`, `scimhub_identities{stage="leaver"}`},
		} {
			snap = map[int]*hub.Snapshot{1: {Doc: &config.Document{Sources: []config.Source{{Name: "hr"}}}},
				2: {Doc: &config.Document{Sources: []config.Source{{Name: "hr"}, {Name: "old"}}}}}[n]
			got := gathered(t, registry)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" || got[want[0]] != 2 {
				t.Errorf("configuration %d: %v\n%s", n, got, diff)
			}
		}
	})
}
