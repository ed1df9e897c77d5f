package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/store"
)

// reviewsCollector counts items of access reviews that wait, at each scrape.
type reviewsCollector struct{ store *store.Store }

var reviewItemsOpen = prometheus.NewDesc("scimhub_review_items", "Items of access reviews that wait for a decision, or for a revocation to be carried out, by state.", []string{"state"}, nil)

func (c reviewsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- reviewItemsOpen }

func (c reviewsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n, err := c.store.OpenReviewItems(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(reviewItemsOpen, err)
		return
	}
	for _, state := range []model.ItemState{model.ItemPending, model.ItemRevoking, model.ItemEvaluated} {
		ch <- prometheus.MustNewConstMetric(reviewItemsOpen, prometheus.GaugeValue, float64(n[string(state)]), string(state))
	}
}
