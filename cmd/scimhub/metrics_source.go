package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// sourcesCollector reads at each scrape when sources were last heard of: other
// replicas hear of them, too.
type sourcesCollector struct{ store *store.Store }

var (
	sourceLastSeen = prometheus.NewDesc("scimhub_source_last_seen_timestamp_seconds", "When a source was last heard of, to the minute.", []string{"source"}, nil)
	sourceSilent   = prometheus.NewDesc("scimhub_source_silent", "1 for a source that has sent nothing for longer than it may.", []string{"source"}, nil)
)

func (c sourcesCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- sourceLastSeen
	ch <- sourceSilent
}

func (c sourcesCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	states, err := c.store.SourceStates(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(sourceLastSeen, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		s := states[name]
		if s.LastSeen != nil {
			ch <- prometheus.MustNewConstMetric(sourceLastSeen, prometheus.GaugeValue, float64(s.LastSeen.UnixMicro())/1e6, name)
		}
		silent := 0.0
		if s.SilentSince != nil {
			silent = 1
		}
		ch <- prometheus.MustNewConstMetric(sourceSilent, prometheus.GaugeValue, silent, name)
	}
}
