package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// atOnce shows the gauges of a part as they are at each scrape.
type atOnce struct{ *part }

// Describe is part of prometheus.Collector.
func (a atOnce) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range a.descs {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (a atOnce) Collect(ch chan<- prometheus.Metric) {
	err := a.read(context.Background(), func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(a.descs[0], err)
	}
}

// gathered are all samples of a registry: the name with its labels, and the value; of a
// histogram its count.
func gathered(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := []string{}
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			key := f.GetName()
			if len(labels) > 0 {
				key += "{" + strings.Join(labels, ",") + "}"
			}
			out[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

// TestFiguresAreReadSeldom: what takes long is read seldom, a scrape waits for nothing
// longer than it has patience, and what cannot be read is told on for a while.
func TestFiguresAreReadSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, takes := 0, 200*time.Millisecond
		var failure error
		slow := gauge("slow", "A figure.")
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(newFigures(&part{name: "slow", descs: []*prometheus.Desc{slow}, read: func(_ context.Context, show show) error {
			reads++
			<-time.After(takes)
			show(slow, float64(reads))
			return failure
		}}))
		scrape := func() (map[string]float64, time.Duration) {
			began := time.Now()
			return gathered(t, registry), time.Since(began)
		}
		if got, _ := scrape(); got["scimhub_slow"] != 1 || got[`scimhub_figures_read_seconds{part="slow"}`] != 0.2 {
			t.Fatalf("the first scrape: %v", got)
		}
		for range 19 { // 19 s, less than a hundred times 200 ms
			<-time.After(time.Second)
			if got, took := scrape(); got["scimhub_slow"] != 1 || took > 0 {
				t.Fatalf("read again after %v, scrape took %s", got, took)
			}
		}
		<-time.After(2 * time.Second)
		takes = 30 * time.Second
		if got, took := scrape(); got["scimhub_slow"] != 1 || took != figuresPatience {
			t.Fatalf("a slow reading kept the scrape for %s: %v", took, got)
		}
		<-time.After(takes)
		if got, took := scrape(); got["scimhub_slow"] != 2 || took > 0 || reads != 2 {
			t.Fatalf("after it ended: %v after %s and %d readings", got, took, reads)
		}
		<-time.After(figuresShare * takes)
		takes, failure = time.Millisecond, errors.New("no database")
		if got, _ := scrape(); got["scimhub_slow"] != 2 || got[`scimhub_figures_failures_total{part="slow"}`] != 1 {
			t.Fatalf("a failure: %v", got)
		}
		<-time.After(figuresKept + figuresShare*30*time.Second)
		got, _ := scrape()
		if _, told := got["scimhub_slow"]; told || got[`scimhub_figures_age_seconds{part="slow"}`] == 0 {
			t.Fatalf("what was read long ago is told still: %v", slices.Sorted(maps.Keys(got)))
		}
	})
}
