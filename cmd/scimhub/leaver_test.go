package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestLeaversMetric: one gauge for each target where access is still to be taken away,
// and the people of whom a goal is at risk; never a person.
func TestLeaversMetric(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(atOnce{statePart(db.Store, func() string { return "" }, func() *hub.Snapshot { return nil })})
		shown := func() (out []string) {
			t.Helper()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if !strings.HasPrefix(f.GetName(), "scimhub_leavers") {
					continue
				}
				for _, m := range f.GetMetric() {
					text := f.GetName()
					for _, l := range m.GetLabel() {
						text += " " + l.GetName() + "=" + l.GetValue()
					}
					out = append(out, fmt.Sprint(text, " ", m.GetGauge().GetValue()))
				}
			}
			return out
		}
		if got := shown(); !slices.Equal(got, []string{"scimhub_leavers_at_risk 0", "scimhub_leavers_late 0"}) {
			t.Errorf("without leavers: %q", got)
		}
		at := db.Now()
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			var rows []model.AccountRow
			for _, id := range []string{"i1", "i2"} {
				rows = append(rows, model.AccountRow{Target: "git", Identity: id, Leaver: true, LeaverAt: &at, Due: true, State: model.StatePending})
			}
			// A drill counts for nobody.
			rows = append(rows, model.AccountRow{Target: "git", Identity: "i3", Leaver: true, LeaverAt: &at, Drill: true, Due: true, State: model.StatePending})
			if err := tx.SetDesiredAll(rows); err != nil {
				return err
			}
			_, err := tx.NoteRisk(model.LeaverRunID("i1", at), "git", model.RiskRisk)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := shown(); !slices.Equal(got, []string{"scimhub_leavers_at_risk 1", "scimhub_leavers_late 0", "scimhub_leavers_open target=git 2"}) {
			t.Errorf("metrics %q after %s", got, time.Since(at))
		}
	})
}
