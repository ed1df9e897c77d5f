package notify

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// Metrics count what became of attempts. A nil one counts nothing.
type Metrics struct{ total *prometheus.CounterVec }

// NewMetrics registers the metrics of attempts.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_notifications_total",
		Help: "Attempts to tell a receiver, by what became of them: ok, retry, failed."}, []string{"receiver", "result"})}
	if err := r.Register(m.total); err != nil {
		return nil, fmt.Errorf("metrics of notifications: %w", err)
	}
	return m, nil
}

// Forget drops the series that have a label with this value: of a receiver that is no
// longer configured.
func (m *Metrics) Forget(label, name string) {
	if m != nil {
		m.total.DeletePartialMatch(prometheus.Labels{label: name})
	}
}

func (m *Metrics) told(receiver, state string) {
	if m == nil {
		return
	}
	result := map[string]string{store.DeliveryDone: "ok", store.DeliveryPending: "retry", store.DeliveryFailed: "failed"}[state]
	if result != "" {
		m.total.WithLabelValues(receiver, result).Inc()
	}
}
