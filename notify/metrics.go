package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// Metrics count what became of attempts. A nil one counts nothing.
type Metrics struct{ total *prometheus.CounterVec }

// NewMetrics registers the metrics of notifications: what became of attempts, and how
// many deliveries are on their way, read from the store at each scrape.
func NewMetrics(r prometheus.Registerer, s *store.Store) (*Metrics, error) {
	m := &Metrics{total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_notifications_total",
		Help: "Attempts to tell a receiver, by what became of them: ok, retry, failed."}, []string{"receiver", "result"})}
	for _, c := range []prometheus.Collector{m.total, pendingCollector{s}} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of notifications: %w", err)
		}
	}
	return m, nil
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

type pendingCollector struct{ store *store.Store }

var pending = prometheus.NewDesc("scimhub_notifications_pending", "Messages on their way, or waiting to be tried again.", nil, nil)

// Describe names the metric.
func (c pendingCollector) Describe(ch chan<- *prometheus.Desc) { ch <- pending }

// Collect counts.
func (c pendingCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := c.store.PendingDeliveries(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(pending, err)
		return
	}
	n := 0
	for _, one := range counts {
		n += one
	}
	ch <- prometheus.MustNewConstMetric(pending, prometheus.GaugeValue, float64(n))
}
