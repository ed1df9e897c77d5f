package hub

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the evaluation does.
type Metrics struct {
	Evaluations *prometheus.CounterVec // result: ok, error
	Seconds     prometheus.Histogram   // of a transaction that evaluates people and stores what follows
	Decisions   *prometheus.CounterVec // of requests; decision: approve, deny
}

// NewMetrics makes the metrics and registers them, if there is a registry.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{Evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimhub_policy_evaluations_total", Help: "Evaluations of people by result: ok, or error where a rule or mapping failed and access was kept as it is."}, []string{"result"})}
	m.Decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimhub_request_decisions_total", Help: "Answers to requests for roles by decision: approve, deny."}, []string{"decision"})
	m.Seconds = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "scimhub_policy_evaluation_seconds",
		Help: "Seconds that a transaction took that evaluates a batch of people and stores what follows.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)})
	m.Decisions.WithLabelValues("approve")
	m.Decisions.WithLabelValues("deny")
	m.Evaluations.WithLabelValues("ok")
	m.Evaluations.WithLabelValues("error")
	if r != nil {
		r.MustRegister(m.Evaluations, m.Seconds, m.Decisions)
	}
	return m
}

// decided counts an answer to a request.
func (m *Metrics) decided(approve bool) {
	decision := "deny"
	if approve {
		decision = "approve"
	}
	m.Decisions.WithLabelValues(decision).Inc()
}
