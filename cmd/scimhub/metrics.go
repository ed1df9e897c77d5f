package main

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// metrics are those of the HTTP fronts, of the process, and what is read from the
// database. Labels are bounded: names of the configuration, of routes and of kinds; never
// a person, never what a client sent.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	deviations *prometheus.CounterVec
	expiry     *prometheus.GaugeVec
	fronts     fronts

	holder   func() string        // names this replica in leases; set before the first scrape
	snapshot func() *hub.Snapshot // the configuration in force; nil: none is yet
	forget   []func(label, name string)

	mu      sync.Mutex
	targets map[string]*time.Time // when the credential in use at a target ends, as the worker says
}

func newMetrics(r *prometheus.Registry, s *store.Store) *metrics {
	m := &metrics{registry: r, fronts: newFronts(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_scim_requests_total",
			Help: "SCIM requests by source (empty: nobody was authenticated), method, resource type and HTTP status."}, []string{"source", "method", "resource", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scimhub_scim_request_seconds",
			Help: "Seconds that SCIM requests took.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}, []string{"method", "resource"}),
		deviations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_scim_deviations_total",
			Help: "Deviations from the standard that a source's dialect tolerated."}, []string{"source", "deviation"}),
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scimhub_credential_expiry_timestamp_seconds",
			Help: "Unix time when a credential expires; one that does not has no series. kind is source, admin, target or tls."}, []string{"kind", "name"}),
		holder:   func() string { return "" },
		snapshot: func() *hub.Snapshot { return nil },
	}
	parts := hubParts(s, func() string { return m.holder() }, func() *hub.Snapshot { return m.snapshot() })
	r.MustRegister(m.requests, m.seconds, m.deviations, m.expiry, m.fronts.requests, m.fronts.seconds, m.fronts.open,
		newFigures(parts...), newProcess(s, func() *hub.Snapshot { return m.snapshot() }), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.forget = []func(label, name string){forgetting(m.requests.MetricVec), forgetting(m.deviations.MetricVec)}
	return m
}

// forgetting drops the series of a vector that have a label with this value.
func forgetting(v *prometheus.MetricVec) func(label, name string) {
	return func(label, name string) { v.DeletePartialMatch(prometheus.Labels{label: name}) }
}

// follow drops the counters of sources and targets that another configuration than
// before no longer knows.
func (m *metrics) follow(before, after *config.Document) {
	for _, s := range before.Sources {
		if !slices.ContainsFunc(after.Sources, func(o config.Source) bool { return o.Name == s.Name }) {
			m.drop("source", s.Name)
		}
	}
	for _, t := range before.Targets {
		if !slices.ContainsFunc(after.Targets, func(o model.Target) bool { return o.Name == t.Name }) {
			m.drop("target", t.Name)
		}
	}
	for _, r := range before.Notify {
		if !slices.ContainsFunc(after.Notify, func(o config.Receiver) bool { return o.Name == r.Name }) {
			m.drop("receiver", r.Name)
		}
	}
}

func (m *metrics) drop(label, name string) {
	for _, forget := range m.forget {
		forget(label, name)
	}
}

func (m *metrics) observe(source, method, resource string, code int, d time.Duration) {
	m.requests.WithLabelValues(source, method, resource, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(method, resource).Observe(d.Seconds())
}

// credentials shows when credentials expire; those that do not are left out.
func (m *metrics) credentials(list []expiry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expiry.Reset()
	for _, e := range list {
		if at, told := m.targets[e.name]; told && e.kind == "target" {
			e.at = at
		}
		if e.at != nil {
			m.expiry.WithLabelValues(e.kind, e.name).Set(float64(e.at.Unix()))
		}
	}
}

// targetCredential shows when the credential in use at a target ends: the next one may
// have taken over, and some last for as long as their application says.
func (m *metrics) targetCredential(target string, at *time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.targets == nil {
		m.targets = map[string]*time.Time{}
	}
	m.targets[target] = at
	if at == nil {
		m.expiry.DeleteLabelValues("target", target)
		return
	}
	m.expiry.WithLabelValues("target", target).Set(float64(at.Unix()))
}
