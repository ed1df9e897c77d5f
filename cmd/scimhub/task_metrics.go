package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model/store"
)

// tasksCollector counts what people have to do, at each scrape.
type tasksCollector struct{ store *store.Store }

var (
	tasksOpen    = prometheus.NewDesc("scimhub_tasks_open", "Tasks that wait for a person, by target.", []string{"target"}, nil)
	tasksOverdue = prometheus.NewDesc("scimhub_tasks_overdue", "Open tasks that should have been done by now, by target.", []string{"target"}, nil)
)

func (c tasksCollector) Describe(ch chan<- *prometheus.Desc) { ch <- tasksOpen; ch <- tasksOverdue }

func (c tasksCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	open, overdue, err := c.store.OpenTaskCounts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(tasksOpen, err)
		return
	}
	for target, n := range open {
		ch <- prometheus.MustNewConstMetric(tasksOpen, prometheus.GaugeValue, float64(n), target)
		ch <- prometheus.MustNewConstMetric(tasksOverdue, prometheus.GaugeValue, float64(overdue[target]), target)
	}
}
