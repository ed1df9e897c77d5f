package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/scimhub/scimhub/model/store"
)

// metrics are those of the HTTP front and of the process as a whole.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	deviations *prometheus.CounterVec
	expiry     *prometheus.GaugeVec

	mu      sync.Mutex
	targets map[string]*time.Time // when the credential in use at a target ends, as the worker says
}

func newMetrics(r *prometheus.Registry, s *store.Store) *metrics {
	m := &metrics{registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_scim_requests_total",
			Help: "SCIM requests by source, method, resource type and status."}, []string{"source", "method", "resource", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scimhub_scim_request_seconds",
			Help: "Duration of SCIM requests.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}, []string{"method", "resource"}),
		deviations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scimhub_scim_deviations_total",
			Help: "Deviations from the standard that a source's dialect tolerated."}, []string{"source", "deviation"}),
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scimhub_credential_expiry_timestamp_seconds",
			Help: "When a credential expires."}, []string{"kind", "name"}),
	}
	r.MustRegister(m.requests, m.seconds, m.deviations, m.expiry, marksCollector{s}, findingsCollector{s}, leaversCollector{s}, approvalsCollector{s}, tasksCollector{s}, reviewsCollector{s}, sourcesCollector{s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
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

// marksCollector reads the backlog of the evaluation at each scrape.
type marksCollector struct{ store *store.Store }

var (
	pendingMarks = prometheus.NewDesc("scimhub_pending_marks", "People to be evaluated.", nil, nil)
	oldestMark   = prometheus.NewDesc("scimhub_oldest_mark_seconds", "Age of the oldest mark; 0 if there is none.", nil, nil)
)

func (c marksCollector) Describe(ch chan<- *prometheus.Desc) { ch <- pendingMarks; ch <- oldestMark }

func (c marksCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n, oldest, err := c.store.Marks(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(pendingMarks, err)
		return
	}
	age := 0.0
	if oldest != nil {
		age = c.store.Now().Sub(*oldest).Seconds()
	}
	ch <- prometheus.MustNewConstMetric(pendingMarks, prometheus.GaugeValue, float64(n))
	ch <- prometheus.MustNewConstMetric(oldestMark, prometheus.GaugeValue, age)
}
