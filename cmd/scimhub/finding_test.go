package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestFindingsMetric: one gauge for each source and kind, and none where there is
// nothing wrong.
func TestFindingsMetric(t *testing.T) {
	t.Parallel()
	storetest.EachOnTurn(t, func(t *testing.T, db *storetest.DB) {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(atOnce{findingsPart(db.Store, func() *hub.Snapshot { return nil })})
		shown := func() (out []string) {
			t.Helper()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
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
		if got := shown(); len(got) > 0 {
			t.Errorf("without findings: %q", got)
		}
		missing := model.Finding{Kind: model.FindingMissing, Subject: "title", Source: "hr", Message: "x"}
		for _, id := range []string{"i1", "i2"} {
			err := db.Store.Update(t.Context(), func(tx *store.Tx) error {
				return tx.SetFindings(id, []model.Finding{missing, {Kind: model.FindingConflict, Subject: id, Message: "x"}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"scimhub_findings kind=conflict source= 2", "scimhub_findings kind=missing source=hr 2"}
		if got := shown(); !slices.Equal(got, want) {
			t.Errorf("metrics %q, want %q", got, want)
		}
	})
}
