package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the fan-out's metrics. A nil *Metrics counts nothing. Labels are
// bounded: targets, verbs, classes; never a person.
type Metrics struct {
	operations  *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	drift       *prometheus.GaugeVec
	sweeps      *prometheus.CounterVec
	lastAttempt *prometheus.GaugeVec
	lastSuccess *prometheus.GaugeVec
	quarantined *prometheus.GaugeVec
	leaver      *prometheus.HistogramVec
}

// StateCount is the number of accounts of a target in a state.
type StateCount struct {
	Target, State string
	N             int
}

// NewMetrics registers the metrics. counts, if given, is asked at each scrape and
// feeds scimhub_accounts and scimhub_held_changes.
func NewMetrics(reg prometheus.Registerer, counts func() []StateCount) (*Metrics, error) {
	byTarget := []string{"target"}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"target"}, labels...))
	}
	m := &Metrics{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimhub_target_operations_total", Help: "Operations at targets by verb and result (ok or the class of the error).",
		}, []string{"target", "verb", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scimhub_target_operation_seconds", Help: "Duration of operations at targets.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"target", "verb"}),
		drift: gauge("scimhub_drift", "Differences found by the last sweep by kind.", "kind"),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimhub_drift_sweeps_total", Help: "Drift sweeps by result: ok, refused (nothing was concluded), failed.",
		}, []string{"target", "result"}),
		lastAttempt: gauge("scimhub_target_last_attempt_timestamp_seconds", "When the target was last asked to do something."),
		lastSuccess: gauge("scimhub_target_last_success_timestamp_seconds", "When the target last did it."),
		quarantined: gauge("scimhub_target_quarantined", "1 while the target fails for so long that only leavers are tried."),
		leaver: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scimhub_leaver_seconds", Help: "From a leaver's fact received to revocation verified at the target.", Buckets: prometheus.ExponentialBuckets(0.1, 2, 18),
		}, byTarget),
	}
	all := []prometheus.Collector{m.operations, m.seconds, m.drift, m.sweeps, m.lastAttempt, m.lastSuccess, m.quarantined, m.leaver}
	if counts != nil {
		all = append(all, &stateCollector{counts: counts,
			accounts: prometheus.NewDesc("scimhub_accounts", "Accounts by sync state.", []string{"target", "state"}, nil),
			held:     prometheus.NewDesc("scimhub_held_changes", "Accounts with changes that wait for a person.", byTarget, nil),
		})
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

type stateCollector struct {
	counts         func() []StateCount
	accounts, held *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (s *stateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- s.accounts; ch <- s.held }

// Collect implements prometheus.Collector.
func (s *stateCollector) Collect(ch chan<- prometheus.Metric) {
	held := map[string]int{}
	for _, c := range s.counts() {
		ch <- prometheus.MustNewConstMetric(s.accounts, prometheus.GaugeValue, float64(c.N), c.Target, c.State)
		held[c.Target] += 0
		if c.State == "held" {
			held[c.Target] += c.N
		}
	}
	for target, n := range held {
		ch <- prometheus.MustNewConstMetric(s.held, prometheus.GaugeValue, float64(n), target)
	}
}

func (m *Metrics) operation(target, verb string, err error, began, now time.Time) {
	if m == nil {
		return
	}
	result := "ok"
	m.lastAttempt.WithLabelValues(target).Set(seconds(now))
	if err != nil {
		result = string(ClassOf(err))
	} else {
		m.lastSuccess.WithLabelValues(target).Set(seconds(now))
	}
	m.operations.WithLabelValues(target, verb, result).Inc()
	m.seconds.WithLabelValues(target, verb).Observe(now.Sub(began).Seconds())
}

func (m *Metrics) health(target string, h Health) {
	if m == nil {
		return
	}
	v := 0.0
	if !h.QuarantinedAt.IsZero() {
		v = 1
	}
	m.quarantined.WithLabelValues(target).Set(v)
}

func (m *Metrics) drifted(target string, kinds map[string]int) {
	if m == nil {
		return
	}
	for _, k := range driftKinds() {
		m.drift.WithLabelValues(target, k).Set(float64(kinds[k]))
	}
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

// forget drops the gauges of a target that is no longer configured.
func (m *Metrics) forget(target string) {
	if m == nil {
		return
	}
	by := prometheus.Labels{"target": target}
	for _, g := range []*prometheus.GaugeVec{m.drift, m.lastAttempt, m.lastSuccess, m.quarantined} {
		g.DeletePartialMatch(by)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
