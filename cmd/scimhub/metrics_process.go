package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model/store"
)

// databasePatience is how long a scrape waits for the database to say that it is there.
const databasePatience = time.Second

// process tells of this replica at the moment of a scrape: which program and which
// configuration it runs, whether it can serve, and its connections to the database.
type process struct {
	store    *store.Store
	snapshot func() *hub.Snapshot
}

func newProcess(s *store.Store, snapshot func() *hub.Snapshot) process { return process{s, snapshot} }

var (
	buildInfo     = gauge("build_info", "1, with the version of the program, its commit and the newest database schema it knows as labels.", "version", "commit", "schema")
	configVersion = gauge("config_version", "Number of the configuration version in force at this replica; 0: none is yet.")
	ready         = gauge("ready", "1 while this replica can serve requests, that is a configuration is in force and the database answers, else 0.")
	databaseUp    = gauge("database_up", "1 if the database answered during the scrape, else 0.")
	poolOpen      = gauge("database_connections", "Connections to the database that are open, by pool and whether they are in use or idle.", "pool", "state")
	poolMax       = gauge("database_connections_max", "Connections that a pool opens at most.", "pool")
	poolWaits     = gauge("database_waits_total", "Times that somebody had to wait for a connection of a pool.", "pool")
	poolWaited    = gauge("database_wait_seconds_total", "Seconds that were spent waiting for connections of a pool.", "pool")
	writers       = gauge("database_writers_waiting", "Writers of this process that wait for their turn; always 0 on PostgreSQL, where they do not take turns.")
)

// Describe is part of prometheus.Collector.
func (p process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, configVersion, ready, databaseUp, poolOpen, poolMax, poolWaits, poolWaited, writers} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (p process) Collect(ch chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, t prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, value, labels...)
	}
	v := thisVersion()
	tell(buildInfo, prometheus.GaugeValue, 1, v.Version, v.Commit, strconv.Itoa(v.Schema))
	active := int64(0)
	if s := p.snapshot(); s != nil {
		active = s.Version
	}
	tell(configVersion, prometheus.GaugeValue, float64(active))
	ctx, cancel := context.WithTimeout(context.Background(), databasePatience)
	defer cancel()
	up := p.store.Ping(ctx) == nil
	tell(databaseUp, prometheus.GaugeValue, oneIf(up))
	tell(ready, prometheus.GaugeValue, oneIf(up && active > 0))
	for _, pool := range p.store.Pools() {
		tell(poolOpen, prometheus.GaugeValue, float64(pool.InUse), pool.Name, "in_use")
		tell(poolOpen, prometheus.GaugeValue, float64(pool.Open-pool.InUse), pool.Name, "idle")
		tell(poolMax, prometheus.GaugeValue, float64(pool.Max), pool.Name)
		tell(poolWaits, prometheus.CounterValue, float64(pool.Waits), pool.Name)
		tell(poolWaited, prometheus.CounterValue, pool.Waited.Seconds(), pool.Name)
	}
	tell(writers, prometheus.GaugeValue, float64(p.store.WritersWaiting()))
}
