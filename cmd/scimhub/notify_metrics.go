package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// noticesCollector counts at each scrape what is on its way to receivers.
type noticesCollector struct{ store *store.Store }

var notificationsPending = prometheus.NewDesc("scimhub_notifications_pending", "Messages on their way, or waiting to be tried again.", nil, nil)

func (c noticesCollector) Describe(ch chan<- *prometheus.Desc) { ch <- notificationsPending }

func (c noticesCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := c.store.PendingDeliveries(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(notificationsPending, err)
		return
	}
	n := 0
	for _, one := range counts {
		n += one
	}
	ch <- prometheus.MustNewConstMetric(notificationsPending, prometheus.GaugeValue, float64(n))
}
