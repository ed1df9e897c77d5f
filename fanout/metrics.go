package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what this process does at targets; how targets are is in the store, and
// the same for all replicas. A nil *Metrics counts nothing. Labels are bounded: targets,
// verbs, classes; never a person.
type Metrics struct {
	operations *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	sweeps     *prometheus.CounterVec
	leaver     *prometheus.HistogramVec
}

// DriftKinds are the kinds of differences that a sweep finds, sorted.
func DriftKinds() []string { return driftKinds() }

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimhub_target_operations_total", Help: "Operations at targets by verb and result: ok, or the class of the error.",
		}, []string{"target", "verb", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scimhub_target_operation_seconds", Help: "Seconds from the beginning to the end of operations at targets, waiting for their pace included.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"target", "verb"}),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimhub_drift_sweeps_total", Help: "Drift sweeps by result: ok, refused (nothing was concluded), failed.",
		}, []string{"target", "result"}),
		leaver: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scimhub_leaver_seconds", Help: "Seconds from a leaver's fact received to revocation verified at the target.", Buckets: prometheus.ExponentialBuckets(0.1, 2, 18),
		}, []string{"target"}),
	}
	for _, c := range []prometheus.Collector{m.operations, m.seconds, m.sweeps, m.leaver} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) operation(target, verb string, err error, began, now time.Time) {
	if m == nil {
		return
	}
	result := "ok"
	if err != nil {
		result = string(ClassOf(err))
	}
	m.operations.WithLabelValues(target, verb, result).Inc()
	m.seconds.WithLabelValues(target, verb).Observe(now.Sub(began).Seconds())
}

func (m *Metrics) swept(target, result string) {
	if m != nil {
		m.sweeps.WithLabelValues(target, result).Inc()
	}
}

func (m *Metrics) left(target string, since, now time.Time) {
	if m != nil {
		m.leaver.WithLabelValues(target).Observe(now.Sub(since).Seconds())
	}
}

// forget drops the series of a target that is no longer configured.
func (m *Metrics) forget(target string) {
	if m == nil {
		return
	}
	by := prometheus.Labels{"target": target}
	m.operations.DeletePartialMatch(by)
	m.seconds.DeletePartialMatch(by)
	m.sweeps.DeletePartialMatch(by)
	m.leaver.DeletePartialMatch(by)
}
