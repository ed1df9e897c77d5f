package notify

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// TestForgetReceiver: a receiver that left the configuration has no series any more, and
// those that stay keep theirs.
func TestForgetReceiver(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	m.told("old", store.DeliveryDone)
	m.told("old", store.DeliveryFailed)
	m.told("new", store.DeliveryDone)
	m.Forget("receiver", "old")
	m.Forget("target", "new")
	(*Metrics)(nil).Forget("receiver", "new")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || len(families[0].GetMetric()) != 1 || families[0].GetMetric()[0].GetLabel()[0].GetValue() != "new" {
		t.Errorf("left are %v", families)
	}
}
