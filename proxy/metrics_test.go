package proxy

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestForgetTarget: a target that left the configuration has no series any more, and
// those that stay keep theirs.
func TestForgetTarget(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"old", "new"} {
		m.observe(target, "GET", "User", 200, time.Second)
		m.observe(target, "POST", "User", 503, time.Second)
	}
	m.Forget("target", "old")
	m.Forget("source", "new")
	(*Metrics)(nil).Forget("target", "new")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, f := range families {
		for _, one := range f.GetMetric() {
			for _, l := range one.GetLabel() {
				if l.GetValue() == "old" {
					t.Errorf("%s still has a series of it", f.GetName())
				}
			}
			left++
		}
	}
	if left != 4 {
		t.Errorf("%d series are left, want 4", left)
	}
}
