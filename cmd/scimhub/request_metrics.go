package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// approvalsCollector counts what waits for an answer, at each scrape.
type approvalsCollector struct{ store *store.Store }

var approvalsPending = prometheus.NewDesc("scimhub_approvals_pending", "Requests that wait for somebody's answer, reviews after the fact included.", nil, nil)

func (c approvalsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- approvalsPending }

func (c approvalsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n, err := c.store.PendingApprovals(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(approvalsPending, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(approvalsPending, prometheus.GaugeValue, float64(n))
}
