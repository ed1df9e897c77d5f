package hub

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the evaluation does.
type Metrics struct {
	Evaluations *prometheus.CounterVec // result: ok, error
	Decisions   *prometheus.CounterVec // of requests; decision: approve, deny
}

// NewMetrics makes the metrics and registers them, if there is a registry.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{Evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimhub_policy_evaluations_total", Help: "Evaluations of identities, by result."}, []string{"result"})}
	m.Decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimhub_request_decisions_total", Help: "Answers to requests for roles, by decision."}, []string{"decision"})
	m.Decisions.WithLabelValues("approve")
	m.Decisions.WithLabelValues("deny")
	m.Evaluations.WithLabelValues("ok")
	m.Evaluations.WithLabelValues("error")
	if r != nil {
		r.MustRegister(m.Evaluations, m.Decisions)
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
