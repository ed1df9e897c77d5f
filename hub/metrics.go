package hub

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the evaluation does.
type Metrics struct {
	Evaluations *prometheus.CounterVec // result: ok, error
}

// NewMetrics makes the metrics and registers them, if there is a registry.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{Evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimhub_policy_evaluations_total", Help: "Evaluations of identities, by result."}, []string{"result"})}
	m.Evaluations.WithLabelValues("ok")
	m.Evaluations.WithLabelValues("error")
	if r != nil {
		r.MustRegister(m.Evaluations)
	}
	return m
}
